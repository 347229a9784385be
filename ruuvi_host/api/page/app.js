// The page: who is in, and which section is shown.

import { accessSection } from "./access.js";
import { onLoggedOut } from "./api.js";
import { dataSection } from "./data.js";
import { element, fill, put } from "./dom.js";
import { logSection } from "./log.js";
import { enquire, logOut, showLogin } from "./login.js";
import { nowSection } from "./now.js";
import { radioSection } from "./radio.js";
import { say, setLanguage } from "./text.js";

const SECTIONS = {
  now: nowSection,
  data: dataSection,
  radio: radioSection,
  access: accessSection,
  log: logSection,
};

setLanguage();
const name = element("h1", {}, say("thisGateway"));
const leave = element("button", { type: "button", hidden: true, click: goOut }, say("logOut"));
const links = new Map(
  Object.keys(SECTIONS).map((key) => [
    key,
    element("a", { href: `#${key}` }, say(`section_${key}`)),
  ]),
);
const nav = element(
  "nav",
  { "aria-label": say("sections"), hidden: true },
  element(
    "ul",
    {},
    [...links.values()].map((link) => element("li", {}, link)),
  ),
);
const offline = element("p", { class: "offline", role: "status" });
const notice = element("div", { class: "result", role: "status" });
const main = element("main", { id: "main", tabindex: "-1" });
document.body.append(
  element("a", { class: "skip", href: "#main", click: skip }, say("skip")),
  element("header", {}, name, leave),
  nav,
  offline,
  notice,
  main,
);

const page = {
  named(text) {
    put(name, text);
    document.title = `${text} – ${say("title")}`;
  },
  connected(is, why = "") {
    put(offline, is ? "" : say("offline", { why }));
  },
  // What has ended the session is said until another section is opened. lines: [kind, text].
  async loggedOut(lines) {
    await begin();
    fill(notice, ...lines.map(([kind, text]) => element("p", { class: kind }, text)));
  },
};
let sections = null;
let current = "";

function skip(event) {
  event.preventDefault(); // the address tells the section
  main.focus();
}

function wanted() {
  const key = location.hash.slice(1);
  return key in SECTIONS ? key : "now";
}

async function show() {
  const key = wanted();
  if (!sections) return;
  if (current === key) return;
  sections.get(current)?.shown.hide?.();
  current = key;
  for (const [each, link] of links) {
    if (each === key) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const [each, { node }] of sections) node.hidden = each !== key;
  fill(notice);
  scrollTo(0, 0);
  const section = sections.get(key);
  const { node, shown, place } = section;
  // What it showed the last time is drawn anew: what is changed in it until then would be lost. Who
  // goes away and comes back meanwhile has it drawn twice.
  section.drawings += 1;
  node.inert = true;
  try {
    await shown.show();
    page.connected(true);
  } catch (error) {
    fill(place, element("p", { class: "bad", role: "alert" }, error.message));
  } finally {
    section.drawings -= 1;
    node.inert = section.drawings > 0;
  }
}

function open() {
  sections = new Map(
    Object.entries(SECTIONS).map(([key, make]) => {
      const place = element("div");
      const node = element(
        "section",
        { id: `section-${key}`, "aria-labelledby": `${key}-title`, hidden: true },
        element("h2", { id: `${key}-title` }, say(`section_${key}`)),
        place,
      );
      return [key, { node, place, shown: make(place, page), drawings: 0 }];
    }),
  );
  fill(
    main,
    [...sections.values()].map(({ node }) => node),
  );
  nav.hidden = false;
  current = "";
  return show();
}

// Asks who is in: the page, or the form to log in.
async function begin() {
  if (sections) sections.get(current)?.shown.hide?.();
  sections = null;
  nav.hidden = true;
  leave.hidden = true;
  const access = await enquire();
  if (access.name) page.named(access.name);
  if (access.isOpen) {
    leave.hidden = !["lan_auth_default", "lan_auth_ruuvi"].includes(access.type);
    await open();
  } else showLogin(main, access, () => begin().then(() => main.focus()));
}

async function goOut() {
  await logOut();
  await begin();
}

let isBeginning = false;
onLoggedOut(async () => {
  if (isBeginning || !sections) return;
  isBeginning = true;
  try {
    await begin();
  } finally {
    isBeginning = false;
  }
});
addEventListener("hashchange", show);
begin();
