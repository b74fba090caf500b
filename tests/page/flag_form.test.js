import assert from "node:assert/strict";
import { test } from "node:test";

import { FlagForm, nameReason, wordSent } from "../../backend/chalicelib/page/flag_form.js";
import { CheckFailure } from "../../backend/chalicelib/page/service.js";
import { english } from "../../backend/chalicelib/page/strings.js";

const { sent } = english.verdict.flag;
const ALL = { host: "cdn.example", picture: true };

/** A form that is not drawn: what it does is the same. */
function makeForm({ offer = /** @type {import("../../backend/chalicelib/page/flag.js").Offer} */ (ALL), fails = /** @type {Error | null} */ (null) } = {}) {
  /** @type {any[]} */
  const done = [];
  const trouble = { fails };
  const act = async (/** @type {any} */ deed) => {
    if (trouble.fails) throw trouble.fails;
    done.push(deed);
    return "f1";
  };
  const form = new FlagForm({
    offer: async () => {
      if (trouble.fails) throw trouble.fails;
      return offer;
    },
    send: act,
    undo: async (flag) => void (await act(flag)),
    signIn: () => void done.push("sign in"),
  });
  return { form, done, trouble };
}

test("the line says exactly what leaves the browser", () => {
  /** @type {[string | null, boolean, boolean, string][]} */
  const table = [
    [null, false, false, sent.verdict],
    [null, true, false, sent.verdict],
    [null, true, true, sent.picture],
    // Agreed to, then lost.
    [null, false, true, sent.verdict],
    ["cdn.example", false, false, sent.address.replace("{host}", "cdn.example")],
    ["cdn.example", true, true, sent.both.replace("{host}", "cdn.example")],
  ];
  for (const [host, picture, keep, words] of table) {
    assert.equal(wordSent({ host, picture }, keep, english.verdict.flag), words);
  }
});

test("a form is opened, sent and taken back, and begins anew after that", async () => {
  const { form, done } = makeForm();
  await form.open();
  assert.equal(form.stage, "open");
  Object.assign(form, { note: "  odd ear \n", keep: true });
  await form.send();
  assert.equal(form.stage, "sent");
  await form.undo();
  assert.deepEqual([form.stage, form.note, form.keep], ["shut", "", false]);
  assert.deepEqual(done, [{ note: "odd ear", keep: true, address: true }, "f1"]);
});

test("without consent the picture stays, and without a host the address", async () => {
  const { form, done } = makeForm({ offer: { host: null, picture: true } });
  await form.open();
  await form.send();
  assert.deepEqual(done, [{ note: "", keep: false, address: false }]);
});

test("a form is put away once, with its note kept, and sends nothing", async () => {
  const { form, done } = makeForm();
  assert.equal(form.cancel(), false);
  await form.open();
  form.note = "odd ear";
  assert.deepEqual([form.cancel(), form.stage, form.cancel()], [true, "shut", false]);
  await form.open();
  assert.equal(form.note, "odd ear");
  assert.deepEqual(done, []);
});

test("where nobody can say what is at hand, the verdict alone is offered", async () => {
  const { form } = makeForm({ fails: new Error("gone") });
  await form.open();
  assert.deepEqual([form.stage, form.offer], ["open", { host: null, picture: false }]);
});

test("a flag that fails leaves the form as it was, and one that is sent stays until it is taken back", async () => {
  const { form, trouble } = makeForm();
  await form.open();
  Object.assign(form, { note: "odd ear", keep: true });
  trouble.fails = new CheckFailure("offline");
  await form.send();
  assert.deepEqual([form.stage, form.note, form.keep, form.busy], ["open", "odd ear", true, false]);
  trouble.fails = null;
  await form.send();
  trouble.fails = new CheckFailure("offline");
  await form.undo();
  assert.deepEqual([form.stage, form.flag], ["sent", "f1"]);
});

test("what got lost in the meantime is asked for anew, not left out in silence", async () => {
  const { form, done, trouble } = makeForm();
  await form.open();
  form.keep = true;
  trouble.fails = new Error("lost");
  await form.send();
  assert.deepEqual([form.stage, form.keep, form.offer], ["open", false, { host: null, picture: false }]);
  trouble.fails = null;
  await form.send();
  assert.deepEqual(done, [{ note: "", keep: false, address: false }]);
});

test("a sign-in that is wanted is known beforehand, or learnt on the way, and nothing is lost by it", async () => {
  const { form, done, trouble } = makeForm({ offer: { ...ALL, signedOut: true } });
  await form.open();
  assert.equal(form.signedOut, true);
  Object.assign(form, { note: "odd ear", keep: true });
  form.signedOut = false;
  trouble.fails = new Error("sign_in");
  await form.send();
  assert.deepEqual([form.stage, form.note, form.keep, form.signedOut], ["open", "odd ear", true, true]);
  trouble.fails = null;
  await form.send();
  assert.deepEqual([form.stage, form.signedOut], ["sent", false]);
  trouble.fails = new CheckFailure("sign_in");
  await form.undo();
  assert.deepEqual([form.stage, form.flag, form.signedOut], ["sent", "f1", true]);
  trouble.fails = null;
  await form.undo();
  assert.deepEqual([form.stage, form.signedOut], ["shut", false]);
  assert.deepEqual(done, [{ note: "odd ear", keep: true, address: true }, "f1"]);
});

test("who has signed in elsewhere is not asked to any more, and finds what was written", async () => {
  const offer = { ...ALL, signedOut: true };
  const { form, trouble } = makeForm({ offer });
  await form.open();
  Object.assign(form, { note: "odd ear", keep: true });
  await form.askAgain();
  assert.equal(form.signedOut, true);
  offer.signedOut = false;
  trouble.fails = new Error("offline");
  await form.askAgain();
  assert.equal(form.signedOut, true);
  trouble.fails = null;
  await form.askAgain();
  assert.deepEqual([form.stage, form.note, form.keep, form.signedOut], ["open", "odd ear", true, false]);
});

test("two presses send one flag", async () => {
  const { form, done } = makeForm();
  await form.open();
  await Promise.all([form.send(), form.send()]);
  assert.equal(done.length, 1);
});

test("what a person can do something about has words of its own", () => {
  /** @type {[unknown, string][]} */
  const table = [
    [new Error("lost"), "lost"],
    [new Error("too_large"), "tooLarge"],
    [new CheckFailure("too_large"), "tooLarge"],
    [new Error("sign_in"), "signInFirst"],
    [new CheckFailure("offline"), "failed"],
    ["odd", "failed"],
  ];
  for (const [error, reason] of table) assert.equal(nameReason(error), reason);
});
