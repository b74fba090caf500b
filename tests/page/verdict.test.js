import assert from "node:assert/strict";
import { test } from "node:test";

import { gatherFrame, nameBand, pickThresholds } from "../../backend/chalicelib/page/verdict.js";
import { CLIP, THRESHOLDS, VERDICT } from "./verdicts.js";

test("a probability lies in the band that the thresholds give it, the edges being uncertain", () => {
  const table = [
    [0, "no_traces"],
    [0.2999, "no_traces"],
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

test("a picture, a video and an animation have bands of their own", () => {
  const model = {
    thresholds: THRESHOLDS,
    frame_thresholds: { no_traces_below: 0.2, fake_above: 0.8 },
    video_thresholds: { no_traces_below: 0.25, fake_above: 0.75 },
  };
  const pick = (/** @type {any} */ facts, /** @type {object} */ media) =>
    pickThresholds(facts, { ...VERDICT, media: { ...VERDICT.media, ...media } });
  assert.deepEqual(pick(model, { kind: "image", frames: 1 }), THRESHOLDS);
  assert.deepEqual(pick(model, { kind: "image", frames: 12 }), model.frame_thresholds);
  assert.deepEqual(pick(model, { kind: "video", frames: 12 }), {
    ...model.video_thresholds,
    frame: model.frame_thresholds,
  });
});

test("where a service tells only one pair of thresholds, it holds for all; where it tells none, there is none", () => {
  const older = /** @type {any} */ ({ thresholds: THRESHOLDS });
  assert.deepEqual(pickThresholds(older, CLIP), { ...THRESHOLDS, frame: THRESHOLDS });
  assert.equal(pickThresholds(null, CLIP), null);
});
