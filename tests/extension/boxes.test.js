import assert from "node:assert/strict";
import { test } from "node:test";

import { keepWithin, moveBox, span } from "../../extension/content/area.js";
import {
  areaOf,
  distanceOf,
  fitBackground,
  fitObject,
  fitSvg,
  grow,
  inset,
  intersect,
  keepsUpright,
  project,
} from "../../extension/content/boxes.js";

/** @typedef {import("../../extension/content/boxes.js").Box} Box */

/** @param {number} x @param {number} y @param {number} width @param {number} height @returns {Box} */
const box = (x, y, width, height) => ({ x, y, width, height });
/** @param {Box | null} one */
const rounded = (one) => one && Object.values(one).map((value) => Math.round(value * 100) / 100);

// An area of 200 × 100 that begins at 10, 20.
const AREA = box(10, 20, 200, 100);
const WIDE = { width: 400, height: 100 };
const TALL = { width: 100, height: 400 };
const SMALL = { width: 50, height: 50 };

test("an object is fitted into its area as CSS does it", () => {
  /** @type {[string, {width: number, height: number} | null, string, string, number[] | null][]} */
  const table = [
    ["fill takes the whole area", WIDE, "fill", "50% 50%", [10, 20, 200, 100]],
    ["fill needs no size", null, "fill", "50% 50%", [10, 20, 200, 100]],
    ["contain leaves room above", WIDE, "contain", "50% 50%", [10, 45, 200, 50]],
    ["contain leaves room beside", TALL, "contain", "50% 50%", [97.5, 20, 25, 100]],
    ["cover is cut at the sides", WIDE, "cover", "50% 50%", [-90, 20, 400, 100]],
    ["cover is cut above and below", TALL, "cover", "50% 50%", [10, -330, 200, 800]],
    ["cover at the top", TALL, "cover", "50% 0%", [10, 20, 200, 800]],
    ["cover at the right", WIDE, "cover", "100% 50%", [-190, 20, 400, 100]],
    ["none keeps its own size", SMALL, "none", "0% 0%", [10, 20, 50, 50]],
    ["none may be larger", TALL, "none", "50% 50%", [60, -130, 100, 400]],
    ["scale-down leaves the small as it is", SMALL, "scale-down", "50% 50%", [85, 45, 50, 50]],
    ["scale-down makes the large fit", WIDE, "scale-down", "50% 50%", [10, 45, 200, 50]],
    ["pixels from the corner", SMALL, "none", "8px -4px", [18, 16, 50, 50]],
    ["keywords", SMALL, "none", "right bottom", [160, 70, 50, 50]],
    ["a share less some pixels", SMALL, "none", "calc(100% - 10px) 5px", [150, 25, 50, 50]],
    ["any other sum is not known", SMALL, "none", "calc(1px * 2) 5px", null],
    ["contain without a size is not known", null, "contain", "50% 50%", null],
    ["a size of nothing is not known", { width: 0, height: 9 }, "cover", "50% 50%", null],
    ["a fit of the future is not known", SMALL, "toString", "50% 50%", null],
  ];
  for (const [name, natural, fit, position, expected] of table)
    assert.deepEqual(rounded(fitObject(AREA, natural, fit, position)), expected, name);
});

test("a background has a place only where it is shown once", () => {
  const frame = {
    border: box(0, 0, 220, 120),
    padding: box(10, 10, 200, 100),
    content: box(20, 20, 180, 80),
  };
  const plain = {
    size: "auto",
    position: "0% 0%",
    repeat: "no-repeat",
    origin: "padding-box",
    attachment: "scroll",
  };
  /** @type {[string, {width: number, height: number} | null, Partial<typeof plain>, number[] | null][]} */
  const table = [
    ["its own size", SMALL, {}, [10, 10, 50, 50]],
    ["its own size, not known", null, {}, null],
    ["in the middle", SMALL, { position: "50% 50%" }, [85, 35, 50, 50]],
    ["cover, wide", WIDE, { size: "cover", position: "50% 50%" }, [-90, 10, 400, 100]],
    ["cover, tall", TALL, { size: "cover", position: "50% 50%" }, [10, -340, 200, 800]],
    ["cover fills even where it would repeat", TALL, { size: "cover", repeat: "repeat" }, [10, 10, 200, 800]],
    ["contain, wide", WIDE, { size: "contain" }, [10, 10, 200, 50]],
    ["contain, tall", TALL, { size: "contain", position: "100% 0%" }, [185, 10, 25, 100]],
    ["contain repeats beside itself", TALL, { size: "contain", repeat: "repeat" }, null],
    ["contain that repeats where it is full", WIDE, { size: "contain", repeat: "repeat-x" }, [10, 10, 200, 50]],
    ["contain that repeats down", WIDE, { size: "contain", repeat: "repeat-y" }, null],
    ["two words for repeating", WIDE, { size: "contain", repeat: "repeat no-repeat" }, [10, 10, 200, 50]],
    ["a small tile repeats", SMALL, { repeat: "repeat" }, null],
    ["rounded to whole tiles", TALL, { size: "cover", repeat: "round" }, null],
    ["both sides given need no size", null, { size: "100% 50%" }, [10, 10, 200, 50]],
    ["one side given", WIDE, { size: "100px" }, [10, 10, 100, 25]],
    ["the other side given", TALL, { size: "auto 50%" }, [10, 10, 12.5, 50]],
    ["one side given, size not known", null, { size: "100px auto" }, null],
    ["a sprite's corner", { width: 300, height: 300 }, { position: "-64px -32px" }, [-54, -22, 300, 300]],
    ["from the border", SMALL, { origin: "border-box" }, [0, 0, 50, 50]],
    ["from the content", SMALL, { origin: "content-box", position: "100% 100%" }, [150, 50, 50, 50]],
    ["fixed to the window", WIDE, { size: "cover", attachment: "fixed" }, null],
    ["a sum of sizes", SMALL, { size: "calc(10px * 3) auto" }, null],
  ];
  for (const [name, natural, changes, expected] of table)
    assert.deepEqual(rounded(fitBackground(frame, natural, { ...plain, ...changes })), expected, name);
});

