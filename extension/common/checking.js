/** One check once the pixels are there: agreed? known? then ask the service, and remember. */

import { CheckFailure, fitApi } from "../shared/service.js";
import { hashBytes } from "./bytes.js";
import { hostOf, writeSettings } from "./settings.js";

/** @typedef {import("../shared/service.js").Service} Service */
/** @typedef {import("../shared/service.js").Model} Model */
/** @typedef {import("../shared/verdict.js").Credentials} Credentials */
/** @typedef {import("../shared/verdict.js").Verdict} Verdict */

/**
 * @typedef {object} Means
 * @property {import("./settings.js").Settings} settings
 * @property {import("./history.js").History | null} history null where nothing may be remembered
 * @property {Service} service
 * @property {{url: string, title: string} | null} page where the picture stood
 * @property {string} source what was checked, in words
 * @property {(notice: {host: string, bytes: number}) => Promise<boolean>} agree asked once a host
 * @property {(picture: Blob) => Promise<Credentials | null>} [readCredentials] reads what the picture itself states
 * @property {boolean} [again] check even what is known
 * @property {AbortSignal} signal
 * @property {(step: "sending") => void} [progress]
 */

/**
 * @typedef {object} Answer
 * @property {Verdict} verdict
 * @property {Credentials | null} credentials null where the picture has none, or it is no file
 * @property {Model | null} model null where its facts could not be loaded
 * @property {boolean} flags whether the service takes flags
 * @property {string | null} before ISO time when this browser had the same answer; nothing was sent now
 */

/**
 * What is known of a service.
 * @typedef {object} Facts
 * @property {Model | null} model
 * @property {boolean} flags
 * @property {unknown} signIn where its people sign in, as it says; null where it wants no sign-in
 */

// Facts about a service change with a release, not with a click.
const FACTS_MS = 10 * 60_000;
const THUMBNAIL_SIDE = 160;

/** @type {Map<string, {time: number, facts: Promise<Facts>}>} */
const recalled = new Map();

/**
 * Check one picture. Nothing leaves the browser before the host was agreed to, and a picture that this
 * browser knows the answer for is not sent a second time.
 * @param {Blob} picture the bytes as they were found
 * @param {Means} means
 * @returns {Promise<Answer>}
 * @throws {CheckFailure} kind "declined" when the person does not agree
 */
export async function checkPicture(picture, means) {
  const { history, settings, service, again, signal, readCredentials } = means;
  // On the bytes as they were found, and before any of them leaves the browser.
  const credentials = (await readCredentials?.(picture)) ?? null;
  const sha256 = await hashBytes(await picture.arrayBuffer());
  const known = again ? undefined : await history?.find(sha256, settings.backend);
  if (known) {
    const { model, flags } = await recallFacts(service, settings).catch(() => ({ model: null, flags: false }));
    return { verdict: known.verdict, credentials, model, flags, before: known.time };
  }
  return send(picture.size, picture, means, () => service.checkPicture(picture, signal), credentials);
}

/**
 * Check the sampled frames of a video.
 * @param {{time: number, image: Blob}[]} frames seconds, ascending
 * @param {Means} means
 * @returns {Promise<Answer>}
 * @throws {CheckFailure}
 */
export async function checkFrames(frames, means) {
  const bytes = frames.reduce((sum, { image }) => sum + image.size, 0);
  return send(bytes, frames[0].image, means, () => means.service.checkFrames(frames, means.signal));
}

/**
 * @param {number} bytes
 * @param {Blob} picture shown in the history
 * @param {Means} means
 * @param {() => Promise<Verdict>} ask
 * @param {Credentials | null} [credentials]
 * @returns {Promise<Answer>}
 */
async function send(bytes, picture, means, ask, credentials = null) {
  const { history, settings, service, page, source, agree, signal, progress } = means;
  const host = hostOf(settings.backend);
  if (settings.agreedHost !== host) {
    if (!(await agree({ host, bytes }))) throw new CheckFailure("declined");
    await writeSettings({ agreedHost: host });
  }
  progress?.("sending");
  const { model, flags } = await recallFacts(service, settings);
  if (signal.aborted) throw new CheckFailure("stopped");
  // Made while the service thinks, so that its answer does not wait for it.
  const thumbnail = history && shrinkPicture(picture, THUMBNAIL_SIDE).catch(() => null);
  const verdict = await ask();
  await history?.add({
    id: verdict.id,
    sha256: verdict.media.sha256,
    backend: settings.backend,
    time: new Date().toISOString(),
    page,
    source,
    thumbnail: await thumbnail,
    bytes,
    verdict,
    credentials,
  });
  return { verdict, credentials, model, flags, before: null };
}

/**
 * Learn whether the service fits this extension, and what its model covers.
 * @param {Service} service
 * @param {{backend: string, key: string}} settings
 * @returns {Promise<Facts>} recalled for some minutes
 * @throws {CheckFailure}
 */
export function recallFacts(service, { backend, key }) {
  const name = `${backend} ${key}`;
  const known = recalled.get(name);
  if (known && Date.now() - known.time < FACTS_MS) return known.facts;
  const facts = readFacts(service);
  recalled.set(name, { time: Date.now(), facts });
  // A failure is asked again the next time.
  facts.catch(() => recalled.delete(name));
  return facts;
}

/** @param {Service} service @returns {Promise<Facts>} */
async function readFacts(service) {
  const [health, model] = await Promise.all([service.readHealth(), service.readModel().catch(() => null)]);
  const fit = fitApi(health);
  if (fit !== "fits") throw new CheckFailure(fit);
  return { model, flags: health.flags, signIn: health.sign_in ?? null };
}

/**
 * Make a small JPEG of a picture.
 * @param {Blob} picture
 * @param {number} side longest side of the result, px
 * @returns {Promise<Blob>} never larger than the picture itself
 * @throws {DOMException} this browser cannot decode it
 */
export async function shrinkPicture(picture, side) {
  const bitmap = await createImageBitmap(picture);
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(bitmap.width * scale)),
    Math.max(1, Math.round(bitmap.height * scale)),
  );
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  // What is transparent would turn black in a JPEG.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
}
