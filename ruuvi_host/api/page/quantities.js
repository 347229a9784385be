// How readings are shown to people.

import { count, decimal, maybe, say } from "./text.js";

// Decimals, and another unit where people use another one.
const SHOWN = {
  temperature: { digits: 2 },
  humidity: { digits: 1 },
  pressure: { digits: 1, scale: 0.01, unit: "hPa" },
  battery_voltage: { digits: 2 },
  acceleration_x: { digits: 3 },
  acceleration_y: { digits: 3 },
  acceleration_z: { digits: 3 },
  pm1_0: { digits: 1 },
  pm2_5: { digits: 1 },
  pm4_0: { digits: 1 },
  pm10_0: { digits: 1 },
  co2: { digits: 0 },
  voc_index: { digits: 0 },
  nox_index: { digits: 0 },
  luminosity: { digits: 0 },
  sound_average: { digits: 1 },
  sound_instant: { digits: 1 },
  sound_peak: { digits: 1 },
};

const FIRST = [
  "temperature",
  "humidity",
  "pressure",
  "co2",
  "pm2_5",
  "voc_index",
  "nox_index",
  "luminosity",
  "sound_average",
];

export const isFirst = (name) => FIRST.includes(name);
export const firstOf = (names) => [...names].sort((a, b) => rank(a) - rank(b));
const rank = (name) => FIRST.indexOf(name) + 1 || FIRST.length + 1;

export function nameOf(quantity) {
  return maybe(`q_${quantity}`) ?? quantity.replaceAll("_", " ");
}

export function formOf(quantity, unit) {
  const { digits = 2, scale = 1, unit: other } = SHOWN[quantity] ?? {};
  return { digits, scale, unit: other ?? unit };
}

export function valueText({ name, value, unit }) {
  if (value === null || value === undefined) return say("notAvailable");
  if (typeof value === "boolean") return say(value ? "yes" : "no");
  if (typeof value !== "number") return String(value);
  const form = formOf(name, unit);
  const text = name in SHOWN ? decimal(value * form.scale, form.digits) : count(value);
  // The two stay on one line.
  return form.unit ? `${text}\u00a0${form.unit}` : text;
}
