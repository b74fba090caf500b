/** Which pictures an element shows: as itself, as its backgrounds, and before and after itself. */

/** @typedef {import("./boxes.js").Size} Size */
/** @typedef {import("./boxes.js").Layer} Layer */
/** @typedef {"image" | "background" | "svg" | "canvas" | "video" | "poster" | "link" | "frame" | "area"} Kind */

/**
 * One picture on a page.
 * @typedef {object} Picture
 * @property {Kind} kind
 * @property {Element} element
 * @property {string | null} url absolute
 * @property {Size | null} natural as the layout counts, CSS px; null where the page does not know
 * @property {string[]} [names] further addresses that the browser may call it by
 * @property {Layer & {density: number}} [layer] of a background of the element itself
 * @property {boolean} [pseudo] shown before or after the element's content: its own box cannot be had
 */

/** Elements that are pictures by themselves. */
export const TAGS = "img, image, canvas, video, object, embed, input[type='image' i]";

const PICTURE_NAME = /\.(jpe?g|png|gif|webp|avif)$/i;
const LABEL_LENGTH = 80;
// Before it has any frame, a video shows its poster.
const HAS_FRAME = 2;

/**
 * @param {Element} element
 * @returns {Picture | null} null where it is no picture, or a broken or empty one
 */
export function readPicture(element) {
  switch (element.localName) {
    case "img":
      return readImage(/** @type {HTMLImageElement} */ (element));
    case "image": {
      const image = /** @type {SVGImageElement} */ (element);
      const url = resolve(image.href?.baseVal, image);
      return url ? { kind: "svg", element, url, natural: null } : null;
    }
    case "canvas": {
      const { width, height } = /** @type {HTMLCanvasElement} */ (element);
      return width && height ? { kind: "canvas", element, url: null, natural: { width, height } } : null;
    }
    case "video":
      return readVideo(/** @type {HTMLVideoElement} */ (element));
    case "area": {
      const { name } = /** @type {HTMLMapElement} */ (element.closest("map") ?? {});
      const root = /** @type {Document | ShadowRoot} */ (element.getRootNode());
      const image = name ? root.querySelector(`img[usemap="#${CSS.escape(name)}" i]`) : null;
      return image && readPicture(image);
    }
    case "object":
    case "embed": {
      const { data, src, type } = /** @type {HTMLObjectElement & HTMLEmbedElement} */ (element);
      const url = resolve(data || src, element);
      const whole = type ? type.startsWith("image/") : isPictureAddress(url);
      return url && whole ? { kind: "image", element, url, natural: null } : null;
    }
    case "input": {
      const { type, src } = /** @type {HTMLInputElement} */ (element);
      const url = type === "image" ? resolve(src, element) : null;
      return url ? { kind: "image", element, url, natural: null } : null;
    }
    default:
      return null;
  }
}

/** @param {HTMLImageElement} image @returns {Picture | null} */
function readImage(image) {
  // A style may put another picture into the place of the element's own.
  const [other] = readUrls(getComputedStyle(image).content, image);
  if (other) return { kind: "image", element: image, url: other.url, natural: null };
  const url = resolve(image.currentSrc || image.src, image);
  const { complete, naturalWidth: width, naturalHeight: height } = image;
  // A drawing may do without a size; all else without one is broken.
  if (!url || (complete && !(width && height) && !/\.svg|svg\+xml/.test(url))) return null;
  return { kind: "image", element: image, url, natural: width && height ? { width, height } : null };
}

/** @param {HTMLVideoElement} video @returns {Picture} */
function readVideo(video) {
  const source = resolve(video.currentSrc || video.src, video);
  const poster = video.poster ? resolve(video.poster, video) : null;
  const names = [source, poster].filter((name) => name !== null);
  const { videoWidth: width, videoHeight: height } = video;
  const untouched = video.paused && video.played.length === 0 && video.currentTime === 0;
  if (poster && (untouched || video.readyState < HAS_FRAME)) {
    return { kind: "poster", element: video, url: poster, natural: null, names };
  }
  return {
    kind: "video",
    element: video,
    url: isLive(video) ? null : source,
    natural: width && height ? { width, height } : null,
    names,
  };
}

/** @param {Element} element @returns {boolean} a video that comes from a stream: it has no address to fetch */
export function isLive(element) {
  if (element.localName !== "video") return false;
  const { srcObject, currentSrc } = /** @type {HTMLVideoElement} */ (element);
  // A blob: address is a media source nearly always, and nothing tells the two apart.
  return Boolean(srcObject) || currentSrc.startsWith("blob:");
}

/** @param {Element} element @returns {boolean} a video that runs */
export function isPlaying(element) {
  if (element.localName !== "video") return false;
  const { paused, ended, readyState } = /** @type {HTMLVideoElement} */ (element);
  return !paused && !ended && readyState >= HAS_FRAME;
}

/**
 * @param {Element} element
 * @returns {Picture[]} topmost first
 */
