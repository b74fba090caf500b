/** Model: what the service's model covers, where it fails, and how often it is right. */

import { hostOf } from "../common/settings.js";
import { drawButton } from "../content/states.js";
import { make } from "../shared/elements.js";
import { CheckFailure } from "../shared/service.js";
import { drawGenerators } from "../shared/knowledge_view.js";
import { fill } from "../shared/words.js";
import { summarise, tabulate } from "./figures.js";
import { wordFailure, wordPart } from "./words.js";

/** @typedef {import("./panel.js").Panel} Panel */
/** @typedef {import("../shared/service.js").Model} Model */

/** The third view. */
export class ModelView {
  /** @param {Panel} panel */
  constructor(panel) {
    this.panel = panel;
    this.title = make("h1");
    this.body = make("div");
    this.element = make("section", {}, [this.title, this.body]);
    /** @type {Model | CheckFailure | null} null while it is not known */
    this.known = null;
  }

  get words() {
    return this.panel.strings.panel.model;
  }

  open() {
    if (!this.isModel()) void this.load();
  }

  /** @param {import("../common/settings.js").Settings} before */
  adjust({ backend, key }) {
    const { settings } = this.panel;
    if (settings.backend === backend && settings.key === key) return;
    this.known = null;
    if (!this.element.hidden) void this.load();
  }

  /** Ask the service. */
  async load() {
    const { settings } = this.panel;
    this.known = null;
    this.draw();
    const known = await this.panel
      .connect()
      .readModel()
      .catch((error) => (error instanceof CheckFailure ? error : new CheckFailure("server")));
    // Another service may have been set while this one thought.
    if (settings.backend !== this.panel.settings.backend) return;
    this.known = known;
    this.draw();
  }

  isModel() {
    return this.known !== null && !(this.known instanceof CheckFailure);
  }

  draw() {
    const { known, words } = this;
    this.title.textContent = words.title;
    if (known === null) this.body.replaceChildren(make("p", { role: "status" }, [words.loading]));
    else if (known instanceof CheckFailure) this.drawFailure(known);
    else this.drawModel(known);
  }

  /** @param {CheckFailure} failure */
  drawFailure({ kind, explanation }) {
    const said = wordFailure(kind, this.panel.strings);
    this.body.replaceChildren(
      make("div", { class: "notice", role: "status" }, [
        make("p", {}, [this.words.failed]),
        make("p", {}, [`${said.title}. ${explanation ?? said.explanation}`]),
        drawButton(this.panel.strings.panel.retry, () => void this.load()),
      ]),
    );
  }

  /** @param {Model} model */
  drawModel(model) {
    const { words } = this;
    const { locale } = this.panel.strings;
    const host = hostOf(this.panel.settings.backend);
    const { no_traces_below: low, fake_above: fake } = model.thresholds;
    const bands = { low: wordPart(low, locale, 1), fake: wordPart(fake, locale, 1) };
    this.body.replaceChildren(
      make("p", { class: "aside" }, [fill(words.name, { ...nameOf(model), host })]),
      make("h2", {}, [words.covers]),
      drawList(model.covers),
      make("h2", {}, [words.limits]),
      drawList(model.limits),
      make("h2", {}, [words.bandsTitle]),
      make("p", {}, [fill(words.bands, bands)]),
      make("h2", {}, [words.figuresTitle]),
      ...this.drawFigures(model.metrics),
      make("h2", {}, [words.terms]),
      make("p", { class: "aside", lang: "en", dir: "ltr" }, [model.terms]),
    );
  }

  /** @param {unknown} metrics @returns {Node[]} */
  drawFigures(metrics) {
    const { words } = this;
    const { locale } = this.panel.strings;
    const summary = summarise(metrics);
    if (!summary) return [make("p", {}, [words.noFigures])];
    const { auc, aucRange } = summary;
    const percent = (/** @type {number} */ part) => wordPart(part, locale, 1);
    const about = (/** @type {number} */ part) => wordPart(part, locale);
    const wordAuc = (/** @type {number} */ part) =>
      aucRange
        ? fill(words.aucRange, { percent: about(part), low: about(aucRange[0]), high: about(aucRange[1]) })
        : fill(words.aucValue, { percent: about(part) });
    /** @type {[string, number | null, (value: number) => string][]} */
    const figures = [
      [words.pictures, summary.pictures, (count) => new Intl.NumberFormat(locale).format(count)],
      [words.realCleared, summary.realCleared, percent],
      [words.realAccused, summary.realAccused, percent],
      [words.fakeFound, summary.fakeFound, percent],
      [words.fakeMissed, summary.fakeMissed, percent],
      [words.auc, auc, wordAuc],
    ];
    const list = figures.flatMap(([name, value, write]) =>
      value === null ? [] : [make("div", {}, [make("dt", {}, [name]), make("dd", {}, [write(value)])])],
    );
    return [
      make("p", { class: "aside" }, [words.figuresLead]),
      make("dl", { class: "figures" }, list),
      make("div", { class: "unmask" }, drawGenerators(metrics, this.panel.strings)),
      ...this.drawTable(metrics),
    ];
  }

  /** @param {unknown} metrics @returns {Node[]} */
  drawTable(metrics) {
    const { words } = this;
    const { locale } = this.panel.strings;
    const rows = tabulate(metrics);
    if (rows.length === 0) return [];
    const names = /** @type {Record<string, string>} */ (words.sources);
    const heads = [words.source, words.likelyFake, words.uncertain, words.noTraces];
    const groups = [false, true].map((fake) => {
      const name = fake ? words.fakeGroup : words.realGroup;
      const lines = rows
        .filter((row) => row.fake === fake)
        .map(({ source, likelyFake, uncertain, noTraces }) =>
          make("tr", {}, [
            make("th", { scope: "row" }, [names[source] ?? source]),
            ...[likelyFake, uncertain, noTraces].map((part) => make("td", {}, [wordPart(part, locale)])),
          ]),
        );
      const head = make("tr", {}, [make("th", { scope: "rowgroup", colspan: heads.length }, [name])]);
      return lines.length > 0 ? make("tbody", {}, [head, ...lines]) : "";
    });
    return [
      make("h3", { id: "by-source" }, [words.tableTitle]),
      make("div", { class: "wide", tabindex: 0, role: "region", "aria-labelledby": "by-source" }, [
        make("table", {}, [
          make("thead", {}, [make("tr", {}, heads.map((head) => make("th", { scope: "col" }, [head])))]),
          ...groups,
        ]),
      ]),
    ];
  }
}

/** @param {Model} model */
function nameOf({ name, version }) {
  return { name, version };
}

/**
 * Sentences from the service, which speaks English.
 * @param {string[]} sentences
 */
function drawList(sentences) {
  return make(
    "ul",
    { lang: "en", dir: "ltr" },
    sentences.map((sentence) => make("li", {}, [sentence])),
  );
}
