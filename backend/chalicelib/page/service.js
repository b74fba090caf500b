/**
 * The one module that talks to the API, for the page and the extension alike. It needs no document, so that
 * a service worker can use it. A failure here is an exception, never a verdict.
 */

/** @typedef {import("./verdict.js").Verdict} Verdict */

/**
 * What `GET v2/model` tells about the model that answers.
 * @typedef {object} Model
 * @property {string} name
 * @property {string} version
 * @property {string[]} covers what it was trained and tested on
 * @property {string[]} limits where it is known to fail
 * @property {import("./verdict.js").Thresholds} thresholds of pictures
 * @property {import("./verdict.js").Thresholds} [frame_thresholds] of single frames; older services tell none
 * @property {import("./verdict.js").Thresholds} [video_thresholds] of videos; older services tell none
 * @property {Metrics} [metrics] measured on held-out data
 * @property {string} terms terms of use
 */

/**
 * @typedef {object} Metrics
 * @property {unknown} [generators] see `listGenerators` of knowledge.js
 */

/**
 * What `GET v2/health` tells.
 * @typedef {object} Health
 * @property {"ok"} status
 * @property {{name: string, version: string}} model
 * @property {boolean} flags whether verdicts can be flagged for re-check
 * @property {{endpoint: string, client_id: string} | null} [sign_in] where its people sign in, who alone may flag
 *   and forget; null where anybody may, and older services do not tell
 * @property {number} [api] level of the API; services from before there were levels do not tell
 * @property {number} [video_bytes] largest video in one request; older services tell none
 * @property {number} [upload_bytes] largest one by way of an upload; 0 where there are none
 */

/**
 * What `POST v2/flags` takes: what is to be looked at again.
 * @typedef {object} FlagRequest
 * @property {string} [check_id] of the check that is doubted
 * @property {string} [url] where the picture lies, for the service to fetch
 * @property {string} [note] at most 500 characters
 * @property {boolean} [keep] whether the person agrees that the picture is kept for the re-check
 * @property {Blob} [picture] exactly the bytes that were checked; only with `check_id` and `keep`
 */

/** @typedef {{time: number, image: Blob}} Frame seconds, and a JPEG, PNG or WebP */

/**
 * How far a check of a large video is.
 * @typedef {{step: "sending" | "checking", part: number}} Progress part: 0 to 1
 */

/** @typedef {"offline" | "waking" | "busy" | "slow" | "stopped" | "declined" | "too_large" | "unsupported" | "unreadable" | "server" | "forbidden" | "sign_in" | "too_old" | "too_new"} FailureKind */

/**
 * Brings what shows who is asking, null where nobody signed in. Asked a second time it is told which one the
 * service refused.
 * @callback TokenSource
 * @param {string} [refused]
 * @returns {Promise<string | null>}
 * @throws {CheckFailure}
 */

/** The oldest and the newest level of the API that this client understands. */
export const LEAST_API = 2;
export const NEWEST_API = 2;

// An API gateway gives up after 29 s; a service on the same desk may take longer on a huge picture.
const PATIENCE_MS = 60_000;
// An upload may take longer, on a slow line.
const UPLOAD_MS = 30 * 60_000;
// How often a check of an upload is asked after.
const POLL_MS = 1000;

// Longer pieces would not fit into the arguments of one call; a multiple of three leaves no padding inside.
const PIECE = 0x6000;

