/**
 * What can go along with a flag. It is held in memory only, by the frame whose card shows the check, and until
 * that card is closed.
 */

import { hashBytes } from "../common/bytes.js";
import { isPrivate } from "../common/hosts.js";
import { composeFlag, VERDICT_ONLY } from "../shared/flag.js";
import { fetchAsStranger } from "./fetching.js";

/** @typedef {import("../shared/flag.js").Offer} Offer */
/** @typedef {import("../shared/flag.js").Wish} Wish */

/**
 * @typedef {object} Held
 * @property {string} check id of the check
 * @property {Blob} picture the bytes that were checked
 * @property {string | null} address where a stranger might get the same bytes
 * @property {string | null} [proven] the address, once it was tried; null where it was in vain
 */

// A person waits for the form meanwhile.
const PROOF_MS = 5000;

/** @type {Map<string, Held>} by frame */
const held = new Map();

/**
 * Hold what was checked.
 * @param {string} frame
 * @param {Held} found
 * @param {AbortSignal} signal lets go of it
 */
export function holdPicture(frame, found, signal) {
  if (signal.aborted) return;
  held.set(frame, found);
  signal.addEventListener("abort", () => {
    if (held.get(frame) === found) held.delete(frame);
  });
}

/**
 * Say what could go along with a flag. Whether its address would do is tried before it is told.
 * @param {string} frame
 * @param {string} check id
 * @returns {Promise<Offer>}
 */
export async function offerFlag(frame, check) {
  const found = held.get(frame);
  if (found?.check !== check) return VERDICT_ONLY;
  if (found.proven === undefined) found.proven = await proveAddress(found);
  return { host: found.proven && new URL(found.proven).host, picture: true };
}

/**
 * Put together what a person agreed to send.
 * @param {string} frame
 * @param {string} check id
 * @param {Wish} wish
 * @returns {import("../shared/service.js").FlagRequest}
 * @throws {Error} "lost": less is held than was offered
 */
export function fulfilWish(frame, check, wish) {
  const found = held.get(frame);
  const { picture, proven: url } = found?.check === check ? found : {};
  return composeFlag(check, wish, { picture, url });
}

/**
 * Name the address that the checked bytes came from, as far as it can be told to anybody: not what only a
 * Referer, the page or the screen gave, not what lies in a network of one's own, never the page itself.
 * @param {import("./ladder.js").Rung} rung that brought the bytes
 * @param {import("./ladder.js").Description} target
 * @param {string} page its address
 * @returns {string | null}
 */
export function nameAddress(rung, { kind, url }, page) {
  if (rung !== "worker" || kind === "frame" || !url || !/^https?:/.test(url)) return null;
  const [address] = url.split("#", 1);
  if (address === page.split("#", 1)[0] || isPrivate(new URL(address).hostname)) return null;
  return address;
}

/**
 * Try whether an address gives the same bytes to somebody whom the site does not know.
 * @param {Held} found
 * @returns {Promise<string | null>}
 */
async function proveAddress({ address, picture }) {
  if (address === null) return null;
  try {
    const open = await fetchAsStranger(address, AbortSignal.timeout(PROOF_MS));
    const [theirs, ours] = await Promise.all(
      [open, picture].map(async (blob) => hashBytes(await blob.arrayBuffer())),
    );
    return theirs === ours ? address : null;
  } catch {
    return null;
  }
}
