/**
 * Draws one verdict into any root: an element of a page, or the shadow root of the extension's card.
 *
 * It touches nothing outside its root, keeps no globals and brings no style of its own: the root needs
 * verdict_view.css, as a link or as an adopted style sheet. Data reaches the document as text only.
 */

import { drawDeclared } from "./declared_view.js";
import { drawIcon, make } from "./elements.js";
import { drawFaceLayer } from "./face_layer.js";
import { drawKnowledge } from "./knowledge_view.js";
import { writeReport } from "./report.js";
import { drawTimeline } from "./timeline_view.js";
import { findDecisive, gatherFrame } from "./verdict.js";
import {
  fill,
  wordBands,
  wordCoverage,
  wordDate,
  wordEvidence,
  wordMedia,
  wordPercent,
  wordPoint,
  wordReason,
  wordShare,
  wordTime,
} from "./words.js";

/** @typedef {import("./face_layer.js").FaceLayer} FaceLayer */
/** @typedef {import("./strings.js").Language} Language */
/** @typedef {import("./verdict.js").Box} Box */
/** @typedef {import("./verdict.js").Thresholds} Thresholds */
/** @typedef {import("./verdict.js").Track} Track */
/** @typedef {import("./verdict.js").Verdict} Verdict */
/** @typedef {import("./verdict.js").VerdictName} VerdictName */

/**
 * @typedef {object} View
 * @property {HTMLElement} element what was drawn
 * @property {(visible: Box) => void} crop tells which part of the picture can be seen
 * @property {() => void} destroy takes it away and stops listening
 */

/**
 * @typedef {object} Options
 * @property {Verdict} verdict
 * @property {string | null} picture address of the picture for an <img>; the caller owns it
 * @property {string[]} [frames] addresses of a video's frames, by their index
 * @property {string} [film] address of the video itself, in which frames are found by their times; the caller owns it
 * @property {string} source what was checked, in words: a file's name, "poster", "current frame"
 * @property {Language} strings
 * @property {Thresholds | null} thresholds null where they could not be loaded
 * @property {import("./service.js").Model | null} [model] what it knows; null or left out where that is not known
 * @property {import("./verdict.js").Credentials | null} [credentials] read from the picture in this browser
 * @property {string | null} [before] ISO time at which this browser got the same answer
 * @property {boolean} [compact] one narrow column, with what is rarely read folded away
 * @property {boolean} [showBand] the scale with its three bands; true unless it is said otherwise
 * @property {HTMLElement} [over] lies over the whole picture where it stands already, and takes the faces in
 *   place of a copy of it
 * @property {Node[]} [notes] more to say about this verdict
 * @property {HTMLButtonElement[]} [actions] more to do with it
 * @property {() => Promise<void>} [onForget] deletes the check; without it there is no such button
 * @property {() => void} [onSignIn] leads to where a person signs in, where the service wants that before it
 *   deletes a check
 * @property {import("./flag_form.js").FlagForm} [flag] flags the verdict for re-check; the caller keeps it, and
 *   without it there is no such button
 * @property {(report: string) => Promise<void>} [onCopy] copies a text, where the page itself may not
 */

// No taller than a screen can show, or a card beside other things; em.
const STAGE_HEIGHT = 34;
const COMPACT_STAGE_HEIGHT = 18;
// Times are rounded to milliseconds; so far behind one, the frame is surely the one that begins there.
const INTO_FRAME_S = 0.004;

/**
 * Draw a verdict.
 * @param {HTMLElement | ShadowRoot} root takes the drawing at its end
 * @param {Options} options
 * @returns {View}
 */
export function drawVerdict(root, options) {
  const figure = drawFigure(options);
  const { compact, verdict } = options;
  const facts = make("div", { class: "unmask-facts" }, [
    ...drawFindings(options),
    ...(compact ? [figure.element] : []),
    ...drawCircumstances(options),
  ]);
  const element = make(
    "div",
    { class: compact ? "unmask unmask-compact" : "unmask", "data-verdict": verdict.verdict },
    [compact ? facts : make("div", { class: "unmask-columns" }, [figure.element, facts])],
  );
  root.append(element);
  return {
    element,
    crop: figure.crop,
    destroy() {
      figure.destroy();
      element.remove();
    },
  };
}

/**
 * What there is to look at, and the words of the map.
 * @param {Options} options
 * @returns {View}
 */
function drawFigure(options) {
  return options.verdict.tracks?.length ? drawClip(options, options.verdict.tracks) : drawStill(options);
}

