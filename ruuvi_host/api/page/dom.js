// Makes elements. Text only ever goes in as text: there is no way here to write markup.

const SVG = "http://www.w3.org/2000/svg";

// attributes: name → value; true: without a value; false, null and undefined: left out.
// A function is a listener: {click: …}.
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, String(value));
    }
  }
  made.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return made;
}

export function fill(parent, ...children) {
  parent.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return parent;
}

// Changes a text only when it differs: what is selected, or being read out, stays as it is.
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

let last = 0;

export function newId(stem) {
  last += 1;
  return `${stem}-${last}`;
}
