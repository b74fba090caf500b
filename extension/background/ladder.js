/** The ladder to the pixels: original bytes first, what is on the screen last. Pure: the rungs are given. */

/** @typedef {"image" | "background" | "svg" | "canvas" | "video" | "poster" | "link" | "frame" | "area"} TargetKind */

/**
 * What the page tells of a picture it found.
 * @typedef {object} Description
 * @property {TargetKind} kind
 * @property {string | null} url absolute
 * @property {{x: number, y: number, width: number, height: number} | null} rect visible part, CSS px of its
 *   frame's viewport
 * @property {{width: number, height: number} | null} natural
 * @property {boolean} playing
 * @property {string} label
 */

/** @typedef {"worker" | "referrer" | "page" | "canvas" | "screenshot"} Rung */

/**
 * @typedef {object} Obtained
 * @property {Blob} picture
 * @property {"original" | "poster" | "pixels" | "frame" | "screenshot"} reached
 * @property {Rung} rung that brought it
 */

/** @typedef {Record<Rung, (target: Description) => Promise<Blob | null>>} Rungs null: not this way, go on */

const DRAWABLE = new Set(["image", "svg", "canvas", "video"]);

/** No rung brought a picture. */
export class OutOfReach extends Error {
  /** @param {string[]} trail what each rung said */
  constructor(trail) {
    super(trail.join("; "));
    this.trail = trail;
  }
}

/**
 * Name the rungs that make sense for a target, best first.
 * @param {Description} target
 * @param {{shown?: boolean}} [options] shown: what is on the page, not the original
 * @returns {Rung[]}
 */
export function chooseRungs(target, { shown = false } = {}) {
  /** @type {Rung[]} */
  const rungs = [];
  // A video's address leads to the whole film; its picture is the frame that is shown.
  const fetchable = target.url !== null && target.kind !== "video";
  if (fetchable && !shown) {
    rungs.push("worker");
    if (/^https?:/.test(/** @type {string} */ (target.url))) rungs.push("referrer");
    rungs.push("page");
  }
  if (DRAWABLE.has(target.kind)) rungs.push("canvas");
  if (target.rect && target.kind !== "link") rungs.push("screenshot");
  return rungs;
}

/**
 * Climb until a rung brings the picture.
 * @param {Description} target
 * @param {Rungs} rungs each gives the bytes, or null, or throws
 * @param {AbortSignal} signal
 * @param {{shown?: boolean}} [options]
 * @returns {Promise<Obtained>}
 * @throws {OutOfReach} none did
 */
export async function climb(target, rungs, signal, options) {
  const trail = [];
  for (const rung of chooseRungs(target, options)) {
    try {
      const picture = await rungs[rung](target);
      signal.throwIfAborted();
      if (picture) return { picture, reached: nameReached(rung, target.kind), rung };
      trail.push(`${rung}: nothing`);
    } catch (error) {
      signal.throwIfAborted();
      trail.push(`${rung}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new OutOfReach(trail);
}

/**
 * @param {Rung} rung
 * @param {TargetKind} kind
 * @returns {Obtained["reached"]}
 */
function nameReached(rung, kind) {
  if (rung === "screenshot") return "screenshot";
  if (kind === "video") return "frame";
  if (rung === "canvas") return "pixels";
  return kind === "poster" ? "poster" : "original";
}
