/**
 * The card beside a picture: asks, shows how far a check has come, shows what came out.
 *
 * It draws only. What it stands beside, what to say and what to do on a press is told to it.
 */

import { wordDeclared } from "../shared/declared.js";
import { make } from "../shared/elements.js";
import { FlagForm } from "../shared/flag_form.js";
import { drawVerdict } from "../shared/verdict_view.js";
import { fill, wordVerdict } from "../shared/words.js";
import { Host, findFocus } from "./host.js";
import { Layer, follow } from "./layer.js";
import { canHoldFaces, cropPicture, isNarrow, keepInside, placeCard } from "./placement.js";
import { Progress, Setback, drawButton, drawChoice, drawConsent, drawShape } from "./states.js";

/** @typedef {import("../common/languages.js").Strings} Strings */
/** @typedef {import("../shared/verdict.js").Verdict} Verdict */
/** @typedef {import("../shared/verdict.js").Thresholds} Thresholds */
/** @typedef {import("../shared/verdict_view.js").View} View */
/** @typedef {import("./placement.js").Anchor} Anchor */
/** @typedef {import("./states.js").Candidate} Candidate */
/** @typedef {import("./states.js").Count} Count */
/** @typedef {import("./states.js").Failure} Failure */
/** @typedef {import("./states.js").Notice} Notice */
/** @typedef {import("./states.js").Step} Step */
/** @typedef {import("./states.js").Ways} Ways */

/** @typedef {"choice" | "progress" | "consent" | "verdict" | "forgotten" | "failure"} State */

/**
 * @typedef {object} Surroundings
 * @property {Strings} strings
 * @property {string[]} sheets CSS: palette.css, card.css and verdict_view.css
 * @property {"system" | "light" | "dark"} theme
 * @property {() => Anchor | null} anchor where the picture stands now; null where it is gone
 * @property {() => Element} container where the card must hang to be seen and to be alive
 * @property {() => void} onClose
 * @property {() => void} [onExpelled] the page does not let it stay; it closes after that
 */

/**
 * A verdict and all that is known of how it came about.
 * @typedef {object} Outcome
 * @property {Verdict} verdict
 * @property {import("../shared/verdict.js").Credentials | null} [credentials] what the picture itself states
 * @property {string | null} picture blob: address, owned by the caller
 * @property {string[]} [frames] addresses of a video's frames, owned by the caller
 * @property {string} source what was reached, in words
 * @property {Thresholds | null} thresholds
 * @property {import("../shared/service.js").Model | null} model what it knows; null where that could not be loaded
 * @property {string | null} before ISO time at which this browser checked it before
 * @property {{host: string} | null} better where the original file could be had
 * @property {boolean} flags whether the service takes flags
 * @property {boolean} video whether "Check this video" is offered
 * @property {boolean} still whether it is a frame of a video that is not playing
 * @property {boolean} [poster] whether it is the picture that stands for a video
 * @property {boolean} [showBand] false leaves the scale with its bands out
 */

/**
 * @typedef {object} Handlers
 * @property {() => Promise<void>} [onForget] deletes the check, there and here
 * @property {import("../shared/flag.js").Flagging} [flagging]
 * @property {() => void} [onSignIn] leads to where a person signs in
 * @property {() => void} [onAgain]
 * @property {() => void} [onBetter]
 * @property {() => void} [onVideo]
 * @property {() => void} [onDetails] opens the side panel
 * @property {(report: string) => Promise<void>} [onCopy] copies a text, where the page itself may not
 */

/** What is drawn at one picture, until it is closed. */
export class Card {
  /** @param {Surroundings} surroundings */
  constructor({ strings, sheets, theme, anchor, container, onClose, onExpelled }) {
    this.strings = strings;
    this.anchor = anchor;
    this.onClose = onClose;
    this.onExpelled = onExpelled;
    this.host = new Host(sheets, container);
    this.layer = new Layer();
    this.closing = new AbortController();
    /** @type {"new" | "open" | "closed"} */
    this.life = "new";
    /** @type {State | null} */
    this.state = null;
    /** @type {Progress | null} */
    this.progress = null;
    /** @type {Result | null} */
    this.result = null;
    /** Takes away what the present state left running. */
    this.leave = () => {};
    /** @type {HTMLElement | null} what had the focus before the card */
    this.returnTo = null;
    // Where it stands, and what that was worked out from.
    this.anchored = false;
    this.seen = "";
    /** @type {{side: import("./placement.js").Side, x: number, y: number} | null} */
    this.placed = null;
    /** @type {{x: number, y: number} | null} */
    this.dragged = null;

    const { card: words, direction, locale } = strings;
    this.status = make("span", { class: "status" });
    this.title = make("h2", { id: "title", tabindex: "-1" }, [words.name, " ", this.status]);
    const close = drawButton("", () => this.close(), "close");
    close.ariaLabel = words.close;
    close.append(drawShape("0 0 24 24", ["M6 6l12 12M18 6L6 18"]));
    this.header = make("div", { class: "header" }, [drawMark(), this.title, close]);
    this.lost = make("p", { class: "lost", hidden: "" }, [words.lost]);
    this.body = make("div", { class: "body" });
    this.live = make("p", { class: "unseen", role: "status" });
    // A press on mere text keeps the focus in here, and so the keys away from the page.
    this.panel = make("div", { class: "panel", tabindex: "-1" }, [
      this.live,
      this.header,
      this.lost,
      this.body,
    ]);
    this.frame = make("div", { class: "frame palette", role: "dialog", "aria-labelledby": "title", dir: direction }, [
      this.panel,
      this.layer.element,
    ]);
    this.frame.lang = locale;
    this.frame.dataset.theme = theme;
    this.host.root.append(this.frame);
  }