export function readBackgrounds(element) {
  const own = readLayers(getComputedStyle(element), element);
  const around = ["::after", "::before"].flatMap((name) => {
    const style = getComputedStyle(element, name);
    // Without content there is no such box.
    if (!style.content || ["none", "normal"].includes(style.content)) return [];
    if (style.display === "none" || style.visibility !== "visible" || Number(style.opacity) === 0) return [];
    const found = [...readUrls(style.content, element), ...readLayers(style, element).map(({ url }) => ({ url }))];
    return found.map(({ url }) => ({ url, pseudo: true }));
  });
  return [...around, ...own].map((found) => ({ kind: "background", element, natural: null, ...found }));
}

/**
 * @param {CSSStyleDeclaration} style computed
 * @param {Element} element
 * @returns {{url: string, layer: Layer & {density: number}}[]} topmost first
 */
function readLayers(style, element) {
  if (!style.backgroundImage.includes("url(") || style.backgroundClip === "text") return [];
  return splitList(style.backgroundImage).flatMap((image, index) => {
    const of = (/** @type {string} */ list) => {
      const values = splitList(list);
      return values[index % values.length];
    };
    const layer = {
      size: of(style.backgroundSize),
      position: of(style.backgroundPosition),
      repeat: of(style.backgroundRepeat),
      origin: of(style.backgroundOrigin),
      attachment: of(style.backgroundAttachment),
    };
    return readUrls(image, element)
      .slice(0, 1)
      .map(({ url, density }) => ({ url, layer: { ...layer, density } }));
  });
}

/**
 * @param {string} value computed
 * @param {Element} element
 */
function readUrls(value, element) {
  const ratio = element.ownerDocument.defaultView?.devicePixelRatio ?? 1;
  return splitList(value).flatMap((part) => {
    const chosen = chooseUrl(part, ratio);
    const url = chosen && resolve(chosen.url, element);
    return url ? [{ url, density: chosen.density }] : [];
  });
}

/**
 * Find the address that a CSS image leads to, on a screen with so many pixels for one of CSS.
 * @param {string} image computed: url(), image-set(), or another function around them
 * @param {number} ratio
 * @returns {{url: string, density: number} | null} null for a gradient and the like
 */
export function chooseUrl(image, ratio) {
  const set = /^(?:-webkit-)?image-set\((.*)\)$/s.exec(image.trim());
  if (!set) {
    const url = readUrl(image);
    return url === null ? null : { url, density: 1 };
  }
  const choices = splitList(set[1])
    .map((choice) => ({ url: readUrl(choice), density: readDensity(choice) }))
    .filter((choice) => choice.url !== null)
    .sort((a, b) => a.density - b.density);
  const chosen = choices.find(({ density }) => density >= ratio) ?? choices.at(-1);
  return chosen ? { url: String(chosen.url), density: chosen.density } : null;
}

/** @param {string} text @returns {string | null} */
function readUrl(text) {
  const match = /url\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^"')]*))\s*\)/s.exec(text);
  if (!match) return null;
  return (match[1] ?? match[2] ?? match[3]).replace(/\\(.)/gs, "$1") || null;
}

/** @param {string} choice of an image-set @returns {number} pixels for one of CSS */
function readDensity(choice) {
  const match = /([\d.]+)(dppx|x|dpi|dpcm)(?![^(]*"\s*\))/.exec(choice.replace(/"(?:[^"\\]|\\.)*"/gs, '""'));
  if (!match) return 1;
  return Number(match[1]) / ({ dpi: 96, dpcm: 96 / 2.54 }[match[2]] ?? 1);
}

/**
 * Split a list of CSS values at its own commas, not at those inside brackets or quotes.
 * @param {string} list
 * @returns {string[]}
 */
export function splitList(list) {
  const pieces = list.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[(),]|[^"'(),]+/gs) ?? [];
  const parts = [""];
  let depth = 0;
  for (const piece of pieces) {
    depth += { "(": 1, ")": -1 }[piece] ?? 0;
    if (piece === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += piece;
  }
  return parts.map((part) => part.trim());
}

/**
 * @param {string | null | undefined} address
 * @param {Element} element
 * @returns {string | null} absolute; null for what no picture can come from
 */
function resolve(address, element) {
  if (!address) return null;
  try {
    const url = new URL(address, element.baseURI);
    return /^(https?|data|blob):$/.test(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * Tell from an address alone whether a picture should be there.
 * @param {string | null | undefined} address
 * @returns {boolean}
 */
export function isPictureAddress(address) {
  if (!address || !URL.canParse(address)) return false;
  const { protocol, pathname, searchParams } = new URL(address);
  if (protocol === "data:") return pathname.startsWith("image/");
  if (!/^https?:$/.test(protocol)) return false;
  return PICTURE_NAME.test(pathname) || PICTURE_NAME.test(`.${searchParams.get("format")}`);
}

/**
 * Name a picture for a person who has to choose between several.
 * @param {Picture} picture
 * @returns {string} its description, else the name of its file, else nothing
 */
export function labelPicture({ element, url }) {
  const words = ["alt", "aria-label", "title"].map((name) => element.getAttribute(name)?.trim());
  return (words.find(Boolean) ?? nameFile(url)).slice(0, LABEL_LENGTH);
}

/**
 * @param {string | null} url
 * @returns {string} empty for an address that has no name in it
 */
export function nameFile(url) {
  if (!url || !/^https?:/.test(url)) return "";
  const name = new URL(url).pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
