import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { AccountFailure, nameTrouble, readPlace, UserPool } from "../../extension/common/cognito.js";

const PLACE = { endpoint: "https://cognito-idp.eu-central-1.amazonaws.com/", clientId: "c1" };
const EMAIL = "ada@example.org";
const realFetch = globalThis.fetch;

afterEach(() => {
  globalThis.fetch = realFetch;
});

/** @param {() => Response | Promise<Response>} answer @returns {{url: string, how: any}[]} what was asked */
function answerWith(answer) {
  /** @type {{url: string, how: any}[]} */
  const asked = [];
  globalThis.fetch = /** @type {any} */ (
    async (/** @type {string} */ url, /** @type {any} */ how) => {
      asked.push({ url, how });
      return answer();
    }
  );
  return asked;
}

/** @param {object} claims */
const makeToken = (claims) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;

/** @param {string} type @param {string} [message] */
const refuse = (type, message = "") => Response.json({ __type: type, message }, { status: 400 });

test("each request names its action, and carries what Cognito wants and no more", async () => {
  const result = { IdToken: "i", AccessToken: "a", ExpiresIn: 60 };
  const asked = answerWith(() => Response.json({ AuthenticationResult: result }));
  const pool = new UserPool(PLACE);
  await pool.signUp(EMAIL, "pw");
  await pool.confirmSignUp(EMAIL, "123456");
  await pool.resendCode(EMAIL);
  await pool.signIn(EMAIL, "pw");
  await pool.refresh("r");
  await pool.revoke("r");
  await pool.forgotPassword(EMAIL);
  await pool.confirmForgotPassword(EMAIL, "123456", "new");
  await pool.deleteUser("a");
  const told = asked.map(({ url, how }) => {
    assert.equal(url, PLACE.endpoint);
    assert.deepEqual([how.method, how.redirect, how.credentials], ["POST", "error", "omit"]);
    assert.equal(how.headers["Content-Type"], "application/x-amz-json-1.1");
    const [service, action] = how.headers["X-Amz-Target"].split(".");
    assert.equal(service, "AWSCognitoIdentityProviderService");
    return [action, JSON.parse(how.body)];
  });
  const user = { ClientId: "c1", Username: EMAIL };
  assert.deepEqual(told, [
    ["SignUp", { ...user, Password: "pw", UserAttributes: [{ Name: "email", Value: EMAIL }] }],
    ["ConfirmSignUp", { ...user, ConfirmationCode: "123456" }],
    ["ResendConfirmationCode", user],
    [
      "InitiateAuth",
      { ClientId: "c1", AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: EMAIL, PASSWORD: "pw" } },
    ],
    ["InitiateAuth", { ClientId: "c1", AuthFlow: "REFRESH_TOKEN_AUTH", AuthParameters: { REFRESH_TOKEN: "r" } }],
    ["RevokeToken", { ClientId: "c1", Token: "r" }],
    ["ForgotPassword", user],
    ["ConfirmForgotPassword", { ...user, ConfirmationCode: "123456", Password: "new" }],
    ["DeleteUser", { AccessToken: "a" }],
  ]);
});

test("how long tokens hold is read by the clock that made them, and the shorter time counts", async () => {
  /** @type {[object, number | undefined, number][]} */
  const table = [
    [{ iat: 5000, exp: 5300 }, 3600, 300],
    [{ iat: 5000, exp: 8600 }, 60, 60],
    [{}, 3600, 3600],
    [{ iat: 5000, exp: 5300 }, undefined, 300],
  ];
  for (const [claims, ExpiresIn, seconds] of table) {
    const result = { IdToken: makeToken(claims), AccessToken: "a", RefreshToken: "r", ExpiresIn };
    answerWith(() => Response.json({ AuthenticationResult: result }));
    const tokens = await new UserPool(PLACE).signIn(EMAIL, "pw");
    assert.deepEqual([tokens.lifetime, tokens.refresh], [seconds * 1000, "r"]);
  }
});

test("an answer without tokens signs nobody in", async () => {
  /** @type {[() => Response, string][]} */
  const table = [
    [() => Response.json({ ChallengeName: "SOFTWARE_TOKEN_MFA", Session: "s" }), "second_step"],
    [() => Response.json({}), "server"],
    [() => new Response("<html>Log in</html>"), "server"],
    [() => new Response("", { status: 500 }), "server"],
    [() => new Response("", { status: 429 }), "too_many"],
    [() => Promise.reject(new TypeError("Failed to fetch")), "offline"],
  ].map(([answer, kind]) => [/** @type {any} */ (answer), String(kind)]);
  for (const [answer, kind] of table) {
    answerWith(answer);
    await assert.rejects(new UserPool(PLACE).signIn(EMAIL, "pw"), { kind });
  }
});

