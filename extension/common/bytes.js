/** Bytes: what they are, how they travel, what they are called. Pure but for the hash. */

// Extension messages are JSON; longer pieces would not fit into the arguments of one call.
const PIECE = 0x8000;

/** @type {[type: string, matches: (bytes: Uint8Array) => boolean][]} */
const SIGNATURES = [
  ["image/jpeg", (b) => b[0] === 0xff && b[1] === 0xd8 && b[2] === 0xff],
  ["image/png", (b) => readText(b, 0, 8) === "\x89PNG\r\n\x1a\n"],
  ["image/gif", (b) => ["GIF87a", "GIF89a"].includes(readText(b, 0, 6))],
  ["image/webp", (b) => readText(b, 0, 4) === "RIFF" && readText(b, 8, 4) === "WEBP"],
  ["image/avif", (b) => readText(b, 4, 4) === "ftyp" && /avi[fs]/.test(readText(b, 8, 24))],
];

/**
 * Name the picture format that some bytes begin with. What a server calls them is not asked.
 * @param {Uint8Array} bytes
 * @returns {string | null} media type of a format that the service reads, null for anything else
 */
export function sniffPicture(bytes) {
  return SIGNATURES.find(([, matches]) => matches(bytes))?.[0] ?? null;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} length
 */
function readText(bytes, start, length) {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {string} base64
 */
export function encodeBase64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let start = 0; start < bytes.length; start += PIECE) text += readText(bytes, start, PIECE);
  return btoa(text);
}

/**
 * @param {string} text base64
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function decodeBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/**
 * @param {BufferSource} bytes
 * @returns {Promise<string>} SHA-256, lower-case hexadecimal
 */
export async function hashBytes(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