const TAKEN_VIDEOS = ["video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "image/gif"];

const VERDICTS = ["likely_fake", "no_traces", "uncertain", "no_face"];

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

/** One Unmask service at one address. */
export class Service {
  /**
   * @param {{base?: string, key?: string, readToken?: TokenSource}} [options] base: address without a slash at
   *   its end, "" for the one that served this page, which may lie under a stage prefix; key: sent as
   *   `X-Api-Key` where given; readToken: for what only its people may do
   */
  constructor({ base = "", key = "", readToken = async () => null } = {}) {
    this.base = base;
    this.key = key;
    this.readToken = readToken;
  }

  /**
   * Check one picture. The bytes are sent as they are: re-encoding would change what is judged.
   * @param {Blob} picture
   * @param {AbortSignal} stop
   * @returns {Promise<Verdict>}
   * @throws {CheckFailure}
   */
  async checkPicture(picture, stop) {
    const known = picture.type === "" || picture.type.startsWith("image/");
    // A film or a document that slipped in need not travel to be refused.
    if (!known) throw new CheckFailure("unsupported");
    const type = picture.type || "application/octet-stream";
    return askVerdict(this, "v2/checks/image", picture, type, stop);
  }

  /**
   * Check a video by its file. What is too large for one request is uploaded, and asked after until it is done.
   * @param {Blob} video
   * @param {AbortSignal} stop
   * @param {(progress: Progress) => void} [onProgress] told of uploads only
   * @returns {Promise<Verdict>} with `tracks` and `coverage`
   * @throws {CheckFailure}
   */
  async checkVideo(video, stop, onProgress = () => {}) {
    const type = TAKEN_VIDEOS.includes(video.type) ? video.type : "application/octet-stream";
    const { video_bytes: most = Infinity, upload_bytes: mostUploaded = 0 } = await this.readHealth(stop);
    if (video.size <= most || video.size > mostUploaded) {
      return askVerdict(this, "v2/checks/video", video, type, stop);
    }
    const asked = { method: "POST", headers: { "Content-Type": "application/json" } };
    const body = JSON.stringify({ bytes: video.size });
    const { id, upload } = await ask(this, "v2/uploads", { ...asked, body }, { stop, check: true });
    onProgress({ step: "sending", part: 0 });
    const place = new URL(upload.url, this.base ? `${this.base}/` : location.href);
    await send(place.href, upload.headers, video, stop);
    for (;;) {
      const uploaded = await ask(this, `v2/uploads/${encodeURIComponent(id)}`, { method: "GET" }, { stop });
      if (uploaded?.state === "done" && isVerdict(uploaded.check)) return uploaded.check;
      if (uploaded?.state === "failed") {
        const kind = nameFailure(uploaded.status, { body: uploaded, check: true });
        throw new CheckFailure(kind, { explanation: uploaded.error?.message });
      }
      onProgress({ step: "checking", part: Number(uploaded?.progress ?? 0) });
      await pause(POLL_MS, stop);
    }
  }

  /**
   * Check a video by frames taken from it.
   * @param {Frame[]} frames at least one, times rising
   * @param {AbortSignal} stop
   * @returns {Promise<Verdict>} with `tracks` and `coverage`
   * @throws {CheckFailure}
   */
  async checkFrames(frames, stop) {
    const told = await Promise.all(
      frames.map(async ({ time, image }) => ({ time, image: await encodeBase64(image) })),
    );
    return askVerdict(this, "v2/checks/frames", JSON.stringify({ frames: told }), "application/json", stop);
  }

  /**
   * Read what the model covers and where its bands lie.
   * @param {AbortSignal} [stop]
   * @returns {Promise<Model>}
   * @throws {CheckFailure}
   */
  async readModel(stop) {
    const answer = await ask(this, "v2/model", { method: "GET" }, { stop, check: true });
    if (typeof answer?.thresholds?.fake_above !== "number") throw new CheckFailure("server");
    return answer;
  }

  /**
   * Read whether the service can check, and which level of the API it has; see `fitApi`.
   * @param {AbortSignal} [stop]
   * @returns {Promise<Health>}
   * @throws {CheckFailure}
   */
  async readHealth(stop) {
    const answer = await ask(this, "v2/health", { method: "GET" }, { stop, check: true });
    if (answer?.status !== "ok" || typeof answer.model?.version !== "string") {
      throw new CheckFailure("server");
    }
    return answer;
  }

  /**
   * Delete a check from the service. One that is already gone counts as deleted.
   * @param {string} id
   * @throws {CheckFailure}
   */
  async forgetCheck(id) {
    await askAsPerson(this, `v2/checks/${encodeURIComponent(id)}`, { method: "DELETE" }, { alsoFine: [404] });
  }

  /**
   * Flag a verdict for re-check.
   * @param {FlagRequest} request
   * @returns {Promise<string>} id of the flag; whoever holds it can forget the flag
   * @throws {CheckFailure}
   */
  async flagCheck({ picture, ...told }) {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify(picture ? { ...told, picture: await encodeBase64(picture) } : told);
    const answer = await askAsPerson(this, "v2/flags", { method: "POST", headers, body });
    if (typeof answer?.id !== "string") throw new CheckFailure("server");
    return answer.id;
  }

  /**
   * Take a flag back: the service forgets it, and the picture with it. One that is already gone will do.
   * @param {string} id of the flag
   * @throws {CheckFailure}
   */
  async forgetFlag(id) {
    await askAsPerson(this, `v2/flags/${encodeURIComponent(id)}`, { method: "DELETE" }, { alsoFine: [404] });
  }

  /**
   * Have the service forget all that the person who is signed in has flagged, and the pictures with it.
   * @throws {CheckFailure}
   */
  async forgetFlags() {
    await askAsPerson(this, "v2/flags", { method: "DELETE" }, { alsoFine: [404] });
  }
}

/**
 * Say whether a service and this client understand each other.
 * @param {{api?: number}} health
 * @returns {"fits" | "too_old" | "too_new"} what the service is
 */
export function fitApi({ api }) {
  if (typeof api !== "number" || api < LEAST_API) return "too_old";
  return api > NEWEST_API ? "too_new" : "fits";
}

/**
 * Name the failure that an answer stands for.
 *
 * The service tells its own failures in a shape of its own. What an API gateway answers in its place lacks it:
 * 504 when a cold Lambda took more than 29 s, 502 when Lambda gave up first, 503 when there was none to be had.
 * The next try often finds it awake. An address that it does not know is 403 there, told apart from a wrong key
 * by its words alone.
 *
 * @param {number} status
 * @param {{body?: any, wait?: number, check?: boolean, person?: boolean}} [answer] its JSON; the seconds that it
 *   asks to wait; whether it was asked for what every service of this
 *   version has, so that a missing address tells of an older one; whether it was asked for what may need a sign-in
 * @returns {FailureKind}
 */
export function nameFailure(status, { body, wait, check = false, person = false } = {}) {
  // A gateway that stands before it refuses in words of its own.
  if (status === 401 && (person || body?.error?.code === "sign_in_required")) return "sign_in";
  const noSuchAddress = status === 403 && body?.message === "Missing Authentication Token";
  if (noSuchAddress || status === 404 || status === 405) return check ? "too_old" : "server";
  const planned = typeof body?.error?.code === "string" || wait !== undefined;
  if ((status === 502 || status === 503) && !planned) return "waking";
  /** @type {Record<number, FailureKind>} */
  const kinds = {
    400: "unreadable",
    401: "forbidden",
    403: "forbidden",
    408: "slow",
    410: "too_new",
    413: "too_large",
    415: "unsupported",
    422: "unreadable",
    429: "busy",
    503: "busy",
    504: "waking",
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
    isScore(answer) &&
    Array.isArray(answer.faces) &&
    answer.faces.every(isFace) &&
    Array.isArray(answer.reasons) &&
    answer.media?.width > 0 &&
    answer.media?.height > 0 &&
    typeof answer.media?.sha256 === "string" &&
    typeof answer.model?.version === "string" &&
    (answer.tracks === undefined || areTracks(answer.tracks, answer.faces.length)) &&
    (answer.coverage === undefined || (answer.coverage?.frames > 0 && answer.coverage.usable >= 0))
  );
}

/** @param {any} value */
function isScore(value) {
  const { verdict, fake_probability: probability } = value ?? {};
  return VERDICTS.includes(verdict) && (probability === null || typeof probability === "number");
}

/** @param {any} face of a picture, or point of a track */
function isFace(face) {
  const evidence = face?.evidence;
  return (
    isScore(face) &&
    isBox(face.box) &&
    (evidence === undefined || (isBox(evidence?.box) && Array.isArray(evidence.grid)))
  );
}

/** @param {any} box */
function isBox(box) {
  return Array.isArray(box) && box.length === 4 && box.every(Number.isFinite);
}

/**
 * @param {any} tracks
 * @param {number} count how many there must be
 */
function areTracks(tracks, count) {
  return Array.isArray(tracks) && tracks.length === count && tracks.every(isTrack);
}

/** @param {any} track */
function isTrack(track) {
  return (
    isScore(track) &&
    Array.isArray(track.reasons) &&
    Array.isArray(track.points) &&
    track.points.every(isPoint) &&
    [track.worst, track.best].every((index) => Number.isInteger(index) && track.points[index])
  );
}

/** @param {any} point */
function isPoint(point) {
  return isFace(point) && Number.isInteger(point.frame) && Number.isFinite(point.time);
}

/**
 * Ask for a verdict.
 * @param {Service} service
 * @param {string} path
 * @param {Blob | string} body
 * @param {string} type of the body
 * @param {AbortSignal} stop
 * @returns {Promise<Verdict>}
 */
async function askVerdict(service, path, body, type, stop) {
  const request = { method: "POST", body, headers: { "Content-Type": type } };
  const answer = await ask(service, path, request, { stop, check: true });
  if (isVerdict(answer)) return answer;
  const unknown = typeof answer?.verdict === "string" && !VERDICTS.includes(answer.verdict);
  throw new CheckFailure(unknown ? "too_new" : "server");
}

/**
 * Bring a file to where the service said, which may be another host.
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {Blob} file
 * @param {AbortSignal} stop
 * @returns {Promise<void>}
 */
async function send(url, headers, file, stop) {
  const patience = AbortSignal.timeout(UPLOAD_MS);
  const signal = AbortSignal.any([stop, patience]);
  try {
    const response = await fetch(url, { method: "PUT", headers, body: file, signal, redirect: "manual" });
    if (!response.ok) throw readFailure(response, parse(await response.text()));
  } catch (error) {
    if (error instanceof CheckFailure) throw error;
    if (stop.aborted) throw new CheckFailure("stopped");
    throw new CheckFailure(patience.aborted ? "slow" : "offline");
  }
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} stop
 * @returns {Promise<void>}
 */
function pause(milliseconds, stop) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    stop.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new CheckFailure("stopped"));
    });
  });
}

