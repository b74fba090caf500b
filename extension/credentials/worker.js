/** The thread that reads manifests: loads the WebAssembly of c2pa-rs, answers one order. */

/** @typedef {typeof import("@contentauth/c2pa-wasm")} Reader */

const WASM = new URL("../vendor/c2pa_bg.wasm", import.meta.url);

addEventListener("message", async ({ data }) => {
  postMessage(await read(data));
});

/**
 * @param {import("./reading.js").Order} order
 * @returns {Promise<import("./reading.js").Reading>}
 */
async function read({ picture, type, trustList }) {
  /** @type {Reader} */
  let reader;
  try {
    // Copied in when the extension is put together; a copy that was put together without it has none.
    // @ts-expect-error -- it does not lie here, among the sources
    reader = await import("../vendor/c2pa.js");
    await reader.default({ module_or_path: WASM });
  } catch {
    return { error: "unavailable" };
  }
  // From here on nothing is fetched, whatever the file asks for and whatever the settings below are taken for.
  globalThis.fetch = () => Promise.reject(new Error("nothing is fetched here"));
  postMessage({ ready: true });
  const settings = {
    trust: trustList ? { user_anchors: trustList } : {},
    verify: { verify_trust: true, remote_manifest_fetch: false, ocsp_fetch: false },
  };
  try {
    const bytes = new Uint8Array(await picture.arrayBuffer());
    const opened = await reader.WasmReader.fromBytes(type, bytes, JSON.stringify(settings));
    return { store: opened.json() };
  } catch {
    return { error: "unreadable" };
  }
}
