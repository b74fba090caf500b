/**
 * Whether a picture carries Content Credentials, told from its bytes alone. Pure, and cheap enough for every picture:
 * the reader, which is megabytes of WebAssembly, is loaded only where this finds something.
 */

/** @typedef {{kind: "embedded"} | {kind: "remote", host: string}} Manifest */

// A file of nothing but tiny pieces would keep the walk busy.
const MOST_PIECES = 10_000;
// C2PA 2.1, A.5.1.
const C2PA_BOX = "d8fec3d61b0e483c92975828877ec481";
const PROVENANCE = /dcterms:provenance\s*(?:=\s*["']|>)\s*(https?:\/\/[^"'<\s]{1,2000})/;
const XMP_HEAD = "http://ns.adobe.com/xap/1.0/\0";
// Longer packets are not looked into.
const MOST_XMP = 262_144;

/**
 * Find a manifest, or the mention of one elsewhere.
 * @param {Uint8Array} bytes of any kind, whole or broken
 * @returns {Manifest | null}
 */
export function findManifest(bytes) {
  /** @type {Manifest | null} */
  let found = null;
  for (const { manifest, xmp } of walk(bytes)) {
    if (manifest) return { kind: "embedded" };
    const host = xmp && findHost(xmp);
    if (host) found ??= { kind: "remote", host };
  }
  return found;
}

/**
 * A piece of a file that matters here.
 * @typedef {{manifest?: boolean, xmp?: Uint8Array}} Piece
 */

/**
 * @param {Uint8Array} bytes
 * @returns {Generator<Piece>}
 */
function* walk(bytes) {
  const walks = [walkJpeg, walkPng, walkWebp, walkGif, walkBoxes];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const one of walks) {
    let pieces = 0;
    try {
      for (const piece of one(bytes, view)) {
        if ((pieces += 1) > MOST_PIECES) return;
        yield piece;
      }
    } catch (error) {
      // It ends where it should go on; what was found until then is found.
      if (!(error instanceof RangeError)) throw error;
    }
  }
}

/** @param {Uint8Array} bytes @param {DataView} view @returns {Generator<Piece>} */
function* walkJpeg(bytes, view) {
  if (view.getUint16(0) !== 0xffd8) return;
  // The picture itself begins with the first scan; all metadata stands before it.
  for (let at = 2; view.getUint8(at) === 0xff && view.getUint8(at + 1) !== 0xda; ) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const length = view.getUint16(at + 2);
    const body = bytes.subarray(at + 4, at + 2 + length);
    // A JUMBF box of the type "c2pa".
    const jumbf = readText(body, 0, 2) === "JP" && readText(body, 12, 4) === "jumb";
    yield {
      manifest: marker === 0xeb && jumbf && readText(body, 24, 4) === "c2pa",
      xmp:
        marker === 0xe1 && readText(body, 0, XMP_HEAD.length) === XMP_HEAD
          ? body.subarray(XMP_HEAD.length)
          : undefined,
    };
    at += 2 + Math.max(2, length);
  }
}

/** @param {Uint8Array} bytes @param {DataView} view @returns {Generator<Piece>} */
function* walkPng(bytes, view) {
  if (readText(bytes, 0, 8) !== "\x89PNG\r\n\x1a\n") return;
  for (let at = 8; ; ) {
    const length = view.getUint32(at);
    const kind = readText(bytes, at + 4, 4);
    const body = bytes.subarray(at + 8, at + 8 + length);
    const xmp = kind === "iTXt" && readText(body, 0, 17) === "XML:com.adobe.xmp";
    yield { manifest: kind === "caBX", xmp: xmp ? body : undefined };
    if (kind === "IEND") return;
    at += 12 + length;
  }
}

/** @param {Uint8Array} bytes @param {DataView} view @returns {Generator<Piece>} */
function* walkWebp(bytes, view) {
  if (readText(bytes, 0, 4) !== "RIFF" || readText(bytes, 8, 4) !== "WEBP") return;
  for (let at = 12; ; ) {
    const kind = readText(bytes, at, 4);
    const length = view.getUint32(at + 4, true);
    yield {
      manifest: kind === "C2PA",
      xmp: kind === "XMP " ? bytes.subarray(at + 8, at + 8 + length) : undefined,
    };
    at += 8 + length + (length & 1);
  }
}

/** @param {Uint8Array} bytes @param {DataView} view @returns {Generator<Piece>} */
function* walkGif(bytes, view) {
  if (!readText(bytes, 0, 6).startsWith("GIF8")) return;
  const colours = view.getUint8(10);
  // Extensions of this kind stand before the first frame.
  for (let at = 13 + (colours & 0x80 ? 3 << ((colours & 7) + 1) : 0); view.getUint8(at) === 0x21; ) {
    const name = readText(bytes, at + 3, 8);
    yield { manifest: view.getUint8(at + 1) === 0xff && name === "C2PA_GIF" };
    at += 2;
    for (let size = view.getUint8(at); size > 0; size = view.getUint8(at)) at += 1 + size;
    at += 1;
  }
}

/** @param {Uint8Array} bytes @param {DataView} view @returns {Generator<Piece>} of AVIF */
function* walkBoxes(bytes, view) {
  if (readText(bytes, 4, 4) !== "ftyp") return;
  for (let at = 0; ; ) {
    let length = view.getUint32(at);
    if (length === 1) length = Number(view.getBigUint64(at + 8));
    const id = [...bytes.subarray(at + 8, at + 24)].map((byte) => byte.toString(16).padStart(2, "0"));
    yield { manifest: readText(bytes, at + 4, 4) === "uuid" && id.join("") === C2PA_BOX };
    // The last box may leave its length open.
    if (length < 8) return;
    at += length;
  }
}

/**
 * @param {Uint8Array} packet
 * @returns {string | null} host where XMP says that the manifest lies
 */
function findHost(packet) {
  const text = new TextDecoder().decode(packet.subarray(0, MOST_XMP));
  const [, address = ""] = PROVENANCE.exec(text) ?? [];
  return URL.canParse(address) ? new URL(address).host : null;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} length
 */
function readText(bytes, start, length) {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}
