/** A question that must be answered before anything is lost. */

import { make } from "../shared/elements.js";

/**
 * Ask. The safe answer has the focus, and Escape gives it.
 * @param {{title: string, text: string, yes: string, no: string}} words
 * @returns {Promise<boolean>}
 */
export function askFirst({ title, text, yes, no }) {
  const keep = make("button", { class: "quiet", value: "no", autofocus: "" }, [no]);
  const act = make("button", { class: "quiet grave", value: "yes" }, [yes]);
  const dialog = make("dialog", { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" }, [
    make("form", { method: "dialog" }, [
      make("h2", { id: "dialog-title" }, [title]),
      make("p", { id: "dialog-text" }, [text]),
      make("div", { class: "actions" }, [keep, act]),
    ]),
  ]);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
