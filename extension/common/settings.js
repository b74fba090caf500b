/**
 * What a person has chosen, kept by the browser under one name and seen by every part of the extension; the key of the
 * service is kept apart from it, where no script in a page can read it.
 */

import { isLoopback } from "./hosts.js";
import { CURRENT, Vault } from "./vault.js";

/**
 * @typedef {object} Settings
 * @property {string} backend address of the service, without a slash at the end
 * @property {string} key access key of that service, "" where it asks for none
 * @property {"system" | "light" | "dark"} theme
 * @property {string} language code, "" for the browser's own
 * @property {boolean} showBand whether a verdict shows the scale with its three bands
 * @property {string} trustList certificates in PEM form that a signer must stand under, "" for none
 * @property {string} agreedHost the host that pictures may be sent to, "" before the first agreement
 */

/** @type {Readonly<Settings>} */
export const DEFAULTS = Object.freeze({
  backend: "http://127.0.0.1:8000",
  key: "",
  theme: "system",
  language: "",
  showBand: true,
  trustList: "",
  agreedHost: "",
});

export const THEMES = /** @type {const} */ (["system", "light", "dark"]);

const NAME = "settings";
/** @type {Vault<import("./vault.js").KeptKey>} */
const keys = new Vault("keys");

/**
 * Read the settings; what is missing or of the wrong kind comes from `DEFAULTS`.
 * @returns {Promise<Settings>}
 */
export async function readSettings() {
  const settings = completeSettings(await readStored());
  // Earlier versions kept the key beside the rest.
  return settings.key === "" ? { ...settings, key: await readKey() } : writeSettings({});
}

/**
 * Change some settings. Two parts of the extension may do so at once, so each waits for its turn.
 * @param {Partial<Settings>} changes
 * @returns {Promise<Settings>} all of them, as they are now
 */
export async function writeSettings(changes) {
  return navigator.locks.request("unmask-settings", async () => {
    const stored = await readStored();
    const before = completeSettings(stored);
    const known = await readKey();
    const settings = completeSettings({ ...before, key: before.key || known, ...changes });
    if (settings.key !== known) await keys.put({ service: CURRENT, key: settings.key });
    // Only a change of what stands here is told to other parts of the extension, so a new key changes a number.
    const turns = Number(stored?.keyTurns ?? 0) + (settings.key === known ? 0 : 1);
    await chrome.storage.local.set({ [NAME]: { ...settings, key: "", keyTurns: turns } });
    return settings;
  });
}

/** @returns {Promise<Record<string, unknown> | undefined>} */
async function readStored() {
  return /** @type {any} */ (await chrome.storage.local.get(NAME))[NAME];
}

async function readKey() {
  return (await keys.get(CURRENT))?.key ?? "";
}

/**
 * Hear of every change, wherever it was made.
 * @param {(settings: Settings) => void} listener
 * @returns {() => void} stops listening
 */
export function onSettingsChange(listener) {
  /** @param {Record<string, chrome.storage.StorageChange>} changes @param {string} area */
  const hear = (changes, area) => {
    if (area === "local" && NAME in changes) void readSettings().then(listener);
  };
  chrome.storage.onChanged.addListener(hear);
  return () => chrome.storage.onChanged.removeListener(hear);
}

/**
 * Make settings whole: an older version, or a person with the developer tools, may have left anything.
 * @param {unknown} stored
 * @returns {Settings}
 */
export function completeSettings(stored) {
  const given = /** @type {Record<string, unknown>} */ (
    typeof stored === "object" && stored !== null ? stored : {}
  );
  const known = Object.entries(DEFAULTS).map(([name, value]) => {
    const fits = typeof given[name] === typeof value && (name !== "theme" || isTheme(given[name]));
    return [name, fits ? given[name] : value];
  });
  return Object.fromEntries(known);
}

/** @param {unknown} value */
function isTheme(value) {
  return THEMES.some((theme) => theme === value);
}

/**
 * Bring the address of a service into its one form: `https://host[:port][/prefix]`. Where no scheme is
 * given, one is added. Plain http would show pictures and key to the network, so only the same computer
 * may be reached by it.
 * @param {string} text as a person typed it
 * @returns {string}
 * @throws {Error} whose message is "empty", "not_an_address" or "not_secure"
 */
export function normaliseBackend(text) {
  const typed = text.trim();
  if (typed === "") throw new Error("empty");
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(typed) ? parse(typed) : parseBare(typed);
  const foreign = address && !["http:", "https:"].includes(address.protocol);
  if (!address || foreign || address.username || address.password || address.search || address.hash) {
    throw new Error("not_an_address");
  }
  if (address.protocol === "http:" && !isLoopback(address.hostname)) throw new Error("not_secure");
  return address.origin + address.pathname.replace(/\/+$/, "");
}

/**
 * Parse an address without a scheme. One word is no address, unless it has a port or is this computer.
 * @param {string} typed
 */
function parseBare(typed) {
  const address = parse(`https://${typed}`);
  if (!address) return null;
  if (isLoopback(address.hostname)) return parse(`http://${typed}`);
  return /[.:]/.test(address.host) ? address : null;
}

/** @param {string} text */
function parse(text) {
  // A space or a question mark at the end would be dropped or encoded without a word.
  return /[\s?#\\]/.test(text) || !URL.canParse(text) ? null : new URL(text);
}

// The C2PA's own list takes a tenth of it.
const MOST_TRUST_LETTERS = 1_000_000;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * Bring a trust list into its one form: certificates, one after the other, without the remarks between them.
 * @param {string} text as a person pasted it
 * @returns {string} "" where it is empty
 * @throws {Error} whose message is "not_pem" or "too_long"
 */
export function normaliseTrustList(text) {
  if (text.trim() === "") return "";
  if (text.length > MOST_TRUST_LETTERS) throw new Error("too_long");
  const certificates = text.match(CERTIFICATE);
  if (!certificates) throw new Error("not_pem");
  return `${certificates.join("\n")}\n`;
}

/** @param {string} trustList @returns {number} certificates in it */
export function countCertificates(trustList) {
  return trustList.match(CERTIFICATE)?.length ?? 0;
}

/**
 * Name the host that a service runs on, as a person is told it.
 * @param {string} backend as `normaliseBackend` returns it
 * @returns {string} host, with the port where it is not the usual one
 */
export function hostOf(backend) {
  return new URL(backend).host;
}
