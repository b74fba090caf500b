import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeBase64, encodeBase64, hashBytes, sniffPicture } from "../../extension/common/bytes.js";

/** @param {string} text one letter a byte */
const bytesOf = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

test("a picture is known by its first bytes, whatever it is called", () => {
  /** @type {[string, string | null][]} */
  const table = [
    ["\xff\xd8\xff\xe0rest", "image/jpeg"],
    ["\x89PNG\r\n\x1a\nrest", "image/png"],
    ["GIF87arest", "image/gif"],
    ["GIF89arest", "image/gif"],
    ["RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"],
    ["\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1", "image/avif"],
    ["\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00avifmiaf", "image/avif"],
    ["\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", null],
    ["RIFF\x10\x00\x00\x00WAVEfmt ", null],
    ["<svg xmlns='http://www.w3.org/2000/svg'/>", null],
    ["<!doctype html>", null],
    ["BM\x00\x00", null],
    ["", null],
  ];
  for (const [bytes, type] of table) assert.equal(sniffPicture(bytesOf(bytes)), type, bytes);
});

test("bytes survive the way through base64, however many there are", () => {
  for (const size of [0, 1, 2, 3, 0x7fff, 0x8000, 0x8001, 200_000]) {
    const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 7) & 255);
    const text = encodeBase64(bytes.buffer);
    assert.equal(text, Buffer.from(bytes).toString("base64"));
    assert.deepEqual(decodeBase64(text), bytes);
  }
});

test("a hash is written as everybody writes it", async () => {
  assert.equal(
    await hashBytes(bytesOf("abc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});
