/**
 * Lets a person mark a part of the page by hand: with a mouse, a finger, a pen or the keyboard.
 *
 * The layer lives in an empty frame of its own, since what happens in there never reaches the page: no
 * lightbox closes, nothing is clicked, no focus trap wakes.
 */

import { make } from "../shared/elements.js";
import { fill } from "../shared/words.js";
import { OWN } from "./roots.js";

/** @typedef {import("./boxes.js").Box} Box */
/** @typedef {import("./boxes.js").Size} Size */

/**
 * What is said.
 * @typedef {object} AreaWords
 * @property {string} label name of the layer
 * @property {string} drag how it is done with a pointer
 * @property {string} keys how it is done with keys
 * @property {string} size with {width}, {height}, {left} and {top}: where the marked area is
 * @property {string} small with {side}: it has to be larger
 * @property {string} take the button that takes the marked area
 * @property {string} cancel the button that gives up
 */

/** Smaller than any face that can be judged, CSS px. */
export const SMALLEST = 32;
const STEP = 16;
// A press that moves less is a click: it sets one corner, and the next one sets the other.
const CLICK_SLACK = 6;
const ENDS = ["Enter", "Escape"];
const SPEAK_MS = 400;
const LOAD_MS = 1000;
// The first frame: its side in the shorter one of the window, and its height above the words below.
const FIRST_SIDE = 0.4;
const FIRST_HEIGHT = 0.35;

const KEPT_IN = [
  ...["click", "auxclick", "contextmenu", "mousedown", "mouseup", "mousemove", "touchstart", "touchmove"],
  ...["touchend", "pointerdown", "pointerup", "pointermove", "keydown", "keyup", "keypress", "focusin", "focusout"],
];

const HOST_STYLE = `
:host { all: initial !important; position: fixed !important; inset: 0 !important; z-index: 2147483647 !important;
  display: block !important; inline-size: 100% !important; block-size: 100% !important; margin: 0 !important;
  overflow: hidden !important; background: none !important; color-scheme: light !important;
  pointer-events: auto !important; }
:host::backdrop { display: none !important; }
iframe { display: block; inline-size: 100%; block-size: 100%; border: 0; color-scheme: light; }
`;

// One theme for every page: dark words on a light bar, white and black lines around what is marked.
const STYLE = `
html, body { margin: 0; block-size: 100%; background: none; color-scheme: light; overflow: hidden; }
.area { position: fixed; inset: 0; overflow: hidden; cursor: crosshair; touch-action: none; user-select: none;
  -webkit-user-select: none; font: 15px/1.45 system-ui, sans-serif; color: #1c2226; color-scheme: light;
  forced-color-adjust: auto; }
.area .mark { position: absolute; box-sizing: border-box; border: 2px solid #fff; outline: 2px dashed #000;
  outline-offset: -2px; box-shadow: 0 0 0 2px #000, 0 0 0 200vmax rgb(0 0 0 / .5); }
.area .mark:focus-visible { box-shadow: 0 0 0 2px #000, 0 0 0 5px #fff, 0 0 0 8px #0b57d0,
  0 0 0 200vmax rgb(0 0 0 / .5); }
.area .bar { position: absolute; inset-block-end: max(16px, env(safe-area-inset-bottom)); inset-inline: 8px;
  inline-size: fit-content; max-inline-size: min(40em, 100% - 48px); margin-inline: auto; padding: 12px 16px;
  border: 1px solid #6b747b; border-radius: 12px; background: #fff; box-shadow: 0 6px 24px rgb(0 0 0 / .35);
  cursor: default; touch-action: auto; }
.area[data-low] .bar { inset-block: 16px auto; }
.area[data-dragging] .bar { visibility: hidden; }
.area p { margin: 0 0 6px; }
.area .state { color: #525c64; min-block-size: 1.45em; font-variant-numeric: tabular-nums; }
.area .state:empty { min-block-size: 0; margin: 0; }
.area .buttons { display: flex; flex-wrap: wrap; gap: 8px; }
.area button { font: inherit; min-block-size: 36px; padding: 4px 14px; border: 1px solid #525c64;
  border-radius: 8px; background: #fff; color: #1c2226; cursor: pointer; }
.area button.take { background: #1c2226; border-color: #1c2226; color: #fff; }
.area button:focus-visible { outline: 3px solid #0b57d0; outline-offset: 2px; }
@media (forced-colors: active) {
  .area .mark { border: 3px solid Highlight; outline-color: Canvas; }
  .area .mark:focus-visible { outline: 3px solid CanvasText; }
  .area button.take { border-width: 2px; }
}
`;

