import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import {
  CheckFailure,
  LEAST_API,
  NEWEST_API,
  Service,
  fitApi,
  isVerdict,
  nameFailure,
  readRetryAfter,
} from "../../backend/chalicelib/page/service.js";

const VERDICT = {
  id: "c1",
  verdict: "no_face",
  fake_probability: null,
  reasons: [],
  faces: [],
  media: { sha256: "00", width: 8, height: 8, format: "png" },
  model: { name: "student", version: "1" },
  checked_at: "2025-03-04T05:06:07Z",
  cached: false,
};
const FACE = {
  box: [1, 2, 3, 4],
  fake_probability: 0.4,
  verdict: "uncertain",
  evidence: { grid: [[0.1]], box: [0, 0, 8, 8] },
};
const TRACK = {
  fake_probability: 0.4,
  verdict: "uncertain",
  reasons: ["too_few_frames"],
  worst: 1,
  best: 0,
  points: [0, 2].map((frame) => ({ ...FACE, frame, time: frame / 2 })),
};
const VIDEO = {
  ...VERDICT,
  verdict: "uncertain",
  fake_probability: 0.4,
  reasons: ["too_few_frames"],
  faces: [{ ...FACE, detection_confidence: 0.99 }],
  tracks: [TRACK],
  coverage: { frames: 3, usable: 2 },
  media: { ...VERDICT.media, kind: "video", format: "frames", frames: 3 },
};
const HEALTH = { status: "ok", api: 1, model: { name: "student", version: "1" }, flags: false };
const PICTURE = new Blob(["bytes"], { type: "image/png" });
const service = new Service();
const go = new AbortController().signal;
const realFetch = globalThis.fetch;

afterEach(() => {
  globalThis.fetch = realFetch;
});

/** @param {() => Response | Promise<Response>} answer @returns {Request[]} what was asked */
function answerWith(answer) {
  /** @type {any[]} */
  const asked = [];
  globalThis.fetch = async (path, request) => {
    asked.push({ path, ...request });
    return answer();
  };
  return asked;
}

/** @param {Promise<unknown>} promise @returns {Promise<CheckFailure>} */
async function failureOf(promise) {
  const error = await promise.then(
    () => assert.fail("it succeeded"),
    (/** @type {unknown} */ reason) => reason,
  );
  assert.ok(error instanceof CheckFailure, String(error));
  return error;
}

test("each status has its own failure", () => {
  const ours = { error: { code: "some_code", message: "Some sentence." } };
  const gateway = { message: "Service Unavailable" };
  const unknown = { message: "Missing Authentication Token" };
  /** @type {[number, Parameters<typeof nameFailure>[1], string][]} */
  const table = [
    [400, { body: ours }, "unreadable"],
    [401, {}, "forbidden"],
    [403, { body: { message: "Forbidden" } }, "forbidden"],
    [403, { body: unknown }, "server"],
    [403, { body: unknown, check: true }, "too_old"],
    [404, { body: ours }, "server"],
    [404, { body: ours, check: true }, "too_old"],
    [405, { body: ours, check: true }, "too_old"],
    [408, {}, "slow"],
    [410, {}, "too_new"],
    [413, { body: ours }, "too_large"],
    [415, { body: ours }, "unsupported"],
    [422, { body: ours }, "unreadable"],
    [429, { body: { message: "Limit Exceeded" } }, "busy"],
    [500, { body: ours }, "server"],
    [502, { body: { message: "Internal server error" } }, "waking"],
    [502, { body: ours }, "server"],
    [503, { body: gateway }, "waking"],
    [503, { body: null }, "waking"],
    [503, { body: gateway, wait: 7 }, "busy"],
    [503, { body: ours }, "busy"],
    [504, { body: { message: "Endpoint request timed out" } }, "waking"],
    [0, {}, "server"],
    [302, {}, "server"],
  ];
  for (const [status, answer, kind] of table) {
    assert.equal(nameFailure(status, answer), kind, `${status} ${JSON.stringify(answer)}`);
  }
});

test("a wait is read from whole seconds only", () => {
  /** @type {[string | null, number | undefined][]} */
  const table = [
    ["7", 7],
    ["0.2", 1],
    ["0", undefined],
    ["-3", undefined],
    [null, undefined],
    ["soon", undefined],
  ];
  for (const [header, seconds] of table) assert.equal(readRetryAfter(header), seconds, `${header}`);
});

