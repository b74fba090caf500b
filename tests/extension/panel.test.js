import assert from "node:assert/strict";
import { test } from "node:test";

import { summarise, tabulate } from "../../extension/panel/figures.js";
import { pickOrigins, wordSites } from "../../extension/panel/origins.js";
import { readAddress } from "../../extension/panel/tabs.js";
import { wordTime } from "../../extension/panel/words.js";

const METRICS = {
  overall: {
    pictures: 1767,
    auc: 0.95394,
    auc_interval: [0.9144, 0.98671],
    real_called_fake: 0.00287,
    real_no_traces: 0.83748,
    fake_called_fake: 0.59223,
    fake_no_traces: 0,
  },
  sources: {
    mixed: { real_called_fake: 0, real_no_traces: 0.7, fake_called_fake: 0.15, fake_no_traces: 0.35 },
    machine: { fake_called_fake: 0.9, fake_no_traces: 0.1, auc: null },
    camera: { real_called_fake: 0.25, real_no_traces: 0.5 },
    half: { real_called_fake: 0.1 },
    empty: null,
  },
};

test("the figures that a person can use are picked", () => {
  assert.deepEqual(summarise(METRICS), {
    pictures: 1767,
    auc: 0.95394,
    aucRange: [0.9144, 0.98671],
    fakeFound: 0.59223,
    fakeMissed: 0,
    realCleared: 0.83748,
    realAccused: 0.00287,
  });
});

test("figures of another shape are left out, one by one", () => {
  const without = [undefined, null, {}, { auc: 0.9 }, { overall: {} }, { overall: { pictures: 5 } }, "text"];
  for (const metrics of without) {
    assert.equal(summarise(metrics), null, JSON.stringify(metrics));
    assert.deepEqual(tabulate(metrics), []);
  }
  const odd = { auc: 0.9, auc_interval: [null, null], fake_called_fake: "much", fake_no_traces: 7 };
  assert.deepEqual(summarise({ overall: odd }), {
    pictures: null,
    auc: 0.9,
    aucRange: null,
    fakeFound: null,
    fakeMissed: null,
    realCleared: null,
    realAccused: null,
  });
});

test("each source has a row for each kind of picture in it, real photos first", () => {
  const rows = tabulate(METRICS);
  assert.deepEqual(
    rows.map(({ source, fake }) => [source, fake]),
    [
      ["mixed", false],
      ["camera", false],
      ["mixed", true],
      ["machine", true],
    ],
  );
  const shares = { likelyFake: 0.25, uncertain: 0.25, noTraces: 0.5 };
  assert.deepEqual(rows[1], { source: "camera", fake: false, ...shares });
  for (const { likelyFake, uncertain, noTraces } of rows) {
    assert.ok(Math.abs(likelyFake + uncertain + noTraces - 1) < 1e-12);
    assert.ok(uncertain >= 0);
  }
});

test("an address names a view and what to show in it", () => {
  const names = ["check", "history"];
  for (const [hash, name, query] of [
    ["", "check", ""],
    ["#", "check", ""],
    ["#history", "history", ""],
    ["#history?id=a%20b", "history", "id=a+b"],
    ["#check?src=https%3A%2F%2Fx.example%2Fa%3Fb%3Dc", "check", "src=https%3A%2F%2Fx.example%2Fa%3Fb%3Dc"],
    ["#check?src=https://x.example/a?b", "check", "src=https%3A%2F%2Fx.example%2Fa%3Fb"],
    ["#constructor", "check", ""],
  ]) {
    const address = readAddress(hash, names);
    assert.equal(address.name, name, hash);
    assert.equal(address.query.toString(), query, hash);
  }
});

test("only patterns of single sites are asked for", () => {
  for (const [pattern, fits] of /** @type {[string, boolean][]} */ ([
    ["https://cdn.example/*", true],
    ["http://cdn.example:8080/*", true],
    ["http://127.0.0.1/*", true],
    ["<all_urls>", false],
    ["*://*/*", false],
    ["https://*/*", false],
    ["https://*.example/*", false],
    ["https://cdn.example/", false],
    ["https://cdn.example/a/*", false],
    ["https://name@cdn.example/*", false],
    ["file:///*", false],
    ["data:text/html,x/*", false],
    ["", false],
  ])) {
    assert.deepEqual(pickOrigins([pattern]), fits ? [pattern] : [], pattern);
  }
});

test("sites are named by their hosts, each once", () => {
  const origins = ["https://a.example/*", "http://a.example/*", "https://b.example/*"];
  assert.equal(wordSites(origins, "en"), "a.example and b.example");
  assert.equal(wordSites(["https://a.example/*"], "en"), "a.example");
});

test("a time is worded, and what is none stays as it is", () => {
  assert.match(wordTime("2025-03-04T05:06:07Z", { locale: "en" }), /2025/);
  assert.equal(wordTime("soon", { locale: "en" }), "soon");
});
