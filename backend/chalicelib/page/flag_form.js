/** The button that flags a verdict for re-check, and the small form that it opens: a note, consent, what is sent. */

import { make } from "./elements.js";
import { fill } from "./words.js";

/**
 * How a verdict can be flagged.
 * @typedef {object} Flagging
 * @property {string | null} host where the picture lies, if the service can fetch it there
 * @property {boolean} keeps whether the picture can be kept, if the person agrees
 * @property {(wish: {note: string, keep: boolean}) => Promise<string>} flag returns the flag's id
 * @property {(id: string) => Promise<void>} unflag deletes that flag and its picture
 */

// As the service takes it.
const LONGEST_NOTE = 500;

let made = 0;

/**
 * @param {Flagging} flagging
 * @param {import("./strings.js").Language} strings
 * @param {HTMLElement} state says how it went
 * @returns {HTMLElement[]} the button, and the place of the form
 */
export function drawFlagging(flagging, strings, state) {
  const words = strings.verdict;
  const id = `unmask-flag-${(made += 1)}`;
  const button = make("button", { type: "button", class: "unmask-action", "aria-expanded": "false" }, [words.flag]);
  const place = make("div", { class: "unmask-flag", id });
  button.setAttribute("aria-controls", id);

  const open = () => {
    state.textContent = "";
    button.ariaExpanded = "true";
    place.replaceChildren(drawForm(flagging, words, { send, cancel: close }));
    place.querySelector("textarea")?.focus();
  };
  const close = () => {
    button.ariaExpanded = "false";
    place.replaceChildren();
    button.focus();
  };
  /** @param {{note: string, keep: boolean}} wish */
  const send = async (wish) => {
    state.textContent = words.flagging;
    try {
      const flag = await flagging.flag(wish);
      close();
      state.textContent = words.flagged;
      button.ariaDisabled = "true";
      place.replaceChildren(drawUndo(flag));
    } catch {
      state.textContent = words.flagFailed;
      return false;
    }
    return true;
  };
  /** @param {string} flag */
  const drawUndo = (flag) => {
    const undo = make("button", { type: "button", class: "unmask-action" }, [words.unflag]);
    undo.addEventListener("click", async () => {
      if (undo.ariaDisabled === "true") return;
      undo.ariaDisabled = "true";
      try {
        await flagging.unflag(flag);
        button.ariaDisabled = null;
        close();
        state.textContent = words.unflagged;
      } catch {
        undo.ariaDisabled = null;
        state.textContent = words.unflagFailed;
      }
    });
    return undo;
  };

  button.addEventListener("click", () => {
    // Not `disabled`: that would throw the focus out.
    if (button.ariaDisabled === "true") return;
    if (button.ariaExpanded === "true") close();
    else open();
  });
  return [button, place];
}

/**
 * @param {Flagging} flagging
 * @param {import("./strings.js").Language["verdict"]} words
 * @param {{send: (wish: {note: string, keep: boolean}) => Promise<boolean>, cancel: () => void}} ways
 * @returns {HTMLFormElement}
 */
function drawForm({ host, keeps }, words, { send, cancel }) {
  const note = make("textarea", { rows: 2, maxlength: LONGEST_NOTE });
  const keep = make("input", { type: "checkbox" });
  const stop = make("button", { type: "button", class: "unmask-action" }, [words.flagCancel]);
  const submit = make("button", { type: "submit", class: "unmask-action" }, [words.flagSend]);
  const form = make("form", {}, [
    make("label", {}, [words.flagNote, note]),
    ...(keeps ? [make("label", { class: "unmask-consent" }, [keep, words.flagKeep])] : []),
    make("p", {}, [host === null ? words.flagSendsVerdict : fill(words.flagSendsAddress, { host })]),
    make("div", { class: "unmask-actions" }, [submit, stop]),
  ]);
  stop.addEventListener("click", cancel);
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    cancel();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.ariaDisabled === "true") return;
    submit.ariaDisabled = "true";
    const done = await send({ note: note.value.trim(), keep: keep.checked });
    if (!done) submit.ariaDisabled = null;
  });
  return form;
}
