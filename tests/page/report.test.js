import assert from "node:assert/strict";
import { test } from "node:test";

import { writeReport } from "../../backend/chalicelib/page/report.js";
import { english } from "../../backend/chalicelib/page/strings.js";
import { CLIP, THRESHOLDS, VERDICT } from "./verdicts.js";

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
      "Bands: no traces found below 30%, likely fake above 70%, uncertain in between",
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

test("a report that found no traces says what that is worth", () => {
  const low = { ...VERDICT, verdict: /** @type {const} */ ("no_traces"), fake_probability: 0.04 };
  const report = writeReport({ verdict: low, source: "a.jpg", strings: english, thresholds: THRESHOLDS });
  assert.ok(report.includes("Verdict: No traces found: nothing that this model knows. That does not make it genuine\n"));
  assert.doesNotMatch(report, /likely real/i);
});

test("a report about a video tells times and coverage instead of places", () => {
  const report = writeReport({ verdict: CLIP, source: "clip", strings: english, thresholds: THRESHOLDS });
  assert.ok(report.includes("Face 1 of 1, seen from 0:03 to 1:04: Likely fake, 93% fake"), report);
  assert.ok(
    report.includes("Video: 512 × 256 px, 12 frames. A face could be judged in 9 of 12 frames."),
    report,
  );
  assert.doesNotMatch(report, /Picture:|at x|\{/);
});
