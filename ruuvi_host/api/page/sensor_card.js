// One sensor: its readings, and a plot of the last hours.

import { ask } from "./api.js";
import { element, fill, newId, put } from "./dom.js";
import { plot } from "./plot.js";
import { firstOf, formOf, isFirst, nameOf, valueText } from "./quantities.js";
import { count, duration, say } from "./text.js";

const PLOT_EVERY = 60000; // milliseconds

// Which cards are on the screen: only these ask for what they plot.
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries)
    entry.target.dispatchEvent(new CustomEvent(entry.isIntersecting ? "seen" : "unseen"));
});

export function sensorCard(address) {
  const titleId = newId("sensor");
  const title = element("h4", { id: titleId });
  const place = element("p", { class: "address" });
  const readings = element("dl", { class: "readings" });
  const state = element("p", { class: "state" });
  const warnings = element("p", { class: "warnings" });
  const chooseId = newId("quantity");
  const choose = element("select", { id: chooseId, change: () => drawPlot(true) });
  const chooser = element(
    "p",
    { class: "chooser" },
    element("label", { for: chooseId }, say("plotOf")),
    choose,
  );
  const figure = element("div", { class: "figure" });
  const others = element("dl", { class: "readings small" });
  const fold = element("details", {}, element("summary", {}, say("allValues")), others);
  const card = element(
    "article",
    { class: "card sensor", "aria-labelledby": titleId },
    title,
    place,
    readings,
    warnings,
    state,
    chooser,
    figure,
    fold,
  );
  let units = new Map();
  let isSeen = false;
  let asked = -Infinity;

  seen.observe(card);
  card.addEventListener("seen", () => {
    isSeen = true;
    drawPlot();
  });
  card.addEventListener("unseen", () => {
    isSeen = false;
  });

  async function drawPlot(now = false) {
    const quantity = choose.value;
    if (!quantity || (!now && (!isSeen || performance.now() - asked < PLOT_EVERY))) return;
    asked = performance.now();
    try {
      const query = new URLSearchParams({ address, quantity });
      const { points, from, to } = await ask(`host/history?${query}`);
      if (choose.value !== quantity) return;
      const form = formOf(quantity, units.get(quantity) ?? "");
      fill(figure, plot(points, { label: nameOf(quantity), from, to, ...form }));
    } catch (error) {
      fill(figure, element("p", { class: "hint" }, error.message));
    }
  }

  return {
    element: card,
    update(sensor) {
      put(title, sensor.name || sensor.address);
      put(place, sensor.name ? sensor.address : "");
      place.hidden = !sensor.name;
      units = new Map(sensor.readings.map((reading) => [reading.name, reading.unit]));
      values(
        readings,
        sensor.readings.filter((reading) => isFirst(reading.name) && reading.value !== null),
      );
      values(
        others,
        sensor.readings.filter((reading) => !isFirst(reading.name) || reading.value === null),
      );
      fold.hidden = !others.children.length;
      const words = [];
      if (sensor.rssi !== null) words.push(say("signalOf", { n: count(sensor.rssi) }));
      words.push(
        sensor.age === null ? say("neverHeard") : say("heardBefore", { age: duration(sensor.age) }),
      );
      const battery = sensor.readings.find((reading) => reading.name === "battery_voltage");
      if (battery && battery.value !== null)
        words.push(say("batteryOf", { v: valueText(battery) }));
      put(state, words.join(" · "));
      const wrong = [];
      if (sensor.silent) wrong.push(say("silent"));
      if (sensor.battery_low) wrong.push(say("batteryLow"));
      if (sensor.error)
        wrong.push(
          say(`error_${sensor.error}`).startsWith("error_")
            ? say("notDecoded", { why: sensor.error })
            : say(`error_${sensor.error}`),
        );
      put(warnings, wrong.join(" "));
      warnings.hidden = !wrong.length;
      const plots = firstOf(sensor.plots);
      if (choose.dataset.shown !== plots.join()) {
        choose.dataset.shown = plots.join();
        const before = choose.value;
        fill(
          choose,
          plots.map((name) => element("option", { value: name }, nameOf(name))),
        );
        if (plots.includes(before)) choose.value = before;
      }
      chooser.hidden = !plots.length;
      figure.hidden = !plots.length;
      drawPlot();
    },
    gone() {
      seen.unobserve(card);
      card.remove();
    },
  };
}

// Text of each value in its place; made anew only when there are other values.
function values(parent, readings) {
  const names = readings.map((reading) => reading.name).join();
  if (parent.dataset.shown !== names) {
    parent.dataset.shown = names;
    fill(
      parent,
      readings.map((reading) =>
        element("div", {}, element("dt", {}, nameOf(reading.name)), element("dd")),
      ),
    );
  }
  readings.forEach((reading, place) => put(parent.children[place].lastChild, valueText(reading)));
}
