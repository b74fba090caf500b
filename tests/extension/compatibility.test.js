import assert from "node:assert/strict";
import { test } from "node:test";

import { isVerdict } from "../../backend/chalicelib/page/service.js";
import { upgradeEntry, upgradeVerdict } from "../../extension/common/compatibility.js";
import { History } from "../../extension/common/history.js";
import { ENTRY } from "./entries.js";

/** A verdict on a clip as an extension of before kept it. */
const OLD_VERDICT = /** @type {any} */ ({
  ...ENTRY.verdict,
  verdict: "likely_real",
  fake_probability: 0.04,
  faces: [{ box: [1, 2, 3, 4], fake_probability: 0.04, verdict: "likely_real" }],
  tracks: [
    {
      verdict: "likely_real",
      fake_probability: 0.04,
      reasons: [],
      worst: 1,
      best: 0,
      points: [
        { frame: 0, time: 0, box: [1, 2, 3, 4], fake_probability: 0.04, verdict: "likely_real" },
        { frame: 1, time: 1, box: [1, 2, 3, 4], fake_probability: 0.5, verdict: "uncertain" },
      ],
    },
  ],
});
const OLD_ENTRY = { ...ENTRY, source: "likely_real.jpg", verdict: OLD_VERDICT };

/** @template Result @param {Result} result @returns {any} a request of a database that is answered at once */
function answer(result) {
  const request = { result, error: null, onsuccess: () => {}, onerror: () => {} };
  queueMicrotask(() => request.onsuccess());
  return request;
}

/** @param {any} value @returns {History} one that holds this and nothing else */
function keep(value) {
  const open = () => {
    const end = () => {
      request.result = null;
      request.onsuccess();
    };
    const request = answer(/** @type {any} */ ({ value, continue: end }));
    return request;
  };
  const history = Object.create(History.prototype);
  history.read = () => ({ get: () => answer(value), index: () => ({ openCursor: open }) });
  return history;
}

test("a verdict of before is read with today's names, down to its points, and is not changed itself", () => {
  const copy = structuredClone(OLD_VERDICT);
  const read = upgradeVerdict(OLD_VERDICT);
  assert.deepEqual(OLD_VERDICT, copy);
  assert.equal(isVerdict(OLD_VERDICT), false);
  assert.equal(isVerdict(read), true);
  assert.deepEqual(
    [read.verdict, read.faces[0].verdict, read.tracks[0].verdict, ...read.tracks[0].points.map((/** @type {any} */ p) => p.verdict)],
    ["no_traces", "no_traces", "no_traces", "no_traces", "uncertain"],
  );
});

test("an entry with today's names stays what it is, and words that only look like a verdict stay too", () => {
  assert.deepEqual(upgradeEntry(ENTRY), ENTRY);
  assert.equal(upgradeEntry(OLD_ENTRY).source, "likely_real.jpg");
});

test("the history gives what an extension of before has written, however it is asked", async () => {
  globalThis.IDBKeyRange ??= /** @type {any} */ ({ bound: () => null });
  const expected = upgradeEntry(OLD_ENTRY);
  assert.deepEqual(await keep(OLD_ENTRY).get("x"), expected);
  assert.deepEqual(await keep(OLD_ENTRY).find(ENTRY.sha256, ENTRY.backend), expected);
  const words = { likely_fake: "f", no_traces: "No traces found", uncertain: "u", no_face: "n" };
  assert.deepEqual(await keep(OLD_ENTRY).list({ query: "no traces", words }), [expected]);
  assert.deepEqual(await keep({ ...OLD_ENTRY, source: "a.jpg" }).list({ query: "likely_real", words }), []);
  assert.equal(await keep(undefined).get("x"), undefined);
});
