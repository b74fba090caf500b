import assert from "node:assert/strict";
import { test } from "node:test";

import { patternOf } from "../../extension/background/permissions.js";
import { placeCut } from "../../extension/background/screenshots.js";

const TOP = { top: true, width: 1000, scale: 1, left: 0, up: 0, within: null };
const SHOT = { width: 1000, height: 800 };
const RECT = { x: 100, y: 50, width: 200, height: 150 };

test("a picture is found in the screenshot of its tab", () => {
  /** @type {[string, Parameters<typeof placeCut>, object][]} */
  const table = [
    ["as it lies", [RECT, [TOP], false, SHOT], { x: 100, y: 50, width: 200, height: 150 }],
    [
      "on a screen with two pixels a unit",
      [RECT, [TOP], false, { width: 2000, height: 1600 }],
      { x: 200, y: 100, width: 400, height: 300 },
    ],
    [
      "under a pinch to twice the size",
      [RECT, [{ ...TOP, scale: 2, left: 50, up: 25 }], false, SHOT],
      { x: 100, y: 50, width: 400, height: 300 },
    ],
    [
      "partly outside",
      [{ x: -50, y: 700, width: 100, height: 200 }, [TOP], false, SHOT],
      { x: 0, y: 700, width: 50, height: 100 },
    ],
    [
      "in a frame inside a frame",
      [
        RECT,
        [
          { ...TOP, within: { x: 10, y: 20 } },
          { ...TOP, top: false, within: { x: 1, y: 2 } },
          { ...TOP, top: false },
        ],
        true,
        SHOT,
      ],
      { x: 111, y: 72, width: 200, height: 150 },
    ],
  ];
  for (const [what, given, cut] of table) assert.deepEqual(placeCut(...given), cut, what);
});

test("what cannot be placed is not cut at a guess", () => {
  /** @type {[Parameters<typeof placeCut>, RegExp][]} */
  const table = [
    [[RECT, [], false, SHOT], /measured/],
    [[RECT, [TOP], true, SHOT], /placed/],
    [[{ ...RECT, y: 900 }, [TOP], false, SHOT], /on the screen/],
    [[{ ...RECT, width: 0 }, [TOP], false, SHOT], /on the screen/],
  ];
  for (const [given, message] of table) assert.throws(() => placeCut(...given), message);
});

test("permission is asked for a site, and only where there is one", () => {
  /** @type {[string, string | null][]} */
  const table = [
    ["https://cdn.example/a.jpg?b=c", "https://cdn.example/*"],
    ["http://127.0.0.1:8000/v1", "http://127.0.0.1/*"],
    ["data:image/png;base64,AA", null],
    ["blob:https://site.example/1", null],
    ["file:///a.jpg", null],
    ["no address", null],
  ];
  for (const [url, pattern] of table) assert.equal(patternOf(url), pattern, url);
});