/**
 * Ask for what a service may do only for people that it knows. A token that it refuses is renewed once.
 * @param {Service} service
 * @param {string} path
 * @param {{method: string, body?: string, headers?: Record<string, string>}} request
 * @param {{alsoFine?: number[]}} [how]
 * @returns {Promise<any>} the JSON of the answer, null where it has none
 */
async function askAsPerson(service, path, request, how) {
  const attempt = (/** @type {string | null} */ token) => {
    const headers = token === null ? request.headers : { ...request.headers, Authorization: token };
    return ask(service, path, { ...request, headers }, { ...how, person: true });
  };
  const token = await service.readToken();
  try {
    return await attempt(token);
  } catch (error) {
    const refused = error instanceof CheckFailure && error.kind === "sign_in";
    if (!refused || token === null) throw error;
    const renewed = await service.readToken(token);
    if (renewed === null) throw error;
    return attempt(renewed);
  }
}

/**
 * Send one request; every way to fail comes out as a CheckFailure.
 * @param {Service} service
 * @param {string} path
 * @param {{method: string, body?: Blob | string, headers?: Record<string, string>}} request
 * @param {{stop?: AbortSignal, check?: boolean, person?: boolean, alsoFine?: number[]}} [how] check: asks for a
 *   verdict; person: for what may need a sign-in; alsoFine: statuses that count as success
 * @returns {Promise<any>} the JSON of the answer, null where it has none
 */
