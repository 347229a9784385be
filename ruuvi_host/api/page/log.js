// The section "Log and doctor": the last lines of the log, a bundle for a bug report, and the way back.

import { Refused, ask } from "./api.js";
import { element, fill, put } from "./dom.js";
import { told } from "./saving.js";
import { dateAndClock, say } from "./text.js";

export function logSection(parent, page) {
  const lines = element("pre", { class: "log", tabindex: "0", role: "region", "aria-label": say("logLines") });
  const refresh = element("button", { type: "button", click: showLines }, say("refresh"));
  const result = element("div", { class: "result", role: "status", tabindex: "-1" });
  const versions = element("ol", { class: "versions" });
  const undo = element("button", { type: "button", click: goBack }, say("undo"));

  async function show() {
    fill(
      parent,
      element(
        "div",
        { class: "card" },
        element("h3", {}, say("logLines")),
        lines,
        element("div", { class: "buttons" }, refresh),
      ),
      element(
        "div",
        { class: "card" },
        element("h3", {}, say("bundle")),
        element("p", {}, say("bundleHint")),
        element(
          "p",
          {},
          element("a", { class: "button", href: "host/bundle", download: true }, say("bundleGet")),
        ),
      ),
      element(
        "div",
        { class: "card" },
        element("h3", {}, say("wayBack")),
        element("p", {}, say("wayBackHint")),
        versions,
        element("div", { class: "buttons" }, undo),
        result,
      ),
    );
    await Promise.all([showLines(), showVersions()]);
  }

  async function showLines() {
    try {
      const { lines: found } = await ask("host/log");
      put(lines, found.length ? found.join("\n") : say("logEmpty"));
      lines.scrollTop = lines.scrollHeight;
    } catch (error) {
      put(lines, error.message);
    }
  }

  async function showVersions() {
    try {
      const { versions: found } = await ask("host/undo");
      undo.disabled = !found.length;
      fill(
        versions,
        found.map((version) =>
          element("li", {}, dateAndClock(version.time), version.what ? ` – ${version.what}` : ""),
        ),
      );
      if (!found.length) fill(versions, element("li", {}, say("nothingToUndo")));
    } catch (error) {
      fill(versions, element("li", {}, error.message));
    }
  }

  async function goBack() {
    undo.disabled = true;
    try {
      const answer = await ask("host/undo", { method: "POST", json: {}, seconds: 60 });
      const said = told(answer);
      said[0] = ["good", say("undone")];
      fill(
        result,
        said.map(([kind, text]) => element("p", { class: kind }, text)),
      );
      if (answer.ends_sessions) await page.loggedOut(said);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      fill(result, element("p", { class: "bad" }, `${say("notUndone")} ${error.message}`));
    }
    await showVersions();
    result.focus();
  }

  return { show };
}
