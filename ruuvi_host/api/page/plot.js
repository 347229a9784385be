// A plot as SVG: one line over time, with gaps where nothing was heard.

import { drawing, element, put } from "./dom.js";
import { clock, decimal, say } from "./text.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [340, 130, 46, 8, 10, 20];
const STEPS = [1, 2, 5];
const HOURS = [1, 2, 3, 6, 12, 24];

// points: [[UTC seconds, value or null]] in order. gap: seconds without a point after which the line ends.
export function plot(points, { label, unit, scale = 1, digits = 1, from, to, gap = 900 }) {
  const known = points
    .filter(([, value]) => value !== null)
    .map(([time, value]) => [time, value * scale]);
  if (known.length < 2) return element("p", { class: "hint" }, say("plotTooFew"));
  const values = known.map(([, value]) => value);
  const lowest = Math.min(...values);
  const highest = Math.max(...values);
  const step = niceStep(highest - lowest || Math.abs(highest) * 0.01 || 1);
  const bottom = Math.floor(lowest / step) * step;
  const top = Math.max(Math.ceil(highest / step) * step, bottom + step);
  const x = (time) => LEFT + ((time - from) / Math.max(to - from, 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + ((top - value) / (top - bottom)) * (HEIGHT - TOP - BOTTOM);

  const marks = [];
  for (let value = bottom; value <= top + step / 2; value += step) {
    const places = Math.max(0, Math.min(3, -Math.floor(Math.log10(step) + 1e-9)));
    marks.push(
      drawing("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      drawing(
        "text",
        { class: "mark", x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" },
        decimal(value, places),
      ),
    );
  }
  for (const time of timeMarks(from, to)) {
    marks.push(
      drawing(
        "text",
        {
          class: "mark",
          x: Math.min(Math.max(x(time), LEFT + 14), WIDTH - 16),
          y: HEIGHT - 5,
          "text-anchor": "middle",
        },
        clock(time),
      ),
    );
  }
  const pointed = drawing("circle", { class: "end", r: 3, visibility: "hidden" });
  const told = drawing("text", {
    class: "told",
    x: WIDTH - RIGHT,
    y: TOP + 2,
    "text-anchor": "end",
  });

  // Says the value that is nearest to the pointer.
  function point(event) {
    const box = made.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * WIDTH;
    const distance = ([time]) => Math.abs(x(time) - at);
    const [time, value] = known.reduce((best, each) =>
      distance(each) < distance(best) ? each : best,
    );
    pointed.setAttribute("cx", x(time));
    pointed.setAttribute("cy", y(value));
    pointed.setAttribute("visibility", "visible");
    put(told, `${clock(time)}: ${decimal(value, digits)} ${unit}`);
  }

  function leave() {
    pointed.setAttribute("visibility", "hidden");
    put(told, "");
  }

  const made = drawing(
    "svg",
    {
      class: "plot",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": say("plotLabel", {
        label,
        unit,
        from: decimal(lowest, digits),
        to: decimal(highest, digits),
        last: decimal(values.at(-1), digits),
      }),
      pointermove: point,
      pointerdown: point,
      pointerleave: leave,
    },
    marks,
    drawing("path", { class: "line", d: path(known, x, y, gap) }),
    drawing("circle", { class: "end", cx: x(known.at(-1)[0]), cy: y(known.at(-1)[1]), r: 2.5 }),
    pointed,
    told,
  );
  return made;
}

function path(points, x, y, gap) {
  let text = "";
  let before = -Infinity;
  for (const [time, value] of points) {
    text += `${time - before > gap ? "M" : "L"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
    before = time;
  }
  return text;
}

// About three steps, each 1, 2 or 5 of some power of ten.
function niceStep(span) {
  const power = 10 ** Math.floor(Math.log10(span / 3));
  return (STEPS.find((step) => step * power >= span / 3) ?? 10) * power;
}

function timeMarks(from, to) {
  const every = 3600 * (HOURS.find((hours) => (to - from) / 3600 / hours <= 4) ?? 24);
  if (to - from < 3600) return [from, to];
  const shift = new Date(to * 1000).getTimezoneOffset() * 60;
  const marks = [];
  for (let time = Math.ceil((from - shift) / every) * every + shift; time <= to; time += every)
    marks.push(time);
  return marks;
}
