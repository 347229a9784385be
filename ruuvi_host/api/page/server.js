// "HTTP(S)": Ruuvi Cloud, and a server of one's own with all that it may ask for.

import { CLOUD, LONGEST, LONGEST_FILE, divided, fault, headerLines, octets, shown, stored, withScheme } from "./address.js";
import { certificates } from "./certificates.js";
import { element } from "./dom.js";
import { checkbox, radios, secretField, textField, visible } from "./fields.js";
import { bound } from "./settings.js";
import { say } from "./text.js";

const USUAL_PERIOD = 30;
const KINDS = ["basic", "bearer", "token", "api_key"];

export function cloudForm(settings) {
  const box = checkbox(
    bound(settings, "use_http_ruuvi", { label: say("useCloud"), hint: say("useCloudHint"), checked: settings.values.use_http_ruuvi }),
  );
  return {
    element: box.element,
    get isOn() {
      return box.checked;
    },
    collect(changes) {
      changes.put("use_http_ruuvi", box.checked);
    },
  };
}

export function serverForm(settings) {
  const saved = settings.values;
  const address = addressForm(settings);
  const wasNeverSet = !saved.use_http && saved.http_url === CLOUD;
  const format = radios(
    bound(settings, "http_data_format", {
      legend: say("dataFormat"),
      value: saved.http_data_format,
      choices: ["ruuvi", "ruuvi_raw_and_decoded", "ruuvi_decoded"].map((value) => [value, say(value), say(`${value}_hint`)]),
    }),
  );
  const period = textField(
    bound(settings, "http_period", {
      label: say("period"),
      hint: say("periodHint"),
      inputmode: "numeric",
      value: wasNeverSet || saved.http_period === undefined ? USUAL_PERIOD : saved.http_period,
    }),
  );
  const access = accessForm(settings);
  const headers = headersForm(settings);
  const clientCertificate = certificates(settings, {
    key: "http_use_ssl_client_cert",
    label: say("useClientCert"),
    hint: say("useClientCertHint"),
    files: [
      ["http_cli_cert", say("certificate")],
      ["http_cli_key", say("key")],
    ],
  });
  const serverCertificate = certificates(settings, {
    key: "http_use_ssl_server_cert",
    label: say("useServerCert"),
    hint: say("useServerCertHint"),
    files: [["http_srv_cert", say("certificate")]],
  });
  const parts = [address, format, period, access, headers, clientCertificate, serverCertificate];
  const inner = element("div", { class: "indented" }, parts.map((part) => part.element));
  const box = checkbox(
    bound(settings, "use_http", {
      label: say("useServer"),
      hint: say("useServerHint"),
      checked: saved.use_http,
      changed: (is) => {
        if (is) address.emptyIfCloud();
        visible(inner, is);
      },
    }),
  );
  visible(inner, box.checked);

  return {
    element: element("div", {}, box.element, inner),
    get isOn() {
      return box.checked;
    },
    // Where the result of a check is shown.
    place: address.place,
    collect(changes) {
      changes.put("use_http", box.checked);
      if (!box.checked) return;
      address.collect(changes);
      changes.put("http_data_format", format.value);
      const typed = period.value.trim();
      const seconds = Number(typed);
      // A shorter one that was set elsewhere stays as it is.
      const isSaved = saved.use_http && typed === String(saved.http_period);
      if (isSaved || (/^[0-9]+$/.test(typed) && seconds >= 10 && seconds <= 3600)) changes.put("http_period", seconds);
      else if (!period.input.disabled) changes.refuse(period, say("periodRange"));
      access.collect(changes);
      headers.collect(changes);
      clientCertificate.collect(changes);
      serverCertificate.collect(changes);
    },
  };
}

