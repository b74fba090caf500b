import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { checkFrames, checkPicture } from "../../extension/common/checking.js";
import { DEFAULTS } from "../../extension/common/settings.js";
import { CheckFailure, NEWEST_API } from "../../backend/chalicelib/page/service.js";
import { takeTurns } from "./locks.js";
import { keepInMemory } from "./memory_vault.js";

const HASH = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const VERDICT = { id: "c1", verdict: "no_traces", media: { sha256: HASH } };
const MODEL = { name: "student", version: "1", limits: [], thresholds: { no_traces_below: 0.3, fake_above: 0.7 } };
const PICTURE = new Blob(["abc"], { type: "image/jpeg" });

/** @type {Record<string, any>} */
let stored = {};
let services = 0;

beforeEach(() => {
  keepInMemory();
  stored = {};
  const area = {
    get: async (/** @type {string} */ key) => ({ [key]: stored[key] }),
    set: async (/** @type {object} */ items) => void Object.assign(stored, items),
  };
  Object.assign(globalThis, { chrome: { storage: { local: area } } });
  takeTurns();
});

/** A service, a history and a person, who keep count of what is asked of them. */
function makeMeans({ agrees = true, agreedHost = "", api = NEWEST_API, known = /** @type {any} */ (undefined) } = {}) {
  const calls = { sent: 0, asked: /** @type {object[]} */ ([]), added: /** @type {any[]} */ ([]) };
  // What is recalled of a service is recalled by its address.
  const backend = `https://s${(services += 1)}.example`;
  const send = async () => {
    calls.sent += 1;
    return VERDICT;
  };
  const service = {
    checkPicture: send,
    checkFrames: send,
    readHealth: async () => ({ status: "ok", flags: true, api }),
    readModel: async () => MODEL,
  };
  const means = {
    settings: { ...DEFAULTS, backend, agreedHost: agreedHost && new URL(backend).host },
    history: { find: async () => known, add: async (/** @type {any} */ entry) => calls.added.push(entry) },
    service,
    page: { url: "https://news.example/a", title: "News" },
    source: "original",
    agree: async (/** @type {object} */ notice) => {
      calls.asked.push(notice);
      return agrees;
    },
    signal: new AbortController().signal,
  };
  return { calls, service, host: new URL(backend).host, means: /** @type {any} */ (means) };
}

test("the first picture for a host is sent after the person agreed to that host, and the next without a question", async () => {
  const { calls, means, host } = makeMeans();
  const answer = await checkPicture(PICTURE, means);
  assert.deepEqual(answer, { verdict: VERDICT, credentials: null, model: MODEL, flags: true, before: null });
  assert.deepEqual(calls.asked, [{ host, bytes: 3 }]);
  assert.equal(stored.settings.agreedHost, host);
  await checkPicture(PICTURE, { ...means, settings: { ...means.settings, agreedHost: host } });
  assert.equal(calls.asked.length, 1);
  assert.equal(calls.sent, 2);
});

test("without agreement nothing is sent, nothing remembered, and the next time it is asked again", async () => {
  const { calls, means } = makeMeans({ agrees: false });
  await assert.rejects(checkPicture(PICTURE, means), { kind: "declined" });
  assert.equal(calls.sent, 0);
  assert.deepEqual(calls.added, []);
  assert.equal(stored.settings, undefined);
});

test("agreement to one host is none to another", async () => {
  const { calls, means } = makeMeans();
  await checkPicture(PICTURE, { ...means, settings: { ...means.settings, agreedHost: "other.example" } });
  assert.equal(calls.asked.length, 1);
});

test("a picture that is known is answered without sending it, unless it shall be checked again", async () => {
  const known = { verdict: VERDICT, time: "2025-03-04T05:06:07.000Z" };
  const { calls, means } = makeMeans({ known, agreedHost: "yes" });
  assert.equal((await checkPicture(PICTURE, means)).before, known.time);
  assert.equal(calls.sent, 0);
  assert.equal((await checkPicture(PICTURE, { ...means, again: true })).before, null);
  assert.equal(calls.sent, 1);
});

test("a known answer is shown even while the service is away", async () => {
  const { means, service } = makeMeans({ known: { verdict: VERDICT, time: "2025-03-04T05:06:07.000Z" } });
  service.readHealth = async () => {
    throw new CheckFailure("offline");
  };
  const answer = await checkPicture(PICTURE, means);
  assert.equal(answer.verdict, VERDICT);
  assert.equal(answer.model, null);
});

test("a check is remembered with where it stood and what was sent", async () => {
  const { calls, means } = makeMeans({ agreedHost: "yes" });
  await checkPicture(PICTURE, means);
  const [{ time, ...entry }] = calls.added;
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
  assert.deepEqual(entry, {
    id: "c1",
    sha256: HASH,
    backend: means.settings.backend,
    page: means.page,
    source: "original",
    // There is no canvas here to make one.
    thumbnail: null,
    bytes: 3,
    verdict: VERDICT,
    credentials: null,
  });
});

test("what the picture itself states is read before anything is sent, and told with new and known answers", async () => {
  const credentials = { state: "valid" };
  for (const known of [undefined, { verdict: VERDICT, time: "then" }]) {
    const { calls, means } = makeMeans({ agreedHost: "yes", known });
    const readCredentials = async (/** @type {Blob} */ picture) => {
      assert.equal(picture, PICTURE);
      assert.deepEqual([calls.asked.length, calls.sent], [0, 0]);
      return credentials;
    };
    const answer = await checkPicture(PICTURE, { ...means, readCredentials });
    assert.equal(answer.credentials, credentials);
    assert.ok(calls.added.every((entry) => entry.credentials === credentials));
  }
});

test("in a private window nothing is looked up or remembered", async () => {
  const { calls, means } = makeMeans({ agreedHost: "yes", known: { verdict: VERDICT, time: "then" } });
  const answer = await checkPicture(PICTURE, { ...means, history: null });
  assert.equal(answer.before, null);
  assert.deepEqual(calls.added, []);
});

test("a service that does not fit gets no picture", async () => {
  for (const [api, kind] of /** @type {[any, string][]} */ ([
    [undefined, "too_old"],
    [NEWEST_API + 1, "too_new"],
  ])) {
    const { calls, means, service } = makeMeans({ agreedHost: "yes" });
    service.readHealth = async () => ({ status: "ok", flags: true, api });
    await assert.rejects(checkPicture(PICTURE, means), { kind });
    assert.equal(calls.sent, 0);
  }
});

test("a failure of the service is thrown, not remembered, and asked anew the next time", async () => {
  const { calls, means, service } = makeMeans({ agreedHost: "yes" });
  const { readHealth } = service;
  service.readHealth = async () => {
    throw new CheckFailure("waking");
  };
  await assert.rejects(checkPicture(PICTURE, means), { kind: "waking" });
  assert.deepEqual(calls.added, []);
  service.readHealth = readHealth;
  await checkPicture(PICTURE, means);
  assert.equal(calls.sent, 1);
});

test("the frames of a video are sent together, and their size is told before", async () => {
  const { calls, means, host } = makeMeans();
  const frames = [0, 1, 2].map((time) => ({ time, image: PICTURE }));
  await checkFrames(frames, means);
  assert.deepEqual(calls.asked, [{ host, bytes: 9 }]);
  assert.equal(calls.sent, 1);
  assert.equal(calls.added.length, 1);
});