/**
 * Have an area of the page marked.
 * @param {object} given
 * @param {{card: {area: AreaWords}, locale?: string, direction?: string}} given.strings
 * @param {Element} [given.container] where the layer must hang to be seen and to be alive
 * @param {AbortSignal} [given.signal]
 * @returns {Promise<DOMRect | null>} CSS px of this frame's viewport, at least 32 × 32; null where the person
 *   gave up. By then the layer is off the screen
 */
export async function selectArea({ strings, container = document.documentElement, signal }) {
  const before = document.activeElement;
  const host = make("div", { [OWN]: "area", popover: "manual" });
  const home = await openHome(host, container);
  try {
    return await new Marker(home.view, strings).run(home.place, signal);
  } finally {
    host.remove();
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    await painted();
  }
}

/**
 * @param {HTMLElement} host
 * @param {Element} container
 * @returns {Promise<{place: Node & ParentNode, view: Window & typeof globalThis}>}
 */
async function openHome(host, container) {
  const root = host.attachShadow({ mode: "closed" });
  root.adoptedStyleSheets = [makeSheet(window, HOST_STYLE)];
  const frame = /** @type {HTMLIFrameElement} */ (make("iframe"));
  // Not all browsers have the empty page ready at once; and a page may take it away before.
  const loaded = new Promise((resolve) => {
    frame.addEventListener("load", resolve, { once: true });
    setTimeout(resolve, LOAD_MS);
  });
  root.append(frame);
  container.append(host);
  host.showPopover();
  await loaded;
  const view = /** @type {(Window & typeof globalThis) | null} */ (frame.contentWindow);
  const page = frame.contentDocument;
  if (view && page?.body) {
    page.adoptedStyleSheets = [makeSheet(view, STYLE)];
    return { place: page.body, view };
  }
  // A page in a sandbox may not look into its own frames; it runs no script that could mind.
  frame.remove();
  root.adoptedStyleSheets = [HOST_STYLE, STYLE].map((text) => makeSheet(window, text));
  for (const type of KEPT_IN) root.addEventListener(type, (event) => event.stopPropagation());
  return { place: root, view: window };
}

/** @param {Window & typeof globalThis} view @param {string} text */
function makeSheet(view, text) {
  const sheet = new view.CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
}

/** @returns {Promise<void>} when what was taken away is off the screen */
function painted() {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, SPEAK_MS);
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        clearTimeout(timer);
        resolve();
      }),
    );
  });
}

/** The marked area, and what a person does to it. */
class Marker {
  /**
   * @param {Window} view
   * @param {{card: {area: AreaWords}, locale?: string, direction?: string}} strings
   */
  constructor(view, { card: { area: words }, locale = "", direction = "" }) {
    this.view = view;
    this.words = words;
    this.box = placeFirst(this.size);
    /** @type {{x: number, y: number} | null} the corner that was set first */
    this.corner = null;
    this.closing = false;
    /** @type {string | null} the key that is held down */
    this.held = null;
    this.speaking = 0;
    this.mark = make("div", {
      class: "mark",
      tabindex: "0",
      role: "application",
      "aria-label": words.label,
      "aria-describedby": "unmask-area-keys",
    });
    this.state = make("p", { class: "state", role: "status" });
    this.take = make("button", { type: "button", class: "take" }, [words.take]);
    this.cancel = make("button", { type: "button" }, [words.cancel]);
    this.bar = make("div", { class: "bar" }, [
      make("p", {}, [words.drag]),
      make("p", { id: "unmask-area-keys" }, [words.keys]),
      this.state,
      make("div", { class: "buttons" }, [this.take, this.cancel]),
    ]);
    this.element = make(
      "div",
      { class: "area", role: "dialog", "aria-modal": "true", "aria-label": words.label, dir: direction, lang: locale },
      [this.mark, this.bar],
    );
    this.draw();
  }

