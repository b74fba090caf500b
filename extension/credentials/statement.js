/** A manifest store, as the reader gives it, brought down to what a person is shown. Pure; believes nothing. */

import { SOURCE_TYPES } from "../shared/declared.js";

/** @typedef {import("../shared/verdict.js").Credentials} Credentials */

// What is shown of a stranger's text, and of a stranger's list.
const MOST_LETTERS = 120;
const MOST_ITEMS = 12;

/** Codes of C2PA 2.1, 15.2.2, that say: these are not the bytes that were signed. */
const CHANGED = /mismatch$/;
const EXPIRED = new Set(["signingCredential.expired", "claimSignature.outsideValidity"]);
const UNTRUSTED = "signingCredential.untrusted";

/** Actions by other names, or with a part that is not told. */
const ALIASES = new Map([
  ["edited.metadata", "edited_metadata"],
  ["adjustedColor", "color_adjustments"],
  ["addedText", "added_text"],
  ["watermarked.bound", "watermarked"],
  ["watermarked.unbound", "watermarked"],
  ["deleted", "removed"],
]);
const ACTIONS = new Set([
  ..."created opened placed removed edited edited_metadata color_adjustments cropped drawing filtered".split(" "),
  ..."orientation resized converted transcoded repackaged published redacted watermarked added_text".split(" "),
  ..."enhanced unknown".split(" "),
]);
// Those that leave the picture as it was.
const HARMLESS = new Set(["created", "opened", "published", "repackaged", "edited_metadata", "redacted", "unknown"]);

/**
 * Say what credentials state, and whether it holds.
 * @param {any} store as JSON: manifests by label, the active one's, and what validation found
 * @returns {Credentials}
 */
export function readStatement(store) {
  const manifest = own(store?.manifests, store?.active_manifest);
  if (!isObject(manifest)) return withoutStatement("unreadable");
  const state = judge(store.validation_results);
  const actions = listActions(manifest);
  const { signature_info: signature, claim_generator_info: tools } = manifest;
  const trustedTime = codesOf(store.validation_results, "success").includes("timeStamp.trusted");
  return {
    state,
    signer: clean(signature?.common_name) || clean(signature?.issuer) || null,
    time: trustedTime && isTime(signature?.time) ? signature.time : null,
    tool: nameTool(listOf(tools)[0] ?? manifest.claim_generator),
    actions,
    ingredients: listOf(manifest.ingredients).slice(0, MOST_ITEMS).map(readIngredient),
    declares: declare(actions),
    host: null,
  };
}

/**
 * Say that there are credentials of which nothing is known.
 * @param {Credentials["state"]} state
 * @param {string | null} [host]
 * @returns {Credentials}
 */
export function withoutStatement(state, host = null) {
  return { state, signer: null, time: null, tool: null, actions: [], ingredients: [], declares: null, host };
}

/**
 * @param {any} results
 * @returns {Credentials["state"]}
 */
function judge(results) {
  const state = judgeFailures(codesOf(results, "failure"));
  if (state !== "valid") return state;
  // Without a word that something was checked, it was not.
  const successes = codesOf(results, "success");
  if (!successes.includes("claimSignature.validated")) return "invalid";
  return successes.includes("signingCredential.trusted") ? "valid" : "untrusted";
}

/**
 * @param {string[]} failures
 * @returns {Credentials["state"]}
 */
function judgeFailures(failures) {
  const grave = failures.filter((code) => code !== UNTRUSTED);
  if (grave.some((code) => CHANGED.test(code))) return "changed";
  if (grave.some((code) => EXPIRED.has(code))) return "expired";
  if (grave.length > 0) return "invalid";
  return failures.length > 0 ? "untrusted" : "valid";
}

/**
 * @param {any} results
 * @param {"success" | "failure"} kind
 * @returns {string[]}
 */
function codesOf(results, kind) {
  return listOf(results?.activeManifest?.[kind]).map(({ code }) => String(code));
}

/**
 * @param {any} manifest
 * @returns {Credentials["actions"]}
 */
function listActions(manifest) {
  return listOf(manifest.assertions)
    .filter(({ label }) => /^c2pa\.actions(\.v\d+)?(__\d+)?$/.test(String(label)))
    .flatMap(({ data }) => listOf(data?.actions))
    .slice(0, MOST_ITEMS)
    .map(({ action, digitalSourceType, softwareAgent }) => ({
      action: nameAction(action),
      source: nameSource(digitalSourceType),
      tool: nameTool(softwareAgent),
    }));
}

/** @param {unknown} action @returns {string} a key of the words */
function nameAction(action) {
  const name = typeof action === "string" ? action.replace(/^c2pa\./, "") : "";
  const known = ALIASES.get(name) ?? name;
  return ACTIONS.has(known) ? known : "other";
}

/** @param {unknown} source @returns {string | null} one of IPTC's terms */
function nameSource(source) {
  const term = typeof source === "string" ? (/([A-Za-z]{1,60})\/?$/.exec(source)?.[1] ?? "") : "";
  return Object.hasOwn(SOURCE_TYPES, term) ? term : null;
}

/** @param {any} agent a text, or an object with a name and perhaps a version @returns {string | null} */
function nameTool(agent) {
  const name = isObject(agent) ? [clean(agent.name), clean(agent.version)].filter(Boolean).join(" ") : clean(agent);
  return name || null;
}

/** @param {any} ingredient @returns {Credentials["ingredients"][number]} */
function readIngredient({ title, active_manifest: manifest, validation_results: results, validation_status: status }) {
  if (typeof manifest !== "string" && !isObject(results)) return { title: clean(title), state: "none" };
  // Older claims keep a list of failures in its place.
  const state = isObject(results) ? judge(results) : judgeFailures(listOf(status).map(({ code }) => String(code)));
  return { title: clean(title), state: state === "valid" || state === "untrusted" ? state : "changed" };
}

/**
 * @param {Credentials["actions"]} actions
 * @returns {Credentials["declares"]} the gravest that they say
 */
function declare(actions) {
  const said = actions.map(({ source }) => (source === null ? null : SOURCE_TYPES[source]));
  if (said.includes("machine_made")) return "machine_made";
  if (said.includes("edited") || actions.some(({ action }) => !HARMLESS.has(action))) return "edited";
  return said.includes("camera") ? "camera" : null;
}

/**
 * Make a stranger's text one short line without characters that steer: control, joining and turning ones.
 * @param {unknown} text
 * @returns {string} empty where it is no text
 */
export function clean(text) {
  if (typeof text !== "string") return "";
  const line = text.slice(0, 4 * MOST_LETTERS).replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return line.length > MOST_LETTERS ? `${line.slice(0, MOST_LETTERS - 1)}…` : line;
}

/** @param {any} value @returns {any[]} its objects and texts, none where it is no list */
function listOf(value) {
  return Array.isArray(value) ? value.filter((item) => isObject(item) || typeof item === "string") : [];
}

/** @param {unknown} value @returns {value is Record<string, any>} */
function isObject(value) {
  return typeof value === "object" && value !== null;
}

/** @param {any} tree @param {unknown} name @returns {any} never what every object has */
function own(tree, name) {
  return isObject(tree) && typeof name === "string" && Object.hasOwn(tree, name) ? tree[name] : undefined;
}

/** @param {unknown} time */
function isTime(time) {
  return typeof time === "string" && !Number.isNaN(Date.parse(time));
}
