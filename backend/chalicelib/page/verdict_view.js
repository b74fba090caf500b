/**
 * Draws one verdict into any root: an element of a page, or the shadow root of the extension's card.
 *
 * It touches nothing outside its root, keeps no globals and brings no style of its own: the root needs
 * verdict_view.css, as a link or as an adopted style sheet. Data reaches the document as text only.
 */

/** @typedef {"likely_fake" | "likely_real" | "uncertain" | "no_face"} VerdictName */

/** @typedef {[x: number, y: number, width: number, height: number]} Box pixels of the upright picture */

/**
 * Where a face's score comes from.
 * @typedef {object} Evidence
 * @property {number[][]} grid rows from top to bottom; log-odds, above zero where the score was raised
 * @property {Box} box what the grid covers; may reach beyond the picture
 */

/**
 * @typedef {object} Face
 * @property {Box} box
 * @property {number | null} fake_probability 0 to 1, calibrated
 * @property {VerdictName} verdict
 * @property {Evidence} [evidence]
 */

/**
 * The API's answer to a check.
 * @typedef {object} Verdict
 * @property {string} id
 * @property {VerdictName} verdict
 * @property {number | null} fake_probability 0 to 1, calibrated; null where there is no face
 * @property {string[]} reasons codes
 * @property {Face[]} faces
 * @property {{sha256: string, width: number, height: number, format: string}} media
 * @property {{name: string, version: string}} model
 * @property {string} checked_at RFC 3339
 * @property {boolean} cached
 */

/**
 * Where the bands lie: likely real below `real_below`, likely fake above `fake_above`.
 * @typedef {{real_below: number, fake_above: number}} Thresholds
 */

/** @typedef {typeof import("./strings.js").english} Language */

/**
 * @typedef {object} View
 * @property {HTMLElement} element what was drawn
 * @property {() => void} destroy takes it away and stops listening
 */

/**
 * @typedef {object} Options
 * @property {Verdict} verdict
 * @property {string | null} picture address of the picture for an <img>; the caller owns it
 * @property {string} source what was checked, in words: a file's name, "poster", "current frame"
 * @property {Language} strings
 * @property {Thresholds | null} thresholds null where they could not be loaded
 * @property {string[]} [limits] what the model cannot see, for the report
 * @property {() => Promise<void>} [onForget] deletes the check; without it there is no such button
 */

/**
 * The log-odds at which the evidence map is at its strongest. One value for every picture, so that a pale
 * map means weak evidence; a scale of each picture's own would paint noise as vividly as a forgery. The
 * command line saves its maps on the same scale, in the same colours.
 */
export const EVIDENCE_LIMIT = 4;

// At full strength the face must still be seen through the map.
const EVIDENCE_OPACITY = 0.6;
const RAISED = [230, 97, 1];
const LOWERED = [33, 102, 172];
// A cell weaker than this part of the limit is not named in words.
const NOTABLE = 0.1;
const MAP_SIDE = 160;
const SVG = "http://www.w3.org/2000/svg";

// Told apart by outline as well as by colour: octagon, circle, diamond, dashed frame.
const ICONS = {
  likely_fake: "M8 2h8l6 6v8l-6 6H8l-6-6V8zM12 7v6M12 16.2v.6",
  likely_real: "M12 2.5a9.5 9.5 0 1 0 0 19a9.5 9.5 0 1 0 0-19zM8 12h8",
  uncertain: "M12 1.8L22.2 12L12 22.2L1.8 12zM9.6 9.8a2.4 2.4 0 1 1 3.4 2.2q-1 .5-1 1.6M12 16.2v.4",
  no_face: "M3 8V3h5M16 3h5v5M21 16v5h-5M8 21H3v-5M9 12h6",
};

let drawn = 0;

/**
 * Name the band that a probability lies in.
 * @param {number} probability 0 to 1
 * @param {Thresholds} thresholds
 * @returns {VerdictName}
 */
