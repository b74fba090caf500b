/**
 * The way to flag a verdict: a button, the form that takes its place, then word of the flag and a way back.
 *
 * What was begun outlives a redraw of the verdict around it, in another language too.
 */

import { make } from "./elements.js";
import { LONGEST_NOTE, VERDICT_ONLY } from "./flag.js";
import { fill } from "./words.js";

/** @typedef {import("./flag.js").Flagging} Flagging */
/** @typedef {import("./flag.js").Offer} Offer */
/** @typedef {import("./strings.js").Language} Language */
/** @typedef {Language["verdict"]["flag"]} Words */

// Several verdicts may stand in one page, and labels find their fields by id.
let made = 0;

/** One verdict's flag, from the button to the way back. */
export class FlagForm {
  /** @param {Flagging} flagging */
  constructor(flagging) {
    this.flagging = flagging;
    /** @type {"shut" | "open" | "sent"} */
    this.stage = "shut";
    this.busy = false;
    this.note = "";
    this.keep = false;
    /** @type {Offer} */
    this.offer = VERDICT_ONLY;
    this.signedOut = false;
    this.flag = "";
    this.id = `unmask-flag-${(made += 1)}`;
  }

  /**
   * Draw what there is at this moment; from then on it changes by itself.
   * @param {Language} strings
   * @param {HTMLElement} state says how it goes
   * @returns {HTMLElement}
   */
  draw(strings, state) {
    this.words = strings.verdict.flag;
    this.state = state;
    this.place = make("div", { class: "unmask-flag" });
    // Who signed in elsewhere comes back to where the focus was left.
    this.place.addEventListener("focusin", () => void this.askAgain());
    this.redraw();
    if (this.stage === "sent") this.say(this.nameEnd());
    return this.place;
  }

  /**
   * Put the form away.
   * @returns {boolean} false where there was none to put away
   */
  cancel() {
    if (this.stage !== "open" || this.busy) return false;
    this.enter("shut");
    this.say();
    return true;
  }

  async open() {
    await this.attempt("opening", async () => {
      this.offer = await this.flagging.offer().catch(() => VERDICT_ONLY);
      this.keep &&= this.offer.picture;
      this.signedOut = this.offer.signedOut === true;
      this.enter("open");
      this.say();
    });
  }

  /** @returns {"done" | "doneByHand"} what becomes of the flag: without picture and address no model can look again */
  nameEnd() {
    return this.keep || this.offer.host !== null ? "done" : "doneByHand";
  }

  async send() {
    const { note, keep, offer } = this;
    await this.attempt("sending", async () => {
      try {
        this.flag = await this.flagging.send({ note: note.trim(), keep, address: offer.host !== null });
      } catch (error) {
        const reason = nameReason(error);
        // Nobody agreed to anything else being sent than what was said, so that is asked anew.
        if (reason === "lost") {
          this.offer = VERDICT_ONLY;
          this.keep = false;
          this.enter("open");
        }
        if (reason === "signInFirst") this.askToSignIn();
        this.say(reason);
        return;
      }
      this.signedOut = false;
      this.enter("sent");
      this.say(this.nameEnd());
    });
  }

  async undo() {
    await this.attempt("undoing", async () => {
      try {
        await this.flagging.undo(this.flag);
      } catch (error) {
        const reason = nameReason(error);
        if (reason === "signInFirst") this.askToSignIn();
        this.say(reason === "signInFirst" ? reason : "undoFailed");
        return;
      }
      Object.assign(this, { flag: "", note: "", keep: false, signedOut: false });
      this.enter("shut");
      this.say("undone");
    });
  }

  /** Offer the way to sign in. What was written, and where the focus is, stay. */
  askToSignIn() {
    if (this.signedOut) return;
    this.signedOut = true;
    this.enter(this.stage);
  }

  /** Ask whether somebody has signed in meanwhile, elsewhere; then nobody is sent there any more. */
  async askAgain() {
    if (!this.signedOut) return;
    const offer = await this.flagging.offer().catch(() => null);
    if (!offer || offer.signedOut || !this.signedOut || this.busy) return;
    this.signedOut = false;
    this.enter(this.stage);
    this.say();
  }

  /**
   * One thing at a time.
   * @param {"opening" | "sending" | "undoing"} doing
   * @param {() => Promise<void>} act never throws
   */
  async attempt(doing, act) {
    if (this.busy) return;
    this.busy = true;
    this.mark();
    this.say(doing);
    await act();
    this.busy = false;
    this.mark();
  }

  /** @param {"shut" | "open" | "sent"} stage */
  enter(stage) {
    this.stage = stage;
    this.redraw();
  }

