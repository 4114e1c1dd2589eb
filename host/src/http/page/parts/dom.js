// Elements of the page, made of text alone: whatever a message or a plugin says can never become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element such as `h("p.note", { id: "x", onclick: act }, "text", child)`: its classes behind its name, then attributes,
 * if any, those that begin with `on` being listeners, then children, which are elements or text.
 */
export function h(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  return filled(document.createElement(tag), classes, parts);
}

export function s(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  return filled(document.createElementNS(SVG, tag), classes, parts);
}

function filled(element, classes, parts) {
  const hasAttributes = parts[0]?.constructor === Object;
  for (const [name, value] of Object.entries(hasAttributes ? parts.shift() : {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.classList.add(...classes.filter((name) => name !== ""));
  element.append(...parts.flat().filter((part) => part !== null && part !== undefined && part !== false));
  return element;
}

/** Sets the text of an element, and leaves it alone where it has it: a selection stays. */
export function text(element, value) {
  const wanted = value === null || value === undefined ? "" : String(value);
  if (element.textContent !== wanted) element.textContent = wanted;
  return element;
}

export function mark(element, name, is) {
  element.classList.toggle(name, Boolean(is));
}

/** Shows whether a row is the one that was chosen, by its button also to whom a colour says nothing. */
export function choose(row, button, is) {
  mark(row, "chosen", is);
  button.setAttribute("aria-current", String(is));
}

/** What `keyed` has made, by parent. */
const kept = new WeakMap();

/**
 * Has `parent` hold one element for each entry of `items`, in order. `make(key)` returns `{ root, update }` for a new key;
 * those of keys that stay are kept, with focus and selection.
 */
export function keyed(parent, items, make) {
  if (!kept.has(parent)) kept.set(parent, new Map());
  const rows = kept.get(parent);
  const wanted = new Set(items.map(([key]) => key));
  // First those that go: what stays then stands where it is, and an element that is moved loses the focus.
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    row.root.remove();
    rows.delete(key);
  }
  let place = parent.firstElementChild;
  for (const [key, value] of items) {
    let row = rows.get(key);
    if (!row) rows.set(key, (row = make(key)));
    if (row.root === place) place = place.nextElementSibling;
    else parent.insertBefore(row.root, place);
    row.update(value);
  }
}
