// The end of each form: what saving would do, the button, and what has come of it.

import { Refused, ask } from "./api.js";
import { element, fill, put } from "./dom.js";
import { say } from "./text.js";

// options: form (the element), collect() → Changes, check() → Promise of lines that say what is wrong (optional),
// tryAll() (optional: what the button "Check" does; as check), warning() (optional: what saving would do to whoever saves, in
// words), saved(answer, lines) (called when it is saved).
export function saveBar(options) {
  const notice = element("p", { class: "notice", "aria-live": "polite" });
  const result = element("div", { class: "result", role: "status", tabindex: "-1" });
  const save = element("button", { type: "submit", class: "main" }, say("save"));
  const tryIt =
    options.tryAll &&
    element(
      "button",
      { type: "button", click: () => busy(async () => tell(...faults(await options.tryAll()))) },
      say("check"),
    );
  const anyway = element(
    "button",
    { type: "button", hidden: true, click: () => busy(() => store(options.collect())) },
    say("saveAnyway"),
  );

  function tell(...lines) {
    fill(
      result,
      lines.map(([kind, text]) => element("p", { class: kind }, text)),
    );
  }

  const faults = (lines) => lines.map((line) => ["bad", line]);

  // One thing at a time. The buttons are not disabled, which would take the focus away.
  async function busy(work) {
    if (options.form.ariaBusy === "true") return;
    options.form.ariaBusy = "true";
    try {
      await work();
    } finally {
      options.form.ariaBusy = "false";
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
      else {
        const wrong = options.check ? await options.check() : [];
        if (!wrong.length) await store(changes);
        else {
          tell(["bad", say("checkFailed")], ...faults(wrong));
          anyway.hidden = false;
        }
      }
    });
  });
  if (options.warning) {
    for (const kind of ["input", "change"])
      options.form.addEventListener(kind, () => put(notice, options.warning()));
  }

  async function store(changes) {
    if (changes.problems) {
      tell(["bad", say("correctFirst")]);
      return;
    }
    tell(["", say("saving")]);
    try {
      const answer = await ask("host/settings", {
        method: "POST",
        json: changes.body,
        seconds: 60,
      });
      await options.saved(answer, told(answer));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const problems = (error.body?.problems ?? []).map((problem) => [
        "bad",
        `${problem.key}: ${problem.why}`,
      ]);
      tell(["bad", `${say("notSaved")} ${error.message}`], ...problems);
    }
  }

  return {
    element: element(
      "div",
      { class: "save" },
      notice,
      element("div", { class: "buttons" }, save, tryIt, anyway),
      result,
    ),
    tell(lines) {
      tell(...lines);
      result.focus();
    },
  };
}

// What has become of it, in words: [kind, text].
export function told(answer) {
  const lines = [["good", say("saved")]];
  for (const [key, source] of Object.entries(answer.fixed ?? {}))
    lines.push(["bad", say("stays", { key, source })]);
  for (const problem of answer.problems ?? [])
    lines.push([
      "bad",
      `${problem.key}: ${problem.why}${problem.instead ? `; ${problem.instead}` : ""}`,
    ]);
  if (answer.needs_restart) lines.push(["", say("needsRestart")]);
  return lines;
}
