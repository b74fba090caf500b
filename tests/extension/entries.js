/** An entry of the history for tests to change. */

const SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/** @type {import("../../extension/common/history.js").Entry} */
export const ENTRY = {
  id: "0123456789abcdef0123456789abcdef",
  sha256: SHA256,
  backend: "https://unmask.example",
  time: "2025-03-04T05:06:07.000Z",
  page: { url: "https://news.example/story?id=1", title: "The Evening News" },
  source: "original 1440 × 1800",
  thumbnail: null,
  bytes: 52_345,
  verdict: {
    id: "0123456789abcdef0123456789abcdef",
    verdict: "likely_fake",
    fake_probability: 0.97,
    reasons: ["face_too_small"],
    faces: [{ box: [1, 2, 3, 4], fake_probability: 0.97, verdict: "likely_fake" }],
    media: { sha256: SHA256, width: 1440, height: 1800, format: "jpeg" },
    model: { name: "unmask-student", version: "student-7" },
    checked_at: "2025-03-04T05:06:07Z",
    cached: false,
  },
};