/**
 * The picture with its faces. Where it stands already, only the words are drawn here.
 * @param {Options} options
 * @returns {View}
 */
function drawStill(options) {
  const { verdict, strings, thresholds, picture, frames, source, over } = options;
  const { media, faces } = verdict;
  const { map, picture: alt } = strings.verdict;
  const shown = frames?.[0] ?? picture;
  // A video without its frames has nothing to look at; a picture without its file still has its faces.
  const stage = over || (media.kind === "video" && shown === null) ? null : drawStage(options);
  const hasMaps = faces.some((face) => face.evidence);
  const rest = hasMaps ? map.hint : "";
  const caption = make("p", { class: "unmask-caption" }, [rest]);
  const figure = make("figure", { class: "unmask-figure", "data-map": "" }, [caption]);
  if (stage) figure.prepend(stage.element);
  stage?.show(shown, fill(alt, { source }));
  if (hasMaps) figure.append(drawLegend(strings));
  figure.hidden = stage === null && rest === "";

  const layer = drawFaceLayer({
    faces,
    numbers: faces.map((_, index) => index + 1),
    count: faces.length,
    media,
    strings,
    thresholds,
    onShow: (index) => {
      const evidence = index === null ? undefined : faces[index].evidence;
      figure.dataset.map = evidence ? String(index) : "";
      caption.textContent = evidence
        ? fill(map.shown, { number: Number(index) + 1, areas: wordEvidence(evidence.grid, strings) })
        : rest;
    },
  });
  const cover = make("div", { class: "unmask" });
  if (over) over.append(cover);
  (over ? cover : stage?.element)?.append(layer.element);
  return {
    element: figure,
    crop: layer.crop,
    destroy() {
      layer.destroy();
      cover.remove();
    },
  };
}

/**
 * A video's timeline, and the frame of the point that is chosen on it.
 * @param {Options} options
 * @param {Track[]} tracks at least one
 * @returns {View}
 */
function drawClip(options, tracks) {
  const { verdict, strings, frames, film, source } = options;
  const { timeline, frame: alt } = strings.verdict;
  // A point is judged as a frame alone.
  const thresholds = options.thresholds?.frame ?? options.thresholds;
  const stage = film ? drawFilm(options, film) : frames?.length ? drawStage(options) : null;
  const caption = make("p", { class: "unmask-caption" });
  const figure = make("figure", { class: "unmask-figure" });
  /** @type {FaceLayer | undefined} */
  let layer;

  /** @param {number} track @param {number} index */
  const tell = (track, index) => {
    const { evidence } = tracks[track].points[index];
    const areas = evidence ? wordEvidence(evidence.grid, strings) : "";
    figure.dataset.map = String(track);
    caption.textContent = `${wordPoint({ track, index }, { tracks, strings, thresholds })}. ${areas}`;
    chart.mark(track, index);
  };
  /** @param {number} track @param {number} index */
  const choose = (track, index) => {
    tell(track, index);
    const { frame, time } = tracks[track].points[index];
    if (!stage) return;
    stage.show(frames?.[frame] ?? null, fill(alt, { time: wordTime(time, strings), source }), time);
    const seen = gatherFrame(tracks, frame);
    layer?.destroy();
    layer = drawFaceLayer({
      faces: seen.map(({ face }) => face),
      numbers: seen.map((one) => one.track + 1),
      count: tracks.length,
      media: verdict.media,
      strings,
      thresholds,
      onShow(which) {
        if (which !== null) tell(seen[which].track, seen[which].index);
        else {
          figure.dataset.map = "";
          caption.textContent = timeline.hint;
        }
      },
    });
    stage.element.append(layer.element);
    layer.pin(seen.findIndex((one) => one.track === track));
  };
  const chart = drawTimeline({ tracks, strings, thresholds }, choose);
  const coverage = make("p", { class: "unmask-coverage" }, [wordCoverage(verdict, strings)]);
  figure.append(...(stage ? [stage.element] : []), chart.element, coverage, caption, drawLegend(strings));
  const decided = Math.max(0, findDecisive(verdict));
  choose(decided, tracks[decided].worst);
  return { element: figure, crop: () => {}, destroy: () => layer?.destroy() };
}

/**
 * What faces lie on; `show` takes the address of a picture, what it shows in words, and its time in a video.
 * @typedef {object} Stage
 * @property {HTMLElement} element
 * @property {(address: string | null, alt: string, time?: number) => void} show
 */

