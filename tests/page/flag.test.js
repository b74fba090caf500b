import assert from "node:assert/strict";
import { test } from "node:test";

import { composeFlag, flagFile } from "../../backend/chalicelib/page/flag.js";

const PICTURE = new Blob(["abc"], { type: "image/png" });
const NOTHING = { note: "", keep: false, address: false };

test("a flag holds what a person wants to send, and nothing else that is at hand", () => {
  const atHand = { picture: PICTURE, url: "https://cdn.example/a.jpg" };
  /** @type {[Partial<import("../../backend/chalicelib/page/flag.js").Wish>, object][]} */
  const table = [
    [{}, {}],
    [{ note: "odd ear" }, { note: "odd ear" }],
    [{ address: true }, { url: atHand.url }],
    [{ keep: true }, { keep: true, picture: PICTURE }],
    [{ note: "x", keep: true, address: true }, { note: "x", url: atHand.url, keep: true, picture: PICTURE }],
  ];
  for (const [wish, more] of table) {
    assert.deepEqual(composeFlag("c1", { ...NOTHING, ...wish }, atHand), { check_id: "c1", ...more });
  }
});

test("what was offered and is gone is not left out in silence", () => {
  assert.throws(() => composeFlag("c1", { ...NOTHING, keep: true }, { url: "https://cdn.example/" }), { message: "lost" });
  assert.throws(() => composeFlag("c1", { ...NOTHING, address: true }, { picture: PICTURE }), { message: "lost" });
  assert.throws(() => composeFlag("c1", { ...NOTHING, address: true }, { url: null }), { message: "lost" });
});

test("a file has no address, and goes along only where a person agrees", async () => {
  /** @type {any[]} */
  const asked = [];
  const service = /** @type {any} */ ({
    flagCheck: async (/** @type {any} */ request) => asked.push(request) && "f1",
    forgetFlag: async (/** @type {string} */ id) => void asked.push(id),
  });
  const flagging = flagFile(service, "c1", PICTURE);
  assert.deepEqual(await flagging.offer(), { host: null, picture: true });
  assert.equal(await flagging.send(NOTHING), "f1");
  assert.equal(await flagging.send({ ...NOTHING, keep: true }), "f1");
  await flagging.undo("f1");
  assert.deepEqual(asked, [{ check_id: "c1" }, { check_id: "c1", keep: true, picture: PICTURE }, "f1"]);
});

test("a file that is not to travel is not offered", async () => {
  const flagging = flagFile(/** @type {any} */ ({}), "c1", null);
  assert.deepEqual(await flagging.offer(), { host: null, picture: false });
  await assert.rejects(flagging.send({ ...NOTHING, keep: true }), { message: "lost" });
});