  /**
   * Several pictures lie there: ask which one is meant.
   * @param {Candidate[]} candidates
   * @param {(index: number) => void} onPick
   */
  showChoice(candidates, onPick) {
    this.present("choice", drawChoice(this.strings, candidates, onPick));
    this.focus();
  }

  /**
   * @param {Step} step
   * @param {Count | undefined} count
   * @param {() => void} onStop
   */
  showProgress(step, count, onStop) {
    if (this.life === "closed") return;
    if (!this.progress) {
      const progress = new Progress(this.strings);
      this.present("progress", progress.nodes, () => {
        progress.stop();
        this.progress = null;
      });
      this.progress = progress;
    }
    this.progress.show(step, count, onStop, (words) => this.announce(words));
  }

  /**
   * Before the first picture goes to a host: say what is sent and what is kept, and ask.
   * @param {Notice} notice
   * @param {(agreed: boolean) => void} onAnswer
   */
  showConsent(notice, onAnswer) {
    this.present("consent", drawConsent(this.strings, notice, onAnswer));
    this.focus();
  }

  /**
   * @param {Outcome} outcome
   * @param {Handlers} handlers
   */
  showVerdict(outcome, handlers) {
    const { strings } = this;
    const { onForget } = handlers;
    const root = make("div");
    const result = new Result(root, this.layer, strings, outcome, {
      ...handlers,
      onForget: onForget && (() => this.forget(onForget)),
    });
    this.present("verdict", [root], () => {
      result.destroy();
      this.result = null;
    });
    this.result = result;
    this.seen = "";
    this.look();
    const { verdict, percent } = wordVerdict(outcome.verdict, strings, outcome.thresholds);
    const { announce, announceWithout } = strings.card.verdict;
    const sentence =
      percent === null ? fill(announceWithout, { verdict }) : fill(announce, { verdict, percent });
    this.announce([sentence, wordDeclared(outcome, strings)].filter(Boolean).join(" "));
  }

  /** @param {() => Promise<void>} act @throws what `act` throws */
  async forget(act) {
    await act();
    const words = this.strings.card.forgotten;
    this.present("forgotten", [make("p", {}, [words])]);
    this.announce(words);
  }

  /**
   * @param {Failure} failure
   * @param {Ways} ways
   */
  showFailure(failure, ways) {
    const setback = new Setback(this.strings, failure, ways);
    this.present("failure", setback.nodes, () => setback.stop());
    if (this.life === "open") setback.start((words) => this.announce(words));
  }

  /** Step out of a screenshot's way. The focus stays where it is. */
  async hide() {
    this.frame.classList.add("hidden");
    await waitForPaint();
  }

  /** Come back from `hide`. */
  async show() {
    this.frame.classList.remove("hidden");
    await waitForPaint();
  }

  /** Take the focus: what is asked, or else the card as a whole. */
  focus() {
    if (this.life !== "open") return;
    const before = this.host.focused ? this.returnTo : findFocus();
    /** @type {HTMLElement | null} */
    const question = this.body.querySelector("h3[tabindex]");
    (question ?? this.title).focus({ preventScroll: true });
    this.returnTo = before;
  }

  close() {
    if (this.life === "closed") return;
    const focused = this.host.focused;
    this.life = "closed";
    this.leave();
    this.closing.abort();
    this.host.close();
    if (focused && this.returnTo?.isConnected) this.returnTo.focus({ preventScroll: true });
    this.onClose();
  }

