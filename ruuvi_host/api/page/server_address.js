// The address of a server of one's own, with a path and a query in fields of their own if it is long.

import {
  CLOUD,
  LONGEST,
  LONGEST_FILE,
  divided,
  fault,
  octets,
  shown,
  stored,
  withScheme,
} from "./address.js";
import { element } from "./dom.js";
import { checkbox, textField, visible } from "./fields.js";
import { bound } from "./settings.js";
import { say } from "./text.js";

export function addressForm(settings) {
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
    disabled: Boolean(
      settings.fixed.http_use_extra_http_path || settings.fixed.http_use_extra_http_query,
    ),
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
      else if (!isFixed && octets(text) > LONGEST)
        changes.refuse(url, say("addressTooLong", { n: LONGEST }));
      else if (parts && ((pathText && parts.path) || (queryText && parts.query)))
        changes.refuse(url, say("addressTwice"));
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
