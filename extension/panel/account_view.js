/** The account at the service that is set: made, signed in to, left, deleted. There only where it wants one. */

import { Accounts, CHANNEL } from "../common/accounts.js";
import { recallFacts } from "../common/checking.js";
import { AccountFailure, readPlace, UserPool } from "../common/cognito.js";
import { hostOf } from "../common/settings.js";
import { drawButton } from "../content/states.js";
import { make } from "../shared/elements.js";
import { CheckFailure } from "../shared/service.js";
import { fill } from "../shared/words.js";
import { askFirst } from "./dialogue.js";

/** @typedef {import("../common/cognito.js").Place} Place */
/** @typedef {import("./panel.js").Panel} Panel */
/** @typedef {Panel["strings"]["panel"]["account"]} Words */
/** @typedef {keyof Words["troubles"]} TroubleName */
/** @typedef {"email" | "password" | "code"} FieldName */

/**
 * What is shown: nothing, a form, or who is signed in.
 * @typedef {"hidden" | "insecure" | "signIn" | "signUp" | "code" | "forgot" | "reset" | "in"} Mode
 */

/**
 * A form of this view.
 * @typedef {object} Form
 * @property {FieldName[]} fields
 * @property {string} submit words of its main button
 * @property {() => Promise<void>} act
 * @property {HTMLButtonElement[]} ways other things to do
 */

/** @type {Partial<Record<TroubleName, FieldName>>} where a person can mend it */
const FIELDS = {
  bad_email: "email",
  exists: "email",
  no_account: "email",
  undelivered: "email",
  no_password: "password",
  weak_password: "password",
  wrong_password: "password",
  no_code: "code",
  wrong_code: "code",
  expired_code: "code",
};

/** A part of the settings. */
export class AccountView {
  /** @param {Panel} panel */
  constructor(panel) {
    this.panel = panel;
    this.accounts = new Accounts();
    /** @type {Mode} */
    this.mode = "hidden";
    /** @type {string | null} the service that all of this is about */
    this.service = null;
    /** @type {Place | null} */
    this.place = null;
    this.signedInAs = "";
    this.busy = false;
    // The answer to a former question must not overwrite that to a later one.
    this.turns = 0;
    this.fields = {
      email: makeField("email", { type: "email", autocomplete: "username" }),
      password: makeField("password", { type: "password" }),
      code: makeField("code", { autocomplete: "one-time-code", inputmode: "numeric" }),
    };
    this.title = make("h2", { id: "account-title", tabindex: "-1" });
    this.body = make("div");
    // It outlives each form, or nothing that comes with a change of forms would be read out.
    this.state = make("p", { class: "state", id: "account-state", role: "status", tabindex: "-1" });
    this.element = make("section", { class: "group", "aria-labelledby": "account-title", hidden: "" }, [
      this.title,
      this.body,
      this.state,
    ]);
    new BroadcastChannel(CHANNEL).addEventListener("message", () => void this.refresh());
  }

  get words() {
    return this.panel.strings.panel.account;
  }

  /**
   * Learn anew whether the service wants sign-in, and who is signed in.
   * @param {{ask?: boolean}} [how] ask: whether the service may be asked; an address that was only typed is not
   */
  async refresh({ ask = true } = {}) {
    const turn = (this.turns += 1);
    const { settings } = this.panel;
    const service = settings.backend;
    const told = ask ? recallFacts(this.panel.connect(), settings).then(({ signIn }) => signIn) : null;
    const [wanted, account] = await Promise.all([
      Promise.resolve(told).catch(() => null),
      this.accounts.find(service),
    ]);
    if (turn !== this.turns) return;
    const moved = service !== this.service;
    this.service = service;
    if (moved) this.clear();
    try {
      this.place = readPlace(wanted);
    } catch {
      this.place = null;
      this.enter("insecure");
      return;
    }
    const { place } = this;
    // What another user pool issued is worth nothing to this service any more.
    const outdated =
      account && place && (account.endpoint !== place.endpoint || account.clientId !== place.clientId);
    if (outdated) {
      await this.accounts.signOut(service);
      return;
    }
    this.signedInAs = account?.email ?? "";
    if (account) this.enter("in");
    else if (!place) this.enter("hidden");
    // Somebody may be typing into a form.
    else if (moved || ["hidden", "insecure", "in"].includes(this.mode)) this.enter("signIn");
  }