function addressForm(settings) {
  const saved = settings.values;
  const texts = settings.texts;
  const place = element("div", { class: "result", "aria-live": "polite" });
  const url = textField(
    bound(settings, "http_url", {
      label: say("address"),
      hint: say("addressHint"),
      placeholder: "https://server.example/record",
      inputmode: "url",
      value: saved.http_url,
    }),
  );
  const path = textField(
    bound(settings, "http_use_extra_http_path", {
      label: say("longPath"),
      value: saved.http_use_extra_http_path ? shown("/", texts.http_path ?? "") : "",
      placeholder: "/…",
    }),
  );
  const query = textField(
    bound(settings, "http_use_extra_http_query", {
      label: say("longQuery"),
      value: saved.http_use_extra_http_query ? shown("?", texts.http_query ?? "") : "",
      placeholder: "?…",
    }),
  );
  const inner = element("div", { class: "indented" }, path.element, query.element);
  const long = checkbox({
    label: say("longAddress"),
    hint: say("longAddressHint", { n: LONGEST }),
    checked: saved.http_use_extra_http_path || saved.http_use_extra_http_query,
    disabled: Boolean(settings.fixed.http_use_extra_http_path || settings.fixed.http_use_extra_http_query),
    changed: (is) => (is ? divide() : join()),
  });
  visible(inner, long.checked);

  // What stands behind the server goes to the fields of its own.
  function divide() {
    visible(inner, true);
    const parts = divided(withScheme(url.value));
    if (!parts || path.value || query.value) return;
    path.value = parts.path === "/" ? "" : parts.path;
    query.value = parts.query;
    if (path.value || query.value) url.value = parts.base;
  }

  // And back into the address, if it is short enough.
  function join() {
    const whole = url.value.trim() + shown("/", path.value.trim()) + shown("?", query.value.trim());
    if (octets(whole) <= LONGEST) url.value = whole;
    path.clear();
    query.clear();
    visible(inner, false);
  }

  url.input.addEventListener("input", () => {
    if (octets(withScheme(url.value)) > LONGEST && !long.checked && !long.input.disabled) {
      long.checked = true;
      divide();
    }
  });
  for (const [field, mark] of [
    [path, "/"],
    [query, "?"],
  ]) {
    field.input.addEventListener("change", () => {
      field.value = shown(mark, field.value.trim());
    });
  }

  return {
    element: element("div", {}, url.element, place, long.element, inner),
    place,
    emptyIfCloud() {
      if (withScheme(url.value) === CLOUD) url.clear();
    },
    collect(changes) {
      const isFixed = url.input.disabled;
      let text = withScheme(url.value);
      const pathText = long.checked ? stored("/", path.value) : "";
      const queryText = long.checked ? stored("?", query.value) : "";
      const why = isFixed ? null : (fault(text) ?? (text === CLOUD ? "addressIsCloud" : null));
      const parts = why ? null : divided(text);
      if (parts && pathText && parts.path === "/") {
        text = parts.base + parts.query;
        parts.path = "";
      }
      if (why) changes.refuse(url, say(why));
      else if (!isFixed && octets(text) > LONGEST) changes.refuse(url, say("addressTooLong", { n: LONGEST }));
      else if (parts && ((pathText && (parts.path || parts.query)) || (queryText && parts.query))) changes.refuse(url, say("addressTwice"));
      else {
        if (!isFixed && text !== url.value) url.value = text;
        changes.put("http_url", text);
      }
      for (const [name, part, field] of [
        ["http_path", pathText, path],
        ["http_query", queryText, query],
      ]) {
        if (field.input.disabled) continue;
        changes.put(`http_use_extra_${name}`, part !== "");
        // A file that is not in use stays, unless it was until now.
        changes.putFile(name, part || (saved[`http_use_extra_${name}`] ? null : undefined));
        if (octets(part) > LONGEST_FILE) changes.refuse(field, say("tooLong", { n: LONGEST_FILE }));
        else if (/\s/.test(part)) changes.refuse(field, say("addressHasSpaces"));
      }
    },
  };
}

function accessForm(settings) {
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
  const user = textField(bound(settings, "http_user", { label: say("user"), value: saved.http_user }));
  const password = secretField(bound(settings, "http_pass", { label: say("password") }));
  const token = secretField(bound(settings, "http_bearer_token", { label: say("bearerToken") }));
  const key = secretField(bound(settings, "http_api_key", { label: say("apiKey") }));
  user.input.addEventListener("input", () => {
    password.clear();
    refresh();
  });
  const basic = element("div", {}, user.element, password.element);
  const inner = element("div", { class: "indented" }, kind.element, basic, token.element, key.element);
  const box = checkbox(bound(settings, "http_auth", { label: say("useAuth"), checked: isOn, changed: refresh }));

  function refresh() {
    visible(inner, box.checked);
    visible(basic, kind.value === "basic");
    visible(token.element, kind.value === "bearer");
    visible(key.element, kind.value === "token" || kind.value === "api_key");
    // A saved secret belongs to its kind, and a password to its user.
    const isSame = isOn && kind.value === saved.http_auth;
    password.setSaved(isSame && user.value === saved.http_user && settings.secrets.has("http_pass"));
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
    else if (isRequired && field.value === "" && !field.keepsSaved()) changes.refuse(field, say("mustNotBeEmpty"));
    else changes.putSecret(name, field);
  }
}

function headersForm(settings) {
  const flag = "http_use_extra_http_headers";
  const isFixed = Boolean(settings.fixed[flag]);
  const lines = textField({
    label: say("headerLines"),
    hint: say("headerLinesHint"),
    multiline: true,
    placeholder: "X-Key: value",
    disabled: isFixed,
    value: (settings.texts.http_headers ?? "").replaceAll("\r\n", "\n").trimEnd(),
  });
  const box = checkbox(
    bound(settings, flag, { label: say("useHeaders"), checked: settings.values[flag], changed: (is) => visible(lines.element, is) }),
  );
  visible(lines.element, box.checked);
  return {
    element: element("div", {}, box.element, element("div", { class: "indented" }, lines.element)),
    collect(changes) {
      changes.put(flag, box.checked);
      if (isFixed) return;
      if (!box.checked) {
        if (settings.values[flag]) changes.putFile("http_headers", null);
        return;
      }
      const { text, line, why } = headerLines(lines.value);
      if (why) changes.refuse(lines, say(why, { line }));
      else if (text === "") changes.refuse(lines, say("mustNotBeEmpty"));
      else if (octets(text) > LONGEST_FILE) changes.refuse(lines, say("tooLong", { n: LONGEST_FILE }));
      else changes.putFile("http_headers", text);
    },
  };
}
