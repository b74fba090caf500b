/** Settings: each is saved at once, and says so; what cannot be right is explained and not saved. */

import { listLanguages } from "../common/languages.js";
import {
  countCertificates,
  DEFAULTS,
  hostOf,
  normaliseBackend,
  normaliseTrustList,
  THEMES,
  writeSettings,
} from "../common/settings.js";
import { drawButton } from "../content/states.js";
import { make } from "../shared/elements.js";
import { CheckFailure, fitApi, Service } from "../shared/service.js";
import { fill } from "../shared/words.js";
import { AccountView } from "./account_view.js";
import { wordFailure } from "./words.js";

/** @typedef {import("./panel.js").Panel} Panel */
/** @typedef {import("../common/settings.js").Settings} Settings */

const ALL_SITES = { origins: ["<all_urls>"] };
const CHROMIUM_SHORTCUTS = "chrome://extensions/shortcuts";

/** The fifth view. */
export class SettingsView {
  /** @param {Panel} panel */
  constructor(panel) {
    this.panel = panel;
    this.element = make("section");
    this.account = new AccountView(panel);
    // The answer to a former question must not overwrite that to a later one.
    this.tests = 0;
    /** @type {(() => void)[]} bring what is shown up to what is set, without touching what is typed */
    this.updates = [];
    const update = () => void this.updateSites?.();
    chrome.permissions.onAdded.addListener(update);
    chrome.permissions.onRemoved.addListener(update);
  }

  get words() {
    return this.panel.strings.panel.settings;
  }

  /** @param {URLSearchParams} query "account": a person was sent here to sign in */
  open(query) {
    void this.updateSites?.();
    void this.drawShortcuts();
    void this.account.refresh().then(() => query.has("account") && this.account.focus());
  }

  /** @param {Settings} before */
  adjust(before) {
    for (const update of this.updates) update();
    // An address is not asked anything for having been typed.
    if (before.backend !== this.panel.settings.backend) void this.account.refresh({ ask: false });
  }

  draw() {
    const { words } = this;
    // The language was chosen here, and the choice keeps the focus.
    const focused = this.element.contains(document.activeElement) ? document.activeElement?.id : "";
    this.updates = [];
    this.shortcuts = make("div");
    const { version } = chrome.runtime.getManifest();
    this.element.replaceChildren(
      make("h1", {}, [words.title]),
      make("p", { class: "lead" }, [words.lead]),
      drawGroup(words.serviceTitle, this.drawBackend(), this.drawKey()),
      this.account.element,
      drawGroup(words.looksTitle, this.drawThemes(), this.drawLanguage(), this.drawBandSwitch()),
      drawGroup(words.privacyTitle, ...this.drawPrivacy()),
      drawGroup(words.sitesTitle, ...this.drawSites()),
      drawGroup(words.credentialsTitle, this.drawTrustList()),
      drawGroup(words.keysTitle, this.shortcuts),
      make("p", { class: "aside" }, [fill(words.about, { version })]),
    );
    for (const update of this.updates) update();
    this.account.draw();
    void this.drawShortcuts();
    if (focused) document.getElementById(focused)?.focus();
  }

  /**
   * Save, and say so beside what was changed. The panel hears of it as of a change made anywhere else.
   * @param {Partial<Settings>} changes
   * @param {HTMLElement} state
   * @param {string} [sentence]
   */
  async save(changes, state, sentence = this.words.saved) {
    await writeSettings(changes);
    tell(state, sentence);
  }

  drawBackend() {
    const { words } = this;
    const state = drawState("backend-state");
    const input = make("input", {
      id: "backend",
      type: "url",
      dir: "ltr",
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": "backend-hint backend-state",
    });
    this.updates.push(() => {
      if (document.activeElement !== input) input.value = this.panel.settings.backend;
    });
    const save = async () => {
      const { settings } = this.panel;
      try {
        const backend = normaliseBackend(input.value);
        input.value = backend;
        input.ariaInvalid = "false";
        if (backend === settings.backend) return;
        // A key is a secret between a person and one service.
        const moved = settings.key !== "" && new URL(backend).origin !== new URL(settings.backend).origin;
        await this.save(
          moved ? { backend, key: "" } : { backend },
          state,
          moved ? words.keyRemoved : words.saved,
        );
      } catch (error) {
        input.ariaInvalid = "true";
        tell(state, wordError(words.backendErrors, error));
      }
    };
    input.addEventListener("change", () => void save());
    input.addEventListener("input", () => {
      input.ariaInvalid = "false";
      tell(state, "");
    });
    const restore = drawButton(words.restore, () => {
      input.value = DEFAULTS.backend;
      void save();
    });
    this.updates.push(() => (restore.hidden = this.panel.settings.backend === DEFAULTS.backend));
    return make("div", { class: "field" }, [
      make("label", { for: "backend" }, [words.backend]),
      input,
      make("p", { class: "aside", id: "backend-hint" }, [words.backendHint]),
      state,
      this.drawTest(restore),
    ]);
  }