test("only an answer in the shape of a verdict is one", () => {
  const still = { ...VIDEO, tracks: undefined, coverage: undefined };
  for (const answer of [VERDICT, VIDEO, still, { ...VERDICT, tracks: [], coverage: { frames: 2, usable: 0 } }]) {
    assert.ok(isVerdict(answer), JSON.stringify(answer));
  }
  /** @param {object} changes */
  const track = (changes) => ({ ...VIDEO, tracks: [{ ...TRACK, ...changes }] });
  /** @param {object} changes */
  const face = (changes) => ({ ...still, faces: [{ ...FACE, ...changes }] });
  const table = [
    null,
    "likely_fake",
    [],
    {},
    { ...VERDICT, verdict: "sure" },
    { ...VERDICT, faces: null },
    { ...VERDICT, fake_probability: "1" },
    { ...VERDICT, media: { ...VERDICT.media, width: 0 } },
    { ...VERDICT, model: undefined },
    face({ verdict: "sure" }),
    face({ box: [1, 2, 3] }),
    face({ box: [1, 2, 3, "4"] }),
    face({ fake_probability: undefined }),
    face({ evidence: null }),
    face({ evidence: { grid: 1, box: FACE.box } }),
    { ...VIDEO, tracks: [] },
    { ...VIDEO, tracks: [null] },
    { ...VIDEO, coverage: null },
    { ...VIDEO, coverage: { frames: 0, usable: 0 } },
    track({ verdict: "sure" }),
    track({ reasons: undefined }),
    track({ points: [] }),
    track({ points: [FACE] }),
    track({ worst: 2 }),
    track({ worst: -1 }),
    track({ best: "length" }),
    track({ best: undefined }),
  ];
  for (const answer of table) assert.ok(!isVerdict(answer), JSON.stringify(answer));
});

test("the bytes are sent as they are, under their own type", async () => {
  const asked = answerWith(() => Response.json(VERDICT));
  assert.deepEqual(await service.checkPicture(PICTURE, go), VERDICT);
  await service.checkPicture(new Blob(["bytes"]), go);
  assert.equal(asked[0].body, PICTURE);
  assert.deepEqual(
    asked.map(({ headers }) => headers),
    [{ "Content-Type": "image/png" }, { "Content-Type": "application/octet-stream" }],
  );
});

test("frames are sent in base64 with their times", async () => {
  const asked = answerWith(() => Response.json(VIDEO));
  // Longer than the pieces in which it is put together, and of a length that is no multiple of three.
  const long = new Uint8Array(100_000).map((_, index) => (index * 31) % 256);
  const frames = [
    { time: 0, image: new Blob([long], { type: "image/jpeg" }) },
    { time: 0.25, image: new Blob([]) },
  ];
  assert.deepEqual(await service.checkFrames(frames, go), VIDEO);
  const { path, method, headers, body } = /** @type {any} */ (asked[0]);
  assert.deepEqual(
    [path, method, headers],
    ["v2/checks/frames", "POST", { "Content-Type": "application/json" }],
  );
  const sent = JSON.parse(body);
  assert.deepEqual(sent, {
    frames: [
      { time: 0, image: Buffer.from(long).toString("base64") },
      { time: 0.25, image: "" },
    ],
  });
});

test("a service elsewhere is asked by its whole address, and is shown the key", async () => {
  const asked = answerWith(() => Response.json({ ...HEALTH, id: "f1" }));
  await new Service({ base: "https://api.test/stage", key: "k1" }).readHealth();
  await new Service({ base: "http://127.0.0.1:8000" }).flagCheck({ check_id: "c1" });
  await service.readHealth();
  assert.deepEqual(
    asked.map((/** @type {any} */ { path, headers }) => [path, headers]),
    [
      ["https://api.test/stage/v2/health", { "X-Api-Key": "k1" }],
      ["http://127.0.0.1:8000/v2/flags", { "Content-Type": "application/json" }],
      ["v2/health", undefined],
    ],
  );
  assert.equal(asked[1].body, '{"check_id":"c1"}');
});

