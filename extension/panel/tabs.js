/** The tabs: one view in front, named by the address, `panel.html#history?id=…`. */

import { make } from "../shared/elements.js";

/** @typedef {import("./panel.js").View} View */

/**
 * Read which view an address names.
 * @param {string} hash of the address, "#" included
 * @param {string[]} names of the views; the first is the usual one
 * @returns {{name: string, query: URLSearchParams}}
 */
export function readAddress(hash, names) {
  const [name, ...rest] = hash.replace(/^#/, "").split("?");
  return { name: names.includes(name) ? name : names[0], query: new URLSearchParams(rest.join("?")) };
}

/** A row of tabs and the panels that they stand for. */
export class Tabs {
  /**
   * @param {HTMLElement} row takes the tabs
   * @param {HTMLElement} room takes the views
   * @param {Record<string, View>} views by name
   */
  constructor(row, room, views) {
    this.row = row;
    this.views = views;
    this.names = Object.keys(views);
    this.tabs = this.names.map((name) =>
      make("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `view-${name}` }),
    );
    row.replaceChildren(...this.tabs);
    for (const [name, { element }] of Object.entries(views)) {
      // Not the name itself: the browser would scroll to what has the name of the address.
      element.id = `view-${name}`;
      element.role = "tabpanel";
      element.setAttribute("aria-labelledby", `tab-${name}`);
    }
    room.replaceChildren(...Object.values(views).map(({ element }) => element));
    row.addEventListener("click", ({ target }) => this.pick(this.tabs.findIndex((tab) => tab === target)));
    row.addEventListener("keydown", (event) => this.steer(event));
  }

  /** @param {Record<string, string>} words by name, and "label" for the row */
  draw(words) {
    this.row.ariaLabel = words.label;
    this.tabs.forEach((tab, index) => (tab.textContent = words[this.names[index]]));
  }

  /** Show what the address names, now and whenever it changes. */
  follow() {
    addEventListener("hashchange", () => this.show());
    this.show();
  }

  show() {
    const { name, query } = readAddress(location.hash, this.names);
    for (const [index, tab] of this.tabs.entries()) {
      const front = this.names[index] === name;
      const { element } = this.views[this.names[index]];
      if (front && element.hidden) scrollTo(0, 0);
      tab.ariaSelected = String(front);
      tab.tabIndex = front ? 0 : -1;
      element.hidden = !front;
    }
    /** @type {HTMLAnchorElement} */ (document.getElementById("in-tab")).href = location.hash || "#";
    this.views[name].open?.(query);
  }

  /** @param {number} index */
  pick(index) {
    if (index >= 0) location.hash = this.names[index];
  }

  /** @param {KeyboardEvent} event */
  steer(event) {
    const now = this.tabs.findIndex((tab) => tab === document.activeElement);
    const ahead = getComputedStyle(this.row).direction === "rtl" ? -1 : 1;
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: now + ahead, ArrowLeft: now - ahead, Home: 0, End: this.tabs.length - 1 };
    if (now < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const index = (steps[event.key] + this.tabs.length) % this.tabs.length;
    this.tabs[index].focus();
    this.pick(index);
  }
}
