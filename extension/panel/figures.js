/** What a model's figures say, without the jargon in which they are measured. Pure. */

/**
 * How the pictures of one kind were judged; shares from 0 to 1.
 * @typedef {object} Row
 * @property {string} source
 * @property {boolean} fake what they are in truth
 * @property {number} likelyFake
 * @property {number} uncertain
 * @property {number} noTraces
 */

/**
 * The figures over all pictures, each null where it was not measured.
 * @typedef {object} Summary
 * @property {number | null} pictures
 * @property {number | null} auc the chance that a fake gets a higher figure than a real face
 * @property {[number, number] | null} aucRange
 * @property {number | null} fakeFound
 * @property {number | null} fakeMissed
 * @property {number | null} realCleared
 * @property {number | null} realAccused
 */

/**
 * Pick the figures that a person can use.
 * @param {any} metrics as the service gives them; may lack anything
 * @returns {Summary | null} null where there is nothing to tell
 */
export function summarise(metrics) {
  const overall = metrics?.overall ?? {};
  const [low, high] = (Array.isArray(overall.auc_interval) ? overall.auc_interval : []).map(share);
  const shares = {
    auc: share(overall.auc),
    aucRange: /** @type {[number, number] | null} */ (low && high ? [low, high] : null),
    fakeFound: share(overall.fake_called_fake),
    fakeMissed: share(overall.fake_no_traces),
    realCleared: share(overall.real_no_traces),
    realAccused: share(overall.real_called_fake),
  };
  const pictures = Number.isInteger(overall.pictures) ? overall.pictures : null;
  return Object.values(shares).some((value) => value !== null) ? { pictures, ...shares } : null;
}

/**
 * Put the figures of each source into rows; one that holds both kinds has two.
 * @param {any} metrics as the service gives them
 * @returns {Row[]} real photos first
 */
export function tabulate(metrics) {
  const sources = Object.entries(metrics?.sources ?? {});
  return ["real", "fake"].flatMap((kind) =>
    sources.flatMap(([source, figures]) => {
      const likelyFake = share(figures?.[`${kind}_called_fake`]);
      const noTraces = share(figures?.[`${kind}_no_traces`]);
      if (likelyFake === null || noTraces === null) return [];
      const uncertain = Math.max(0, 1 - likelyFake - noTraces);
      return [{ source, fake: kind === "fake", likelyFake, uncertain, noTraces }];
    }),
  );
}

/** @param {unknown} value */
function share(value) {
  return typeof value === "number" && value >= 0 && value <= 1 ? value : null;
}
