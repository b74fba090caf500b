/** A small window that asks for a permission, where only a click in the extension's own page may ask. */

import { readLanguage } from "../common/languages.js";
import { readSettings } from "../common/settings.js";
import { drawButton } from "../content/states.js";
import { fill } from "../shared/words.js";
import { dress } from "./dress.js";
import { pickOrigins, wordSites } from "./origins.js";

const title = /** @type {HTMLElement} */ (document.getElementById("title"));
const text = /** @type {HTMLElement} */ (document.getElementById("text"));
const actions = /** @type {HTMLElement} */ (document.getElementById("actions"));

void ask();

async function ask() {
  const settings = await readSettings();
  const strings = await readLanguage(settings.language);
  const words = strings.panel.allow;
  const origins = pickOrigins(new URLSearchParams(location.search).getAll("origin"));
  dress(settings, strings);
  document.body.hidden = false;
  if (origins.length === 0) {
    title.textContent = words.wrong;
    return;
  }
  const sites = wordSites(origins, strings.locale);
  title.textContent = document.title = fill(words.title, { sites });
  text.textContent = fill(words.text, { sites });
  const allow = () => {
    // Whatever the answer is, whoever opened this window reads it from the browser.
    void chrome.permissions.request({ origins }).finally(() => window.close());
  };
  const yes = drawButton(words.yes, allow, "main");
  actions.append(
    yes,
    drawButton(words.no, () => window.close()),
  );
  yes.focus();
}
