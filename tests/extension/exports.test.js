import assert from "node:assert/strict";
import { test } from "node:test";

import { writeCsv, writeJson } from "../../extension/common/exports.js";
import { ENTRY } from "./entries.js";

/**
 * Read a table as RFC 4180 describes it, independently of how it was written.
 * @param {string} text
 * @returns {string[][]}
 */
function parseCsv(text) {
  const rows = [[""]];
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const row = rows[rows.length - 1];
    const letter = text[at];
    if (quoted && letter === '"' && text[at + 1] === '"') row[row.length - 1] += text[(at += 1)];
    else if (letter === '"') quoted = !quoted;
    else if (!quoted && letter === ",") row.push("");
    else if (!quoted && letter === "\r" && text[at + 1] === "\n") {
      at += 1;
      rows.push([""]);
    } else row[row.length - 1] += letter;
  }
  assert.equal(quoted, false, "a quote was left open");
  assert.deepEqual(rows.pop(), [""], "the last line ends like the others");
  return rows;
}

/** @param {import("../../extension/common/history.js").Entry} entry @returns {Record<string, string>} */
function rowOf(entry) {
  const [names, row, ...more] = parseCsv(writeCsv([entry]).slice(1));
  assert.equal(more.length, 0);
  assert.equal(row.length, names.length);
  return Object.fromEntries(names.map((name, at) => [name, row[at]]));
}

test("the table has one row a check under one row of names", () => {
  assert.deepEqual(rowOf(ENTRY), {
    time: "2025-03-04T05:06:07.000Z",
    verdict: "likely_fake",
    fake_probability: "0.97",
    faces: "1",
    reasons: "face_too_small",
    page_title: "The Evening News",
    page_url: "https://news.example/story?id=1",
    source: "original 1440 × 1800",
    kind: "image",
    sha256: ENTRY.sha256,
    width: "1440",
    height: "1800",
    format: "jpeg",
    bytes: "52345",
    model: "unmask-student",
    model_version: "student-7",
    service: "https://unmask.example",
  });
  assert.equal(parseCsv(writeCsv([ENTRY, ENTRY, ENTRY]).slice(1)).length, 4);
  assert.equal(parseCsv(writeCsv([]).slice(1)).length, 1);
});

test("the table says that it is UTF-8", () => {
  assert.equal(writeCsv([]).charCodeAt(0), 0xfeff);
});

test("a check without a face or a page leaves its cells empty", () => {
  const name = /** @type {const} */ ("no_face");
  const verdict = { ...ENTRY.verdict, verdict: name, fake_probability: null, faces: [] };
  const row = rowOf({ ...ENTRY, page: null, verdict });
  assert.deepEqual([row.fake_probability, row.page_title, row.page_url, row.faces], ["", "", "", "0"]);
});

test("commas, quotes and line breaks stay inside their cell", () => {
  for (const title of ['a, b, "c"', "two\r\nlines", "one\nmore", 'only "', ",", "العنوان، هنا"]) {
    assert.equal(rowOf({ ...ENTRY, page: { url: "u", title } }).page_title, title);
  }
});

test("nothing that a page calls itself becomes a formula", () => {
  const titles = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", '=HYPERLINK("x","y")', "\n@x"];
  for (const title of titles) {
    const cell = rowOf({ ...ENTRY, page: { url: "u", title } }).page_title;
    assert.equal(cell, `'${title}`);
    assert.doesNotMatch(cell, /^[\s]*[=+\-@]/);
  }
  assert.equal(rowOf({ ...ENTRY, page: { url: "u", title: "1+1=2" } }).page_title, "1+1=2");
});

test("the JSON holds the whole answer, but neither the id nor the thumbnail", () => {
  const text = writeJson([{ ...ENTRY, thumbnail: new Blob(["x"]) }]);
  const { checks } = JSON.parse(text);
  assert.equal(checks.length, 1);
  const { id, ...answer } = ENTRY.verdict;
  assert.deepEqual(checks[0].answer, answer);
  assert.equal(checks[0].page.title, "The Evening News");
  assert.equal(checks[0].service, ENTRY.backend);
  for (const written of [text, writeCsv([ENTRY])]) assert.ok(!written.includes(id));
  assert.ok(!text.includes("thumbnail"));
});