export function nameBand(probability, { real_below, fake_above }) {
  if (probability < real_below) return "likely_real";
  return probability > fake_above ? "likely_fake" : "uncertain";
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
 * Close the gaps of a sentence.
 * @param {string} sentence "{name}" marks a gap
 * @param {Record<string, string | number>} values
 * @returns {string} a gap without a value stays as it is
 */
export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (gap, name) => String(values[name] ?? gap));
}

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
 * Paint an evidence grid: orange where the score was raised, blue where it was lowered, and the more
 * opaque the further it was moved. Bilinear between the middles of the cells, constant beyond them.
 * @param {number[][]} grid log-odds, rows of equal length
 * @param {number} width pixels of the result
 * @param {number} height pixels of the result
 * @param {number} [limit] the log-odds, > 0, that are painted at full strength
 * @returns {Uint8ClampedArray<ArrayBuffer>} RGBA, [height × width × 4]
 */
export function paintEvidence(grid, width, height, limit = EVIDENCE_LIMIT) {
  const pixels = new Uint8ClampedArray(width * height * 4);
  const across = placeSamples(width, grid[0].length);
  placeSamples(height, grid.length).forEach(([top, bottom, down], y) => {
    across.forEach(([left, right, along], x) => {
      const upper = mix(grid[top][left], grid[top][right], along);
      const lower = mix(grid[bottom][left], grid[bottom][right], along);
      const strength = Math.max(-1, Math.min(1, mix(upper, lower, down) / limit));
      pixels.set(
        [...(strength > 0 ? RAISED : LOWERED), Math.abs(strength) * EVIDENCE_OPACITY * 255],
        (y * width + x) * 4,
      );
    });
  });
  return pixels;
}

/**
 * For each of `count` pixels: the two cells it lies between, and how far along.
 * @param {number} count
 * @param {number} cells
 * @returns {[number, number, number][]}
 */
function placeSamples(count, cells) {
  return Array.from({ length: count }, (_, pixel) => {
    const place = Math.max(0, Math.min(cells - 1, ((pixel + 0.5) / count) * cells - 0.5));
    const first = Math.floor(place);
    return [first, Math.min(first + 1, cells - 1), place - first];
  });
}

/** @param {number} a @param {number} b @param {number} part */
function mix(a, b, part) {
  return a + (b - a) * part;
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
 * Write a verdict down as plain text that stands on its own.
 * @param {Pick<Options, "verdict" | "source" | "strings" | "thresholds" | "limits">} options
 * @returns {string} lines, without a newline at the end
 */
export function writeReport({ verdict, source, strings, thresholds, limits = [] }) {
  const { report, words } = strings.verdict;
  const percent = (/** @type {number} */ p) => wordPercent(p, strings, { thresholds });
  const { media, model, faces } = verdict;
  const lines = [report.title, fill(report.verdict, { verdict: words[verdict.verdict] })];
  if (verdict.fake_probability !== null) {
    lines.push(fill(report.probability, { percent: percent(verdict.fake_probability) }));
  }
  if (thresholds) lines.push(fill(report.bands, wordBands(thresholds, strings)));
  faces.forEach((face, index) => {
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
    lines.push(
      face.fake_probability === null
        ? fill(report.faceWithout, values)
        : fill(report.face, { ...values, percent: percent(face.fake_probability) }),
    );
  });
  lines.push(
    ...verdict.reasons.map((code) => fill(report.note, { note: wordReason(code, strings) })),
    fill(report.file, { source }),
    fill(report.media, { ...media, format: media.format.toUpperCase() }),
    fill(report.sha256, media),
    fill(report.checkedAt, { time: verdict.checked_at }),
    fill(report.model, model),
  );
  if (limits.length > 0) lines.push(report.limits, ...limits.map((limit) => `- ${limit}`));
  return [...lines, report.closing].join("\n");
}

/**
 * @param {Thresholds} thresholds
 * @param {Language} strings
 * @returns {{real: string, fake: string}}
 */
function wordBands({ real_below, fake_above }, strings) {
  const format = new Intl.NumberFormat(strings.locale, {
    style: "unit",
    unit: "percent",
    maximumFractionDigits: 1,
  });
  return { real: format.format(real_below * 100), fake: format.format(fake_above * 100) };
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
    verdict: strings.verdict.words[judged.verdict],
    percent: probability === null ? null : wordPercent(probability, strings, { thresholds, long: true }),
  };
}

/**
 * Word a face's figure. A bare "4%" beside "likely real" would read as 4 percent real.
 * @param {number} probability
 * @param {Language} strings
 * @param {Thresholds | null} thresholds
 */
