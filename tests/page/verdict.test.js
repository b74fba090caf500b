import assert from "node:assert/strict";
import { test } from "node:test";

import { gatherFrame, nameBand } from "../../backend/chalicelib/page/verdict.js";
import { CLIP, THRESHOLDS } from "./verdicts.js";

test("a probability lies in the band that the thresholds give it, the edges being uncertain", () => {
  const table = [
    [0, "likely_real"],
    [0.2999, "likely_real"],
    [0.3, "uncertain"],
    [0.5, "uncertain"],
    [0.7, "uncertain"],
    [0.7001, "likely_fake"],
    [1, "likely_fake"],
  ];
  for (const [probability, band] of table)
    assert.equal(nameBand(Number(probability), THRESHOLDS), band, `${probability}`);
});

test("all faces that a frame shows are gathered, whichever their track", () => {
  const seen = (/** @type {number} */ frame) =>
    gatherFrame(CLIP.tracks ?? [], frame).map(({ track, index, face }) => [track, index, face.time]);
  assert.deepEqual(seen(2), [
    [0, 1, 64],
    [1, 0, 64],
  ]);
  assert.deepEqual(seen(0), [[0, 0, 3]]);
  assert.deepEqual(seen(1), []);
});
