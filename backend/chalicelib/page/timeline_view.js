/**
 * Draws how each face of a video scored over time: a line a face, a button a point.
 *
 * A part of the verdict's drawing, with the same style sheet and the same promise: nothing outside its root.
 */

import { SVG, drawIcon, make } from "./elements.js";
import { wordPoint, wordTime, wordTimeline } from "./words.js";

/** @typedef {import("./strings.js").Language} Language */
/** @typedef {import("./verdict.js").Place} Place */
/** @typedef {import("./verdict.js").Thresholds} Thresholds */
/** @typedef {import("./verdict.js").Track} Track */
/** @typedef {import("./verdict.js").VerdictName} VerdictName */
/** @typedef {import("./words.js").Timeline} Timeline */

// What a person may read off a clock, in seconds.
const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const MOST_TICKS = 4;
// Parts of the height that keep two numbers beside the chart apart.
const LABEL_GAP = 0.13;

let drawn = 0;

/**
 * Choose the times to write under the chart.
 * @param {number} start seconds
 * @param {number} end seconds
 * @returns {number[]} one to five, within both ends and round, unless these are too close for that
 */
export function chooseTicks(start, end) {
  const step = STEPS.find((seconds) => (end - start) / seconds <= MOST_TICKS) ?? (end - start) / MOST_TICKS;
  const first = Math.ceil(start / step);
  const count = Math.floor(end / step) - first + 1;
  return count > 0 ? Array.from({ length: count }, (_, tick) => (first + tick) * step) : [start];
}

/**
 * Find where a key leads.
 * @param {Track[]} tracks
 * @param {Place} from
 * @param {string} key
 * @returns {Place | null} null where the key means nothing here
 */
export function movePlace(tracks, { track, index }, key) {
  const last = tracks[track].points.length - 1;
  switch (key) {
    case "ArrowRight":
      return { track, index: Math.min(last, index + 1) };
    case "ArrowLeft":
      return { track, index: Math.max(0, index - 1) };
    case "Home":
      return { track, index: 0 };
    case "End":
      return { track, index: last };
    case "ArrowDown":
    case "ArrowUp": {
      const other = Math.max(0, Math.min(tracks.length - 1, track + (key === "ArrowDown" ? 1 : -1)));
      const { time } = tracks[track].points[index];
      const gaps = tracks[other].points.map((point) => Math.abs(point.time - time));
      return { track: other, index: gaps.indexOf(Math.min(...gaps)) };
    }
    default:
      return null;
  }
}

/**
 * Find the point that lies nearest.
 * @param {Place[]} places
 * @param {{x: number, y: number}[]} middles of these, px
 * @param {{x: number, y: number}} pointer px
 * @returns {Place}
 */
export function findNearest(places, middles, pointer) {
  const gaps = middles.map(({ x, y }) => Math.hypot(x - pointer.x, y - pointer.y));
  return places[gaps.indexOf(Math.min(...gaps))];
}

/**
 * Keep numbers apart that stand above one another.
 * @param {number[]} heights where each would best stand, 0 to 1
 * @param {number} gap the least distance of two
 * @returns {number[]} where each stands, in the order given
 */
export function spreadLabels(heights, gap) {
  const order = heights.map((_, index) => index).sort((a, b) => heights[a] - heights[b]);
  const spread = [...heights];
  order.forEach((index, rank) => {
    if (rank > 0) spread[index] = Math.max(spread[index], spread[order[rank - 1]] + gap);
  });
  const excess = Math.max(0, (spread[order[order.length - 1]] ?? 0) - 1);
  return spread.map((height) => height - excess);
}

/**
 * Draw the chart.
 * @param {Timeline} timeline
 * @param {(track: number, index: number) => void} onChoose told which point a person chose
 * @returns {{element: HTMLElement, mark: (track: number, index: number) => void}} `mark` shows a point as
 *   chosen
 */
