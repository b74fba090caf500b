/**
 * Where a picture's pixels lie: boxes and nothing else. Pure; lengths are CSS px.
 *
 * A box is drawn by CSS in three steps: the element's frame gives an area, a fit gives the picture's place
 * in it, and the transforms around it carry both to the screen. Each answer is null where the picture is
 * not one upright rectangle, since a wrong place for a face is worse than none.
 */

/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{width: number, height: number}} Size */
/** @typedef {[top: number, right: number, bottom: number, left: number]} Sides */

/**
 * How one layer of a background is laid, in the words of the computed style.
 * @typedef {object} Layer
 * @property {string} size
 * @property {string} position
 * @property {string} repeat
 * @property {string} origin
 * @property {string} attachment
 */

/** @typedef {{border: Box, padding: Box, content: Box}} Frame the boxes of one element */

// What rounding to device pixels may shift, CSS px.
const ROUNDING = 1;

/**
 * @param {Box} a
 * @param {Box} b
 * @returns {Box | null} null where nothing is common
 */
export function intersect(a, b) {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : null;
}

/** @param {Box} box @param {number} by on each side @returns {Box} */
export function grow({ x, y, width, height }, by) {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}

/** @param {Box} box @param {{x: number, y: number}} by @returns {Box} */
export function shift(box, by) {
  return { ...box, x: box.x + by.x, y: box.y + by.y };
}

/** @param {Box | null} box @returns {number} CSS px², 0 for no box */
export function areaOf(box) {
  return box ? box.width * box.height : 0;
}

/** @param {Box} a @param {Box} b @returns {number} 0 where they touch */
export function distanceOf(a, b) {
  const across = Math.max(0, b.x - a.x - a.width, a.x - b.x - b.width);
  const down = Math.max(0, b.y - a.y - a.height, a.y - b.y - b.height);
  return Math.hypot(across, down);
}

/** @param {Box} box @param {Sides} sides @returns {Box} */
export function inset({ x, y, width, height }, [top, right, bottom, left]) {
  return {
    x: x + left,
    y: y + top,
    width: Math.max(0, width - left - right),
    height: Math.max(0, height - top - bottom),
  };
}

/**
 * Tell whether a transform leaves upright what is upright: it moves and scales, but does not turn, skew,
 * mirror or tilt.
 * @param {{transform: string, rotate: string, scale: string}} style computed
 * @returns {boolean}
 */
export function keepsUpright({ transform, rotate, scale }) {
  if (rotate && rotate !== "none" && !/^0(deg)?$/.test(rotate)) return false;
  if (scale && scale.includes("-")) return false;
  if (!transform || transform === "none") return true;
  const matrix = /^matrix\((.+)\)$/.exec(transform);
  if (!matrix) return false;
  const [a, b, c, d] = matrix[1].split(",").map(Number);
  return a > 0 && d > 0 && Math.abs(b) < 1e-4 && Math.abs(c) < 1e-4;
}

/**
 * Carry a box from an element's own measures to where the element is on the screen.
 * @param {Box} box the element's border box begins at 0, 0
 * @param {Size} own of the border box, before transforms
 * @param {Box} shown of the border box, after transforms that keep upright
 * @returns {Box | null} null where the element has no size
 */
export function project(box, own, shown) {
  if (!(own.width > 0 && own.height > 0)) return null;
  const across = shown.width / own.width;
  const down = shown.height / own.height;
  return {
    x: shown.x + box.x * across,
    y: shown.y + box.y * down,
    width: box.width * across,
    height: box.height * down,
  };
}

/**
 * Place a picture in the content box of an img, video or canvas.
 * @param {Box} area content box
 * @param {Size | null} natural null where it is not known
 * @param {string} fit computed object-fit
 * @param {string} position computed object-position
 * @returns {Box | null}
 */
export function fitObject(area, natural, fit, position) {
  if (fit === "fill") return area;
  if (!natural || !(natural.width > 0 && natural.height > 0)) return null;
  const across = area.width / natural.width;
  const down = area.height / natural.height;
  /** @type {Record<string, number>} */
  const scales = {
    contain: Math.min(across, down),
    cover: Math.max(across, down),
    none: 1,
    "scale-down": Math.min(across, down, 1),
  };
  if (!Object.hasOwn(scales, fit)) return null;
  return placeIn(area, { width: natural.width * scales[fit], height: natural.height * scales[fit] }, position);
}

/**
 * Place the picture of a background layer. One tile must fill the element wherever the layer repeats.
 * @param {Frame} frame
 * @param {Size | null} natural null where it is not known
 * @param {Layer} layer
 * @returns {Box | null}
 */
