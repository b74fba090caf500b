/**
 * Reads a picture's Content Credentials in this browser, on the bytes as they were found, before anything is sent.
 * Where there are none, that is told by the bytes alone and no reader is loaded.
 */

import { sniffPicture } from "../common/bytes.js";
import { findManifest } from "../common/manifests.js";
import { readStatement, withoutStatement } from "./statement.js";

/** @typedef {import("../shared/verdict.js").Credentials} Credentials */

/**
 * What the reader is given, and what it answers: the store as JSON, or why there is none.
 * @typedef {{picture: Blob, type: string, trustList: string}} Order
 * @typedef {{store?: string, error?: "unreadable" | "unavailable"}} Reading
 */

/**
 * @param {Blob} picture
 * @param {object} means
 * @param {string} means.trustList certificates in PEM form, "" for none
 * @param {(order: Order) => Promise<Reading>} means.read
 * @returns {Promise<Credentials | null>} null where there are none; never throws for what the picture holds
 */
export async function readCredentials(picture, { trustList, read }) {
  const bytes = new Uint8Array(await picture.arrayBuffer());
  const manifest = findManifest(bytes);
  if (manifest === null) return null;
  if (manifest.kind === "remote") return withoutStatement("remote", manifest.host);
  const { store, error } = await read({ picture, type: String(sniffPicture(bytes)), trustList });
  if (store === undefined) return withoutStatement(error ?? "unreadable");
  try {
    return readStatement(JSON.parse(store));
  } catch (broken) {
    if (broken instanceof SyntaxError) return withoutStatement("unreadable");
    throw broken;
  }
}
