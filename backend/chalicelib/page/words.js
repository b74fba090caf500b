/** Puts a verdict, its figures and its evidence into words. */

import { EVIDENCE_LIMIT } from "./evidence.js";
import { nameBand } from "./verdict.js";

/** @typedef {import("./strings.js").Language} Language */
/** @typedef {import("./verdict.js").Media} Media */
/** @typedef {import("./verdict.js").Place} Place */
/** @typedef {import("./verdict.js").Thresholds} Thresholds */
/** @typedef {import("./verdict.js").Track} Track */
/** @typedef {import("./verdict.js").Verdict} Verdict */
/** @typedef {import("./verdict.js").VerdictName} VerdictName */

/**
 * What the words of a timeline are made from.
 * @typedef {object} Timeline
 * @property {Track[]} tracks at least one
 * @property {Language} strings
 * @property {Thresholds | null} thresholds
 */

// A cell weaker than this part of the limit is not named in words.
const NOTABLE = 0.1;

/**
 * Close the gaps of a sentence.
 * @param {string} sentence "{name}" marks a gap
 * @param {Record<string, string | number>} values
 * @returns {string} a gap without a value stays as it is
 */
export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (gap, name) => String(values[name] ?? gap));
}

/**
 * Put a probability into words. Never 0 or 100 percent: no model is that sure. A digit more is shown
 * where whole percents would land in another band than the probability itself.
 * @param {number} probability 0 to 1
 * @param {Language} strings
 * @param {{thresholds?: Thresholds | null, long?: boolean}} [options] long: "93 percent", for speech
 * @returns {string}
 */
export function wordPercent(probability, strings, { thresholds, long = false } = {}) {
  const crosses =
    thresholds &&
    nameBand(Math.round(probability * 100) / 100, thresholds) !== nameBand(probability, thresholds);
  const format = new Intl.NumberFormat(strings.locale, {
    style: "unit",
    unit: "percent",
    unitDisplay: long ? "long" : "short",
    maximumFractionDigits: crosses ? 1 : 0,
  });
  if (probability < 0.01) return fill(strings.verdict.under, { percent: format.format(1) });
  if (probability > 0.99) return fill(strings.verdict.over, { percent: format.format(99) });
  return format.format(probability * 100);
}

/**
 * Word a face's figure. A bare "4%" beside "no traces found" would read as a promise.
 * @param {number} probability
 * @param {VerdictName} verdict of that face
 * @param {Language} strings
 * @param {Thresholds | null} thresholds
 * @returns {string}
 */
export function wordShare(probability, verdict, strings, thresholds) {
  const { share, shareWithoutTraces } = strings.verdict;
  return fill(verdict === "no_traces" ? shareWithoutTraces : share, { percent: wordPercent(probability, strings, { thresholds }) });
}

/**
 * Say a verdict aloud in one line.
 * @param {{verdict: VerdictName, fake_probability: number | null}} judged a picture or a face
 * @param {Language} strings
 * @param {Thresholds | null} thresholds
 * @returns {{verdict: string, percent: string | null}}
 */
export function wordVerdict(judged, strings, thresholds) {
  const probability = judged.fake_probability;
  return {
    verdict: wordAlone(judged.verdict, strings),
    percent: probability === null ? null : wordPercent(probability, strings, { thresholds, long: true }),
  };
}

/**
 * Word a verdict that stands alone: "No traces found" never goes without what that is worth.
 * @param {VerdictName} verdict
 * @param {Language} strings
 * @returns {string} without a full stop at its end
 */
export function wordAlone(verdict, strings) {
  return verdict === "no_traces" ? strings.verdict.noTraces : strings.verdict.words[verdict];
}

/**
 * Put the edges of the bands into words.
 * @param {Thresholds} thresholds
 * @param {Language} strings
 * @returns {{low: string, fake: string}}
 */
export function wordBands({ no_traces_below, fake_above }, strings) {
  const format = new Intl.NumberFormat(strings.locale, {
    style: "unit",
    unit: "percent",
    maximumFractionDigits: 1,
  });
  return { low: format.format(no_traces_below * 100), fake: format.format(fake_above * 100) };
}

/**
 * Put a reason's code into words.
 * @param {string} code
 * @param {Language} strings
 * @returns {string} the code itself where there are no words for it
 */
export function wordReason(code, strings) {
  const reasons = /** @type {Record<string, string>} */ (strings.verdict.reasons);
  return Object.hasOwn(reasons, code) ? reasons[code] : code;
}

/**
 * Say in words what an evidence map shows, for those who do not see it.
 * @param {number[][]} grid
 * @param {Language} strings
 * @returns {string} one or two sentences
 */
