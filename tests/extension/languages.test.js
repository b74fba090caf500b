import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { english } from "../../backend/chalicelib/page/strings.js";
import { mergeStrings, pickLanguage } from "../../extension/common/languages.js";

// The tests are run from the root of the repository.
const FOLDER = "extension/languages";
const LOCALES = "extension/_locales";

/** @param {string} name @returns {any} */
const read = (name) => JSON.parse(readFileSync(`${FOLDER}/${name}`, "utf8"));

const { verdict, page } = english;
const base = mergeStrings({ verdict, page }, read("en.json"));
const others = readdirSync(FOLDER).filter((name) => name.endsWith(".json") && name !== "en.json");

/**
 * List the leaves of a tree by their path.
 * @param {any} tree
 * @param {string} [path]
 * @returns {[path: string, words: string][]}
 */
function listLeaves(tree, path = "") {
  if (typeof tree !== "object") return [[path, String(tree)]];
  const prefix = path && `${path}.`;
  return Object.entries(tree).flatMap(([name, branch]) => listLeaves(branch, prefix + name));
}

/** @param {string} words */
const gapsOf = (words) => [...words.matchAll(/\{(\w+)\}/g)].map(([gap]) => gap).sort();

/** @param {any} file @returns {string[]} its sections of words, one by one */
const sectionsOf = (file) => Object.keys(file).filter((name) => name !== "language");

for (const name of others) {
  const file = read(name);

  test(`${name} says everything that English says, section by section, and nothing else`, () => {
    const missing = sectionsOf(read("en.json")).filter((section) => !sectionsOf(file).includes(section));
    assert.deepEqual(missing, []);
    for (const section of sectionsOf(file)) {
      const paths = (/** @type {any} */ tree) => listLeaves(tree).map(([path]) => path).sort();
      assert.deepEqual(paths(file[section]), paths(base[section]), section);
    }
  });

  test(`${name} has the gaps of English, and no sentence without words`, () => {
    const words = new Map(listLeaves(base));
    for (const [path, said] of sectionsOf(file).flatMap((section) => listLeaves(file[section], section))) {
      assert.notEqual(said.trim(), "", path);
      assert.deepEqual(gapsOf(said), gapsOf(words.get(path) ?? said), path);
    }
  });

  test(`${name} says which way it is written`, () => {
    const { code, name: own, locale, direction } = file.language;
    assert.equal(`${code}.json`, name);
    assert.ok(own.length > 0);
    assert.deepEqual(Intl.getCanonicalLocales(locale), [locale]);
    assert.ok(["ltr", "rtl"].includes(direction));
  });
}

test("each language says that no traces found makes nothing genuine, and none calls anything real", () => {
  const genuine = /** @type {Record<string, RegExp>} */ ({ en: /genuine/, ar: /أصلي/ });
  const claims = /** @type {Record<string, RegExp>} */ ({ en: /likely real/i, ar: /حقيقية? على الأرجح|حقيقيًا على الأرجح/ });
  for (const [code, words] of /** @type {[string, any][]} */ ([
    ["en", base],
    ...others.map((name) => [read(name).language.code, read(name)]),
  ])) {
    const { verdict: said } = words;
    for (const sentence of [said.meanings.no_traces, said.meaningsOfVideo.no_traces, said.noTraces])
      assert.match(sentence, genuine[code], `${code}: ${sentence}`);
    const clear = [said.words.no_traces, said.share, said.shareWithoutTraces, said.figureWithoutTraces];
    assert.equal(new Set(clear).size, clear.length, code);
    for (const [path, sentence] of listLeaves(words)) assert.doesNotMatch(sentence, claims[code], `${code} ${path}`);
  }
});

test("each language has its words for the browser's own lists, short enough for the shops", () => {
  const files = ["en.json", ...others];
  for (const code of files.map((name) => read(name).language.code)) {
    const messages = JSON.parse(readFileSync(`${LOCALES}/${code}/messages.json`, "utf8"));
    const keys = ["commandCheck", "description", "name"];
    assert.deepEqual(Object.keys(messages).filter((key) => keys.includes(key)).sort(), keys);
    for (const { message } of Object.values(messages)) assert.ok(message.length > 0);
    assert.ok(messages.name.message.length <= 45);
    assert.ok(messages.description.message.length <= 132);
  }
});

test("a language is picked: the wanted one, else the browser's best that is there, else English", () => {
  const available = ["en", "ar", "pt-BR", "pt"];
  for (const [wanted, preferred, code] of /** @type {[string, string[], string][]} */ ([
    ["ar", ["en-GB"], "ar"],
    ["", ["ar-EG", "en"], "ar"],
    ["", ["fr-FR", "ar", "en"], "ar"],
    ["", ["pt-BR"], "pt-BR"],
    ["", ["pt-pt"], "pt"],
    ["", ["PT-br"], "pt-BR"],
    ["", ["fr"], "en"],
    ["", [], "en"],
    ["xx", ["ar"], "ar"],
  ])) {
    assert.equal(pickLanguage(wanted, preferred, available), code, `${wanted} ${preferred}`);
  }
});

test("a language is laid over English, sentence by sentence, and changes neither", () => {
  const below = { page: { stop: "Stop", retry: "Retry" }, list: ["a", "b"], direction: "ltr" };
  const above = { page: { stop: "قف" }, list: ["ج"], direction: "rtl", more: { far: "x" } };
  const copies = structuredClone([below, above]);
  const merged = mergeStrings(below, above);
  assert.deepEqual(merged, {
    page: { stop: "قف", retry: "Retry" },
    list: ["ج"],
    direction: "rtl",
    more: { far: "x" },
  });
  merged.list.push("more");
  merged.more.far = "changed";
  assert.deepEqual([below, above], copies);
});
