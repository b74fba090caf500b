/** Draws what a model knows: what it covers, where it fails, and how it does on known and never-seen generators. */

import { make } from "./elements.js";
import { listGenerators } from "./knowledge.js";

/** @typedef {import("./knowledge.js").Generator} Generator */
/** @typedef {import("./service.js").Model} Model */
/** @typedef {import("./strings.js").Language} Language */

/**
 * Draw it as a disclosure, which a keyboard opens as well.
 * @param {Pick<Model, "covers" | "limits" | "metrics"> | null} model null where it could not be loaded
 * @param {Language} strings
 * @returns {HTMLDetailsElement}
 */
export function drawKnowledge(model, strings) {
  const words = strings.verdict.knowledge;
  const content = model
    ? [
        ...drawList(words.covers, model.covers ?? []),
        ...drawList(words.limits, model.limits ?? []),
        ...drawGenerators(model.metrics, strings),
      ]
    : [make("p", {}, [words.unknown])];
  return make("details", { class: "unmask-fold unmask-knowledge" }, [
    make("summary", {}, [words.title]),
    ...content,
  ]);
}

/**
 * Draw known and never-seen generators in one table.
 * @param {unknown} metrics as the service gives them
 * @param {Language} strings
 * @returns {Node[]} none where the service tells of no generator
 */
export function drawGenerators(metrics, strings) {
  const words = strings.verdict.knowledge;
  const { seen, unseen } = listGenerators(metrics);
  if (seen.length + unseen.length === 0) return [];
  const heads = [words.generator, words.fakes, words.calledFake, words.noTraces];
  const head = make("tr", {}, heads.map((name) => make("th", { scope: "col" }, [name])));
  const groups = /** @type {[string, Generator[]][]} */ ([
    [words.seen, seen],
    [words.unseen, unseen],
  ]).flatMap(([title, rows]) =>
    rows.length === 0
      ? []
      : [
          make("tbody", {}, [
            make("tr", {}, [make("th", { scope: "rowgroup", colspan: heads.length }, [title])]),
            ...rows.map((row) => drawRow(row, strings)),
          ]),
        ],
  );
  // A table that is wider than its place is moved by itself, by keyboard too.
  return [
    make("div", { class: "unmask-wide", tabindex: "0", role: "region", "aria-label": words.generators }, [
      make("table", { class: "unmask-generators" }, [
        make("caption", {}, [words.generators]),
        make("thead", {}, [head]),
        ...groups,
      ]),
    ]),
  ];
}

/** @param {Generator} generator @param {Language} strings */
function drawRow({ name, fakes, called_fake, no_traces }, { locale }) {
  const count = new Intl.NumberFormat(locale);
  const share = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
  const cells = [count.format(fakes), share.format(called_fake), share.format(no_traces)];
  return make("tr", {}, [
    make("th", { scope: "row" }, [make("bdi", {}, [name])]),
    ...cells.map((cell) => make("td", {}, [cell])),
  ]);
}

/**
 * Sentences from the service, which speaks English whatever the language of the rest.
 * @param {string} title
 * @param {string[]} sentences
 * @returns {Node[]}
 */
function drawList(title, sentences) {
  if (sentences.length === 0) return [];
  const items = sentences.map((sentence) => make("li", { lang: "en", dir: "auto" }, [sentence]));
  return [make("h4", {}, [title]), make("ul", { class: "unmask-limits" }, items)];
}
