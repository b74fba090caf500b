/** The page's side of a check: finds what was meant, hands over pixels, has the card drawn. */

import { decodeBase64, sniffPicture } from "../common/bytes.js";
import { Channel } from "../common/channel.js";
import { selectArea } from "./area.js";
import { Card } from "./card.js";
import { fetchInPage, readCanvas, sampleFrames } from "./pixels.js";
import { pickThresholds } from "../shared/verdict.js";
import { climb } from "./roots.js";
import { SETTLED_IN_SETTINGS } from "./states.js";
import { describe, findTargets } from "./targets.js";

/** @typedef {import("./targets.js").Target} Target */
/** @typedef {import("../background/checks.js").Order} Order */
/** @typedef {Omit<Order, "target" | "by" | "frameUrl">} Wishes */

// The browser stops a worker that hears nothing for half a minute.
const AWAKE_MS = 20_000;
// Base64 of what tells one format from another.
const HEAD_LETTERS = 64;
// So long the worker holds what could go along with a flag, while the card stays open.
const FLAGGABLE_MS = 10 * 60_000;
const FRAMES = 12;
const SAMPLING_S = 6;

/** @type {Session | null} */
let open = null;

/** Take up the click that the worker keeps for this frame. */
export async function begin() {
  const click = await tellWorker("clicked");
  if (!click) return;
  const targets = findTargets(click.click);
  if (open?.isAbout(targets)) {
    open.card.focus();
    return;
  }
  open?.card.close();
  open = new Session(click);
  open.start(targets);
}

/**
 * Send the worker one message; it wakes for that if need be.
 * @param {string} kind
 * @param {object} [more]
 * @returns {Promise<any>}
 * @throws {Error} what went wrong there, or the extension is gone
 */
async function tellWorker(kind, more = {}) {
  const { value, error } = await chrome.runtime.sendMessage({ kind, ...more });
  if (error) throw new Error(error);
  return value;
}

/** All that follows from one click, until its card is closed. */
class Session {
  /** @param {{click: any, settings: Pick<import("../common/settings.js").Settings, "theme" | "showBand">, strings: import("../common/languages.js").Strings, sheets: string[]}} given */
  constructor({ click, settings, strings, sheets }) {
    this.click = click;
    this.settings = settings;
    this.strings = strings;
    this.sheets = sheets;
    /** @type {Target | null} */
    this.target = null;
    /** @type {Channel | null} */
    this.channel = null;
    /** @type {string | null} the check that the card shows */
    this.answered = null;
    /** @type {string[]} addresses of pictures that the card shows */
    this.addresses = [];
    this.stop = new AbortController();
    /** Whether an answer is still to come. */
    this.awaited = false;
    this.awake = 0;
    this.resting = 0;
    this.card = this.makeCard();
  }

  makeCard() {
    return new Card({
      strings: this.strings,
      sheets: this.sheets,
      theme: this.settings.theme,
      anchor: () => {
        const rect = this.target?.rect();
        return rect ? { rect, content: this.target?.content() ?? null } : null;
      },
      container: () => findContainer(this.target?.element),
      onClose: () => this.end(),
      onExpelled: () => void this.moveOut(),
    });
  }

  /** Where the page lets no card stay, the answer stands in a window of ours; or the picture waits there. */
  async moveOut() {
    const src = this.target?.url;
    const place = src ? `check?${new URLSearchParams({ src })}` : "check?blocked";
    await tellWorker("panel", { view: this.answered ? `history?id=${this.answered}` : place });
  }

  /** @param {Target[]} targets */
  isAbout(targets) {
    return targets.length === 1 && targets[0].element === this.target?.element && this.target.rect() !== null;
  }

  /** @param {Target[]} targets best first */
  start(targets) {
    if (targets.length === 0) this.fail({ kind: "nothing_found" });
    else if (targets.length === 1) this.check(targets[0]);
    else {
      const candidates = targets.map((target) => ({
        label: target.label,
        thumbnail: target.url,
        width: target.natural?.width ?? 0,
        height: target.natural?.height ?? 0,
      }));
      this.card.showChoice(candidates, (index) => this.check(targets[index]));
    }
  }

  /**
   * @param {Target} target
   * @param {Wishes} [wishes]
   */
  check(target, wishes = {}) {
    this.release();
    this.answered = null;
    this.target = target;
    this.stop = new AbortController();
    this.progress("looking");
    try {
      this.channel = this.connect(target, wishes);
    } catch {
      // The extension was updated or removed since this page was opened.
      this.fail({ kind: "interrupted" });
      return;
    }
    const { by, frameUrl } = this.click;
    this.channel.tell("check", { order: { ...wishes, by, frameUrl, target: describe(target) } });
    const { channel } = this;
    this.awaited = true;
    this.awake = window.setInterval(() => void channel.ask("stillThere").catch(() => {}), AWAKE_MS);
  }

