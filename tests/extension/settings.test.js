import assert from "node:assert/strict";
import { test } from "node:test";

import {
  completeSettings,
  countCertificates,
  DEFAULTS,
  hostOf,
  normaliseBackend,
  normaliseTrustList,
} from "../../extension/common/settings.js";

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
  for (const [stored, changed] of /** @type {[any, object][]} */ ([
    [undefined, {}],
    [null, {}],
    ["text", {}],
    [{ theme: "dark", language: "ar" }, { theme: "dark", language: "ar" }],
    [{ theme: "purple", showBand: "no", key: 7, backend: null }, {}],
    [{ showBand: false, leftover: 1 }, { showBand: false }],
  ])) {
    assert.deepEqual(completeSettings(stored), { ...DEFAULTS, ...changed });
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
