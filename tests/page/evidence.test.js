import assert from "node:assert/strict";
import { test } from "node:test";

import { EVIDENCE_LIMIT, paintEvidence } from "../../backend/chalicelib/page/evidence.js";

/** @param {Uint8ClampedArray} pixels @param {number} index */
const pixelOf = (pixels, index) => [...pixels.slice(index * 4, index * 4 + 4)];

test("an evidence map is orange where the score was raised and blue where it was lowered", () => {
  const pixels = paintEvidence([[EVIDENCE_LIMIT, 0, -EVIDENCE_LIMIT]], 3, 1);
  const [raised, neutral, lowered] = [0, 1, 2].map((index) => pixelOf(pixels, index));
  assert.ok(raised[0] > raised[2] && raised[3] > 120, `${raised}`);
  assert.equal(neutral[3], 0);
  assert.ok(lowered[2] > lowered[0] && lowered[3] === raised[3], `${lowered}`);
});

test("an evidence map is enlarged bilinearly between the middles of its cells", () => {
  const opacity = (/** @type {number} */ index) => pixelOf(paintEvidence([[0, 4]], 8, 1, 4), index)[3];
  const full = opacity(7);
  assert.deepEqual([opacity(0), opacity(1), opacity(6)], [0, 0, full]);
  for (const [index, part] of [
    [2, 0.125],
    [3, 0.375],
    [4, 0.625],
    [5, 0.875],
  ]) {
    assert.ok(Math.abs(opacity(index) - part * full) <= 1, `pixel ${index}: ${opacity(index)}`);
  }
});

test("an evidence map keeps rows and columns apart", () => {
  const pixels = paintEvidence(
    [
      [4, 0],
      [0, 0],
      [0, 0],
    ],
    2,
    3,
  );
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((index) => pixelOf(pixels, index)[3] > 0),
    [true, false, false, false, false, false],
  );
});

test("the colour scale is the same for every picture: weak evidence stays pale, strong evidence saturates", () => {
  const opacity = (/** @type {number} */ logit) => pixelOf(paintEvidence([[logit]], 1, 1), 0)[3];
  assert.ok(opacity(EVIDENCE_LIMIT / 10) < opacity(EVIDENCE_LIMIT) / 9);
  assert.equal(opacity(EVIDENCE_LIMIT * 50), opacity(EVIDENCE_LIMIT));
});
