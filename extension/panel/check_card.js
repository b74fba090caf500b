/** One picture's card: waiting, asking, being checked, then a verdict or a failure with a way out. */

import { checkPicture } from "../common/checking.js";
import { connect, lacksSignIn } from "../common/connection.js";
import { readSettings } from "../common/settings.js";
import { drawButton, drawConsent, LONG_MS, Setback, SETTLED_IN_SETTINGS } from "../content/states.js";
import { readCredentials } from "../credentials/reading.js";
import { readInThread } from "../credentials/threads.js";
import { wordDeclared } from "../shared/declared.js";
import { make } from "../shared/elements.js";
import { flagFile } from "../shared/flag.js";
import { FlagForm } from "../shared/flag_form.js";
import { CheckFailure } from "../shared/service.js";
import { pickThresholds } from "../shared/verdict.js";
import { drawVerdict } from "../shared/verdict_view.js";
import { fill, wordVerdict } from "../shared/words.js";
import { isNarrow } from "./words.js";

/** @typedef {import("./panel.js").Panel} Panel */
/** @typedef {import("../common/checking.js").Answer} Answer */
/** @typedef {import("../common/settings.js").Settings} Settings */
/** @typedef {import("../shared/service.js").Service} Service */

/**
 * @typedef {object} Place
 * @property {(card: CheckCard) => void} enqueue puts a card at the end of the queue
 * @property {() => void} refuse the person wants nothing to be sent
 * @property {(card: CheckCard) => void} leave the card goes
 */

/** @typedef {import("../content/states.js").Notice} Notice */

let made = 0;

/** One picture from its choice to its verdict. */
export class CheckCard {
  /**
   * @param {Blob} picture
   * @param {string} source what it is, in words
   * @param {Panel} panel
   * @param {Place} place
   */
  constructor(picture, source, panel, place) {
    this.picture = picture;
    this.source = source;
    this.panel = panel;
    this.place = place;
    this.address = URL.createObjectURL(picture);
    this.again = false;
    this.declined = false;
    this.removed = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {Setback | undefined} */
    this.setback = undefined;
    /** @type {import("../shared/verdict_view.js").View | undefined} */
    this.view = undefined;
    this.stop = new AbortController();
    const id = `check-${(made += 1)}`;
    this.title = make("h2", { id, tabindex: "-1" }, [make("bdi", {}, [source])]);
    this.body = make("div");
    this.element = make("article", { class: "card", "aria-labelledby": id }, [this.title, this.body]);
    /** Draws the state that the card is in, in the language of the moment. */
    this.draw = this.drawWaiting;
    this.draw();
  }

  get words() {
    return this.panel.strings.panel.card;
  }

  /** Check the picture and show what came out. Never throws. */
  async check() {
    this.stop = new AbortController();
    this.enter(this.drawChecking);
    this.announce(this.panel.strings.card.steps.sending);
    // As they are now: another tab may have changed them, or agreed.
    const settings = await readSettings();
    const service = connect(settings);
    try {
      const answer = await checkPicture(this.picture, {
        settings,
        service,
        history: this.panel.history,
        page: null,
        source: this.source,
        again: this.again,
        readCredentials: (picture) =>
          readCredentials(picture, { trustList: settings.trustList, read: (order) => readInThread(order) }),
        signal: this.stop.signal,
        agree: (notice) => this.ask(notice),
      });
      this.showVerdict(answer, service, settings);
    } catch (error) {
      if (error instanceof CheckFailure) this.showFailure(error);
      else if (this.stop.signal.aborted) this.showFailure(new CheckFailure("stopped"));
      else {
        console.error(error);
        this.showFailure(new CheckFailure("server"));
      }
    }
  }

  /**
   * Ask whether pictures may be sent to a host at all.
   * @param {Notice} notice
   * @returns {Promise<boolean>}
   */
  ask(notice) {
    return new Promise((resolve) => {
      this.enter(() => this.drawQuestion(notice, resolve));
      /** @type {HTMLElement | null} */ (this.body.querySelector(".title"))?.focus();
    }).then((agreed) => {
      if (agreed) this.enter(this.drawChecking);
      this.declined = !agreed;
      this.title.focus();
      return Boolean(agreed);
    });
  }

  /**
   * @param {Answer} answer
   * @param {Service} service
   * @param {Settings} settings with which it was asked
   */
  showVerdict(answer, service, settings) {
    this.again = false;
    const flagging = flagFile(service, answer.verdict.id, this.picture);
    const offer = async () => ({ ...(await flagging.offer()), signedOut: await lacksSignIn(settings) });
    const flag = answer.flags ? new FlagForm({ ...flagging, offer, signIn: openAccount }) : undefined;
    this.enter(() => this.drawAnswer(answer, service, flag));
    const { strings } = this.panel;
    const { announce, announceWithout } = strings.card.verdict;
    const { verdict, percent } = wordVerdict(answer.verdict, strings, pickThresholds(answer.model, answer.verdict));
    const sentence =
      percent === null ? fill(announceWithout, { verdict }) : fill(announce, { verdict, percent });
    this.announce([sentence, wordDeclared(answer, strings)].filter(Boolean).join(" "));
  }

  /** @param {CheckFailure} failure */
  showFailure(failure) {
    if (this.removed) return;
    if (this.declined) {
      this.declined = false;
      this.place.refuse();
      this.showRefusal();
      return;
    }
    const until = Date.now() + 1000 * (failure.retryAfter ?? 0);
    this.enter(() => this.drawFailure(failure, until));
  }

