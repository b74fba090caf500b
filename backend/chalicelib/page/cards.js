/** One picture's or video's card: waiting, being checked, then a verdict or a failure that can be tried again. */

import { wordDeclared } from "./declared.js";
import { make } from "./elements.js";
import { flagFile } from "./flag.js";
import { FlagForm } from "./flag_form.js";
import { CheckFailure } from "./service.js";
import { pickThresholds } from "./verdict.js";
import { drawVerdict } from "./verdict_view.js";
import { fill, wordVerdict } from "./words.js";

/** @typedef {import("./service.js").Model} Model */
/** @typedef {import("./service.js").Service} Service */
/** @typedef {import("./strings.js").Language} Language */

/** @typedef {{title: string, explanation: string}} Words */

/**
 * What may be done about a verdict.
 * @typedef {object} Rights
 * @property {boolean} flags whether the service takes flags
 * @property {boolean} signIn whether it takes them, and forgets, only for people who signed in, as nobody can here
 */

/**
 * @typedef {object} Surroundings
 * @property {Language} strings
 * @property {Service} service
 * @property {() => Promise<Model | null>} recallModel null where it cannot be loaded
 * @property {() => Promise<Rights>} recallRights
 * @property {(sentence: string) => void} announce says a sentence to screen readers
 * @property {(card: Card) => void} enqueue puts a card at the end of the queue
 */

// From here on a person wonders whether anything still happens.
const LONG_MS = 5000;

let made = 0;

/** One picture from its choice to its verdict. */
export class Card {
  /**
   * @param {File} picture
   * @param {string} source what it is, in words
   * @param {Surroundings} surroundings
   */
  constructor(picture, source, surroundings) {
    this.picture = picture;
    this.source = source;
    this.surroundings = surroundings;
    this.address = URL.createObjectURL(picture);
    this.isClip = isVideo(picture);
    const id = `card-${(made += 1)}`;
    this.body = make("div", { class: "card-body" });
    this.title = make("h2", { id, tabindex: "-1" }, [make("bdi", {}, [source])]);
    this.element = make("article", { class: "card", "aria-labelledby": id }, [this.title, this.body]);
    this.wait();
  }

  get page() {
    return this.surroundings.strings.page;
  }

  /** Show that other pictures come first. */
  wait() {
    this.show(
      "waiting",
      this.preview(
        make("p", {}, [this.page.waiting]),
        this.button(this.page.remove, () => this.remove()),
      ),
    );
  }

  /** Check the picture and show what came out. Never throws. */
  async check() {
    if (this.removed) return;
    const stop = new AbortController();
    const words = make("p", {}, [this.page.checking]);
    const bar = make("div", { class: "bar", "aria-hidden": "true" });
    this.show(
      "checking",
      this.preview(
        words,
        bar,
        this.button(this.page.stop, () => stop.abort()),
      ),
    );
    this.surroundings.announce(fill(this.page.announceChecking, { source: this.source }));
    const long = setTimeout(() => (words.textContent = this.page.stillChecking), LONG_MS);
    try {
      const { service, recallModel, recallRights } = this.surroundings;
      const verdict = this.isClip
        ? await service.checkVideo(this.picture, stop.signal, ({ step, part }) => {
            clearTimeout(long);
            const percent = new Intl.NumberFormat(this.surroundings.strings.locale, { style: "percent" }).format(part);
            words.textContent = fill(step === "sending" ? this.page.uploading : this.page.framesDone, { percent });
          })
        : await service.checkPicture(this.picture, stop.signal);
      this.showVerdict(verdict, ...(await Promise.all([recallModel(), recallRights()])));
    } catch (error) {
      if (!(error instanceof CheckFailure)) console.error(error);
      this.showFailure(error instanceof CheckFailure ? error : new CheckFailure("server"));
    } finally {
      clearTimeout(long);
    }
  }

