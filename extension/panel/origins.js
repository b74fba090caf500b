/** The sites of a permission, as a browser writes them and as a person reads them. Pure. */

/**
 * Keep what is the pattern of one site: an address line may hold anything.
 * @param {string[]} patterns
 * @returns {string[]}
 */
export function pickOrigins(patterns) {
  return patterns.filter((pattern) => {
    const [, host] = /^https?:\/\/([^/*?#@\s]+)\/\*$/.exec(pattern) ?? [];
    return host !== undefined && URL.canParse(`https://${host}/`);
  });
}

/**
 * @param {string[]} origins match patterns of single sites
 * @param {string} locale
 * @returns {string} the hosts, as "a.example and b.example"
 */
export function wordSites(origins, locale) {
  const hosts = origins.map((origin) => origin.replace(/^https?:\/\//, "").replace(/\/\*$/, ""));
  return new Intl.ListFormat(locale).format(new Set(hosts));
}
