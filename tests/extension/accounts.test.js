import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Accounts } from "../../extension/common/accounts.js";
import { connect, lacksSignIn } from "../../extension/common/connection.js";
import { takeTurns } from "./locks.js";

/** @typedef {import("../../extension/common/vault.js").Account} Account */

const POOL = "https://cognito-idp.eu-central-1.amazonaws.com/";
const PLACE = { endpoint: POOL, clientId: "c1" };
const EMAIL = "ada@example.org";
const HOUR_S = 3600;
const realFetch = globalThis.fetch;

/** @type {Map<string, Account>} */
let vault = new Map();
/** @type {Record<string, any>} */
let session = {};
/** @type {{url: string, action: string, headers: Record<string, string>, body: any}[]} */
let asked = [];
/** @type {(request: {url: string, action: string, headers: Record<string, string>}) => Response | Promise<Response>} */
let answer = () => Response.json({});
let now = 0;
let issued = 0;
let services = 0;
let service = "";

const makeAccounts = () =>
  new Accounts({
    vault: {
      get: async (name) => vault.get(name),
      put: async (account) => void vault.set(account.service, account),
      remove: async (name) => void vault.delete(name),
    },
    now: () => now,
  });

beforeEach(() => {
  vault = new Map();
  session = {};
  asked = [];
  answer = issueTokens;
  now = 1_000_000;
  issued = 0;
  // What is recalled of a service is recalled by its address.
  service = `https://s${(services += 1)}.example`;
  const area = {
    get: async (/** @type {string} */ name) => ({ [name]: session[name] }),
    set: async (/** @type {object} */ items) => void Object.assign(session, structuredClone(items)),
    remove: async (/** @type {string} */ name) => void delete session[name],
  };
  Object.assign(globalThis, { chrome: { storage: { session: area } } });
  takeTurns();
  globalThis.fetch = /** @type {any} */ (
    async (/** @type {string} */ url, /** @type {any} */ how) => {
      const action = how.headers?.["X-Amz-Target"]?.split(".")[1] ?? `${how.method} ${new URL(url).pathname.replace("/stage", "")}`;
      const request = { url, action, headers: how.headers ?? {}, body: how.body ? JSON.parse(how.body) : null };
      asked.push(request);
      return answer(request);
    }
  );
});

afterEach(() => {
  globalThis.fetch = realFetch;
});

/** @param {{action: string}} request */
function issueTokens({ action }) {
  if (action !== "InitiateAuth") return Response.json({});
  issued += 1;
  const tokens = { IdToken: `id-${issued}`, AccessToken: `access-${issued}`, ExpiresIn: HOUR_S };
  return Response.json({ AuthenticationResult: issued === 1 ? { ...tokens, RefreshToken: "refresh" } : tokens });
}

const actions = () => asked.map(({ action }) => action);

/** @param {string} [wanted] code of the service's refusal; none lets everything through */
function serveWith(wanted) {
  answer = (request) => {
    const { action } = request;
    if (action === "GET /v2/health") {
      const sign_in = { endpoint: POOL, client_id: "c1" };
      return Response.json({ status: "ok", api: 2, model: { version: "1" }, flags: true, sign_in });
    }
    if (action === "GET /v2/model") return Response.json({ thresholds: { fake_above: 0.5 } });
    if (!action.includes("/v2/")) return issueTokens(request);
    if (request.headers.Authorization === wanted || wanted === undefined) return Response.json({ id: "f1" });
    return Response.json({ error: { code: "sign_in_required", message: "Sign in." } }, { status: 401 });
  };
}

test("who signed in is remembered, and the token is at hand without asking again", async () => {
  const accounts = makeAccounts();
  assert.equal(await accounts.find(service), null);
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  assert.deepEqual(await accounts.find(service), { service, ...PLACE, email: EMAIL });
  assert.equal((await accounts.readPass(service))?.id, "id-1");
  assert.deepEqual(actions(), ["InitiateAuth"]);
});