/**
 * A copy of the picture, as large as it fits, for faces to lie on.
 * @param {Options} options
 * @returns {Stage}
 */
function drawStage(options) {
  const image = make("img", { draggable: "false" });
  const { element, setMissing } = setStage(image, options, options.strings.verdict.pictureMissing);
  return {
    element,
    show(address, alt) {
      image.alt = alt;
      if (address !== null && address === image.getAttribute("src")) return;
      setMissing(address === null);
      if (address !== null) image.src = address;
    },
  };
}

/**
 * The video itself, standing still at the time that is shown.
 * @param {Options} options
 * @param {string} address
 * @returns {Stage}
 */
function drawFilm(options, address) {
  const video = make("video", { src: address, preload: "auto", playsinline: "", role: "img" });
  video.muted = true;
  const { element } = setStage(video, options, options.strings.verdict.videoMissing);
  return {
    element,
    show(_, alt, time = 0) {
      video.ariaLabel = alt;
      video.currentTime = time + INTO_FRAME_S;
    },
  };
}

/**
 * Give a picture or video its place, and say so where the browser cannot show it.
 * @param {HTMLImageElement | HTMLVideoElement} view
 * @param {Options} options
 * @param {string} words
 * @returns {{element: HTMLElement, setMissing: (missing: boolean) => void}}
 */