function wordShare(probability, strings, thresholds) {
  return fill(strings.verdict.share, { percent: wordPercent(probability, strings, { thresholds }) });
}

/**
 * Draw a verdict.
 * @param {HTMLElement | ShadowRoot} root takes the drawing at its end
 * @param {Options} options
 * @returns {View}
 */
export function drawVerdict(root, options) {
  const prefix = `unmask-${(drawn += 1)}`;
  const stage = drawStage(options, prefix);
  const element = make("div", { class: "unmask", "data-verdict": options.verdict.verdict }, [
    make("div", { class: "unmask-columns" }, [stage.element, drawFacts(options)]),
  ]);
  root.append(element);
  return {
    element,
    destroy() {
      stage.destroy();
      element.remove();
    },
  };
}

/**
 * The picture with its faces and their evidence.
 * @param {Options} options
 * @param {string} prefix makes ids unique within the root
 * @returns {View}
 */
function drawStage({ verdict, picture, source, strings, thresholds }, prefix) {
  const words = strings.verdict;
  const { media, faces } = verdict;
  const canvas = make("canvas", { width: MAP_SIDE, height: MAP_SIDE, hidden: "" });
  const caption = make("p", { class: "unmask-caption" });
  const buttons = faces.map((face, index) => {
    const said = words.words[face.verdict];
    const probability = face.fake_probability;
    const share = probability === null ? "" : wordShare(probability, strings, thresholds);
    const sentence = share ? `${said} · ${share}` : said;
    const chip = make(
      "span",
      { class: "unmask-chip", "aria-hidden": "true", "data-number": faces.length > 1 ? index + 1 : "" },
      [
        drawIcon(face.verdict),
        make("span", { class: "unmask-words" }, [share ? `${said} · ` : said]),
        make("span", { class: "unmask-share" }, [share]),
      ],
    );
    // Who steers by voice says what stands on the face, so its name holds just that.
    const label = fill(words.face, { number: index + 1, count: faces.length, words: sentence });
    const button = make(
      "button",
      {
        class: "unmask-face",
        type: "button",
        "aria-label": label,
        "aria-pressed": "false",
        "data-verdict": face.verdict,
        "aria-describedby": `${prefix}-face-${index}`,
      },
      [chip],
    );
    Object.assign(button.style, placeBox(face.box, media));
    const [x, y, width] = face.box;
    button.dataset.side = x + width / 2 > media.width / 2 ? "right" : "left";
    // A chip stands above its face, or below it where the picture's edge is near.
    button.dataset.end = y / media.height > 0.1 ? "top" : "bottom";
    return button;
  });
  const descriptions = faces.map((face, index) =>
    make("span", { id: `${prefix}-face-${index}`, hidden: "" }, [
      face.evidence ? wordEvidence(face.evidence.grid, strings) : "",
    ]),
  );
  const image = make("img", { alt: fill(words.picture, { source }), draggable: "false" });
  const stage = make("div", { class: "unmask-stage" }, [
    image,
    make("div", { class: "unmask-layer" }, [canvas]),
    ...buttons,
    ...descriptions,
  ]);
  const ratio = media.width / media.height;
  stage.style.aspectRatio = String(ratio);
  // No taller than a screen can show, and small pictures are not blown up beyond use.
  stage.style.maxWidth = `min(100%, ${34 * ratio}em, max(${media.width}px, 18em))`;

  const hasMaps = faces.some((face) => face.evidence);
  const rest = hasMaps ? words.map.hint : "";
  caption.textContent = rest;
  const showMissing = () => {
    stage.dataset.missing = "";
    image.hidden = true;
    caption.before(make("p", { class: "unmask-missing" }, [words.pictureMissing]));
  };
  const figure = make("figure", { class: "unmask-figure" }, [stage, caption]);
  if (hasMaps) figure.append(drawLegend(strings));
  if (picture === null) showMissing();
  else {
    image.addEventListener("error", showMissing, { once: true });
    image.src = picture;
  }

  /** @type {number | null} */
  let pinned = null;
  /** @param {number | null} index */
  const show = (index) => {
    const evidence = index === null ? undefined : faces[index].evidence;
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === pinned)));
    figure.dataset.map = evidence ? String(index) : "";
    canvas.hidden = !evidence;
    caption.textContent = evidence
      ? fill(words.map.shown, { number: Number(index) + 1, areas: wordEvidence(evidence.grid, strings) })
      : rest;
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
  figure.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pinned = null;
    show(null);
  });
  figure.dataset.map = "";

  const observer = new ResizeObserver(() => shortenChips(stage, buttons));
  observer.observe(stage);
  return { element: figure, destroy: () => observer.disconnect() };
}