test("the password is kept nowhere, and what brings new tokens only in the vault", async () => {
  await makeAccounts().signIn(service, PLACE, EMAIL, "secret");
  const kept = JSON.stringify([[...vault.values()], session]);
  assert.ok(!kept.includes("secret"));
  assert.equal(vault.get(service)?.refresh, "refresh");
  assert.ok(!JSON.stringify(session).includes("refresh"));
});

test("a token is renewed before it runs out, and after the browser forgot it", async () => {
  const accounts = makeAccounts();
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  now += (HOUR_S - 120) * 1000;
  assert.equal((await accounts.readPass(service))?.id, "id-1");
  now += 90 * 1000;
  assert.equal((await accounts.readPass(service))?.id, "id-2");
  session = {};
  assert.equal((await makeAccounts().readPass(service))?.id, "id-3");
  assert.deepEqual(asked.at(-1)?.body.AuthParameters, { REFRESH_TOKEN: "refresh" });
});

test("whoever wants a token at the same time waits for one renewal", async () => {
  const accounts = makeAccounts();
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  now += HOUR_S * 1000;
  const passes = await Promise.all([accounts, makeAccounts(), accounts].map((one) => one.readPass(service)));
  assert.deepEqual(passes.map((pass) => pass?.id), ["id-2", "id-2", "id-2"]);
  const refused = await Promise.all([accounts, makeAccounts()].map((one) => one.readPass(service, "id-2")));
  assert.deepEqual(refused.map((pass) => pass?.id), ["id-3", "id-3"]);
  assert.equal(issued, 3);
});

test("a token of one service is never shown to another", async () => {
  const accounts = makeAccounts();
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  for (const other of ["https://other.example", `${service}/stage`, service.replace("https", "http")]) {
    assert.equal(await accounts.readPass(other), null);
    serveWith();
    await assert.rejects(connect({ backend: other, key: "" }, accounts).flagCheck({ check_id: "c1" }), {
      kind: "sign_in",
    });
  }
  assert.ok(asked.every(({ headers }) => !("Authorization" in headers)));
  // Where it is renewed is what it was got from, whatever the service says by then.
  now += HOUR_S * 1000;
  await accounts.readPass(service);
  assert.equal(asked.at(-1)?.url, POOL);
});

test("signing out forgets everything, even offline, and revokes what it can", async () => {
  const accounts = makeAccounts();
  for (const online of [true, false]) {
    issued = 0;
    answer = issueTokens;
    await accounts.signIn(service, PLACE, EMAIL, "secret");
    if (!online) answer = () => Promise.reject(new TypeError("Failed to fetch"));
    await accounts.signOut(service);
    assert.deepEqual([vault.size, session], [0, {}]);
    assert.deepEqual([asked.at(-1)?.action, asked.at(-1)?.body.Token], ["RevokeToken", "refresh"]);
    assert.equal(await accounts.readPass(service), null);
  }
});

test("signing out while a token is being renewed leaves none behind", async () => {
  const accounts = makeAccounts();
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  now += HOUR_S * 1000;
  await Promise.all([accounts.readPass(service), accounts.signOut(service)]);
  assert.deepEqual([vault.size, session], [0, {}]);
});

test("what brings new tokens no longer is forgotten; what could not be asked is not", async () => {
  const accounts = makeAccounts();
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  now += HOUR_S * 1000;
  answer = () => Promise.reject(new TypeError("Failed to fetch"));
  await assert.rejects(accounts.readPass(service), { kind: "offline" });
  assert.equal(vault.size, 1);
  answer = () => Response.json({ __type: "NotAuthorizedException", message: "Revoked" }, { status: 400 });
  assert.equal(await accounts.readPass(service), null);
  assert.deepEqual([vault.size, session], [0, {}]);
});

test("an account is deleted where it is and forgotten here, or neither", async () => {
  const accounts = makeAccounts();
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  answer = () => new Response("", { status: 500 });
  await assert.rejects(accounts.deleteAccount(service), { kind: "server" });
  assert.equal(vault.size, 1);
  answer = issueTokens;
  await accounts.deleteAccount(service);
  assert.deepEqual(asked.at(-1)?.body, { AccessToken: "access-1" });
  assert.deepEqual([vault.size, session], [0, {}]);
  await assert.rejects(accounts.deleteAccount(service), { kind: "signed_out" });
});

