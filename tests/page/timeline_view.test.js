import assert from "node:assert/strict";
import { test } from "node:test";

import {
  chooseTicks,
  findNearest,
  movePlace,
  spreadLabels,
} from "../../backend/chalicelib/page/timeline_view.js";
import { LONG, SHORT } from "./verdicts.js";

test("keys lead along a line, and from one line to the same time on another", () => {
  /** @type {[string, [number, number], [number, number] | null][]} */
  const table = [
    ["ArrowRight", [0, 0], [0, 1]],
    ["ArrowRight", [0, 3], [0, 3]],
    ["ArrowLeft", [0, 2], [0, 1]],
    ["ArrowLeft", [0, 0], [0, 0]],
    ["Home", [0, 2], [0, 0]],
    ["End", [0, 1], [0, 3]],
    ["ArrowDown", [0, 3], [1, 1]],
    ["ArrowDown", [0, 1], [1, 0]],
    ["ArrowDown", [1, 0], [1, 0]],
    ["ArrowUp", [1, 1], [0, 3]],
    ["ArrowUp", [0, 1], [0, 1]],
    ["Tab", [0, 1], null],
    ["Enter", [0, 1], null],
  ];
  for (const [key, [from, index], to] of table) {
    const place = movePlace([LONG, SHORT], { track: from, index }, key);
    assert.deepEqual(place, to && { track: to[0], index: to[1] }, `${key} from ${from}/${index}`);
  }
});

test("a press between the points takes the nearest", () => {
  const places = [0, 1, 2].map((index) => ({ track: 0, index }));
  const middles = [
    { x: 0, y: 0 },
    { x: 50, y: 90 },
    { x: 100, y: 0 },
  ];
  const at = (/** @type {number} */ x, /** @type {number} */ y) =>
    findNearest(places, middles, { x, y }).index;
  assert.deepEqual([at(10, 5), at(50, 60), at(80, 0)], [0, 1, 2]);
});

test("the times under the chart are round and few", () => {
  /** @type {[number, number, number[]][]} */
  const table = [
    [0, 5.5, [0, 2, 4]],
    [0, 1.8, [0, 0.5, 1, 1.5]],
    [62, 185, [120, 180]],
    [0, 7200, [0, 1800, 3600, 5400, 7200]],
    [0.2, 0.4, [0.2]],
  ];
  for (const [start, end, ticks] of table)
    assert.deepEqual(chooseTicks(start, end), ticks, `${start}–${end}`);
  const days = chooseTicks(0, 100_000);
  assert.ok(days.length <= 5 && days.length >= 2, `${days}`);
});

test("numbers beside the chart are kept apart, within its height and in their order", () => {
  /** @type {[number[], number[]][]} */
  const table = [
    [
      [0.2, 0.8],
      [0.2, 0.8],
    ],
    [
      [0.5, 0.5],
      [0.5, 0.6],
    ],
    [
      [1, 0.98],
      [1, 0.9],
    ],
    [[], []],
  ];
  for (const [heights, spread] of table) {
    const found = spreadLabels(heights, 0.1);
    found.forEach((height, index) =>
      assert.ok(Math.abs(height - spread[index]) < 1e-9, `${heights}: ${found}`),
    );
  }
});