export function drawTimeline(timeline, onChoose) {
  const { tracks, strings, thresholds } = timeline;
  const words = strings.verdict.timeline;
  const times = tracks.flatMap(({ points }) => points.map(({ time }) => time));
  const [start, end] = [Math.min(...times), Math.max(...times)];
  // A single moment stands in the middle.
  const across = (/** @type {number} */ time) => (end > start ? (time - start) / (end - start) : 0.5);

  const places = tracks.flatMap(({ points }, track) => points.map((_, index) => ({ track, index })));
  const buttons = places.map((place) => {
    const { time, fake_probability, verdict } = tracks[place.track].points[place.index];
    const button = make("button", {
      class: "unmask-point",
      type: "button",
      tabindex: "-1",
      "aria-label": wordPoint(place, timeline),
      "aria-pressed": "false",
      "data-verdict": verdict,
    });
    button.style.left = percent(across(time));
    button.style.bottom = percent(fake_probability);
    return button;
  });
  const head = make("span", { class: "unmask-head" });
  const plot = make("div", { class: "unmask-plot" }, [
    ...drawBands(thresholds),
    head,
    drawLines(tracks, across),
    ...buttons,
  ]);
  const summary = make("p", { class: "unmask-unseen", id: `unmask-timeline-${(drawn += 1)}` }, [
    wordTimeline(timeline),
  ]);
  // Time runs from left to right in players of every language, and so it does here; only words turn round.
  const chart = make(
    "div",
    {
      class: "unmask-chart",
      dir: "ltr",
      role: "group",
      "aria-label": words.chart,
      "aria-describedby": summary.id,
    },
    [drawGutter(thresholds), plot, ...drawNumbers(tracks), drawTicks(start, end, across, strings)],
  );

  const buttonOf = (/** @type {Place} */ { track, index }) =>
    buttons[places.findIndex((place) => place.track === track && place.index === index)];
  const mark = (/** @type {number} */ track, /** @type {number} */ index) => {
    const chosen = buttonOf({ track, index });
    for (const button of buttons) {
      const now = button === chosen;
      button.tabIndex = now ? 0 : -1;
      button.ariaPressed = String(now);
    }
    head.style.left = percent(across(tracks[track].points[index].time));
  };
  plot.addEventListener("click", (event) => {
    const pressed = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    const place = pressed >= 0 ? places[pressed] : findNearest(places, buttons.map(middleOf), event);
    onChoose(place.track, place.index);
  });
  plot.addEventListener("keydown", (event) => {
    const focused = places[buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target))];
    const next = focused && movePlace(tracks, focused, event.key);
    if (!next) return;
    event.preventDefault();
    onChoose(next.track, next.index);
    buttonOf(next).focus({ preventScroll: true });
  });
  const title = make("h4", {}, [words.title]);
  return { element: make("div", { class: "unmask-timeline" }, [title, chart, summary]), mark };
}

/** @param {number} part @returns {string} */
function percent(part) {
  return `${part * 100}%`;
}

/** @param {Element} element @returns {{x: number, y: number}} */
function middleOf(element) {
  const { x, y, width, height } = element.getBoundingClientRect();
  return { x: x + width / 2, y: y + height / 2 };
}

/**
 * @param {Thresholds} thresholds
 * @returns {[band: VerdictName, low: number, high: number][]} from bottom to top
 */
function listBands({ no_traces_below, fake_above }) {
  return [
    ["no_traces", 0, no_traces_below],
    ["uncertain", no_traces_below, fake_above],
    ["likely_fake", fake_above, 1],
  ];
}

/** @param {Thresholds | null} thresholds */
function drawBands(thresholds) {
  if (!thresholds) return [];
  return listBands(thresholds).map(([band, low, high]) => {
    const area = make("span", { class: "unmask-area", "data-verdict": band });
    area.style.bottom = percent(low);
    area.style.height = percent(high - low);
    return area;
  });
}

/**
 * The signs of the bands, beside them.
 * @param {Thresholds | null} thresholds
 * @returns {HTMLElement}
 */
function drawGutter(thresholds) {
  const bands = thresholds ? listBands(thresholds) : [];
  const middles = spreadLabels(
    bands.map(([, low, high]) => (low + high) / 2),
    LABEL_GAP,
  );
  const signs = bands.map(([band], index) => {
    const sign = make("span", { "data-verdict": band }, [drawIcon(band)]);
    sign.style.bottom = percent(middles[index]);
    return sign;
  });
  return make("div", { class: "unmask-gutter", "aria-hidden": "true" }, signs);
}

/**
 * @param {Track[]} tracks
 * @param {(time: number) => number} across
 * @returns {SVGSVGElement}
 */
function drawLines(tracks, across) {
  const lines = document.createElementNS(SVG, "svg");
  lines.setAttribute("class", "unmask-lines");
  lines.setAttribute("viewBox", "0 0 1 1");
  lines.setAttribute("preserveAspectRatio", "none");
  lines.setAttribute("aria-hidden", "true");
  tracks.forEach(({ points }, track) => {
    const line = document.createElementNS(SVG, "polyline");
    const corners = points.map(({ time, fake_probability }) => `${across(time)},${1 - fake_probability}`);
    line.setAttribute("points", corners.join(" "));
    line.dataset.track = String(track % 3);
    lines.append(line);
  });
  return lines;
}

/**
 * The faces' numbers, at the ends of their lines.
 * @param {Track[]} tracks
 * @returns {HTMLElement[]} none where there is one face only
 */
function drawNumbers(tracks) {
  if (tracks.length < 2) return [];
  const heights = spreadLabels(
    tracks.map(({ points }) => points[points.length - 1].fake_probability),
    LABEL_GAP,
  );
  const numbers = heights.map((height, track) => {
    const number = make("span", {}, [String(track + 1)]);
    number.style.bottom = percent(height);
    return number;
  });
  return [make("div", { class: "unmask-numbers", "aria-hidden": "true" }, numbers)];
}

/**
 * @param {number} start
 * @param {number} end
 * @param {(time: number) => number} across
 * @param {Language} strings
 * @returns {HTMLElement}
 */
function drawTicks(start, end, across, strings) {
  const times = chooseTicks(start, end);
  const digits = times.some((time) => !Number.isInteger(time)) ? 1 : 0;
  const ticks = times.map((time) => {
    const tick = make("span", {}, [wordTime(time, strings, digits)]);
    tick.style.left = percent(across(time));
    return tick;
  });
  return make("div", { class: "unmask-ticks", "aria-hidden": "true" }, ticks);
}
