import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import {
  completeSettings,
  countCertificates,
  DEFAULTS,
  hostOf,
  normaliseBackend,
  normaliseTrustList,
  onSettingsChange,
  readSettings,
  writeSettings,
} from "../../extension/common/settings.js";
import { takeTurns } from "./locks.js";
import { keepInMemory } from "./memory_vault.js";

/** @type {Record<string, any>} */
let stored;
/** @type {ReturnType<typeof keepInMemory>} */
let kept;
/** @type {((changes: object, area: string) => void)[]} */
let listeners;

beforeEach(() => {
  stored = {};
  kept = keepInMemory();
  listeners = [];
  const local = {
    get: async (/** @type {string} */ name) => structuredClone({ [name]: stored[name] }),
    // As a browser does, it tells of what differs only.
    set: async (/** @type {{settings: object}} */ { settings }) => {
      const differs = JSON.stringify(settings) !== JSON.stringify(stored.settings);
      stored.settings = structuredClone(settings);
      if (differs) for (const hear of listeners) hear({ settings: { newValue: settings } }, "local");
    },
  };
  const onChanged = {
    addListener: (/** @type {any} */ hear) => void listeners.push(hear),
    removeListener: (/** @type {any} */ hear) => void listeners.splice(listeners.indexOf(hear), 1),
  };
  Object.assign(globalThis, { chrome: { storage: { local, onChanged } } });
  takeTurns();
});

test("the key of the service is kept apart from what scripts in pages could read", async () => {
  assert.equal((await writeSettings({ key: "abc-123", theme: "dark" })).key, "abc-123");
  assert.equal(JSON.stringify(stored).includes("abc-123"), false);
  assert.equal(kept.keys.get("current").key, "abc-123");
  await writeSettings({ theme: "light" });
  assert.deepEqual(await readSettings(), { ...DEFAULTS, theme: "light", key: "abc-123" });
  await writeSettings({ key: "" });
  assert.equal((await readSettings()).key, "");
});

test("a key that an earlier version kept beside the rest is moved when it is seen, and no other is lost by it", async () => {
  stored.settings = { ...DEFAULTS, key: "old-key", showBand: false };
  assert.deepEqual(await readSettings(), { ...DEFAULTS, key: "old-key", showBand: false });
  assert.equal(JSON.stringify(stored).includes("old-key"), false);
  assert.deepEqual(await readSettings(), { ...DEFAULTS, key: "old-key", showBand: false });
});

test("a new key is told to every part of the extension, as any change is", async () => {
  /** @type {string[]} */
  const heard = [];
  const stop = onSettingsChange(({ key, theme }) => void heard.push(`${key} ${theme}`));
  await writeSettings({ key: "one" });
  await writeSettings({ key: "two" });
  await writeSettings({ theme: "dark" });
  await writeSettings({});
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(heard.at(-1), "two dark");
  assert.equal(heard.length, 3);
  stop();
  assert.equal(listeners.length, 0);
});

test("an address of a service comes into one form", () => {
  for (const [typed, address] of [
    ["https://unmask.example", "https://unmask.example"],
    ["  https://unmask.example/  ", "https://unmask.example"],
    ["HTTPS://Unmask.Example:443/", "https://unmask.example"],
    ["https://unmask.example:8443/stage/", "https://unmask.example:8443/stage"],
    ["https://unmask.example/a/b//", "https://unmask.example/a/b"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
    ["unmask.example", "https://unmask.example"],
    ["unmask.example/stage", "https://unmask.example/stage"],
    ["desk:8000", "https://desk:8000"],
    ["localhost:8000", "http://localhost:8000"],
    ["127.0.0.1:8000/", "http://127.0.0.1:8000"],
    ["http://localhost:8000", "http://localhost:8000"],
    ["http://unmask.localhost", "http://unmask.localhost"],
    ["http://127.1.2.3", "http://127.1.2.3"],
    ["http://[::1]:8000/", "http://[::1]:8000"],
    ["https://192.168.1.5", "https://192.168.1.5"],
  ]) {
    assert.equal(normaliseBackend(typed), address, typed);
    assert.equal(normaliseBackend(address), address, `again: ${address}`);
  }
});

test("what is no address, or not a safe one, is refused with a reason", () => {
  for (const [typed, reason] of [
    ["", "empty"],
    ["   ", "empty"],
    ["hello", "not_an_address"],
    ["hello world", "not_an_address"],
    ["https://", "not_an_address"],
    ["https://exa mple.org", "not_an_address"],
    ["ftp://unmask.example", "not_an_address"],
    ["file:///etc/passwd", "not_an_address"],
    ["data:text/html,hello", "not_an_address"],
    ["mailto:someone@unmask.example", "not_an_address"],
    ["https://name:word@unmask.example", "not_an_address"],
    ["https://name@unmask.example", "not_an_address"],
    ["https://unmask.example/?key=1", "not_an_address"],
    ["https://unmask.example/?", "not_an_address"],
    ["https://unmask.example/#top", "not_an_address"],
    ["https://unmask.example:99999", "not_an_address"],
    ["http://unmask.example", "not_secure"],
    ["http://192.168.1.5:8000", "not_secure"],
    ["http://127.0.0.1.example", "not_secure"],
    ["http://localhost.example", "not_secure"],
  ]) {
    assert.throws(() => normaliseBackend(typed), new Error(reason), typed);
  }
});

test("the default service is an address in its one form", () => {
  assert.equal(normaliseBackend(DEFAULTS.backend), DEFAULTS.backend);
});

test("a host is named with its port where that is not the usual one", () => {
  assert.equal(hostOf("https://unmask.example/stage"), "unmask.example");
  assert.equal(hostOf("http://127.0.0.1:8000"), "127.0.0.1:8000");
});

test("settings of any origin become whole", () => {
  for (const [left, changed] of /** @type {[any, object][]} */ ([
    [undefined, {}],
    [null, {}],
    ["text", {}],
    [{ theme: "dark", language: "ar" }, { theme: "dark", language: "ar" }],
    [{ theme: "purple", showBand: "no", key: 7, backend: null }, {}],
    [{ showBand: false, leftover: 1 }, { showBand: false }],
  ])) {
    assert.deepEqual(completeSettings(left), { ...DEFAULTS, ...changed });
  }
});

test("a trust list is brought down to its certificates, and what holds none is refused", () => {
  const one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
  assert.equal(normaliseTrustList("  \n"), "");
  const list = normaliseTrustList(`# Subject: Ann\n${one}\r\n\nremarks <b>\n${one}  `);
  assert.equal(list, `${one}\n${one}\n`);
  assert.equal(countCertificates(list), 2);
  assert.equal(countCertificates(""), 0);
  assert.equal(normaliseTrustList(list), list);
  for (const [text, message] of [
    ["hello", "not_pem"],
    ["-----BEGIN CERTIFICATE-----\n<script>\n-----END CERTIFICATE-----", "not_pem"],
    ["https://example.org/list.pem", "not_pem"],
    [one.repeat(100_000), "too_long"],
  ]) {
    assert.throws(() => normaliseTrustList(text), { message });
  }
});
