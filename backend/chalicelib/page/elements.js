/** The elements that everything here is drawn with: HTML, and the signs of the verdicts. */

/** @typedef {import("./verdict.js").VerdictName} VerdictName */

/** The namespace of SVG elements. */
export const SVG = "http://www.w3.org/2000/svg";

// Told apart by outline as well as by colour: octagon, circle, diamond, frame. None is a tick: none is a praise.
const ICONS = {
  likely_fake: "M8 2h8l6 6v8l-6 6H8l-6-6V8zM12 7v6M12 16.2v.6",
  no_traces: "M12 2.5a9.5 9.5 0 1 0 0 19a9.5 9.5 0 1 0 0-19zM8.5 10h7M8.5 14h7",
  uncertain: "M12 1.8L22.2 12L12 22.2L1.8 12zM9.6 9.8a2.4 2.4 0 1 1 3.4 2.2q-1 .5-1 1.6M12 16.2v.4",
  no_face: "M3 8V3h5M16 3h5v5M21 16v5h-5M8 21H3v-5M9 12h6",
};

/**
 * Make an element. Children that are strings become text, never markup.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number>} [attributes]
 * @param {(Node | string)[]} [children]
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function make(name, attributes = {}, children = []) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  element.append(...children);
  return element;
}

/**
 * The sign of a verdict, which tells it apart without colour.
 * @param {VerdictName} verdict
 * @returns {SVGSVGElement}
 */
export function drawIcon(verdict) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("class", "unmask-icon");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[verdict] ?? ICONS.uncertain);
  icon.append(path);
  return icon;
}
