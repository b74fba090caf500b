/** Times, shares and failures as a person reads them. */

import { wordDate } from "../shared/words.js";

/** @typedef {import("../common/languages.js").Strings} Strings */

/**
 * @param {string} time ISO 8601
 * @param {Pick<Strings, "locale">} strings
 * @returns {string} the text itself where it is no time
 */
export function wordTime(time, strings) {
  return wordDate(time, strings, { dateStyle: "medium", timeStyle: "short" });
}

/**
 * @param {number} share 0 to 1
 * @param {string} locale
 * @param {number} [digits] after the point, at most
 * @returns {string}
 */
export function wordPart(share, locale, digits = 0) {
  const format = new Intl.NumberFormat(locale, {
    style: "unit",
    unit: "percent",
    maximumFractionDigits: digits,
  });
  return format.format(share * 100);
}

/**
 * Find the words for a failure.
 * @param {string} kind
 * @param {Strings} strings
 * @returns {{title: string, explanation: string}} those of "server" where there are none
 */
export function wordFailure(kind, strings) {
  /** @type {Record<string, {title: string, explanation: string}>} */
  const failures = { ...strings.page.failures, ...strings.failures };
  return failures[kind] ?? failures.server;
}

/** Say whether a verdict has room for one column only. */
export function isNarrow() {
  return matchMedia("(max-width: 48rem)").matches;
}

/**
 * @param {string} address
 * @returns {boolean} whether a link may lead there
 */
export function isWebAddress(address) {
  return /^https?:\/\//i.test(address);
}
