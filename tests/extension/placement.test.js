import assert from "node:assert/strict";
import { test } from "node:test";

import { canHoldFaces, cropPicture, keepInside, placeCard } from "../../extension/content/placement.js";

/** @typedef {import("../../extension/content/boxes.js").Box} Box */
/** @typedef {import("../../extension/content/placement.js").Anchor} Anchor */
/** @typedef {import("../../extension/shared/verdict.js").Box} PictureBox */

const VIEWPORT = { width: 1200, height: 800 };
const CARD = { width: 360, height: 500 };
const MEDIA = { width: 1000, height: 500 };

/** @param {number} x @param {number} y @param {number} width @param {number} height @returns {Box} */
const box = (x, y, width, height) => ({ x, y, width, height });

test("the card stands beside the picture where there is room, else at the viewport's edge", () => {
  /** @type {[name: string, anchor: Box | null, side: string, x: number, y: number][]} */
  const table = [
    ["room on the right", box(100, 100, 400, 400), "right", 512, 100],
    ["room on the left only", box(700, 100, 400, 400), "left", 328, 100],
    ["room below only", box(100, 20, 1000, 200), "below", 100, 232],
    ["room above only", box(100, 580, 1000, 200), "above", 100, 68],
    ["room nowhere", box(0, 0, 1200, 800), "edge", 832, 8],
    ["a picture low on the screen", box(100, 700, 400, 400), "right", 512, 292],
    ["a picture that was scrolled up and away", box(100, -900, 400, 400), "right", 512, 8],
    ["a picture that lies off to the left", box(-900, 100, 400, 400), "edge", 832, 100],
    ["no picture", null, "edge", 832, 8],
  ];
  for (const [name, anchor, side, x, y] of table) {
    const placed = placeCard({ anchor, card: CARD, viewport: VIEWPORT, rtl: false });
    assert.deepEqual(placed, { side, x, y }, name);
  }
});

test("right-to-left is the mirror image of left-to-right", () => {
  const anchors = [
    box(100, 100, 400, 400),
    box(700, 100, 400, 400),
    box(400, 100, 400, 400),
    box(100, 20, 1000, 200),
    box(0, 0, 1200, 800),
    null,
  ];
  for (const anchor of anchors) {
    const mirrored = anchor && { ...anchor, x: VIEWPORT.width - anchor.x - anchor.width };
    const plain = placeCard({ anchor, card: CARD, viewport: VIEWPORT, rtl: false });
    const turned = placeCard({ anchor: mirrored, card: CARD, viewport: VIEWPORT, rtl: true });
    assert.equal(turned.x, VIEWPORT.width - plain.x - CARD.width, JSON.stringify(anchor));
    assert.equal(turned.y, plain.y);
  }
});

test("the card stays on its side while it fits there, so that scrolling does not toss it about", () => {
  const anchor = box(400, 100, 400, 400);
  const at = (/** @type {import("../../extension/content/placement.js").Side} */ before) =>
    placeCard({ anchor, card: CARD, viewport: VIEWPORT, rtl: false, before }).side;
  assert.deepEqual([at("right"), at("left"), at("above"), at("edge")], ["right", "left", "right", "right"]);
});

test("on a narrow screen the card is a sheet at the bottom", () => {
  const viewport = { width: 400, height: 700 };
  const card = { width: 400, height: 300 };
  const placed = placeCard({ anchor: box(10, 10, 300, 300), card, viewport, rtl: false });
  assert.deepEqual(placed, { side: "sheet", x: 0, y: 400 });
});

test("a card that was dragged stays within the viewport, its head first", () => {
  /** @type {[number, number, number, number][]} */
  const table = [
    [500, 200, 500, 200],
    [-50, -50, 8, 8],
    [5000, 5000, 832, 292],
  ];
  for (const [x, y, left, top] of table) {
    assert.deepEqual(keepInside({ x, y }, CARD, VIEWPORT), { x: left, y: top });
  }
  assert.equal(keepInside({ x: 0, y: 50 }, { width: 360, height: 900 }, VIEWPORT).y, 8);
});

test("what can be seen of a picture is found in the picture's own pixels", () => {
  const rect = box(100, 100, 200, 200);
  assert.deepEqual(
    cropPicture({ rect, content: box(0, 100, 400, 200) }, MEDIA),
    [250, 0, 500, 500],
    "cropped",
  );
  assert.deepEqual(
    cropPicture({ rect, content: box(100, 150, 200, 100) }, MEDIA),
    [0, 0, 1000, 500],
    "in bars",
  );
  assert.deepEqual(cropPicture({ rect, content: null }, MEDIA), [0, 0, 1000, 500], "not known");
});

test("faces go onto the page's own picture only where all of them can be seen at a size that helps", () => {
  const rect = box(0, 0, 400, 200);
  const whole = { rect, content: rect };
  const cropped = { rect, content: box(-400, 0, 800, 200) };
  /** @type {PictureBox} */
  const left = [100, 100, 100, 100];
  /** @type {PictureBox} */
  const right = [800, 100, 100, 100];
  /** @type {PictureBox} */
  const edge = [480, 100, 100, 100];
  /** @type {[name: string, anchor: Anchor | null, faces: PictureBox[], holds: boolean][]} */
  const table = [
    ["a whole picture", whole, [left, right], true],
    ["no faces", whole, [], true],
    ["a face that is cropped away", cropped, [left, right], false],
    ["the other half", cropped, [right], true],
    ["a face of which four fifths can be seen", cropped, [edge], true],
    ["a small picture", { rect: box(0, 0, 159, 80), content: box(0, 0, 159, 80) }, [left], false],
    ["a picture whose place is not known", { rect, content: null }, [left], false],
    ["a picture that is gone", null, [left], false],
  ];
  for (const [name, anchor, faces, holds] of table) {
    assert.equal(canHoldFaces(anchor, faces, MEDIA), holds, name);
  }
});
