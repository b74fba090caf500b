/** Check: takes pictures in, checks them one after another, offers some to try. */

import { hostOf } from "../common/settings.js";
import { make } from "../shared/elements.js";
import { fill } from "../shared/words.js";
import { AddressNotice } from "./address_notice.js";
import { CheckCard } from "./check_card.js";

/** @typedef {import("./panel.js").Panel} Panel */

// More would keep a person waiting, and a small service busy, for minutes.
const MOST_PICTURES = 10;

const SAMPLES = /** @type {const} */ (["portrait", "blended", "small", "cat"]);

/** The first view. */
export class CheckView {
  /** @param {Panel} panel */
  constructor(panel) {
    this.panel = panel;
    /** @type {CheckCard[]} */
    this.queue = [];
    /** @type {CheckCard[]} */
    this.cards = [];
    this.busy = false;

    this.title = make("h1");
    this.lead = make("p", { class: "lead" });
    this.files = make("input", { type: "file", accept: "image/*", multiple: "", hidden: "" });
    this.choose = make("button", { type: "button", class: "main", "aria-describedby": "choose-more" });
    this.more = make("p", { id: "choose-more" });
    this.promise = make("p", { class: "promise" });
    this.drop = make("section", { class: "drop" }, [this.choose, this.files, this.more, this.promise]);
    this.notice = make("p", { class: "notice", role: "alert" });
    this.address = new AddressNotice(panel, (picture, name) => this.take([picture], () => name));
    this.results = make("section", { class: "results" });
    this.samples = make("section", { class: "samples" });
    this.element = make("section", {}, [
      this.title,
      this.lead,
      this.address.element,
      this.drop,
      this.notice,
      this.results,
      this.samples,
    ]);
    this.listen();
  }

  draw() {
    const { strings, settings } = this.panel;
    const words = strings.panel.check;
    this.title.textContent = words.title;
    this.lead.textContent = fill(words.lead, { menu: strings.menu.check.replace("&", "") });
    this.choose.textContent = words.choose;
    this.more.textContent = words.drop;
    this.promise.textContent = fill(words.promise, { host: hostOf(settings.backend) });
    this.drop.ariaLabel = words.dropArea;
    this.results.ariaLabel = words.results;
    this.notice.textContent = "";
    this.address.draw();
    for (const card of this.cards) card.draw();
    this.drawSamples();
  }

  drawSamples() {
    const words = this.panel.strings.panel.check;
    const items = SAMPLES.map((name) => {
      const { name: title, about } = words.samples[name];
      const url = `../samples/${name}.jpg`;
      const button = make("button", { type: "button", class: "sample" }, [
        make("img", { src: url, alt: "", loading: "lazy" }),
        make("span", {}, [make("b", {}, [title]), make("span", {}, [about])]),
      ]);
      button.addEventListener("click", async () => {
        const picture = await (await fetch(url)).blob();
        this.take([picture], () => fill(words.example, { name: title }));
      });
      return make("li", {}, [button]);
    });
    this.samples.replaceChildren(
      make("h2", {}, [words.samplesTitle]),
      make("p", { class: "aside" }, [words.samplesLead]),
      make("ul", { class: "gallery" }, items),
    );
  }

  /** @param {URLSearchParams} query */
  open(query) {
    if (query.has("blocked")) this.address.show(null);
    else if (query.has("src")) this.address.show(query.get("src"));
  }

  adjust() {
    const { strings, settings } = this.panel;
    this.promise.textContent = fill(strings.panel.check.promise, { host: hostOf(settings.backend) });
    for (const card of this.cards) card.adjust();
  }

  /**
   * Take pictures in; the newest stand on top.
   * @param {Blob[]} pictures at least one
   * @param {(picture: any) => string} name what each is, in words
   */
  take(pictures, name) {
    const words = this.panel.strings.panel.check;
    const taken = pictures.slice(0, MOST_PICTURES);
    this.notice.textContent =
      pictures.length > taken.length
        ? fill(words.tooMany, { most: MOST_PICTURES, count: pictures.length })
        : "";
    const cards = taken.map(
      (picture) =>
        new CheckCard(picture, name(picture), this.panel, {
          enqueue: (card) => this.enqueue(card),
          refuse: () => this.refuse(),
          leave: (card) => this.leave(card),
        }),
    );
    this.cards.unshift(...cards);
    this.results.prepend(...cards.map(({ element }) => element));
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    cards[0].element.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
    for (const card of cards) this.enqueue(card);
  }

  /** @param {CheckCard} card */
  enqueue(card) {
    this.queue.push(card);
    if (!this.busy) void this.work();
  }

  /** Check one picture after the other. */
  async work() {
    this.busy = true;
    for (let card = this.queue.shift(); card; card = this.queue.shift()) await card.check();
    this.busy = false;
  }

  /** Nobody wants to refuse once for each of ten pictures. */
  refuse() {
    for (const card of this.queue.splice(0)) card.showRefusal();
  }

  /** @param {CheckCard} card */
  leave(card) {
    this.cards = this.cards.filter((other) => other !== card);
    this.queue = this.queue.filter((other) => other !== card);
    this.choose.focus({ preventScroll: true });
  }

  listen() {
    this.choose.addEventListener("click", () => this.files.click());
    this.files.addEventListener("change", () => {
      if (this.files.files?.length) this.take([...this.files.files], (file) => file.name);
      // Choosing the same file once more is a change too.
      this.files.value = "";
    });
    // Anywhere in the panel, so that a near miss does not make the browser leave it for the picture.
    addEventListener("dragover", (event) => {
      event.preventDefault();
      this.drop.dataset.over = "";
    });
    addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) delete this.drop.dataset.over;
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      delete this.drop.dataset.over;
      location.hash = "check";
      this.takeDropped(event.dataTransfer);
    });
    addEventListener("paste", (event) => {
      const pictures = [...(event.clipboardData?.files ?? [])];
      const typing = event.target instanceof Element && event.target.closest("input, textarea");
      if (typing || this.element.hidden) return;
      const words = this.panel.strings.panel.check;
      if (pictures.length > 0) this.take(pictures, () => words.pasted);
      else this.notice.textContent = words.nothingPasted;
    });
  }

  /** @param {DataTransfer | null} data */
  takeDropped(data) {
    const pictures = [...(data?.files ?? [])];
    // A picture dragged out of a page may come as its address only.
    const lines = data?.getData("text/uri-list").split(/\r?\n/);
    const address = lines?.find((line) => /^(https?|data):/.test(line));
    if (pictures.length > 0) this.take(pictures, (file) => file.name);
    else if (address) this.address.show(address, { dropped: true });
    else this.notice.textContent = this.panel.strings.panel.check.nothingDropped;
  }
}
