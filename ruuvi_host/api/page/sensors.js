// What people say about one sensor: its name, corrections, limits, and the key of encrypted readings.

import { element, fill } from "./dom.js";
import { secretField, textField } from "./fields.js";
import { saveBar } from "./saving.js";
import { Changes } from "./settings.js";
import { say } from "./text.js";

const NUMBERS = [
  "temperature_offset",
  "humidity_offset",
  "pressure_offset",
  "silent_minutes",
  "battery_volts",
];
const MOST = {
  temperature_offset: 100,
  humidity_offset: 100,
  pressure_offset: 50000,
  silent_minutes: 10080,
  battery_volts: 20,
};

// reload(address, lines): called when one is saved, with what is to be said about it.
// reopened: {address, lines} of the one that was saved last; null: none.
export function sensorEditor(parent, settings, heard, reload, reopened = null) {
  const known = new Map(heard.map((sensor) => [sensor.address, sensor.name]));
  for (const [address, table] of Object.entries(settings.sensors)) known.set(address, table.name);
  const cards = [...known]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([address, name]) => lazy(address, name, settings, reload));
  fill(
    parent,
    element("h3", {}, say("sensorNames")),
    element("p", { class: "hint" }, say("sensorNamesHint")),
    cards.length ? cards.map((card) => card.element) : element("p", {}, say("nothingHeard")),
  );
  if (reopened) cards.find((card) => card.address === reopened.address)?.open(reopened.lines);
}

// The form is made when it is opened: there may be a hundred.
function lazy(address, name, settings, reload) {
  const fold = element(
    "details",
    { class: "card fold" },
    element("summary", {}, [name, address].filter(Boolean).join(" · ")),
  );
  let form = null;

  function make() {
    if (form) return;
    form = sensorForm(address, settings, reload);
    fold.append(form.element);
  }

  fold.addEventListener("toggle", () => fold.open && make());
  return {
    element: fold,
    address,
    open(lines) {
      make();
      fold.open = true;
      form.bar.tell(lines);
    },
  };
}

function sensorForm(address, settings, reload) {
  const saved = settings.sensors[address] ?? {};
  const defaults = settings.sensor_defaults;
  const where = (key) => `sensors.${address}.${key}`;
  const limited = (key) => settings.fixed[where(key)];
  const name = textField({
    label: say("sensorName"),
    value: saved.name ?? "",
    disabled: Boolean(limited("name")),
  });
  const numbers = NUMBERS.map((key) => [
    key,
    textField({
      label: say(key),
      hint: say(`${key}_hint`),
      inputmode: "decimal",
      value: String(saved[key] ?? defaults[key]),
      disabled: Boolean(limited(key)),
    }),
  ]);
  const key = secretField({
    label: say("sensorKey"),
    hint: say("sensorKeyHint"),
    isSaved: Boolean(saved.key),
    disabled: Boolean(limited("key")),
  });
  const form = element("form", { novalidate: true, "aria-label": say("sensorOf", { address }) });

  function collect() {
    const changes = new Changes(settings);
    const put = (what, text) => changes.host.push([where(what), text]);
    if (name.value.trim().length > 60) changes.refuse(name, say("tooLong", { n: 60 }));
    else if (name.value.trim() !== (saved.name ?? "")) put("name", name.value.trim());
    for (const [what, field] of numbers) {
      const value = Number(field.value.trim().replace(",", "."));
      const least = what.endsWith("_offset") ? -MOST[what] : 0;
      if (field.value.trim() === "" || !(value >= least && value <= MOST[what])) {
        changes.refuse(field, say("numberRange", { from: least, to: MOST[what] }));
      } else if (value !== (saved[what] ?? defaults[what])) put(what, String(value));
    }
    if (key.value !== "") {
      if (!/^[0-9A-Fa-f]{32}$/.test(key.value)) changes.refuse(key, say("sensorKeyForm"));
      else put("key", key.value);
    }
    return changes;
  }

  const bar = saveBar({ form, collect, saved: (answer, lines) => reload(address, lines) });
  fill(
    form,
    name.element,
    numbers.map(([, field]) => field.element),
    key.element,
    bar.element,
  );
  return { element: form, bar };
}