export function fitBackground(frame, natural, { size, position, repeat, origin, attachment }) {
  if (attachment === "fixed" || attachment === "local") return null;
  const area = { "border-box": frame.border, "content-box": frame.content }[origin] ?? frame.padding;
  const measured = sizeBackground(area, natural, size);
  const tile = measured && placeIn(area, measured, position);
  if (!tile) return null;
  const [across, down = across] = repeat
    .replace("repeat-x", "repeat no-repeat")
    .replace("repeat-y", "no-repeat repeat")
    .split(" ");
  // Under the border a second tile may begin; there it does not matter.
  const { padding } = frame;
  const whole =
    (across === "no-repeat" || spans(tile.x, tile.width, padding.x, padding.width)) &&
    (down === "no-repeat" || spans(tile.y, tile.height, padding.y, padding.height));
  return whole && ![across, down].includes("round") ? tile : null;
}

/**
 * @param {number} start
 * @param {number} length
 * @param {number} from
 * @param {number} reach
 */
function spans(start, length, from, reach) {
  return start <= from + ROUNDING && start + length >= from + reach - ROUNDING;
}

/**
 * @param {Box} area
 * @param {Size | null} natural
 * @param {string} size computed background-size
 * @returns {Size | null}
 */
function sizeBackground(area, natural, size) {
  const ratio = natural && natural.width > 0 && natural.height > 0 ? natural.width / natural.height : null;
  if (size === "cover" || size === "contain") {
    if (ratio === null) return null;
    const wide = area.width / area.height > ratio;
    return wide === (size === "cover")
      ? { width: area.width, height: area.width / ratio }
      : { width: area.height * ratio, height: area.height };
  }
  const [first, second = "auto"] = size.split(" ");
  const width = readLength(first, area.width);
  const height = readLength(second, area.height);
  if (width !== null && height !== null) return { width, height };
  if (ratio === null || (width === null && first !== "auto") || (height === null && second !== "auto")) {
    return null;
  }
  if (width !== null) return { width, height: width / ratio };
  return height === null ? natural : { width: height * ratio, height };
}

/**
 * Place the picture of an svg <image> in its viewport.
 * @param {Box} area
 * @param {Size | null} natural null where it is not known
 * @param {string} rule preserveAspectRatio, as the attribute has it
 * @returns {Box | null}
 */
export function fitSvg(area, natural, rule) {
  const words = rule.trim().replace(/^defer\s+/, "");
  if (words.startsWith("none")) return area;
  const match = /^x(Min|Mid|Max)Y(Min|Mid|Max)(?:\s+(meet|slice))?$/.exec(words || "xMidYMid meet");
  if (!match || !natural) return null;
  const [, across, down, how = "meet"] = match;
  const percent = (/** @type {string} */ word) => ({ Min: "0%", Mid: "50%", Max: "100%" })[word];
  const position = `${percent(across)} ${percent(down)}`;
  return fitObject(area, natural, how === "slice" ? "cover" : "contain", position);
}

/**
 * @param {Box} area
 * @param {Size} size
 * @param {string} position computed: two of "50%", "10px" or "calc(100% - 10px)"
 * @returns {Box | null}
 */
function placeIn(area, { width, height }, position) {
  const parts = position.match(/calc\([^)]*\)|\S+/g) ?? [];
  const left = readLength(parts[0] ?? "", area.width - width, KEYWORDS);
  const top = readLength(parts[1] ?? "50%", area.height - height, KEYWORDS);
  if (parts.length > 2 || left === null || top === null) return null;
  return { x: area.x + left, y: area.y + top, width, height };
}

/** @type {Record<string, string>} */
const KEYWORDS = { left: "0%", top: "0%", center: "50%", right: "100%", bottom: "100%" };

/**
 * @param {string} text
 * @param {number} whole what a percentage is of
 * @param {Record<string, string>} [keywords]
 * @returns {number | null} px; null for anything but a length, a percentage, or the sum of the two
 */
function readLength(text, whole, keywords = {}) {
  const number = "(-?[\\d.]+(?:e-?\\d+)?)";
  const word = keywords[text] ?? text;
  const plain = new RegExp(`^${number}(px|%)$`).exec(word);
  if (plain) return plain[2] === "%" ? (Number(plain[1]) / 100) * whole : Number(plain[1]);
  const sum = new RegExp(`^calc\\(${number}% ([+-]) ${number}px\\)$`).exec(word);
  if (!sum) return null;
  return (Number(sum[1]) / 100) * whole + (sum[2] === "-" ? -1 : 1) * Number(sum[3]);
}
