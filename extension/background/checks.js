/** One check from the click to the answer, seen from the worker; the page draws what is told here. */

import { encodeBase64 } from "../common/bytes.js";
import { Channel, Disconnected } from "../common/channel.js";
import { checkFrames, checkPicture, shrinkPicture } from "../common/checking.js";
import { openHistory } from "../common/history.js";
import { readLanguage } from "../common/languages.js";
import { readSettings } from "../common/settings.js";
import { CheckFailure, Service } from "../shared/service.js";
import { fill } from "../shared/words.js";
import { readPicture } from "./credentials.js";
import { fetchPicture, fetchWithReferer, Refusal } from "./fetching.js";
import { holdPicture, nameAddress } from "./flags.js";
import { nameFrame } from "./frames.js";
import { climb, OutOfReach } from "./ladder.js";
import { mayRead, patternOf } from "./permissions.js";
import { captureArea } from "./screenshots.js";

/** @typedef {import("./ladder.js").Description} Description */
/** @typedef {import("./ladder.js").Obtained} Obtained */
/** @typedef {import("../common/languages.js").Strings} Strings */

/**
 * What the page asks for.
 * @typedef {object} Order
 * @property {Description} target
 * @property {"pointer" | "focus"} by how the target was pointed at
 * @property {string} [frameUrl] of the frame that was clicked, which may lie inside the one that asks
 * @property {boolean} [again] check even what is known
 * @property {boolean} [shown] what is on the page, not the original
 * @property {boolean} [film] frames over some seconds, not one
 */

// Larger than a card ever draws it.
const PREVIEW_SIDE = 720;

/**
 * Serve one check: everything that the page tells and asks over a port, until either side hangs up.
 * @param {chrome.runtime.Port} port from a content script
 */
export function serveCheck(port) {
  const tab = port.sender?.tab;
  if (tab?.id === undefined) return;
  const place = {
    tab: { id: tab.id, windowId: tab.windowId },
    frameId: port.sender?.frameId ?? 0,
    // What is done in a private window leaves no trace in the history of the others.
    secret: tab.incognito,
  };
  const stop = new AbortController();
  const channel = new Channel(port, {
    told: { check: ({ order }) => void runCheck(order) },
    asked: {
      capture: ({ rect, by }) => captureArea(place.tab, rect, place.frameId, by).then(packPicture),
      // Only keeps the worker awake while a person reads, or a slow service thinks.
      stillThere: () => true,
    },
    closed: () => stop.abort(),
  });
  const page = { url: tab.url ?? port.sender?.url ?? "", title: tab.title ?? "" };

  /** @param {Order} order */
  async function runCheck(order) {
    try {
      const settings = await readSettings();
      const strings = await readLanguage(settings.language);
      const run = { order, channel, settings, strings, page, place, signal: stop.signal };
      channel.tell("verdict", await (order.film ? checkFilm(run) : checkStill(run)));
    } catch (error) {
      if (error instanceof Disconnected || stop.signal.aborted) return;
      channel.tell("failure", { failure: await describeFailure(error, order) });
    }
  }
}

/**
 * @typedef {object} Run
 * @property {Order} order
 * @property {Channel} channel
 * @property {import("../common/settings.js").Settings} settings
 * @property {Strings} strings
 * @property {{url: string, title: string}} page
 * @property {{tab: {id: number, windowId: number}, frameId: number, secret: boolean}} place
 * @property {AbortSignal} signal
 */

/** @param {Run} run */
async function checkStill(run) {
  const { order, channel, strings, page, place } = run;
  channel.tell("progress", { step: "fetching" });
  const obtained = await climb(order.target, makeRungs(run), run.signal, { shown: order.shown });
  const preview = shrinkPicture(obtained.picture, PREVIEW_SIDE).then(packPicture, () => null);
  const size = await measurePicture(obtained.picture, order.target);
  const source = fill(strings.card.sources[obtained.reached], size);
  const answer = await withHistory(run, (history) =>
    checkPicture(obtained.picture, { ...meansOf(run, obtained.reached), history, source }),
  );
  if (answer.flags) {
    const address = nameAddress(obtained.rung, order.target, page.url);
    const found = { check: answer.verdict.id, picture: obtained.picture, address };
    holdPicture(nameFrame(place.tab.id, place.frameId), found, run.signal);
  }
  return {
    ...answer,
    source,
    reached: obtained.reached,
    picture: await preview,
    better: await findBetter(obtained, order),
  };
}