  /**
   * @param {Target} target
   * @param {Wishes} wishes
   */
  connect(target, wishes) {
    /** @type {string[]} */
    let frames = [];
    return new Channel(chrome.runtime.connect({ name: "check" }), {
      told: {
        progress: ({ step }) => this.progress(step),
        show: () => this.card.show(),
        verdict: (message) => {
          if (message.flags) this.rest();
          else this.settle();
          this.showVerdict(message, frames);
        },
        failure: ({ failure }) => {
          this.settle();
          this.fail(failure, wishes);
        },
      },
      asked: {
        fetch: async () => {
          const { blob } = await fetchInPage(String(target.url));
          const [, body] = (await packPicture(blob)).split(",", 2);
          const type = sniffPicture(decodeBase64(body.slice(0, HEAD_LETTERS)));
          if (type === null) throw new Error("not a picture that can be sent");
          return `data:${type};base64,${body}`;
        },
        draw: async () => packPicture((await readCanvas(target)).blob),
        hide: async () => {
          await this.card.hide();
          return plainRect(target.rect());
        },
        agree: ({ notice }) => new Promise((resolve) => this.card.showConsent(notice, resolve)),
        sample: async () => {
          const sampled = await this.sample(target);
          frames = sampled.map(({ image }) => this.keep(image));
          const packed = sampled.map(async ({ time, image }) => ({ time, image: await packPicture(image) }));
          return { frames: await Promise.all(packed) };
        },
      },
      closed: () => {
        const { awaited } = this;
        this.settle();
        if (awaited) this.fail({ kind: "interrupted" }, wishes);
      },
    });
  }

  /** @param {Target} target */
  async sample(target) {
    const video = /** @type {HTMLVideoElement} */ (target.element);
    const stop = await startSilently(video);
    const { frames } = await sampleFrames(video, {
      count: FRAMES,
      seconds: SAMPLING_S,
      signal: this.stop.signal,
      onFrame: (done, of) => this.progress("sampling", { done, of }),
      capture: async () => {
        await this.card.hide();
        try {
          const rect = plainRect(target.rect());
          if (!rect) throw new Error("it left the page");
          return unpackPicture(await this.channel?.ask("capture", { rect, by: this.click.by }));
        } finally {
          await this.card.show();
        }
      },
    }).finally(stop);
    return frames;
  }

  /**
   * @param {any} step
   * @param {{done: number, of: number}} [count]
   */
  progress(step, count) {
    this.card.showProgress(step, count, () => {
      this.settle();
      this.channel?.close();
      this.fail({ kind: "stopped" });
    });
  }

  /**
   * @param {any} message
   * @param {string[]} frames
   */
  showVerdict({ verdict, credentials, model, flags, before, source, reached, picture, better }, frames) {
    const target = /** @type {Target} */ (this.target);
    const { width, height } = verdict.media;
    // Of a background the page itself does not tell the size, and so not where its faces lie.
    if (["original", "poster"].includes(reached)) target.natural ??= { width, height };
    const video = ["video", "poster"].includes(target.kind) && reached !== "frames";
    const poster = reached === "poster";
    this.answered = verdict.id;
    const signIn = () => void tellWorker("panel", { view: "settings?account" });
    this.card.showVerdict(
      {
        verdict,
        credentials,
        picture: picture && this.keep(unpackPicture(picture)),
        frames,
        source,
        thresholds: pickThresholds(model, verdict),
        model,
        before,
        better,
        flags,
        // A poster says nothing of the clip, so that is offered though it does not play yet.
        video: video && (target.playing || poster),
        still: video && !target.playing && !poster,
        poster,
        showBand: this.settings.showBand,
      },
      {
        onForget: () => tellWorker("forget", { id: verdict.id }),
        flagging: {
          offer: () => tellWorker("offerFlag", { id: verdict.id }),
          send: (wish) => tellWorker("flag", { id: verdict.id, wish }),
          undo: (flag) => tellWorker("forgetFlag", { flag }),
          signIn,
        },
        onSignIn: signIn,
        onAgain: () => this.check(target, { again: true }),
        onBetter: () => void this.allow(better.origins),
        onVideo: () => this.check(target, { film: true }),
        onDetails: () => void tellWorker("panel", { view: "history" }),
      },
    );
  }

