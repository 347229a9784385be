// The end of each form: what saving would do, the button, and what has come of it.

import { Refused, ask } from "./api.js";
import { element, fill, put } from "./dom.js";
import { say } from "./text.js";

// options: form (the element), collect() → Changes, check(changes) → Promise of true when all is well (optional),
// tryAll() (optional: what the button "Check" does), warning() (optional: what saving would do to whoever saves, in
// words), saved(answer, lines) (called when it is saved).
export function saveBar(options) {
  const notice = element("p", { class: "notice", "aria-live": "polite" });
  const result = element("div", { class: "result", role: "status", tabindex: "-1" });
  const save = element("button", { type: "submit", class: "main" }, say("save"));
  const tryIt = options.tryAll && element("button", { type: "button", click: () => busy(options.tryAll) }, say("check"));
  const anyway = element("button", { type: "button", hidden: true, click: () => busy(() => store(options.collect())) }, say("saveAnyway"));

  function tell(...lines) {
    fill(result, lines.map(([kind, text]) => element("p", { class: kind }, text)));
  }

  async function busy(work) {
    for (const button of [save, tryIt, anyway]) if (button) button.disabled = true;
    try {
      await work();
    } finally {
      for (const button of [save, tryIt, anyway]) if (button) button.disabled = false;
    }
  }

  options.form.addEventListener("submit", (event) => {
    event.preventDefault();
    fill(result);
    busy(async () => {
      const changes = options.collect();
      anyway.hidden = true;
      if (changes.problems) {
        tell(["bad", say("correctFirst")]);
        changes.first?.focus();
      } else if (changes.isEmpty) tell(["", say("nothingChanged")]);
      else if (options.check && !(await options.check(changes))) {
        tell(["bad", say("checkFailed")]);
        anyway.hidden = false;
      } else await store(changes);
    });
  });
  if (options.warning) {
    for (const kind of ["input", "change"]) options.form.addEventListener(kind, () => put(notice, options.warning()));
  }

  async function store(changes) {
    if (changes.problems) {
      tell(["bad", say("correctFirst")]);
      return;
    }
    tell(["", say("saving")]);
    try {
      const answer = await ask("host/settings", { method: "POST", json: changes.body, seconds: 60 });
      await options.saved(answer, told(answer));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const problems = (error.body?.problems ?? []).map((problem) => ["bad", `${problem.key}: ${problem.why}`]);
      tell(["bad", `${say("notSaved")} ${error.message}`], ...problems);
    }
  }

  return {
    element: element("div", { class: "save" }, notice, element("div", { class: "buttons" }, save, tryIt, anyway), result),
    tell(lines) {
      tell(...lines);
      result.focus();
    },
  };
}

// What has become of it, in words: [kind, text].
export function told(answer) {
  const lines = [["good", say("saved")]];
  for (const [key, source] of Object.entries(answer.fixed ?? {})) lines.push(["bad", say("stays", { key, source })]);
  for (const problem of answer.problems ?? []) lines.push(["bad", `${problem.key}: ${problem.why}${problem.instead ? `; ${problem.instead}` : ""}`]);
  if (answer.needs_restart) lines.push(["", say("needsRestart")]);
  return lines;
}
