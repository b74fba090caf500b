/**
 * What a file says of itself, beside what the network says: which statements there are, and whether they disagree.
 * Pure. Nothing here moves a figure: a statement is somebody's word, and the network's is a guess.
 */

import { fill } from "./words.js";

/** @typedef {import("./strings.js").Language} Language */
/** @typedef {import("./verdict.js").Credentials} Credentials */
/** @typedef {import("./verdict.js").Declares} Declares */
/** @typedef {import("./verdict.js").Signal} Signal */
/** @typedef {import("./verdict.js").Verdict} Verdict */

/** @typedef {{verdict: Verdict, credentials?: Credentials | null}} Told the service's answer, and what was read here */

/**
 * IPTC's terms for how a picture came about, and which of the three each declares. Of drawings and screenshots none.
 * @type {Readonly<Record<string, Declares | null>>}
 */
export const SOURCE_TYPES = Object.freeze({
  trainedAlgorithmicMedia: "machine_made",
  compositeWithTrainedAlgorithmicMedia: "machine_made",
  compositeSynthetic: "machine_made",
  algorithmicMedia: "machine_made",
  dataDrivenMedia: "machine_made",
  virtualRecording: "machine_made",
  humanEdits: "edited",
  minorHumanEdits: "edited",
  algorithmicallyEnhanced: "edited",
  composite: "edited",
  compositeCapture: "edited",
  digitalCapture: "camera",
  computationalCapture: "camera",
  negativeFilm: "camera",
  positiveFilm: "camera",
  print: "camera",
  digitalArt: null,
  digitalCreation: null,
  softwareImage: null,
  screenCapture: null,
});

/** @type {Readonly<Record<string, Declares>>} what a file may not say where the network says this */
const OPPOSITES = Object.freeze({ no_traces: "machine_made", likely_fake: "camera" });

/** @type {Declares[]} what weighs most first */
const ORDER = ["machine_made", "edited", "camera"];

/**
 * List the signals that are worth telling: where credentials were read here, that some are there is no news.
 * @param {Told} told
 * @returns {Signal[]}
 */
export function listSignals({ verdict, credentials }) {
  const signals = verdict.signals ?? [];
  return credentials ? signals.filter(({ where }) => where !== "c2pa") : signals;
}

/**
 * Say what credentials are worth as a statement.
 * @param {Credentials} credentials
 * @returns {boolean} whether the signed words are those that somebody signed
 */
export function holds({ state }) {
  return state === "valid" || state === "untrusted";
}

/**
 * Find where the file says the opposite of the network.
 * @param {Told} told
 * @returns {{declares: Declares, signed: boolean} | null} signed: by somebody who is on a trust list here
 */
export function findConflict({ verdict, credentials }) {
  const opposite = OPPOSITES[verdict.verdict];
  if (!opposite) return null;
  if (credentials && holds(credentials) && credentials.declares === opposite) {
    return { declares: opposite, signed: credentials.state === "valid" };
  }
  const said = (verdict.signals ?? []).some(({ declares }) => declares === opposite);
  return said ? { declares: opposite, signed: false } : null;
}

/**
 * Say in one sentence what the file declares, for those who hear the verdict.
 * @param {Told} told
 * @param {Language} strings
 * @returns {string} empty where it declares nothing
 */
export function wordDeclared(told, strings) {
  const { declared } = strings.verdict;
  const { credentials } = told;
  const said = listSignals(told).map(({ declares }) => declares);
  if (credentials && holds(credentials)) said.push(credentials.declares);
  const words = ORDER.filter((one) => said.includes(one)).map((one) => declared.declares[one]);
  const sentences = words.length > 0 ? [fill(declared.said, { words: words.join(", ") })] : [];
  if (credentials) sentences.push(`${declared.credentials.title}: ${wordState(credentials, strings)}.`);
  return sentences.join(" ");
}

/**
 * Put the state of credentials into words.
 * @param {Credentials} credentials
 * @param {Language} strings
 * @returns {string}
 */
export function wordState({ state, host }, strings) {
  return fill(strings.verdict.declared.credentials.states[state], { host: host ?? "" });
}

/**
 * Put one signal into words, without its value.
 * @param {Signal} signal
 * @param {Language} strings
 * @returns {string} a code that there are no words for stays as it is
 */
export function wordSignal({ found, field, value, declares, strength }, strings) {
  const { declared } = strings.verdict;
  const what = fill(pick(declared.found, found), { value });
  if (!declares) return what;
  return fill(declared.signal, {
    declares: pick(declared.declares, declares),
    found: what,
    field,
    strength: pick(declared.strengths, strength),
  });
}

/**
 * Put one step of a picture's making into words.
 * @param {Credentials["actions"][number]} action
 * @param {Language} strings
 * @returns {string}
 */
export function wordAction({ action, source, tool }, strings) {
  const words = strings.verdict.declared.credentials;
  const made = action === "created" && source !== null && Object.hasOwn(words.sources, source);
  const changed = action !== "created" && source !== null && SOURCE_TYPES[source] === "machine_made";
  let what = made ? pick(words.sources, source) : pick(words.actions, action);
  if (changed) what = fill(words.withModel, { action: what });
  return tool ? fill(words.with, { action: what, tool }) : what;
}

/**
 * @param {Record<string, string>} words
 * @param {string} code
 */
function pick(words, code) {
  return Object.hasOwn(words, code) ? words[code] : code;
}

/**
 * Write down what the file says, line by line.
 * @param {Told} told
 * @param {Language} strings
 * @returns {string[]} empty where it says nothing
 */
export function writeDeclared(told, strings) {
  const { declared } = strings.verdict;
  const { credentials } = told;
  const lines = [];
  if (credentials) {
    const { title, signedBy } = declared.credentials;
    lines.push(`${title}: ${wordState(credentials, strings)}`);
    if (credentials.signer) lines.push(fill(signedBy, { signer: credentials.signer }));
    lines.push(...credentials.actions.map((action) => wordAction(action, strings)));
  }
  for (const signal of listSignals(told)) {
    const value = signal.declares && signal.value ? `: ${signal.value}` : "";
    lines.push(wordSignal(signal, strings) + value);
  }
  if (lines.length === 0) return [];
  return [declared.title, ...lines.map((line) => `- ${line}`), declared.caution];
}
