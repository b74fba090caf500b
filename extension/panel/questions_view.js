/** Questions: what people ask first, with answers that can be read without the service. */

import { make } from "../shared/elements.js";

/** @typedef {import("./panel.js").Panel} Panel */

/** The fourth view. */
export class QuestionsView {
  /** @param {Panel} panel */
  constructor(panel) {
    this.panel = panel;
    this.element = make("section");
  }

  draw() {
    const { title, list } = this.panel.strings.panel.questions;
    const items = list.map(({ question, answer }) =>
      make("details", {}, [
        make("summary", {}, [question]),
        ...answer.map((paragraph) => make("p", {}, [paragraph])),
      ]),
    );
    this.element.replaceChildren(make("h1", {}, [title]), ...items);
  }
}
