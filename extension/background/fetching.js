/** Fetching a picture as the worker: its exact bytes, where the browser lets the extension have them. */

import { sniffPicture } from "../common/bytes.js";
import { mayRead } from "./permissions.js";

const MOST_BYTES = 25_000_000;
const PATIENCE_MS = 15_000;
// Session rules outlive a worker that was stopped half way; one number lets the next fetch clear it away.
const REFERER_RULE = 1;

/** A server that answered, but with something else than a picture. */
export class Refusal extends Error {
  /** @param {number} status */
  constructor(status) {
    super(`status ${status}`);
    this.status = status;
  }
}

/** @type {Promise<unknown>} */
let turn = Promise.resolve();

/**
 * Fetch a picture. With permission for its site the visitor's cookies go along, as they did when the page
 * loaded it; without, the server has to allow any reader.
 * @param {string} url
 * @param {AbortSignal} signal
 * @param {RequestCache} [cache] what the browser holds already will do, unless said otherwise
 * @returns {Promise<Blob>}
 * @throws {Refusal} the server would not
 * @throws {Error} unreachable, too large, or not a picture
 */
export async function fetchPicture(url, signal, cache = "force-cache") {
  return readPicture(url, { credentials: (await mayRead(url)) ? "include" : "omit", cache }, signal);
}

/**
 * Fetch a picture as somebody would whom its site does not know: no cookies, and nothing of what the browser
 * holds already.
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 * @throws {Refusal} the server would not
 * @throws {Error} unreachable, too large, or not a picture
 */
export async function fetchAsStranger(url, signal) {
  return readPicture(url, { credentials: "omit", cache: "no-store" }, signal);
}

/**
 * @param {string} url
 * @param {{credentials: RequestCredentials, cache: RequestCache}} how
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
async function readPicture(url, how, signal) {
  const response = await fetch(url, {
    ...how,
    signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
  });
  if (!response.ok) throw new Refusal(response.status);
  const bytes = await readBounded(response);
  const type = sniffPicture(bytes);
  if (type === null) throw new Error("not a picture that can be sent");
  return new Blob([bytes], { type });
}

/**
 * Fetch a picture from a server that wants to know which page shows it. The rule that says so holds for
 * the worker's own requests to this one address, and only while the fetch lasts.
 * @param {string} url
 * @param {string} page address of the page that shows it
 * @param {AbortSignal} signal
 * @returns {Promise<Blob | null>} null where there is no permission for the server
 */
export async function fetchWithReferer(url, page, signal) {
  if (!/^https?:/.test(page) || !(await mayRead(url))) return null;
  // There is one rule, so there is one such fetch at a time.
  const mine = turn.then(() => fetchUnderRule(url, page, signal));
  turn = mine.catch(() => {});
  return mine;
}

/** @param {string} url @param {string} page @param {AbortSignal} signal */
async function fetchUnderRule(url, page, signal) {
  await chrome.declarativeNetRequest.updateSessionRules({
    removeRuleIds: [REFERER_RULE],
    addRules: [
      {
        id: REFERER_RULE,
        condition: {
          urlFilter: `|${url.replace(/#.*$/, "")}|`,
          // -1: requests that belong to no tab, such as the worker's.
          tabIds: [-1],
        },
        action: {
          type: "modifyHeaders",
          requestHeaders: [{ header: "referer", operation: "set", value: refererFor(url, page) }],
        },
      },
    ],
  });
  try {
    // The refusal of a moment ago is in the cache.
    return await fetchPicture(url, signal, "reload");
  } finally {
    await chrome.declarativeNetRequest.updateSessionRules({ removeRuleIds: [REFERER_RULE] });
  }
}

/**
 * What the page itself would have sent by a browser's standing rule, strict-origin-when-cross-origin.
 * @param {string} url
 * @param {string} page
 * @returns {string}
 */
export function refererFor(url, page) {
  const { origin, pathname, search } = new URL(page);
  return new URL(url).origin === origin ? origin + pathname + search : `${origin}/`;
}

/**
 * Read an answer, but no more than a picture may hold.
 * @param {Response} response
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function readBounded(response) {
  const pieces = [];
  let size = 0;
  const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body).getReader();
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    size += step.value.length;
    if (size > MOST_BYTES) {
      await reader.cancel();
      throw new Error("larger than any picture that can be sent");
    }
    pieces.push(step.value);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}
