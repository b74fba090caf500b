/** History: what this browser remembers, to be searched, opened, taken along and deleted. */

import { writeCsv, writeJson } from "../common/exports.js";
import { CHANNEL, LIMIT } from "../common/history.js";
import { drawButton, wordSize } from "../content/states.js";
import { drawIcon, make } from "../shared/elements.js";
import { fill, wordShare } from "../shared/words.js";
import { askFirst } from "./dialogue.js";
import { drawPage, HistoryEntry } from "./history_entry.js";
import { wordTime } from "./words.js";

/** @typedef {import("./panel.js").Panel} Panel */
/** @typedef {import("../common/history.js").Entry} Entry */

// More than are looked through before a person searches.
const PAGE = 50;

const FORMATS = {
  csv: { type: "text/csv", write: writeCsv },
  json: { type: "application/json", write: writeJson },
};

/** The second view. */
export class HistoryView {
  /** @param {Panel} panel */
  constructor(panel) {
    this.panel = panel;
    this.most = PAGE;
    // A slow search must not overwrite a later one.
    this.turn = 0;
    /** @type {string[]} of the thumbnails on show */
    this.addresses = [];
    this.title = make("h1", { tabindex: "-1" });
    this.search = make("input", { type: "search", id: "history-search", autocomplete: "off" });
    this.searchLabel = make("label", { for: "history-search" });
    this.state = make("p", { class: "aside", role: "status" });
    this.note = make("p", { class: "note", role: "status" });
    this.list = make("ul", { class: "history" });
    this.more = make("button", { type: "button", class: "quiet" });
    this.tools = make("section", { class: "tools" });
    this.overview = make("div", {}, [
      this.title,
      make("div", { class: "field" }, [this.searchLabel, this.search]),
      this.note,
      this.state,
      this.list,
      this.more,
      this.tools,
    ]);
    this.entry = new HistoryEntry(panel, (id, note) => this.leaveEntry(id, note));
    this.element = make("section", {}, [this.overview, this.entry.element]);
    this.search.addEventListener("input", () => {
      this.most = PAGE;
      void this.refresh();
    });
    this.more.addEventListener("click", () => {
      this.most += PAGE;
      void this.refresh();
    });
    new BroadcastChannel(CHANNEL).addEventListener("message", () => void this.refresh());
  }

  get words() {
    return this.panel.strings.panel.history;
  }

  draw() {
    const { words } = this;
    this.title.textContent = words.title;
    this.searchLabel.textContent = words.search;
    this.list.ariaLabel = words.list;
    this.more.textContent = words.more;
    this.drawTools();
    this.entry.draw();
    void this.refresh();
  }

  drawTools() {
    const { words } = this;
    const done = make("p", { class: "aside", role: "status" });
    this.tools.replaceChildren(
      make("h2", {}, [words.exportTitle]),
      make("div", { class: "actions" }, [
        drawButton(words.csv, () => void this.export("csv", done)),
        drawButton(words.json, () => void this.export("json", done)),
        drawButton(words.clear, () => void this.clear(), "quiet grave"),
      ]),
      done,
    );
  }

  /** @param {URLSearchParams} query */
  open(query) {
    const id = query.get("id");
    this.note.textContent = "";
    this.overview.hidden = id !== null;
    void this.entry.show(id);
  }

  /**
   * Go back to the list, to the place in it where one was.
   * @param {string} id of the check that was open
   * @param {string} note what became of it
   */
  async leaveEntry(id, note) {
    location.hash = "history";
    this.overview.hidden = false;
    await this.refresh();
    this.note.textContent = note;
    (this.findLink(addressOf(id)) ?? this.title).focus();
  }

  /** Read the history anew. */
  async refresh() {
    const turn = (this.turn += 1);
    const { history, strings } = this.panel;
    const query = this.search.value.trim();
    const [found, { entries, bytes }] = await Promise.all([
      history.list({ query, words: strings.verdict.words }),
      history.measure(),
    ]);
    if (turn !== this.turn) return;
    this.state.textContent = this.describe(found.length, entries, bytes, query);
    this.tools.hidden = entries === 0;
    this.more.hidden = found.length <= this.most;
    this.drawList(found.slice(0, this.most));
  }

  /**
   * @param {number} found
   * @param {number} entries
   * @param {number} bytes
   * @param {string} query
   */
  describe(found, entries, bytes, query) {
    const { words } = this;
    const { locale } = this.panel.strings;
    if (entries === 0) return words.empty;
    if (query) return found > 0 ? fill(words.found, { count: found }) : fill(words.none, { query });
    return fill(words.size, { count: entries, size: wordSize(bytes, locale), limit: LIMIT });
  }

  /** @param {Entry[]} entries */
  drawList(entries) {
    const focused = document.activeElement instanceof HTMLAnchorElement ? document.activeElement.hash : null;
    const held = focused !== null && this.list.contains(document.activeElement);
    const outdated = this.addresses;
    this.addresses = [];
    this.list.replaceChildren(...entries.map((entry) => this.drawRow(entry)));
    outdated.forEach((address) => URL.revokeObjectURL(address));
    if (held) (this.findLink(focused) ?? this.title).focus();
  }

  /** @param {Entry} entry */
  drawRow({ id, verdict, page, source, time, thumbnail }) {
    const { strings } = this.panel;
    const said = [strings.verdict.words[verdict.verdict]];
    if (verdict.fake_probability !== null) {
      said.push(wordShare(verdict.fake_probability, verdict.verdict, strings, null));
    }
    const picture = make("span", { class: "thumbnail" });
    if (thumbnail) {
      const address = URL.createObjectURL(thumbnail);
      this.addresses.push(address);
      picture.append(make("img", { src: address, alt: "" }));
    }
    const place = make("p", { id: `place-${id}` }, [page ? drawPage(page) : make("bdi", {}, [source])]);
    const when = make("p", { class: "aside", id: `when-${id}` }, [
      make("time", { datetime: time }, [wordTime(time, strings)]),
      make("span", { class: "version" }, [fill(this.words.model, verdict.model)]),
    ]);
    const link = make(
      "a",
      { href: addressOf(id), class: "opens", "aria-describedby": `place-${id} when-${id}` },
      [drawIcon(verdict.verdict), make("span", {}, [said.join(" · ")])],
    );
    return make("li", { class: "unmask", "data-verdict": verdict.verdict }, [
      picture,
      make("div", {}, [link, place, when]),
    ]);
  }

  /** @param {string} hash */
  findLink(hash) {
    return [...this.list.querySelectorAll("a")].find((link) => link.hash === hash);
  }

  /**
   * @param {"csv" | "json"} format
   * @param {HTMLElement} done
   */
  async export(format, done) {
    const { type, write } = FORMATS[format];
    const text = write(await this.panel.history.list());
    const name = `unmask-history-${new Date().toISOString().slice(0, 10)}.${format}`;
    const address = URL.createObjectURL(new Blob([text], { type }));
    make("a", { href: address, download: name }).click();
    // The download has its own hold on the file once it has begun.
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    done.textContent = fill(this.words.exported, { name });
  }

  /** Delete everything, once a person has agreed. */
  async clear() {
    const { words } = this;
    const { entries } = await this.panel.history.measure();
    const agreed = await askFirst({
      title: words.clearTitle,
      text: fill(words.clearText, { count: entries }),
      yes: words.clearYes,
      no: words.keep,
    });
    if (!agreed) return;
    await this.panel.history.clear();
    await this.refresh();
    this.note.textContent = words.cleared;
    this.title.focus();
  }
}

/** @param {string} id */
function addressOf(id) {
  return `#history?${new URLSearchParams({ id })}`;
}
