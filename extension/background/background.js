/**
 * The worker's front door. Every listener is registered at once when the file is read: a worker that the
 * browser had stopped is started again for an event, and must be listening by then.
 */

import { connect, lacksSignIn } from "../common/connection.js";
import { openHistory } from "../common/history.js";
import { readLanguage } from "../common/languages.js";
import { onSettingsChange, readSettings } from "../common/settings.js";
import { serveCheck } from "./checks.js";
import { fulfilWish, offerFlag } from "./flags.js";
import { nameFrame } from "./frames.js";
import { CHECK, writeMenu } from "./menus.js";
import { askFor } from "./permissions.js";

/**
 * A click, or a key press, on something to check.
 * @typedef {object} Click
 * @property {"pointer" | "focus"} by
 * @property {number} frameId
 * @property {string} [frameUrl]
 * @property {string} [srcUrl] what the browser saw under the pointer
 * @property {string} [mediaType]
 * @property {string} [linkUrl]
 */

// The first injection into a new browser sometimes fails in Chromium; the second does not.
const SECOND_TRY_MS = 60;

/** @type {Map<string, Click>} clicks that wait for their frame's script, by tab and frame */
const clicks = new Map();

chrome.runtime.onInstalled.addListener(() => void writeMenu());
chrome.runtime.onStartup.addListener(() => void writeMenu());
onSettingsChange(() => void writeMenu());

chrome.contextMenus.onClicked.addListener((info, tab) => {
  if (info.menuItemId !== CHECK || tab?.id === undefined) return;
  const { srcUrl, mediaType, linkUrl, frameUrl, frameId } = info;
  // Chosen in the menu of the extension's own button, it is about no place on the page.
  if (frameId === undefined) void beginInFocus(tab.id);
  else void begin(tab.id, { by: "pointer", frameId, frameUrl, srcUrl, mediaType, linkUrl });
});

chrome.commands.onCommand.addListener(async (command, tab) => {
  const [front] = tab ? [tab] : await chrome.tabs.query({ active: true, lastFocusedWindow: true });
  if (command === "check" && front?.id !== undefined) await beginInFocus(front.id);
});

chrome.action.onClicked.addListener((tab) => {
  // The click's own moment is the only one in which a panel may open.
  if (chrome.sidePanel) void chrome.sidePanel.open({ windowId: tab.windowId });
  else /** @type {any} */ (chrome).sidebarAction.toggle();
});

chrome.runtime.onConnect.addListener((port) => {
  if (port.name === "check") serveCheck(port);
});

// Scripts in pages read no settings. Firefox knows no such level: there they could, though no page can; the key of the
// service is kept elsewhere.
void chrome.storage.local.setAccessLevel?.({ accessLevel: "TRUSTED_CONTEXTS" });

chrome.runtime.onMessage.addListener((message, sender, reply) => {
  // What every object inherits is no answer.
  const answer = Object.hasOwn(ANSWERS, message.kind) ? ANSWERS[message.kind] : null;
  if (!answer || sender.id !== chrome.runtime.id) return false;
  answer(message, sender).then(
    (value) => reply({ value }),
    (error) => reply({ error: error.kind ?? error.message }),
  );
  return true;
});

/** @type {Record<string, (message: any, sender: chrome.runtime.MessageSender) => Promise<any>>} */
const ANSWERS = {
  /** The script of a frame is there and asks what was clicked. */
  async clicked(message, { tab, frameId = 0 }) {
    const name = nameFrame(tab?.id, frameId);
    const click = clicks.get(name);
    clicks.delete(name);
    if (!click) return null;
    const { language, theme, showBand } = await readSettings();
    const [strings, ...sheets] = await Promise.all([
      readLanguage(language),
      ...["shared/palette.css", "content/card.css", "shared/verdict_view.css"].map(readFile),
    ]);
    // The key of the service is nobody's in a page.
    return { click, settings: { theme, showBand }, strings, sheets };
  },
  async forget({ id }) {
    await (await connectService()).forgetCheck(id);
    const history = await openHistory();
    await history.remove(id).finally(() => history.close());
  },
  async offerFlag({ id }, { tab, frameId = 0 }) {
    const [offer, signedOut] = await Promise.all([
      offerFlag(nameFrame(tab?.id, frameId), id),
      lacksSignIn(await readSettings()),
    ]);
    return { ...offer, signedOut };
  },
  async flag({ id, wish }, { tab, frameId = 0 }) {
    const request = fulfilWish(nameFrame(tab?.id, frameId), id, wish);
    return (await connectService()).flagCheck(request);
  },
  async forgetFlag({ flag }) {
    await (await connectService()).forgetFlag(flag);
  },
  allow: ({ origins }) => askFor(origins),
  /** Permission came, so the same click may reach further now. */
  async restart({ click }, { tab }) {
    if (tab?.id !== undefined) await begin(tab.id, click);
  },
  panel: ({ view }, { tab }) => openPanel(view, tab),
};

/**
 * Put the script into a frame and leave the click there for it.
 * @param {number} tabId
 * @param {Click} click
 */
async function begin(tabId, click) {
  // A frame that cannot be entered is still a place on the page around it.
  for (const frame of new Set([click.frameId, 0])) {
    clicks.set(nameFrame(tabId, frame), click);
    if (await inject(tabId, frame)) return;
    clicks.delete(nameFrame(tabId, frame));
  }
  const query = click.srcUrl ? `?${new URLSearchParams({ src: click.srcUrl })}` : "?blocked";
  await openWindow(`check${query}`);
}

/**
 * Begin in the frame that has the focus, as far as frames can be asked.
 * @param {number} tabId
 */
async function beginInFocus(tabId) {
  const frames = await chrome.scripting
    .executeScript({ target: { tabId, allFrames: true }, func: () => document.hasFocus() })
    .catch(() => []);
  // All frames around the focused one have it as well; the innermost was added last.
  const focused = frames.filter(({ result }) => result).map(({ frameId }) => frameId);
  await begin(tabId, { by: "focus", frameId: Math.max(0, ...focused) });
}

/** @param {number} tabId @param {number} frameId @returns {Promise<boolean>} whether the script runs there */
async function inject(tabId, frameId) {
  for (const wait of [SECOND_TRY_MS, 0]) {
    try {
      const [outcome] = await chrome.scripting.executeScript({
        target: { tabId, frameIds: [frameId] },
        files: ["content/loader.js"],
      });
      if (outcome?.result === true) return true;
    } catch {
      // Said again below, by trying again or by giving up.
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return false;
}

/**
 * Show a view of the panel at the side of a window. Where the press of a button in a page does not count
 * as a wish for that, a window of its own takes its place.
 * @param {string} view hash of the panel
 * @param {chrome.tabs.Tab} [tab]
 */
async function openPanel(view, tab) {
  try {
    if (tab === undefined) throw new Error("no window to open it in");
    // Not awaited: the press counts only until something is waited for.
    void chrome.sidePanel.setOptions({ path: `panel/panel.html#${view}` });
    await chrome.sidePanel.open({ windowId: tab.windowId });
  } catch {
    await openWindow(view);
  }
}

/** @param {string} view hash of the panel, with its query */
async function openWindow(view) {
  const url = chrome.runtime.getURL(`panel/panel.html#${view}`);
  await chrome.windows.create({ url, type: "popup", width: 480, height: 720 });
}

/** @param {string} name @returns {Promise<string>} */
async function readFile(name) {
  return (await fetch(chrome.runtime.getURL(name))).text();
}

async function connectService() {
  return connect(await readSettings());
}
