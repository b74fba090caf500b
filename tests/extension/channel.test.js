import assert from "node:assert/strict";
import { test } from "node:test";

import { Channel, Disconnected } from "../../extension/common/channel.js";

/** Two ports that are connected; messages travel as JSON, and later, as between a page and the worker. */
function makePorts() {
  const ends = ["a", "b"].map(() => ({
    /** @type {((message: any) => void)[]} */ messages: [],
    /** @type {(() => void)[]} */ ends: [],
  }));
  let open = true;
  return ends.map((end, index) => ({
    onMessage: { addListener: (/** @type {(message: any) => void} */ hear) => void end.messages.push(hear) },
    onDisconnect: { addListener: (/** @type {() => void} */ hear) => void end.ends.push(hear) },
    /** @param {object} message */
    postMessage(message) {
      if (!open) throw new Error("Attempting to use a disconnected port object");
      const text = JSON.stringify(message);
      setImmediate(() => ends[1 - index].messages.forEach((hear) => hear(JSON.parse(text))));
    },
    disconnect() {
      open = false;
      setImmediate(() => ends[1 - index].ends.forEach((hear) => hear()));
    },
  }));
}

test("what is told arrives, what is asked is answered, and answers find their question", async () => {
  const [near, far] = makePorts();
  /** @type {string[]} */
  const heard = [];
  new Channel(far, {
    told: { news: ({ text }) => heard.push(text) },
    asked: { double: async ({ number }) => number * 2 },
  });
  const channel = new Channel(near, {});
  channel.tell("news", { text: "hello" });
  channel.tell("unheard of");
  assert.deepEqual(await Promise.all([1, 2, 3].map((number) => channel.ask("double", { number }))), [2, 4, 6]);
  assert.deepEqual(heard, ["hello"]);
});

test("what goes wrong on the other side is thrown on this one", async () => {
  const [near, far] = makePorts();
  new Channel(far, {
    asked: {
      fail() {
        throw new Error("tainted");
      },
    },
  });
  const channel = new Channel(near, {});
  await assert.rejects(channel.ask("fail"), { message: "tainted" });
  await assert.rejects(channel.ask("unheard of"), Error);
});

test("nobody waits for an answer from a side that is gone", async () => {
  const [near, far] = makePorts();
  const other = new Channel(far, { asked: { think: () => new Promise(() => {}) } });
  let closed = 0;
  const channel = new Channel(near, { closed: () => (closed += 1) });
  const answer = channel.ask("think");
  other.close();
  await assert.rejects(answer, Disconnected);
  assert.equal(closed, 1);
  await assert.rejects(channel.ask("think"), Disconnected);
  channel.tell("news");
});

test("hanging up oneself is no surprise", async () => {
  const [near, far] = makePorts();
  let closed = 0;
  const channel = new Channel(near, { closed: () => (closed += 1) });
  new Channel(far, {});
  const answer = channel.ask("anything");
  channel.close();
  channel.close();
  await assert.rejects(answer, Disconnected);
  assert.equal(closed, 0);
});
