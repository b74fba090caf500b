/** The checks that this browser remembers. They stay in it: nothing here knows of any network. */

import { upgradeEntry } from "./compatibility.js";

/**
 * @typedef {object} Entry
 * @property {string} id the check's, from the service
 * @property {string} sha256 of the bytes that were sent
 * @property {string} backend the service that answered
 * @property {string} time ISO 8601, UTC
 * @property {{url: string, title: string} | null} page where the picture stood
 * @property {string} source what was checked, in words
 * @property {Blob | null} thumbnail JPEG, longer side at most 160 px
 * @property {number} bytes how many were sent
 * @property {import("../shared/verdict.js").Verdict} verdict
 * @property {import("../shared/verdict.js").Credentials | null} [credentials] entries of before have none
 */

/** @typedef {import("../shared/verdict.js").VerdictName} VerdictName */

/** The most entries that are kept; beyond it the oldest go. */
export const LIMIT = 500;

/** The name of the BroadcastChannel on which every change is told, with `{kind: "changed"}`. */
export const CHANNEL = "unmask-history";

const STORE = "checks";
// Sorts after every string, so it ends a range of compound keys.
const LAST = /** @type {never[]} */ ([]);

/**
 * Open the history; the caller closes it.
 * @param {string} [name] of the database
 * @returns {Promise<History>}
 */
export async function openHistory(name = "unmask") {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    const store = request.result.createObjectStore(STORE, { keyPath: "id" });
    store.createIndex("time", "time");
    store.createIndex("picture", ["sha256", "backend", "time"]);
  };
  return new History(await settle(request));
}

/** What was checked in this browser, newest first. */
export class History {
  /** @param {IDBDatabase} database */
  constructor(database) {
    this.database = database;
    this.channel = new BroadcastChannel(CHANNEL);
    // A newer version of the extension waits for this.
    database.onversionchange = () => this.close();
  }

  /**
   * Remember a check, in place of one with the same id.
   * @param {Entry} entry
   */
  async add(entry) {
    await this.change(async (store) => {
      store.put(entry);
      let surplus = (await settle(store.count())) - LIMIT;
      if (surplus <= 0) return;
      await walk(store.index("time").openKeyCursor(), (cursor) => {
        store.delete(cursor.primaryKey);
        return (surplus -= 1) > 0;
      });
    });
  }

  /**
   * Find the newest check of these bytes by this service.
   * @param {string} sha256
   * @param {string} backend
   * @returns {Promise<Entry | undefined>}
   */
  async find(sha256, backend) {
    const range = IDBKeyRange.bound([sha256, backend], [sha256, backend, LAST]);
    const cursor = await settle(this.read().index("picture").openCursor(range, "prev"));
    return cursor ? upgradeEntry(cursor.value) : undefined;
  }

  /**
   * List checks, newest first.
   * @param {{query?: string, words?: Record<VerdictName, string>, limit?: number, offset?: number}} [options]
   *   query: every word of it must occur in the entry; words: what the verdicts are called, to be found too
   * @returns {Promise<Entry[]>}
   */
  async list({ query = "", words, limit = Infinity, offset = 0 } = {}) {
    /** @type {Entry[]} */
    const found = [];
    let skipped = 0;
    if (limit <= 0) return found;
    await walk(this.read().index("time").openCursor(null, "prev"), ({ value }) => {
      const entry = upgradeEntry(value);
      if (!matches(entry, query, words)) return true;
      if (skipped < offset) skipped += 1;
      else found.push(entry);
      return found.length < limit;
    });
    return found;
  }

  /**
   * Find one check by its id.
   * @param {string} id
   * @returns {Promise<Entry | undefined>}
   */
  async get(id) {
    const found = await settle(this.read().get(id));
    return found && upgradeEntry(found);
  }

  /** @param {string} id */
  async remove(id) {
    await this.change((store) => store.delete(id));
  }

  /** Forget everything. */
  async clear() {
    await this.change((store) => store.clear());
  }

  /**
   * Say how much is kept.
   * @returns {Promise<{entries: number, bytes: number}>}
   */
  async measure() {
    const sizes = (await this.list()).map(sizeOf);
    return { entries: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  }

  close() {
    this.channel.close();
    this.database.close();
  }

  read() {
    return this.database.transaction(STORE).objectStore(STORE);
  }

  /** @param {(store: IDBObjectStore) => unknown} act works within one transaction */
  async change(act) {
    const transaction = this.database.transaction(STORE, "readwrite");
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    await Promise.all([act(transaction.objectStore(STORE)), done]);
    this.channel.postMessage({ kind: "changed" });
  }
}

/**
 * Say whether an entry answers a search: each word must occur in it somewhere, in any case.
 * @param {Entry} entry
 * @param {string} query
 * @param {Record<VerdictName, string>} [words] what the verdicts are called
 * @returns {boolean}
 */
export function matches({ page, source, sha256, verdict, time }, query, words) {
  const hay = [page?.title, page?.url, source, sha256, time, verdict.verdict, verdict.model.version];
  const text = [...hay, words?.[verdict.verdict]].join("\n").toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** @param {Entry} entry @returns {number} bytes, about */
export function sizeOf({ thumbnail, ...rest }) {
  return (thumbnail?.size ?? 0) + new TextEncoder().encode(JSON.stringify(rest)).length;
}

/**
 * @template Result
 * @param {IDBRequest<Result>} request
 * @returns {Promise<Result>}
 */
function settle(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Visit what a cursor meets, until the visitor has enough.
 * @template {IDBCursor} Cursor
 * @param {IDBRequest<Cursor | null>} request
 * @param {(cursor: Cursor) => boolean} visit whether to go on
 * @returns {Promise<void>}
 */
function walk(request, visit) {
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      if (request.result && visit(request.result)) request.result.continue();
      else resolve();
    };
  });
}
