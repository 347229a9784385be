// "HTTP(S)": Ruuvi Cloud, and a server of one's own with all that it may ask for.

import { CLOUD, LONGEST_FILE, headerLines, octets } from "./address.js";
import { certificates } from "./certificates.js";
import { element } from "./dom.js";
import { checkbox, radios, textField, visible } from "./fields.js";
import { accessForm } from "./server_access.js";
import { addressForm } from "./server_address.js";
import { bound } from "./settings.js";
import { say } from "./text.js";

const USUAL_PERIOD = 30;

export function cloudForm(settings) {
  const box = checkbox(
    bound(settings, "use_http_ruuvi", {
      label: say("useCloud"),
      hint: say("useCloudHint"),
      checked: settings.values.use_http_ruuvi,
    }),
  );
  return {
    element: box.element,
    get isOn() {
      return box.checked;
    },
    collect(changes) {
      changes.put("use_http_ruuvi", box.checked);
    },
  };
}

export function serverForm(settings) {
  const saved = settings.values;
  const address = addressForm(settings);
  const wasNeverSet = !saved.use_http && saved.http_url === CLOUD;
  const format = radios(
    bound(settings, "http_data_format", {
      legend: say("dataFormat"),
      value: saved.http_data_format,
      choices: ["ruuvi", "ruuvi_raw_and_decoded", "ruuvi_decoded"].map((value) => [
        value,
        say(value),
        say(`${value}_hint`),
      ]),
    }),
  );
  const period = textField(
    bound(settings, "http_period", {
      label: say("period"),
      hint: say("periodHint"),
      inputmode: "numeric",
      value: wasNeverSet || saved.http_period === undefined ? USUAL_PERIOD : saved.http_period,
    }),
  );
  const access = accessForm(settings);
  const headers = headersForm(settings);
  const clientCertificate = certificates(settings, {
    key: "http_use_ssl_client_cert",
    label: say("useClientCert"),
    hint: say("useClientCertHint"),
    files: [
      ["http_cli_cert", say("certificate")],
      ["http_cli_key", say("key")],
    ],
  });
  const serverCertificate = certificates(settings, {
    key: "http_use_ssl_server_cert",
    label: say("useServerCert"),
    hint: say("useServerCertHint"),
    files: [["http_srv_cert", say("certificate")]],
  });
  const parts = [address, format, period, access, headers, clientCertificate, serverCertificate];
  const inner = element(
    "div",
    { class: "indented" },
    parts.map((part) => part.element),
  );
  const box = checkbox(
    bound(settings, "use_http", {
      label: say("useServer"),
      hint: say("useServerHint"),
      checked: saved.use_http,
      changed: (is) => {
        if (is) address.emptyIfCloud();
        visible(inner, is);
      },
    }),
  );
  visible(inner, box.checked);

  return {
    element: element("div", {}, box.element, inner),
    get isOn() {
      return box.checked;
    },
    // Where the result of a check is shown.
    place: address.place,
    collect(changes) {
      changes.put("use_http", box.checked);
      if (!box.checked) return;
      address.collect(changes);
      changes.put("http_data_format", format.value);
      const typed = period.value.trim();
      const seconds = Number(typed);
      // A shorter one that was set elsewhere stays as it is.
      const isSaved = saved.use_http && typed === String(saved.http_period);
      if (isSaved || (/^[0-9]+$/.test(typed) && seconds >= 10 && seconds <= 3600))
        changes.put("http_period", seconds);
      else if (!period.input.disabled) changes.refuse(period, say("periodRange"));
      access.collect(changes);
      headers.collect(changes);
      clientCertificate.collect(changes);
      serverCertificate.collect(changes);
    },
  };
}

function headersForm(settings) {
  const flag = "http_use_extra_http_headers";
  const isFixed = Boolean(settings.fixed[flag]);
  const lines = textField({
    label: say("headerLines"),
    hint: say("headerLinesHint"),
    multiline: true,
    placeholder: "X-Key: value",
    disabled: isFixed,
    value: (settings.texts.http_headers ?? "").replaceAll("\r\n", "\n").trimEnd(),
  });
  const box = checkbox(
    bound(settings, flag, {
      label: say("useHeaders"),
      checked: settings.values[flag],
      changed: (is) => visible(lines.element, is),
    }),
  );
  visible(lines.element, box.checked);
  return {
    element: element("div", {}, box.element, element("div", { class: "indented" }, lines.element)),
    collect(changes) {
      changes.put(flag, box.checked);
      if (isFixed) return;
      if (!box.checked) {
        if (settings.values[flag]) changes.putFile("http_headers", null);
        return;
      }
      const { text, line, why } = headerLines(lines.value);
      if (why) changes.refuse(lines, say(why, { line }));
      else if (text === "") changes.refuse(lines, say("mustNotBeEmpty"));
      else if (octets(text) > LONGEST_FILE)
        changes.refuse(lines, say("tooLong", { n: LONGEST_FILE }));
      else changes.putFile("http_headers", text);
    },
  };
}
