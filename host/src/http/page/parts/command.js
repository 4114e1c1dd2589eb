// The command line that does what an action of the page does, to look at and to copy.

import { hasToken } from "../host/api.js";
import { h, text } from "./dom.js";

/** A word that a shell takes as it is. */
const UNQUOTED = /^[A-Za-z0-9_@%+=:,./-]+$/;
const DEFAULT_PLACE = "127.0.0.1:5001";
/** Stands for the file that the token is in: a page knows none. */
const TOKEN_FILE = "TOKEN_FILE";

function quoted(word) {
  return UNQUOTED.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `tidegate` with these words, for the host that the page is of. */
export function tidegate(...words) {
  const place = `${location.hostname}:${location.port || 80}`;
  // Dead letters are read from their file unless a host is named.
  const isSaid = place !== DEFAULT_PLACE || words[0] === "dead-letters";
  const token = hasToken() ? ["--token-file", TOKEN_FILE] : [];
  return ["tidegate", ...words, ...(isSaid ? ["--admin", place] : []), ...token].map(quoted).join(" ");
}

export function curl(path) {
  const token = hasToken() ? `-H "Authorization: Bearer $(cat ${TOKEN_FILE})" ` : "";
  return `curl -N ${token}${quoted(`${location.origin}/${path}`)}`;
}

/** The words of a flag with a value, which may look like a flag itself. */
export function flag(name, value) {
  return value.startsWith("-") ? [`${name}=${value}`] : [name, value];
}

/** The name of a file as a word that is no flag. */
export function fileWord(name) {
  return name.startsWith("-") ? `./${name}` : name;
}

/** A command line with a button that copies it, `{ root, update() }`: what `line` returns, and at each update anew. */
export function command(line) {
  const code = h("code");
  const copy = h("button", { type: "button", class: "quiet", onclick: copied, title: "Copy the command line" }, "Copy");
  async function copied() {
    // Over plain HTTP from another machine a page has no clipboard: select it, for the reader to copy.
    const isDone = await (navigator.clipboard?.writeText(code.textContent) ?? Promise.reject()).then(
      () => true,
      () => false,
    );
    if (!isDone) getSelection().selectAllChildren(code);
    text(copy, isDone ? "Copied" : "Selected");
    setTimeout(() => text(copy, "Copy"), 1500);
  }
  const update = () => text(code, line());
  const root = h("div.command", { onupdate: update }, h("span.prompt", { "aria-hidden": "true" }, "$"), code, copy);
  update();
  return { root, update };
}

/** Updates all command lines: those of a page that has a token name its file. */
export function updateCommands() {
  for (const root of document.querySelectorAll(".command")) root.dispatchEvent(new Event("update"));
}
