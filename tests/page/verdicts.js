/** Verdicts, and faces followed through a video, for tests to share and change. */

export const THRESHOLDS = { no_traces_below: 0.3, fake_above: 0.7 };

/** @type {import("../../backend/chalicelib/page/verdict.js").Verdict} */
export const VERDICT = {
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

/**
 * @param {number} frame
 * @param {number} time
 * @returns {import("../../backend/chalicelib/page/verdict.js").Point}
 */
const pointOf = (frame, time) => ({
  frame,
  time,
  box: [frame, 0, 10, 10],
  fake_probability: 0.5,
  verdict: "uncertain",
});

/** @type {import("../../backend/chalicelib/page/verdict.js").Verdict} */
export const CLIP = {
  ...VERDICT,
  reasons: [],
  faces: [VERDICT.faces[0]],
  tracks: [
    {
      fake_probability: 0.93,
      verdict: "likely_fake",
      reasons: [],
      worst: 0,
      best: 1,
      points: [pointOf(0, 3), pointOf(2, 64)],
    },
    {
      fake_probability: 0.1,
      verdict: "no_traces",
      reasons: [],
      worst: 0,
      best: 0,
      points: [pointOf(2, 64)],
    },
  ],
  coverage: { frames: 12, usable: 9 },
  media: { ...VERDICT.media, kind: "video", format: "frames", frames: 12 },
};

/**
 * @param {[time: number, probability: number][]} seen
 * @returns {import("../../backend/chalicelib/page/verdict.js").Track}
 */
export function track(seen) {
  const figures = seen.map(([, probability]) => probability);
  return {
    fake_probability: Math.max(...figures),
    verdict: "likely_fake",
    reasons: [],
    worst: figures.indexOf(Math.max(...figures)),
    best: figures.indexOf(Math.min(...figures)),
    points: seen.map(([time, fake_probability], frame) => ({
      frame,
      time,
      box: [0, 0, 10, 10],
      fake_probability,
      verdict: fake_probability > 0.7 ? "likely_fake" : "uncertain",
    })),
  };
}

export const LONG = track([
  [1, 0.4],
  [2, 0.87],
  [3, 0.5],
  [7, 0.6],
]);
export const SHORT = track([
  [2.4, 0.1],
  [6, 0.2],
]);

/** @param {object} changes @returns {import("../../backend/chalicelib/page/verdict.js").Signal} */
const signal = (changes) => ({
  found: "camera",
  where: "exif",
  field: "Make, Model",
  value: "Canon EOS R5",
  declares: "camera",
  strength: "declared",
  ...changes,
});

export const SIGNALS = {
  camera: signal({}),
  editor: signal({ found: "editor", field: "Software", value: "GIMP", declares: "edited", strength: "trace" }),
  machine: signal({
    found: "generator_settings",
    where: "png",
    field: "parameters",
    value: "a portrait",
    declares: "machine_made",
    strength: "trace",
  }),
  manifest: signal({
    found: "manifest",
    where: "c2pa",
    field: "manifest",
    value: "",
    declares: null,
    strength: "signed",
  }),
};

/** @type {import("../../backend/chalicelib/page/verdict.js").Credentials} */
export const CREDENTIALS = {
  state: "valid",
  signer: "Test Newsroom",
  time: null,
  tool: "Test Camera 1.0",
  actions: [{ action: "created", source: "digitalCapture", tool: null }],
  ingredients: [],
  declares: "camera",
  host: null,
};
