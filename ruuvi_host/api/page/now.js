// The section "Now": the host, its link and targets, what was lost, and every sensor. Asks again every few seconds.

import { ask } from "./api.js";
import { element, fill, put } from "./dom.js";
import { sensorCard } from "./sensor_card.js";
import { count, dateAndClock, duration, maybe, say } from "./text.js";

const EVERY = 3000; // milliseconds

export function nowSection(parent, page) {
  const health = element("p", { class: "health", role: "status" });
  const facts = element("dl", { class: "facts" });
  const links = element("ul", { class: "states" });
  const targets = element("ul", { class: "states" });
  const losses = element("table", { class: "losses" });
  const noLosses = element("p", {}, say("noLosses"));
  const sensors = element("div", { class: "sensors" });
  const noSensors = element("p", {}, say("nothingHeard"));
  const title = element("h3", {}, say("sensors"));
  const cards = new Map();
  let timer = null;
  let shown = false;

  fill(
    parent,
    element("div", { class: "card" }, health, facts),
    title,
    noSensors,
    sensors,
    element(
      "div",
      { class: "columns" },
      element("div", { class: "card" }, element("h3", {}, say("coprocessors")), links),
      element("div", { class: "card" }, element("h3", {}, say("targets")), targets),
      element(
        "div",
        { class: "card" },
        element("h3", {}, say("losses")),
        element("p", { class: "hint" }, say("lossesHint")),
        noLosses,
        losses,
      ),
    ),
  );

  async function look() {
    clearTimeout(timer);
    try {
      draw(await ask("host/now"));
      page.connected(true);
    } catch (error) {
      page.connected(false, error.message);
    }
    clearTimeout(timer); // of another look that came in between
    if (shown && !document.hidden) timer = setTimeout(look, EVERY);
  }

  function draw(now) {
    page.named(now.name);
    parent.dataset.asked = String(now.time);
    health.className = `health ${now.health.level}`;
    put(health, `${say(`health_${now.health.level}`)}: ${now.health.sentence}`);
    describe(facts, [
      [say("gateway"), `${now.name} (${now.mac})`],
      [say("versions"), `ruuvi-host ${now.version}, ${say("coprocessor")} ${now.nrf_version}`],
      [say("runningFor"), duration(now.uptime)],
      [say("time"), now.clock_is_right ? dateAndClock(now.time) : say("clockIsWrong")],
      ...(now.coordinates ? [[say("coordinates"), now.coordinates]] : []),
    ]);
    list(
      links,
      now.links.map((link) => ({
        is: link.problem ? "bad" : "good",
        text: `${link.port}: ${say(`link_${link.state}`)}${link.age === null ? "" : `, ${say("lastReport", { age: duration(link.age) })}`}`,
        more: link.problem || link.damage,
      })),
    );
    list(
      targets,
      now.targets.length ? now.targets.map(targetLine) : [{ is: "", text: say("noTargets") }],
    );
    table(losses, now.losses);
    losses.hidden = !now.losses.length;
    noLosses.hidden = now.losses.length > 0;
    const all = Math.max(now.in_table, now.sensors.length);
    const isAll = all === now.sensors.length;
    put(title, say(isAll ? "sensorsCount" : "sensorsOf", { n: now.sensors.length, all }));
    noSensors.hidden = now.sensors.length > 0;
    drawSensors(now);
  }

  function drawSensors(now) {
    const present = new Set();
    for (const sensor of now.sensors) {
      present.add(sensor.address);
      let card = cards.get(sensor.address);
      if (!card) {
        card = sensorCard(sensor.address);
        cards.set(sensor.address, card);
        sensors.append(card.element);
      }
      card.update(sensor, now.time);
    }
    for (const [address, card] of cards) {
      if (present.has(address)) continue;
      card.gone();
      cards.delete(address);
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (shown) look();
  });

  return {
    async show() {
      shown = true;
      await look();
    },
    hide() {
      shown = false;
      clearTimeout(timer);
    },
  };
}

function targetLine(target) {
  const words = [];
  if (target.name === "statistics") {
    words.push(
      say("postsSoFar", { accepted: count(target.accepted), failed: count(target.failed) }),
    );
  } else {
    words.push(say(target.problem ? "targetFailing" : "targetAccepts"));
    words.push(
      target.waiting_batches
        ? say("waiting", {
            batches: count(target.waiting_batches),
            reports: count(target.waiting_reports),
          })
        : say("nothingWaits"),
      say("acceptedSoFar", { n: count(target.accepted) }),
    );
    if (target.growth > 0) words.push(say("growing", { n: count(target.growth) }));
  }
  return {
    is: target.problem ? "bad" : "good",
    text: `${nameOfPlace(target.name)}: ${words.join("; ")}`,
    more: target.problem,
  };
}

function describe(parent, pairs) {
  const text = JSON.stringify(pairs);
  if (parent.dataset.shown === text) return;
  parent.dataset.shown = text;
  fill(
    parent,
    pairs.map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value)),
    ),
  );
}

function list(parent, lines) {
  const text = JSON.stringify(lines);
  if (parent.dataset.shown === text) return;
  parent.dataset.shown = text;
  fill(
    parent,
    lines.map((line) =>
      element(
        "li",
        { class: line.is },
        line.text,
        line.more && element("span", { class: "more" }, line.more),
      ),
    ),
  );
}

function table(parent, losses) {
  const text = JSON.stringify(losses);
  if (parent.dataset.shown === text) return;
  parent.dataset.shown = text;
  fill(
    parent,
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        ["lossWhere", "lossReason", "lossCount"].map((key) =>
          element("th", { scope: "col" }, say(key)),
        ),
      ),
    ),
    element(
      "tbody",
      {},
      losses.map((loss) =>
        element(
          "tr",
          {},
          element("td", {}, nameOfPlace(loss.where)),
          element("td", {}, maybe(`loss_${loss.reason}`) ?? loss.reason),
          element("td", { class: "number" }, count(loss.count)),
        ),
      ),
    ),
  );
}

// A target of a gateway by its usual name; another one, and a port, by its own.
function nameOfPlace(name) {
  return name ? (maybe(`target_${name}`) ?? name) : say("lossIntake");
}
