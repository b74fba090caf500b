/** The one module of the page that talks to the API. A failure here is an exception, never a verdict. */

/** @typedef {import("./verdict_view.js").Verdict} Verdict */

/**
 * What `GET v1/model` tells about the model that answers.
 * @typedef {object} Model
 * @property {string} name
 * @property {string} version
 * @property {string[]} covers what it was trained and tested on
 * @property {string[]} limits where it is known to fail
 * @property {import("./verdict_view.js").Thresholds} thresholds
 * @property {string} terms terms of use
 */

/** @typedef {"offline" | "busy" | "slow" | "stopped" | "too_large" | "unsupported" | "unreadable" | "server"} FailureKind */

// An API gateway gives up after 29 s; a service on the same desk may take longer on a huge picture.
const PATIENCE_MS = 60_000;

/** A check that brought no verdict. */
export class CheckFailure extends Error {
  /**
   * @param {FailureKind} kind
   * @param {{explanation?: string, retryAfter?: number}} [details] the service's own sentence, and the
   *   seconds it asks to wait
   */
  constructor(kind, { explanation, retryAfter } = {}) {
    super(kind);
    this.kind = kind;
    this.explanation = explanation;
    this.retryAfter = retryAfter;
  }
}

/**
 * Name the failure that an HTTP status stands for.
 * @param {number} status
 * @returns {FailureKind}
 */
export function nameFailure(status) {
  /** @type {Record<number, FailureKind>} */
  const kinds = {
    400: "unreadable",
    408: "slow",
    413: "too_large",
    415: "unsupported",
    422: "unreadable",
    429: "busy",
    503: "busy",
    504: "slow",
  };
  return kinds[status] ?? "server";
}

/**
 * Read a `Retry-After` header.
 * @param {string | null} header seconds; the date form is not used by this service
 * @returns {number | undefined} whole seconds, at least 1
 */
export function readRetryAfter(header) {
  const seconds = Math.ceil(Number(header ?? NaN));
  return seconds >= 1 ? seconds : undefined;
}

/**
 * Say whether an answer has the shape of a verdict: a login page or a proxy can answer 200 as well.
 * @param {any} answer
 * @returns {answer is Verdict}
 */
export function isVerdict(answer) {
  return (
    ["likely_fake", "likely_real", "uncertain", "no_face"].includes(answer?.verdict) &&
    Array.isArray(answer.faces) &&
    Array.isArray(answer.reasons) &&
    (answer.fake_probability === null || typeof answer.fake_probability === "number") &&
    answer.media?.width > 0 &&
    answer.media?.height > 0 &&
    typeof answer.media?.sha256 === "string" &&
    typeof answer.model?.version === "string"
  );
}

/**
 * Check one picture. The bytes are sent as they are: re-encoding would change what is judged.
 * @param {Blob} picture
 * @param {AbortSignal} stop
 * @returns {Promise<Verdict>}
 * @throws {CheckFailure}
 */
export async function checkPicture(picture, stop) {
  const known = picture.type === "" || picture.type.startsWith("image/");
  // A film or a document that slipped in need not travel to be refused.
  if (!known) throw new CheckFailure("unsupported");
  const type = picture.type || "application/octet-stream";
  const answer = await ask(
    "v1/checks/image",
    { method: "POST", body: picture, headers: { "Content-Type": type } },
    stop,
  );
  if (!isVerdict(answer)) throw new CheckFailure("server");
  return answer;
}

/**
 * Read what the model covers and where its bands lie.
 * @returns {Promise<Model>}
 * @throws {CheckFailure}
 */
export async function readModel() {
  const answer = await ask("v1/model", { method: "GET" });
  if (typeof answer?.thresholds?.fake_above !== "number") throw new CheckFailure("server");
  return answer;
}

/**
 * Delete a check from the service. One that is already gone counts as deleted.
 * @param {string} id
 * @throws {CheckFailure}
 */
export async function forgetCheck(id) {
  await ask(`v1/checks/${encodeURIComponent(id)}`, { method: "DELETE" }, undefined, [404]);
}

/**
 * Send one request; every way to fail comes out as a CheckFailure.
 * @param {string} path relative to the page, which may lie under a stage prefix
 * @param {RequestInit} request
 * @param {AbortSignal} [stop]
 * @param {number[]} [alsoFine] statuses that count as success
 * @returns {Promise<any>} the JSON of the answer, null where it has none
 */
async function ask(path, request, stop, alsoFine = []) {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = stop ? AbortSignal.any([stop, patience]) : patience;
  try {
    const response = await fetch(path, { ...request, signal, cache: "no-store" });
    const text = await response.text();
    const body = parse(text);
    if (response.ok || alsoFine.includes(response.status)) return body;
    throw new CheckFailure(nameFailure(response.status), {
      explanation: typeof body?.error?.message === "string" ? body.error.message : undefined,
      retryAfter: readRetryAfter(response.headers.get("Retry-After")),
    });
  } catch (error) {
    if (error instanceof CheckFailure) throw error;
    if (stop?.aborted) throw new CheckFailure("stopped");
    throw new CheckFailure(patience.aborted ? "slow" : "offline");
  }
}

/**
 * @param {string} text
 * @returns {any} null where the text is no JSON
 */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
