/**
 * Finds the picture that a person meant.
 *
 * By the time this runs the click is over. The browser tells what it saw under the pointer, where it saw a
 * picture at all, and which elements the pointer was over; the point itself is not to be had. So the box of
 * the innermost hovered element stands for it.
 */

import {
  areaOf,
  distanceOf,
  fitBackground,
  fitObject,
  fitSvg,
  grow,
  inset,
  intersect,
  project,
} from "./boxes.js";
import {
  isLive,
  isPictureAddress,
  isPlaying,
  labelPicture,
  readBackgrounds,
  readPicture,
  TAGS,
} from "./pictures.js";
import { isBlank } from "./pixels.js";
import { climb, findFocused, findHovered, holds, isClosedFrame, isPage, walk } from "./roots.js";
import { boxOf, isCovered, isShown, isUpright, middleOf, readEdges, stackIn, visibleBox, windowOf } from "./sight.js";

/** @typedef {import("./boxes.js").Box} Box */
/** @typedef {import("./boxes.js").Size} Size */
/** @typedef {import("./pictures.js").Kind} Kind */
/** @typedef {import("./pictures.js").Picture} Picture */

/**
 * What a click leaves behind.
 * @typedef {object} Request
 * @property {"pointer" | "focus"} by
 * @property {string} [srcUrl] the picture that the browser saw
 * @property {string} [linkUrl]
 */

/**
 * A picture that can be checked.
 * @typedef {object} Target
 * @property {string} id
 * @property {Kind} kind
 * @property {string | null} url absolute: http, https, data or blob
 * @property {Element} element
 * @property {() => DOMRectReadOnly | null} rect the part that is seen; null once it left the page
 * @property {() => Box | null} content where all of the picture's pixels lie, seen or not; null where that
 *   is no upright rectangle, or not known
 * @property {Size | null} natural as the layout counts, CSS px. A background, a poster or an svg image has
 *   none until somebody who has the file sets it; `content` then follows
 * @property {boolean} playing
 * @property {boolean} live a stream: a video without an address
 * @property {string} label
 */

/**
 * What the worker is told of a target.
 * @typedef {object} Description
 * @property {Kind} kind
 * @property {string | null} url
 * @property {Box | null} rect CSS px in this frame's viewport
 * @property {Size | null} natural
 * @property {boolean} playing
 * @property {{width: number, height: number, scale: number, offsetLeft: number, offsetTop: number}} viewport
 *   what is seen of this frame, scroll bars included
 * @property {string} label
 */

/** @typedef {Picture & {box: Box, area: number}} Sighting a picture, what is seen of it, and what of that counts */

/** Smaller than any face that can be judged: icons, spacers, counters. CSS px. */
const SMALLEST = 32;
/** How far beside the pointer's place a picture may still be meant, CSS px. */
const REACH = 24;
/** Areas within this factor are alike; it takes a person to choose between them. */
const ALIKE = 1.5;
const MOST = 6;
/** A spacer is stretched at least so much. */
const STRETCHED = 2;
/** Elements that are asked for backgrounds below the pointer's place. */
const MOST_INSIDE = 300;
/** The pointer's place is probed in this many rows and columns. */
const PROBES = 5;

let made = 0;

/**
 * Find what was meant.
 * @param {Request} request
 * @returns {Target[]} one; several, the largest first, where only a person can tell; none
 */
export function findTargets({ by, srcUrl, linkUrl }) {
  const whole = readWholePage();
  if (whole) return [makeTarget(whole)];
  const found = by === "focus" ? findInFocus() : findUnderPointer(findHovered(document), { srcUrl, linkUrl });
  return found.map(makeTarget);
}