  /** A person came here to sign in. */
  focus() {
    if (this.mode === "hidden") return;
    this.title.scrollIntoView({ block: "start" });
    (this.body.querySelector("input") ?? this.title).focus({ preventScroll: true });
  }

  draw() {
    const { words, mode } = this;
    this.title.textContent = words.title;
    this.element.hidden = mode === "hidden";
    this.body.replaceChildren(...this.drawBody(mode));
    this.mark();
  }

  /**
   * @param {Mode} mode
   * @returns {Node[]}
   */
  drawBody(mode) {
    const { words } = this;
    if (mode === "hidden") return [];
    if (mode === "insecure") return [make("p", {}, [words.troubles.insecure])];
    if (mode === "in") return this.drawSignedIn();
    return this.drawForm(this.formOf(mode));
  }

  drawSignedIn() {
    const { words } = this;
    const [before, after] = words.signedInAs.split("{email}");
    return [
      make("p", {}, [before, make("bdi", {}, [this.signedInAs]), after]),
      make("div", { class: "actions" }, [
        drawButton(words.signOut, () => void this.attempt(() => this.signOut())),
        drawButton(words.remove, () => void this.attempt(() => this.remove()), "quiet grave"),
      ]),
    ];
  }

  /**
   * @param {Exclude<Mode, "hidden" | "insecure" | "in">} mode
   * @returns {Form}
   */
  formOf(mode) {
    const { words } = this;
    const way = (/** @type {string} */ name, /** @type {Mode} */ to) => drawButton(name, () => this.go(to));
    const back = way(words.back, "signIn");
    const resend = drawButton(words.resend, () => void this.attempt(() => this.resend()));
    /** @type {Record<typeof mode, Form>} */
    const forms = {
      signIn: {
        fields: ["email", "password"],
        submit: words.signIn,
        act: () => this.signIn(),
        ways: [way(words.signUp, "signUp"), way(words.forgot, "forgot")],
      },
      signUp: {
        fields: ["email", "password"],
        submit: words.signUp,
        act: () => this.signUp(),
        ways: [back],
      },
      code: { fields: ["code"], submit: words.confirm, act: () => this.confirm(), ways: [resend, back] },
      forgot: { fields: ["email"], submit: words.sendCode, act: () => this.forgot(), ways: [back] },
      reset: {
        fields: ["code", "password"],
        submit: words.setPassword,
        act: () => this.reset(),
        ways: [way(words.resend, "forgot"), back],
      },
    };
    return forms[mode];
  }

