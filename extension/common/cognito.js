/**
 * The user pool API of Amazon Cognito, as far as an app client without a secret may use it: an account is made,
 * confirmed, signed in to, refreshed, left and deleted. The e-mail address is the name of the user.
 *
 * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/
 */

import { isLoopback } from "./hosts.js";

/**
 * Where a service has its people.
 * @typedef {object} Place
 * @property {string} endpoint of the API
 * @property {string} clientId
 */

/**
 * @typedef {object} Tokens
 * @property {string} id shown to the service
 * @property {string} access shown to Cognito
 * @property {string | null} refresh brings new ones; null where the one before stays
 * @property {number} lifetime of `id` and `access`, ms
 */

/**
 * @typedef {"wrong_password" | "not_confirmed" | "reset_wanted" | "exists" | "no_account" | "bad_email"
 *   | "weak_password" | "wrong_code" | "expired_code" | "confirmed" | "undelivered" | "too_many" | "disabled"
 *   | "second_step" | "signed_out" | "insecure" | "offline" | "server"} Trouble
 */

// Longer than it ever takes, shorter than anybody waits.
const PATIENCE_MS = 20_000;

/** What became of an attempt to do something about an account. */
export class AccountFailure extends Error {
  /** @param {Trouble} kind */
  constructor(kind) {
    super(kind);
    this.kind = kind;
  }
}

/**
 * Read where a service has its people. A password goes there, so nobody in between may read it.
 * @param {unknown} told `sign_in` of the service's health
 * @returns {Place | null} null where the service wants no sign-in
 * @throws {AccountFailure} "insecure": neither https nor on this computer, or no address at all
 */
export function readPlace(told) {
  if (told === null || told === undefined) return null;
  const { endpoint, client_id: clientId } = /** @type {Record<string, unknown>} */ (told);
  if (typeof endpoint !== "string" || typeof clientId !== "string" || !URL.canParse(endpoint)) {
    throw new AccountFailure("insecure");
  }
  const { protocol, hostname, username, password, href } = new URL(endpoint);
  const safe = protocol === "https:" || (protocol === "http:" && isLoopback(hostname));
  if (!safe || username || password) throw new AccountFailure("insecure");
  return { endpoint: href, clientId };
}

/** The people of one service. */
export class UserPool {
  /** @param {Place} place */
  constructor({ endpoint, clientId }) {
    this.endpoint = endpoint;
    this.clientId = clientId;
  }

  /**
   * Make an account.
   * @param {string} email
   * @param {string} password
   * @returns {Promise<boolean>} whether it can be used already; else a code is on its way
   * @throws {AccountFailure}
   */
  async signUp(email, password) {
    const answer = await this.ask("SignUp", {
      Username: email,
      Password: password,
      UserAttributes: [{ Name: "email", Value: email }],
    });
    return answer?.UserConfirmed === true;
  }

  /**
   * @param {string} email
   * @param {string} code that came by mail
   * @throws {AccountFailure}
   */
  async confirmSignUp(email, code) {
    await this.ask("ConfirmSignUp", { Username: email, ConfirmationCode: code });
  }

  /**
   * @param {string} email
   * @throws {AccountFailure}
   */
  async resendCode(email) {
    await this.ask("ResendConfirmationCode", { Username: email });
  }

  /**
   * @param {string} email
   * @param {string} password
   * @returns {Promise<Tokens>}
   * @throws {AccountFailure}
   */
  async signIn(email, password) {
    return this.authenticate("USER_PASSWORD_AUTH", { USERNAME: email, PASSWORD: password });
  }

  /**
   * @param {string} token that brings new ones
   * @returns {Promise<Tokens>}
   * @throws {AccountFailure} "signed_out": it does so no longer
   */
  async refresh(token) {
    return this.authenticate("REFRESH_TOKEN_AUTH", { REFRESH_TOKEN: token });
  }

  /**
   * Make a refresh token, and all that came from it, worthless.
   * @param {string} token
   * @throws {AccountFailure}
   */
  async revoke(token) {
    await this.ask("RevokeToken", { Token: token });
  }

  /**
   * Have a code sent with which a new password can be set.
   * @param {string} email
   * @throws {AccountFailure}
   */
  async forgotPassword(email) {
    await this.ask("ForgotPassword", { Username: email });
  }

  /**
   * @param {string} email
   * @param {string} code that came by mail
   * @param {string} password the new one
   * @throws {AccountFailure}
   */
  async confirmForgotPassword(email, code, password) {
    const body = { Username: email, ConfirmationCode: code, Password: password };
    await this.ask("ConfirmForgotPassword", body);
  }

