// What is saved, and what of it a form changes.

import { ask } from "./api.js";
import { say } from "./text.js";

export async function loadSettings() {
  const found = await ask("host/settings");
  return {
    ...found,
    fixed: found.fixed ?? {},
    files: new Set(found.files),
    secrets: new Set(found.secrets),
  };
}

// The options of a control that stands for a key: one that another source fixes is shown, and cannot be changed.
export function bound(settings, key, options) {
  const source = settings.fixed[key];
  if (!source) return options;
  return {
    ...options,
    disabled: true,
    hint: [options.hint, say("fixedBy", { key, source })].filter(Boolean).join(" "),
  };
}

// Gathers what differs from what is saved.
export class Changes {
  constructor(settings) {
    this.settings = settings;
    this.gateway = {};
    this.files = {};
    this.host = [];
    this.problems = 0;
    this.first = null;
  }

  // A key of the gateway with its value in the form.
  put(key, value) {
    if (this.settings.fixed[key]) return;
    if (JSON.stringify(value) !== JSON.stringify(this.settings.values[key]))
      this.gateway[key] = value;
  }

  // A secret: what is typed; an empty field that stands for the saved one says nothing.
  putSecret(key, field) {
    if (this.settings.fixed[key] || field.keepsSaved()) return;
    if (field.value !== "" || this.settings.secrets.has(key)) this.gateway[key] = field.value;
  }

  // A file: its text; null: there is to be none.
  putFile(name, text) {
    if (text === undefined || (text === null && !this.settings.files.has(name))) return;
    if (text !== null && this.settings.texts[name] === text) return;
    this.files[name] = text;
  }

  // Something is wrong with a control.
  refuse(field, text) {
    field.problem(text);
    this.problems += 1;
    this.first ??= field;
  }

  get isEmpty() {
    return (
      !Object.keys(this.gateway).length && !Object.keys(this.files).length && !this.host.length
    );
  }

  get body() {
    return { gateway: this.gateway, files: this.files, host: this.host };
  }
}
