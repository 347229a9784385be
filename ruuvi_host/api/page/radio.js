// The section "Radio": what is scanned for, which sensors pass, and what people say about them.

import { ask, request } from "./api.js";
import { element, fill, put } from "./dom.js";
import { checkbox, radios, textField, visible } from "./fields.js";
import { saveBar } from "./saving.js";
import { sensorEditor } from "./sensors.js";
import { Changes, bound, loadSettings } from "./settings.js";
import { count, say } from "./text.js";

const RUUVI = 0x0499;
const ADDRESS = /^[0-9A-F]{2}(:[0-9A-F]{2}){5}$/;
const MOST_ADDRESSES = 100;
const LISTENING = 3000; // milliseconds in which most sensors are heard once
const PHYS = ["scan_1mbit_phy", "scan_2mbit_phy", "scan_coded_phy"];
const CHANNELS = ["scan_channel_37", "scan_channel_38", "scan_channel_39"];

export function radioSection(parent) {
  const scanPlace = element("div");
  const sensorPlace = element("div");
  let lines = null;

  async function show() {
    const settings = await loadSettings();
    const heard = await hear();
    const scan = scanForm(settings);
    const filter = filterForm(settings, heard, scan);
    const form = element("form", { novalidate: true, "aria-labelledby": "radio-title" });

    function collect() {
      const changes = new Changes(settings);
      scan.collect(changes);
      filter.collect(changes);
      return changes;
    }

    const bar = saveBar({
      form,
      collect,
      saved: async (answer, said) => {
        lines = said;
        await show();
      },
    });
    fill(
      form,
      element("div", { class: "card" }, scan.element),
      element("div", { class: "card" }, filter.element),
      bar.element,
    );
    fill(scanPlace, form);
    if (!parent.contains(scanPlace)) fill(parent, scanPlace, sensorPlace);
    if (lines) {
      bar.tell(lines);
      lines = null;
    }
    sensorEditor(sensorPlace, settings, heard, renewed);
  }

  // One sensor was saved: what is typed in the forms above stays.
  async function renewed(address, said) {
    sensorEditor(sensorPlace, await loadSettings(), await hear(), renewed, {
      address,
      lines: said,
    });
  }

  return { show };
}

async function hear() {
  return (await ask("host/now")).sensors;
}

function scanForm(settings) {
  const saved = settings.values;
  const was = !saved.company_use_filtering
    ? "all"
    : saved.scan_default && saved.company_id === RUUVI
      ? "ruuvi"
      : "company";
  const kind = radios(
    bound(
      settings,
      settings.fixed.company_use_filtering ? "company_use_filtering" : "scan_default",
      {
        legend: say("receive"),
        value: was,
        choices: ["ruuvi", "company", "all"].map((value) => [
          value,
          say(`scan_${value}`),
          say(`scan_${value}_hint`),
        ]),
        changed: refresh,
      },
    ),
  );
  const company = textField(
    bound(settings, "company_id", {
      label: say("company"),
      hint: say("companyHint"),
      value: `0x${saved.company_id.toString(16).toUpperCase().padStart(4, "0")}`,
    }),
  );
  // The gateway takes the six for their defaults while scan_default is true.
  const usual = { scan_coded_phy: false };
  const flags = Object.fromEntries(
    [...PHYS, ...CHANNELS].map((key) => [
      key,
      checkbox(
        bound(settings, key, {
          label: say(key),
          checked: saved.scan_default ? (usual[key] ?? true) : saved[key],
        }),
      ),
    ]),
  );
  const group = (legend, keys) =>
    element(
      "fieldset",
      { class: "field flags" },
      element("legend", {}, say(legend)),
      keys.map((key) => flags[key].element),
    );
  const six = element(
    "div",
    { class: "indented" },
    company.element,
    group("phys", PHYS),
    group("channels", CHANNELS),
  );

  function refresh() {
    visible(six, kind.value !== "ruuvi");
    visible(company.element, kind.value === "company");
  }

  refresh();

  return {
    element: element("div", {}, kind.element, six),
    collect(changes) {
      if (kind.inputs[0].disabled) return;
      if (kind.value === "ruuvi") {
        changes.put("scan_default", true);
        changes.put("company_id", RUUVI);
        changes.put("company_use_filtering", true);
        return;
      }
      changes.put("company_use_filtering", kind.value === "company");
      if (kind.value === "company") {
        const text = company.value.trim();
        const id = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : NaN;
        if (!(id >= 0 && id <= 65535)) changes.refuse(company, say("companyRange"));
        else changes.put("company_id", id);
      }
      const on = (keys) => keys.some((key) => flags[key].checked);
      if (!on(PHYS)) changes.refuse(flags[PHYS[0]], say("noPhy"));
      if (!on(CHANNELS)) changes.refuse(flags[CHANNELS[0]], say("noChannel"));
      const isUsual = [...PHYS, ...CHANNELS].every(
        (key) => flags[key].checked === (usual[key] ?? true),
      );
      // Of what is as usual nothing needs to be said.
      if (saved.scan_default && isUsual) return;
      changes.put("scan_default", false);
      for (const [key, box] of Object.entries(flags)) changes.put(key, box.checked);
    },
  };
}

