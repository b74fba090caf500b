/** Let those who ask for the same lock take turns, as a browser does: Node has no locks. */
export function takeTurns() {
  /** @type {Record<string, Promise<unknown>>} */
  const turns = {};
  const locks = {
    request: (/** @type {string} */ name, /** @type {() => Promise<unknown>} */ act) =>
      (turns[name] = (turns[name] ?? Promise.resolve()).then(act, act)),
  };
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
}
