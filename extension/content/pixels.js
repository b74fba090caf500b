/** Gets at pixels as far as a page allows: bytes that it may fetch, and what it may draw. */

import { decodeBase64 } from "../common/bytes.js";

/** @typedef {import("./targets.js").Target} Target */

/** @typedef {"unreachable" | "too_large" | "slow" | "tainted" | "blank" | "undrawable"} Obstacle */

/**
 * Why frames came to an end: all were taken; the video is paused, over, or back where the first one was
 * taken; it waits for data; it left the page or shows another film; the caller stopped it; or the last
 * capture failed.
 * @typedef {"done" | "paused" | "ended" | "looped" | "stalled" | "gone" | "stopped" | "refused"} Ending
 */

/** @typedef {{time: number, image: Blob}} Frame time in seconds of the film */

const MOST_BYTES = 25_000_000;
// Larger than this the service takes nothing.
const MOST_PNG_BYTES = 20_000_000;
const FETCH_MS = 15_000;
const MOST_SIDE = 4096;
const FRAME_SIDE = 1280;
const FRAME_QUALITY = 0.92;
const STILL_QUALITY = 0.95;
// The browser refuses more than two captures a second.
const CAPTURE_EVERY_MS = 500;
const CAPTURE_MS = 5000;
// A tab in the background is shown no frames, so none would ever be announced.
const FRESH_MS = 250;
const SHORTEST_STEP_MS = 40;
// Waits for data may add so much to the time that sampling takes.
const STALL_MS = 6000;
const HAS_FRAME = 2;
const GLANCE = 32;
const XHTML = "http://www.w3.org/1999/xhtml";

/** The page does not give these pixels away. */
export class PixelsError extends Error {
  /**
   * @param {Obstacle} kind
   * @param {string} [detail]
   */
  constructor(kind, detail) {
    super(detail ? `${kind}: ${detail}` : kind);
    this.kind = kind;
  }
}

/**
 * Fetch a picture as the page itself could, from its own cache where it is there.
 * @param {string | null} url absolute: http, https, data or blob
 * @returns {Promise<{blob: Blob}>} its type is what the server calls it
 * @throws {PixelsError}
 */
export async function fetchInPage(url) {
  // Without an address `fetch` would go for "null", beside the page, and bring whatever is there.
  if (!url || !/^(https?|data|blob):/i.test(url)) throw new PixelsError("unreachable", "no address");
  if (/^data:/i.test(url)) {
    const { bytes, type } = readDataUrl(url);
    return { blob: new Blob([bytes], { type }) };
  }
  try {
    const response = await fetch(url, {
      cache: "force-cache",
      credentials: "same-origin",
      signal: AbortSignal.timeout(FETCH_MS),
    });
    if (!response.ok) throw new PixelsError("unreachable", `status ${response.status}`);
    return { blob: await readBounded(response) };
  } catch (error) {
    if (error instanceof PixelsError) throw error;
    const { name, message } = /** @type {Error} */ (error);
    throw new PixelsError(name === "TimeoutError" ? "slow" : "unreachable", message);
  }
}

/**
 * Read a data: address without the network, which the page's rules may close for it.
 * @param {string} url
 * @returns {{bytes: ArrayBuffer, type: string}}
 */
export function readDataUrl(url) {
  const match = /^data:([^,]*?)(;\s*base64)?\s*,(.*)$/is.exec(url);
  if (!match) throw new PixelsError("unreachable", "a broken data: address");
  if (match[3].length > MOST_BYTES * 2) throw new PixelsError("too_large");
  const text = match[3].replace(/%([0-9a-f]{2})/gi, (_, code) => String.fromCharCode(parseInt(code, 16)));
  try {
    const bytes = match[2]
      ? decodeBase64(text.replace(/\s/g, ""))
      : Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    if (bytes.length > MOST_BYTES) throw new PixelsError("too_large");
    return { bytes: bytes.buffer, type: match[1] };
  } catch (error) {
    throw error instanceof PixelsError ? error : new PixelsError("unreachable", "a broken data: address");
  }
}

/**
 * @param {Response} response
 * @returns {Promise<Blob>}
 */
async function readBounded(response) {
  const reader = response.body?.getReader();
  const pieces = [];
  let size = 0;
  for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
    size += step.value.length;
    if (size > MOST_BYTES) {
      await reader?.cancel();
      throw new PixelsError("too_large");
    }
    pieces.push(step.value);
  }
  return new Blob(pieces, { type: response.headers.get("Content-Type") ?? "" });
}

/**
 * Draw what an element shows, all of it, at the size that its file has.
 * @param {Pick<Target, "kind" | "element" | "url">} target
 * @returns {Promise<{blob: Blob, width: number, height: number}>} PNG, or JPEG where that would be too large
 * @throws {PixelsError} tainted: another site's picture; blank: nothing was drawn there, or the browser hides it
 */
