/** The side panel: one row of tabs over five views, in the language and the colours that are set. */

import { recallFacts } from "../common/checking.js";
import { connect } from "../common/connection.js";
import { openHistory } from "../common/history.js";
import { readLanguage } from "../common/languages.js";
import { onSettingsChange, readSettings } from "../common/settings.js";
import { make } from "../shared/elements.js";
import { CheckView } from "./check_view.js";
import { dress } from "./dress.js";
import { HistoryView } from "./history_view.js";
import { ModelView } from "./model_view.js";
import { QuestionsView } from "./questions_view.js";
import { SettingsView } from "./settings_view.js";
import { Tabs } from "./tabs.js";

/** @typedef {import("../common/settings.js").Settings} Settings */
/** @typedef {import("../common/languages.js").Strings} Strings */
/** @typedef {import("../shared/service.js").Model} Model */

/**
 * What the views share.
 * @typedef {object} Panel
 * @property {Settings} settings
 * @property {Strings} strings
 * @property {import("../common/history.js").History} history
 * @property {() => import("../shared/service.js").Service} connect the service that is set now
 * @property {() => Promise<Model | null>} recallModel null where it cannot be had
 * @property {(sentence: string) => void} announce says a sentence to screen readers
 */

/**
 * @typedef {object} View
 * @property {HTMLElement} element
 * @property {() => void} draw writes everything anew, as after a change of language
 * @property {(query: URLSearchParams) => void} [open] it comes to the front
 * @property {(before: Settings) => void} [adjust] a setting changed
 */

const status = /** @type {HTMLElement} */ (document.getElementById("status"));
const inTab = /** @type {HTMLAnchorElement} */ (document.getElementById("in-tab"));
const main = /** @type {HTMLElement} */ (document.getElementById("views"));

void start();

async function start() {
  const settings = await readSettings();
  const strings = await readLanguage(settings.language);
  dress(settings, strings);
  document.body.hidden = false;
  const history = await openHistory().catch((error) => {
    main.append(make("p", { class: "notice", role: "alert" }, [strings.panel.broken]));
    throw error;
  });
  /** @type {Panel} */
  const panel = {
    settings,
    strings,
    history,
    connect: () => connect(panel.settings),
    recallModel: () =>
      recallFacts(panel.connect(), panel.settings).then(
        ({ model }) => model,
        () => null,
      ),
    announce: (sentence) => (status.textContent = sentence),
  };
  /** @type {Record<string, View>} */
  const views = {
    check: new CheckView(panel),
    history: new HistoryView(panel),
    model: new ModelView(panel),
    questions: new QuestionsView(panel),
    settings: new SettingsView(panel),
  };
  const tabs = new Tabs(/** @type {HTMLElement} */ (document.getElementById("tabs")), main, views);
  const draw = () => {
    dress(panel.settings, panel.strings);
    inTab.textContent = panel.strings.panel.inTab;
    tabs.draw(panel.strings.panel.tabs);
    for (const view of Object.values(views)) view.draw();
  };
  draw();
  tabs.follow();

  /** @param {Settings} changed */
  const adjust = async (changed) => {
    const before = panel.settings;
    const speaks = changed.language === before.language;
    const spoken = speaks ? panel.strings : await readLanguage(changed.language);
    panel.settings = changed;
    panel.strings = spoken;
    if (speaks) dress(changed, spoken);
    else draw();
    for (const view of Object.values(views)) view.adjust?.(before);
  };
  // A language takes a moment to load; a later change must not be overtaken by an earlier one.
  let turn = Promise.resolve();
  onSettingsChange((changed) => {
    const next = () => adjust(changed);
    turn = turn.then(next, next);
  });
}
