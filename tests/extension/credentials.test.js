import assert from "node:assert/strict";
import { test } from "node:test";

import { readCredentials } from "../../extension/credentials/reading.js";
import { clean, readStatement } from "../../extension/credentials/statement.js";
import { readInThread } from "../../extension/credentials/threads.js";

const IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/";
const GOOD = ["claimSignature.validated", "signingCredential.trusted", "assertion.dataHash.match"];

/** @param {string[]} success @param {string[]} failure */
const results = (success, failure) => ({
  activeManifest: { success: success.map((code) => ({ code })), failure: failure.map((code) => ({ code })) },
});

/** @param {any} [manifest] @param {any} [validation] */
const store = (manifest = {}, validation = results(GOOD, [])) => ({
  active_manifest: "urn:1",
  manifests: { "urn:1": { signature_info: { common_name: "News" }, ...manifest } },
  validation_results: validation,
});

/** @param {any[]} actions */
const withActions = (...actions) => store({ assertions: [{ label: "c2pa.actions.v2", data: { actions } }] });

test("a signature is what validation found it to be, and never better", () => {
  /** @type {[string[], string[], string][]} */
  const table = [
    [GOOD, [], "valid"],
    [GOOD.slice(0, 1), ["signingCredential.untrusted"], "untrusted"],
    [GOOD.slice(0, 1), [], "untrusted"],
    [GOOD, ["assertion.dataHash.mismatch"], "changed"],
    [GOOD, ["signingCredential.untrusted", "assertion.hashedURI.mismatch"], "changed"],
    [[], ["claimSignature.mismatch"], "changed"],
    [GOOD, ["signingCredential.untrusted", "signingCredential.expired"], "expired"],
    [GOOD, ["claimSignature.outsideValidity"], "expired"],
    [GOOD, ["signingCredential.ocsp.revoked"], "invalid"],
    [GOOD, ["something.new"], "invalid"],
    [[], [], "invalid"],
    [["signingCredential.trusted"], [], "invalid"],
  ];
  for (const [success, failure, state] of table) {
    assert.equal(readStatement(store({}, results(success, failure))).state, state, String(failure));
  }
});

test("what is no store of manifests is unreadable, and a broken part of one is left out", () => {
  for (const broken of [null, 7, "x", [], {}, { manifests: {}, active_manifest: "toString" }, { manifests: [] }]) {
    assert.equal(readStatement(broken).state, "unreadable");
  }
  const odd = store({
    signature_info: 7,
    claim_generator_info: "x",
    assertions: [null, { label: "c2pa.actions", data: { actions: [null, 7, { action: {} }] } }, { label: 7 }],
    ingredients: [null, 7, { title: {} }],
  });
  const said = readStatement(odd);
  assert.equal(said.signer, null);
  assert.deepEqual(said.actions, [{ action: "other", source: null, tool: null }]);
  assert.deepEqual(said.ingredients, [{ title: "", state: "none" }]);
  assert.equal(readStatement(JSON.parse('{"manifests": {"__proto__": {}}, "active_manifest": "__proto__"}')).state, "invalid");
});

test("the chain is told in steps that there are words for, with the tools that took them", () => {
  const { actions, declares } = readStatement(
    withActions(
      { action: "c2pa.created", digitalSourceType: `${IPTC}digitalCapture` },
      { action: "c2pa.edited.metadata", softwareAgent: "Tagger" },
      { action: "c2pa.edited", digitalSourceType: `${IPTC}trainedAlgorithmicMedia`, softwareAgent: { name: "M", version: "2" } },
      { action: "com.example.magic", digitalSourceType: `${IPTC}nonsense` },
    ),
  );
  assert.deepEqual(actions, [
    { action: "created", source: "digitalCapture", tool: null },
    { action: "edited_metadata", source: null, tool: "Tagger" },
    { action: "edited", source: "trainedAlgorithmicMedia", tool: "M 2" },
    { action: "other", source: null, tool: null },
  ]);
  assert.equal(declares, "machine_made");
});

test("what it declares is the gravest that it says", () => {
  const captured = { action: "c2pa.created", digitalSourceType: `${IPTC}digitalCapture` };
  /** @type {[any[], string | null][]} */
  const table = [
    [[captured], "camera"],
    [[captured, { action: "c2pa.published" }], "camera"],
    [[captured, { action: "c2pa.cropped" }], "edited"],
    [[{ action: "c2pa.created", digitalSourceType: `${IPTC}compositeWithTrainedAlgorithmicMedia` }], "machine_made"],
    [[{ action: "c2pa.opened" }], null],
    [[], null],
  ];
  for (const [actions, declares] of table) assert.equal(readStatement(withActions(...actions)).declares, declares);
});

