import assert from "node:assert/strict";
import { test } from "node:test";

import { matches, sizeOf } from "../../extension/common/history.js";
import { ENTRY } from "./entries.js";

const WORDS = { likely_fake: "مزيّف على الأرجح", no_traces: "r", uncertain: "u", no_face: "n" };

test("a search finds what holds each of its words, in any case and any place", () => {
  for (const [query, found] of /** @type {[string, boolean][]} */ ([
    ["", true],
    ["  ", true],
    ["evening", true],
    ["EVENING news", true],
    ["news evening", true],
    ["evening morning", false],
    ["news.example/story", true],
    ["1440", true],
    ["likely_fake", true],
    ["2025-03", true],
    ["9f86d0", true],
    ["student-7", true],
    ["مزيّف", true],
    ["gone", false],
  ])) {
    assert.equal(matches(ENTRY, query, WORDS), found, query);
  }
});

test("a check without a page is searched all the same", () => {
  assert.equal(matches({ ...ENTRY, page: null }, "1440"), true);
  assert.equal(matches({ ...ENTRY, page: null }, "news"), false);
});

test("the size of an entry counts its thumbnail and its words", () => {
  const bare = sizeOf({ ...ENTRY, thumbnail: null });
  const pictured = sizeOf({ ...ENTRY, thumbnail: new Blob([new Uint8Array(1000)]) });
  assert.equal(pictured - bare, 1000);
  assert.ok(bare > JSON.stringify(ENTRY.verdict).length);
});
