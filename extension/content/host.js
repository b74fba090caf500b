/** A place of our own in somebody's page: out of reach of its styles, above all it shows. */

import { OWN } from "./roots.js";

// A page that tidies up what it does not know is answered so often, then it has its way.
const MOST_RETURNS = 5;
// What a page may listen for to close a lightbox, count a click or steer by a key.
const KEPT_IN = [
  ...["click", "dblclick", "auxclick", "contextmenu"],
  ...["mousedown", "mouseup", "mousemove", "mouseover", "mouseout"],
  ...["pointerdown", "pointerup", "pointermove", "pointerover", "pointerout", "pointercancel"],
  ...["touchstart", "touchend", "touchmove", "touchcancel", "wheel"],
  ...["keydown", "keyup", "keypress", "beforeinput", "input", "change"],
  ...["focusin", "focusout", "copy", "cut", "paste", "selectstart"],
  ...["dragstart", "drag", "dragend", "dragenter", "dragover", "dragleave", "drop"],
];

/** An element with a closed shadow root in the top layer. */
export class Host {
  /**
   * @param {string[]} sheets CSS
   * @param {() => Element} container where it must hang to be alive
   */
  constructor(sheets, container) {
    this.container = container;
    this.returns = 0;
    this.element = document.createElement("div");
    this.element.popover = "manual";
    this.element.setAttribute(OWN, "");
    this.root = this.element.attachShadow({ mode: "closed" });
    this.root.adoptedStyleSheets = sheets.map((text) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      return sheet;
    });
    for (const type of KEPT_IN) this.root.addEventListener(type, (event) => event.stopPropagation());
  }

  open() {
    this.place().append(this.element);
    this.element.showPopover();
  }

  close() {
    this.element.remove();
  }

  /**
   * Come back if the page took it away or what holds the picture changed.
   * @returns {boolean} false where the page wants it gone
   */
  keep() {
    if (this.element.isConnected && this.element.parentNode === this.place()) return true;
    if (!this.element.isConnected) this.returns += 1;
    if (this.returns > MOST_RETURNS) return false;
    this.open();
    return true;
  }

  /** @returns {Element} */
  place() {
    const wanted = this.container();
    return wanted.isConnected && wanted.checkVisibility() ? wanted : document.documentElement;
  }

  /** Whether the focus is in here. */
  get focused() {
    return this.root.activeElement !== null;
  }
}

/**
 * Find what has the focus, through open shadow roots.
 * @returns {HTMLElement | null}
 */
export function findFocus() {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element instanceof HTMLElement ? element : null;
}
