/** Draws what a file says of itself, apart from the verdict of the network. A stranger's words become text only. */

import { findConflict, holds, listSignals, wordAction, wordSignal, wordState } from "./declared.js";
import { make } from "./elements.js";
import { fill, wordDate } from "./words.js";

/** @typedef {import("./declared.js").Told} Told */
/** @typedef {import("./strings.js").Language} Language */
/** @typedef {import("./verdict.js").Credentials} Credentials */

/**
 * Draw it.
 * @param {Told} told
 * @param {Language} strings
 * @returns {HTMLElement | null} null where the file says nothing
 */
export function drawDeclared(told, strings) {
  const words = strings.verdict.declared;
  const signals = listSignals(told);
  const { credentials } = told;
  if (signals.length === 0 && !credentials) return null;
  const conflict = findConflict(told);
  const section = make("section", { class: "unmask-declared", "aria-label": words.title }, [
    make("h4", {}, [words.title]),
  ]);
  if (conflict) {
    const { declares, signed } = conflict;
    const said = words.conflicts[declares === "camera" ? "camera" : "machine"];
    section.append(
      make("p", { class: "unmask-conflict" }, [said, " ", signed ? words.trustSigned : words.trustTags]),
    );
  }
  if (credentials) section.append(drawCredentials(credentials, strings));
  if (signals.length > 0) {
    const rows = signals.map((signal) => {
      const row = make("li", {}, [wordSignal(signal, strings)]);
      const quoted = signal.declares !== null && signal.value !== "";
      if (quoted) row.append(make("bdi", { class: "unmask-quote" }, [signal.value]));
      return row;
    });
    section.append(make("ul", { class: "unmask-signals" }, rows));
  }
  section.append(make("p", { class: "unmask-caution" }, [words.caution]));
  return section;
}

/**
 * @param {Credentials} credentials
 * @param {Language} strings
 * @returns {HTMLElement}
 */
function drawCredentials(credentials, strings) {
  const words = strings.verdict.declared.credentials;
  const { state, signer, time, tool, actions, ingredients } = credentials;
  /** @type {HTMLElement[]} */
  const parts = [
    make("p", { class: "unmask-seal" }, [make("b", {}, [words.title, ": ", wordState(credentials, strings)])]),
  ];
  if (signer) {
    const sentence = fill(state === "valid" ? words.signedBy : words.signedAs, { signer });
    const when = time
      ? fill(words.signedAt, { time: wordDate(time, strings, { dateStyle: "medium", timeStyle: "short" }) })
      : words.noTime;
    parts.push(make("p", {}, [make("bdi", {}, [sentence]), " ", when]));
  }
  if (tool) parts.push(make("p", {}, [make("bdi", {}, [fill(words.tool, { tool })])]));
  parts.push(make("p", { class: "unmask-soft" }, [words.meanings[state]]));
  /** @type {HTMLElement[]} */
  const stated = [];
  if (actions.length > 0) {
    const steps = actions.map((action) => make("li", {}, [make("bdi", {}, [wordAction(action, strings)])]));
    stated.push(make("h5", {}, [words.chain]), make("ol", {}, steps));
  }
  if (ingredients.length > 0) {
    const items = ingredients.map(({ title, state: one }) =>
      make("li", {}, [make("bdi", {}, [title || words.untitled]), ", ", words.ingredientStates[one]]),
    );
    stated.push(make("h5", {}, [words.ingredients]), make("ul", {}, items));
  }
  // What nobody can be held to is not put in front.
  if (holds(credentials) || stated.length === 0) parts.push(...stated);
  else parts.push(make("details", {}, [make("summary", {}, [words.unproven]), ...stated]));
  return make("div", { class: "unmask-credentials", "data-state": state }, parts);
}
