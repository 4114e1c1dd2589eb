// The captures: what goes by, written into a file beside the traffic; those that run and those that have ended.

import { ask } from "../host/api.js";
import { places } from "../host/topology.js";
import { command, flag, tidegate } from "../parts/command.js";
import { h, keyed, mark, text } from "../parts/dom.js";
import { bytes, clock, count } from "../parts/format.js";
import { answerBox, cells, emptyRow, field, head, INPUT, options, table } from "../parts/panel.js";

export function capturesView() {
  const rows = h("tbody");
  const heads = "Capture, State, Of, Began, Records.number, Not taken.number, Size.number, File, ";
  const place = h("select", { id: "capture-place" });
  const topic = h("input", { id: "capture-topic", ...INPUT, placeholder: "begins with" });
  const percent = h("input", { id: "capture-percent", type: "number", min: "0", max: "100", step: "any", value: "100" });
  const minutes = h("input", { id: "capture-minutes", type: "number", min: "1", placeholder: "until it is stopped" });
  const redacted = h("input", { id: "capture-redacted", ...INPUT, placeholder: "authorization, x-token" });
  const answer = answerBox();
  const keys = () => redacted.value.split(/[\s,]+/).filter(Boolean);
  const line = command(() => {
    const [kind, name] = place.value.split(" ");
    const flags = [
      ...(name ? flag(`--${kind}`, name) : []),
      ...(topic.value ? flag("--topic", topic.value) : []),
      ...(percent.value && percent.value !== "100" ? flag("--sample", `${percent.value}%`) : []),
      ...(minutes.value ? flag("--for", `${minutes.value}m`) : []),
      ...(keys().length > 0 ? flag("--redact-metadata", keys().join(",")) : []),
    ];
    return tidegate("capture", "start", ...flags);
  });
  const fields = [
    field("What is captured", place),
    field("Topic", topic),
    field("Of a hundred messages", percent),
    field("Minutes", minutes),
    field("Keys left out", redacted),
  ];
  const form = h("form.body.actions", h("div.fields", fields, h("button.primary", "Start")), line.root, answer.root);
  form.addEventListener("input", line.update);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [kind, name] = place.value.split(" ");
    const asked = { redact_metadata: keys() };
    if (name) asked[kind] = name;
    if (topic.value) asked.topic = topic.value;
    if (percent.value && percent.value !== "100") asked.sample = Number(percent.value) / 100;
    if (minutes.value) asked.for_ms = Math.round(Number(minutes.value) * 60_000);
    answer.during("beginning", async () => {
      const { id, file } = await ask("POST", "capture", JSON.stringify(asked));
      return [`Capture ${id} runs.`, `It writes ${file}, with bodies and metadata, for the host's user alone.`];
    });
  });
  const root = h(
    "div.panel",
    head("Captures", command(() => tidegate("capture", "list")).root),
    table(heads, rows),
    form,
  );
  return {
    root,
    update(overview) {
      options(place, ["", ...places(overview)], (key) => key || "everything");
      const all = Object.values(overview.captures).sort((one, other) => other.began.localeCompare(one.began));
      keyed(rows, all.length > 0 ? all.map((capture) => [capture.id, { capture, answer }]) : [["", null]], row);
    },
  };
}

function row(id) {
  if (id === "") return emptyRow(9, "Nothing is captured.");
  const of = cells("id state what began records.number dropped.number size.number file.wrap.mono act");
  const badge = h("span.badge");
  let act = () => {};
  const stop = h("button", { class: "quiet", onclick: () => act() }, "Stop");
  const obstacle = h("div.bad");
  const file = h("span");
  text(of.id, id);
  of.state.append(badge);
  of.file.append(file, obstacle);
  of.act.append(stop);
  return {
    root: h("tr", Object.values(of)),
    update({ capture, answer }) {
      const isRunning = capture.state === "running";
      text(badge, capture.state);
      mark(badge, "good", isRunning);
      mark(badge, "bad", capture.state === "failed");
      text(of.what, what(capture));
      text(of.began, clock(capture.began));
      text(of.records, count(capture.records));
      text(of.dropped, count(capture.dropped));
      mark(of.dropped, "bad", capture.dropped > 0);
      text(of.size, `${bytes(capture.bytes)} of ${bytes(capture.bytes_max)}`);
      text(file, capture.file);
      text(obstacle, capture.obstacle);
      // The ring is the configuration's, and goes on.
      stop.hidden = !isRunning || id === "ring";
      stop.title = tidegate("capture", "stop", id);
      act = () =>
        answer.during("stopping", async () => {
          const { records, file: written } = await ask("DELETE", `capture/${encodeURIComponent(id)}`);
          return [`Capture ${id} has ${count(records)} records.`, `They are in ${written}.`];
        });
    },
  };
}

function what({ flow, route, policy, topic, sample }) {
  const named = Object.entries({ flow, route, policy }).find(([, name]) => name);
  const part = sample === undefined ? null : `${Number((sample * 100).toPrecision(6))} %`;
  return [named ? named.join(" ") : "all", topic && `topic ${topic}`, part].filter(Boolean).join(", ");
}
