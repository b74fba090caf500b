/**
 * What can be done where the browser lets no extension in, or where a page passed on no more than an
 * address. It fetches nothing before its button is pressed.
 */

import { fetchPicture } from "../background/fetching.js";
import { patternOf } from "../background/permissions.js";
import { nameFile } from "../content/pictures.js";
import { drawButton } from "../content/states.js";
import { make } from "../shared/elements.js";
import { fill } from "../shared/words.js";

/** @typedef {import("./panel.js").Panel} Panel */

/** A notice with one address in it, or none. */
export class AddressNotice {
  /**
   * @param {Panel} panel
   * @param {(picture: Blob, name: string) => void} take takes what was fetched
   */
  constructor(panel, take) {
    this.panel = panel;
    this.take = take;
    this.element = make("section", { class: "card advice", hidden: "", tabindex: "-1" });
    /** @type {{address: string | null, dropped: boolean} | null} */
    this.shown = null;
  }

  /**
   * @param {string | null} address of the picture, where it is known
   * @param {{dropped?: boolean}} [options] dropped: it was dragged here
   */
  show(address, { dropped = false } = {}) {
    this.shown = { address, dropped };
    this.draw();
    this.element.focus();
  }

  close() {
    this.shown = null;
    this.draw();
  }

  draw() {
    this.element.hidden = this.shown === null;
    if (this.shown === null) return;
    const { address, dropped } = this.shown;
    const words = this.panel.strings.panel.blocked;
    const title = make("h2", { id: "advice-title" }, [dropped ? words.dropped : words.title]);
    this.element.setAttribute("aria-labelledby", "advice-title");
    const close = drawButton(this.panel.strings.panel.close, () => this.close());
    const actions = make("div", { class: "actions" }, [close]);
    const text = make("p", {}, [dropped ? words.droppedText : words.text]);
    this.element.replaceChildren(title, text);
    const steps = [words.save, words.shoot].map((step) => make("li", {}, [step]));
    if (address !== null && canFetch(address)) {
      const state = make("p", { class: "aside", role: "status" });
      const fetchIt = drawButton(words.fetchIt, () => void this.fetch(address, fetchIt, state), "main");
      actions.prepend(fetchIt);
      const shownAddress = make("p", { class: "address", dir: "ltr" }, [shorten(address)]);
      if (dropped) this.element.append(shownAddress);
      else steps.unshift(make("li", {}, [words.fetch, shownAddress]));
      if (patternOf(address)) state.textContent = fill(words.fetchFrom, { host: nameHost(address) });
      actions.append(state);
    }
    if (!dropped) this.element.append(make("ul", {}, steps));
    this.element.append(actions);
  }

  /**
   * @param {string} address
   * @param {HTMLButtonElement} button
   * @param {HTMLElement} state
   */
  async fetch(address, button, state) {
    const words = this.panel.strings.panel.blocked;
    const host = nameHost(address);
    const pattern = patternOf(address);
    // The click counts only as long as nothing is waited for, so this comes first.
    const asked = pattern === null || chrome.permissions.request({ origins: [pattern] });
    const allowed = await Promise.resolve(asked).catch(() => false);
    if (!allowed) {
      state.textContent = fill(words.refused, { host });
      return;
    }
    button.disabled = true;
    state.textContent = words.fetching;
    try {
      const picture = await fetchPicture(address, new AbortController().signal);
      this.close();
      this.take(picture, nameFile(address) || nameHost(address));
    } catch {
      state.textContent = fill(words.failed, { host });
      button.disabled = false;
      button.focus();
    }
  }
}

/** @param {string} address */
function canFetch(address) {
  return patternOf(address) !== null || address.startsWith("data:image/");
}

/** @param {string} address */
function nameHost(address) {
  return URL.canParse(address) && new URL(address).host ? new URL(address).host : "data:";
}

/** @param {string} address */
function shorten(address) {
  return address.length > 200 ? `${address.slice(0, 200)}…` : address;
}
