import assert from "node:assert/strict";
import { test } from "node:test";

import {
  findConflict,
  listSignals,
  SOURCE_TYPES,
  wordAction,
  wordDeclared,
  wordSignal,
  writeDeclared,
} from "../../backend/chalicelib/page/declared.js";
import { writeReport } from "../../backend/chalicelib/page/report.js";
import { english } from "../../backend/chalicelib/page/strings.js";
import { CREDENTIALS, SIGNALS, THRESHOLDS, VERDICT } from "./verdicts.js";

/** @typedef {import("../../backend/chalicelib/page/verdict.js").Credentials} Credentials */
/** @typedef {import("../../backend/chalicelib/page/verdict.js").VerdictName} VerdictName */

const words = english.verdict.declared;

/** @param {VerdictName} name @param {any[]} [signals] */
const judged = (name, signals) => ({ ...VERDICT, verdict: name, signals });

/** @param {Partial<Credentials>} changes @returns {Credentials} */
const signed = (changes) => ({ ...CREDENTIALS, ...changes });

test("a file and the network disagree where one says machine and the other does not, or camera and fake", () => {
  /** @type {[VerdictName, any[], Credentials | null, any][]} */
  const table = [
    ["no_traces", [SIGNALS.machine], null, { declares: "machine_made", signed: false }],
    ["likely_fake", [SIGNALS.camera], null, { declares: "camera", signed: false }],
    ["likely_fake", [SIGNALS.machine], null, null],
    ["no_traces", [SIGNALS.camera, SIGNALS.editor], null, null],
    ["uncertain", [SIGNALS.machine, SIGNALS.camera], null, null],
    ["no_face", [SIGNALS.machine], null, null],
    ["likely_fake", [], signed({}), { declares: "camera", signed: true }],
    ["likely_fake", [], signed({ state: "untrusted" }), { declares: "camera", signed: false }],
    ["likely_fake", [], signed({ state: "changed" }), null],
    ["likely_fake", [], signed({ state: "expired" }), null],
    ["no_traces", [], signed({ declares: "machine_made" }), { declares: "machine_made", signed: true }],
    ["no_traces", [SIGNALS.machine], signed({}), { declares: "machine_made", signed: false }],
  ];
  for (const [name, signals, credentials, conflict] of table) {
    assert.deepEqual(findConflict({ verdict: judged(name, signals), credentials }), conflict, name);
  }
});

test("a service of before tells of no signals, and that is no fault", () => {
  assert.deepEqual(listSignals({ verdict: VERDICT }), []);
  assert.equal(findConflict({ verdict: VERDICT }), null);
  assert.equal(wordDeclared({ verdict: VERDICT }, english), "");
  assert.deepEqual(writeDeclared({ verdict: VERDICT }, english), []);
});

test("that credentials are there is told by the service only where they were not read here", () => {
  const verdict = judged("no_traces", [SIGNALS.manifest, SIGNALS.editor]);
  assert.deepEqual(listSignals({ verdict }), [SIGNALS.manifest, SIGNALS.editor]);
  assert.deepEqual(listSignals({ verdict, credentials: signed({}) }), [SIGNALS.editor]);
});

test("a signal is put into words, and a code without words stays as it is", () => {
  assert.equal(
    wordSignal(SIGNALS.machine, english),
    "Made by a machine (trace): the settings of a generator, in parameters",
  );
  assert.equal(wordSignal(SIGNALS.manifest, english), words.found.manifest);
  const remote = { ...SIGNALS.manifest, found: "remote_manifest", value: "m.example" };
  assert.match(wordSignal(remote, english), /m\.example/);
  assert.equal(wordSignal({ ...SIGNALS.manifest, found: "toString" }, english), "toString");
});

test("a step is told by where it came from, or else by what was done", () => {
  /** @type {[Credentials["actions"][number], string][]} */
  const table = [
    [{ action: "created", source: "trainedAlgorithmicMedia", tool: null }, "Made by an AI model"],
    [{ action: "created", source: "digitalCapture", tool: "Cam" }, "Captured by a camera, with Cam"],
    [{ action: "created", source: null, tool: null }, "Created"],
    [{ action: "created", source: "constructor", tool: null }, "Created"],
    [{ action: "cropped", source: null, tool: null }, "Cropped"],
    [
      { action: "edited", source: "compositeWithTrainedAlgorithmicMedia", tool: "Brush" },
      "Edited, by an AI model, with Brush",
    ],
  ];
  for (const [action, said] of table) assert.equal(wordAction(action, english), said);
});

test("who hears the verdict hears what the file declares", () => {
  const verdict = judged("no_traces", [SIGNALS.camera, SIGNALS.machine]);
  assert.equal(
    wordDeclared({ verdict, credentials: signed({ state: "changed" }) }, english),
    "The file says: Made by a machine, Taken by a camera. Content Credentials: changed after signing.",
  );
});

test("a report tells what the file says, below the verdict and apart from it", () => {
  const verdict = judged("likely_fake", [SIGNALS.machine]);
  const report = writeReport({
    verdict,
    source: "a.png",
    strings: english,
    thresholds: THRESHOLDS,
    credentials: CREDENTIALS,
  });
  const lines = report.split("\n");
  const at = lines.indexOf(words.title);
  assert.deepEqual(lines.slice(at + 1, at + 6), [
    "- Content Credentials: valid, unchanged since signing",
    "- Signed by Test Newsroom.",
    "- Captured by a camera",
    "- Made by a machine (trace): the settings of a generator, in parameters: a portrait",
    words.caution,
  ]);
});

test("there are words for every state, every meaning, every source type", () => {
  const { states, meanings, sources } = words.credentials;
  assert.deepEqual(Object.keys(meanings), Object.keys(states));
  assert.deepEqual(Object.keys(sources).sort(), Object.keys(SOURCE_TYPES).sort());
});
