// Logging in with the gateway's challenge: the password itself never leaves the browser.

import { request } from "./api.js";
import { md5, sha256 } from "./digest.js";
import { element, fill, put } from "./dom.js";
import { secretField, textField } from "./fields.js";
import { say } from "./text.js";

const CHALLENGE = /^x-ruuvi-interactive realm="([^"]*)" challenge="([^"]*)"/;

// Who may come in, as the gateway says it: {isOpen, challenge, realm, type, problem}.
export async function enquire() {
  return standing(await request("auth"));
}

function standing({ status, headers, body }) {
  const found = CHALLENGE.exec(headers.get("WWW-Authenticate") ?? "");
  return {
    isOpen: status === 200,
    realm: found ? found[1] : "",
    challenge: found ? found[2] : "",
    type: body?.lan_auth_type ?? "",
    name: body?.gateway_name ?? "",
    problem: status === 200 ? "" : problem(status, body),
  };
}

function problem(status, body) {
  if (status === 0) return say("noAnswer");
  if (status === 429) return say("tooManyTries");
  if (status === 403) return say("notFromTheNetwork");
  if (status === 401) return body?.message ? say("wrongLogin") : "";
  return say("refused", { status });
}

export async function logOut() {
  await request("auth", { method: "DELETE" });
}

// The form, in `parent`. done: called once somebody is in.
export function showLogin(parent, first, done) {
  let now = first;
  const user = textField({ label: say("user"), autocomplete: "username", required: true });
  const password = secretField({
    label: say("password"),
    autocomplete: "current-password",
    required: true,
  });
  const result = element("p", { role: "alert", class: "result" });
  const button = element("button", { type: "submit", class: "main" }, say("logIn"));
  const form = element(
    "form",
    { class: "card narrow", "aria-labelledby": "login-title", submit: tryIt },
    element("h2", { id: "login-title" }, say("logIn")),
    element("p", {}, say("logInTo", { name: now.name || now.realm || say("thisGateway") })),
    user.element,
    password.element,
    result,
    button,
    element(
      "p",
      { class: "hint" },
      say(now.type === "lan_auth_default" ? "defaultPasswordHint" : "forgottenHint"),
    ),
  );

  async function tryIt(event) {
    event.preventDefault();
    put(result, "");
    if (![user, password].every((field) => field.require())) return;
    button.disabled = true;
    if (!now.challenge) now = await enquire();
    const stored = md5(`${user.value}:${now.realm}:${password.value}`);
    const hash = sha256(`${now.challenge}:${stored}`);
    const answer = await request("auth", {
      method: "POST",
      json: { login: user.value, password: hash },
    });
    button.disabled = false;
    // A challenge works once: each refusal brings the next one, and without one it is asked for.
    now = standing(answer);
    if (now.isOpen) {
      done(now);
      return;
    }
    put(result, now.problem || say("wrongLogin"));
    password.clear();
    password.focus();
  }

  if (now.type && !now.challenge) {
    // Nobody gets in this way, or not without the browser's own dialogue.
    fill(
      parent,
      element(
        "div",
        { class: "card narrow", role: "alert" },
        element("p", {}, now.problem || say("wrongLogin")),
      ),
    );
    return;
  }
  if (!now.challenge && now.problem) put(result, now.problem);
  fill(parent, form);
  user.focus();
}
