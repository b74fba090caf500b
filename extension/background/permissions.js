/** Permission to read from a site: had, worth asking for, asked. */

/**
 * @param {string} url
 * @returns {string | null} match pattern of the site, null where there is none to be had
 */
export function patternOf(url) {
  try {
    const { protocol, hostname } = new URL(url);
    return /^https?:$/.test(protocol) ? `${protocol}//${hostname}/*` : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} url
 * @returns {Promise<boolean>} whether the worker may read from there, cookies and all
 */
export async function mayRead(url) {
  const pattern = patternOf(url);
  return pattern !== null && chrome.permissions.contains({ origins: [pattern] });
}

/**
 * Ask the person for some sites. The click on the card counts as consent to ask in Chromium; where it does
 * not, a small window with a button of its own asks.
 * @param {string[]} origins match patterns
 * @returns {Promise<boolean>} whether it was granted
 */
export async function askFor(origins) {
  try {
    return await chrome.permissions.request({ origins });
  } catch {
    return askInWindow(origins);
  }
}

/** @param {string[]} origins @returns {Promise<boolean>} */
async function askInWindow(origins) {
  const query = new URLSearchParams(origins.map((origin) => ["origin", origin]));
  const opened = await chrome.windows.create({
    url: chrome.runtime.getURL(`panel/allow.html?${query}`),
    type: "popup",
    width: 460,
    height: 320,
  });
  await new Promise((resolve) => {
    /** @param {number} closed */
    const listener = (closed) => {
      if (closed !== opened?.id) return;
      chrome.windows.onRemoved.removeListener(listener);
      resolve(undefined);
    };
    chrome.windows.onRemoved.addListener(listener);
  });
  return chrome.permissions.contains({ origins });
}
