/** The worker's way to the reader of Content Credentials. */

import { CHANNEL } from "../credentials/channel.js";
import { readCredentials } from "../credentials/reading.js";
import { readInThread } from "../credentials/threads.js";

/** @typedef {import("../credentials/reading.js").Order} Order */
/** @typedef {import("../credentials/reading.js").Reading} Reading */

const DOCUMENT = "credentials/offscreen.html";
// A little longer than the thread itself is waited for.
const PATIENCE_MS = 80_000;

/** @type {Promise<unknown>} */
let turn = Promise.resolve();

/**
 * @param {Blob} picture
 * @param {string} trustList certificates in PEM form, "" for none
 */
export function readPicture(picture, trustList) {
  // Firefox's background is a page, which may start threads itself.
  const read = typeof Worker === "undefined" ? readOffscreen : readInThread;
  return readCredentials(picture, { trustList, read: (order) => read(order) });
}

/**
 * Read in an unseen document, which is opened for it and closed again. There can be one, so pictures take turns.
 * @param {Order} order
 * @returns {Promise<Reading>} never rejects
 */
function readOffscreen(order) {
  /** @returns {Promise<Reading>} */
  const readNow = async () => {
    try {
      await closeDocument();
      await chrome.offscreen.createDocument({
        url: DOCUMENT,
        reasons: [chrome.offscreen.Reason.WORKERS],
        justification: "A picture's signed statement is checked in a thread, which only a document may start.",
      });
      return await ask(order);
    } catch (error) {
      console.error(error);
      return { error: "unavailable" };
    } finally {
      await closeDocument();
    }
  };
  const mine = turn.then(readNow);
  turn = mine;
  return mine;
}

/** Also what a worker that was stopped half way has left open. */
async function closeDocument() {
  const open = await chrome.runtime.getContexts({
    contextTypes: [chrome.runtime.ContextType.OFFSCREEN_DOCUMENT],
  });
  if (open.length > 0) await chrome.offscreen.closeDocument();
}

/** @param {Order} order @returns {Promise<Reading>} */
function ask(order) {
  const channel = new BroadcastChannel(CHANNEL);
  return new Promise((resolve) => {
    /** @param {Reading} reading */
    const end = (reading) => {
      clearTimeout(late);
      channel.close();
      resolve(reading);
    };
    const late = setTimeout(() => end({ error: "unreadable" }), PATIENCE_MS);
    channel.onmessage = ({ data: { reading } }) => reading && end(reading);
    channel.postMessage({ order });
  });
}