  /**
   * @param {Form} form
   * @returns {Node[]}
   */
  drawForm({ fields, submit, act, ways }) {
    const { words, mode, place } = this;
    const { password } = this.fields;
    const known = mode === "signIn";
    password.setAttribute("autocomplete", known ? "current-password" : "new-password");
    const labels = {
      email: words.email,
      password: mode === "reset" ? words.newPassword : words.password,
      code: words.code,
    };
    const rows = fields.map((name) =>
      make("div", { class: "field" }, [
        make("label", { for: this.fields[name].id }, [labels[name]]),
        this.fields[name],
        ...(name === "password" ? [this.drawShow()] : []),
      ]),
    );
    const form = make("form", { novalidate: "", "aria-labelledby": "account-title" }, [
      ...rows,
      make("div", { class: "actions" }, [make("button", { type: "submit", class: "main" }, [submit]), ...ways]),
    ]);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.attempt(async () => {
        this.inspect(fields);
        await allowSending();
        await act();
      });
    });
    const { service } = this;
    const host = service === null ? "" : hostOf(service);
    const lead = known ? fill(words.lead, { host }) : words.leads[/** @type {keyof Words["leads"]} */ (mode)];
    return [
      make("p", {}, [lead]),
      form,
      make("p", { class: "aside" }, [fill(words.where, { place: place ? new URL(place.endpoint).host : "" })]),
    ];
  }

  drawShow() {
    const { password } = this.fields;
    const show = make("input", { id: "account-show", type: "checkbox" });
    show.checked = password.type === "text";
    show.addEventListener("change", () => (password.type = show.checked ? "text" : "password"));
    return make("label", { class: "choice" }, [show, this.words.showPassword]);
  }

  /**
   * Show another form because a person asked for it.
   * @param {Mode} mode
   */
  go(mode) {
    if (this.busy) return;
    this.fields.password.value = "";
    this.enter(mode);
    this.say("");
  }

  /** @param {Mode} mode */
  enter(mode) {
    if (this.mode !== mode) {
      for (const field of Object.values(this.fields)) field.ariaInvalid = null;
      this.fields.code.value = "";
    }
    // Needed once more after the code only.
    if (["in", "hidden", "insecure"].includes(mode)) this.fields.password.value = "";
    const focused = this.body.contains(document.activeElement);
    this.mode = mode;
    this.draw();
    if (focused) (this.body.querySelector("input") ?? this.state).focus();
  }

  clear() {
    for (const field of Object.values(this.fields)) field.value = "";
    this.say("");
  }

  /** Show whether a press would do anything. Not `disabled`: that would throw the focus out. */
  mark() {
    for (const button of this.body.querySelectorAll("button")) {
      button.ariaDisabled = this.busy ? "true" : null;
    }
  }

  /**
   * Do one thing at a time, and say what came of it.
   * @param {() => Promise<void>} act
   */
  async attempt(act) {
    if (this.busy) return;
    this.busy = true;
    this.mark();
    this.say(this.words.working);
    for (const field of Object.values(this.fields)) field.ariaInvalid = null;
    try {
      await act();
    } catch (error) {
      this.tellTrouble(error);
    } finally {
      this.busy = false;
      this.mark();
    }
  }

  /** @param {unknown} error */
  tellTrouble(error) {
    const { troubles } = this.words;
    const kind = nameTrouble(error);
    if (kind === "not_confirmed") this.enter("code");
    if (kind === "reset_wanted") this.enter("forgot");
    if (kind === "signed_out") void this.refresh();
    this.say(troubles[kind], true);
    const name = FIELDS[kind];
    if (!name || !this.fields[name].isConnected) return;
    this.fields[name].ariaInvalid = "true";
    this.fields[name].focus();
  }

  /**
   * Find out here what Cognito would only say after it was sent.
   * @param {FieldName[]} fields
   * @throws {Flaw}
   */
  inspect(fields) {
    const { email, password, code } = this.read();
    if (fields.includes("email") && !/^\S+@\S+$/.test(email)) throw new Flaw("bad_email");
    if (fields.includes("code") && code === "") throw new Flaw("no_code");
    if (fields.includes("password") && password === "") throw new Flaw("no_password");
  }

  read() {
    const { email, password, code } = this.fields;
    return { email: email.value.trim(), password: password.value, code: code.value.replace(/\s/g, "") };
  }

  /** @returns {{service: string, place: Place, pool: UserPool}} what the form on show is about */
  aim() {
    const { service, place } = this;
    if (service === null || place === null) throw new AccountFailure("server");
    return { service, place, pool: new UserPool(place) };
  }

  async signIn() {
    const { service, place } = this.aim();
    const { email, password } = this.read();
    await this.accounts.signIn(service, place, email, password);
    await this.refresh();
    this.say(this.words.signedIn);
  }

  async signUp() {
    const { email, password } = this.read();
    if (await this.aim().pool.signUp(email, password)) {
      await this.signIn();
      return;
    }
    this.enter("code");
    this.say(fill(this.words.codeSent, { email }));
  }

  async confirm() {
    const { email, password, code } = this.read();
    try {
      await this.aim().pool.confirmSignUp(email, code);
    } catch (error) {
      // The mail may hold a link as well.
      if (!(error instanceof AccountFailure) || error.kind !== "confirmed") throw error;
    }
    if (password !== "") {
      await this.signIn();
      return;
    }
    this.enter("signIn");
    this.say(this.words.confirmed);
  }

  async resend() {
    const { email } = this.read();
    try {
      await this.aim().pool.resendCode(email);
    } catch (error) {
      if (!(error instanceof AccountFailure) || error.kind !== "confirmed") throw error;
      this.enter("signIn");
      this.say(this.words.confirmed);
      return;
    }
    this.say(fill(this.words.codeSent, { email }));
  }

  async forgot() {
    const { email } = this.read();
    await this.aim().pool.forgotPassword(email);
    this.enter("reset");
    this.say(fill(this.words.resetSent, { email }));
  }

  async reset() {
    const { email, password, code } = this.read();
    await this.aim().pool.confirmForgotPassword(email, code, password);
    await this.signIn();
  }

  async signOut() {
    if (this.service !== null) await this.accounts.signOut(this.service);
    await this.refresh();
    this.say(this.words.signedOut);
  }

  async remove() {
    const { words, service } = this;
    const agreed = await askFirst({
      title: words.removeTitle,
      text: fill(words.removeText, { email: this.signedInAs }),
      yes: words.remove,
      no: words.keep,
    });
    if (!agreed || service === null) {
      this.say("");
      return;
    }
    // While it can still be told whose they are.
    await this.panel.connect().forgetFlags();
    await this.accounts.deleteAccount(service);
    await this.refresh();
    this.say(words.removed);
  }

  /**
   * @param {string} sentence
   * @param {boolean} [wrong] whether it is about something that went wrong
   */
  say(sentence, wrong = false) {
    this.state.toggleAttribute("data-wrong", wrong);
    this.state.textContent = sentence;
  }
}

