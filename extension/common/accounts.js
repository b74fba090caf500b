/**
 * Who is signed in, at which service, and the tokens that show it. For the worker and the extension's own pages
 * only: no message hands a token, or the password that it came for, to anybody else.
 */

import { AccountFailure, UserPool } from "./cognito.js";
import { Vault } from "./vault.js";

/** @typedef {import("./cognito.js").Place} Place */
/** @typedef {import("./cognito.js").Tokens} Tokens */
/** @typedef {import("./vault.js").Account} Account */

/** @typedef {{id: string, access: string, until: number}} Pass until: ms, by this computer's clock */

/** The name of the BroadcastChannel on which it is told that somebody signed in or out. */
export const CHANNEL = "unmask-accounts";

// A token that runs out on its way to the service would be refused there.
const MARGIN_MS = 60_000;

/** The accounts of this browser's person, one a service. */
export class Accounts {
  /**
   * @param {object} [means] what tests have others of
   * @param {Pick<Vault, "get" | "put" | "remove">} [means.vault]
   * @param {() => number} [means.now] ms
   */
  constructor({ vault = new Vault(), now = Date.now } = {}) {
    this.vault = vault;
    this.now = now;
  }

  /**
   * Say who is signed in at a service.
   * @param {string} service its address
   * @returns {Promise<Omit<Account, "refresh"> | null>}
   */
  async find(service) {
    const account = await this.vault.get(service);
    if (!account) return null;
    const { endpoint, clientId, email } = account;
    return { service, endpoint, clientId, email };
  }

  /**
   * @param {string} service its address
   * @param {Place} place
   * @param {string} email
   * @param {string} password
   * @throws {AccountFailure}
   */
  async signIn(service, place, email, password) {
    const tokens = await new UserPool(place).signIn(email, password);
    const { refresh } = tokens;
    if (refresh === null) throw new AccountFailure("server");
    await inTurn(service, async () => {
      await this.vault.put({ service, ...place, email, refresh });
      await this.keep(service, tokens);
    });
    tell();
  }

  /**
   * Read what shows a service who is asking, renewed where it is about to run out. Whoever asks meanwhile,
   * in whatever part of the extension, waits for the same renewal.
   * @param {string} service its address
   * @param {string} [refused] an id token that the service did not take; never the one that is returned
   * @returns {Promise<Pass | null>} null where nobody is signed in
   * @throws {AccountFailure}
   */
  async readPass(service, refused) {
    return inTurn(service, async () => {
      const account = await this.vault.get(service);
      if (!account) return null;
      const pass = await this.recall(service);
      if (pass && pass.id !== refused && pass.until - MARGIN_MS > this.now()) return pass;
      try {
        const tokens = await new UserPool(account).refresh(account.refresh);
        if (tokens.refresh !== null) await this.vault.put({ ...account, refresh: tokens.refresh });
        return await this.keep(service, tokens);
      } catch (error) {
        if (!(error instanceof AccountFailure) || error.kind !== "signed_out") throw error;
        await this.forget(service);
        return null;
      }
    });
  }

  /**
   * Forget all that there is of an account, here at once and whether or not anybody can be reached.
   * @param {string} service its address
   */
  async signOut(service) {
    const account = await inTurn(service, async () => {
      const known = await this.vault.get(service);
      await this.forget(service);
      return known;
    });
    // What cannot be revoked now runs out by itself.
    if (account) void new UserPool(account).revoke(account.refresh).catch(() => {});
  }

  /**
   * Delete the account where it is, and forget it here. One that is already gone counts as deleted.
   * @param {string} service its address
   * @throws {AccountFailure} "signed_out": it was not deleted, and cannot be without signing in anew
   */
  async deleteAccount(service) {
    const account = await this.vault.get(service);
    const pass = await this.readPass(service);
    if (!account || !pass) throw new AccountFailure("signed_out");
    const kind = await new UserPool(account).deleteUser(pass.access).catch(nameKind);
    await inTurn(service, () => this.forget(service));
    if (kind === "signed_out") throw new AccountFailure(kind);
  }

  /**
   * @param {string} service
   * @param {Tokens} tokens
   * @returns {Promise<Pass>}
   */
  async keep(service, { id, access, lifetime }) {
    const pass = { id, access, until: this.now() + lifetime };
    await chrome.storage.session.set({ [nameOf(service)]: pass });
    return pass;
  }

  /** @param {string} service @returns {Promise<Pass | undefined>} */
  async recall(service) {
    const name = nameOf(service);
    const kept = /** @type {Record<string, Pass | undefined>} */ (await chrome.storage.session.get(name));
    return kept[name];
  }

  /** @param {string} service */
  async forget(service) {
    await Promise.all([this.vault.remove(service), chrome.storage.session.remove(nameOf(service))]);
    tell();
  }
}

/**
 * Name the place of a pass. It is kept in memory by the browser, gone with it, and out of reach for pages.
 * @param {string} service
 */
function nameOf(service) {
  return `pass ${service}`;
}

/**
 * Do one thing at a time about an account: the worker and several panels share it.
 * @template Result
 * @param {string} service
 * @param {() => Promise<Result>} act
 * @returns {Promise<Result>}
 */
async function inTurn(service, act) {
  return navigator.locks.request(`unmask-account ${service}`, act);
}

/**
 * Let through what ends an account here, whatever is true of it there.
 * @param {unknown} error
 * @returns {"signed_out" | "no_account"}
 */
function nameKind(error) {
  if (!(error instanceof AccountFailure)) throw error;
  const { kind } = error;
  if (kind !== "signed_out" && kind !== "no_account") throw error;
  return kind;
}

function tell() {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage({ kind: "changed" });
  channel.close();
}
