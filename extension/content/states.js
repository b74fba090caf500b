/** What the card says before there is a verdict, and where there is none. Each piece is nodes and no more. */

import { isLoopback } from "../common/hosts.js";
import { make, SVG } from "../shared/elements.js";
import { fill } from "../shared/words.js";

/** @typedef {import("../common/languages.js").Strings} Strings */

/** @typedef {"looking" | "fetching" | "capturing" | "sending" | "sampling"} Step */

/** @typedef {{done?: number, of?: number}} Count */

/** @typedef {{label: string, thumbnail: string | null, width: number, height: number}} Candidate */

/**
 * What a person is asked to agree to.
 * @typedef {object} Notice
 * @property {string} host
 * @property {number} bytes
 * @property {string} [reached] what was got hold of: a code such as "screenshot", or words
 * @property {number} [frames] how many, of a video
 */

/** @typedef {keyof Strings["failures"]} FailureKind */

/**
 * @typedef {object} Failure
 * @property {FailureKind} kind
 * @property {string} [explanation] the service's own sentence
 * @property {number} [retryAfter] seconds
 */

/**
 * What can be done about a failure; each becomes a button.
 * @typedef {object} Ways
 * @property {() => void} [retry]
 * @property {() => void} [area]
 * @property {{host: string, act: () => void}} [allow]
 * @property {() => void} [settings]
 * @property {() => void} [shown]
 */

// From here on a person wonders whether anything still happens.
export const LONG_MS = 5000;

/** Failures that end in the settings: another address, a key, an account, another version. */
export const SETTLED_IN_SETTINGS = ["offline", "forbidden", "sign_in", "too_old", "too_new"];

/**
 * @param {string} words
 * @param {() => void} act
 * @param {string} [rank] its class: "main" for what is most likely wanted
 * @returns {HTMLButtonElement}
 */
export function drawButton(words, act, rank = "quiet") {
  const button = make("button", { type: "button", class: rank }, [words]);
  button.addEventListener("click", () => act());
  return button;
}

/**
 * @param {string} viewBox
 * @param {string[]} paths
 * @returns {SVGSVGElement}
 */
export function drawShape(viewBox, paths) {
  const shape = document.createElementNS(SVG, "svg");
  shape.setAttribute("viewBox", viewBox);
  shape.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    shape.append(path);
  }
  return shape;
}

/**
 * A sentence that takes the focus when a person is asked something.
 * @param {string} words
 * @returns {HTMLElement}
 */
function drawTitle(words) {
  return make("h3", { tabindex: "-1", class: "title" }, [words]);
}

/**
 * Several pictures lie at the same place: which one is meant?
 * @param {Strings} strings
 * @param {Candidate[]} candidates
 * @param {(index: number) => void} onPick
 * @returns {Node[]}
 */
export function drawChoice(strings, candidates, onPick) {
  const words = strings.card.choice;
  const rows = candidates.map(({ label, thumbnail, width, height }, index) => {
    const blank = drawShape("0 0 24 24", ["M3 5h18v14H3z", "M3 16l5-5 4 4 4-4 5 5"]);
    const picture = make("span", { class: "thumbnail" }, [blank]);
    if (thumbnail !== null) {
      const image = make("img", { src: thumbnail, alt: "" });
      image.addEventListener("error", () => image.replaceWith(blank), { once: true });
      blank.replaceWith(image);
    }
    const size = width > 0 ? fill(words.size, { width: Math.round(width), height: Math.round(height) }) : "";
    const text = make("span", {}, [
      make("bdi", { class: "name" }, [label]),
      make("span", { class: "soft" }, [size]),
    ]);
    const button = make("button", { type: "button", class: "candidate" }, [picture, text]);
    button.addEventListener("click", () => onPick(index));
    return make("li", {}, [button]);
  });
  return [
    drawTitle(words.title),
    make("p", {}, [words.explanation]),
    make("ul", { class: "candidates" }, rows),
  ];
}

/** How far a check has come. */
export class Progress {
  /** @param {Strings} strings */
  constructor({ card }) {
    this.card = card;
    this.words = make("p", { class: "step" });
    this.bar = make("div", { class: "progress", role: "progressbar", "aria-label": card.progress });
    this.long = make("p", { class: "soft", hidden: "" });
    this.onStop = () => {};
    /** @type {Step | null} */
    this.step = null;
    this.nodes = [this.words, this.bar, this.long, drawButton(card.stop, () => this.onStop())];
  }

  /**
   * @param {Step} step
   * @param {Count | undefined} count
   * @param {() => void} onStop
   * @param {(words: string) => void} announce
   */
  show(step, count, onStop, announce) {
    const { card } = this;
    this.onStop = onStop;
    const counted = count?.of ? fill(card.counted, { ...count }) : "";
    this.words.replaceChildren(card.steps[step], " ", make("span", { class: "soft" }, [counted]));
    this.setBar(count);
    if (this.step === step) return;
    this.step = step;
    announce(card.steps[step]);
    this.stop();
    this.long.hidden = true;
    this.timer = setTimeout(() => {
      this.long.textContent = step === "sending" ? card.longSending : card.long;
      this.long.hidden = false;
      announce(this.long.textContent);
    }, LONG_MS);
  }

