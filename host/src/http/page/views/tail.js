// The live tail: messages as they go by, sampled by the host, of which a bounded number is kept here.

import { listen } from "../host/api.js";
import { places } from "../host/topology.js";
import { command, curl } from "../parts/command.js";
import { h, mark, text } from "../parts/dom.js";
import { clock, count, readable } from "../parts/format.js";
import { field, head, INPUT, options } from "../parts/panel.js";

const KEPT_MAX = 500;
/** Where nothing goes by, the host lets a tail know every 15 seconds that it is there. */
const SILENCE = 35_000;

export function tailView() {
  const place = h("select", { id: "tail-place" });
  const topic = h("input", { id: "tail-topic", ...INPUT, placeholder: "begins with" });
  const words = h("input", { id: "tail-text", ...INPUT, placeholder: "contains" });
  const perSecond = h("input", { id: "tail-rate", type: "number", min: "1", max: "1000", value: "20" });
  const start = h("button", { type: "submit", class: "primary" }, "Start");
  const pause = h("button", { type: "button", disabled: true, onclick: () => setPaused(!isPaused) }, "Pause");
  const clear = h("button", { type: "button", onclick: cleared }, "Clear");
  const state = h("span", { role: "status" }, "Not started.");
  // Beside what is read out when it changes: this changes all the time.
  const counts = h("span");
  const notes = h("p.note", state, counts);
  const line = command(() => curl(`tail?${query()}`));
  const list = h("ol", {
    "data-empty": "Messages show here as they go by, while somebody looks.",
    class: "tail",
    tabindex: "0",
    "aria-label": "Messages, the newest first",
  });
  const fields = [field("Of", place), field("Topic", topic), field("Text", words), field("A second, at most", perSecond)];
  const form = h("form.body.fields", fields, start, pause, clear);
  const root = h("div.panel", head("Live tail", notes, line.root), form, list);

  let stop = null;
  let isPaused = false;
  let waiting = [];
  let skipped = 0;
  let shows = null;
  let trouble = null;

  function query() {
    const [kind, name] = place.value.split(" ");
    const all = { [kind]: name, topic: topic.value, text: words.value, rate: perSecond.value };
    return new URLSearchParams(Object.entries(all).filter(([, value]) => value)).toString();
  }

  function say() {
    const running = isPaused ? "Paused" : "Live";
    text(state, trouble ?? (stop === null ? "Not started." : running));
    const lines = [""];
    if (waiting.length > 0) lines.push(`${count(waiting.length)} new`);
    if (stop && shows === "heads") lines.push('bodies are hidden: admin.tail = "bodies" shows them');
    if (skipped > 0) lines.push(`${count(skipped)} more went by`);
    text(counts, lines.join(" · "));
    mark(notes, "bad", trouble !== null);
  }

  function cleared() {
    list.replaceChildren();
    skipped = 0;
    say();
  }

  function setPaused(is) {
    isPaused = is;
    text(pause, is ? "Go on" : "Pause");
    if (!is) waiting.splice(0).forEach(add);
    say();
  }

  function end() {
    stop?.();
    stop = null;
    text(start, "Start");
    pause.disabled = true;
    setPaused(false);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const was = stop !== null;
    end();
    trouble = null;
    if (!was) {
      stop = listen(`tail?${query()}`, hear, told, SILENCE);
      text(start, "Stop");
      pause.disabled = false;
    }
    say();
  });
  form.addEventListener("input", line.update);

  function told(how, why) {
    if (how === "refused") end();
    trouble = { open: null, closed: `${why}, trying again`, refused: why }[how];
    say();
  }

  function hear(name, data) {
    const content = JSON.parse(data);
    if (name === "open") ({ shows } = content);
    else if (name === "skipped") skipped += content.skipped;
    else if (name === "message") isPaused ? keepWaiting(content) : add(content);
    say();
  }

  function keepWaiting(message) {
    waiting.push(message);
    if (waiting.length > KEPT_MAX) {
      waiting.shift();
      skipped += 1;
    }
  }

  function add(message) {
    list.prepend(entry(message));
    while (list.children.length > KEPT_MAX) list.lastElementChild.remove();
  }

  return {
    root,
    update(overview) {
      options(place, ["", ...places(overview)], (key) => key || "everything");
    },
  };
}

function shown(part) {
  return `${part.text ?? readable(part.base64)}${part.cut ? " …" : ""}`;
}

/** One message: when, where, and what of it may be seen. */
function entry(message) {
  const { time, at, point, from, to, topic, frames, bytes, contents, metadata } = message;
  const where = [from, `${at.kind} ${at.name}`, to?.join(", ")].filter(Boolean).join(" → ");
  const bodies = contents?.slice(topic && contents.length > 1 ? 1 : 0).map(shown);
  const size = `${frames === 1 ? "1 frame" : `${frames} frames`}, ${count(bytes)} bytes`;
  return h(
    "li",
    h("time", { datetime: time, title: time }, clock(time)),
    h("span.where", { title: point }, where),
    h(
      "div",
      topic ? h("span.topic", shown(topic)) : null,
      bodies ? bodies.map((body) => h("span.part", body)) : h("span.part.hidden", "body hidden"),
      h("span.muted", size),
      (metadata ?? []).length > 0 ? h("div.muted", metadata.map(([key, value]) => `${key}=${value}`).join(" ")) : null,
    ),
  );
}
