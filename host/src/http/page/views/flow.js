// The view of what flows: the picture, and below it the ledger, hop by hop.

import { hops, lost, reasons } from "../host/topology.js";
import { command, tidegate } from "../parts/command.js";
import { h, keyed, mark, text } from "../parts/dom.js";
import { count, rate } from "../parts/format.js";
import { cells, emptyRow, head, table } from "../parts/panel.js";
import { picture } from "../parts/picture.js";
import { sparkline } from "../parts/spark.js";

export function flowView() {
  const graph = picture((plugin) => (location.hash = `plugins/${encodeURIComponent(plugin)}`));
  const left = h("p.note.body", { hidden: true });
  const rows = h("tbody");
  const idle = h("input", { type: "checkbox", id: "idle-hops" });
  const sums = "In.number, .sign, Out.number, .sign, Dropped.number, .sign, In flight.number";
  const heads = `Hop, Rate.number, Last minute.chart, ${sums}, Reasons`;
  const root = h(
    "div",
    h(
      "div.panel",
      head("Flow", h("p.note", "Messages a second stand on the arrows, what was lost and why below each box.")),
      h("div.picture", { tabindex: "0", role: "region", "aria-label": "Picture of the flow" }, graph.root),
      left,
    ),
    h(
      "div.panel",
      head(
        "Ledger",
        h("label.inline", idle, "also hops that nothing came to"),
        command(() => tidegate("ledger", "--watch")).root,
      ),
      table(heads, rows),
    ),
  );
  let latest = null;
  idle.addEventListener("change", () => latest && update(...latest));
  function update(overview, history) {
    latest = [overview, history];
    const more = graph.update(overview, history);
    left.hidden = more === 0;
    text(left, `${count(more)} more lanes are not drawn; their hops are in the ledger.`);
    const shown = hops(overview)
      .sort(([one], [other]) => rank(one) - rank(other))
      .filter(([, counts]) => idle.checked || counts.in > 0);
    keyed(rows, shown.length > 0 ? shown.map(([name, counts]) => [name, { name, counts, history }]) : [["", null]], row);
  }
  return { root, update };
}

const ORDER =
  "http transform handler routes. sockets. flows. workers. policy schedule reply publish events shadows. capture dead-letter".split(" ");

/** Where a hop stands in the table: as messages go, and plugins at the end. */
function rank(name) {
  const at = ORDER.findIndex((begin) => name.startsWith(begin));
  return at < 0 ? ORDER.length : at;
}

/** One hop: its equation, and whether it adds up. */
function row(name) {
  if (name === "") return emptyRow(11, "Nothing has come yet.");
  const chart = sparkline(`${name}, in`);
  const sum = "in.number is.sign out.number plus.sign dropped.number and.sign flight.number";
  const of = cells(`hop rate.number chart.chart ${sum} why.wrap.bad`);
  const isPlugin = name.startsWith("plugin ");
  of.hop.append(h("span.muted", isPlugin ? "plugin " : ""), isPlugin ? name.slice("plugin ".length) : name);
  of.chart.append(chart.root);
  of.plus.append("+");
  of.and.append("+");
  const root = h("tr", Object.values(of));
  return {
    root,
    update({ counts, history }) {
      const dropped = lost(counts);
      text(of.rate, rate(history.rate(`${name} in`)));
      chart.update(history.rates(`${name} in`));
      text(of.in, count(counts.in));
      text(of.out, count(counts.out));
      text(of.dropped, count(dropped));
      text(of.flight, count(counts.in_flight));
      mark(of.dropped, "bad", dropped > 0);
      const addsUp = counts.in === counts.out + dropped + counts.in_flight;
      text(of.is, addsUp ? "=" : "≠");
      mark(of.is, "bad", !addsUp);
      const all = reasons(counts);
      text(of.why, all.map(([reason, number]) => (all.length > 1 ? `${reason} ${count(number)}` : reason)).join(", "));
    },
  };
}
