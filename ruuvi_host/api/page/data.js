// The section "Where data goes".

import { Refused, ask } from "./api.js";
import { element, fill } from "./dom.js";
import { checkbox } from "./fields.js";
import { saveBar } from "./saving.js";
import { cloudForm, serverForm } from "./server.js";
import { Changes, bound, loadSettings } from "./settings.js";
import { statisticsForm } from "./statistics.js";
import { say } from "./text.js";

export function dataSection(parent) {
  let lines = null;

  async function show() {
    const settings = await loadSettings();
    const cloud = cloudForm(settings);
    const cloudPlace = element("div", { class: "result", "aria-live": "polite" });
    const server = serverForm(settings);
    const statistics = statisticsForm(settings);
    const times = checkbox(
      bound(settings, "ntp_use", {
        label: say("useTimes"),
        hint: say("useTimesHint"),
        checked: settings.values.ntp_use,
      }),
    );
    const targets = [
      { name: "ruuvi", part: cloud, place: cloudPlace },
      { name: "custom", part: server, place: server.place },
      { name: "statistics", part: statistics, place: statistics.place },
    ];
    const tried = new Map();
    const form = element("form", { novalidate: true, "aria-labelledby": "data-title" });

    function collect() {
      const changes = new Changes(settings);
      for (const { part } of targets) part.collect(changes);
      changes.put("ntp_use", times.checked);
      return changes;
    }

    // What a target's part of the form says, to know whether it has been tried.
    function state(target) {
      const changes = new Changes(settings);
      target.part.collect(changes);
      return { changes, text: JSON.stringify(changes.body) };
    }

    // Tries those that are on and `due`, one after the other. Returns what is wrong with them, a line each.
    async function attempt(due) {
      const wrong = [];
      for (const target of targets) {
        const { changes, text } = state(target);
        if (!target.part.isOn || tried.get(target.name) === text || !due(changes)) continue;
        if (changes.problems) {
          changes.first?.focus();
          return [say("correctFirst")];
        }
        fill(target.place, element("p", {}, say("checking")));
        const verdict = await checked(target.name, changes);
        fill(target.place, element("p", { class: verdict.good ? "good" : "bad" }, verdict.text));
        if (verdict.good) tried.set(target.name, text);
        else wrong.push(`${say(`target_${target.name}`)}: ${verdict.text}`);
      }
      return wrong;
    }

    const bar = saveBar({
      form,
      collect,
      check: () => attempt((changes) => !changes.isEmpty),
      tryAll: () => attempt(() => true),
      saved: async (answer, said) => {
        lines = said;
        await show();
      },
    });
    fill(
      form,
      element("div", { class: "card" }, cloud.element, cloudPlace, server.element),
      element("div", { class: "card" }, statistics.element),
      element("div", { class: "card" }, times.element),
      bar.element,
    );
    fill(parent, form);
    if (lines) {
      bar.tell(lines);
      lines = null;
    }
  }

  return { show };
}

// One real delivery with what is not saved yet.
async function checked(target, changes) {
  const { gateway, files } = changes;
  try {
    const answer = await ask("host/check", {
      method: "POST",
      json: { target, config: gateway, files },
      seconds: 60,
    });
    if (answer.ok) return { good: true, text: say("checkGood") };
    return { good: false, text: answer.message || say("checkStatus", { status: answer.status }) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { good: false, text: error.message };
  }
}
