/** Runs the reader in a thread of its own, which ends with each picture: a hostile one takes nothing along. */

/** @typedef {import("./reading.js").Order} Order */
/** @typedef {import("./reading.js").Reading} Reading */

// An honest manifest takes well under a second, on a slow computer some.
const PATIENCE_MS = 15_000;

/**
 * @param {Order} order
 * @param {() => Worker} [start]
 * @param {number} [patience] ms
 * @returns {Promise<Reading>} never rejects
 */
export function readInThread(order, start = startThread, patience = PATIENCE_MS) {
  const thread = start();
  return new Promise((resolve) => {
    const late = setTimeout(() => end({ error: "unreadable" }), patience);
    /** @param {Reading} reading */
    const end = (reading) => {
      clearTimeout(late);
      thread.terminate();
      resolve(reading);
    };
    thread.onmessage = ({ data }) => end(data);
    thread.onerror = () => end({ error: "unavailable" });
    thread.postMessage(order);
  });
}

function startThread() {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}