function setStage(view, { verdict: { media }, compact }, words) {
  const stage = make("div", { class: "unmask-stage" }, [view]);
  const ratio = media.width / media.height;
  stage.style.aspectRatio = String(ratio);
  const height = compact ? COMPACT_STAGE_HEIGHT : STAGE_HEIGHT;
  // Small pictures are not blown up beyond use.
  stage.style.maxWidth = `min(100%, ${height * ratio}em, max(${media.width}px, 18em))`;
  const note = make("p", { class: "unmask-missing" }, [words]);
  /** @param {boolean} missing */
  const setMissing = (missing) => {
    view.hidden = missing;
    stage.toggleAttribute("data-missing", missing);
    if (missing) stage.after(note);
    else note.remove();
  };
  view.addEventListener("error", () => setMissing(true));
  return { element: stage, setMissing };
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
 * What came out: verdict, figure, scale, meaning, reasons; then what the file says of itself.
 * @param {Options} options
 * @returns {Node[]}
 */
function drawFindings({ verdict, credentials, strings, thresholds, model = null, showBand = true, notes = [] }) {
  const words = strings.verdict;
  const probability = verdict.fake_probability;
  /** @type {Node[]} */
  const findings = [
    make("h3", { class: "unmask-headline" }, [drawIcon(verdict.verdict), words.words[verdict.verdict]]),
  ];
  const meanings = verdict.media.kind === "video" ? words.meaningsOfVideo : words.meanings;
  const meaning = make("p", { class: "unmask-meaning" }, [meanings[verdict.verdict]]);
  // A low figure is read only after what it is worth.
  const clear = verdict.verdict === "no_traces";
  if (clear) findings.push(meaning);
  if (probability !== null) {
    const decided = findDecisive(verdict);
    const many = verdict.faces.length > 1 && decided >= 0;
    const figure = clear ? words.figureWithoutTraces : many ? words.figureOfMany : words.figure;
    findings.push(
      make("p", { class: "unmask-probability" }, [
        make("strong", {}, [wordPercent(probability, strings, { thresholds })]),
        " ",
        make("span", {}, [fill(figure, { number: decided + 1 })]),
      ]),
    );
    if (showBand) findings.push(drawScale(probability, strings, thresholds));
  }
  if (!clear) findings.push(meaning);
  findings.push(drawKnowledge(model, strings));
  if (verdict.reasons.length > 0) {
    const reasons = verdict.reasons.map((code) => make("li", {}, [wordReason(code, strings)]));
    findings.push(make("h4", {}, [words.reasonsTitle]), make("ul", { class: "unmask-reasons" }, reasons));
  }
  const declared = drawDeclared({ verdict, credentials }, strings);
  if (declared) findings.push(declared);
  return [...findings, ...notes];
}

/**
 * What goes with it: faces, earlier checks, origin, actions.
 * @param {Options} options
 * @returns {Node[]}
 */
function drawCircumstances(options) {
  const { verdict, strings, before, compact } = options;
  const words = strings.verdict;
  /** @type {Node[]} */
  const nodes = [];
  if (verdict.faces.length > 1) nodes.push(make("h4", {}, [words.facesTitle]), drawFaces(options));
  if (before) {
    const time = wordDate(before, strings, { dateStyle: "medium", timeStyle: "short" });
    nodes.push(make("p", { class: "unmask-cached" }, [fill(words.before, { time })]));
  } else if (verdict.cached) nodes.push(make("p", { class: "unmask-cached" }, [words.cached]));
  if (!compact) return [...nodes, drawOrigin(options), drawActions(options)];
  return [...nodes, drawActions(options), drawFold(words.details, drawOrigin(options))];
}

/**
 * @param {string} title
 * @param {HTMLElement} content
 * @returns {HTMLElement}
 */
function drawFold(title, content) {
  return make("details", { class: "unmask-fold" }, [make("summary", {}, [title]), content]);
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
    no_traces: thresholds.no_traces_below,
    uncertain: thresholds.fake_above - thresholds.no_traces_below,
    likely_fake: 1 - thresholds.fake_above,
  };
  const segments = Object.entries(edges).map(([band, part]) => {
    const segment = make("span", { class: "unmask-band", "data-verdict": band });
    segment.style.width = `${part * 100}%`;
    return segment;
  });
  const keys = [
    ["no_traces", fill(words.below, { percent: bands.low })],
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
        face.fake_probability === null ? "" : wordShare(face.fake_probability, face.verdict, strings, thresholds),
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
  const checked = wordDate(verdict.checked_at, strings, { dateStyle: "medium", timeStyle: "long" });
  const size = wordMedia(media);
  /** @type {[string, Node | string][]} */
  const rows = [
    [words.file, source],
    media.kind === "video"
      ? [words.video, fill(words.videoSize, size)]
      : [words.media, fill(words.mediaSize, size)],
    [words.checkedAt, make("time", { datetime: verdict.checked_at }, [checked])],
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
  const { onForget, flag, onCopy = copyText, actions = [] } = options;
  const state = make("p", { class: "unmask-state", role: "status" });
  const copy = make("button", { type: "button", class: "unmask-action" }, [words.copy]);
  const row = make("div", { class: "unmask-actions" }, [...actions, copy]);
  copy.addEventListener("click", async () => {
    const report = writeReport({ ...options, limits: options.model?.limits });
    try {
      await onCopy(report);
      state.textContent = words.copied;
    } catch {
      // Outside a secure context there is no clipboard, yet the report can still be taken along.
      const text = make("textarea", { class: "unmask-report", readonly: "", rows: 8, "aria-label": words.copyByHand });
      text.value = report;
      state.replaceChildren(words.copyByHand);
      row.querySelector(".unmask-report")?.remove();
      row.append(text);
      text.select();
    }
  });
  if (flag) row.append(flag.draw(options.strings, state));
  if (onForget) {
    row.append(
      drawDeed(words.forget, onForget, state, {
        doing: words.forgetting,
        done: "",
        failed: (error) => drawForgetFailure(error, options),
      }),
    );
  }
  row.append(state);
  return row;
}

/**
 * @param {unknown} error
 * @param {Options} options
 * @returns {(Node | string)[]}
 */
function drawForgetFailure(error, { strings, onSignIn }) {
  const words = strings.verdict;
  // From the worker of an extension only the kind comes through, as the message.
  if (!(error instanceof Error) || error.message !== "sign_in") return [words.forgetFailed];
  if (!onSignIn) return [words.forgetSignIn];
  const button = make("button", { type: "button", class: "unmask-action" }, [words.signIn]);
  button.addEventListener("click", onSignIn);
  return [words.forgetSignIn, " ", button];
}

/** @param {string} text */
function copyText(text) {
  return navigator.clipboard.writeText(text);
}

/**
 * A button for what needs to be done once, and may fail.
 * @param {string} name
 * @param {() => Promise<void>} act
 * @param {HTMLElement} state says how it went
 * @param {{doing: string, done: string, failed: (error: unknown) => (Node | string)[]}} words
 * @returns {HTMLButtonElement}
 */
function drawDeed(name, act, state, words) {
  const button = make("button", { type: "button", class: "unmask-action" }, [name]);
  button.addEventListener("click", async () => {
    // Not `disabled`: that would throw the focus out.
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    state.textContent = words.doing;
    try {
      await act();
      state.textContent = words.done;
    } catch (error) {
      state.replaceChildren(...words.failed(error));
      button.ariaDisabled = null;
    }
  });
  return button;
}