function filterForm(settings, firstHeard, scan) {
  const saved = settings.values;
  let heard = firstHeard;
  const listed = new Set(saved.scan_filter_list.map((text) => text.toUpperCase()));
  const isFixed = Boolean(settings.fixed.scan_filter_list);
  const kind = radios(
    bound(settings, "scan_filter_allow_listed", {
      legend: say("filterKind"),
      value: saved.scan_filter_allow_listed ? "allow" : "drop",
      choices: [
        ["drop", say("filterDrop")],
        ["allow", say("filterAllow")],
      ],
    }),
  );
  const table = element("div", {
    class: "scroll",
    role: "group",
    "aria-label": say("filterList"),
    tabindex: "0",
  });
  const told = element("p", { class: "hint", role: "status" });
  const refreshButton = element("button", { type: "button", click: listen }, say("listenAgain"));
  const added = textField({
    label: say("addAddress"),
    placeholder: "AA:BB:CC:DD:EE:FF",
    disabled: isFixed,
  });
  const add = element(
    "button",
    { type: "button", click: addAddress, disabled: isFixed },
    say("add"),
  );
  added.row.append(add);
  added.input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // not the whole form
    addAddress();
  });
  const inner = element(
    "div",
    { class: "indented" },
    kind.element,
    table,
    element("div", { class: "buttons" }, refreshButton),
    told,
    added.element,
  );
  const box = checkbox(
    bound(settings, "scan_filter_list", {
      label: say("useFilter"),
      hint: say("useFilterHint"),
      checked: listed.size > 0,
      changed: (is) => visible(inner, is),
    }),
  );
  visible(inner, box.checked);
  draw();

  function draw() {
    const known = new Map(heard.map((sensor) => [sensor.address, sensor]));
    for (const address of listed)
      if (!known.has(address)) known.set(address, { address, name: "" });
    const rows = [...known.values()]
      .sort((a, b) => (a.address < b.address ? -1 : 1))
      .map((sensor) => {
        const line = checkbox({
          label: [sensor.name, sensor.address].filter(Boolean).join(" · "),
          hint:
            sensor.rssi === undefined
              ? say("notHeard")
              : sensor.rssi === null
                ? ""
                : say("signalOf", { n: count(sensor.rssi) }),
          checked: listed.has(sensor.address),
          disabled: isFixed,
          changed: (is) => (is ? listed.add(sensor.address) : listed.delete(sensor.address)),
        });
        return line.element;
      });
    fill(table, rows.length ? rows : element("p", {}, say("nothingHeard")));
  }

  // Scans as the form says, for a few minutes, and shows what comes.
  async function listen() {
    const changes = new Changes(settings);
    scan.collect(changes);
    if (changes.problems) {
      changes.first?.focus();
      return;
    }
    refreshButton.disabled = true;
    put(told, say("listening"));
    const { status } = Object.keys(changes.gateway).length
      ? await request("bluetooth_scanning.json", { method: "POST", json: changes.gateway })
      : { status: 200 };
    await new Promise((resolve) => setTimeout(resolve, LISTENING));
    try {
      heard = await hear();
      put(
        told,
        status === 200
          ? say("heardSensors", { n: heard.length })
          : say("heardAsSaved", { n: heard.length }),
      );
    } catch (error) {
      put(told, error.message);
    }
    draw();
    refreshButton.disabled = false;
  }

  function addAddress() {
    const address = added.value.trim().toUpperCase();
    if (!ADDRESS.test(address)) {
      added.problem(say("addressForm"));
      return;
    }
    listed.add(address);
    added.clear();
    draw();
    put(told, say("addedAddress", { address }));
  }

  return {
    element: element("div", {}, box.element, inner),
    collect(changes) {
      const list = box.checked ? [...listed].sort() : [];
      if (list.length > MOST_ADDRESSES)
        changes.refuse(added, say("tooManyAddresses", { n: MOST_ADDRESSES }));
      if (box.checked && kind.value === "allow" && !list.length)
        changes.refuse(box, say("allowNothing"));
      else box.problem("");
      changes.put("scan_filter_list", list);
      changes.put("scan_filter_allow_listed", list.length > 0 && kind.value === "allow");
    },
  };
}
