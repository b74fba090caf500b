import assert from "node:assert/strict";
import { test } from "node:test";

import { english } from "../../backend/chalicelib/page/strings.js";
import {
  countDigits,
  fill,
  wordCoverage,
  wordEvidence,
  wordPercent,
  wordPoint,
  wordReason,
  wordShare,
  wordTime,
  wordTimeline,
  wordVerdict,
} from "../../backend/chalicelib/page/words.js";
import { CLIP, LONG, SHORT, THRESHOLDS, VERDICT, track } from "./verdicts.js";

test("gaps without a value stay, and values are not gaps", () => {
  assert.equal(fill("{a} and {b}", { a: "{b}" }), "{b} and {b}");
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

test("no traces found is never said alone, nor beside a bare share of fake", () => {
  const low = /** @type {const} */ ({ verdict: "no_traces", fake_probability: 0.04 });
  assert.deepEqual(wordVerdict(low, english, THRESHOLDS), {
    verdict: "No traces found: nothing that this model knows. That does not make it genuine",
    percent: "4 percent",
  });
  assert.equal(wordShare(0.04, "no_traces", english, THRESHOLDS), "4%, no proof");
  assert.equal(wordShare(0.5, "uncertain", english, THRESHOLDS), "50% fake");
  for (const meanings of [english.verdict.meanings, english.verdict.meaningsOfVideo])
    assert.match(meanings.no_traces, /does not make it genuine/);
});

test("a reason is put into words, and an unknown one is shown as it is", () => {
  assert.match(wordReason("face_too_small", english), /very small/);
  for (const code of ["solar_flare", "constructor", "__proto__"])
    assert.equal(wordReason(code, english), code);
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

test("how much of a video a verdict rests on is said, and nothing of the kind for a picture", () => {
  assert.equal(wordCoverage(CLIP, english), "A face could be judged in 9 of 12 frames.");
  assert.equal(wordCoverage(VERDICT, english), "");
});

test("a time is worded as players do", () => {
  /** @type {[number, number, string][]} */
  const table = [
    [0, 0, "0:00"],
    [3.9, 0, "0:03"],
    [3.99, 1, "0:03.9"],
    [59.99, 0, "0:59"],
    [60, 1, "1:00.0"],
    [754, 0, "12:34"],
    [3661, 0, "1:01:01"],
    [36000, 0, "10:00:00"],
    [0.3, 1, "0:00.3"],
  ];
  for (const [seconds, digits, words] of table) assert.equal(wordTime(seconds, english, digits), words);
  assert.equal(wordTime(63, { ...english, locale: "ar-EG" }), "١:٠٣");
});

test("tenths of a second are told only where whole ones would be ambiguous", () => {
  assert.equal(countDigits([LONG, SHORT]), 0);
  const close = track([
    [1, 0.5],
    [1.5, 0.5],
  ]);
  assert.equal(countDigits([LONG, close]), 1);
});

test("a point is put into words", () => {
  const words = wordPoint(
    { track: 0, index: 1 },
    { tracks: [LONG], strings: english, thresholds: THRESHOLDS },
  );
  assert.equal(words, "0:02, face 1, 87% fake, Likely fake");
});

test("the whole chart is put into words, a face after the other", () => {
  const words = wordTimeline({ tracks: [LONG, SHORT], strings: english, thresholds: THRESHOLDS });
  assert.equal(
    words,
    "Face 1: seen from 0:01 to 0:07. Lowest 40 percent fake at 0:01, highest 87 percent fake at 0:02. " +
      "Face 2: seen from 0:02 to 0:06. Lowest 10 percent fake at 0:02, highest 20 percent fake at 0:06.",
  );
});
