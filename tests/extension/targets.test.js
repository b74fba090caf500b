import assert from "node:assert/strict";
import { test } from "node:test";

import { chooseUrl, isPictureAddress, nameFile, splitList } from "../../extension/content/pictures.js";
import { fetchInPage, PixelsError, readDataUrl } from "../../extension/content/pixels.js";
import { chooseAmong } from "../../extension/content/targets.js";

/**
 * @param {string} name
 * @param {[x: number, y: number, width: number, height: number]} place
 * @param {number} [area] of the part that counts
 */
const seen = (name, [x, y, width, height], area = width * height) => ({
  name,
  box: { x, y, width, height },
  area,
});

/** The order in which pictures are painted, topmost first, as letters. */
const painted =
  (/** @type {string} */ order) =>
  (/** @type {{name: string}} */ one, /** @type {{name: string}} */ other) =>
    order.indexOf(one.name) < order.indexOf(other.name);

test("of pictures on one another the larger, or else the upper one is meant", () => {
  /** @type {[string, ReturnType<typeof seen>[], string, string][]} */
  const table = [
    ["none at all", [], "", ""],
    ["the only one", [seen("a", [0, 0, 50, 50])], "a", "a"],
    ["a face on a wide banner", [seen("a", [0, 0, 900, 300]), seen("b", [40, 40, 90, 90])], "ba", "a"],
    ["two alike, the upper one", [seen("a", [0, 0, 300, 300]), seen("b", [5, 5, 290, 290])], "ba", "b"],
    ["two alike, the other above", [seen("a", [0, 0, 300, 300]), seen("b", [5, 5, 290, 290])], "ab", "a"],
    [
      "only the part at the pointer counts",
      [seen("a", [0, 0, 900, 600], 90_000), seen("b", [100, 100, 300, 300])],
      "ba",
      "b",
    ],
    [
      "three in a pile",
      [seen("a", [0, 0, 300, 300]), seen("b", [0, 0, 310, 300]), seen("c", [0, 0, 300, 310])],
      "cab",
      "c",
    ],
  ];
  for (const [name, pictures, order, expected] of table)
    assert.equal(chooseAmong(pictures, painted(order)).map((picture) => picture.name).join(""), expected, name);
});

test("of pictures side by side the largest is meant, and with it all that are about as large", () => {
  /** @type {[string, ReturnType<typeof seen>[], string][]} */
  const table = [
    ["one much larger", [seen("a", [0, 0, 60, 60]), seen("b", [100, 0, 300, 300])], "b"],
    ["two alike", [seen("a", [0, 0, 100, 100]), seen("b", [120, 0, 110, 110])], "ba"],
    ["within one half more", [seen("a", [0, 0, 100, 100]), seen("b", [120, 0, 100, 150])], "ba"],
    ["beyond one half more", [seen("a", [0, 0, 100, 100]), seen("b", [120, 0, 100, 151])], "b"],
    [
      "an icon on each does not count",
      [
        seen("a", [0, 0, 100, 100]),
        seen("b", [120, 0, 100, 100]),
        seen("c", [5, 5, 40, 40]),
        seen("d", [125, 5, 40, 40]),
      ],
      "ab",
    ],
    ["at most six", [..."abcdefgh"].map((name, index) => seen(name, [index * 60, 0, 50, 50])), "abcdef"],
  ];
  for (const [name, pictures, expected] of table) {
    const chosen = chooseAmong(pictures, painted("dcba"));
    assert.equal(chosen.map((picture) => picture.name).join(""), expected, name);
  }
});

test("layers of one element are told apart by their order alone", () => {
  const layers = [seen("upper", [0, 0, 90, 90]), seen("lower", [0, 0, 90, 90])];
  assert.deepEqual(
    chooseAmong(layers, () => false).map(({ name }) => name),
    ["upper"],
  );
});

