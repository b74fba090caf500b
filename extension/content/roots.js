/** Walking a page as it is seen: through shadow roots, open and closed, and through frames of its own site. */

/** Marks our own elements, which are no part of the page. */
export const OWN = "data-unmask";

// In a page without a doctype a bare :hover means links alone.
const HOVERED = ":hover:not(none)";
const XHTML = "http://www.w3.org/1999/xhtml";

/**
 * Enter an element's shadow, which a content script may do even where the page may not.
 * @param {Element} element
 * @returns {ShadowRoot | null}
 */
export function rootOf(element) {
  if (element.namespaceURI !== XHTML || element.hasAttribute(OWN)) return null;
  const host = /** @type {HTMLElement & {openOrClosedShadowRoot?: ShadowRoot | null}} */ (element);
  const opened = globalThis.chrome?.dom?.openOrClosedShadowRoot?.(host);
  return opened ?? host.openOrClosedShadowRoot ?? host.shadowRoot;
}

/**
 * @param {Element} element
 * @returns {Document | null} what a frame shows; null for another site's, and for what is no frame
 */
export function documentIn(element) {
  if (!["iframe", "frame", "object"].includes(element.localName)) return null;
  try {
    return /** @type {HTMLIFrameElement} */ (element).contentDocument;
  } catch {
    return null;
  }
}

/** @param {Element} element @returns {boolean} whether it is a page of its own that cannot be entered */
export function isClosedFrame(element) {
  return ["iframe", "frame"].includes(element.localName) && documentIn(element) === null;
}

/**
 * @param {Element} element
 * @returns {Element | null} what it is drawn inside; null at the top of its document
 */
export function parentOf(element) {
  if (element.assignedSlot) return element.assignedSlot;
  const parent = element.parentNode;
  if (parent?.nodeType === Node.DOCUMENT_FRAGMENT_NODE) return /** @type {ShadowRoot} */ (parent).host ?? null;
  return element.parentElement;
}

/**
 * @param {Element} element
 * @returns {Generator<Element>} itself and all that it is drawn inside
 */
export function* climb(element) {
  for (let place = /** @type {Element | null} */ (element); place; place = parentOf(place)) yield place;
}

/** @param {Element} outer @param {Element} inner @returns {boolean} also true for one and the same */
export function holds(outer, inner) {
  for (const place of climb(inner)) if (place === outer) return true;
  return false;
}

/**
 * @param {Document | ShadowRoot | Element} root
 * @returns {Generator<Element>} everything below it but what is ours
 */
export function* walk(root) {
  for (const element of root.querySelectorAll("*")) {
    yield element;
    const inner = rootOf(element);
    if (inner) yield* walk(inner);
  }
}

/**
 * Find the innermost element under the pointer. The browser keeps it while its own menu is open; where
 * exactly the pointer was, it tells nobody afterwards.
 * @param {Document | ShadowRoot} root
 * @returns {Element | null} null where the pointer is not over the page
 */
export function findHovered(root) {
  const hovered = [...root.querySelectorAll(HOVERED)];
  // A label's control counts as hovered too, wherever it is.
  const controls = new Set(hovered.map((element) => /** @type {HTMLLabelElement} */ (element).control));
  const deepest = hovered.findLast((element) => !controls.has(/** @type {HTMLElement} */ (element)));
  if (!deepest || deepest.hasAttribute(OWN)) return null;
  const inner = rootOf(deepest) ?? documentIn(deepest);
  return (inner && findHovered(inner)) ?? deepest;
}

/**
 * @param {Document | ShadowRoot} root
 * @returns {Element | null} the innermost element that has the focus; null where only the page has it
 */
export function findFocused(root) {
  const active = root.activeElement;
  if (!active || isPage(active) || active.hasAttribute(OWN)) return null;
  const inner = rootOf(active) ?? documentIn(active);
  return (inner && findFocused(inner)) ?? active;
}

/** @param {Element} element @returns {boolean} whether it is the body, or the root, of its document */
export function isPage(element) {
  const { body, documentElement } = element.ownerDocument;
  return element === body || element === documentElement;
}

/**
 * List what lies under a point, topmost first.
 * @param {Document | ShadowRoot} root
 * @param {number} x CSS px in the root's own viewport
 * @param {number} y
 * @returns {Element[]}
 */
export function stackAt(root, x, y) {
  return root.elementsFromPoint(x, y).flatMap((element) => {
    // Asked for its own elements, a shadow root names those around it as well.
    if (element.getRootNode() !== root) return [];
    const inner = rootOf(element);
    return inner ? [...stackAt(inner, x, y), element] : [element];
  });
}