  /** @returns {Size} of the viewport, CSS px */
  get size() {
    const { innerWidth: width, innerHeight: height } = this.view;
    return { width, height };
  }

  /**
   * @param {Node & ParentNode} place
   * @param {AbortSignal} [signal]
   * @returns {Promise<DOMRect | null>}
   */
  run(place, signal) {
    return new Promise((resolve) => {
      const over = new AbortController();
      /** @param {Box | null} box */
      const finish = (box) => {
        over.abort();
        clearTimeout(this.speaking);
        resolve(box && new DOMRect(box.x, box.y, box.width, box.height));
      };
      const options = { signal: over.signal };
      this.element.addEventListener("pointerdown", (event) => this.press(event), options);
      this.element.addEventListener("pointermove", (event) => this.move(event), options);
      this.element.addEventListener("pointerup", (event) => this.release(event, finish), options);
      this.element.addEventListener("pointercancel", () => this.drop(), options);
      this.element.addEventListener("contextmenu", (event) => event.preventDefault(), options);
      this.element.addEventListener("keydown", (event) => this.steer(event), options);
      this.element.addEventListener("keyup", (event) => this.lift(event, finish), options);
      // Or a click would follow the finger, onto the page.
      const still = (/** @type {Event} */ event) => this.holdsOff(event) && event.preventDefault();
      this.element.addEventListener("touchstart", still, { ...options, passive: false });
      this.take.addEventListener("click", () => finish(this.box), options);
      this.cancel.addEventListener("click", () => finish(null), options);
      this.view.addEventListener("resize", () => this.set(keepWithin(this.box, this.size)), options);
      // Also where the page takes the layer away.
      this.view.addEventListener("pagehide", () => finish(null), options);
      signal?.addEventListener("abort", () => finish(null), options);
      place.append(this.element);
      this.view.focus();
      this.mark.focus({ preventScroll: true });
      if (signal?.aborted) finish(null);
    });
  }

