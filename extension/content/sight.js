/**
 * What of an element is seen, and where. All boxes are CSS px in the viewport of the frame that this script
 * runs in, also for elements of frames within it.
 */

import { areaOf, inset, intersect, keepsUpright, shift } from "./boxes.js";
import { climb, holds, parentOf, stackAt } from "./roots.js";

/** @typedef {import("./boxes.js").Box} Box */
/** @typedef {import("./boxes.js").Sides} Sides */

const EDGES = /** @type {const} */ (["Top", "Right", "Bottom", "Left"]);
// Wider than any page, for a direction in which nothing is cut off.
const ENDLESS = 1e7;
// A cover that is so nearly as large as the picture was laid over just that picture: a veil, not a dialog.
const VEIL = 0.7;
// One that hides no more of it belongs to it as well: a button, a caption.
const CONTROL = 0.25;

/** @param {Element} element @returns {boolean} whether it is drawn at all, wherever that is */
export function isShown(element) {
  return element.checkVisibility({
    opacityProperty: true,
    visibilityProperty: true,
    contentVisibilityAuto: true,
  });
}

/**
 * @param {CSSStyleDeclaration} style computed
 * @returns {{border: Sides, padding: Sides}} px, before transforms
 */
export function readEdges(style) {
  const read = (/** @type {string[]} */ names) =>
    /** @type {Sides} */ (names.map((name) => parseFloat(style.getPropertyValue(name)) || 0));
  return {
    border: read(EDGES.map((edge) => `border-${edge.toLowerCase()}-width`)),
    padding: read(EDGES.map((edge) => `padding-${edge.toLowerCase()}`)),
  };
}

/**
 * @param {Element} element
 * @returns {Box} border box, whether it is seen or not
 */
export function boxOf(element) {
  const { x, y, width, height } = element.getBoundingClientRect();
  return shift({ x, y, width, height }, originOf(element.ownerDocument));
}

/**
 * @param {Document} page
 * @returns {{x: number, y: number}} where its viewport begins
 */
export function originOf(page) {
  const frame = frameOf(page);
  if (!frame) return { x: 0, y: 0 };
  const { border, padding } = readEdges(getComputedStyle(frame));
  return inset(inset(boxOf(frame), border), padding);
}

/** @param {Document} page @returns {Element | null} null for the frame that this script runs in */
function frameOf(page) {
  return page === document ? null : (page.defaultView?.frameElement ?? null);
}

/**
 * Find the part of an element that the viewport and the boxes around it leave to be seen.
 * @param {Element} element
 * @returns {Box | null} null where nothing is left
 */
export function visibleBox(element) {
  if (!element.isConnected) return null;
  /** @type {Box | null} */
  let box = boxOf(element);
  let freedom = freedomOf(element, getComputedStyle(element));
  for (let place = parentOf(element); place && box; place = parentOf(place)) {
    const style = getComputedStyle(place);
    if (freedom && holdsFree(style, freedom)) freedom = "";
    if (freedom) continue;
    box = intersect(box, clipOf(place, style));
    freedom = freedomOf(place, style);
  }
  const window = box && windowOf(element.ownerDocument);
  return box && window && intersect(box, window);
}

/**
 * @param {Document} page
 * @returns {Box | null} its viewport, as far as it is seen itself
 */
export function windowOf(page) {
  const window = shift(viewOf(page), originOf(page));
  const frame = frameOf(page);
  const around = frame && visibleBox(frame);
  return frame ? around && intersect(window, around) : window;
}

/** @param {Document} page @returns {Box} what of the page a pinch and the scroll bars leave, in its own px */
function viewOf(page) {
  const view = /** @type {Window} */ (page.defaultView);
  const { visualViewport: pinched, innerWidth, innerHeight } = view;
  if (!pinched) return { x: 0, y: 0, width: innerWidth, height: innerHeight };
  return { x: pinched.offsetLeft, y: pinched.offsetTop, width: pinched.width, height: pinched.height };
}

/**
 * Tell which boxes around an element do not cut it off: those up to the one that it is placed in.
 * @param {Element} element
 * @param {CSSStyleDeclaration} style its own
 * @returns {"" | "absolute" | "fixed"}
 */
