import assert from "node:assert/strict";
import { test } from "node:test";

import { findManifest } from "../../extension/common/manifests.js";

/** @param {...(string | number[])} parts @returns {Uint8Array} */
const join = (...parts) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part, "latin1")] : part)));

/** @param {number} value @param {number} size @param {boolean} [little] */
const number = (value, size, little = false) => {
  const bytes = Array.from({ length: size }, (_, index) => (value / 2 ** (8 * index)) & 255);
  return little ? bytes : bytes.reverse();
};

const JUMBF = ["JP", number(1, 2), number(1, 4), number(60, 4), "jumb", number(40, 4), "jumd", "c2pa", Array(20).fill(0)];
const XMP = '<x dcterms:provenance="https://manifests.example/a.c2pa"/>';
const UUID = [0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4, 0x81];

/** @param {[marker: number, body: Uint8Array][]} segments */
const jpeg = (...segments) =>
  join(
    [0xff, 0xd8],
    ...segments.map(([marker, body]) => [0xff, marker, ...number(body.length + 2, 2), ...body]),
    [0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9],
  );
/** @param {[kind: string, body: Uint8Array][]} chunks */
const png = (...chunks) =>
  join(
    "\x89PNG\r\n\x1a\n",
    ...[...chunks, ["IEND", join()]].flatMap(([kind, body]) => [
      number(/** @type {any} */ (body).length, 4),
      /** @type {string} */ (kind),
      [.../** @type {any} */ (body)],
      number(0, 4),
    ]),
  );
/** @param {[kind: string, body: Uint8Array][]} chunks */
const webp = (...chunks) => {
  const body = chunks.flatMap(([kind, data]) => [
    kind,
    number(data.length, 4, true),
    [...data, ...Array(data.length & 1).fill(0)],
  ]);
  return join("RIFF", number(join(...body).length + 4, 4, true), "WEBP", ...body);
};
/** @param {string} name */
const gif = (name) => join("GIF89a", [1, 0, 1, 0, 0, 0, 0], [0x21, 0xff, 11], name, [2, 7, 7, 0], [0x2c]);
/** @param {number[]} id */
const avif = (id) => join(number(16, 4), "ftypavif", number(0, 4), number(28, 4), "uuid", id, number(0, 4));

const xmp = join("http://ns.adobe.com/xap/1.0/\0", XMP);
const itxt = join("XML:com.adobe.xmp\0", [0, 0, 0, 0], XMP);
const EMBEDDED = { kind: "embedded" };
const REMOTE = { kind: "remote", host: "manifests.example" };

test("a manifest is found in every format that carries one, and nothing where there is none", () => {
  /** @type {[string, Uint8Array, object | null][]} */
  const table = [
    ["JPEG", jpeg([0xe0, join("JFIF")], [0xeb, join(...JUMBF)]), EMBEDDED],
    ["JPEG with another box", jpeg([0xeb, join(...JUMBF.slice(0, 7), "jpgt", JUMBF[8])]), null],
    ["JPEG without", jpeg([0xe0, join("JFIF")]), null],
    ["JPEG, elsewhere", jpeg([0xe1, xmp]), REMOTE],
    ["JPEG, elsewhere and here", jpeg([0xe1, xmp], [0xeb, join(...JUMBF)]), EMBEDDED],
    ["JPEG, behind its picture", join([...jpeg()], [0xff, 0xeb, ...number(80, 2)], ...JUMBF), null],
    ["PNG", png(["IHDR", join()], ["caBX", join([1])]), EMBEDDED],
    ["PNG without", png(["IHDR", join()], ["tEXt", join("caBX")]), null],
    ["PNG, elsewhere", png(["iTXt", itxt]), REMOTE],
    ["WebP", webp(["VP8 ", join([1, 2, 3])], ["C2PA", join([1])]), EMBEDDED],
    ["WebP without", webp(["VP8 ", join("C2PA")]), null],
    ["WebP, elsewhere", webp(["XMP ", join(XMP)]), REMOTE],
    ["GIF", gif("C2PA_GIF\x01\0\0"), EMBEDDED],
    ["GIF without", gif("NETSCAPE2.0"), null],
    ["AVIF", avif(UUID), EMBEDDED],
    ["AVIF without", avif(UUID.map(() => 7)), null],
    ["nothing", join(), null],
    ["a text", join("c2pa jumb caBX C2PA"), null],
  ];
  for (const [name, bytes, found] of table) assert.deepEqual(findManifest(bytes), found, name);
});

test("what lies elsewhere is an address on the web, written as attribute or as element", () => {
  /** @type {[string, string | null][]} */
  const table = [
    ["<dcterms:provenance>http://a.example:81/b</dcterms:provenance>", "a.example:81"],
    ["<x dcterms:provenance = 'https://b.example/'/>", "b.example"],
    ['<x dcterms:provenance="self#jumbf=/c2pa/1"/>', null],
    ['<x dcterms:provenance="file:///etc/passwd"/>', null],
    ['<x dcterms:provenance="https://"/>', null],
    [`${" ".repeat(300_000)}${XMP}`, null],
  ];
  for (const [packet, host] of table) {
    const found = findManifest(webp(["XMP ", join(packet)]));
    assert.deepEqual(found, host === null ? null : { kind: "remote", host }, packet.slice(0, 60));
  }
});

test("no cut and no damage ends in anything but an answer", () => {
  const files = [jpeg([0xe1, xmp], [0xeb, join(...JUMBF)]), png(["caBX", join([1])]), webp(["C2PA", join([1])])];
  for (const file of [...files, gif("C2PA_GIF\x01\0\0"), avif(UUID)]) {
    for (let end = 0; end < file.length; end += 1) {
      findManifest(file.subarray(0, end));
      const hurt = Uint8Array.from(file);
      hurt[end] ^= 0xff;
      findManifest(hurt);
    }
  }
});

test("a file of a million tiny pieces is not walked to its end", () => {
  const pieces = Array(200_000).fill([0xff, 0xe2, 0, 2]).flat();
  assert.equal(findManifest(join([0xff, 0xd8], pieces, [0xff, 0xeb, ...number(80, 2)], ...JUMBF)), null);
});
