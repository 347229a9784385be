// Where the hourly statistics go: Ruuvi's server, one of one's own, or nowhere.

import { CLOUD_STATUS, LONGEST, fault, octets, withScheme } from "./address.js";
import { certificates } from "./certificates.js";
import { element } from "./dom.js";
import { radios, secretField, textField, visible } from "./fields.js";
import { bound } from "./settings.js";
import { say } from "./text.js";

export function statisticsForm(settings) {
  const saved = settings.values;
  const was = !saved.use_http_stat
    ? "none"
    : saved.http_stat_url === CLOUD_STATUS
      ? "ruuvi"
      : "own";
  const place = element("div", { class: "result", "aria-live": "polite" });
  const kind = radios(
    bound(settings, settings.fixed.use_http_stat ? "use_http_stat" : "http_stat_url", {
      legend: say("statisticsTo"),
      value: was,
      choices: ["ruuvi", "own", "none"].map((value) => [value, say(`statistics_${value}`)]),
      changed: () => {
        for (const field of [url, user, password]) field.clear();
        password.setSaved(false);
        for (const each of pair) each.clear();
        refresh();
      },
    }),
  );
  const url = textField(
    bound(settings, "http_stat_url", {
      label: say("address"),
      placeholder: "https://server.example/status",
      inputmode: "url",
      value: was === "own" ? saved.http_stat_url : "",
    }),
  );
  const user = textField(
    bound(settings, "http_stat_user", {
      label: say("userOptional"),
      value: was === "own" ? saved.http_stat_user : "",
    }),
  );
  const password = secretField(
    bound(settings, "http_stat_pass", {
      label: say("passwordOptional"),
      isSaved: was === "own" && settings.secrets.has("http_stat_pass"),
    }),
  );
  user.input.addEventListener("input", () => {
    password.clear();
    password.setSaved(
      was === "own" &&
        user.value === saved.http_stat_user &&
        settings.secrets.has("http_stat_pass"),
    );
  });
  const pair = [
    certificates(settings, {
      key: "http_stat_use_ssl_client_cert",
      label: say("useClientCert"),
      files: [
        ["stat_cli_cert", say("certificate")],
        ["stat_cli_key", say("key")],
      ],
    }),
    certificates(settings, {
      key: "http_stat_use_ssl_server_cert",
      label: say("useServerCert"),
      files: [["stat_srv_cert", say("certificate")]],
    }),
  ];
  const inner = element(
    "div",
    { class: "indented" },
    url.element,
    user.element,
    password.element,
    pair.map((each) => each.element),
  );

  function refresh() {
    visible(inner, kind.value === "own");
  }

  refresh();
  const isUsual = was === "ruuvi" && !saved.http_stat_user;
  return {
    element: element(
      "details",
      { class: "fold", open: !isUsual },
      element("summary", {}, say("statistics")),
      element("p", { class: "hint" }, say("statisticsHint")),
      kind.element,
      inner,
      place,
    ),
    place,
    get isOn() {
      return kind.value !== "none";
    },
    collect(changes) {
      if (kind.inputs[0].disabled) return;
      changes.put("use_http_stat", kind.value !== "none");
      if (kind.value === "none") return;
      if (kind.value === "ruuvi") {
        changes.put("http_stat_url", CLOUD_STATUS);
        changes.put("http_stat_user", "");
        changes.putSecret("http_stat_pass", password);
        changes.put("http_stat_use_ssl_client_cert", false);
        changes.put("http_stat_use_ssl_server_cert", false);
        return;
      }
      const address = withScheme(url.value);
      const why = fault(address);
      if (why) changes.refuse(url, say(why));
      else if (octets(address) > LONGEST) changes.refuse(url, say("tooLong", { n: LONGEST }));
      else {
        url.value = address;
        changes.put("http_stat_url", address);
      }
      for (const field of [user, password])
        if (octets(field.value) > 50) changes.refuse(field, say("tooLong", { n: 50 }));
      if (user.value.includes(":")) changes.refuse(user, say("userHasColon"));
      changes.put("http_stat_user", user.value);
      changes.putSecret("http_stat_pass", password);
      for (const each of pair) each.collect(changes);
    },
  };
}
