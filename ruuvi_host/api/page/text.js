// The words of the page, in the language of the browser if there is a file for it.
// Another language: texts.XX.js with the keys of texts.en.js, and its line in LANGUAGES.

import en from "./texts.en.js";

const LANGUAGES = { en };

const base = (tag) => tag.slice(0, 2).toLowerCase();
// With the country, which decides on dates and numbers.
const language = (navigator.languages ?? []).find((tag) => base(tag) in LANGUAGES) ?? "en";
const texts = LANGUAGES[base(language)];

export function setLanguage() {
  document.documentElement.lang = language;
}

// A text, {name} in it replaced by values.name.
export function say(key, values = {}) {
  const text = texts[key] ?? en[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) =>
    name in values ? String(values[name]) : whole,
  );
}

// The text of a key that may be missing; null: there is none.
export function maybe(key) {
  return texts[key] ?? en[key] ?? null;
}

const number = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });

export function count(value) {
  return number.format(value);
}

export function decimal(value, digits) {
  return new Intl.NumberFormat(language, {
    useGrouping: false,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString(language, {
    hour: "2-digit",
    minute: "2-digit",
  });
}

export function dateAndClock(seconds) {
  return new Date(seconds * 1000).toLocaleString(language, {
    dateStyle: "medium",
    timeStyle: "short",
  });
}

export function duration(seconds) {
  if (seconds < 120) return say("seconds", { n: Math.round(seconds) });
  if (seconds < 7200) return say("minutes", { n: Math.floor(seconds / 60) });
  if (seconds < 172800) return say("hours", { n: Math.floor(seconds / 3600) });
  return say("days", { n: Math.floor(seconds / 86400) });
}