  /** The focus stays where the person is: in here, or wherever else they went in the meantime. */
  redraw() {
    const { place } = this;
    if (!place) return;
    const focused = place.matches(":focus-within");
    place.replaceChildren(...this.drawStage());
    this.mark();
    if (!focused) return;
    const first = /** @type {HTMLElement | null} */ (place.querySelector("textarea, button"));
    first?.focus({ preventScroll: true });
    place.firstElementChild?.scrollIntoView({ block: "nearest" });
  }

  /** Show whether a press would do anything. Not `disabled`: that would throw the focus out. */
  mark() {
    for (const button of this.place?.querySelectorAll("button") ?? []) {
      button.ariaDisabled = this.busy ? "true" : null;
    }
  }

  drawStage() {
    const words = /** @type {Words} */ (this.words);
    if (this.stage === "open") return [this.drawForm(words)];
    return this.stage === "sent"
      ? [drawButton(words.undo, () => void this.undo()), ...this.drawSignIn(words)]
      : [drawButton(words.open, () => void this.open())];
  }

  /** @param {Words} words */
  drawSignIn(words) {
    const { signIn } = this.flagging;
    return this.signedOut && signIn ? [drawButton(words.signIn, signIn)] : [];
  }

  /**
   * No <form>: in a frame that is sandboxed without leave for forms none can be sent.
   * @param {Words} words
   * @returns {HTMLElement}
   */
  drawForm(words) {
    const { id, offer } = this;
    const note = make("textarea", { id: `${id}-note`, rows: 3, maxlength: LONGEST_NOTE, dir: "auto" });
    note.value = this.note;
    note.addEventListener("input", () => (this.note = note.value));
    const sent = make("p", { id: `${id}-sent`, class: "unmask-soft" });
    const tellSent = () => (sent.textContent = wordSent(offer, this.keep, words));
    tellSent();
    const send = drawButton(words.send, () => void this.send());
    send.setAttribute("aria-describedby", sent.id);
    const [signIn] = this.drawSignIn(words);
    const wanted = make("p", { id: `${id}-wanted` }, [words.signInWanted]);
    signIn?.setAttribute("aria-describedby", wanted.id);
    const form = make("div", { class: "unmask-flag-form", role: "group", "aria-labelledby": `${id}-title` }, [
      make("p", { id: `${id}-title`, class: "unmask-flag-title" }, [words.open]),
      ...(signIn ? [wanted, make("div", { class: "unmask-actions" }, [signIn])] : []),
      make("label", { for: note.id }, [words.note]),
      note,
      ...(offer.picture ? [this.drawKeep(words, tellSent)] : []),
      sent,
      make("div", { class: "unmask-actions" }, [send, drawButton(words.cancel, () => void this.cancel())]),
    ]);
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing || !this.cancel()) return;
      event.preventDefault();
      event.stopPropagation();
    });
    return form;
  }

  /**
   * @param {Words} words
   * @param {() => void} onChange
   * @returns {HTMLElement}
   */
  drawKeep(words, onChange) {
    const box = make("input", { type: "checkbox" });
    box.checked = this.keep;
    box.addEventListener("change", () => {
      this.keep = box.checked;
      onChange();
    });
    return make("label", { class: "unmask-flag-keep" }, [box, make("span", {}, [words.keep])]);
  }

  /** @param {Exclude<keyof Words, "sent">} [what] nothing where there is nothing to say */
  say(what) {
    if (this.state && this.words) this.state.textContent = what ? this.words[what] : "";
  }
}

/**
 * Say what leaves this browser.
 * @param {Offer} offer
 * @param {boolean} keep whether the picture goes along
 * @param {Words} words
 * @returns {string}
 */
export function wordSent({ host, picture }, keep, words) {
  const along = keep && picture;
  if (host === null) return along ? words.sent.picture : words.sent.verdict;
  return fill(along ? words.sent.both : words.sent.address, { host });
}

/**
 * Name what a person can do something about.
 * @param {unknown} error
 * @returns {"lost" | "tooLarge" | "signInFirst" | "failed"}
 */
export function nameReason(error) {
  // From the worker of an extension only the kind comes through, as the message.
  const kind = error instanceof Error ? error.message : "";
  if (kind === "lost") return "lost";
  if (kind === "sign_in") return "signInFirst";
  return kind === "too_large" ? "tooLarge" : "failed";
}

/**
 * @param {string} name
 * @param {() => void} act
 * @returns {HTMLButtonElement}
 */
function drawButton(name, act) {
  const button = make("button", { type: "button", class: "unmask-action" }, [name]);
  button.addEventListener("click", act);
  return button;
}