  /**
   * @param {import("./verdict.js").Verdict} verdict
   * @param {Model | null} model
   * @param {Rights} rights
   */
  showVerdict(verdict, model, { flags, signIn }) {
    const { strings, service, announce } = this.surroundings;
    const thresholds = pickThresholds(model, verdict);
    this.show("verdict");
    const moves = !this.isClip && (verdict.media.frames ?? 1) > 1;
    this.view = drawVerdict(this.body, {
      verdict,
      picture: this.address,
      // A browser shows a GIF as a picture only.
      film: this.isClip && isVideo(this.picture) ? this.address : undefined,
      notes: [moves && this.page.moving, signIn && this.page.signIn].flatMap((sentence) =>
        sentence ? [make("p", { class: "aside" }, [sentence])] : [],
      ),
      actions: moves && this.picture.type === "image/gif" ? [this.offerClip()] : [],
      source: this.source,
      strings,
      thresholds,
      model,
      // A clip would be too much for one request.
      flag:
        flags && !signIn
          ? new FlagForm(flagFile(service, verdict.id, this.isClip ? null : this.picture))
          : undefined,
      onForget: signIn ? undefined : () => this.forget(verdict.id),
    });
    const said = wordVerdict(verdict, strings, thresholds);
    const sentence =
      said.percent === null
        ? fill(this.page.announceWithout, { source: this.source, verdict: said.verdict })
        : fill(this.page.announceVerdict, {
            source: this.source,
            verdict: said.verdict,
            percent: said.percent,
          });
    announce([sentence, wordDeclared({ verdict }, strings)].filter(Boolean).join(" "));
  }

  /** @param {string} id of the check */
  async forget(id) {
    await this.surroundings.service.forgetCheck(id);
    this.remove(fill(this.page.forgotten, { source: this.source }));
  }

  /** A button that has a moving picture checked as the clip that it is. */
  offerClip() {
    const button = make("button", { type: "button", class: "unmask-action" }, [this.page.checkClip]);
    button.addEventListener("click", () => {
      this.isClip = true;
      this.wait();
      this.title.focus();
      this.surroundings.enqueue(this);
    });
    return button;
  }

  /** @param {CheckFailure} failure */
  showFailure(failure) {
    const { title, explanation } = wordFailure(failure.kind, this.page.failures);
    const retry = this.button(this.page.retry, () => {
      this.wait();
      // The button is gone; without this the focus would fall back to the top of the page.
      this.title.focus();
      this.surroundings.enqueue(this);
    });
    const words = [make("h3", {}, [title]), make("p", {}, [failure.explanation ?? explanation])];
    if (failure.retryAfter)
      words.push(make("p", {}, [fill(this.page.wait, { seconds: failure.retryAfter })]));
    words.push(make("p", { class: "aside" }, [this.page.notAVerdict]));
    const remove = this.button(this.page.remove, () => this.remove());
    this.show("failure", this.preview(...words, make("div", { class: "card-actions" }, [retry, remove])));
    this.element.dataset.failure = failure.kind;
    this.surroundings.announce(fill(this.page.announceFailure, { source: this.source, title }));
  }

  /**
   * Take the card off the page.
   * @param {string} [farewell] stays in its place and takes the focus
   */
  remove(farewell) {
    this.removed = true;
    this.view?.destroy();
    URL.revokeObjectURL(this.address);
    if (!farewell) {
      this.element.remove();
      document.getElementById("choose")?.focus({ preventScroll: true });
      return;
    }
    const note = make("p", { class: "farewell", tabindex: "-1" }, [farewell]);
    this.element.replaceWith(note);
    note.focus();
  }

  /**
   * @param {"waiting" | "checking" | "verdict" | "failure"} state
   * @param {Node[]} nodes
   */
  show(state, ...nodes) {
    this.view?.destroy();
    this.view = undefined;
    delete this.element.dataset.failure;
    this.element.dataset.state = state;
    this.element.ariaBusy = String(state === "checking");
    this.body.replaceChildren(...nodes);
  }

  /**
   * A small picture beside some words.
   * @param {Node[]} words
   * @returns {HTMLElement}
   */
  preview(...words) {
    const image = make("img", { src: this.address, alt: "" });
    image.addEventListener("error", () => image.remove(), { once: true });
    return make("div", { class: "preview" }, [image, make("div", {}, words)]);
  }

  /**
   * @param {string} words
   * @param {() => void} act
   * @returns {HTMLButtonElement}
   */
  button(words, act) {
    const button = make("button", { type: "button", class: "quiet" }, [words]);
    button.addEventListener("click", act);
    return button;
  }
}

/**
 * Find the words for a failure. A translation may not have them all.
 * @param {import("./service.js").FailureKind} kind
 * @param {Partial<Record<string, Words>> & {slow: Words, server: Words}} failures
 * @returns {Words}
 */
function wordFailure(kind, failures) {
  return failures[kind] ?? (kind === "waking" ? failures.slow : failures.server);
}

/**
 * Say whether a file is a video, by its type, or by its name where the system knows none.
 * @param {File} file
 * @returns {boolean}
 */
function isVideo({ type, name }) {
  return type.startsWith("video/") || (type === "" && /\.(mp4|m4v|mov|webm|mkv)$/i.test(name));
}