  /**
   * @param {{kind: string, explanation?: string, retryAfter?: number, allow?: any}} failure
   * @param {Wishes} [wishes]
   */
  fail({ kind, explanation, retryAfter, allow }, wishes = {}) {
    const { target } = this;
    const nowhere = ["nothing_found", "unreachable"].includes(kind);
    this.card.showFailure(
      { kind: /** @type {any} */ (kind), explanation, retryAfter },
      {
        retry: target ? () => this.check(target, wishes) : undefined,
        area: nowhere ? () => void this.checkArea() : undefined,
        allow: allow ? { host: allow.host, act: () => void this.allow(allow.origins) } : undefined,
        settings: SETTLED_IN_SETTINGS.includes(kind)
          ? () => void tellWorker("panel", { view: "settings" })
          : undefined,
        shown:
          target && !wishes.shown && ["too_large", "unsupported", "unreadable"].includes(kind)
            ? () => this.check(target, { ...wishes, shown: true })
            : undefined,
      },
    );
  }

  /** @param {string[]} origins */
  async allow(origins) {
    const target = /** @type {Target} */ (this.target);
    // First of all, and without a wait: the browser asks only in answer to the click itself.
    const granted = await tellWorker("allow", { origins }).catch(() => false);
    if (!granted) this.fail({ kind: "refused" });
    // What stood in a frame that was closed to us can be found in there now.
    else if (target.kind === "frame") await tellWorker("restart", { click: this.click });
    else this.check(target);
  }

  async checkArea() {
    await this.card.hide();
    const container = findContainer(this.target?.element);
    const area = await selectArea({ strings: this.strings, container });
    await this.card.show();
    if (area) this.check(targetArea(area, this.strings.card.area.label));
  }

  /**
   * @param {Blob} picture
   * @returns {string} its address while the card is open
   */
  keep(picture) {
    const address = URL.createObjectURL(picture);
    this.addresses.push(address);
    return address;
  }

  /** The answer is there, but the worker has to remember for a while what it is about. */
  rest() {
    this.awaited = false;
    this.resting = window.setTimeout(() => this.settle(), FLAGGABLE_MS);
  }

  /** Nothing more is awaited. */
  settle() {
    this.awaited = false;
    clearInterval(this.awake);
    clearTimeout(this.resting);
  }

  release() {
    this.settle();
    this.stop.abort();
    this.channel?.close();
    for (const address of this.addresses.splice(0)) URL.revokeObjectURL(address);
  }

  end() {
    this.release();
    if (open === this) open = null;
  }
}

/**
 * An area that was drawn by hand; it moves with the page.
 * @param {DOMRect} area
 * @param {string} label
 * @returns {Target}
 */
function targetArea(area, label) {
  const [left, top] = [area.x + scrollX, area.y + scrollY];
  const rect = () => new DOMRect(left - scrollX, top - scrollY, area.width, area.height);
  return {
    id: "area",
    kind: "area",
    url: null,
    element: document.documentElement,
    rect,
    content: rect,
    natural: null,
    playing: false,
    live: false,
    label,
  };
}

/**
 * Find where the card must hang: a modal dialog makes all outside it dead, and what is shown on the full
 * screen hides the rest.
 * @param {Element} [element]
 * @returns {Element}
 */
function findContainer(element) {
  for (const place of element ? climb(element) : []) {
    if (place.matches("dialog:modal, [aria-modal='true']")) return place;
    if (place === document.fullscreenElement && !(place instanceof HTMLMediaElement)) return place;
  }
  return document.documentElement;
}

/**
 * Let a video play without a sound, if it does not play yet.
 * @param {HTMLVideoElement} video
 * @returns {Promise<() => void>} puts it back as it was
 */
async function startSilently(video) {
  if (!video.paused) return () => {};
  const { muted } = video;
  video.muted = true;
  await video.play();
  return () => {
    video.pause();
    video.muted = muted;
  };
}

/** @param {DOMRectReadOnly | null} rect */
function plainRect(rect) {
  return rect && { x: rect.x, y: rect.y, width: rect.width, height: rect.height };
}

/**
 * Put a picture into a text. Firefox keeps the bytes of a page's Blob from us, but not what a reader says.
 * @param {Blob} picture
 * @returns {Promise<string>} data: address in base64
 */
function packPicture(picture) {
  const reader = new FileReader();
  return new Promise((resolve, reject) => {
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Error("it cannot be read"));
    reader.readAsDataURL(picture);
  });
}

/** @param {string} address data:, which the page's own rules may forbid to fetch */
function unpackPicture(address) {
  const [head, body] = address.split(",", 2);
  return new Blob([decodeBase64(body)], { type: head.slice("data:".length, head.indexOf(";")) });
}