test("a flag carries what it is given, the picture byte for byte, and is known by its id", async () => {
  const asked = answerWith(() => Response.json({ id: "f1", state: "waiting" }));
  const told = { check_id: "c1", url: "https://cdn.example/a.jpg", note: "odd ear", keep: true };
  const bytes = Buffer.from([0xff, 0xd8, 0, 1]);
  assert.equal(await service.flagCheck({ ...told, picture: new Blob([bytes]) }), "f1");
  assert.deepEqual(JSON.parse(String(asked[0].body)), { ...told, picture: bytes.toString("base64") });
});

test("a flag without an id could not be taken back, and so is none", async () => {
  answerWith(() => Response.json({}));
  await assert.rejects(service.flagCheck({ check_id: "c1" }), { kind: "server" });
});

test("a flag is taken back, and one that is gone already counts as that", async () => {
  for (const status of [204, 404]) {
    const asked = answerWith(() => new Response(null, { status }));
    await service.forgetFlag("f/1");
    const [{ method, path }] = /** @type {any[]} */ (asked);
    assert.deepEqual([method, path], ["DELETE", "v2/flags/f%2F1"]);
  }
  answerWith(() => new Response(null, { status: 500 }));
  await assert.rejects(service.forgetFlag("f1"), { kind: "server" });
});

test("the key goes beside the type of a picture", async () => {
  const asked = answerWith(() => Response.json(VERDICT));
  await new Service({ key: "k1" }).checkPicture(PICTURE, go);
  assert.deepEqual(asked[0].headers, { "Content-Type": "image/png", "X-Api-Key": "k1" });
});

test("what was sent to one host does not travel on to another", async () => {
  const asked = answerWith(() => Response.redirect("https://elsewhere.test/", 307));
  assert.equal((await failureOf(service.checkPicture(PICTURE, go))).kind, "server");
  assert.deepEqual(
    asked.map(({ redirect }) => redirect),
    ["manual"],
  );
});

test("a service fits when its level of the API is known here", async () => {
  /** @type {[number | undefined, string][]} */
  const table = [
    [undefined, "too_old"],
    [LEAST_API - 1, "too_old"],
    [LEAST_API, "fits"],
    [NEWEST_API, "fits"],
    [NEWEST_API + 1, "too_new"],
  ];
  for (const [api, fit] of table) {
    answerWith(() => Response.json({ ...HEALTH, api }));
    assert.equal(fitApi(await service.readHealth()), fit, `${api}`);
  }
});

test("something else that answers at the address is no service", async () => {
  for (const answer of [{ status: "ok" }, { ...HEALTH, status: "up" }, [], null]) {
    answerWith(() => Response.json(answer));
    assert.equal((await failureOf(service.readHealth())).kind, "server", JSON.stringify(answer));
  }
});

test("a verdict of a kind that is not known here comes from a newer service", async () => {
  answerWith(() => Response.json({ ...VERDICT, verdict: "likely_cartoon" }));
  assert.equal((await failureOf(service.checkPicture(PICTURE, go))).kind, "too_new");
});

test("a service that does not know of clips is too old, whatever it says", async () => {
  const body = { error: { code: "method_not_allowed", message: "This address does not take that method." } };
  answerWith(() => Response.json(body, { status: 405 }));
  const failure = await failureOf(service.checkFrames([{ time: 0, image: PICTURE }], go));
  assert.deepEqual([failure.kind, failure.explanation], ["too_old", undefined]);
});

test("a service that has no version 2 must be updated, and that is never a verdict", async () => {
  const ours = { error: { code: "not_found", message: "There is nothing at this address." } };
  const gateway = { message: "Missing Authentication Token" };
  for (const answer of [Response.json(ours, { status: 404 }), Response.json(gateway, { status: 403 })]) {
    answerWith(() => answer.clone());
    for (const ask of [
      () => service.readHealth(go),
      () => service.readModel(go),
      () => service.checkPicture(PICTURE, go),
      () => service.checkVideo(PICTURE, go),
    ]) {
      assert.equal((await failureOf(ask())).kind, "too_old");
    }
  }
});

test("a film or a document is not even sent", async () => {
  const asked = answerWith(() => Response.json(VERDICT));
  for (const type of ["video/mp4", "application/pdf", "text/plain"]) {
    const failure = await failureOf(service.checkPicture(new Blob([], { type }), go));
    assert.equal(failure.kind, "unsupported");
  }
  assert.equal(asked.length, 0);
});