/**
 * Leave out words on the faces, then figures too, where they would cover each other; the list has them all.
 * @param {HTMLElement} stage
 * @param {HTMLElement[]} buttons
 */
function shortenChips(stage, buttons) {
  const frame = stage.getBoundingClientRect();
  for (const brevity of ["full", "figures", "numbers"]) {
    stage.dataset.chips = brevity;
    const chips = buttons.map((button) =>
      /** @type {Element} */ (button.firstElementChild).getBoundingClientRect(),
    );
    const crowded = chips.some(
      (a, i) =>
        a.left < frame.left - 1 ||
        a.right > frame.right + 1 ||
        chips.some(
          (b, j) => j > i && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom,
        ),
    );
    if (!crowded) return;
  }
}

/**
 * @param {Language} strings
 * @returns {HTMLElement}
 */
function drawLegend({ verdict: { map } }) {
  return make("div", { class: "unmask-legend" }, [
    make("span", { class: "unmask-raised" }, [map.raised]),
    make("span", { class: "unmask-lowered" }, [map.lowered]),
    make("span", { class: "unmask-caution" }, [map.caution]),
  ]);
}

/**
 * All that is said about the picture: verdict, figure, scale, faces, reasons, origin, actions.
 * @param {Options} options
 * @returns {HTMLElement}
 */
function drawFacts(options) {
  const { verdict, strings, thresholds } = options;
  const words = strings.verdict;
  const probability = verdict.fake_probability;
  const facts = make("div", { class: "unmask-facts" }, [
    make("h3", { class: "unmask-headline" }, [drawIcon(verdict.verdict), words.words[verdict.verdict]]),
  ]);
  if (probability !== null) {
    const decided = verdict.faces.findIndex(
      (face) => face.verdict === verdict.verdict && face.fake_probability === probability,
    );
    const figure = verdict.faces.length > 1 && decided >= 0 ? words.figureOfMany : words.figure;
    facts.append(
      make("p", { class: "unmask-probability" }, [
        make("strong", {}, [wordPercent(probability, strings, { thresholds })]),
        " ",
        make("span", {}, [fill(figure, { number: decided + 1 })]),
      ]),
      drawScale(probability, strings, thresholds),
    );
  }
  facts.append(make("p", { class: "unmask-meaning" }, [words.meanings[verdict.verdict]]));
  if (verdict.reasons.length > 0) {
    const notes = verdict.reasons.map((code) => make("li", {}, [wordReason(code, strings)]));
    facts.append(make("h4", {}, [words.reasonsTitle]), make("ul", { class: "unmask-reasons" }, notes));
  }
  if (verdict.faces.length > 1) facts.append(make("h4", {}, [words.facesTitle]), drawFaces(options));
  if (verdict.cached) facts.append(make("p", { class: "unmask-cached" }, [words.cached]));
  facts.append(drawOrigin(options), drawActions(options));
  return facts;
}

/**
 * The three bands, and where this picture lies on them.
 * @param {number} probability
 * @param {Language} strings
 * @param {Thresholds | null} thresholds
 * @returns {HTMLElement}
 */
function drawScale(probability, strings, thresholds) {
  const words = strings.verdict;
  const percent = wordPercent(probability, strings, { thresholds, long: true });
  const marker = make("span", { class: "unmask-marker" });
  marker.style.insetInlineStart = `${probability * 100}%`;
  if (!thresholds) {
    const track = make(
      "div",
      { class: "unmask-track", role: "img", "aria-label": fill(words.scale, { percent }) },
      [marker],
    );
    return make("div", { class: "unmask-scale" }, [
      track,
      make("p", { class: "unmask-missing" }, [words.noThresholds]),
    ]);
  }
  const bands = wordBands(thresholds, strings);
  const edges = {
    likely_real: thresholds.real_below,
    uncertain: thresholds.fake_above - thresholds.real_below,
    likely_fake: 1 - thresholds.fake_above,
  };
  const segments = Object.entries(edges).map(([band, part]) => {
    const segment = make("span", { class: "unmask-band", "data-verdict": band });
    segment.style.width = `${part * 100}%`;
    return segment;
  });
  const keys = [
    ["likely_real", fill(words.below, { percent: bands.real })],
    ["uncertain", words.between],
    ["likely_fake", fill(words.above, { percent: bands.fake })],
  ].map(([band, range]) =>
    make("span", { "data-verdict": band }, [
      make("b", {}, [words.words[/** @type {VerdictName} */ (band)]]),
      " ",
      range,
    ]),
  );
  return make(
    "div",
    { class: "unmask-scale", role: "img", "aria-label": fill(words.scaleBands, { percent, ...bands }) },
    [
      make("div", { class: "unmask-track" }, [...segments, marker]),
      make("div", { class: "unmask-keys" }, keys),
    ],
  );
}

