// Certificates and keys that are picked and removed; they are stored when the form is saved.

import { element, newId, put } from "./dom.js";
import { checkbox, upload, visible } from "./fields.js";
import { bound } from "./settings.js";
import { say } from "./text.js";

// One checkbox with the files behind it. options: key (of the checkbox), label, hint, files ([name, words for it]).
export function certificates(settings, options) {
  const picked = new Map();
  const line = element("p", { class: "hint", "aria-live": "polite" });
  const wrong = element("p", { class: "problem", "aria-live": "polite", id: newId("problem") });
  const isThere = (name) =>
    picked.has(name) ? picked.get(name) !== null : settings.files.has(name);

  const uploads = options.files.map(([name, what]) => ({
    name,
    what,
    ...upload({
      label: say("uploadThis", { what }),
      changed: ({ name: from, text }) => {
        const why = unusable(name, text);
        put(wrong, why ? say(why, { file: from }) : "");
        if (!why) picked.set(name, text);
        refresh();
        inner.dispatchEvent(new Event("change", { bubbles: true }));
      },
    }),
  }));
  const remove = element(
    "button",
    {
      type: "button",
      click: () => {
        for (const [name] of options.files) picked.set(name, null);
        put(wrong, "");
        refresh();
        uploads[0].button.focus();
        inner.dispatchEvent(new Event("change", { bubbles: true }));
      },
    },
    say(options.files.length > 1 ? "removeBoth" : "removeIt"),
  );
  const inner = element(
    "div",
    { class: "indented", role: "group", "aria-label": options.label },
    element(
      "div",
      { class: "buttons" },
      uploads.map((each) => each.element),
      remove,
    ),
    line,
    wrong,
  );
  const box = checkbox(
    bound(settings, options.key, {
      label: options.label,
      hint: options.hint,
      checked: settings.values[options.key],
      changed: refresh,
    }),
  );

  function refresh() {
    visible(inner, box.checked);
    for (const each of uploads) each.button.disabled = isThere(each.name);
    remove.disabled = !options.files.some(([name]) => isThere(name));
    const states = uploads.map(({ name, what }) => {
      const state = picked.has(name)
        ? isThere(name)
          ? "willBeStored"
          : "willBeRemoved"
        : isThere(name)
          ? "isStored"
          : "isMissing";
      return say(state, { what });
    });
    put(line, states.join(" "));
  }

  refresh();
  return {
    element: element("div", {}, box.element, inner),
    clear() {
      box.checked = false;
      for (const [name] of options.files) picked.delete(name);
      refresh();
    },
    collect(changes) {
      changes.put(options.key, box.checked);
      for (const [name, text] of picked) changes.putFile(name, text);
      const missing = options.files.filter(([name]) => !isThere(name));
      if (box.checked && missing.length) {
        changes.refuse(
          {
            problem: (text) => put(wrong, text),
            focus: () => uploads.find((u) => u.name === missing[0][0]).button.focus(),
          },
          say("uploadFirst", { what: missing.map(([, what]) => what).join(", ") }),
        );
      } else put(wrong, "");
    },
  };
}

function unusable(name, text) {
  if (text.length > 60000) return "fileTooLong";
  if (!/-----BEGIN [A-Z0-9 ]+-----/.test(text)) return "fileNoPem";
  const isKey = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text);
  if (name.endsWith("_key")) {
    if (!isKey) return "fileNoKey";
    if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type:.*ENCRYPTED/m.test(text))
      return "fileKeyHasPassword";
    return null;
  }
  return /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/.test(text) ? null : "fileNoCertificate";
}