test("a failure is never a verdict", async () => {
  /** @type {[string, () => Response | Promise<Response>, string][]} */
  const table = [
    ["a page of a proxy", () => new Response("<h1>Sign in</h1>"), "server"],
    ["an empty answer", () => new Response(null, { status: 204 }), "server"],
    ["a verdict under an error's status", () => Response.json(VERDICT, { status: 500 }), "server"],
    ["no network", () => Promise.reject(new TypeError("Failed to fetch")), "offline"],
    ["a gateway's error", () => Response.json({ message: "Limit Exceeded" }, { status: 429 }), "busy"],
  ];
  for (const [what, answer, kind] of table) {
    answerWith(answer);
    assert.equal((await failureOf(service.checkPicture(PICTURE, go))).kind, kind, what);
  }
});

test("a failure brings the service's own sentence and the wait it asks for", async () => {
  answerWith(() =>
    Response.json(
      { error: { code: "busy", message: "Come back." } },
      { status: 503, headers: { "Retry-After": "7" } },
    ),
  );
  const failure = await failureOf(service.checkPicture(PICTURE, go));
  assert.deepEqual([failure.kind, failure.explanation, failure.retryAfter], ["busy", "Come back.", 7]);
});

test("a check that a person stopped says so", async () => {
  const stop = new AbortController();
  stop.abort();
  answerWith(() => Promise.reject(new DOMException("", "AbortError")));
  assert.equal((await failureOf(service.checkPicture(PICTURE, stop.signal))).kind, "stopped");
});

test("a check that is already gone counts as forgotten, and its id cannot climb out of the path", async () => {
  const asked = answerWith(() =>
    Response.json({ error: { code: "not_found", message: "" } }, { status: 404 }),
  );
  await service.forgetCheck("../model?x");
  assert.deepEqual(
    asked.map(({ method }) => method),
    ["DELETE"],
  );
  assert.equal(/** @type {any} */ (asked[0]).path, "v2/checks/..%2Fmodel%3Fx");
  answerWith(() => new Response(null, { status: 500 }));
  assert.equal((await failureOf(service.forgetCheck("c1"))).kind, "server");
});

test("a model without thresholds is a failure", async () => {
  answerWith(() => Response.json({ name: "student" }));
  assert.equal((await failureOf(service.readModel())).kind, "server");
});

/**
 * Answer by address; what is asked for more than once gets the next answer each time.
 * @param {Record<string, any[]>} answers
 */
function answerBy(answers) {
  /** @type {any[]} */
  const asked = [];
  globalThis.fetch = async (path, request) => {
    asked.push({ path: String(path), ...request });
    const [answer, ...more] = answers[String(path)];
    if (more.length > 0) answers[String(path)] = more;
    return answer === null ? new Response(null, { status: 204 }) : Response.json(answer);
  };
  return asked;
}

const CLIP = new Blob(["a clip"], { type: "video/mp4" });
const BASE = "http://unmask.test";

test("a video that fits one request is sent as it is", async () => {
  for (const [blob, type] of [
    [CLIP, "video/mp4"],
    [new Blob(["a clip"], { type: "video/x-odd" }), "application/octet-stream"],
    [new Blob(["a clip"]), "application/octet-stream"],
  ]) {
    const asked = answerBy({
      [`${BASE}/v2/health`]: [{ ...HEALTH, video_bytes: 6, upload_bytes: 10 }],
      [`${BASE}/v2/checks/video`]: [VIDEO],
    });
    assert.deepEqual(await new Service({ base: BASE }).checkVideo(/** @type {Blob} */ (blob), go), VIDEO);
    assert.equal(asked[1].body, blob);
    assert.equal(asked[1].headers["Content-Type"], type);
  }
});