test("an account that is gone counts as deleted, and one that was closed to this browser as left", async () => {
  const accounts = makeAccounts();
  for (const [type, kind] of [
    ["UserNotFoundException", null],
    ["NotAuthorizedException", "signed_out"],
  ]) {
    issued = 0;
    answer = issueTokens;
    await accounts.signIn(service, PLACE, EMAIL, "secret");
    answer = () => Response.json({ __type: type, message: "" }, { status: 400 });
    const deleted = accounts.deleteAccount(service);
    if (kind) await assert.rejects(deleted, { kind });
    else await deleted;
    assert.deepEqual([vault.size, session], [0, {}]);
  }
});

test("a flag carries the token as it is, and a check carries none", async () => {
  const accounts = makeAccounts();
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  serveWith("id-1");
  const connected = connect({ backend: service, key: "k1" }, accounts);
  assert.equal(await connected.flagCheck({ check_id: "c1" }), "f1");
  await connected.forgetFlag("f1");
  await connected.forgetCheck("c1");
  const [, ...told] = asked.map(({ headers }) => [headers.Authorization, headers["X-Api-Key"]]);
  assert.deepEqual(told, Array(3).fill(["id-1", "k1"]));
  const picture = new Blob(["x"], { type: "image/png" });
  globalThis.fetch = /** @type {any} */ (
    async (/** @type {string} */ _, /** @type {any} */ { headers }) => {
      assert.ok(!("Authorization" in headers));
      return Response.json({}, { status: 503 });
    }
  );
  await assert.rejects(connected.checkPicture(picture, new AbortController().signal));
});

test("a token that the service refuses is renewed once, and the request sent once more", async () => {
  const accounts = makeAccounts();
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  serveWith("id-2");
  assert.equal(await connect({ backend: service, key: "" }, accounts).flagCheck({ check_id: "c1" }), "f1");
  const flags = () => asked.filter(({ action }) => action === "POST /v2/flags");
  assert.deepEqual(flags().map(({ headers }) => headers.Authorization), ["id-1", "id-2"]);
  serveWith("never");
  const [before, sent] = [issued, flags().length];
  await assert.rejects(connect({ backend: service, key: "" }, accounts).flagCheck({ check_id: "c1" }), {
    kind: "sign_in",
  });
  assert.deepEqual([issued - before, flags().length - sent], [1, 2]);
});

test("where nobody is signed in nothing is sent in vain, and the form knows beforehand", async () => {
  const accounts = makeAccounts();
  serveWith("id-1");
  const address = { backend: service, key: "" };
  assert.equal(await lacksSignIn(address, accounts), true);
  await assert.rejects(connect(address, accounts).flagCheck({ check_id: "c1" }), { kind: "sign_in" });
  assert.ok(!actions().includes("POST /v2/flags"));
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  assert.equal(await lacksSignIn(address, accounts), false);
});

test("a service that wants no sign-in, or does not say, is asked as ever", async () => {
  const accounts = makeAccounts();
  const address = { backend: service, key: "" };
  answer = ({ action }) =>
    action === "POST /v2/flags" ? Response.json({ id: "f1" }) : Promise.reject(new TypeError("Failed to fetch"));
  assert.equal(await lacksSignIn(address, accounts), false);
  assert.equal(await connect(address, accounts).flagCheck({ check_id: "c1" }), "f1");
  assert.ok(!("Authorization" in (asked.at(-1)?.headers ?? {})));
});

test("a token that cannot be renewed for want of a connection says so", async () => {
  const accounts = makeAccounts();
  await accounts.signIn(service, PLACE, EMAIL, "secret");
  now += HOUR_S * 1000;
  answer = () => Promise.reject(new TypeError("Failed to fetch"));
  await assert.rejects(connect({ backend: service, key: "" }, accounts).flagCheck({ check_id: "c1" }), {
    kind: "offline",
  });
});
