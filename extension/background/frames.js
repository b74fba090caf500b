/** Frames of tabs. Pure. */

/**
 * Name a frame, for what is kept by frames.
 * @param {number | undefined} tabId
 * @param {number} frameId
 * @returns {string}
 */
export function nameFrame(tabId, frameId) {
  return `${tabId}/${frameId}`;
}