test("a larger video is uploaded and asked after until it is done", async () => {
  const waiting = { id: "u1", state: "checking", progress: 0.5 };
  const asked = answerBy({
    [`${BASE}/v2/health`]: [{ ...HEALTH, video_bytes: 5, upload_bytes: 10 }],
    [`${BASE}/v2/uploads`]: [{ id: "u1", upload: { method: "PUT", url: "/v2/uploads/u1/clip", headers: {} }, seconds: 9 }],
    [`${BASE}/v2/uploads/u1/clip`]: [null],
    [`${BASE}/v2/uploads/u1`]: [waiting, { ...waiting, state: "done", progress: 1, check: VIDEO }],
  });
  /** @type {any[]} */
  const told = [];
  const verdict = await new Service({ base: BASE }).checkVideo(CLIP, go, (progress) => told.push(progress));
  assert.deepEqual(verdict, VIDEO);
  assert.deepEqual(told, [
    { step: "sending", part: 0 },
    { step: "checking", part: 0.5 },
  ]);
  assert.equal(asked[1].body, JSON.stringify({ bytes: CLIP.size }));
  assert.deepEqual([asked[2].method, asked[2].body], ["PUT", CLIP]);
});

test("an upload that failed is a failure of its own kind, with its sentence", async () => {
  answerBy({
    [`${BASE}/v2/health`]: [{ ...HEALTH, video_bytes: 5, upload_bytes: 10 }],
    [`${BASE}/v2/uploads`]: [{ id: "u1", upload: { method: "PUT", url: "https://bucket.test/x", headers: {} }, seconds: 9 }],
    "https://bucket.test/x": [null],
    [`${BASE}/v2/uploads/u1`]: [
      { id: "u1", state: "failed", progress: 0, status: 422, error: { code: "video_audio_only", message: "Sound only." } },
    ],
  });
  await assert.rejects(new Service({ base: BASE }).checkVideo(CLIP, go), (/** @type {CheckFailure} */ failure) => {
    assert.deepEqual([failure.kind, failure.explanation], ["unreadable", "Sound only."]);
    return true;
  });
});

test("what only a service's people may do carries their token, and everything else does not", async () => {
  const asked = answerWith(() => Response.json({ ...HEALTH, id: "f1" }));
  const known = new Service({ key: "k1", readToken: async () => "jwt" });
  await known.flagCheck({ check_id: "c1" });
  await known.forgetFlag("f1");
  await known.forgetCheck("c1");
  await known.readHealth();
  const told = asked.map((/** @type {any} */ { headers }) => [headers.Authorization, headers["X-Api-Key"]]);
  assert.deepEqual(told, [...Array(3).fill(["jwt", "k1"]), [undefined, "k1"]]);
});

test("a refused token is exchanged once, and without another one the refusal stands", async () => {
  /** @type {[(string | null)[], number, "sign_in" | null][]} what is at hand; requests; what comes of it */
  const table = [
    [["old", "new"], 2, null],
    [["old", "older"], 2, "sign_in"],
    [["old", null], 1, "sign_in"],
    [[null], 1, "sign_in"],
  ];
  for (const [tokens, requests, kind] of table) {
    /** @type {(string | undefined)[]} */
    const refused = [];
    const asked = answerWith(() => {
      const { headers } = /** @type {any} */ (asked.at(-1));
      if (headers.Authorization === "new") return Response.json({ id: "f1" });
      return Response.json({ message: "Unauthorized" }, { status: 401 });
    });
    const readToken = async (/** @type {string | undefined} */ token) => {
      refused.push(token);
      return tokens[refused.length - 1];
    };
    const flagged = new Service({ readToken }).flagCheck({ check_id: "c1" });
    if (kind) assert.equal((await failureOf(flagged)).kind, kind);
    else assert.equal(await flagged, "f1");
    assert.equal(asked.length, requests);
    assert.deepEqual(refused, [undefined, "old"].slice(0, tokens.length));
  }
});

test("a refusal of another kind is no reason for another token", async () => {
  const asked = answerWith(() => new Response(null, { status: 403 }));
  const known = new Service({ readToken: async () => "jwt" });
  assert.equal((await failureOf(known.flagCheck({ check_id: "c1" }))).kind, "forbidden");
  assert.equal(asked.length, 1);
});

test("401 asks for a sign-in where there can be one, and else for a key", () => {
  const body = { error: { code: "sign_in_required", message: "Sign in." } };
  assert.equal(nameFailure(401, { body }), "sign_in");
  assert.equal(nameFailure(401, { body: { message: "Unauthorized" }, person: true }), "sign_in");
  assert.equal(nameFailure(401, { check: true }), "forbidden");
});
