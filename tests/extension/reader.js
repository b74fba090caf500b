/**
 * Reads pictures with the real reader, as the extension's thread does, but outside a browser:
 * `node reader.js FOLDER TRUST_LIST PICTURE…`. Prints, by the picture's name, what was read and how many files had
 * been loaded by then.
 */

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, trust, ...pictures] = process.argv.slice(2);

/** @type {string[]} */
const loaded = [];
/** @type {any} */
let hear;
const load = async (/** @type {URL} */ url) => {
  loaded.push(basename(url.pathname));
  return new Response(readFileSync(url), { headers: { "Content-Type": "application/wasm" } });
};
Object.assign(globalThis, {
  addEventListener: (/** @type {string} */ _, /** @type {any} */ listener) => (hear = listener),
  fetch: load,
});

/** @param {import("../../extension/credentials/reading.js").Order} order */
async function read(order) {
  await import(pathToFileURL(`${folder}/credentials/worker.js`).href);
  return new Promise((resolve) => {
    Object.assign(globalThis, { postMessage: (/** @type {any} */ told) => told.ready || resolve(told) });
    hear({ data: order });
  });
}

async function main() {
  const { readCredentials } = await import(pathToFileURL(`${folder}/credentials/reading.js`).href);
  const trustList = readFileSync(trust, "utf8");
  /** @type {Record<string, object>} */
  const told = {};
  for (const path of pictures) {
    const credentials = await readCredentials(new Blob([readFileSync(path)]), { trustList, read });
    told[basename(path)] = { credentials, loaded: [...loaded] };
  }
  process.stdout.write(JSON.stringify(told));
}

void main();