/** @param {Run} run */
async function checkFilm(run) {
  const { channel, strings } = run;
  channel.tell("progress", { step: "sampling" });
  const sampled = await channel.ask("sample");
  if (sampled.frames.length === 0) throw new OutOfReach(["sample: nothing"]);
  const frames = await Promise.all(
    sampled.frames.map(async (/** @type {{time: number, image: string}} */ { time, image }) => ({
      time,
      image: await (await fetch(image)).blob(),
    })),
  );
  const source = fill(strings.card.sources.frames, { count: frames.length });
  const answer = await withHistory(run, (history) =>
    checkFrames(frames, { ...meansOf(run, "frames", frames.length), history, source }),
  );
  return { ...answer, source, reached: "frames", picture: null, better: null };
}

/**
 * @param {Run} run
 * @param {string} reached
 * @param {number} [frames]
 */
function meansOf({ order, channel, settings, page, signal }, reached, frames) {
  return {
    settings,
    service: new Service({ base: settings.backend, key: settings.key }),
    page,
    again: order.again,
    signal,
    readCredentials: (/** @type {Blob} */ picture) => readPicture(picture, settings.trustList),
    agree: (/** @type {object} */ notice) => channel.ask("agree", { notice: { ...notice, reached, frames } }),
    progress: () => channel.tell("progress", { step: "sending" }),
  };
}

/**
 * @template Result
 * @param {Run} run
 * @param {(history: import("../common/history.js").History | null) => Promise<Result>} use
 */
async function withHistory({ place }, use) {
  if (place.secret) return use(null);
  const history = await openHistory();
  try {
    return await use(history);
  } finally {
    history.close();
  }
}

/**
 * @param {Run} run
 * @returns {import("./ladder.js").Rungs}
 */
function makeRungs({ order, channel, page, place, signal }) {
  let refused = false;
  const blobOf = async (/** @type {string | null} */ address) =>
    address === null ? null : (await fetch(address)).blob();
  return {
    worker: ({ url }) =>
      fetchPicture(String(url), signal).catch((error) => {
        refused = error instanceof Refusal;
        throw error;
      }),
    // Only a server that answered "no" can be won over by a Referer.
    referrer: async ({ url }) => (refused ? fetchWithReferer(String(url), page.url, signal) : null),
    page: () => channel.ask("fetch").then(blobOf),
    canvas: () => channel.ask("draw").then(blobOf),
    screenshot: async () => {
      channel.tell("progress", { step: "capturing" });
      // The card must not be in the picture; the page may have moved since it was found.
      const rect = await channel.ask("hide");
      try {
        if (!rect) throw new Error("it left the page");
        return await captureArea(place.tab, rect, place.frameId, order.by);
      } finally {
        channel.tell("show");
      }
    },
  };
}

/**
 * Name the site that would have to be allowed for the original bytes.
 * @param {Obtained} obtained
 * @param {Order} order
 * @returns {Promise<{host: string, origins: string[]} | null>} null where nothing better is to be had
 */
async function findBetter({ reached }, { target, shown, frameUrl }) {
  if (shown || !["pixels", "screenshot"].includes(reached)) return null;
  return findLocked(target, frameUrl);
}

/**
 * @param {Description} target
 * @param {string} [frameUrl]
 */
async function findLocked({ url, kind }, frameUrl) {
  if (kind === "video") return null;
  const locked = [];
  for (const address of [url, kind === "frame" ? frameUrl : null]) {
    if (address && patternOf(address) && !(await mayRead(address))) locked.push(address);
  }
  if (locked.length === 0) return null;
  const origins = [...new Set(locked.map((address) => String(patternOf(address))))];
  return { host: new URL(locked[0]).host, origins };
}

/**
 * Put an error into a form that travels and that the card has words for.
 * @param {unknown} error
 * @param {Order} order
 */
async function describeFailure(error, { target, frameUrl }) {
  if (error instanceof CheckFailure) {
    const { kind, explanation, retryAfter } = error;
    return { kind, explanation, retryAfter };
  }
  if (error instanceof OutOfReach) {
    return { kind: "unreachable", allow: await findLocked(target, frameUrl) };
  }
  console.error(error);
  return { kind: "server" };
}

/**
 * @param {Blob} picture
 * @param {Description} target
 */
async function measurePicture(picture, target) {
  try {
    const bitmap = await createImageBitmap(picture);
    const { width, height } = bitmap;
    bitmap.close();
    return { width, height };
  } catch {
    return target.natural ?? { width: "?", height: "?" };
  }
}

/**
 * @param {Blob} picture
 * @returns {Promise<string>} data: address
 */
async function packPicture(picture) {
  return `data:${picture.type};base64,${encodeBase64(await picture.arrayBuffer())}`;
}
