/** The page: takes pictures in, checks them one after another, tells what the model covers. */

import { Card } from "./cards.js";
import { make } from "./elements.js";
import { Service } from "./service.js";
import { english as strings } from "./strings.js";
import { fill } from "./words.js";

// More would keep a person waiting, and a small service busy, for minutes.
const MOST_PICTURES = 10;

const choose = /** @type {HTMLButtonElement} */ (document.getElementById("choose"));
const files = /** @type {HTMLInputElement} */ (document.getElementById("files"));
const drop = /** @type {HTMLElement} */ (document.getElementById("drop"));
const notice = /** @type {HTMLElement} */ (document.getElementById("notice"));
const status = /** @type {HTMLElement} */ (document.getElementById("status"));
const results = /** @type {HTMLElement} */ (document.getElementById("results"));

// A service that is open to other machines wants a key, which the fragment of an address never sends along.
const service = new Service({ key: new URLSearchParams(location.hash.slice(1)).get("key") ?? "" });

/** @type {Card[]} */
const queue = [];
let busy = false;

/** @type {Promise<import("./service.js").Model> | null} */
let model = null;

/** Ask for the model's facts once; a failure is asked again the next time. */
function recallModel() {
  model ??= service.readModel();
  return model.catch(() => {
    model = null;
    return null;
  });
}

/** @type {Promise<import("./cards.js").Rights> | null} */
let rights = null;

/** Ask once what may be done about a verdict; a failure is asked again the next time. */
function recallRights() {
  rights ??= service.readHealth().then(({ flags, sign_in: place }) => ({ flags, signIn: Boolean(place) }));
  return rights.catch(() => {
    rights = null;
    return { flags: false, signIn: false };
  });
}

/** @param {string} sentence */
function announce(sentence) {
  status.textContent = sentence;
}

/** @param {Card} card */
function enqueue(card) {
  queue.push(card);
  if (!busy) void work();
}

/** Check one picture after the other. */
async function work() {
  busy = true;
  for (let card = queue.shift(); card; card = queue.shift()) await card.check();
  busy = false;
}

/**
 * Take pictures in; the newest stand on top.
 * @param {File[]} pictures at least one
 * @param {(picture: File) => string} name what each is, in words
 */
function takePictures(pictures, name) {
  const taken = pictures.slice(0, MOST_PICTURES);
  notice.textContent =
    pictures.length > taken.length
      ? fill(strings.page.tooMany, { most: MOST_PICTURES, count: pictures.length })
      : "";
  const cards = taken.map(
    (picture) => new Card(picture, name(picture), { strings, service, recallModel, recallRights, announce, enqueue }),
  );
  results.prepend(...cards.map((card) => card.element));
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  cards[0].element.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  cards.forEach(enqueue);
}

/** @param {DragEvent | ClipboardEvent} event */
function filesOf(event) {
  const data = event instanceof DragEvent ? event.dataTransfer : event.clipboardData;
  return [...(data?.files ?? [])];
}

function listen() {
  choose.addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    if (files.files?.length) takePictures([...files.files], (picture) => picture.name);
    // Choosing the same file once more is a change too.
    files.value = "";
  });
  // Anywhere on the page, so that a near miss does not make the browser leave it for the picture.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.dataset.over = "";
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) delete drop.dataset.over;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    delete drop.dataset.over;
    const pictures = filesOf(event);
    if (pictures.length > 0) takePictures(pictures, (picture) => picture.name);
    else notice.textContent = strings.page.nothingDropped;
  });
  addEventListener("paste", (event) => {
    const pictures = filesOf(event);
    if (pictures.length > 0) takePictures(pictures, () => strings.page.pasted);
    else notice.textContent = strings.page.nothingPasted;
  });
}

/** Tell what the model covers and cannot see. */
async function drawModel() {
  const facts = await recallModel();
  const covers = /** @type {HTMLElement} */ (document.getElementById("covers"));
  const limits = /** @type {HTMLElement} */ (document.getElementById("limits"));
  const about = /** @type {HTMLElement} */ (document.getElementById("about-model"));
  const terms = /** @type {HTMLElement} */ (document.getElementById("terms"));
  const state = /** @type {HTMLElement} */ (document.getElementById("model-state"));
  if (facts === null) {
    const retry = make("button", { type: "button", class: "quiet" }, [strings.page.retry]);
    retry.addEventListener("click", () => void drawModel());
    state.replaceChildren(strings.page.modelFailed, " ", retry);
    return;
  }
  state.replaceChildren();
  about.textContent = fill(strings.page.modelName, { name: facts.name, version: facts.version });
  terms.textContent = facts.terms;
  covers.replaceChildren(...facts.covers.map((sentence) => make("li", {}, [sentence])));
  limits.replaceChildren(...facts.limits.map((sentence) => make("li", {}, [sentence])));
}

listen();
void drawModel();