test("a picture in a drawing follows preserveAspectRatio", () => {
  /** @type {[string, {width: number, height: number} | null, number[] | null][]} */
  const table = [
    ["", WIDE, [10, 45, 200, 50]],
    ["xMidYMid meet", TALL, [97.5, 20, 25, 100]],
    ["xMinYMin meet", TALL, [10, 20, 25, 100]],
    ["xMaxYMax", WIDE, [10, 70, 200, 50]],
    ["xMidYMid slice", WIDE, [-90, 20, 400, 100]],
    ["defer xMidYMin slice", TALL, [10, 20, 200, 800]],
    ["none", null, [10, 20, 200, 100]],
    ["xMidYMid slice", null, null],
    ["sideways", WIDE, null],
  ];
  for (const [rule, natural, expected] of table)
    assert.deepEqual(rounded(fitSvg(AREA, natural, rule)), expected, `${rule} ${natural?.width}`);
});

test("a transform that turns, skews, mirrors or tilts leaves nothing upright", () => {
  /** @type {[boolean, string, string?, string?][]} */
  const table = [
    [true, "none"],
    [true, ""],
    [true, "matrix(1, 0, 0, 1, 40, -12.5)"],
    [true, "matrix(2, 0, 0, 0.5, 0, 0)"],
    [true, "matrix(1, 1e-17, -1e-17, 1, 0, 0)"],
    [true, "none", "none", "none"],
    [true, "none", "0deg"],
    [true, "none", "none", "1.5 2"],
    [false, "matrix(0.98, 0.17, -0.17, 0.98, 0, 0)"],
    [false, "matrix(1, 0, 0.3, 1, 0, 0)"],
    [false, "matrix(-1, 0, 0, 1, 0, 0)"],
    [false, "matrix3d(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, -0.001, 0, 0, 0, 1)"],
    [false, "none", "3deg"],
    [false, "none", "none", "-1 1"],
  ];
  for (const [expected, transform, rotate = "none", scale = "none"] of table)
    assert.equal(keepsUpright({ transform, rotate, scale }), expected, `${transform} ${rotate} ${scale}`);
});

test("a box is carried through scale and place", () => {
  const own = { width: 100, height: 50 };
  assert.deepEqual(project(box(10, 5, 80, 40), own, box(300, 400, 200, 50)), box(320, 405, 160, 40));
  assert.equal(project(box(0, 0, 1, 1), { width: 0, height: 50 }, box(0, 0, 0, 50)), null);
});

test("boxes meet, grow, shrink and stand apart", () => {
  assert.deepEqual(intersect(AREA, box(100, 0, 500, 40)), box(100, 20, 110, 20));
  assert.equal(intersect(AREA, box(210, 20, 50, 50)), null);
  assert.equal(areaOf(intersect(AREA, box(0, 0, 5, 5))), 0);
  assert.deepEqual(grow(AREA, 24), box(-14, -4, 248, 148));
  assert.deepEqual(inset(AREA, [1, 2, 3, 4]), box(14, 21, 194, 96));
  assert.equal(inset(AREA, [80, 0, 80, 0]).height, 0);
  assert.equal(distanceOf(AREA, box(213, 124, 10, 10)), 5);
  assert.equal(distanceOf(AREA, box(50, 50, 10, 10)), 0);
});

const VIEW = { width: 800, height: 600 };

test("two corners make the same area, whichever comes first, and it stays in view", () => {
  assert.deepEqual(span({ x: 100, y: 80 }, { x: 300, y: 200 }, VIEW), box(100, 80, 200, 120));
  assert.deepEqual(span({ x: 300, y: 80 }, { x: 100, y: 200 }, VIEW), box(100, 80, 200, 120));
  assert.deepEqual(span({ x: 700, y: 500 }, { x: 950, y: -40 }, VIEW), box(700, 0, 100, 500));
});

test("keys move an area and resize it, never out of view and never too small", () => {
  const start = box(100, 100, 64, 64);
  /** @type {[string, boolean, Box, Box | null][]} */
  const table = [
    ["ArrowRight", false, start, box(116, 100, 64, 64)],
    ["ArrowUp", false, start, box(100, 84, 64, 64)],
    ["ArrowLeft", false, box(4, 100, 64, 64), box(0, 100, 64, 64)],
    ["ArrowDown", false, box(100, 530, 64, 64), box(100, 536, 64, 64)],
    ["ArrowRight", true, start, box(100, 100, 80, 64)],
    ["ArrowUp", true, start, box(100, 100, 64, 48)],
    ["ArrowLeft", true, box(100, 100, 40, 64), box(100, 100, 32, 64)],
    ["ArrowDown", true, box(100, 560, 64, 40), box(100, 560, 64, 40)],
    ["a", false, start, null],
    ["toString", true, start, null],
  ];
  for (const [key, resize, from, expected] of table)
    assert.deepEqual(moveBox(from, key, resize, VIEW), expected, `${key} ${resize}`);
});

test("an area is kept in a window that became smaller", () => {
  assert.deepEqual(keepWithin(box(700, 500, 90, 90), { width: 400, height: 300 }), box(310, 210, 90, 90));
  assert.deepEqual(keepWithin(box(0, 0, 900, 4), { width: 400, height: 300 }), box(0, 0, 400, 32));
});
