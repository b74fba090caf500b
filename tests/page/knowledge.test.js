import assert from "node:assert/strict";
import { test } from "node:test";

import { listGenerators } from "../../backend/chalicelib/page/knowledge.js";

const KNOWN = { name: "StyleGAN", seen: true, fakes: 300, auc: 0.98, called_fake: 0.9, no_traces: 0.02 };
const NEW = { ...KNOWN, name: "Next", seen: false, called_fake: 0.1, no_traces: 0.7 };

test("known and never-seen generators are told apart, in the order of the card", () => {
  const other = { ...KNOWN, name: "Stable Diffusion" };
  assert.deepEqual(listGenerators({ generators: [KNOWN, NEW, other] }), { seen: [KNOWN, other], unseen: [NEW] });
});

test("a card that tells of no generator has none, and what is not whole is left out", () => {
  const broken = [
    ...[null, "x", {}, { ...KNOWN, name: 5 }, { ...KNOWN, seen: "yes" }, { ...KNOWN, fakes: 1.5 }],
    ...[{ ...KNOWN, called_fake: 2 }, { ...KNOWN, no_traces: -0.1 }, { ...KNOWN, no_traces: null }],
  ];
  for (const metrics of [undefined, null, 5, {}, { generators: null }, { generators: {} }, { generators: broken }]) {
    assert.deepEqual(listGenerators(metrics), { seen: [], unseen: [] }, JSON.stringify(metrics));
  }
});
