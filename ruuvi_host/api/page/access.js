// The section "Access": who may see this page and ask the gateway.

import { md5 } from "./digest.js";
import { element, fill } from "./dom.js";
import { checkbox, radios, secretField, textField, visible } from "./fields.js";
import { octets } from "./address.js";
import { saveBar } from "./saving.js";
import { Changes, bound, loadSettings } from "./settings.js";
import { say } from "./text.js";

const OWN = "lan_auth_ruuvi";
// Without a password or key of one's own the gateway answers its own machine only.
const IS_LOCAL = /^(localhost|127\..*|\[::1\])$/.test(location.hostname);
const FROM_FILES = ["lan_auth_basic", "lan_auth_digest"];

export function accessSection(parent, page) {
  let lines = null;

  async function show() {
    const settings = await loadSettings();
    const saved = settings.values;
    const was = saved.lan_auth_type;
    const offered = ["lan_auth_default", OWN, "lan_auth_deny", "lan_auth_allow"];
    // Those of a file are kept, and shown as what they are.
    if (FROM_FILES.includes(was)) offered.unshift(was);
    const kind = radios(
      bound(settings, "lan_auth_type", {
        legend: say("whoMayCome"),
        value: was,
        choices: offered.map((value) => [value, say(value), say(`${value}_hint`)]),
        changed: refresh,
      }),
    );
    const user = textField(
      bound(settings, "lan_auth_user", {
        label: say("user"),
        autocomplete: "username",
        value: was === OWN ? saved.lan_auth_user : "",
      }),
    );
    const password = secretField(bound(settings, "lan_auth_pass", { label: say("password") }));
    user.input.addEventListener("input", () => {
      password.clear();
      refresh();
    });
    const own = element("div", { class: "indented" }, user.element, password.element);
    const keys = ["lan_auth_api_key", "lan_auth_api_key_rw"].map((key) =>
      keyControl(settings, key),
    );
    const hadKey = keys.some((key) => key.isOn);
    const form = element("form", { novalidate: true, "aria-labelledby": "access-title" });

    function refresh() {
      visible(own, kind.value === OWN);
      password.setSaved(
        was === OWN && user.value === saved.lan_auth_user && settings.secrets.has("lan_auth_pass"),
      );
      for (const key of keys) key.allowed(kind.value !== "lan_auth_allow");
    }

    function collect() {
      const changes = new Changes(settings);
      if (!kind.inputs[0].disabled && kind.value === OWN) {
        if (user.value.trim() === "") changes.refuse(user, say("mustNotBeEmpty"));
        else if (octets(user.value) > 50) changes.refuse(user, say("tooLong", { n: 50 }));
        else if (user.value.includes(":")) changes.refuse(user, say("userHasColon"));
        if (password.value === "" && !password.keepsSaved())
          changes.refuse(password, say("mustNotBeEmpty"));
        if (password.value !== "" || was !== OWN || user.value !== saved.lan_auth_user) {
          // The gateway reads the three together, and stores only this hash.
          changes.gateway.lan_auth_type = OWN;
          changes.gateway.lan_auth_user = user.value;
          changes.gateway.lan_auth_pass = md5(`${user.value}:${settings.name}:${password.value}`);
        }
      } else changes.put("lan_auth_type", kind.value);
      for (const key of keys) key.collect(changes);
      return changes;
    }

    function warning() {
      const hasKey = keys.some((key) => key.isOn);
      if (kind.value === "lan_auth_default" && !hasKey && !IS_LOCAL) {
        if (was !== kind.value || hadKey) return say("closesNetwork");
      }
      const isNew =
        kind.value !== was ||
        (kind.value === OWN && (user.value !== saved.lan_auth_user || password.value !== ""));
      if (!isNew) return "";
      return say(kind.value === "lan_auth_deny" ? "shutsOut" : "endsSessions");
    }

    const bar = saveBar({
      form,
      collect,
      warning,
      saved: async (answer, said) => {
        lines = said;
        if (answer.ends_sessions) await page.loggedOut(said);
        else await show();
      },
    });
    refresh();
    fill(
      form,
      element("div", { class: "card" }, kind.element, own),
      element(
        "div",
        { class: "card" },
        element("h3", {}, say("apiKeys")),
        element("p", { class: "hint" }, say("apiKeysHint")),
        keys.map((key) => key.element),
      ),
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

function keyControl(settings, name) {
  const isSaved = settings.secrets.has(name);
  const field = secretField(
    bound(settings, name, { label: say(`${name}_value`), hint: say("keyHint"), isSaved }),
  );
  const box = checkbox(
    bound(settings, name, {
      label: say(name),
      checked: isSaved,
      changed: (is) => {
        if (is && field.value === "" && !field.keepsSaved()) field.value = newKey();
        visible(field.element, is);
      },
    }),
  );
  visible(field.element, isSaved);
  return {
    element: element("div", {}, box.element, element("div", { class: "indented" }, field.element)),
    get isOn() {
      return box.checked;
    },
    allowed(is) {
      if (!is) {
        box.checked = false;
        visible(field.element, false);
      }
      box.input.disabled = !is || Boolean(settings.fixed[name]);
    },
    collect(changes) {
      if (settings.fixed[name]) return;
      if (!box.checked) {
        if (isSaved) changes.gateway[name] = "";
      } else if (!field.keepsSaved()) {
        if (field.value === "") changes.refuse(field, say("mustNotBeEmpty"));
        else if (octets(field.value) > 256) changes.refuse(field, say("tooLong", { n: 256 }));
        else if (!/^[!-~]+$/.test(field.value)) changes.refuse(field, say("keyForm"));
        else changes.gateway[name] = field.value;
      }
    },
  };
}

// As the gateway's page makes them: 32 random octets, in base64.
function newKey() {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
}