export async function readCanvas(target) {
  const { source, width, height } = await findSource(target);
  const scale = Math.min(1, MOST_SIDE / Math.max(width, height));
  const size = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const canvas = draw(source, size[0], size[1]);
  if (["canvas", "video"].includes(target.kind) && isBlank(canvas)) throw new PixelsError("blank");
  let blob = await encode(canvas, "image/png");
  if (blob.size > MOST_PNG_BYTES) blob = await encode(canvas, "image/jpeg", STILL_QUALITY);
  return { blob, width: canvas.width, height: canvas.height };
}

/**
 * @param {Pick<Target, "kind" | "element" | "url">} target
 * @returns {Promise<{source: CanvasImageSource, width: number, height: number}>}
 */
async function findSource({ kind, element, url }) {
  if (kind === "canvas") {
    const source = /** @type {HTMLCanvasElement} */ (element);
    return { source, width: source.width, height: source.height };
  }
  if (kind === "video") {
    const source = /** @type {HTMLVideoElement} */ (element);
    if (source.readyState < HAS_FRAME) throw new PixelsError("undrawable", "no frame yet");
    return { source, width: source.videoWidth, height: source.videoHeight };
  }
  const image = /** @type {HTMLImageElement} */ (element);
  const source = kind === "image" && image.currentSrc === url ? image : await loadImage(url);
  return { source, ...(await measureFile(source)) };
}

/** @param {string | null} url @returns {Promise<HTMLImageElement>} */
async function loadImage(url) {
  if (!url) throw new PixelsError("undrawable");
  const image = new Image();
  image.src = url;
  const late = new Promise((_, reject) => setTimeout(reject, FETCH_MS, new PixelsError("slow")));
  try {
    await Promise.race([image.decode(), late]);
  } catch (error) {
    throw error instanceof PixelsError ? error : new PixelsError("undrawable");
  }
  return image;
}

/**
 * Measure a picture in pixels of its file; the element itself counts in pixels of the layout, which are
 * larger for a file chosen from a `srcset`.
 * @param {HTMLImageElement} image
 * @returns {Promise<{width: number, height: number}>}
 */
async function measureFile(image) {
  const { naturalWidth, naturalHeight } = image;
  const bitmap = await createImageBitmap(image).catch(() => null);
  const size = { width: bitmap?.width ?? naturalWidth, height: bitmap?.height ?? naturalHeight };
  bitmap?.close();
  if (!(size.width && size.height)) throw new PixelsError("undrawable");
  // A bitmap may forget that the file lies on its side.
  const turned = size.width > size.height !== naturalWidth > naturalHeight;
  return turned && size.width !== size.height && naturalWidth !== naturalHeight
    ? { width: size.height, height: size.width }
    : size;
}

/**
 * @param {CanvasImageSource} source
 * @param {number} width px
 * @param {number} height px
 * @returns {HTMLCanvasElement} of the page: Firefox lets an extension read another site's picture, where it has
 *   permission for that site, only from there
 */
function draw(source, width, height) {
  const canvas = /** @type {HTMLCanvasElement} */ (document.createElementNS(XHTML, "canvas"));
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  if (!context) throw new PixelsError("undrawable");
  context.imageSmoothingQuality = "high";
  try {
    context.drawImage(source, 0, 0, width, height);
  } catch (error) {
    throw new PixelsError("undrawable", /** @type {Error} */ (error).message);
  }
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} type
 * @param {number} [quality]
 * @returns {Promise<Blob>}
 */
async function encode(canvas, type, quality) {
  try {
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, quality));
    if (blob) return blob;
  } catch (error) {
    if (/** @type {Error} */ (error).name === "SecurityError") throw new PixelsError("tainted");
  }
  throw new PixelsError("undrawable");
}

/**
 * Tell whether nothing was ever drawn there. Protected films and some drawings in three dimensions also
 * come out like that.
 * @param {HTMLCanvasElement} canvas
 * @returns {boolean} false where one may not look
 */
export function isBlank(canvas) {
  try {
    const context = draw(canvas, GLANCE, GLANCE).getContext("2d");
    return context?.getImageData(0, 0, GLANCE, GLANCE).data.every((value) => value === 0) ?? false;
  } catch {
    return false;
  }
}

/**
 * Take frames of a video, evenly in time, while it plays. It is only watched: never started, stopped or moved.
 * @param {HTMLVideoElement} video
 * @param {object} [options]
 * @param {number} [options.count] at most so many
 * @param {number} [options.seconds] over so much time, or the rest of the film where that is less
 * @param {AbortSignal} [options.signal]
 * @param {(done: number, of: number) => void} [options.onFrame]
 * @param {() => Promise<Blob>} [options.capture] takes what the screen shows, for a video that may not be drawn
 * @returns {Promise<{frames: Frame[], ended: Ending}>} JPEG, by their time in the film; of a video that is
 *   paused the one frame that it shows
 * @throws {PixelsError} not one frame could be had
 */
