/** Runs the reader in a thread of its own, which ends with each picture: a hostile one takes nothing along. */

/** @typedef {import("./reading.js").Order} Order */
/** @typedef {import("./reading.js").Reading} Reading */

// Loading takes half a second, on a computer that is busy with other things many times that; it is the same for every
// picture. How long the reading takes lies with the picture, and an honest one takes well under a second.
const LOADING_MS = 60_000;
const READING_MS = 15_000;

/**
 * @param {Order} order
 * @param {() => Worker} [start]
 * @param {{loading: number, reading: number}} [patience] ms
 * @returns {Promise<Reading>} never rejects
 */
export function readInThread(order, start = startThread, patience = { loading: LOADING_MS, reading: READING_MS }) {
  const thread = start();
  return new Promise((resolve) => {
    let late = setTimeout(() => end({ error: "unavailable" }), patience.loading);
    /** @param {Reading} reading */
    const end = (reading) => {
      clearTimeout(late);
      thread.terminate();
      resolve(reading);
    };
    thread.onmessage = ({ data }) => {
      if (!data.ready) {
        end(data);
        return;
      }
      clearTimeout(late);
      late = setTimeout(() => end({ error: "unreadable" }), patience.reading);
    };
    thread.onerror = () => end({ error: "unavailable" });
    thread.postMessage(order);
  });
}

function startThread() {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}
