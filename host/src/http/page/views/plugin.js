// All of one plugin: its figures, and what happened to it.

import { h, keyed, mark, text } from "../parts/dom.js";
import { bytes, clock, count, digest, micros, rate } from "../parts/format.js";
import { head } from "../parts/panel.js";
import { actionsOf } from "./actions.js";
import { shadowOf } from "./shadow.js";

export function stateBadge() {
  const badge = h("span.badge");
  return {
    root: badge,
    update(state) {
      text(badge, state);
      mark(badge, "good", state === "serving");
      mark(badge, "bad", state === "empty" || state === "paused");
    },
  };
}

/** The percentiles of the last seconds where there were calls, else of all since the start. */
export function latency({ latency: { recent, total } }) {
  const isRecent = recent?.p50_us !== undefined;
  const { p50_us: p50, p99_us: p99 } = isRecent ? recent : total;
  return { p50, p99, isRecent };
}

export function detailOf(name) {
  const state = stateBadge();
  const gone = h("p.empty", { hidden: true }, "No plugin has this name. Drop a component below, and it does.");
  const names = "Generation, Digest, Calls, Failed, Running, p50 and p99, Memory at most, Roles, Instances, Source";
  const values = Object.fromEntries(names.split(", ").map((key) => [key, h("dd")]));
  const wide = (key) => ["Instances", "Source"].includes(key) && "wide";
  const figures = h(
    "dl.figures",
    Object.entries(values).map(([key, value]) => h("div", { class: wide(key) }, h("dt", key), value)),
  );
  const notice = h("p.answer", { hidden: true });
  const { root: actions, update: updateActions } = actionsOf(name);
  const events = h("ol.timeline");
  const nothing = h("p.note", "Nothing has happened yet.");
  const root = h(
    "div.chosen-plugin",
    h("div.panel", head(name, state.root), h("div.body", gone, figures, notice)),
    actions,
  );
  const { root: shadowPanel, update: updateShadow } = shadowOf(name);
  const timeline = h("div.panel", head("Timeline", h("p.note", name)), h("div.body", events, nothing));
  const past = h("div.past", shadowPanel, timeline);
  return {
    root,
    past,
    update(plugin, shadow, history) {
      gone.hidden = plugin !== null;
      nothing.hidden = plugin !== null && plugin.timeline.length > 0;
      figures.hidden = plugin === null;
      updateActions(plugin);
      shadowPanel.hidden = !plugin && !shadow;
      updateShadow(shadow);
      if (!plugin) return;
      state.update(plugin.state);
      const { p50, p99, isRecent } = latency(plugin);
      const failures = Object.entries(plugin.failures).filter(([, number]) => number > 0);
      const contract = `contract ${plugin.contract ?? "of wasi:http"}`;
      text(values.Generation, plugin.generation ? `${plugin.generation}, ${contract}` : "none");
      text(values.Digest, digest(plugin.digest));
      values.Digest.title = plugin.digest ?? "";
      text(values.Calls, `${count(plugin.calls)} · ${rate(history.rate(`plugin ${name} in`))}`);
      text(values.Failed, failures.map(([reason, number]) => `${reason} ${count(number)}`).join(", ") || "0");
      mark(values.Failed, "bad", failures.length > 0);
      text(values.Running, count(plugin.calls_in_flight));
      const took = `${micros(p50)}, ${micros(p99)}${isRecent ? "" : " since the start"}`;
      text(values["p50 and p99"], p50 === undefined ? "–" : took);
      const most = plugin.memory_bytes_high_water;
      text(values["Memory at most"], `${bytes(most)} of ${bytes(plugin.limits.memory_bytes_max)}`);
      const warm = plugin.warm > 0 ? `, ${count(plugin.instances_warm)} of ${count(plugin.warm)} warm` : "";
      text(values.Instances, `${plugin.instances ?? "none"}; ${count(plugin.instances_made)} made${warm}`);
      text(values.Roles, plugin.roles.join(", ") || "–");
      text(values.Source, plugin.source);
      text(notice, plugin.notice ?? "");
      notice.hidden = !plugin.notice;
      mark(notice, "bad", plugin.state === "empty");
      const told = plugin.timeline.map((event) => [`${event.what} ${event.generation} ${event.time}`, event]);
      keyed(events, told.reverse(), moment);
    },
  };
}

const HAPPENED = {
  loaded: "Loaded",
  configured: "Configured anew",
  refused: "Refused",
  paused: "Paused",
  resumed: "Resumed",
};
const BY = { operator: "asked for", source: "found at its source", calls: "for what its calls did" };

/** One thing that happened to the plugin, or several like it in a row. */
function moment() {
  const [what, how, why] = [h("strong"), h("span.note"), h("p")];
  const root = h("li", h("div.row", what, how), why);
  return {
    root,
    update(event) {
      const times = event.times > 1 ? `, ${count(event.times)} times` : "";
      const to = event.to ? ` to generation ${event.to},` : ",";
      const happened = event.what === "rolled-back" ? `Rolled back${to} as` : (HAPPENED[event.what] ?? event.what);
      text(what, `${happened}${event.generation ? ` generation ${event.generation}` : ""}${times}`);
      text(
        how,
        [clock(event.time), event.digest && digest(event.digest), BY[event.by] ?? event.by].filter(Boolean).join(" · "),
      );
      text(why, event.reason ?? event.stage);
      mark(root, "bad", event.what === "refused" || event.by === "calls");
      mark(root, "off", event.what === "paused");
    },
  };
}