test("a CSS image leads to the address that the screen would load", () => {
  const set =
    'image-set(url("https://a.test/1.png") 1dppx, url("https://a.test/2.png") 2dppx, url("https://a.test/3.png") 3dppx)';
  /** @type {[string, number, string | null, number?][]} */
  const table = [
    ['url("https://a.test/x.png")', 1, "https://a.test/x.png"],
    ["url(https://a.test/x.png)", 1, "https://a.test/x.png"],
    ["url('x.png')", 1, "x.png"],
    ['url("a\\"b(1).png")', 1, 'a"b(1).png'],
    ['url("data:image/svg+xml,<svg xmlns=\'x\' fill=\'url(#a)\'/>")', 1, "data:image/svg+xml,<svg xmlns='x' fill='url(#a)'/>"],
    ["linear-gradient(rgb(0, 0, 0), rgb(1, 1, 1))", 1, null],
    ["none", 1, null],
    ['url("")', 1, null],
    [set, 1, "https://a.test/1.png", 1],
    [set, 1.5, "https://a.test/2.png", 2],
    [set, 2, "https://a.test/2.png", 2],
    [set, 4, "https://a.test/3.png", 3],
    ['image-set(url("9x.avif") 1dppx type("image/avif"), url("b.png") 1dppx)', 1, "9x.avif", 1],
    ['-webkit-image-set(url("a.png") 1x, url("b.png") 192dpi)', 2, "b.png", 2],
    ["image-set(linear-gradient(red, blue) 1x)", 1, null],
    ['cross-fade(url("a.png"), url("b.png"))', 1, "a.png"],
  ];
  for (const [image, ratio, url, density = 1] of table)
    assert.deepEqual(chooseUrl(image, ratio), url === null ? null : { url, density }, image);
});

test("a list of layers is split at its own commas", () => {
  assert.deepEqual(splitList('url("a,b.png"), linear-gradient(rgb(0, 0, 0), red), none'), [
    'url("a,b.png")',
    "linear-gradient(rgb(0, 0, 0), red)",
    "none",
  ]);
  assert.deepEqual(splitList("50% 50%"), ["50% 50%"]);
  assert.deepEqual(splitList('url("a\\",b(.png"), x'), ['url("a\\",b(.png")', "x"]);
});

test("an address is taken for a picture's by its name", () => {
  /** @type {[string | undefined, boolean][]} */
  const table = [
    ["https://a.test/faces/one.JPG", true],
    ["https://a.test/one.webp?width=900#top", true],
    ["https://pbs.test/media/F1?format=jpg&name=large", true],
    ["data:image/png;base64,iVBORw0KGgo=", true],
    ["data:text/html,one.png", false],
    ["https://a.test/gallery", false],
    ["https://a.test/page?file=one.jpg", false],
    ["ftp://a.test/one.png", false],
    ["not an address", false],
    [undefined, false],
  ];
  for (const [address, expected] of table)
    assert.equal(isPictureAddress(address), expected, address);
});

test("a file is named as people write it", () => {
  /** @type {[string | null, string][]} */
  const table = [
    ["https://a.test/faces/Ren%C3%A9e%20%26%20co.jpg?x=1", "Renée & co.jpg"],
    ["https://a.test/100%.jpg", "100%.jpg"],
    ["https://a.test/", ""],
    ["blob:https://a.test/7a1c", ""],
    ["data:image/png;base64,AAAA", ""],
    [null, ""],
  ];
  for (const [url, expected] of table) assert.equal(nameFile(url), expected, String(url));
});

test("a data: address is read without the network", () => {
  /** @type {[string, string, number[]][]} */
  const table = [
    ["data:image/png;base64,iVBORw0=", "image/png", [0x89, 0x50, 0x4e, 0x47, 0x0d]],
    ["data:image/png;base64,iVBO%0ARw0%3D", "image/png", [0x89, 0x50, 0x4e, 0x47, 0x0d]],
    ["data:image/svg+xml;charset=utf-8,%3Csvg/%3E", "image/svg+xml;charset=utf-8", [60, 115, 118, 103, 47, 62]],
    ["data:,%FFa", "", [255, 97]],
  ];
  for (const [url, type, expected] of table) {
    const read = readDataUrl(url);
    assert.equal(read.type, type);
    assert.deepEqual([...new Uint8Array(read.bytes)], expected, url);
  }
});

test("without an address that holds a picture nothing is fetched", async (context) => {
  const fetched = context.mock.method(globalThis, "fetch");
  for (const url of [null, "", "null", "about:blank", "chrome://version", "data:image/png", "data:;base64,*"]) {
    await assert.rejects(fetchInPage(url), (error) => error instanceof PixelsError && error.kind === "unreachable");
  }
  assert.equal(fetched.mock.callCount(), 0);
});
