// Addresses of servers and the long parts of them, as text: nothing is encoded anew.

export const CLOUD = "https://network.ruuvi.com/record";
export const CLOUD_STATUS = "https://network.ruuvi.com/status";
export const LONGEST = 255;
export const LONGEST_FILE = 8192;

const PARTS = /^(https?:\/\/[^/?#]*)([^?#]*)(\?[^#]*)?/i;
const encoder = new TextEncoder();

export function octets(text) {
  return encoder.encode(text).length;
}

// An address without a scheme is meant to be http.
export function withScheme(text) {
  const trimmed = text.trim();
  return trimmed === "" || trimmed.includes("://") ? trimmed : `http://${trimmed}`;
}

// The key of what is wrong with it; null: nothing.
export function fault(text) {
  if (text === "") return "mustNotBeEmpty";
  if (/\s/.test(text)) return "addressHasSpaces";
  if (!/^https?:\/\//i.test(text)) return "addressScheme";
  try {
    if (!new URL(text).hostname) return "addressUnreadable";
  } catch {
    return "addressUnreadable";
  }
  return null;
}

// {base, path, query}; path begins with /, query with ?, or they are empty. null: it is no address.
export function divided(text) {
  const found = PARTS.exec(text);
  return found && { base: found[1], path: found[2], query: found[3] ?? "" };
}

// As the field shows it, and as the file has it.
export const shown = (mark, stored) =>
  stored === "" || stored.startsWith(mark) ? stored : mark + stored;
export const stored = (mark, text) =>
  text.trim().startsWith(mark) ? text.trim().slice(1) : text.trim();

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NOT_OURS = new Set(["host", "content-length", "transfer-encoding", "connection"]);

// Header lines as they are stored: {text}, or {line, why} of the first that cannot be.
export function headerLines(typed) {
  const lines = [];
  for (const raw of typed.split("\n")) {
    const line = raw.trim();
    if (!line) continue;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim();
    if (!NAME.test(name)) return { line, why: "headerForm" };
    if (NOT_OURS.has(name.toLowerCase())) return { line, why: "headerNotOurs" };
    lines.push(`${name}: ${line.slice(colon + 1).trim()}\r\n`);
  }
  return { text: lines.join("") };
}
