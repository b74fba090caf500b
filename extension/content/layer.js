/** What lies over the page's own picture, and how it stays there. */

import { make } from "../shared/elements.js";

/** @typedef {import("./placement.js").Anchor} Anchor */
/** @typedef {import("./placement.js").Rect} Rect */

// So long after the last move every frame is still looked at; then only now and then.
const RESTLESS_MS = 600;
const GLANCE_MS = 200;
// What usually moves things.
const STIRRINGS = [
  "scroll",
  "resize",
  "wheel",
  "touchmove",
  "click",
  "keydown",
  "load",
  "transitionrun",
  "animationstart",
  "fullscreenchange",
];

/** A frame around the picture, with room for its faces. */
export class Layer {
  constructor() {
    /** Takes what is drawn in the picture's own measures. */
    this.whole = make("div", { class: "whole" });
    this.element = make("div", { class: "over", hidden: "" }, [this.whole]);
  }

  /** @param {Anchor | null} anchor */
  place(anchor) {
    this.element.hidden = !anchor;
    if (!anchor) return;
    const { rect, content } = anchor;
    setBox(this.element, rect);
    const { x, y, width, height } = content ?? rect;
    setBox(this.whole, { x: x - rect.x, y: y - rect.y, width, height });
  }

  /** Take the faces away; the frame stays. */
  clear() {
    this.whole.replaceChildren();
  }
}

/** @param {HTMLElement} element @param {Rect} box */
function setBox(element, { x, y, width, height }) {
  Object.assign(element.style, {
    left: `${x}px`,
    top: `${y}px`,
    width: `${width}px`,
    height: `${height}px`,
  });
}

/**
 * Look whether something moved, for as long as it is wanted.
 *
 * No event tells of every move: scrolling inside a shadow root, a carousel's transform and a late advert
 * above the picture are all silent. So each frame is looked at while things move, and a few times a second
 * while they rest, which costs one reading of a rectangle; what usually moves things wakes it at once.
 * @param {() => boolean} look answers whether something moved
 * @returns {() => void} stops it
 */
export function follow(look) {
  let frame = 0;
  let stirred = performance.now();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const glance = () => {
    clearTimeout(timer);
    frame ||= requestAnimationFrame(tick);
  };
  const stir = () => {
    stirred = performance.now();
    glance();
  };
  const stop = new AbortController();
  const tick = (/** @type {number} */ now) => {
    frame = 0;
    if (look()) stirred = now;
    if (stop.signal.aborted) return;
    if (now - stirred < RESTLESS_MS) glance();
    else timer = setTimeout(glance, GLANCE_MS);
  };
  for (const type of STIRRINGS) {
    addEventListener(type, stir, { capture: true, passive: true, signal: stop.signal });
  }
  glance();
  return () => {
    stop.abort();
    clearTimeout(timer);
    cancelAnimationFrame(frame);
  };
}