test("a time is told only where a trusted stamp stands behind it", () => {
  const signed = { signature_info: { common_name: "News", time: "2026-01-02T03:04:05+00:00" } };
  assert.equal(readStatement(store(signed)).time, null);
  const stamped = results([...GOOD, "timeStamp.trusted"], []);
  assert.equal(readStatement(store(signed, stamped)).time, "2026-01-02T03:04:05+00:00");
  assert.equal(readStatement(store({ signature_info: { time: "soon" } }, stamped)).time, null);
});

test("of ingredients it is told whether their own credentials held", () => {
  const active = "urn:2";
  const { ingredients } = readStatement(
    store({
      ingredients: [
        { title: "a" },
        { title: "b", active_manifest: active, validation_results: results(GOOD, []) },
        { title: "c", active_manifest: active, validation_results: results(GOOD, ["signingCredential.untrusted"]) },
        { title: "d", active_manifest: active, validation_results: results(GOOD, ["assertion.dataHash.mismatch"]) },
        { title: "e", active_manifest: active },
        { title: "f", active_manifest: active, validation_status: [{ code: "claimSignature.mismatch" }] },
      ],
    }),
  );
  assert.deepEqual(
    ingredients.map(({ title, state }) => `${title} ${state}`),
    ["a none", "b valid", "c untrusted", "d changed", "e valid", "f changed"],
  );
});

test("a stranger's words are one short line, and their lists are short", () => {
  assert.equal(clean("a\u202eb\u200b\n\u0000c"), "a b c");
  assert.equal(clean("x".repeat(9000)).length, 120);
  assert.equal(clean({}), "");
  const many = Array.from({ length: 500 }, () => ({ action: "c2pa.cropped" }));
  const { actions } = readStatement(withActions(...many));
  assert.equal(actions.length, 12);
});

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const END = [0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0, 0, 0, 0];
const MANIFEST = [0, 0, 0, 0, 0x63, 0x61, 0x42, 0x58, 0, 0, 0, 0];

/** @param {number[][]} parts */
const png = (...parts) => new Blob([Uint8Array.from([PNG, ...parts, END].flat())]);

test("without a manifest no reader is started", async () => {
  const read = () => assert.fail("the reader was started");
  assert.equal(await readCredentials(png(), { trustList: "", read }), null);
  assert.equal(await readCredentials(new Blob([]), { trustList: "", read }), null);
});

test("of a manifest elsewhere the host is told, and no reader is started", async () => {
  const packet = Buffer.from('XML:com.adobe.xmp\0\0\0\0\0<x dcterms:provenance="https://m.example/secret"/>');
  const chunk = [0, 0, 0, packet.length, 0x69, 0x54, 0x58, 0x74, ...packet, 0, 0, 0, 0];
  const read = () => assert.fail("the reader was started");
  const said = await readCredentials(png(chunk), { trustList: "", read });
  assert.deepEqual([said?.state, said?.host], ["remote", "m.example"]);
});

test("what the reader makes of a manifest is told, and its failures by their names", async () => {
  /** @type {[any, string][]} */
  const table = [
    [{ store: JSON.stringify(store()) }, "valid"],
    [{ store: "{broken" }, "unreadable"],
    [{ error: "unreadable" }, "unreadable"],
    [{ error: "unavailable" }, "unavailable"],
    [{}, "unreadable"],
  ];
  for (const [reading, state] of table) {
    /** @type {any} */
    let given;
    const read = async (/** @type {any} */ order) => {
      given = order;
      return reading;
    };
    const said = await readCredentials(png(MANIFEST), { trustList: "PEM", read });
    assert.equal(said?.state, state);
    assert.deepEqual([given.type, given.trustList], ["image/png", "PEM"]);
  }
});

/** A thread that does what it is told, and remembers whether it was ended. */
class FakeThread {
  /** @param {(thread: FakeThread) => void} act */
  constructor(act) {
    this.act = act;
    this.ended = false;
    /** @type {any} */
    this.onmessage = null;
    /** @type {any} */
    this.onerror = null;
  }

  postMessage() {
    queueMicrotask(() => this.act(this));
  }

  terminate() {
    this.ended = true;
  }
}

test("a thread is ended when it has answered, when it fails, and when it takes too long", async () => {
  /** @type {[(thread: FakeThread) => void, object][]} */
  const table = [
    [(thread) => thread.onmessage({ data: { store: "{}" } }), { store: "{}" }],
    [(thread) => thread.onerror(), { error: "unavailable" }],
    [() => {}, { error: "unavailable" }],
    [(thread) => thread.onmessage({ data: { ready: true } }), { error: "unreadable" }],
  ];
  for (const [act, reading] of table) {
    const thread = new FakeThread(act);
    const order = { picture: new Blob([]), type: "image/png", trustList: "" };
    assert.deepEqual(await readInThread(order, () => /** @type {any} */ (thread), { loading: 20, reading: 20 }), reading);
    assert.ok(thread.ended);
  }
});
