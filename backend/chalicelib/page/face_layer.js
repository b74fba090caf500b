/** What lies over a picture: its faces in their boxes, with their words, and the evidence of one of them. */

import { drawIcon, make } from "./elements.js";
import { paintEvidence } from "./evidence.js";
import { fill, wordEvidence, wordShare } from "./words.js";

/** @typedef {import("./strings.js").Language} Language */
/** @typedef {import("./verdict.js").Box} Box */
/** @typedef {import("./verdict.js").Face} Face */
/** @typedef {import("./verdict.js").Thresholds} Thresholds */

/**
 * @typedef {object} FaceLayer
 * @property {HTMLElement} element fills the positioned element that takes it
 * @property {(index: number) => void} pin keeps a face's map on show
 * @property {(visible: Box) => void} crop tells which part of the picture can be seen
 * @property {() => void} destroy
 */

const MAP_SIDE = 160;

let drawn = 0;

/**
 * Turn a box in pixels into CSS percentages of the picture.
 * @param {Box} box
 * @param {{width: number, height: number}} picture pixels
 * @returns {{left: string, top: string, width: string, height: string}}
 */
export function placeBox([x, y, width, height], picture) {
  const percent = (/** @type {number} */ part, /** @type {number} */ whole) => `${(part / whole) * 100}%`;
  return {
    left: percent(x, picture.width),
    top: percent(y, picture.height),
    width: percent(width, picture.width),
    height: percent(height, picture.height),
  };
}

/**
 * The faces of a picture in their boxes, and the evidence of the one that is looked at. Lies over any
 * rectangle that holds the whole picture: a copy of it, or the one of a page.
 * @param {object} options
 * @param {Face[]} options.faces
 * @param {number[]} options.numbers what each is called
 * @param {number} options.count how many there are, these and others
 * @param {{width: number, height: number}} options.media pixels
 * @param {Language} options.strings
 * @param {Thresholds | null} options.thresholds
 * @param {(index: number | null) => void} options.onShow told which face's map is on show
 * @returns {FaceLayer}
 */
export function drawFaceLayer({ faces, numbers, count, media, strings, thresholds, onShow }) {
  const prefix = `unmask-${(drawn += 1)}`;
  const canvas = make("canvas", { width: MAP_SIDE, height: MAP_SIDE, hidden: "" });
  const buttons = faces.map((face, index) =>
    drawFace(face, {
      number: numbers[index],
      count,
      media,
      strings,
      thresholds,
      description: `${prefix}-${index}`,
    }),
  );
  const descriptions = faces.map((face, index) =>
    make("span", { id: `${prefix}-${index}`, hidden: "" }, [
      face.evidence ? wordEvidence(face.evidence.grid, strings) : "",
    ]),
  );
  const element = make("div", { class: "unmask-layer" }, [
    make("div", { class: "unmask-map" }, [canvas]),
    ...buttons,
    ...descriptions,
  ]);
  /** @type {Box} */
  let visible = [0, 0, media.width, media.height];
  /** @type {number | null} */
  let pinned = null;

  /** @param {number | null} index */
  const show = (index) => {
    const evidence = index === null ? undefined : faces[index].evidence;
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === pinned)));
    canvas.hidden = !evidence;
    onShow(index);
    if (!evidence) return;
    Object.assign(canvas.style, placeBox(evidence.box, media));
    const pixels = new ImageData(paintEvidence(evidence.grid, MAP_SIDE, MAP_SIDE), MAP_SIDE);
    canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  };
  buttons.forEach((button, index) => {
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(index));
    button.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && show(pinned));
    button.addEventListener("focus", () => show(index));
    button.addEventListener("blur", () => show(pinned));
    button.addEventListener("click", () => {
      pinned = pinned === index ? null : index;
      show(pinned);
    });
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pinned = null;
    show(null);
  });

  const arrange = () => {
    buttons.forEach((button, index) => turnChip(button, faces[index].box, visible));
    shortenChips(element, buttons, visible, media);
  };
  const observer = new ResizeObserver(arrange);
  observer.observe(element);
  return {
    element,
    pin(index) {
      pinned = index;
      show(index);
    },
    crop(box) {
      visible = box;
      arrange();
    },
    destroy() {
      observer.disconnect();
      element.remove();
    },
  };
}

/**
 * @param {Face} face
 * @param {object} options
 * @param {number} options.number
 * @param {number} options.count
 * @param {{width: number, height: number}} options.media
 * @param {Language} options.strings
 * @param {Thresholds | null} options.thresholds
 * @param {string} options.description id of its words
 * @returns {HTMLButtonElement}
 */
function drawFace(face, { number, count, media, strings, thresholds, description }) {
  const words = strings.verdict;
  const said = words.words[face.verdict];
  const share = face.fake_probability === null ? "" : wordShare(face.fake_probability, face.verdict, strings, thresholds);
  const chip = make(
    "span",
    { class: "unmask-chip", "aria-hidden": "true", "data-number": count > 1 ? number : "" },
    [
      drawIcon(face.verdict),
      make("span", { class: "unmask-words" }, [share ? `${said} · ` : said]),
      make("span", { class: "unmask-share" }, [share]),
    ],
  );
  // Who steers by voice says what stands on the face, so its name holds just that.
  const label = fill(words.face, { number, count, words: share ? `${said} · ${share}` : said });
  const button = make(
    "button",
    {
      class: "unmask-face",
      type: "button",
      "aria-label": label,
      "aria-pressed": "false",
      "aria-describedby": description,
      "data-verdict": face.verdict,
    },
    [chip],
  );
  Object.assign(button.style, placeBox(face.box, media));
  return button;
}

/**
 * Let a face's words stand where there is room for them.
 * @param {HTMLElement} button
 * @param {Box} face
 * @param {Box} visible part of the picture that can be seen
 */
function turnChip(button, [x, y, width], [left, top, across, down]) {
  button.dataset.side = x + width / 2 > left + across / 2 ? "right" : "left";
  // A chip stands above its face, or below it where the picture's edge is near.
  button.dataset.end = (y - top) / down > 0.1 ? "top" : "bottom";
}

/**
 * Leave out words on the faces, then figures too, where they would cover each other; the list has them all.
 * @param {HTMLElement} layer
 * @param {HTMLElement[]} buttons
 * @param {Box} visible part of the picture that can be seen
 * @param {{width: number, height: number}} media
 */
function shortenChips(layer, buttons, [x, , width], media) {
  const whole = layer.getBoundingClientRect();
  const left = whole.left + (x / media.width) * whole.width;
  const right = left + (width / media.width) * whole.width;
  for (const brevity of ["full", "figures", "numbers"]) {
    layer.dataset.chips = brevity;
    const chips = buttons.map((button) =>
      /** @type {Element} */ (button.firstElementChild).getBoundingClientRect(),
    );
    const crowded = chips.some(
      (a, i) =>
        a.left < left - 1 ||
        a.right > right + 1 ||
        chips.some(
          (b, j) => j > i && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom,
        ),
    );
    if (!crowded) return;
  }
}
