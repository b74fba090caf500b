/** A verdict written down, to be kept or passed on. */

import { writeDeclared } from "./declared.js";
import { fill, wordAlone, wordBands, wordCoverage, wordMedia, wordPercent, wordReason, wordShare, wordSpan } from "./words.js";

/** @typedef {import("./strings.js").Language} Language */
/** @typedef {import("./verdict.js").Thresholds} Thresholds */
/** @typedef {import("./verdict.js").Verdict} Verdict */

/**
 * Write a verdict down as plain text that stands on its own.
 * @param {object} options
 * @param {Verdict} options.verdict
 * @param {string} options.source what was checked, in words
 * @param {Language} options.strings
 * @param {Thresholds | null} options.thresholds null where they could not be loaded
 * @param {string[]} [options.limits] what the model cannot see
 * @param {import("./verdict.js").Credentials | null} [options.credentials] read from the picture in this browser
 * @returns {string} lines, without a newline at the end
 */
export function writeReport({ verdict, source, strings, thresholds, limits = [], credentials }) {
  const { report, words } = strings.verdict;
  const percent = (/** @type {number} */ p) => wordPercent(p, strings, { thresholds });
  const { media, model, faces } = verdict;
  const lines = [report.title, fill(report.verdict, { verdict: wordAlone(verdict.verdict, strings) })];
  if (verdict.fake_probability !== null) {
    lines.push(fill(report.probability, { percent: percent(verdict.fake_probability) }));
  }
  if (thresholds) lines.push(fill(report.bands, wordBands(thresholds, strings)));
  faces.forEach((face, index) => {
    const track = verdict.tracks?.[index];
    const [x, y, width, height] = face.box.map(Math.round);
    const values = {
      number: index + 1,
      count: faces.length,
      x,
      y,
      width,
      height,
      verdict: words[face.verdict],
    };
    if (face.fake_probability === null) {
      lines.push(fill(report.faceWithout, values));
      return;
    }
    const figures = { ...values, share: wordShare(face.fake_probability, face.verdict, strings, thresholds) };
    lines.push(
      track ? fill(report.track, { ...figures, ...wordSpan(track, strings) }) : fill(report.face, figures),
    );
  });
  lines.push(
    ...verdict.reasons.map((code) => fill(report.note, { note: wordReason(code, strings) })),
    fill(report.file, { source }),
    media.kind === "video"
      ? fill(report.video, { ...wordMedia(media), coverage: wordCoverage(verdict, strings) })
      : fill(report.media, wordMedia(media)),
    fill(report.sha256, { sha256: media.sha256 }),
    fill(report.checkedAt, { time: verdict.checked_at }),
    fill(report.model, model),
  );
  lines.push(...writeDeclared({ verdict, credentials }, strings));
  if (limits.length > 0) lines.push(report.limits, ...limits.map((limit) => `- ${limit}`));
  return [...lines, report.closing].join("\n");
}
