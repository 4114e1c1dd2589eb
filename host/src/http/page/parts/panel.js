// Parts that several views have: what came of an action, a place to drop a file, and the frames of a message.

import { Refused } from "../host/api.js";
import { h, keyed, mark, text } from "./dom.js";
import { micros, readable } from "./format.js";

/** A table with these heads, such as `"Plugin, Calls.number"`, a class behind its title, that can be scrolled sideways. */
export function table(heads, rows) {
  const titles = heads.split(", ").map((head) => head.split("."));
  const row = titles.map(([title, kind = ""]) => h(`th.${kind}`, { scope: "col" }, title));
  return h("div.scroll", h("table", h("thead", h("tr", row)), rows));
}

/** Cells of a row by their names, such as `"name calls.number"`. */
export function cells(names) {
  return Object.fromEntries(
    names.split(" ").map((name) => [name.split(".")[0], h(`td.${name.split(".").slice(1).join(".")}`)]),
  );
}

/** A row that says that there is nothing, as `keyed` takes it. */
export function emptyRow(columns, says) {
  return { root: h("tr", h("td", { colspan: columns, class: "empty" }, says)), update() {} };
}

export function head(title, ...others) {
  return h("div.head", h("h2", title), others);
}

export function field(label, input) {
  return h("div.field.grow", h("label", { for: input.id }, label), input);
}

/** Has a `select` offer these values, by what `title` says of each; the one that is chosen stays. */
export function options(select, values, title = String) {
  keyed(
    select,
    values.map((value) => [value, title(value)]),
    (value) => {
      const root = h("option", { value });
      return { root, update: (label) => text(root, label) };
    },
  );
}

/** What every field for text has: nothing here is to be remembered, or mended, by a browser. */
export const INPUT = { type: "text", autocomplete: "off", spellcheck: "false" };

/** A place for what came of an action, `{ root, during(what, act), clear() }`. It is read out when it changes. */
export function answerBox() {
  const root = h("div.answer", { role: "status", hidden: true });
  function say(isBad, parts) {
    root.hidden = false;
    mark(root, "bad", isBad);
    root.replaceChildren(...parts);
  }
  return {
    root,
    clear: () => (root.hidden = true),
    /**
     * Runs `act`, and shows the lines or elements that it returns, the first in bold; or what the host refused, of which
     * `whenRefused` is told. Returns whether it was done.
     */
    async during(what, act, whenRefused = () => {}) {
      say(false, [`${what} …`]);
      try {
        const [first, ...rest] = await act();
        say(false, [h("strong", first), ...rest.map((part) => (part instanceof Node ? part : h("div", part)))]);
        return true;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const { stage } = error.problem;
        whenRefused(error.problem);
        say(true, [
          h("strong", stage ? `Refused: ${stage}` : "Refused"),
          h("div", error.message),
          ...howItWent(error.problem),
        ]);
        return false;
      }
    },
  };
}

/** A place where a file is dropped, or chosen with the keyboard. */
export function dropZone(title, more, take) {
  const input = h("input", { type: "file", accept: ".wasm,application/wasm" });
  const zone = h("label.drop", h("strong", title), h("span", more), input);
  const given = (files) => files.length > 0 && take(files[0]);
  input.addEventListener("change", async () => {
    await given(input.files);
    // The same file again is a change again.
    input.value = "";
  });
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      mark(zone, "over", true);
    });
  }
  zone.addEventListener("dragleave", () => mark(zone, "over", false));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(zone, "over", false);
    given(event.dataTransfer.files);
  });
  return zone;
}

/** What a call returned: messages, replies, a response or nothing; then how it went. The first part is a line. */
export function calledParts(returned) {
  const { messages, message, replies, response } = returned;
  const all = replies ?? messages ?? (message ? [message] : []);
  const parts = [response ? `Status ${response.status}` : outcome(all.length, replies ? "reply" : "message")];
  if (response) parts.push(h("pre.muted", response.headers.map((pair) => pair.join(": ")).join("\n")), frames(response));
  for (const one of all) {
    if (one.delay_ms) parts.push(h("p.muted", `after ${one.delay_ms} ms`));
    parts.push(frames(one), ...metadata(one.metadata));
  }
  return [...parts, ...howItWent(returned)];
}

function outcome(number, what) {
  if (number === 0) return `No ${what}: it was filtered`;
  if (number === 1) return `1 ${what}`;
  return `${number} ${what === "reply" ? "replies" : "messages"}`;
}

/** Who was called, for how long, and what was logged meanwhile; of several steps each. */
function howItWent({ plugin, generation, duration_us: duration, log, log_left_out: leftOut, steps }) {
  const by = plugin && (generation ? `${plugin} generation ${generation}` : plugin);
  const line = [by, duration === undefined ? null : micros(duration)].filter(Boolean).join(" · ");
  const parts = line ? [h("p.muted", line)] : [];
  for (const step of steps ?? []) {
    const what = step.failed ? "failed" : outcome(step.messages, "message");
    const words = [step.generation ? `generation ${step.generation}` : null, what, micros(step.duration_us)]
      .filter(Boolean)
      .join(" · ");
    parts.push(h("p.step", h("strong", step.step), " ", words), ...logged(step.log, step.log_left_out));
  }
  return [...parts, ...logged(log, leftOut)];
}

function logged(lines, leftOut) {
  if (!lines || lines.length === 0) return [];
  const all = lines.map(({ level, context, text: said }) => [level.padEnd(5), context, said].filter(Boolean).join(" "));
  if (leftOut > 0) all.push(`… and ${leftOut} more`);
  return [h("h3", "Log"), h("pre", all.join("\n"))];
}

/** Frames as the admin surface writes them: text where all are, else base64. */
export function frames({ frames: texts, frames_base64: coded, body, body_base64: codedBody, topic }) {
  const one = body ?? (codedBody === undefined ? undefined : readable(codedBody));
  const all =
    texts ??
    coded?.map((frame) => readable(frame)) ??
    [topic, one].filter((frame) => frame !== undefined && frame !== null);
  return framed(all.map((frame, index) => [frameName(index, all.length), frame]));
}

export function framed(pairs) {
  return h(
    "div.frames",
    pairs.map(([name, value]) => h("div.frame", h("h3", name), h("pre", value))),
  );
}

function frameName(index, all) {
  if (all === 1) return "body";
  return all === 2 ? ["topic", "body"][index] : `frame ${index + 1}`;
}

export function metadata(pairs) {
  return pairs?.length > 0 ? [h("pre.muted", pairs.map((pair) => pair.join("=")).join("\n"))] : [];
}