  /** @param {Event} event @returns {boolean} whether it is none of the buttons' */
  holdsOff(event) {
    return !this.bar.contains(/** @type {Node} */ (event.target));
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button !== 0 || !event.isPrimary || !this.holdsOff(event)) return;
    event.preventDefault();
    this.mark.focus({ preventScroll: true });
    this.closing = this.corner !== null;
    this.corner ??= { x: event.clientX, y: event.clientY };
    this.element.setPointerCapture(event.pointerId);
    this.element.toggleAttribute("data-dragging", true);
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.corner || !event.isPrimary) return;
    this.set(span(this.corner, { x: event.clientX, y: event.clientY }, this.size));
  }

  /** @param {PointerEvent} event @param {(box: Box) => void} finish */
  release(event, finish) {
    if (!this.corner || !event.isPrimary || !this.element.hasPointerCapture(event.pointerId)) return;
    const { x, y } = this.corner;
    const moved = Math.hypot(event.clientX - x, event.clientY - y);
    if (this.closing || moved > CLICK_SLACK) this.close(event, finish);
    else this.element.removeAttribute("data-dragging");
  }

  /** @param {PointerEvent} event at the second corner @param {(box: Box) => void} finish */
  close(event, finish) {
    this.move(event);
    const { width, height } = this.box;
    this.drop();
    if (Math.min(width, height) >= SMALLEST) finish(this.box);
    else {
      this.set(keepWithin(this.box, this.size));
      this.say(fill(this.words.small, { side: SMALLEST }));
    }
  }

  drop() {
    this.corner = null;
    this.element.removeAttribute("data-dragging");
  }

  /** @param {KeyboardEvent} event */
  steer(event) {
    if (ENDS.includes(event.key)) this.held = event.key;
    else if (event.key === "Tab") this.turn(event.shiftKey ? -1 : 1);
    else if (!this.holdsOff(event)) return;
    else {
      const moved = moveBox(this.box, event.key, event.shiftKey, this.size);
      if (!moved) return;
      this.drop();
      this.set(moved);
      this.say(fill(this.words.size, roundBox(moved)));
    }
    event.preventDefault();
  }

  /**
   * End with the key's way up: a page that listens for it would get it otherwise.
   * @param {KeyboardEvent} event
   * @param {(box: Box | null) => void} finish
   */
  lift({ key, target }, finish) {
    if (key !== this.held) return;
    finish(key === "Escape" || target === this.cancel ? null : this.box);
  }

  /** @param {1 | -1} by to the next, or the last, of what takes the focus */
  turn(by) {
    const stops = [this.mark, this.take, this.cancel];
    const now = stops.findIndex((stop) => stop.matches(":focus"));
    stops[(now + by + stops.length) % stops.length].focus();
  }

  /** @param {Box} box */
  set(box) {
    this.box = box;
    this.draw();
  }

  draw() {
    const { x, y, width, height } = this.box;
    Object.assign(this.mark.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    // The words make way for what is marked.
    this.element.toggleAttribute("data-low", y + height / 2 > this.size.height / 2);
  }

  /** @param {string} words said once the keys rest, so that no step is spoken over by the next */
  say(words) {
    clearTimeout(this.speaking);
    this.speaking = this.view.setTimeout(() => this.state.replaceChildren(words), SPEAK_MS);
  }
}

/** @param {Box} box */
function roundBox({ x, y, width, height }) {
  return {
    left: Math.round(x),
    top: Math.round(y),
    width: Math.round(width),
    height: Math.round(height),
  };
}

/** @param {Size} view @returns {Box} */
function placeFirst({ width, height }) {
  const side = Math.max(SMALLEST, Math.min(width, height) * FIRST_SIDE);
  return { x: (width - side) / 2, y: (height - side) * FIRST_HEIGHT, width: side, height: side };
}

/**
 * @param {{x: number, y: number}} a
 * @param {{x: number, y: number}} b
 * @param {Size} view
 * @returns {Box} with these corners, within the view
 */
export function span(a, b, view) {
  const within = (/** @type {number} */ value, /** @type {number} */ most) => Math.max(0, Math.min(most, value));
  const [left, right] = [within(a.x, view.width), within(b.x, view.width)].sort((m, n) => m - n);
  const [top, bottom] = [within(a.y, view.height), within(b.y, view.height)].sort((m, n) => m - n);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/**
 * @param {Box} box
 * @param {Size} view
 * @returns {Box} large enough, and as far as it fits within the view
 */
export function keepWithin(box, view) {
  const width = Math.min(view.width, Math.max(SMALLEST, box.width));
  const height = Math.min(view.height, Math.max(SMALLEST, box.height));
  return {
    x: Math.max(0, Math.min(view.width - width, box.x)),
    y: Math.max(0, Math.min(view.height - height, box.y)),
    width,
    height,
  };
}

/**
 * @param {Box} box
 * @param {string} key
 * @param {boolean} resize whether the right and lower edges move alone
 * @param {Size} view
 * @returns {Box | null} null where the key means nothing
 */
export function moveBox(box, key, resize, view) {
  /** @type {Record<string, [number, number]>} */
  const ways = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  if (!Object.hasOwn(ways, key)) return null;
  const [across, down] = ways[key];
  if (!resize) return keepWithin({ ...box, x: box.x + across, y: box.y + down }, view);
  const width = Math.min(view.width - box.x, box.width + across);
  const height = Math.min(view.height - box.y, box.height + down);
  return keepWithin({ ...box, width, height }, view);
}
