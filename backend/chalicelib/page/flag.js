/** A flag for a re-check: what can go along with it, what a person wants to, and what is sent. Pure. */

/** @typedef {import("./service.js").FlagRequest} FlagRequest */
/** @typedef {import("./service.js").Service} Service */

/**
 * What is at hand to go along with the verdict.
 * @typedef {object} Offer
 * @property {string | null} host where the service could fetch the picture by itself; null where it could not
 * @property {boolean} picture whether exactly the bytes that were checked are still here
 * @property {boolean} [signedOut] whether the service wants to know who flags, and nobody is signed in
 */

/**
 * What a person decided.
 * @typedef {object} Wish
 * @property {string} note in their own words
 * @property {boolean} keep whether the picture goes along, to be kept
 * @property {boolean} address whether its address goes along
 */

/**
 * How a verdict is flagged and what may go wrong, seen from the form.
 * @typedef {object} Flagging
 * @property {() => Promise<Offer>} offer
 * @property {(wish: Wish) => Promise<string>} send gives the id of the flag; fails with "lost" where what was
 *   offered is gone
 * @property {(flag: string) => Promise<void>} undo forgets the flag and all that went with it
 * @property {() => void} [signIn] leads to where a person signs in; without it no service here wants that
 */

/** The longest note that the service takes, in characters. */
export const LONGEST_NOTE = 500;

/** @type {Readonly<Offer>} nothing but the verdict itself */
export const VERDICT_ONLY = { host: null, picture: false };

/**
 * Put together what is sent. What is not wanted or not there is left out: the service takes no empty values.
 * @param {string} check id of the check
 * @param {Wish} wish
 * @param {{picture?: Blob | null, url?: string | null}} [atHand]
 * @returns {FlagRequest}
 * @throws {Error} "lost": less is at hand than the person was told
 */
export function composeFlag(check, { note, keep, address }, { picture, url } = {}) {
  /** @type {FlagRequest} */
  const request = { check_id: check };
  if (note) request.note = note;
  if (address) {
    if (!url) throw new Error("lost");
    request.url = url;
  }
  if (keep) {
    if (!picture) throw new Error("lost");
    Object.assign(request, { keep, picture });
  }
  return request;
}

/**
 * Flag the check of a file that a person handed over: it has no address, and is here until its card goes.
 * @param {Service} service
 * @param {string} check id of the check
 * @param {Blob | null} picture null where it does not go along, whatever a person wants
 * @returns {Flagging}
 */
export function flagFile(service, check, picture) {
  return {
    offer: async () => ({ host: null, picture: picture !== null }),
    send: async (wish) => service.flagCheck(composeFlag(check, wish, { picture })),
    undo: (flag) => service.forgetFlag(flag),
  };
}