/** @returns {Picture | null} the picture or video that the browser opened as a page of its own */
function readWholePage() {
  const { contentType, documentElement, URL: url } = document;
  if (contentType === "image/svg+xml") return { kind: "svg", element: documentElement, url, natural: null };
  if (!/^(image|video)\//.test(contentType)) return null;
  const element = document.querySelector("img, video");
  return element && readPicture(element);
}

/**
 * @param {Element | null} hovered
 * @param {{srcUrl?: string, linkUrl?: string}} seen
 * @returns {Picture[]}
 */
function findUnderPointer(hovered, { srcUrl, linkUrl }) {
  // Part of an image map stands for the whole image.
  const place = (hovered && readPicture(hovered)?.element) ?? hovered ?? document.documentElement;
  if (isClosedFrame(place)) return frameAt(place, srcUrl ?? null);
  const named = srcUrl ? findNamed(srcUrl, place) : null;
  if (named && !isSpacer(named)) return [named];
  const { under, near, behind } = lookAround(place);
  // The browser saw a picture that we do not: its address is all there is.
  if (srcUrl && !named && under.every(({ kind }) => kind === "background")) {
    // What is broken may be there at a second try, but is not worth a screenshot.
    const kind = place.localName === "img" ? "link" : "image";
    return [{ kind, element: place, url: srcUrl, natural: null }];
  }
  if (under.length > 0) return chooseAmong(under, isAbove);
  if (named) return [named];
  if (linkUrl && isPictureAddress(linkUrl)) {
    return [{ kind: "link", element: place, url: linkUrl, natural: null }];
  }
  if (near.length > 0) return isPage(place) ? near.sort(byArea).slice(0, MOST) : chooseAmong(near, isAbove);
  return chooseAmong(behind, isAbove);
}

/** @returns {Picture[]} */
function findInFocus() {
  const focused = findFocused(document);
  const hovered = findHovered(document);
  const atFocus = () => {
    if (!focused) return [];
    if (isClosedFrame(focused)) return frameAt(focused, null);
    const inside = findInside(focused);
    if (inside.length > 0) return chooseAmong(inside, isAbove);
    const { under, near } = visibleBox(focused) ? lookAround(focused) : { under: [], near: [] };
    return chooseAmong(under.length > 0 ? under : near, isAbove);
  };
  const atPointer = () => {
    if (!hovered || isPage(hovered)) return [];
    return isClosedFrame(hovered) ? frameAt(hovered, null) : chooseAmong(lookAround(hovered).under, isAbove);
  };
  // A click leaves the focus where it was made; only the keyboard moves it on purpose.
  const ways = focused?.matches(":focus-visible") ? [atFocus, atPointer] : [atPointer, atFocus];
  for (const way of ways) {
    const found = way();
    if (found.length > 0) return found;
  }
  const { under, near } = lookAround((focused?.ownerDocument ?? document).documentElement);
  const all = [...under, ...near];
  const from = focused && visibleBox(focused);
  if (!from) return chooseAmong(all, isAbove);
  return all.sort((a, b) => distanceOf(from, a.box) - distanceOf(from, b.box)).slice(0, 1);
}

/**
 * @param {Element} frame
 * @param {string | null} url of a picture inside
 * @returns {Picture[]}
 */
function frameAt(frame, url) {
  const box = visibleBox(frame);
  return box && isLarge(box) ? [{ kind: "frame", element: frame, url, natural: null }] : [];
}

/**
 * Find the picture that the browser named, the one at the pointer before its doubles elsewhere.
 * @param {string} srcUrl
 * @param {Element} place
 * @returns {Picture | null}
 */
function findNamed(srcUrl, place) {
  const here = visibleBox(place);
  // A picture may be shown as the background of a box that the named one lies in, itself unseen.
  const backgrounds = isPage(place) ? [] : elementsAround(place, here).flatMap(readBackgrounds);
  const ranked = [...readTagged(place.ownerDocument), ...backgrounds]
    .filter(({ url, names = [] }) => [url, ...names].some((name) => name && isSame(name, srcUrl)))
    .map((picture) => {
      const box = visibleBox(picture.element);
      const touched = areaOf(here && box && intersect(here, box));
      return { picture, ranks: [Number(touched > 0), Number(isShown(picture.element)), touched, areaOf(box)] };
    })
    .sort((a, b) => {
      const first = a.ranks.findIndex((rank, index) => rank !== b.ranks[index]);
      return first < 0 ? 0 : b.ranks[first] - a.ranks[first];
    });
  return ranked[0]?.picture ?? null;
}

/** @param {string} a @param {string} b */
function isSame(a, b) {
  return a.replace(/#.*$/s, "") === b.replace(/#.*$/s, "");
}

/** @param {Picture} picture @returns {boolean} a tiny file stretched over something: never what is meant */
function isSpacer({ element, natural }) {
  if (!natural) return false;
  const { width, height } = boxOf(element);
  const side = Math.min(natural.width, natural.height);
  return side < SMALLEST && Math.min(width, height) >= side * STRETCHED;
}

/** @param {Document} page @returns {Picture[]} */
function readTagged(page) {
  const found = [];
  for (const element of walk(page)) {
    const picture = element.matches(TAGS) ? readPicture(element) : null;
    if (picture) found.push(picture);
  }
  return found;
}

/**
 * Sort what is seen at a place by how surely it was pointed at: what the pointer is on or over, what is
 * beside it, and what all of this lies on.
 * @param {Element} place
 * @returns {{under: Sighting[], near: Sighting[], behind: Sighting[]}}
 */
function lookAround(place) {
  const page = place.ownerDocument;
  const here = isPage(place) ? windowOf(page) : visibleBox(place);
  /** @type {{under: Sighting[], near: Sighting[], behind: Sighting[]}} */
  const found = { under: [], near: [], behind: [] };
  if (!here) return found;
  const reach = grow(here, REACH);
  const pictures = [...readTagged(page), ...elementsAround(place, here).flatMap(readBackgrounds)];
  for (const picture of pictures) {
    const sighting = see(picture, reach);
    if (!sighting) continue;
    const pool = findPool(sighting, place, here);
    if (!pool) continue;
    // A part of it was pointed at; how large the rest is says nothing.
    const area = pool === "near" ? sighting.area : areaOf(intersect(sighting.box, here));
    found[pool].push({ ...sighting, area });
  }
  return found;
}

/**
 * @param {Picture} picture
 * @param {Box} [reach]
 * @returns {Sighting | null} null where it is not seen there, or too small to matter
 */
function see(picture, reach) {
  const { element } = picture;
  // The cheap question first: a page may have thousands.
  if (reach && !intersect(boxOf(element), reach)) return null;
  const box = isShown(element) ? visibleBox(element) : null;
  if (!box || !isLarge(box) || isSpacer(picture)) return null;
  const part = reach ? intersect(box, reach) : box;
  if (!part || isCovered(element, part)) return null;
  return { ...picture, box, area: areaOf(box) };
}

/** @param {Box} box */
function isLarge({ width, height }) {
  return Math.min(width, height) >= SMALLEST;
}

/**
 * @param {Sighting} sighting
 * @param {Element} place
 * @param {Box} here
 * @returns {"under" | "near" | "behind" | null} null for a pattern, such as that of paper
 */
function findPool({ kind, element, layer, box }, place, here) {
  if (kind === "background") {
    if (layer?.size === "auto" && layer.repeat === "repeat" && element !== place) return null;
    if (isPage(element)) return "behind";
  }
  if (element === place) return "under";
  const common = intersect(box, here);
  if (!common) return "near";
  // What lies above the hovered element would itself be the hovered one, had the pointer been on it. What
  // the pointer goes through is in no stack.
  const stack = stackIn(place.ownerDocument, middleOf(common));
  const [depth, level] = [stack.indexOf(element), stack.indexOf(place)];
  return depth >= 0 && (level >= 0 ? depth < level : holds(place, element)) ? "near" : "under";
}

/**
 * @param {Element} place
 * @returns {Sighting[]} of the pictures in it
 */
function findInside(place) {
  const elements = [place, ...walk(place)].slice(0, MOST_INSIDE);
  return [
    ...elements.flatMap((element) => readPicture(element) ?? []),
    ...elements.filter((element) => !isPage(element)).flatMap(readBackgrounds),
  ].flatMap((picture) => see(picture) ?? []);
}

/**
 * List the elements whose backgrounds may be what is seen at a place.
 * @param {Element} place
 * @param {Box | null} here
 * @returns {Element[]}
 */
function elementsAround(place, here) {
  const around = new Set(climb(place));
  for (const element of [...around].slice(0, 3)) {
    for (const sibling of element.parentElement?.children ?? []) around.add(sibling);
  }
  let count = 0;
  for (const element of walk(place)) {
    if ((count += 1) > MOST_INSIDE) break;
    around.add(element);
  }
  const steps = Array.from({ length: PROBES }, (_, step) => (step + 0.5) / PROBES);
  for (const [down, along] of here ? steps.flatMap((y) => steps.map((x) => [y, x])) : []) {
    const { x, y, width, height } = /** @type {Box} */ (here);
    const point = { x: x + along * width, y: y + down * height };
    for (const element of stackIn(place.ownerDocument, point)) around.add(element);
  }
  return [...around];
}

/** @param {{area: number}} a @param {{area: number}} b */
function byArea(a, b) {
  return b.area - a.area;
}

/**
 * Choose what was meant: of those that lie on one another the larger, or else the one above; of those side
 * by side the largest, and with it all that are about as large.
 * @template {{box: Box, area: number}} Seen
 * @param {Seen[]} seen
 * @param {(one: Seen, other: Seen) => boolean} above whether the first one is painted over the other
 * @returns {Seen[]} the largest first
 */
export function chooseAmong(seen, above) {
  const sorted = [...seen].sort(byArea);
  const beats = (/** @type {Seen} */ one, /** @type {Seen} */ other) => {
    if (one.area > other.area * ALIKE) return true;
    if (one.area * ALIKE < other.area) return false;
    return above(one, other) || (!above(other, one) && seen.indexOf(one) < seen.indexOf(other));
  };
  const left = [];
  for (const one of sorted) {
    const rivals = sorted.filter((other) => other !== one && overlapsMostly(one.box, other.box));
    if (!rivals.some((rival) => beats(rival, one))) left.push(one);
  }
  // Three that cover one another in a circle leave none.
  const kept = left.length > 0 ? left : sorted.slice(0, 1);
  return kept.filter(({ area }) => area * ALIKE >= kept[0].area).slice(0, MOST);
}

/** @param {Box} a @param {Box} b */
function overlapsMostly(a, b) {
  return areaOf(intersect(a, b)) >= Math.min(areaOf(a), areaOf(b)) / 2;
}

/**
 * @param {Sighting} one
 * @param {Sighting} other
 * @returns {boolean} whether the first is what one sees where both are
 */
function isAbove(one, other) {
  const solid = solidityOf(one) - solidityOf(other);
  if (solid !== 0) return solid > 0;
  const common = intersect(one.box, other.box);
  const stack = common ? stackIn(one.element.ownerDocument, middleOf(common)) : [];
  const [mine, its] = [stack.indexOf(one.element), stack.indexOf(other.element)];
  if (mine >= 0 && its >= 0 && mine !== its) return mine < its;
  const order = one.element.compareDocumentPosition(other.element);
  return (order & Node.DOCUMENT_POSITION_PRECEDING) !== 0;
}

/**
 * An empty drawing layer hides nothing, and a background at its own size is rather a mark on a picture.
 * @param {Picture} picture
 * @returns {0 | 1 | 2}
 */
function solidityOf({ kind, element, layer }) {
  if (kind === "canvas") return isBlank(/** @type {HTMLCanvasElement} */ (element)) ? 0 : 2;
  return layer?.size === "auto" ? 1 : 2;
}

/** @param {Picture} picture @returns {Target} */
export function makeTarget(picture) {
  const { kind, element, url } = picture;
  return {
    id: `target-${(made += 1)}`,
    kind,
    url,
    element,
    rect() {
      const box = visibleBox(element);
      return box && new DOMRectReadOnly(box.x, box.y, box.width, box.height);
    },
    content() {
      return placePixels({ ...picture, natural: this.natural });
    },
    natural: picture.natural,
    playing: kind === "video" && isPlaying(element),
    live: isLive(element),
    label: labelPicture(picture),
  };
}

/**
 * Find where all pixels of a picture lie.
 * @param {Picture} picture
 * @returns {Box | null}
 */
function placePixels({ kind, element, url, natural, layer, pseudo }) {
  if (["link", "frame"].includes(kind) || pseudo || !element.isConnected || !isUpright(element)) return null;
  // A carousel may have put another picture into the same element.
  if (!layer && readPicture(element)?.url !== url) return null;
  const style = getComputedStyle(element);
  const shown = boxOf(element);
  if (kind === "svg") {
    const image = /** @type {SVGImageElement} */ (element);
    if (element.localName !== "image") return null;
    const own = { width: image.width.animVal.value, height: image.height.animVal.value };
    const place = fitSvg({ x: 0, y: 0, ...own }, natural, element.getAttribute("preserveAspectRatio") ?? "");
    return place && project(place, own, shown);
  }
  if (element.getClientRects().length !== 1) return null;
  const { border, padding } = readEdges(style);
  const own = measureBorderBox(/** @type {HTMLElement} */ (element), style, border, padding);
  const frame = { border: { x: 0, y: 0, ...own }, padding: inset({ x: 0, y: 0, ...own }, border) };
  const boxes = { ...frame, content: inset(frame.padding, padding) };
  if (layer) {
    const { density } = layer;
    const size = natural && { width: natural.width / density, height: natural.height / density };
    const place = fitBackground(boxes, size, layer);
    return place && project(place, own, shown);
  }
  if (![undefined, "", "none"].includes(style.getPropertyValue("object-view-box"))) return null;
  const place = fitObject(boxes.content, natural, style.objectFit, style.objectPosition);
  return place && project(place, own, shown);
}

/**
 * @param {HTMLElement} element
 * @param {CSSStyleDeclaration} style computed
 * @param {import("./boxes.js").Sides} border
 * @param {import("./boxes.js").Sides} padding
 * @returns {Size} before transforms
 */
function measureBorderBox({ offsetWidth, offsetHeight }, style, border, padding) {
  const edges = (/** @type {number} */ a, /** @type {number} */ b) =>
    style.boxSizing === "border-box" ? 0 : border[a] + border[b] + padding[a] + padding[b];
  // The style knows fractions; for inline boxes it knows nothing.
  const [width, height] = [parseFloat(style.width), parseFloat(style.height)];
  return {
    width: Number.isNaN(width) ? offsetWidth : width + edges(1, 3),
    height: Number.isNaN(height) ? offsetHeight : height + edges(0, 2),
  };
}

/**
 * @param {Target} target
 * @returns {Description} plain data
 */
export function describe(target) {
  const { kind, url, natural, playing, label } = target;
  const rect = target.rect();
  const { scale = 1, offsetLeft = 0, offsetTop = 0 } = visualViewport ?? {};
  return {
    kind,
    url,
    rect: rect && { x: rect.x, y: rect.y, width: rect.width, height: rect.height },
    natural,
    playing,
    viewport: { width: innerWidth / scale, height: innerHeight / scale, scale, offsetLeft, offsetTop },
    label,
  };
}
