import assert from "node:assert/strict";
import { test } from "node:test";

import { chooseRungs, climb, OutOfReach } from "../../extension/background/ladder.js";

/** @typedef {import("../../extension/background/ladder.js").Description} Description */

/** @type {Description} */
const IMAGE = {
  kind: "image",
  url: "https://cdn.example/a.jpg",
  rect: { x: 0, y: 0, width: 100, height: 100 },
  natural: null,
  playing: false,
  label: "",
};
const PICTURE = new Blob(["picture"]);

/** @param {Partial<Record<import("../../extension/background/ladder.js").Rung, Blob | Error>>} outcomes */
function makeRungs(outcomes) {
  /** @type {string[]} */
  const tried = [];
  const rungs = /** @type {any} */ (
    Object.fromEntries(
      ["worker", "referrer", "page", "canvas", "screenshot"].map((rung) => [
        rung,
        async () => {
          tried.push(rung);
          const outcome = outcomes[/** @type {keyof typeof outcomes} */ (rung)] ?? null;
          if (outcome instanceof Error) throw outcome;
          return outcome;
        },
      ]),
    )
  );
  return { rungs, tried };
}

test("the original bytes are tried first, the screen last, and only what makes sense", () => {
  /** @type {[string, Partial<Description>, object, string[]][]} */
  const table = [
    ["a picture on the web", {}, {}, ["worker", "referrer", "page", "canvas", "screenshot"]],
    ["a data: address", { url: "data:image/png;base64,AA" }, {}, ["worker", "page", "canvas", "screenshot"]],
    ["what is shown", {}, { shown: true }, ["canvas", "screenshot"]],
    ["a background", { kind: "background" }, {}, ["worker", "referrer", "page", "screenshot"]],
    ["a canvas", { kind: "canvas", url: null }, {}, ["canvas", "screenshot"]],
    ["a video", { kind: "video" }, {}, ["canvas", "screenshot"]],
    ["a poster", { kind: "poster" }, {}, ["worker", "referrer", "page", "screenshot"]],
    ["a link, whose box shows no picture", { kind: "link" }, {}, ["worker", "referrer", "page"]],
    ["a closed frame, its picture unknown", { kind: "frame", url: null }, {}, ["screenshot"]],
    ["a drawn area", { kind: "area", url: null }, {}, ["screenshot"]],
    ["nothing in view", { rect: null }, {}, ["worker", "referrer", "page", "canvas"]],
  ];
  for (const [what, change, options, rungs] of table) {
    assert.deepEqual(chooseRungs({ ...IMAGE, ...change }, options), rungs, what);
  }
});

test("climbing ends at the first rung that brings a picture, and says what was reached", async () => {
  /** @type {[Partial<Description>, Parameters<typeof makeRungs>[0], string, number][]} */
  const table = [
    [{}, { worker: PICTURE }, "original", 1],
    [{}, { worker: new Error("status 403"), referrer: PICTURE }, "original", 2],
    [{}, { worker: new Error("no"), page: PICTURE }, "original", 3],
    [{}, { canvas: PICTURE }, "pixels", 4],
    [{}, { canvas: new Error("tainted"), screenshot: PICTURE }, "screenshot", 5],
    [{ kind: "video" }, { canvas: PICTURE }, "frame", 1],
    [{ kind: "video" }, { screenshot: PICTURE }, "screenshot", 2],
    [{ kind: "poster" }, { worker: PICTURE }, "poster", 1],
    [{ kind: "canvas", url: null }, { canvas: PICTURE }, "pixels", 1],
  ];
  for (const [change, outcomes, reached, count] of table) {
    const { rungs, tried } = makeRungs(outcomes);
    const obtained = await climb({ ...IMAGE, ...change }, rungs, new AbortController().signal);
    assert.equal(obtained.reached, reached);
    assert.equal(obtained.picture, PICTURE);
    assert.equal(obtained.rung, tried.at(-1));
    assert.equal(tried.length, count);
  }
});

test("a ladder without a picture at its top tells what each rung said", async () => {
  const { rungs } = makeRungs({ worker: new Error("status 404") });
  await assert.rejects(climb(IMAGE, rungs, new AbortController().signal), (error) => {
    assert.ok(error instanceof OutOfReach);
    assert.deepEqual(error.trail, [
      "worker: status 404",
      "referrer: nothing",
      "page: nothing",
      "canvas: nothing",
      "screenshot: nothing",
    ]);
    return true;
  });
});

test("a stopped climb goes no further, even when its rung failed because of that", async () => {
  const stop = new AbortController();
  const { rungs, tried } = makeRungs({});
  rungs.worker = async () => {
    stop.abort();
    throw new Error("aborted");
  };
  await assert.rejects(climb(IMAGE, rungs, stop.signal), { name: "AbortError" });
  assert.deepEqual(tried, []);
});
