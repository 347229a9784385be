// How the gateway authenticates to a server of one's own.

import { octets } from "./address.js";
import { element } from "./dom.js";
import { checkbox, radios, secretField, textField, visible } from "./fields.js";
import { bound } from "./settings.js";
import { say } from "./text.js";

const KINDS = ["basic", "bearer", "token", "api_key"];

export function accessForm(settings) {
  const saved = settings.values;
  const isOn = saved.http_auth !== "none";
  const kind = radios(
    bound(settings, "http_auth", {
      legend: say("authKind"),
      value: isOn ? saved.http_auth : "basic",
      choices: KINDS.map((value) => [value, say(`auth_${value}`), say(`auth_${value}_hint`)]),
      changed: () => {
        for (const field of [password, token, key]) field.clear();
        refresh();
      },
    }),
  );
  const user = textField(
    bound(settings, "http_user", { label: say("user"), value: saved.http_user }),
  );
  const password = secretField(bound(settings, "http_pass", { label: say("password") }));
  const token = secretField(bound(settings, "http_bearer_token", { label: say("bearerToken") }));
  const key = secretField(bound(settings, "http_api_key", { label: say("apiKey") }));
  user.input.addEventListener("input", () => {
    password.clear();
    refresh();
  });
  const basic = element("div", {}, user.element, password.element);
  const inner = element(
    "div",
    { class: "indented" },
    kind.element,
    basic,
    token.element,
    key.element,
  );
  const box = checkbox(
    bound(settings, "http_auth", { label: say("useAuth"), checked: isOn, changed: refresh }),
  );

  function refresh() {
    visible(inner, box.checked);
    visible(basic, kind.value === "basic");
    visible(token.element, kind.value === "bearer");
    visible(key.element, kind.value === "token" || kind.value === "api_key");
    // A saved secret belongs to its kind, and a password to its user.
    const isSame = isOn && kind.value === saved.http_auth;
    password.setSaved(
      isSame && user.value === saved.http_user && settings.secrets.has("http_pass"),
    );
    token.setSaved(isSame && settings.secrets.has("http_bearer_token"));
    key.setSaved(isSame && settings.secrets.has("http_api_key"));
  }

  refresh();
  return {
    element: element("div", {}, box.element, inner),
    collect(changes) {
      changes.put("http_auth", box.checked ? kind.value : "none");
      if (!box.checked) return;
      if (kind.value === "basic") {
        if (!user.input.disabled && user.value === "") changes.refuse(user, say("mustNotBeEmpty"));
        else if (user.value.includes(":")) changes.refuse(user, say("userHasColon"));
        else if (octets(user.value) > 50) changes.refuse(user, say("tooLong", { n: 50 }));
        else putUser(changes);
        secret(changes, "http_pass", password, 50, false);
      } else if (kind.value === "bearer") secret(changes, "http_bearer_token", token, 255, true);
      else secret(changes, "http_api_key", key, 255, true);
    },
  };

  // With a new kind, the gateway forgets the user, too.
  function putUser(changes) {
    if (saved.http_auth === "basic") changes.put("http_user", user.value);
    else if (!user.input.disabled) changes.gateway.http_user = user.value;
  }

  function secret(changes, name, field, longest, isRequired) {
    if (field.input.disabled) return;
    if (octets(field.value) > longest) changes.refuse(field, say("tooLong", { n: longest }));
    else if (isRequired && field.value === "" && !field.keepsSaved())
      changes.refuse(field, say("mustNotBeEmpty"));
    else changes.putSecret(name, field);
  }
}
