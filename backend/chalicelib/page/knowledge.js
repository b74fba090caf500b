/** What a model knows and what it has never seen, from its card. Pure. */

/**
 * How a model does on the fakes of one generator; shares from 0 to 1.
 * @typedef {object} Generator
 * @property {string} name
 * @property {boolean} seen whether the model was trained on fakes of it
 * @property {number} fakes how many were tried
 * @property {number} auc
 * @property {number} called_fake share that is called likely fake
 * @property {number} no_traces share that was missed
 */

/**
 * Pick the generators that a model was tried on.
 * @param {any} metrics as the service gives them; may lack anything
 * @returns {{seen: Generator[], unseen: Generator[]}} what is not whole is left out
 */
export function listGenerators(metrics) {
  const generators = metrics?.generators;
  const whole = (Array.isArray(generators) ? generators : []).filter(isGenerator);
  return { seen: whole.filter(({ seen }) => seen), unseen: whole.filter(({ seen }) => !seen) };
}

/** @param {any} value @returns {value is Generator} */
function isGenerator(value) {
  const { name, seen, fakes, called_fake, no_traces } = value ?? {};
  return (
    typeof name === "string" &&
    typeof seen === "boolean" &&
    Number.isInteger(fakes) &&
    fakes >= 0 &&
    [called_fake, no_traces].every((part) => typeof part === "number" && part >= 0 && part <= 1)
  );
}
