// The controls of forms: each with its label, its hint, and room for what is wrong with it.

import { element, newId, put } from "./dom.js";
import { say } from "./text.js";

const MASK = "********";

export function visible(node, is) {
  node.hidden = !is;
}

// What can be wrong with a control, said beside it and read out.
function complaint(input, described) {
  const id = newId("problem");
  const line = element("p", { class: "problem", id, "aria-live": "polite" });
  input.setAttribute("aria-describedby", [...described, id].join(" "));
  return {
    line,
    say(text) {
      put(line, text);
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
}

function hinted(hint) {
  if (!hint) return { line: null, ids: [] };
  const id = newId("hint");
  return { line: element("p", { class: "hint", id }, hint), ids: [id] };
}

// options: label, value, hint, placeholder, type, inputmode, autocomplete, multiline, id, disabled.
export function textField(options) {
  const id = options.id ?? newId("field");
  const hint = hinted(options.hint);
  const attributes = {
    id,
    placeholder: options.placeholder,
    autocomplete: options.autocomplete ?? "off",
    inputmode: options.inputmode,
    spellcheck: "false",
    autocapitalize: "none",
    disabled: options.disabled,
    "aria-required": options.required && "true",
  };
  const input = options.multiline
    ? element("textarea", { ...attributes, rows: 5 })
    : element("input", { ...attributes, type: options.type ?? "text" });
  input.value = options.value ?? "";
  const wrong = complaint(input, hint.ids);
  const row = element("div", { class: "row" }, input);
  const label = element("label", { for: id }, options.label);
  input.addEventListener("input", () => wrong.say(""));
  return {
    element: element("div", { class: "field" }, label, row, hint.line, wrong.line),
    row,
    input,
    label,
    get value() {
      return input.value;
    },
    set value(text) {
      input.value = text;
      wrong.say("");
    },
    clear() {
      this.value = "";
    },
    focus() {
      input.focus();
    },
    problem(text) {
      wrong.say(text);
    },
    require() {
      const is = input.value.trim() !== "";
      wrong.say(is ? "" : say("mustNotBeEmpty"));
      if (!is) input.focus();
      return is;
    },
  };
}

// options as above, and isSaved: there is a saved one. It is never shown: the field is empty with a mask as a hint.
export function secretField(options) {
  const field = textField({ autocomplete: "new-password", ...options, type: "password" });
  const eye = element(
    "button",
    {
      type: "button",
      class: "eye",
      "aria-pressed": "false",
      "aria-controls": field.input.id,
      disabled: options.disabled,
      click: toggle,
    },
    say("show"),
  );
  eye.setAttribute("aria-label", say("showThis", { what: options.label }));
  field.row.append(eye);
  let saved = false;

  function toggle() {
    const shown = field.input.type === "password";
    field.input.type = shown ? "text" : "password";
    eye.setAttribute("aria-pressed", String(shown));
    put(eye, say(shown ? "hide" : "show"));
    eye.setAttribute("aria-label", say(shown ? "hideThis" : "showThis", { what: options.label }));
  }

  return Object.assign(field, {
    // Does an empty field stand for the saved secret?
    keepsSaved: () => saved && field.input.value === "",
    setSaved(is) {
      saved = is;
      field.input.placeholder = is ? MASK : "";
    },
    requireOrSaved() {
      if (saved && field.input.value === "") return true;
      return field.require();
    },
    init() {
      this.setSaved(Boolean(options.isSaved));
      return this;
    },
  }).init();
}

// options: label, checked, hint, disabled, id, changed (called with the new state).
export function checkbox(options) {
  const id = options.id ?? newId("check");
  const hint = hinted(options.hint);
  const input = element("input", { type: "checkbox", id, disabled: options.disabled });
  input.checked = Boolean(options.checked);
  const wrong = complaint(input, hint.ids);
  if (options.changed) input.addEventListener("change", () => options.changed(input.checked));
  return {
    element: element(
      "div",
      { class: "field check" },
      element("div", { class: "pair" }, input, element("label", { for: id }, options.label)),
      hint.line,
      wrong.line,
    ),
    input,
    get checked() {
      return input.checked;
    },
    set checked(is) {
      input.checked = is;
    },
    focus() {
      input.focus();
    },
    problem(text) {
      wrong.say(text);
    },
  };
}

// options: legend, hint, choices ([value, label, hint]), value, disabled, changed (called with the new value).
export function radios(options) {
  const name = newId("choice");
  const inputs = [];
  const whole = hinted(options.hint);
  const lines = options.choices.map(([value, text, more]) => {
    const id = newId("radio");
    const hint = hinted(more);
    const input = element("input", {
      type: "radio",
      id,
      name,
      value,
      disabled: options.disabled,
      "aria-describedby": hint.ids.join(" ") || null,
    });
    input.checked = value === options.value;
    if (options.changed) input.addEventListener("change", () => options.changed(value));
    inputs.push(input);
    return element(
      "div",
      { class: "choice" },
      element("div", { class: "pair" }, input, element("label", { for: id }, text)),
      hint.line,
    );
  });
  return {
    element: element(
      "fieldset",
      { class: "field", "aria-describedby": whole.ids.join(" ") || null },
      element("legend", {}, options.legend),
      whole.line,
      lines,
    ),
    inputs,
    get value() {
      return inputs.find((input) => input.checked)?.value;
    },
    set value(wanted) {
      for (const input of inputs) input.checked = input.value === wanted;
    },
    problem() {},
    focus() {
      (inputs.find((input) => input.checked) ?? inputs[0]).focus();
    },
  };
}

// A file to be picked. options: label, changed (called with {name, text}).
export function upload(options) {
  const id = newId("file");
  const input = element("input", {
    type: "file",
    id,
    accept: ".pem,.crt,.cert,.key",
    hidden: true,
  });
  const button = element("button", { type: "button", click: () => input.click() }, options.label);
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (file) options.changed({ name: file.name, text: await file.text() });
    input.value = ""; // the same file can be picked again
  });
  return { element: element("span", { class: "upload" }, button, input), button, input };
}