test("an account that needs no code can be used at once", async () => {
  for (const confirmed of [true, false]) {
    answerWith(() => Response.json({ UserConfirmed: confirmed }));
    assert.equal(await new UserPool(PLACE).signUp(EMAIL, "pw"), confirmed);
  }
});

test("what Cognito refuses has a name that a person can be told about", async () => {
  const password = { AuthFlow: "USER_PASSWORD_AUTH" };
  const refresh = { AuthFlow: "REFRESH_TOKEN_AUTH" };
  /** @type {[string, string, string, object?, string?][]} */
  const table = [
    ["NotAuthorizedException", "wrong_password", "InitiateAuth", password, "Incorrect username or password."],
    ["NotAuthorizedException", "too_many", "InitiateAuth", password, "Password attempts exceeded"],
    ["NotAuthorizedException", "disabled", "InitiateAuth", password, "User is disabled."],
    ["NotAuthorizedException", "signed_out", "InitiateAuth", refresh, "Refresh Token has been revoked"],
    ["NotAuthorizedException", "signed_out", "InitiateAuth", refresh, "User is disabled."],
    ["UserNotFoundException", "signed_out", "InitiateAuth", refresh, "User does not exist."],
    ["NotAuthorizedException", "signed_out", "DeleteUser", {}, "Access Token has expired"],
    ["NotAuthorizedException", "confirmed", "ConfirmSignUp", {}, "Current status is CONFIRMED"],
    ["UserNotFoundException", "wrong_password", "InitiateAuth", password],
    ["UserNotFoundException", "no_account", "ForgotPassword"],
    ["UserNotConfirmedException", "not_confirmed", "InitiateAuth", password],
    ["PasswordResetRequiredException", "reset_wanted", "InitiateAuth", password],
    ["UsernameExistsException", "exists", "SignUp"],
    ["InvalidPasswordException", "weak_password", "SignUp"],
    ["InvalidParameterException", "weak_password", "SignUp", {}, "Value at 'password' failed to satisfy"],
    ["InvalidParameterException", "bad_email", "SignUp", {}, "Username should be an email."],
    ["InvalidParameterException", "wrong_code", "ConfirmSignUp", {}, "Value at 'confirmationCode' failed"],
    ["InvalidParameterException", "confirmed", "ResendConfirmationCode", {}, "User is already confirmed."],
    ["InvalidParameterException", "undelivered", "ForgotPassword", {}, "there is no verified email"],
    ["InvalidParameterException", "server", "InitiateAuth", password, "flow not enabled for this client"],
    ["CodeMismatchException", "wrong_code", "ConfirmSignUp"],
    ["com.amazonaws.x#CodeMismatchException", "wrong_code", "ConfirmForgotPassword"],
    ["ExpiredCodeException", "expired_code", "ConfirmSignUp"],
    ["CodeDeliveryFailureException", "undelivered", "SignUp"],
    ["LimitExceededException", "too_many", "ForgotPassword"],
    ["TooManyRequestsException", "too_many", "InitiateAuth", password],
    ["TooManyFailedAttemptsException", "too_many", "ConfirmSignUp"],
    ["ResourceNotFoundException", "server", "InitiateAuth", password],
  ];
  for (const [type, kind, action, body, message = ""] of table) {
    assert.equal(nameTrouble(400, { __type: type, message }, action, body), kind, `${type} ${action}`);
  }
  answerWith(() => refuse("ExpiredCodeException"));
  await assert.rejects(new UserPool(PLACE).confirmSignUp(EMAIL, "1"), new AccountFailure("expired_code"));
});

test("a password goes only to where nobody in between can read it", () => {
  assert.equal(readPlace(null), null);
  assert.equal(readPlace(undefined), null);
  for (const endpoint of [PLACE.endpoint, "http://127.0.0.1:5000/", "http://[::1]:5000/", "http://localhost/"]) {
    assert.deepEqual(readPlace({ endpoint, client_id: "c1" }), { endpoint, clientId: "c1" });
  }
  for (const told of [
    { endpoint: "http://cognito-idp.eu-central-1.amazonaws.com/", client_id: "c1" },
    { endpoint: "http://127.0.0.1.example/", client_id: "c1" },
    { endpoint: "https://user:word@example.org/", client_id: "c1" },
    { endpoint: "ftp://127.0.0.1/", client_id: "c1" },
    { endpoint: "cognito", client_id: "c1" },
    { endpoint: PLACE.endpoint },
    { client_id: "c1" },
    {},
    "yes",
    true,
  ]) {
    assert.throws(() => readPlace(told), { kind: "insecure" }, JSON.stringify(told));
  }
});
