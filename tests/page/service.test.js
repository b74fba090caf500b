import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import {
  CheckFailure,
  checkPicture,
  forgetCheck,
  isVerdict,
  nameFailure,
  readModel,
  readRetryAfter,
} from "../../backend/chalicelib/page/service.js";
import { english } from "../../backend/chalicelib/page/strings.js";

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
const PICTURE = new Blob(["bytes"], { type: "image/png" });
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

test("each status has its own failure, and each failure its own words", () => {
  /** @type {[number, string][]} */
  const table = [
    [400, "unreadable"],
    [408, "slow"],
    [413, "too_large"],
    [415, "unsupported"],
    [422, "unreadable"],
    [429, "busy"],
    [503, "busy"],
    [504, "slow"],
    [500, "server"],
    [502, "server"],
    [404, "server"],
    [403, "server"],
  ];
  for (const [status, kind] of table) {
    assert.equal(nameFailure(status), kind, `${status}`);
    assert.ok(kind in english.page.failures, kind);
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
  assert.ok(isVerdict(VERDICT));
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
  ];
  for (const answer of table) assert.ok(!isVerdict(answer), JSON.stringify(answer));
});

test("the bytes are sent as they are, under their own type", async () => {
  const asked = answerWith(() => Response.json(VERDICT));
  assert.deepEqual(await checkPicture(PICTURE, new AbortController().signal), VERDICT);
  await checkPicture(new Blob(["bytes"]), new AbortController().signal);
  assert.equal(asked[0].body, PICTURE);
  assert.deepEqual(
    asked.map(({ headers }) => headers),
    [{ "Content-Type": "image/png" }, { "Content-Type": "application/octet-stream" }],
  );
});

test("a film or a document is not even sent", async () => {
  const asked = answerWith(() => Response.json(VERDICT));
  for (const type of ["video/mp4", "application/pdf", "text/plain"]) {
    assert.equal(
      (await failureOf(checkPicture(new Blob([], { type }), new AbortController().signal))).kind,
      "unsupported",
    );
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
    assert.equal((await failureOf(checkPicture(PICTURE, new AbortController().signal))).kind, kind, what);
  }
});

test("a failure brings the service's own sentence and the wait it asks for", async () => {
  answerWith(() =>
    Response.json(
      { error: { code: "busy", message: "Come back." } },
      { status: 503, headers: { "Retry-After": "7" } },
    ),
  );
  const failure = await failureOf(checkPicture(PICTURE, new AbortController().signal));
  assert.deepEqual([failure.kind, failure.explanation, failure.retryAfter], ["busy", "Come back.", 7]);
});

test("a check that a person stopped says so", async () => {
  const stop = new AbortController();
  stop.abort();
  answerWith(() => Promise.reject(new DOMException("", "AbortError")));
  assert.equal((await failureOf(checkPicture(PICTURE, stop.signal))).kind, "stopped");
});

test("a check that is already gone counts as forgotten, and its id cannot climb out of the path", async () => {
  const asked = answerWith(() =>
    Response.json({ error: { code: "not_found", message: "" } }, { status: 404 }),
  );
  await forgetCheck("../model?x");
  assert.deepEqual(
    asked.map(({ method }) => method),
    ["DELETE"],
  );
  assert.equal(/** @type {any} */ (asked[0]).path, "v1/checks/..%2Fmodel%3Fx");
  answerWith(() => new Response(null, { status: 500 }));
  assert.equal((await failureOf(forgetCheck("c1"))).kind, "server");
});

test("a model without thresholds is a failure", async () => {
  answerWith(() => Response.json({ name: "student" }));
  assert.equal((await failureOf(readModel())).kind, "server");
});
