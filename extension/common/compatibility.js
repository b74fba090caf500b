/** Reads on what earlier versions of the extension kept. The only place that knows their names. Pure. */

/** @typedef {import("./history.js").Entry} Entry */
/** @typedef {import("../shared/verdict.js").Verdict} Verdict */

/**
 * Give a verdict that this browser kept today's names: version 1 of the API called `no_traces` `likely_real`.
 * @param {any} verdict a verdict, a face, a track or a point, of any version
 * @returns {any} as it is where it has today's names already
 */
export function upgradeVerdict(verdict) {
  const upgraded = { ...verdict };
  if (verdict.verdict === "likely_real") upgraded.verdict = "no_traces";
  for (const part of ["faces", "tracks", "points"]) {
    if (Array.isArray(verdict[part])) upgraded[part] = verdict[part].map(upgradeVerdict);
  }
  return upgraded;
}

/**
 * Give an entry of the history today's names.
 * @param {Entry} entry as an extension of any version kept it
 * @returns {Entry}
 */
export function upgradeEntry(entry) {
  return { ...entry, verdict: upgradeVerdict(entry.verdict) };
}