  /**
   * @param {State} state
   * @param {Node[]} nodes
   * @param {() => void} [leave] takes away what they leave running
   */
  present(state, nodes, leave = () => {}) {
    if (this.life === "closed") {
      leave();
      return;
    }
    if (this.life === "new") this.open();
    this.state = state;
    this.status.textContent = this.strings.card.statuses[state];
    this.panel.dataset.state = state;
    this.keepFocus(() => {
      this.leave();
      this.leave = leave;
      this.body.replaceChildren(...nodes);
    });
    this.body.scrollTop = 0;
    this.seen = "";
    this.look();
  }

  /**
   * Redraw something. If what had the focus goes with it, the focus stays in the card all the same.
   * @param {() => void} redraw
   */
  keepFocus(redraw) {
    const { focused } = this.host;
    redraw();
    if (focused && !this.host.focused) this.title.focus({ preventScroll: true });
  }

  /** @param {string} words */
  announce(words) {
    this.live.textContent = words;
  }

  open() {
    this.life = "open";
    this.host.open();
    const { signal } = this.closing;
    addEventListener("keydown", (event) => this.hearEscape(event), { capture: true, signal });
    this.frame.addEventListener("focusin", ({ relatedTarget }) => {
      if (relatedTarget instanceof HTMLElement && !this.frame.contains(relatedTarget)) {
        this.returnTo = relatedTarget;
      }
    });
    this.listenForDrag();
    const stop = follow(() => this.look());
    signal.addEventListener("abort", stop);
  }

  /**
   * Close on Escape wherever the focus is, first a form and then the card, and keep the key from whatever lies
   * under it.
   * @param {KeyboardEvent} event
   */
  hearEscape(event) {
    if (event.key !== "Escape" || event.isComposing) return;
    swallow(event);
    // Some lightboxes wait for the key to come up again.
    addEventListener("keyup", (up) => up.key === "Escape" && swallow(up), { capture: true, once: true });
    if (!this.result?.flag?.cancel()) this.close();
  }

  listenForDrag() {
    const { header, panel } = this;
    header.addEventListener("pointerdown", (down) => {
      const onButton = down.target instanceof Element && down.target.closest("button");
      if (onButton || down.button !== 0 || this.placed?.side === "sheet") return;
      header.setPointerCapture(down.pointerId);
      const { left, top } = panel.getBoundingClientRect();
      const drag = (/** @type {PointerEvent} */ move) => {
        this.dragged = { x: left + move.clientX - down.clientX, y: top + move.clientY - down.clientY };
        this.seen = "";
        this.look();
      };
      const end = new AbortController();
      header.addEventListener("pointermove", drag, { signal: end.signal });
      for (const type of ["pointerup", "pointercancel"]) {
        header.addEventListener(type, () => end.abort(), { signal: end.signal });
      }
    });
  }

  /**
   * Look where the picture is, and move along.
   * @returns {boolean} whether anything moved
   */
  look() {
    if (this.life !== "open") return false;
    if (!this.host.keep()) {
      this.onExpelled?.();
      this.close();
      return false;
    }
    const anchor = this.anchor();
    const { offsetWidth, offsetHeight } = this.panel;
    const { clientWidth, clientHeight } = this.frame;
    const measures = [anchor?.rect, anchor?.content].flatMap((box) =>
      box ? [box.x, box.y, box.width, box.height] : [null],
    );
    const seen = String([...measures, offsetWidth, offsetHeight, clientWidth, clientHeight]);
    if (seen === this.seen) return false;
    this.seen = seen;
    this.place(anchor);
    return true;
  }

  /** @param {Anchor | null} anchor */
  place(anchor) {
    const gone = this.anchored && !anchor;
    this.anchored ||= anchor !== null;
    this.lost.hidden = !gone || this.state !== "verdict";
    this.layer.place(anchor);
    const { panel, frame } = this;
    const viewport = { width: frame.clientWidth, height: frame.clientHeight };
    // On a narrow screen the card covers the picture, and so has a copy of its own.
    this.keepFocus(() => this.result?.place(isNarrow(viewport) ? null : anchor));
    const card = { width: panel.offsetWidth, height: panel.offsetHeight };
    const rtl = this.strings.direction === "rtl";
    const picture = anchor?.rect ?? null;
    const beside = placeCard({ anchor: picture, card, viewport, rtl, before: this.placed?.side });
    // Where a person put it, or where the picture was before it went away.
    const kept = this.dragged ?? (gone ? this.placed : null);
    this.placed =
      kept && beside.side !== "sheet" ? { side: "edge", ...keepInside(kept, card, viewport) } : beside;
    panel.dataset.side = this.placed.side;
    // Letters are sharpest on whole pixels.
    panel.style.left = `${Math.round(this.placed.x)}px`;
    panel.style.top = `${Math.round(this.placed.y)}px`;
  }
}