  /** The person does not want this picture to be sent. */
  showRefusal() {
    this.enter(this.drawRefusal);
  }

  /** Heed a changed setting. */
  adjust() {
    if (this.element.dataset.state === "verdict") this.draw();
  }

  /**
   * Take the card off the page.
   * @param {string} [farewell] stays in its place and takes the focus
   */
  remove(farewell) {
    this.removed = true;
    this.leaveState();
    this.stop.abort();
    URL.revokeObjectURL(this.address);
    this.place.leave(this);
    if (!farewell) {
      this.element.remove();
      return;
    }
    const note = make("p", { class: "farewell", tabindex: "-1" }, [farewell]);
    this.element.replaceWith(note);
    note.focus();
  }

  /** @param {() => void} draw */
  enter(draw) {
    this.draw = draw;
    this.draw();
  }

  leaveState() {
    clearTimeout(this.timer);
    this.setback?.stop();
    this.setback = undefined;
    this.view?.destroy();
    this.view = undefined;
  }

  drawWaiting() {
    this.show("waiting", make("p", {}, [this.words.waiting]), this.drawActions(this.drawRemove()));
  }

  drawChecking() {
    const { card } = this.panel.strings;
    const words = make("p", {}, [card.steps.sending]);
    const bar = make("div", { class: "bar", "aria-hidden": "true" });
    const stop = drawButton(card.stop, () => this.stop.abort());
    this.show("checking", words, bar, this.drawActions(stop));
    this.timer = setTimeout(() => (words.textContent = card.longSending), LONG_MS);
  }

  /**
   * @param {Notice} notice
   * @param {(agreed: boolean) => void} answer
   */
  drawQuestion(notice, answer) {
    this.show("asking", ...drawConsent(this.panel.strings, notice, answer));
  }

  drawRefusal() {
    const retry = drawButton(this.panel.strings.panel.retry, () => this.tryAgain());
    this.show("refused", make("p", {}, [this.words.declined]), this.drawActions(retry, this.drawRemove()));
  }

  /**
   * @param {CheckFailure} failure
   * @param {number} until the time, ms, before which the service does not want to be asked again
   */
  drawFailure(failure, until) {
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    const settled = SETTLED_IN_SETTINGS.includes(failure.kind);
    const setback = new Setback(
      this.panel.strings,
      { kind: failure.kind, explanation: failure.explanation, retryAfter: seconds },
      {
        retry: () => this.tryAgain(),
        settings: settled ? () => (location.hash = "settings") : undefined,
      },
    );
    this.show("failure", ...setback.nodes);
    this.setback = setback;
    this.body.querySelector(".ways")?.append(this.drawRemove());
    this.element.dataset.failure = failure.kind;
    setback.start((sentence) => this.announce(sentence));
  }

  /**
   * @param {Answer} answer
   * @param {Service} service
   * @param {FlagForm} [flag] outlives a change of language
   */
  drawAnswer({ verdict, credentials, model, before }, service, flag) {
    const { panel, words } = this;
    this.show("verdict");
    const checkAgain = () => this.tryAgain({ again: true });
    const again = drawButton(panel.strings.card.verdict.again, checkAgain, "unmask-action");
    this.view = drawVerdict(this.body, {
      verdict,
      credentials,
      before,
      picture: this.address,
      source: this.source,
      strings: panel.strings,
      thresholds: pickThresholds(model, verdict),
      model,
      showBand: panel.settings.showBand,
      compact: isNarrow(),
      actions: before === null ? [] : [again],
      onForget: async () => {
        await service.forgetCheck(verdict.id);
        await panel.history.remove(verdict.id);
        this.remove(fill(words.forgotten, { source: this.source }));
      },
      onSignIn: openAccount,
      flag,
    });
  }

  /** @param {{again?: boolean}} [options] again: even though this browser knows an answer */
  tryAgain({ again = false } = {}) {
    this.again = again;
    this.enter(this.drawWaiting);
    // The button is gone; without this the focus would fall back to the top of the page.
    this.title.focus();
    this.place.enqueue(this);
  }

  /**
   * Show a state, with a small picture beside its words.
   * @param {string} state
   * @param {Node[]} words none where something else draws it
   */
  show(state, ...words) {
    this.leaveState();
    delete this.element.dataset.failure;
    this.element.dataset.state = state;
    this.element.ariaBusy = String(state === "checking");
    if (words.length === 0) {
      this.body.replaceChildren();
      return;
    }
    const image = make("img", { src: this.address, alt: "" });
    image.addEventListener("error", () => image.remove(), { once: true });
    this.body.replaceChildren(make("div", { class: "preview" }, [image, make("div", {}, words)]));
  }

  /** @param {HTMLButtonElement[]} buttons */
  drawActions(...buttons) {
    return make("div", { class: "actions" }, buttons);
  }

  drawRemove() {
    return drawButton(this.words.remove, () => this.remove());
  }

  /**
   * Say something about this picture.
   * @param {string} sentence
   */
  announce(sentence) {
    this.panel.announce(fill(this.words.said, { source: this.source, sentence }));
  }
}

/** What is typed in a card meanwhile waits there. */
function openAccount() {
  location.hash = "settings?account";
}
