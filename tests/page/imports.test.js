import assert from "node:assert/strict";
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

// The tests are run from the root of the repository.
const FOLDERS = [
  "backend/chalicelib/page",
  ...["background", "common", "content", "credentials", "panel"].map((name) => `extension/${name}`),
];
const IMPORT = /^(?:import|export) [^;"]*"(\.[^"]+)";/gm;

/**
 * Read who imports whom. Types alone are not followed: they are gone when the modules run.
 * @returns {Map<string, string[]>} by path; what is shared has one path, whoever imports it
 */
function readImports() {
  const root = realpathSync(".");
  const modules = FOLDERS.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".js"))
      .map((name) => join(folder, name)),
  );
  return new Map(
    modules.map((module) => {
      const found = [...readFileSync(module, "utf8").matchAll(IMPORT)];
      return [module, found.map(([, path]) => relative(root, realpathSync(join(dirname(module), path))))];
    }),
  );
}

/**
 * Find a way of imports that leads back to where it was before.
 * @param {Map<string, string[]>} imports
 * @returns {string[]} from a module to the same module; empty where there is no such way
 */
function findCycle(imports) {
  /** @type {Set<string>} */
  const clean = new Set();
  /** @param {string} module @param {string[]} way @returns {string[]} */
  const follow = (module, way) => {
    if (way.includes(module)) return [...way.slice(way.indexOf(module)), module];
    if (clean.has(module)) return [];
    for (const next of imports.get(module) ?? []) {
      const cycle = follow(next, [...way, module]);
      if (cycle.length > 0) return cycle;
    }
    clean.add(module);
    return [];
  };
  return [...imports.keys()].map((module) => follow(module, [])).find((cycle) => cycle.length > 0) ?? [];
}

test("no import of the page or of the extension goes round", () => {
  const imports = readImports();
  assert.ok(imports.get("extension/content/card.js")?.includes("backend/chalicelib/page/verdict_view.js"));
  assert.deepEqual(findCycle(imports), []);
});

test("a round of imports is found, and two ways to one module are none", () => {
  /** @type {[Record<string, string[]>, string[]][]} */
  const table = [
    [{ a: ["b", "c"], b: ["d"], c: ["d"], d: [] }, []],
    [{ a: ["b"], b: ["c"], c: ["b"] }, ["b", "c", "b"]],
    [{ a: ["a"] }, ["a", "a"]],
  ];
  for (const [imports, cycle] of table) assert.deepEqual(findCycle(new Map(Object.entries(imports))), cycle);
});