export function wordEvidence(grid, strings) {
  const { map } = strings.verdict;
  const cells = grid.flatMap((row, y) =>
    row.map((value, x) => ({ value, x: x / row.length, y: y / grid.length, row })),
  );
  const areaOf = (/** @type {typeof cells[number]} */ cell) => {
    const zone = (/** @type {number} */ start, /** @type {number} */ count) =>
      Math.min(2, Math.floor((start + 0.5 / count) * 3));
    return map.areas[zone(cell.y, grid.length)][zone(cell.x, cell.row.length)];
  };
  const highest = cells.reduce((a, b) => (b.value > a.value ? b : a));
  const lowest = cells.reduce((a, b) => (b.value < a.value ? b : a));
  const sentences = [];
  if (highest.value >= EVIDENCE_LIMIT * NOTABLE)
    sentences.push(fill(map.raisedAt, { area: areaOf(highest) }));
  if (lowest.value <= -EVIDENCE_LIMIT * NOTABLE)
    sentences.push(fill(map.loweredAt, { area: areaOf(lowest) }));
  return sentences.join(" ") || map.flat;
}

/**
 * Put the size and format of a file into words.
 * @param {Media} media
 * @returns {{width: number, height: number, format: string, frames: number}}
 */
export function wordMedia({ width, height, format, frames = 1 }) {
  return { width, height, format: format.toUpperCase(), frames };
}

/**
 * Say how much of a video a verdict rests on.
 * @param {Verdict} verdict
 * @param {Language} strings
 * @returns {string} empty for a picture
 */
export function wordCoverage({ coverage }, strings) {
  return coverage ? fill(strings.verdict.timeline.coverage, coverage) : "";
}

/**
 * Put a moment into words.
 * @param {string} iso
 * @param {Pick<Language, "locale">} strings
 * @param {Intl.DateTimeFormatOptions} format
 * @returns {string} as it is where it is no time
 */
export function wordDate(iso, strings, format) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : new Intl.DateTimeFormat(strings.locale, format).format(date);
}

/**
 * Put a time into words, as players do: "0:03", "1:02:03".
 * @param {number} seconds
 * @param {Language} strings
 * @param {number} [digits] of a second
 * @returns {string}
 */
export function wordTime(seconds, { locale }, digits = 0) {
  const unit = 10 ** digits;
  const rest = Math.floor(seconds * unit) / unit;
  const whole = new Intl.NumberFormat(locale, { useGrouping: false });
  const two = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2 });
  const last = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, minimumFractionDigits: digits });
  const hours = Math.floor(rest / 3600);
  const minutes = Math.floor(rest / 60) % 60;
  const parts = hours > 0 ? [whole.format(hours), two.format(minutes)] : [whole.format(minutes)];
  return [...parts, last.format(Math.round((rest % 60) * unit) / unit)].join(":");
}

/**
 * Say from when to when a face was seen.
 * @param {Track} track
 * @param {Language} strings
 * @returns {{start: string, end: string}}
 */
export function wordSpan({ points }, strings) {
  return {
    start: wordTime(points[0].time, strings),
    end: wordTime(points[points.length - 1].time, strings),
  };
}

/**
 * Say how many digits of a second tell the points of some tracks apart.
 * @param {Track[]} tracks
 * @returns {number} 0 or 1
 */
export function countDigits(tracks) {
  const close = tracks.some(({ points }) =>
    points.some((point, index) => index > 0 && point.time - points[index - 1].time < 1),
  );
  return close ? 1 : 0;
}

/**
 * Say what one point shows.
 * @param {Place} place
 * @param {Timeline} timeline
 * @returns {string}
 */
export function wordPoint({ track, index }, { tracks, strings, thresholds }) {
  const point = tracks[track].points[index];
  return fill(strings.verdict.timeline.point, {
    time: wordTime(point.time, strings, countDigits(tracks)),
    number: track + 1,
    share: wordShare(point.fake_probability, point.verdict, strings, thresholds),
    verdict: strings.verdict.words[point.verdict],
  });
}

/**
 * Say what the whole chart shows, for those who do not see it.
 * @param {Timeline} timeline
 * @returns {string} a few sentences for each track
 */
export function wordTimeline({ tracks, strings, thresholds }) {
  const digits = countDigits(tracks);
  const sentences = tracks.map(({ points, best, worst }, track) => {
    const time = (/** @type {number} */ index) => wordTime(points[index].time, strings, digits);
    const share = (/** @type {number} */ index) =>
      wordPercent(points[index].fake_probability, strings, { thresholds, long: true });
    return fill(strings.verdict.timeline.summary, {
      number: track + 1,
      start: time(0),
      end: time(points.length - 1),
      low: share(best),
      lowTime: time(best),
      high: share(worst),
      highTime: time(worst),
    });
  });
  return sentences.join(" ");
}
