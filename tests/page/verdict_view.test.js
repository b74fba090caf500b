import assert from "node:assert/strict";
import { test } from "node:test";

import { english } from "../../backend/chalicelib/page/strings.js";
import {
  EVIDENCE_LIMIT,
  fill,
  nameBand,
  paintEvidence,
  placeBox,
  wordEvidence,
  wordPercent,
  wordReason,
  wordVerdict,
  writeReport,
} from "../../backend/chalicelib/page/verdict_view.js";

const THRESHOLDS = { real_below: 0.3, fake_above: 0.7 };

/** @type {import("../../backend/chalicelib/page/verdict_view.js").Verdict} */
const VERDICT = {
  id: "c1",
  verdict: "likely_fake",
  fake_probability: 0.93,
  reasons: ["face_too_small", "solar_flare"],
  faces: [
    { box: [10.4, 20, 90, 91.6], fake_probability: 0.93, verdict: "likely_fake" },
    { box: [200, 30, 40, 40], fake_probability: null, verdict: "uncertain" },
  ],
  media: { sha256: "ab".repeat(32), width: 512, height: 256, format: "jpeg" },
  model: { name: "student", version: "2.1" },
  checked_at: "2025-03-04T05:06:07Z",
  cached: false,
};

/** @param {Uint8ClampedArray} pixels @param {number} index */
const pixelOf = (pixels, index) => [...pixels.slice(index * 4, index * 4 + 4)];

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

test("a percentage is whole, never 0 or 100, and never rounds into another band", () => {
  /** @type {[number, string][]} */
  const table = [
    [0.93, "93%"],
    [0.926, "93%"],
    [0, "under 1%"],
    [0.0099, "under 1%"],
    [0.01, "1%"],
    [0.99, "99%"],
    [0.9901, "over 99%"],
    [1, "over 99%"],
    [0.702, "70.2%"],
    [0.297, "29.7%"],
    [0.698, "70%"],
  ];
  for (const [probability, words] of table) {
    assert.equal(wordPercent(probability, english, { thresholds: THRESHOLDS }), words, `${probability}`);
  }
});

test("a percentage is spoken as a word", () => {
  assert.equal(wordPercent(0.93, english, { long: true }), "93 percent");
  assert.deepEqual(wordVerdict(VERDICT.faces[1], english, THRESHOLDS), {
    verdict: "Uncertain",
    percent: null,
  });
});

test("a box becomes percentages of the picture", () => {
  assert.deepEqual(placeBox([128, 64, 256, 32], { width: 512, height: 256 }), {
    left: "25%",
    top: "25%",
    width: "50%",
    height: "12.5%",
  });
  assert.deepEqual(placeBox([-51.2, 0, 512, 256], { width: 512, height: 256 }), {
    left: "-10%",
    top: "0%",
    width: "100%",
    height: "100%",
  });
});

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

test("an evidence map is put into words, and weak evidence is not", () => {
  const blank = () => Array.from({ length: 5 }, () => [0, 0, 0, 0, 0]);
  assert.equal(wordEvidence(blank(), english), "No area moved the score much.");
  const upperLeft = blank();
  upperLeft[0][1] = 5;
  assert.equal(wordEvidence(upperLeft, english), "Areas that raised the score: most at the upper left.");
  upperLeft[4][2] = -3;
  assert.equal(
    wordEvidence(upperLeft, english),
    "Areas that raised the score: most at the upper left. Areas that lowered the score: most at the bottom.",
  );
  assert.match(wordEvidence([[4]], english), /most at the middle/);
});

test("no sentence about the map speaks of proof", () => {
  assert.doesNotMatch(JSON.stringify(english.verdict.map), /proof|prove/i);
});

test("a reason is put into words, and an unknown one is shown as it is", () => {
  assert.match(wordReason("face_too_small", english), /very small/);
  for (const code of ["solar_flare", "constructor", "__proto__"])
    assert.equal(wordReason(code, english), code);
});

test("gaps without a value stay, and values are not gaps", () => {
  assert.equal(fill("{a} and {b}", { a: "{b}" }), "{b} and {b}");
});

test("a report stands on its own", () => {
  const report = writeReport({
    verdict: VERDICT,
    source: "a.jpg",
    strings: english,
    thresholds: THRESHOLDS,
    limits: ["Heavy compression hides traces."],
  });
  assert.equal(
    report,
    [
      "Unmask report",
      "Verdict: Likely fake",
      "Estimated probability that it is fake: 93%",
      "Bands: likely real below 30%, likely fake above 70%, uncertain in between",
      "Face 1 of 2 at x 10, y 20, 90 × 92 px: Likely fake, 93% fake",
      "Face 2 of 2 at x 200, y 30, 40 × 40 px: Uncertain",
      `Note: ${english.verdict.reasons.face_too_small}`,
      "Note: solar_flare",
      "File: a.jpg",
      "Picture: 512 × 256 px, JPEG",
      `SHA-256 of the file: ${"ab".repeat(32)}`,
      "Checked at: 2025-03-04T05:06:07Z",
      "Model: student 2.1",
      "Limits:",
      "- Heavy compression hides traces.",
      english.verdict.report.closing,
    ].join("\n"),
  );
});

test("a report without a face has no probability, and without thresholds no bands", () => {
  const bare = {
    ...VERDICT,
    verdict: /** @type {const} */ ("no_face"),
    fake_probability: null,
    faces: [],
    reasons: [],
  };
  const report = writeReport({ verdict: bare, source: "a.jpg", strings: english, thresholds: null });
  assert.doesNotMatch(report, /%|Bands|Limits|\{/);
  assert.match(report, /No face found/);
});