export async function sampleFrames(video, { count = 12, seconds = 6, signal, onFrame, capture } = {}) {
  /** @type {Frame[]} */
  const frames = [];
  let gone = false;
  const over = new AbortController();
  video.addEventListener("emptied", () => (gone = true), { signal: over.signal });
  const begun = performance.now();
  let step = planStep(video, count, seconds);
  let [first, last, wrapped, captured] = [-1, -1, false, false];
  /** @param {Ending} ended */
  const finish = (ended) => {
    over.abort();
    return { frames: frames.sort((a, b) => a.time - b.time), ended };
  };

  for (let taken = 0; ; taken += 1) {
    const presented = captured ? video.currentTime : await awaitFrame(video);
    if (signal?.aborted) return finish("stopped");
    if (!video.isConnected || gone) return finish("gone");
    wrapped ||= presented < last;
    if (wrapped && presented >= first) return finish("looped");
    if (video.readyState >= HAS_FRAME && presented !== last) {
      let image = captured ? null : await drawFrame(video, capture !== undefined);
      if (!image && capture) {
        captured = true;
        step = Math.max(step, CAPTURE_EVERY_MS);
        image = await captureFrame(capture, frames.length > 0);
        if (!image) return finish("refused");
      }
      if (image) frames.push({ time: presented, image });
      if (first < 0) first = presented;
      last = presented;
      onFrame?.(frames.length, count);
    }
    if (frames.length >= count) return finish("done");
    if (video.ended) return finish("ended");
    if (video.paused) return finish(video.readyState === 0 ? "gone" : "paused");
    if (performance.now() - begun > seconds * 1000 + STALL_MS) return finish("stalled");
    await awaitChange(video, begun + (taken + 1) * step - performance.now(), signal);
  }
}

/**
 * @param {HTMLVideoElement} video
 * @param {number} count
 * @param {number} seconds
 * @returns {number} ms between frames
 */
function planStep({ duration, currentTime, loop, playbackRate }, count, seconds) {
  const rest = Number.isFinite(duration) ? (loop ? duration : duration - currentTime) : seconds;
  const span = Math.min(seconds, rest / Math.max(0.1, Math.abs(playbackRate)));
  return Math.max(SHORTEST_STEP_MS, (span * 1000) / count);
}

/**
 * Wait until the video shows its next frame.
 * @param {HTMLVideoElement} video
 * @returns {Promise<number>} the time of what it shows, seconds
 */
function awaitFrame(video) {
  return new Promise((resolve) => {
    const done = (/** @type {number} */ time) => {
      clearTimeout(timer);
      if (announced) video.cancelVideoFrameCallback(announced);
      resolve(time);
    };
    const timer = setTimeout(() => done(video.currentTime), video.paused ? 0 : FRESH_MS);
    const announced = video.requestVideoFrameCallback?.((_, { mediaTime }) => done(mediaTime));
  });
}

/**
 * @param {HTMLVideoElement} video
 * @param {boolean} capturable whether there is another way
 * @returns {Promise<Blob | null>} null where the other way has to be taken
 */
async function drawFrame(video, capturable) {
  try {
    const canvas = drawWithin(video, video.videoWidth, video.videoHeight);
    if (isBlank(canvas)) throw new PixelsError("blank");
    return await encode(canvas, "image/jpeg", FRAME_QUALITY);
  } catch (error) {
    if (capturable) return null;
    throw error;
  }
}

/**
 * @param {() => Promise<Blob>} capture
 * @param {boolean} optional whether there is a frame already
 * @returns {Promise<Blob | null>} null where it failed and is optional
 */
async function captureFrame(capture, optional) {
  try {
    const late = new Promise((_, reject) => setTimeout(reject, CAPTURE_MS, new PixelsError("slow")));
    const bitmap = await createImageBitmap(/** @type {Blob} */ (await Promise.race([capture(), late])));
    const canvas = drawWithin(bitmap, bitmap.width, bitmap.height);
    bitmap.close();
    return await encode(canvas, "image/jpeg", FRAME_QUALITY);
  } catch (error) {
    if (optional) return null;
    throw error instanceof PixelsError ? error : new PixelsError("unreachable", /** @type {Error} */ (error).message);
  }
}

/**
 * @param {CanvasImageSource} source
 * @param {number} width px
 * @param {number} height px
 */
function drawWithin(source, width, height) {
  const scale = Math.min(1, FRAME_SIDE / Math.max(width, height));
  return draw(source, Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
}

/**
 * @param {HTMLVideoElement} video
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>} earlier where the video stops playing, or the caller gives up
 */
function awaitChange(video, milliseconds, signal) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, milliseconds));
    for (const event of ["pause", "ended", "emptied"]) video.addEventListener(event, done, { signal: over.signal });
    signal?.addEventListener("abort", done, { signal: over.signal });
  });
}
