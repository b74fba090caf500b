/** The colours, the language and the direction of a page of the extension. */

/**
 * @param {Pick<import("../common/settings.js").Settings, "theme">} settings
 * @param {Pick<import("../common/languages.js").Strings, "locale" | "direction">} strings
 */
export function dress({ theme }, { locale, direction }) {
  const root = document.documentElement;
  root.dataset.theme = theme;
  root.lang = locale;
  root.dir = direction;
}