  /**
   * Delete the account for good.
   * @param {string} token the access token
   * @throws {AccountFailure}
   */
  async deleteUser(token) {
    // Whose account it is, and of which client, the token says itself.
    await this.ask("DeleteUser", { AccessToken: token, ClientId: undefined });
  }

  /**
   * @param {"USER_PASSWORD_AUTH" | "REFRESH_TOKEN_AUTH"} flow
   * @param {Record<string, string>} parameters
   * @returns {Promise<Tokens>}
   */
  async authenticate(flow, parameters) {
    const answer = await this.ask("InitiateAuth", { AuthFlow: flow, AuthParameters: parameters });
    if (answer?.ChallengeName) throw new AccountFailure("second_step");
    const { IdToken: id, AccessToken: access, RefreshToken: refresh, ExpiresIn: seconds } =
      answer?.AuthenticationResult ?? {};
    if (typeof id !== "string" || typeof access !== "string") throw new AccountFailure("server");
    const lifetime = 1000 * Math.min(readLifetime(id), Number(seconds ?? Infinity));
    return { id, access, refresh: typeof refresh === "string" ? refresh : null, lifetime };
  }

  /**
   * @param {string} action
   * @param {object} body
   * @returns {Promise<any>} the JSON of the answer
   * @throws {AccountFailure}
   */
  async ask(action, body) {
    /** @type {Response} */
    let response;
    let answer;
    try {
      response = await fetch(this.endpoint, {
        method: "POST",
        headers: {
          "Content-Type": "application/x-amz-json-1.1",
          "X-Amz-Target": `AWSCognitoIdentityProviderService.${action}`,
        },
        body: JSON.stringify({ ClientId: this.clientId, ...body }),
        signal: AbortSignal.timeout(PATIENCE_MS),
        cache: "no-store",
        credentials: "omit",
        // A password goes where it was meant to go.
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
      answer = await response.text();
    } catch {
      throw new AccountFailure("offline");
    }
    if (response.ok) return parse(answer);
    throw new AccountFailure(nameTrouble(response.status, parse(answer), action, body));
  }
}

/**
 * Name what an error of Cognito stands for.
 * @param {number} status
 * @param {any} error its JSON
 * @param {string} action
 * @param {{AuthFlow?: string}} [body] of the request
 * @returns {Trouble}
 */
export function nameTrouble(status, error, action, { AuthFlow: flow } = {}) {
  // The type may come with the name of its model before it: "com.amazonaws…#CodeMismatchException".
  const type = String(error?.__type ?? "").split("#").at(-1);
  const message = String(error?.message ?? error?.Message ?? "");
  switch (type) {
    case "NotAuthorizedException":
      if (/attempts exceeded/i.test(message)) return "too_many";
      if (flow === "REFRESH_TOKEN_AUTH") return "signed_out";
      if (/disabled/i.test(message)) return "disabled";
      if (action === "ConfirmSignUp") return "confirmed";
      return flow === "USER_PASSWORD_AUTH" ? "wrong_password" : "signed_out";
    case "UserNotFoundException":
      // Who has an account is nobody else's business.
      if (flow === "USER_PASSWORD_AUTH") return "wrong_password";
      return flow === "REFRESH_TOKEN_AUTH" ? "signed_out" : "no_account";
    case "InvalidParameterException":
      if (action === "ResendConfirmationCode") return "confirmed";
      if (action === "ForgotPassword") return "undelivered";
      if (/password/i.test(message)) return "weak_password";
      return action === "SignUp" ? "bad_email" : /code/i.test(message) ? "wrong_code" : "server";
    default:
      return TROUBLES[type ?? ""] ?? (status === 429 ? "too_many" : "server");
  }
}

/** @type {Record<string, Trouble>} */
const TROUBLES = {
  AliasExistsException: "exists",
  CodeDeliveryFailureException: "undelivered",
  CodeMismatchException: "wrong_code",
  ExpiredCodeException: "expired_code",
  InvalidPasswordException: "weak_password",
  LimitExceededException: "too_many",
  PasswordHistoryPolicyViolationException: "weak_password",
  PasswordResetRequiredException: "reset_wanted",
  TooManyFailedAttemptsException: "too_many",
  TooManyRequestsException: "too_many",
  UserNotConfirmedException: "not_confirmed",
  UsernameExistsException: "exists",
};

/**
 * Read for how long a token holds. Both times are by the clock of who made it: this computer's may be wrong.
 * @param {string} token a JWT
 * @returns {number} seconds, Infinity where it does not say
 */
function readLifetime(token) {
  try {
    const [, claims] = token.split(".");
    const { exp, iat } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/")));
    return exp - iat > 0 ? exp - iat : Infinity;
  } catch {
    return Infinity;
  }
}

/** @param {string} text @returns {any} null where it is no JSON */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