  /** @param {Count} [count] */
  setBar({ done, of } = {}) {
    const known = done !== undefined && of !== undefined && of > 0;
    this.bar.toggleAttribute("data-known", known);
    this.bar.ariaValueNow = known ? String(done) : null;
    this.bar.ariaValueMax = known ? String(of) : null;
    this.bar.style.setProperty("--done", known ? `${(done / of) * 100}%` : "0%");
  }

  /** Nothing more is said of itself. */
  stop() {
    clearTimeout(this.timer);
  }
}

/**
 * Before anything is sent to a host for the first time.
 * @param {Strings} strings
 * @param {Notice} notice
 * @param {(agreed: boolean) => void} onAnswer
 * @returns {Node[]}
 */
export function drawConsent(strings, { host, bytes, reached, frames }, onAnswer) {
  const words = strings.card.consent;
  const asked = frames ? words.video : words.picture;
  const local = isLoopback(host);
  const size = wordSize(bytes, strings.locale);
  const names = /** @type {Record<string, string>} */ (words.reached);
  const sent = frames
    ? fill(words.sentFrames, { frames, size })
    : reached
      ? fill(words.sentReached, { reached: names[reached] ?? reached, size })
      : fill(words.sent, { size });
  /** @type {[string, string[]][]} */
  const rows = [
    [words.sentTitle, [sent, words.notSent]],
    [fill(words.thereTitle, { host }), [words.there]],
    [words.hereTitle, [words.here]],
  ];
  return [
    drawTitle(fill(local ? asked.titleLocal : asked.title, { host })),
    make("p", {}, [fill(local ? asked.leadLocal : asked.lead, { host })]),
    make(
      "dl",
      { class: "terms" },
      rows.flatMap(([term, sentences]) => [
        make("dt", {}, [term]),
        ...sentences.map((sentence) => make("dd", {}, [sentence])),
      ]),
    ),
    make("p", { class: "soft" }, [words.once]),
    make("div", { class: "ways" }, [
      drawButton(words.agree, () => onAnswer(true), "main"),
      drawButton(words.decline, () => onAnswer(false)),
    ]),
  ];
}

/**
 * @param {number} bytes
 * @param {string} locale
 * @returns {string} in kB, from 1000 kB on in MB
 */
export function wordSize(bytes, locale) {
  const large = bytes >= 999_500;
  const format = new Intl.NumberFormat(locale, {
    style: "unit",
    unit: large ? "megabyte" : "kilobyte",
    maximumFractionDigits: large ? 1 : 0,
  });
  return format.format(large ? bytes / 1e6 : Math.max(1, bytes / 1000));
}

/** A check that brought no verdict, and what can be done about it. */
export class Setback {
  /**
   * @param {Strings} strings
   * @param {Failure} failure
   * @param {Ways} ways
   */
  constructor({ card, failures }, { kind, explanation, retryAfter = 0 }, ways) {
    const words = card.failure;
    const { title, explanation: ours } = failures[kind] ?? failures.server;
    this.words = words;
    this.title = title;
    this.seconds = retryAfter;
    this.state = make("p", { class: "soft", hidden: "" });
    this.retry = ways.retry && drawButton(words.retry, ways.retry);
    const buttons = [
      this.retry,
      ways.allow && drawButton(fill(words.allow, { host: ways.allow.host }), ways.allow.act),
      ways.shown && drawButton(words.shown, ways.shown),
      ways.area && drawButton(words.area, ways.area),
      ways.settings && drawButton(words.settings, ways.settings),
    ].filter((button) => button !== undefined);
    if (buttons[0]) buttons[0].className = "main";
    const quote = make("q", { dir: "auto" }, [explanation ?? ""]);
    this.nodes = [
      make("h3", { class: "title" }, [title]),
      make("p", {}, [ours]),
      ...(explanation ? [make("p", { class: "quoted" }, [words.service, " ", quote])] : []),
      make("p", { class: "soft" }, [words.notAVerdict]),
      this.state,
      make("div", { class: "ways" }, buttons),
    ];
  }

  /**
   * Say it aloud, and count down to the moment from which the service may be asked again.
   * @param {(words: string) => void} announce
   */
  start(announce) {
    const { words, title, state, retry, seconds } = this;
    announce(fill(words.announce, { title }));
    if (seconds === 0) return;
    // A clock and not a count of ticks: browsers slow the timers of a page that is not looked at.
    const end = performance.now() + seconds * 1000;
    state.hidden = false;
    if (retry) retry.disabled = true;
    const tick = () => {
      const left = Math.ceil((end - performance.now()) / 1000);
      if (left > 0) {
        state.textContent = fill(words.wait, { seconds: left });
        return;
      }
      this.stop();
      state.textContent = words.waited;
      if (retry) retry.disabled = false;
      announce(words.waited);
    };
    this.timer = setInterval(tick, 1000);
    tick();
  }

  stop() {
    clearInterval(this.timer);
  }
}