  /** @param {HTMLButtonElement} restore stands beside it */
  drawTest(restore) {
    const { words } = this;
    const state = drawState("test-state");
    const test = drawButton(words.test, async () => {
      const { backend, key } = this.panel.settings;
      const turn = (this.tests += 1);
      tell(state, fill(words.testing, { host: hostOf(backend) }));
      const outcome = await this.test(backend, key);
      if (turn === this.tests) tell(state, outcome);
      void this.account.refresh();
    });
    return make("div", {}, [make("div", { class: "actions" }, [test, restore]), state]);
  }

  /**
   * @param {string} backend
   * @param {string} key
   * @returns {Promise<string>} what came out, in words
   */
  async test(backend, key) {
    const { words } = this;
    const host = hostOf(backend);
    try {
      const health = await new Service({ base: backend, key }).readHealth();
      const { name, version } = health.model;
      const sentences = { fits: words.works, too_old: words.tooOld, too_new: words.tooNew };
      return fill(sentences[fitApi(health)], { host, name, version });
    } catch (error) {
      const failure = error instanceof CheckFailure ? error : new CheckFailure("server");
      const { title, explanation } = wordFailure(failure.kind, this.panel.strings);
      return fill(words.fails, { host, title, explanation: failure.explanation ?? explanation });
    }
  }

  drawKey() {
    const { words } = this;
    const state = drawState("key-state");
    const input = make("input", {
      id: "key",
      type: "password",
      dir: "ltr",
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": "key-hint key-state",
    });
    this.updates.push(() => {
      if (document.activeElement !== input) input.value = this.panel.settings.key;
    });
    input.addEventListener("change", () => {
      const key = input.value.trim();
      // It travels in a header of the request, which holds no other letters.
      const fits = /^[\x21-\x7e]*$/.test(key);
      input.ariaInvalid = String(!fits);
      if (fits) void this.save({ key }, state);
      else tell(state, words.keyError);
    });
    const show = make("input", { id: "show-key", type: "checkbox" });
    show.addEventListener("change", () => (input.type = show.checked ? "text" : "password"));
    return make("div", { class: "field" }, [
      make("label", { for: "key" }, [words.key]),
      input,
      make("label", { class: "choice" }, [show, words.showKey]),
      make("p", { class: "aside", id: "key-hint" }, [words.keyHint]),
      state,
    ]);
  }

  drawThemes() {
    const { words } = this;
    const state = drawState("theme-state");
    const choices = THEMES.map((theme) => {
      const radio = make("input", { type: "radio", name: "theme", id: `theme-${theme}`, value: theme });
      radio.addEventListener("change", () => void this.save({ theme }, state));
      this.updates.push(() => (radio.checked = this.panel.settings.theme === theme));
      return make("label", { class: "choice" }, [radio, words.themes[theme]]);
    });
    return make("fieldset", { class: "field" }, [make("legend", {}, [words.theme]), ...choices, state]);
  }

  drawLanguage() {
    const { words } = this;
    const state = drawState("language-state");
    const select = make("select", { id: "language" }, [
      make("option", { value: "" }, [words.browserLanguage]),
    ]);
    const update = () => (select.value = this.panel.settings.language);
    this.updates.push(update);
    void listLanguages().then((languages) => {
      select.append(...languages.map(({ code, name }) => make("option", { value: code, lang: code }, [name])));
      update();
    });
    select.addEventListener("change", () => void this.save({ language: select.value }, state));
    return make("div", { class: "field" }, [
      make("label", { for: "language" }, [words.language]),
      select,
      state,
    ]);
  }

  drawBandSwitch() {
    const state = drawState("band-state");
    const box = make("input", { type: "checkbox", id: "band" });
    box.addEventListener("change", () => void this.save({ showBand: box.checked }, state));
    this.updates.push(() => (box.checked = this.panel.settings.showBand));
    return make("div", { class: "field" }, [
      make("label", { class: "choice" }, [box, this.words.showBand]),
      state,
    ]);
  }

