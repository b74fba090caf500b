/** The entry in the browser's own menu. */

import { readLanguage } from "../common/languages.js";
import { readSettings } from "../common/settings.js";

export const CHECK = "check";

/** Write the entry anew, in the language that is set. */
export async function writeMenu() {
  const { language } = await readSettings();
  const strings = await readLanguage(language);
  await chrome.contextMenus.removeAll();
  // On everything: sites lay empty boxes over their pictures, and then the browser sees no picture; a canvas
  // is none of the kinds that can be named.
  chrome.contextMenus.create({ id: CHECK, title: strings.menu.check, contexts: ["all"] }, () => {
    // Two writers at once leave one entry; the second one's complaint says no more than that.
    void chrome.runtime.lastError;
  });
}
