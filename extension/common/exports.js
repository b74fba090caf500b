/**
 * The history as files that other programs read. The ids are left out: whoever holds one can delete the
 * check on the service.
 */

/** @typedef {import("./history.js").Entry} Entry */

/** @type {[string, (entry: Entry) => string | number | null | undefined][]} */
const COLUMNS = [
  ["time", ({ time }) => time],
  ["verdict", ({ verdict }) => verdict.verdict],
  ["fake_probability", ({ verdict }) => verdict.fake_probability],
  ["faces", ({ verdict }) => verdict.faces.length],
  ["reasons", ({ verdict }) => verdict.reasons.join(" ")],
  ["page_title", ({ page }) => page?.title],
  ["page_url", ({ page }) => page?.url],
  ["source", ({ source }) => source],
  ["kind", ({ verdict }) => verdict.media.kind ?? "image"],
  ["sha256", ({ sha256 }) => sha256],
  ["width", ({ verdict }) => verdict.media.width],
  ["height", ({ verdict }) => verdict.media.height],
  ["format", ({ verdict }) => verdict.media.format],
  ["bytes", ({ bytes }) => bytes],
  ["model", ({ verdict }) => verdict.model.name],
  ["model_version", ({ verdict }) => verdict.model.version],
  ["service", ({ backend }) => backend],
];

/**
 * Write a table as RFC 4180 has it, one check a row. It starts with a byte order mark: without it
 * spreadsheet programs misread every letter beyond ASCII.
 * @param {Entry[]} entries
 * @returns {string}
 */
export function writeCsv(entries) {
  const rows = entries.map((entry) => COLUMNS.map(([, read]) => read(entry)));
  const lines = [COLUMNS.map(([name]) => name), ...rows].map((row) => `${row.map(writeCell).join(",")}\r\n`);
  return `\ufeff${lines.join("")}`;
}

/**
 * Write a cell. Text that a spreadsheet would run as a formula gets an apostrophe in front: a page names
 * itself as it likes.
 * @param {string | number | null | undefined} value
 */
function writeCell(value) {
  if (typeof value !== "string") return value ?? "";
  const text = /^[\s]*[=+\-@]|^[\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Write everything but the thumbnails, the evidence maps included.
 * @param {Entry[]} entries
 * @returns {string} JSON: `{"checks": [...]}`
 */
export function writeJson(entries) {
  const checks = entries.map(({ time, page, source, sha256, bytes, backend, verdict, credentials }) => {
    const answer = { ...verdict, id: undefined };
    return { time, page, source, sha256, bytes, service: backend, answer, credentials };
  });
  return `${JSON.stringify({ checks }, null, 2)}\n`;
}