  drawPrivacy() {
    const { words } = this;
    const state = drawState("agreed-state");
    const list = make("ul");
    const agreed = make("p");
    const disagree = drawButton(words.disagree, () => {
      void this.save({ agreedHost: "" }, state, words.disagreed);
      // The button goes, and the focus with it.
      state.focus();
    });
    this.updates.push(() => {
      const { backend, agreedHost } = this.panel.settings;
      const host = hostOf(backend);
      list.replaceChildren(...words.sent.map((sentence) => make("li", {}, [fill(sentence, { host })])));
      agreed.textContent = fill(host === agreedHost ? words.agreed : words.notAgreed, { host });
      disagree.hidden = host !== agreedHost;
    });
    return [list, make("div", { class: "field" }, [agreed, disagree, state])];
  }

  drawSites() {
    const { words } = this;
    const state = drawState("sites-state");
    const box = make("input", { type: "checkbox", id: "sites", "aria-describedby": "sites-hint" });
    this.updateSites = async () => {
      box.checked = await chrome.permissions.contains(ALL_SITES);
    };
    box.addEventListener("change", async () => {
      // The click counts only as long as nothing is waited for, so this comes first.
      const ask = box.checked ? "request" : "remove";
      const done = await chrome.permissions[ask](ALL_SITES).catch(() => false);
      const allowed = await chrome.permissions.contains(ALL_SITES);
      box.checked = allowed;
      if (done) tell(state, allowed ? words.sitesOn : words.sitesOff);
      else tell(state, words.sitesRefused);
    });
    void this.updateSites();
    return [
      make("div", { class: "field" }, [
        make("label", { class: "choice" }, [box, words.sites]),
        make("p", { class: "aside", id: "sites-hint" }, [words.sitesHint]),
        state,
      ]),
    ];
  }

  drawTrustList() {
    const { words } = this;
    const state = drawState("trust-state");
    const list = make("textarea", {
      id: "trust",
      rows: 4,
      dir: "ltr",
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": "trust-hint trust-state",
    });
    const count = () => {
      const certificates = countCertificates(this.panel.settings.trustList);
      return certificates > 0 ? fill(words.trustListCount, { count: certificates }) : words.trustListNone;
    };
    this.updates.push(() => {
      if (document.activeElement !== list) list.value = this.panel.settings.trustList;
      if (list.ariaInvalid !== "true") tell(state, count());
    });
    list.addEventListener("change", async () => {
      try {
        const trustList = normaliseTrustList(list.value);
        list.ariaInvalid = "false";
        list.value = trustList;
        await writeSettings({ trustList });
      } catch (error) {
        list.ariaInvalid = "true";
        tell(state, wordError(words.trustListErrors, error));
      }
    });
    return make("div", { class: "field" }, [
      make("label", { for: "trust" }, [words.trustList]),
      list,
      make("p", { class: "aside", id: "trust-hint" }, [words.trustListHint]),
      state,
    ]);
  }

  async drawShortcuts() {
    const { words } = this;
    const { shortcuts } = this;
    const commands = await chrome.commands.getAll();
    /** @type {Record<string, string>} */
    const names = { check: words.shortcut, panel: words.shortcutPanel };
    const rows = commands.flatMap(({ name = "", shortcut }) => {
      if (!(name in names)) return [];
      const keys = shortcut ? make("kbd", { dir: "ltr" }, [shortcut]) : words.noShortcut;
      return [make("div", {}, [make("dt", {}, [names[name]]), make("dd", {}, [keys])])];
    });
    shortcuts?.replaceChildren(
      make("dl", { class: "figures" }, rows),
      drawButton(words.changeKeys, openShortcuts),
    );
  }
}

/** Only the browser itself can change a shortcut. */
function openShortcuts() {
  /** @type {typeof chrome.commands & {openShortcutSettings?: () => Promise<void>}} */
  const commands = chrome.commands;
  if (commands.openShortcutSettings) void commands.openShortcutSettings();
  else void chrome.tabs.create({ url: CHROMIUM_SHORTCUTS });
}

/**
 * @param {Record<string, string>} words by the code of an error
 * @param {unknown} error
 */
function wordError(words, error) {
  const code = error instanceof Error ? error.message : "";
  return words[code] ?? code;
}

/** @param {string} id */
function drawState(id) {
  return make("p", { class: "state", id, role: "status", tabindex: "-1" });
}

/**
 * @param {HTMLElement} state
 * @param {string} sentence
 */
function tell(state, sentence) {
  state.textContent = sentence;
}

/**
 * @param {string} title
 * @param {(Node | string)[]} fields
 */
function drawGroup(title, ...fields) {
  return make("section", { class: "group" }, [make("h2", {}, [title]), ...fields]);
}