/** @param {unknown} error @returns {TroubleName} what a person is told */
function nameTrouble(error) {
  if (error instanceof AccountFailure || error instanceof Flaw) return error.kind;
  if (!(error instanceof CheckFailure)) return "server";
  const { kind } = error;
  return kind === "offline" ? kind : kind === "sign_in" ? "signed_out" : "server";
}

/** What was typed cannot be right, or must not be sent. */
class Flaw extends Error {
  /** @param {"bad_email" | "no_code" | "no_password" | "not_allowed"} kind */
  constructor(kind) {
    super(kind);
    this.kind = kind;
  }
}

/**
 * Where the browser wants to be asked before a name or a password is sent to anybody, have it ask. It does so once.
 * @throws {Flaw} the person does not want that
 */
async function allowSending() {
  const { gecko } = /** @type {any} */ (chrome.runtime.getManifest()).browser_specific_settings ?? {};
  const kinds = gecko?.data_collection_permissions.optional;
  if (!kinds) return;
  const request = /** @type {chrome.permissions.Permissions} */ ({ data_collection: kinds });
  if (!(await chrome.permissions.request(request))) throw new Flaw("not_allowed");
}

/**
 * A field that outlives the forms that it stands in.
 * @param {FieldName} name
 * @param {Record<string, string>} attributes
 */
function makeField(name, attributes) {
  return make("input", {
    id: `account-${name}`,
    dir: "ltr",
    spellcheck: "false",
    autocapitalize: "off",
    "aria-describedby": "account-state",
    ...attributes,
  });
}
