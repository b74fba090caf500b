/** One check of the history: its whole verdict, and the ways to be rid of it. */

import { connect } from "../common/connection.js";
import { hostOf } from "../common/settings.js";
import { drawButton } from "../content/states.js";
import { make } from "../shared/elements.js";
import { CheckFailure } from "../shared/service.js";
import { pickThresholds } from "../shared/verdict.js";
import { drawVerdict } from "../shared/verdict_view.js";
import { fill } from "../shared/words.js";
import { isNarrow, isWebAddress, wordFailure, wordTime } from "./words.js";

/** @typedef {import("./panel.js").Panel} Panel */
/** @typedef {import("../common/history.js").Entry} Entry */

/** The part of the history view that shows one entry. */
export class HistoryEntry {
  /**
   * @param {Panel} panel
   * @param {(id: string, note: string) => void} leave goes back to the list
   */
  constructor(panel, leave) {
    this.panel = panel;
    this.leave = leave;
    /** @type {string | null} */
    this.id = null;
    /** @type {Entry | undefined} */
    this.entry = undefined;
    /** @type {import("../shared/verdict_view.js").View | undefined} */
    this.view = undefined;
    /** @type {string | null} */
    this.address = null;
    this.element = make("div", { hidden: "" });
  }

  get words() {
    return this.panel.strings.panel.history;
  }

  /** @param {string | null} id null shows nothing */
  async show(id) {
    const same = id === this.id;
    this.id = id;
    this.entry = id === null ? undefined : await this.panel.history.get(id);
    if (id !== this.id) return;
    this.draw();
    if (id !== null && !same) this.title?.focus();
  }

  draw() {
    const { entry, words } = this;
    this.view?.destroy();
    this.view = undefined;
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    this.element.hidden = this.id === null;
    const back = drawButton(words.back, () => this.leave(this.id ?? "", ""), "quiet back");
    this.title = make("h1", { tabindex: "-1" });
    this.element.replaceChildren(back, this.title);
    if (!entry) {
      this.title.textContent = words.gone;
      return;
    }
    this.title.append(entry.page ? drawPage(entry.page) : make("bdi", {}, [entry.source]));
    const host = hostOf(entry.backend);
    this.state = make("p", { class: "aside", role: "status" });
    const card = make("div", { class: "card detail" }, [make("h2", { class: "unseen" }, [words.verdict])]);
    this.element.append(
      make("p", { class: "aside" }, [
        make("time", { datetime: entry.time }, [wordTime(entry.time, this.panel.strings)]),
        " · ",
        fill(words.checkedBy, { host }),
      ]),
      card,
      make("div", { class: "actions" }, [
        drawButton(words.remove, () => void this.remove(entry, host)),
        drawButton(fill(words.removeBoth, { host }), () => void this.removeBoth(entry, host)),
      ]),
      this.state,
    );
    this.address = entry.thumbnail ? URL.createObjectURL(entry.thumbnail) : null;
    this.drawVerdict(entry, card, null);
    void this.addBands(entry, card);
  }

  /**
   * The service may be out of reach; what is remembered can be shown without it.
   * @param {Entry} entry
   * @param {HTMLElement} card
   */
  async addBands(entry, card) {
    const model = await this.panel.recallModel();
    // Bands of another model would put the figure into the wrong one.
    const fits = model?.version === entry.verdict.model.version;
    const calm = card.isConnected && !card.contains(document.activeElement);
    if (fits && calm) this.drawVerdict(entry, card, model);
  }

  /**
   * @param {Entry} entry
   * @param {HTMLElement} card
   * @param {import("../shared/service.js").Model | null} model the one that judged
   */
  drawVerdict({ verdict, credentials, source }, card, model) {
    const { settings, strings } = this.panel;
    this.view?.destroy();
    this.view = drawVerdict(card, {
      verdict,
      credentials,
      // One small frame says nothing about the moment that the timeline points at.
      picture: verdict.media.kind === "video" ? null : this.address,
      source,
      strings,
      thresholds: pickThresholds(model, verdict),
      model,
      showBand: settings.showBand && model !== null,
      compact: isNarrow(),
    });
  }

  /**
   * @param {Entry} entry
   * @param {string} host
   */
  async remove({ id }, host) {
    await this.panel.history.remove(id);
    this.leave(id, fill(this.words.removed, { host }));
  }

  /**
   * @param {Entry} entry
   * @param {string} host
   */
  async removeBoth({ id, backend }, host) {
    const { words, panel } = this;
    const { settings } = panel;
    this.say(words.removing);
    // The key is meant for the service that is set, and for no other.
    const current = backend === settings.backend;
    try {
      await connect({ backend, key: current ? settings.key : "" }).forgetCheck(id);
    } catch (error) {
      const kind = error instanceof CheckFailure ? error.kind : "server";
      this.say(fill(words.removeFailed, { host, reason: wordFailure(kind, panel.strings).title }));
      // The settings show the account at the service that is set, and no other.
      if (kind === "sign_in" && current) this.state?.append(" ", this.drawSignIn());
      return;
    }
    await panel.history.remove(id);
    this.leave(id, fill(words.removedBoth, { host }));
  }

  drawSignIn() {
    return drawButton(this.panel.strings.verdict.signIn, () => (location.hash = "settings?account"));
  }

  /** @param {string} sentence */
  say(sentence) {
    if (this.state) this.state.textContent = sentence;
  }
}

/**
 * The page where a picture stood, as a link where it is one that may be followed.
 * @param {{url: string, title: string}} page
 */
export function drawPage({ url, title }) {
  const words = make("bdi", {}, [title || url]);
  if (!isWebAddress(url)) return words;
  return make("a", { href: url, target: "_blank", rel: "noreferrer" }, [words]);
}
