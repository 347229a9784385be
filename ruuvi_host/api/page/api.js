// Asks the gateway. What it refuses becomes a Refused; what ends the session is told to the page.

import { say } from "./text.js";

export class Refused extends Error {
  // status: 0 when there was no answer. body: what was answered, if it was JSON.
  constructor(status, body = null) {
    super(reason(status));
    this.status = status;
    this.body = body;
  }
}

function reason(status) {
  if (status === 0) return say("noAnswer");
  if (status === 429) return say("tooManyTries");
  if (status === 404 || status === 405 || status === 501) return say("notOffered");
  return say("refused", { status });
}

const outside = new EventTarget();

// Calls `listener` when an answer shows that the session has ended.
export function onLoggedOut(listener) {
  outside.addEventListener("loggedout", listener);
}

// options: method, json (a value to send). Returns the answer as {status, headers, body}, whatever its status.
export async function request(path, { method = "GET", json, seconds = 15 } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      body: json === undefined ? undefined : JSON.stringify(json),
      headers: json === undefined ? {} : { "Content-Type": "application/json" },
      cache: "no-store",
      credentials: "same-origin",
      redirect: "manual",
      signal: AbortSignal.timeout(seconds * 1000),
    });
  } catch {
    return { status: 0, headers: new Headers(), body: null };
  }
  // What is meant for a log-in page: a redirection that we do not follow.
  const status = response.type === "opaqueredirect" ? 302 : response.status;
  let body = null;
  try {
    body = await response.json();
  } catch {
    // It has none, or it is not for us.
  }
  return { status, headers: response.headers, body };
}

// The JSON of an answer with status 200. Throws Refused.
export async function ask(path, options) {
  const { status, body } = await request(path, options);
  if (status === 302 || status === 401) outside.dispatchEvent(new Event("loggedout"));
  if (status !== 200) throw new Refused(status, body);
  return body;
}
