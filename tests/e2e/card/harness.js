/** Puts a card beside the picture of this page, as the extension's content script does. */

import { mergeStrings } from "/extension/common/languages.js";
import { fitObject } from "/extension/content/boxes.js";
import { Card } from "/extension/content/card.js";
import { english } from "/extension/shared/strings.js";

const read = async (path) => (await fetch(path)).text();

/** Where an <img> stands, and where its pixels lie. */
function anchorOf(image) {
  if (!image.isConnected) return null;
  const rect = image.getBoundingClientRect();
  const { objectFit, objectPosition } = getComputedStyle(image);
  const natural = { width: image.naturalWidth, height: image.naturalHeight };
  return { rect, content: fitObject(rect, natural, objectFit, objectPosition) };
}

/** Make a card; `done` keeps what a person did with it. */
window.makeCard = async ({
  language = "en",
  theme = "system",
  picture = "#picture",
  container = "html",
} = {}) => {
  const files = await Promise.all(
    [...new Set(["en", language])].map(async (code) =>
      JSON.parse(await read(`/extension/languages/${code}.json`)),
    ),
  );
  const words = mergeStrings({ verdict: english.verdict, page: english.page }, ...files);
  const strings = { ...words, locale: words.language.locale, direction: words.language.direction };
  const sheets = await Promise.all(
    ["/extension/shared/palette.css", "/extension/content/card.css", "/extension/shared/verdict_view.css"].map(read),
  );
  const image = picture && document.querySelector(picture);
  window.done = [];
  window.card = new Card({
    strings,
    sheets,
    theme,
    anchor: () => image && anchorOf(image),
    container: () => document.querySelector(container),
    onClose: () => window.done.push("close"),
  });
};

/** Flag as the worker does; `refusals` holds what goes wrong, one after the other, and `signedIn` whether somebody is. */
function flagWith(offer = { host: null, picture: false }, note) {
  window.refusals ??= [];
  const act = async (deed) => {
    const refusal = window.refusals.shift();
    if (refusal) throw new Error(refusal);
    note("flagging")(deed);
    return "f1";
  };
  return {
    offer: async () => ({ ...offer, signedOut: offer.signedOut && !window.signedIn }),
    send: (wish) => act(JSON.stringify(wish)),
    undo: (flag) => act(`undo ${flag}`),
    signIn: () => note("flagging")("sign in"),
  };
}

/** Draw one state; every press is noted in `done`. */
window.showCard = (state, given = {}) => {
  const note = (name) => (value) => void window.done.push(value === undefined ? name : `${name} ${value}`);
  const names = given.ways ?? [];
  switch (state) {
    case "choice":
      return window.card.showChoice(given.candidates, note("pick"));
    case "progress":
      return window.card.showProgress(given.step, given.count, note("stop"));
    case "consent":
      return window.card.showConsent(given.notice, note("answer"));
    case "failure": {
      const ways = Object.fromEntries(names.map((name) => [name, note(name)]));
      if (ways.allow) ways.allow = { host: "cdn.example", act: ways.allow };
      return window.card.showFailure(given.failure, ways);
    }
    default: {
      const handlers = Object.fromEntries(
        names.map((name) => [name, name === "onForget" ? async () => note(name)() : note(name)]),
      );
      if (handlers.flagging) handlers.flagging = flagWith(given.offer, note);
      return window.card.showVerdict(given.outcome, handlers);
    }
  }
};
