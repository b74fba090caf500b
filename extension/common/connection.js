/** The service that is set, with a word of who is asking where it wants one. */

import { CheckFailure, Service } from "../shared/service.js";
import { Accounts } from "./accounts.js";
import { recallFacts } from "./checking.js";
import { AccountFailure } from "./cognito.js";

/** @typedef {{backend: string, key: string}} Address of a service, and the key that it asks for */

/**
 * @param {Address} address
 * @param {Pick<Accounts, "readPass">} [accounts]
 * @returns {Service}
 */
export function connect({ backend, key }, accounts = new Accounts()) {
  return new Service({
    base: backend,
    key,
    readToken: async (refused) => {
      const pass = await readPass(accounts, backend, refused);
      // A gateway's own refusal may be one that a browser keeps to itself, so it is not waited for.
      if (!pass && (await wantsSignIn({ backend, key }))) throw new CheckFailure("sign_in");
      return pass && pass.id;
    },
  });
}

/**
 * Say whether a person has to sign in before flagging, or deleting at the service.
 * @param {Address} address
 * @param {Pick<Accounts, "find">} [accounts]
 * @returns {Promise<boolean>} false where the service does not say
 */
export async function lacksSignIn(address, accounts = new Accounts()) {
  return (await wantsSignIn(address)) && (await accounts.find(address.backend)) === null;
}

/** @param {Address} address */
async function wantsSignIn({ backend, key }) {
  const facts = recallFacts(new Service({ base: backend, key }), { backend, key });
  return facts.then(
    ({ signIn }) => signIn !== null,
    () => false,
  );
}

/**
 * @param {Pick<Accounts, "readPass">} accounts
 * @param {string} backend
 * @param {string} [refused]
 */
async function readPass(accounts, backend, refused) {
  try {
    return await accounts.readPass(backend, refused);
  } catch (error) {
    if (!(error instanceof AccountFailure)) throw error;
    // Of what may go wrong on the way to new tokens, only this is nobody's fault.
    throw new CheckFailure(error.kind === "offline" ? "offline" : "sign_in");
  }
}