/** A verdict, its faces on the page's own picture where they fit there, else on a copy in the card. */
class Result {
  /**
   * @param {HTMLElement} root
   * @param {Layer} layer
   * @param {Strings} strings
   * @param {Outcome} outcome
   * @param {Handlers} handlers
   */
  constructor(root, layer, strings, outcome, handlers) {
    this.root = root;
    this.layer = layer;
    this.strings = strings;
    this.outcome = outcome;
    this.handlers = handlers;
    /** @type {View | null} */
    this.view = null;
    /** @type {boolean | null} */
    this.over = null;
    this.cropped = "";
    this.flag = outcome.flags && handlers.flagging ? new FlagForm(handlers.flagging) : undefined;
  }

  /** @param {Anchor | null} anchor */
  place(anchor) {
    const { verdict } = this.outcome;
    // Once the faces left the page's picture they do not go back: jumping to and fro would help nobody.
    const over = this.over !== false && this.holds(anchor);
    if (over !== this.over) this.draw(over);
    if (!over || !anchor) return;
    const visible = cropPicture(anchor, verdict.media);
    if (String(visible) === this.cropped) return;
    this.cropped = String(visible);
    this.view?.crop(visible);
  }

  /** @param {Anchor | null} anchor */
  holds(anchor) {
    const { verdict, video } = this.outcome;
    // On a moving picture the boxes would soon lie beside the faces.
    const moves = verdict.media.kind === "video" || video;
    const boxes = verdict.faces.map(({ box }) => box);
    return !moves && canHoldFaces(anchor, boxes, verdict.media);
  }

  /** @param {boolean} over */
  draw(over) {
    const { strings, outcome, handlers } = this;
    const { verdict, credentials, picture, frames, source, thresholds, model, before, showBand } = outcome;
    this.destroy();
    this.over = over;
    this.view = drawVerdict(this.root, {
      verdict,
      credentials,
      picture,
      frames: frames?.length ? frames : undefined,
      source,
      strings,
      thresholds,
      model,
      before,
      compact: true,
      showBand,
      over: over ? this.layer.whole : undefined,
      notes: this.drawNotes(),
      actions: this.drawActions(),
      onForget: handlers.onForget,
      onSignIn: handlers.onSignIn,
      flag: this.flag,
      onCopy: handlers.onCopy,
    });
  }

  /** @returns {Node[]} */
  drawNotes() {
    const { source, still, poster, better, video } = this.outcome;
    const { onBetter, onVideo } = this.handlers;
    const words = this.strings.card.verdict;
    const notes = [make("p", { class: "soft" }, [fill(words.source, { source })])];
    if (still) notes.push(make("p", { class: "soft" }, [words.still]));
    if (poster) notes.push(make("p", { class: "soft" }, [words.poster]));
    if (better && onBetter) {
      const { host } = better;
      notes.push(
        make("div", { class: "offer" }, [
          make("p", {}, [fill(words.better, { host })]),
          drawButton(fill(words.allow, { host }), onBetter),
        ]),
      );
    }
    if (video && onVideo) {
      notes.push(
        make("div", { class: "offer" }, [make("p", {}, [words.frame]), drawButton(words.video, onVideo)]),
      );
    }
    return notes;
  }

  /** @returns {HTMLButtonElement[]} */
  drawActions() {
    const { before } = this.outcome;
    const { onAgain, onDetails } = this.handlers;
    const words = this.strings.card.verdict;
    return [
      before && onAgain && drawButton(words.again, onAgain, "unmask-action"),
      onDetails && drawButton(words.panel, onDetails, "unmask-action"),
    ].filter((button) => button instanceof HTMLButtonElement);
  }

  destroy() {
    this.view?.destroy();
    this.layer.clear();
    this.cropped = "";
  }
}

/** @param {Event} event */
function swallow(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

/** Two frames: one to draw without the card, one until that is on the screen. */
async function waitForPaint() {
  for (let frame = 0; frame < 2; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
}

/** The mark of Unmask, drawn here because addresses of the extension end with its next update. */
function drawMark() {
  const mark = drawShape("0 0 32 32", [
    "M7 0h18a7 7 0 0 1 7 7v18a7 7 0 0 1-7 7H7a7 7 0 0 1-7-7V7a7 7 0 0 1 7-7z",
    "M16 6.5c4.8 0 7.5 3.3 7.5 8 0 6-3.6 11-7.5 11s-7.5-5-7.5-11c0-4.7 2.7-8 7.5-8z",
    "M16 6.5v19c3.9 0 7.5-5 7.5-11 0-4.7-2.7-8-7.5-8z",
  ]);
  mark.setAttribute("class", "mark");
  return mark;
}
