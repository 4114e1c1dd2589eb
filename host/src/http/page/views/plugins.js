// The view of the plugins: a list, and beside it all of the one that was chosen, with what can be done to it.

import { command, tidegate } from "../parts/command.js";
import { choose, h, keyed, mark, text } from "../parts/dom.js";
import { count, micros } from "../parts/format.js";
import { cells, emptyRow, head, INPUT, table } from "../parts/panel.js";
import { sparkline } from "../parts/spark.js";
import { detailOf, latency, stateBadge } from "./plugin.js";
import { shadowBadge } from "./shadow.js";

export function pluginsView() {
  const rows = h("tbody");
  const heads = "Plugin, State, Generation.number, Calls.number, Last minute, Failed.number, p99.number";
  const line = command(() => tidegate("plugin", "list"));
  const list = h("div.panel", head("Plugins", line.root), table(heads, rows), newPlugin());
  const root = h("div.plugins", list);
  let chosen = null;
  let detail = null;
  return {
    root,
    shown(name) {
      if (name) chosen = name;
    },
    update(overview, history) {
      const plugins = Object.values(overview.plugins);
      if (!chosen && plugins.length > 0) chosen = plugins[0].name;
      const { shadows } = overview;
      const all = (plugin) => ({ plugin, shadow: shadows[plugin.name], history, isChosen: plugin.name === chosen });
      const items = plugins.map((plugin) => [plugin.name, all(plugin)]);
      keyed(rows, items.length > 0 ? items : [["", null]], row);
      if (detail?.name !== chosen) {
        // The list stays where it is, and so does the focus in it.
        detail?.root.remove();
        detail?.past.remove();
        detail = chosen && { name: chosen, ...detailOf(chosen) };
        if (detail) root.append(detail.root, detail.past);
      }
      detail?.update(overview.plugins[chosen] ?? null, shadows[chosen] ?? null, history);
    },
  };
}

/** A name that no plugin has yet: a component is loaded under it like under any other. */
function newPlugin() {
  const name = h("input", {
    ...INPUT,
    "aria-label": "Name of a new plugin",
    pattern: "[a-z0-9][a-z0-9_\\-]*",
    placeholder: "name of a new plugin",
  });
  const form = h("form.body.row.line", name, h("button", "Load …"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (name.value) location.hash = `plugins/${encodeURIComponent(name.value)}`;
    name.value = "";
  });
  return form;
}

function row(name) {
  if (name === "") return emptyRow(7, "No plugin is loaded.");
  const state = stateBadge();
  const beside = shadowBadge();
  const chart = sparkline(`Calls of ${name}`);
  const of = cells("name state generation.number calls.number chart failed.number slowest.number");
  const open = h("button.link", name);
  of.name.append(open);
  of.state.append(state.root, " ", beside.root);
  of.chart.append(chart.root);
  const root = h("tr.choice", { onclick: () => (location.hash = `plugins/${encodeURIComponent(name)}`) }, Object.values(of));
  return {
    root,
    update({ plugin, shadow, history, isChosen }) {
      choose(root, open, isChosen);
      state.update(plugin.state);
      beside.update(shadow);
      text(of.generation, plugin.generation ?? "–");
      text(of.calls, count(plugin.calls));
      chart.update(history.rates(`plugin ${name} in`));
      const failures = Object.values(plugin.failures).reduce((sum, number) => sum + number, 0);
      text(of.failed, count(failures));
      mark(of.failed, "bad", failures > 0);
      text(of.slowest, micros(latency(plugin).p99));
    },
  };
}