async function ask({ base, key }, path, request, how = {}) {
  const { stop, alsoFine = [] } = how;
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = stop ? AbortSignal.any([stop, patience]) : patience;
  const headers = key ? { ...request.headers, "X-Api-Key": key } : request.headers;
  try {
    const response = await fetch(base ? `${base}/${path}` : path, {
      ...request,
      headers,
      signal,
      cache: "no-store",
      // What a person agreed to send to one host must not travel on to another.
      redirect: "manual",
    });
    const body = parse(await response.text());
    if (response.ok || alsoFine.includes(response.status)) return body;
    throw readFailure(response, body, how);
  } catch (error) {
    if (error instanceof CheckFailure) throw error;
    if (stop?.aborted) throw new CheckFailure("stopped");
    throw new CheckFailure(patience.aborted ? "slow" : "offline");
  }
}

/**
 * @param {Response} response
 * @param {any} body its JSON
 * @param {{check?: boolean, person?: boolean}} [asked]
 */
function readFailure(response, body, { check, person } = {}) {
  const wait = readRetryAfter(response.headers.get("Retry-After"));
  const kind = nameFailure(response.status, { body, wait, check, person });
  const sentence = body?.error?.message;
  // A service that is too old does not know that it is.
  const told = typeof sentence === "string" && kind !== "too_old";
  return new CheckFailure(kind, { explanation: told ? sentence : undefined, retryAfter: wait });
}

/**
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
async function encodeBase64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let start = 0; start < bytes.length; start += PIECE) {
    text += btoa(String.fromCharCode(...bytes.subarray(start, start + PIECE)));
  }
  return text;
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