function freedomOf(element, { position }) {
  if (element.matches(":modal, :popover-open")) return "fixed";
  return position === "absolute" || position === "fixed" ? position : "";
}

/**
 * @param {CSSStyleDeclaration} style
 * @param {"absolute" | "fixed"} freedom
 * @returns {boolean} whether what is so free is placed, and cut off, here
 */
function holdsFree(style, freedom) {
  if (style.display === "contents") return false;
  return (
    (freedom === "absolute" && style.position !== "static") ||
    [style.transform, style.translate, style.rotate, style.scale, style.filter, style.perspective].some(
      (value) => value && value !== "none",
    ) ||
    /paint|layout|strict|content/.test(style.contain) ||
    /transform|translate|rotate|scale|filter|perspective/.test(style.willChange)
  );
}

/**
 * @param {Element} place
 * @param {CSSStyleDeclaration} style its own
 * @returns {Box} outside it, what is in the place is cut off
 */
function clipOf(place, style) {
  const box = boxOf(place);
  const page = place.ownerDocument;
  const whole = /paint|strict|content/.test(style.contain);
  // The overflow of the body and of the root is that of the window.
  const free = place === page.body || place === page.documentElement || /contents|^inline$/.test(style.display);
  const across = !free && (whole || style.overflowX !== "visible");
  const down = !free && (whole || style.overflowY !== "visible");
  const { offsetWidth, offsetHeight } = /** @type {HTMLElement} */ (place);
  const scaleX = offsetWidth ? box.width / offsetWidth : 1;
  const scaleY = offsetHeight ? box.height / offsetHeight : 1;
  return {
    x: across ? box.x + place.clientLeft * scaleX : -ENDLESS,
    y: down ? box.y + place.clientTop * scaleY : -ENDLESS,
    width: across ? (place.clientWidth * scaleX || box.width) : 2 * ENDLESS,
    height: down ? (place.clientHeight * scaleY || box.height) : 2 * ENDLESS,
  };
}

/** @param {Element} element @returns {boolean} whether no transform turns, skews or mirrors it */
export function isUpright(element) {
  for (const place of climb(element)) {
    const style = getComputedStyle(place);
    if (!keepsUpright(style) || (style.offsetPath ?? "none") !== "none") return false;
  }
  const frame = frameOf(element.ownerDocument);
  return !frame || isUpright(frame);
}

/**
 * List what lies under a point of a page, topmost first.
 * @param {Document} page
 * @param {{x: number, y: number}} point
 * @returns {Element[]}
 */
export function stackIn(page, point) {
  const origin = originOf(page);
  return stackAt(page, point.x - origin.x, point.y - origin.y);
}

/** @param {Box} box @returns {{x: number, y: number}} */
export function middleOf({ x, y, width, height }) {
  return { x: x + width / 2, y: y + height / 2 };
}

/**
 * Tell whether something opaque, such as a dialog, hides an element wherever one looks.
 * @param {Element} element
 * @param {Box} box the part of it that is looked at
 * @returns {boolean}
 */
export function isCovered(element, box) {
  const [across, down] = [box.width / 2, box.height / 2];
  const quarters = [inset(box, [down, across, 0, 0]), inset(box, [0, 0, down, across])];
  return [box, ...quarters].every((part) => {
    const stack = stackIn(element.ownerDocument, middleOf(part));
    const depth = stack.indexOf(element);
    return stack.slice(0, Math.max(0, depth)).some((cover) => hides(cover, element));
  });
}

/** @param {Element} cover @param {Element} element */
function hides(cover, element) {
  const style = getComputedStyle(cover);
  if (!/^rgb\(/.test(style.backgroundColor) || Number(style.opacity) < 1 || !isShown(cover)) return false;
  if (holds(cover, element)) return false;
  const [over, under] = [boxOf(cover), boxOf(element)];
  const common = areaOf(intersect(over, under));
  return common > CONTROL * areaOf(under) && common < VEIL * (areaOf(over) + areaOf(under) - common);
}