/**
 * @param {Options} options
 * @returns {HTMLElement}
 */
function drawFaces({ verdict, strings, thresholds }) {
  const rows = verdict.faces.map((face, index) =>
    make("li", { "data-verdict": face.verdict }, [
      drawIcon(face.verdict),
      make("span", {}, [fill(strings.verdict.faceName, { number: index + 1 })]),
      make("span", {}, [strings.verdict.words[face.verdict]]),
      make("span", { class: "unmask-value" }, [
        face.fake_probability === null ? "" : wordShare(face.fake_probability, strings, thresholds),
      ]),
    ]),
  );
  return make("ul", { class: "unmask-faces" }, rows);
}

/**
 * What was checked, when, and by which model.
 * @param {Options} options
 * @returns {HTMLElement}
 */
function drawOrigin({ verdict, source, strings }) {
  const words = strings.verdict;
  const { media, model } = verdict;
  const time = new Intl.DateTimeFormat(strings.locale, { dateStyle: "medium", timeStyle: "long" });
  const checked = new Date(verdict.checked_at);
  const shown = Number.isNaN(checked.getTime()) ? verdict.checked_at : time.format(checked);
  /** @type {[string, Node | string][]} */
  const rows = [
    [words.file, source],
    [words.media, fill(words.mediaSize, { ...media, format: media.format.toUpperCase() })],
    [words.checkedAt, make("time", { datetime: verdict.checked_at }, [shown])],
    [words.model, `${model.name} ${model.version}`],
    [words.sha256, make("code", {}, [media.sha256])],
  ];
  return make(
    "dl",
    { class: "unmask-origin" },
    rows.flatMap(([term, value]) => [make("dt", {}, [term]), make("dd", {}, [make("bdi", {}, [value])])]),
  );
}

/**
 * @param {Options} options
 * @returns {HTMLElement}
 */
function drawActions(options) {
  const words = options.strings.verdict;
  const { onForget } = options;
  const state = make("p", { class: "unmask-state", role: "status" });
  const copy = make("button", { type: "button", class: "unmask-action" }, [words.copy]);
  const actions = make("div", { class: "unmask-actions" }, [copy]);
  copy.addEventListener("click", async () => {
    const report = writeReport(options);
    try {
      await navigator.clipboard.writeText(report);
      state.textContent = words.copied;
    } catch {
      // Outside a secure context there is no clipboard, yet the report can still be taken along.
      const text = make("textarea", { readonly: "", rows: 8, "aria-label": words.copyByHand });
      text.value = report;
      state.replaceChildren(words.copyByHand);
      actions.querySelector("textarea")?.remove();
      actions.append(text);
      text.select();
    }
  });
  if (onForget) {
    const forget = make("button", { type: "button", class: "unmask-action" }, [words.forget]);
    forget.addEventListener("click", async () => {
      state.textContent = words.forgetting;
      try {
        await onForget();
      } catch {
        state.textContent = words.forgetFailed;
      }
    });
    actions.append(forget);
  }
  actions.append(state);
  return actions;
}

/**
 * @param {VerdictName} verdict
 * @returns {SVGSVGElement}
 */
function drawIcon(verdict) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("class", "unmask-icon");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[verdict] ?? ICONS.uncertain);
  icon.append(path);
  return icon;
}

/**
 * Make an element. Children that are strings become text, never markup.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number>} [attributes]
 * @param {(Node | string)[]} [children]
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function make(name, attributes = {}, children = []) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  element.append(...children);
  return element;
}
