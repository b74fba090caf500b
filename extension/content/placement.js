/** Where the card stands, and what of a picture can be seen. Pure; lengths are CSS px of the viewport. */

import { areaOf, intersect } from "./boxes.js";

/** @typedef {import("./boxes.js").Box} Rect */
/** @typedef {import("./boxes.js").Size} Size */
/** @typedef {import("../shared/verdict.js").Box} PictureBox */

/**
 * Where a picture stands in the viewport.
 * @typedef {object} Anchor
 * @property {Rect} rect what of it can be seen
 * @property {Rect | null} content where all its pixels lie, beyond `rect` where it is cropped; null where
 *   that is not known
 */

/** @typedef {"right" | "left" | "below" | "above" | "edge" | "sheet"} Side */

const NARROW = 480;
const GAP = 12;
const MARGIN = 8;
// Boxes and words on a smaller picture would hide it.
const LEAST_WIDTH = 160;
// A face counts as seen when this part of it is.
const SEEN = 0.75;

/**
 * Find a place for the card: beside the picture if there is room on any side, else at the viewport's edge.
 * @param {object} options
 * @param {Rect | null} options.anchor the picture; null where there is none
 * @param {Size} options.card
 * @param {Size} options.viewport
 * @param {boolean} options.rtl whether the language is read from right to left
 * @param {Side} [options.before] where it stood; it stays on that side while it fits there
 * @returns {{side: Side, x: number, y: number}} upper left corner
 */
export function placeCard({ anchor, card, viewport, rtl, before }) {
  if (isNarrow(viewport)) return { side: "sheet", x: 0, y: viewport.height - card.height };
  const right = viewport.width - card.width - MARGIN;
  const bottom = viewport.height - card.height - MARGIN;
  const edge = rtl ? MARGIN : right;
  if (!anchor) return { side: "edge", x: edge, y: MARGIN };

  const along = clamp(rtl ? anchor.x + anchor.width - card.width : anchor.x, MARGIN, right);
  const beside = clamp(anchor.y, MARGIN, bottom);
  /** @type {Record<"right" | "left" | "below" | "above", {x: number, y: number}>} */
  const places = {
    right: { x: anchor.x + anchor.width + GAP, y: beside },
    left: { x: anchor.x - GAP - card.width, y: beside },
    below: { x: along, y: anchor.y + anchor.height + GAP },
    above: { x: along, y: anchor.y - GAP - card.height },
  };
  const order = /** @type {(keyof places)[]} */ (
    rtl ? ["left", "right", "below", "above"] : ["right", "left", "below", "above"]
  );
  if (before && before in places) order.unshift(/** @type {keyof places} */ (before));
  const side = order.find((name) => {
    const { x, y } = places[name];
    return x >= MARGIN && x <= right && y >= MARGIN && y <= bottom;
  });
  return side ? { side, ...places[side] } : { side: "edge", x: edge, y: beside };
}

/**
 * Tell whether there is no room for a card beside anything.
 * @param {Size} viewport
 * @returns {boolean}
 */
export function isNarrow({ width }) {
  return width < NARROW;
}

/**
 * Keep a card that was dragged within the viewport.
 * @param {{x: number, y: number}} place upper left corner
 * @param {Size} card
 * @param {Size} viewport
 * @returns {{x: number, y: number}}
 */
export function keepInside({ x, y }, card, viewport) {
  return {
    x: clamp(x, MARGIN, viewport.width - card.width - MARGIN),
    y: clamp(y, MARGIN, viewport.height - card.height - MARGIN),
  };
}

/**
 * Find which part of a picture can be seen.
 * @param {Anchor} anchor
 * @param {Size} media the picture's own pixels
 * @returns {PictureBox} pixels of the picture
 */
export function cropPicture({ rect, content }, media) {
  const seen = content && intersect(rect, content);
  if (!seen) return [0, 0, media.width, media.height];
  const across = media.width / content.width;
  const down = media.height / content.height;
  return [
    (seen.x - content.x) * across,
    (seen.y - content.y) * down,
    seen.width * across,
    seen.height * down,
  ];
}

/**
 * Tell whether faces can be shown on the page's own picture: it is large enough and shows them all.
 * @param {Anchor | null} anchor
 * @param {PictureBox[]} faces pixels of the picture
 * @param {Size} media the picture's own pixels
 * @returns {boolean}
 */
export function canHoldFaces(anchor, faces, media) {
  if (!anchor?.content || anchor.rect.width < LEAST_WIDTH) return false;
  const [x, y, width, height] = cropPicture(anchor, media);
  const seen = { x, y, width, height };
  return faces.every(([left, top, across, down]) => {
    const face = { x: left, y: top, width: across, height: down };
    return areaOf(intersect(face, seen)) >= SEEN * areaOf(face);
  });
}

/**
 * @param {number} value
 * @param {number} least wins where there is no room
 * @param {number} most
 */
function clamp(value, least, most) {
  return Math.max(least, Math.min(value, most));
}
