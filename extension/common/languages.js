/**
 * The words of the extension in the language that a person reads. A language is one file in `languages/`;
 * what it leaves out is said in English.
 */

import { english } from "../shared/strings.js";

/** @typedef {typeof import("../languages/en.json", { with: { "resolution-mode": "require" } })} English */

/** @typedef {typeof english & English & {locale: string, direction: string}} Strings all words */

/** @typedef {{code: string, name: string}} LanguageName the name is in the language itself */

const BASE = "en";

/**
 * Read the words of a language.
 * @param {string} wanted a code; "" for the browser's own
 * @returns {Promise<Strings>}
 */
export async function readLanguage(wanted) {
  const available = (await listLanguages()).map(({ code }) => code);
  const code = pickLanguage(wanted, navigator.languages, available);
  const files = await Promise.all([BASE, ...(code === BASE ? [] : [code])].map(readFile));
  const { verdict, page } = english;
  const strings = mergeStrings({ verdict, page }, ...files);
  const { locale, direction } = strings.language;
  return { ...strings, locale, direction };
}

/**
 * List the languages that there are.
 * @returns {Promise<LanguageName[]>}
 */
export async function listLanguages() {
  return readFile("index");
}

/** @param {string} name @returns {Promise<any>} */
async function readFile(name) {
  const response = await fetch(chrome.runtime.getURL(`languages/${name}.json`));
  return response.json();
}

/**
 * Pick the language to speak: the wanted one, else the first of the browser's that is there, else English.
 * @param {string} wanted a code, or "" for the browser's own
 * @param {readonly string[]} preferred the browser's languages, the best first, as "ar-EG"
 * @param {readonly string[]} available codes
 * @returns {string} one of the codes
 */
export function pickLanguage(wanted, preferred, available) {
  if (available.includes(wanted)) return wanted;
  for (const tag of preferred) {
    // "pt-BR" is met by "pt-BR", else by "pt".
    const parts = tag.split("-");
    for (let length = parts.length; length > 0; length -= 1) {
      const shorter = parts.slice(0, length).join("-").toLowerCase();
      const found = available.find((code) => code.toLowerCase() === shorter);
      if (found) return found;
    }
  }
  return BASE;
}

/**
 * Lay trees of words over each other: a later one wins, sentence by sentence. A list is taken whole.
 * @param {...any} layers
 * @returns {any} a new tree
 */
export function mergeStrings(...layers) {
  return layers.reduce((below, above) => {
    if (!isTree(below) || !isTree(above)) return structuredClone(above ?? below);
    const names = new Set([...Object.keys(below), ...Object.keys(above)]);
    return Object.fromEntries([...names].map((name) => [name, mergeStrings(below[name], above[name])]));
  }, undefined);
}

/** @param {unknown} value */
function isTree(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
