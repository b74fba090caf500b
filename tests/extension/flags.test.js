import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { fulfilWish, holdPicture, nameAddress, offerFlag } from "../../extension/background/flags.js";
import { isPrivate } from "../../extension/common/hosts.js";

/** @typedef {import("../../extension/background/ladder.js").Description} Description */

const ADDRESS = "https://cdn.example/a.jpg?size=l";
const JPEG = new Uint8Array([0xff, 0xd8, 0xff, 1]);
const PICTURE = new Blob([JPEG], { type: "image/jpeg" });
const ALL = { note: "odd ear", keep: true, address: true };
const FRAME = "1/0";

/** @type {[string, RequestInit][]} */
let asked = [];
let stop = new AbortController();

beforeEach(() => {
  asked = [];
  stop.abort();
  stop = new AbortController();
});

/** @param {() => Response} answer */
function answerWith(answer) {
  globalThis.fetch = /** @type {any} */ (
    async (/** @type {string} */ url, /** @type {RequestInit} */ how) => {
      asked.push([url, how]);
      return answer();
    }
  );
}

/** @param {string | null} address */
const hold = (address) => holdPicture(FRAME, { check: "c1", picture: PICTURE, address }, stop.signal);

test("an address is offered once a stranger got the same bytes there, and is tried no more often", async () => {
  answerWith(() => new Response(JPEG));
  hold(ADDRESS);
  assert.deepEqual(await offerFlag(FRAME, "c1"), { host: "cdn.example", picture: true });
  await offerFlag(FRAME, "c1");
  assert.deepEqual(
    asked.map(([url, { credentials, cache }]) => [url, credentials, cache]),
    [[ADDRESS, "omit", "no-store"]],
  );
  assert.deepEqual(fulfilWish(FRAME, "c1", ALL), {
    check_id: "c1",
    note: "odd ear",
    url: ADDRESS,
    keep: true,
    picture: PICTURE,
  });
});

test("an address that gives a stranger nothing, or something else, is neither offered nor sent", async () => {
  const answers = [
    () => new Response("", { status: 403 }),
    () => new Response("<html>Log in</html>"),
    () => new Response(new Uint8Array([...JPEG, 2])),
    () => {
      throw new TypeError("no network");
    },
  ];
  for (const answer of answers) {
    answerWith(answer);
    hold(ADDRESS);
    assert.deepEqual(await offerFlag(FRAME, "c1"), { host: null, picture: true });
    assert.throws(() => fulfilWish(FRAME, "c1", ALL), { message: "lost" });
  }
});

test("a picture without an address is offered, and nothing is asked of any site", async () => {
  answerWith(() => assert.fail());
  hold(null);
  assert.deepEqual(await offerFlag(FRAME, "c1"), { host: null, picture: true });
  const wish = { ...ALL, address: false };
  assert.deepEqual(fulfilWish(FRAME, "c1", wish), { check_id: "c1", note: "odd ear", keep: true, picture: PICTURE });
});

test("once the card is closed, for another check, or in another frame there is only the verdict", async () => {
  const verdict = { host: null, picture: false };
  hold(null);
  assert.deepEqual(await offerFlag(FRAME, "c2"), verdict);
  assert.deepEqual(await offerFlag("2/0", "c1"), verdict);
  stop.abort();
  assert.deepEqual(await offerFlag(FRAME, "c1"), verdict);
  assert.throws(() => fulfilWish(FRAME, "c1", { ...ALL, address: false }), { message: "lost" });
  assert.deepEqual(fulfilWish(FRAME, "c1", { note: "", keep: false, address: false }), { check_id: "c1" });
  // The card was closed before the answer came.
  hold(null);
  assert.deepEqual(await offerFlag(FRAME, "c1"), verdict);
});

test("a card that closes late takes nothing from the next one in its frame", async () => {
  const former = new AbortController();
  holdPicture(FRAME, { check: "c0", picture: PICTURE, address: null }, former.signal);
  hold(null);
  former.abort();
  assert.equal((await offerFlag(FRAME, "c1")).picture, true);
});

test("an address is named only where the worker itself had the picture from the public web", () => {
  const page = "https://news.example/a?b#c";
  /** @type {[string, import("../../extension/background/ladder.js").Rung, Partial<Description>, string | null][]} */
  const table = [
    ["a picture", "worker", {}, ADDRESS],
    ["a poster", "worker", { kind: "poster" }, ADDRESS],
    ["a part of a drawing", "worker", { url: "http://cdn.example/a.svg#part" }, "http://cdn.example/a.svg"],
    ["given to a Referer only", "referrer", {}, null],
    ["given to the page only", "page", {}, null],
    ["drawn", "canvas", {}, null],
    ["of the screen", "screenshot", {}, null],
    ["data:", "worker", { url: "data:image/png;base64,AA" }, null],
    ["blob:", "worker", { url: "blob:https://cdn.example/1" }, null],
    ["no address", "worker", { url: null }, null],
    ["a frame", "worker", { kind: "frame" }, null],
    ["the page itself", "worker", { url: "https://news.example/a?b" }, null],
    ["of one's own network", "worker", { url: "http://192.168.1.7/a.jpg" }, null],
  ];
  for (const [what, rung, change, address] of table) {
    const target = /** @type {Description} */ ({ kind: "image", url: ADDRESS, ...change });
    assert.equal(nameAddress(rung, target, page), address, what);
  }
});

test("hosts of one's own network are told from those of the public web", () => {
  const own = ["localhost", "127.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.9.9", "192.168.0.1", "169.254.1.1"];
  const more = ["100.64.0.1", "[::1]", "[fd00::1]", "[fe80::1]", "[::ffff:a00:1]", "nas", "nas.local", "wiki.corp"];
  for (const host of [...own, ...more]) assert.equal(isPrivate(host), true, host);
  const open = ["cdn.example", "8.8.8.8", "172.32.0.1", "100.128.0.1", "10.example", "[2606:4700::1]", "local.example"];
  for (const host of open) assert.equal(isPrivate(host), false, host);
});
