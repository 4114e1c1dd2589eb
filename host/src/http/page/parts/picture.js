// The picture of the host: what is configured as a graph from left to right, or on a narrow screen lane below lane, drawn
// once and then only relabelled.

import { lanes, lost, reasons } from "../host/topology.js";
import { mark, s, text } from "./dom.js";
import { brief, count, rate } from "./format.js";

const WIDTH = 204;
const HEIGHT = 66;
/** Room above each box for what its lane is, and below it for what it lost. */
const ABOVE = 30;
const BELOW = 18;
const ROW = ABOVE + HEIGHT + BELOW + 8;
/** Room between two steps, and between steps and what is beside them, where arrows bend. */
const GAP = 72;
const SIDE = 122;
/** So far an arrow goes straight beside its label. */
const RUN = 46;
const LEAST = 0.78;
/** The numbers of the equation in a box, each with the sign before it, and from one to the next. */
const SUM = { in: "", out: "=", dropped: "+", "in flight": "+" };
const TERM = 48;

/** The picture, `{ root, update(overview, history) }`; an update returns how many lanes are not drawn. */
export function picture(openPlugin) {
  const root = s("svg", { role: "group", "aria-label": "What leads where, with rates" });
  const narrow = matchMedia("(max-width: 600px)");
  let drawn = "";
  let parts = [];
  return {
    root,
    update(overview, history) {
      const { lanes: all, left } = lanes(overview);
      const ids = (nodes) => nodes.map(({ id, plugin }) => [id, plugin]);
      const lane = ({ id, sources, steps, sinks }) => [id, ids(sources), ids(steps), ids(sinks)];
      const shape = JSON.stringify([narrow.matches, all.map(lane)]);
      if (shape !== drawn) {
        drawn = shape;
        parts = draw(root, all, openPlugin, narrow.matches);
      }
      const now = new Map(all.map((lane) => [lane.id, lane]));
      for (const part of parts) part(now, history);
      return left;
    },
  };
}

/** Draws all lanes; returns what relabels each part, given the lanes of now. */
function draw(root, all, openPlugin, isNarrow) {
  // Lanes that stand below each other have their sources and sinks each for itself.
  const name = (lane, node) => (isNarrow ? `${lane.id}, ${node.id}` : node.id);
  const places = isNarrow ? stacked(all, name) : laidOut(all);
  const [bands, edges, boxes] = [s("g"), s("g"), s("g")];
  const parts = [];
  const known = new Set();
  all.forEach((lane, row) => {
    const band = isNarrow ? laneWords(2, places.get(lane.id).y) : laneBand(lane, row * ROW);
    bands.append(band.root);
    parts.push((now) => band.update(now.get(lane.id)));
    for (const { from, to, label, counter } of arrows(lane)) {
      const [one, other] = [from, to].map((node) => places.get(name(lane, node)));
      const edge = isNarrow ? rail(one, other, label) : arrow(one, other, label);
      edges.append(edge.root);
      parts.push((now, history) => edge.update(history.rate(counter)));
    }
    for (const side of ["sources", "steps", "sinks"]) {
      lane[side].forEach((node, index) => {
        const key = name(lane, node);
        if (known.has(key)) return;
        known.add(key);
        const box = nodeBox(node, places.get(key), openPlugin);
        boxes.append(box.root);
        parts.push((now) => box.update(now.get(lane.id)[side][index]));
      });
    }
  });
  const boxed = [...places.values()];
  const width = Math.max(0, ...boxed.map(({ x }) => x)) + WIDTH + (isNarrow ? SIDE - 44 : 4);
  const height = Math.max(0, ...boxed.map(({ y }) => y)) + HEIGHT + BELOW + ABOVE + 8;
  root.setAttribute("viewBox", `-2 ${-ABOVE - 4} ${width} ${height}`);
  // It shrinks to the window as far as it can still be read, and then scrolls.
  root.style.maxWidth = isNarrow ? "" : `${width}px`;
  root.style.minWidth = `${width * LEAST}px`;
  root.replaceChildren(bands, edges, boxes);
  return parts;
}

/** The arrows of a lane, each with the counter of what moves along it. */
function arrows({ sources, steps, sinks, out }) {
  const found = [];
  const [first, last] = [steps[0], steps.at(-1)];
  for (const from of sources) {
    // What one of several sources gives is what left that one.
    const counter = sources.length === 1 && first?.hop ? `${first.hop} in` : `${from.hop} out`;
    if (first) found.push({ from, to: first, label: "end", counter });
  }
  steps.slice(1).forEach((to, index) => found.push({ from: steps[index], to, label: "middle", counter: `${to.hop} in` }));
  sinks.forEach((to, index) => {
    if (last) found.push({ from: last, to, label: index === 0 ? "start" : "", counter: out });
    else sources.forEach((from) => found.push({ from, to, label: "end", counter: out }));
  });
  return found;
}

/** Where each box stands on a narrow screen: one below the other, lane by lane, right of the arrows between them. */
function stacked(all, name) {
  const places = new Map();
  let y = 0;
  for (const lane of all) {
    places.set(lane.id, { x: 0, y });
    for (const node of [...lane.sources, ...lane.steps, ...lane.sinks]) {
      places.set(name(lane, node), { x: 18, y: y + 12 });
      y += HEIGHT + BELOW + 16;
    }
    y += ABOVE + 8;
  }
  return places;
}

function column(index) {
  return WIDTH + SIDE + index * (WIDTH + GAP);
}

/** Where each box stands: a row for each lane, a column for each step, sources and sinks beside their lanes. */
function laidOut(all) {
  const places = new Map();
  const columns = Math.max(0, ...all.map((lane) => lane.steps.length));
  all.forEach((lane, row) => lane.steps.forEach((step, index) => places.set(step.id, { x: column(index), y: row * ROW })));
  aside(places, all, "sources", 0);
  aside(places, all, "sinks", column(columns) - GAP + SIDE);
  return places;
}

/** As near to the middle of their lanes as they have room for, in that order. */
function aside(places, all, side, x) {
  const rows = new Map();
  all.forEach((lane, row) => lane[side].forEach(({ id }) => rows.set(id, [...(rows.get(id) ?? []), row * ROW])));
  const wanted = [...rows].map(([id, ys]) => ({ id, y: (Math.min(...ys) + Math.max(...ys)) / 2 }));
  wanted.sort((one, other) => one.y - other.y);
  const step = HEIGHT + BELOW + 14;
  let next = 0;
  for (const { id, y } of wanted) {
    places.set(id, { x, y: Math.max(y, next) });
    next = places.get(id).y + step;
  }
}

function laneBand({ steps }, y) {
  const width = column(steps.length) - GAP - column(0) + 24;
  const x = column(0) - 12;
  const words = laneWords(x + 12, y - 10);
  const box = { x, y: y - ABOVE + 4, width: Math.max(width, 0), height: ABOVE + HEIGHT + BELOW, rx: 10 };
  return { ...words, root: s("g", steps.length > 0 ? s("rect.lane", box) : null, words.root) };
}

/** The name of a lane, and the equation of the whole. */
function laneWords(x, y) {
  const name = s("tspan.lane-name");
  const what = s("tspan.lane-what", { dx: "8" });
  return {
    root: s("text", { x, y }, name, what),
    update({ name: is, what: says, counts, isFailing }) {
      text(name, is);
      text(what, [counts ? equation(counts, brief) : "", says].filter(Boolean).join(" · "));
      mark(what, "lost", isFailing || (counts && lost(counts) > 0));
    },
  };
}

function equation(counts, number) {
  const [incoming, out, dropped, flight] = [counts.in, counts.out, lost(counts), counts.in_flight].map(number);
  return `in ${incoming} = out ${out} + dropped ${dropped} + in flight ${flight}`;
}

function nodeBox(node, { x, y }, openPlugin) {
  const name = s("text.name", { x: 10, y: 18 });
  const what = s("text.what", { x: 10, y: 32 });
  const sum = sumOf();
  const why = s("text.why", { x: 10, y: HEIGHT + 13 });
  const title = s("title");
  const box = s("rect", { width: WIDTH, height: HEIGHT, rx: 7 });
  const link = node.plugin ? { role: "link", tabindex: "0", onclick: () => openPlugin(node.plugin) } : {};
  const place = { class: `node ${node.kind}`, transform: `translate(${x} ${y})` };
  const root = s("g", { ...place, ...link }, title, box, name, what, sum.root, why);
  if (node.plugin) root.addEventListener("keydown", (event) => event.key === "Enter" && openPlugin(node.plugin));
  return {
    root,
    update({ name: is, what: says, counts, isFailing }) {
      text(name, fitted(is, 26));
      text(what, fitted(says, 34));
      mark(root, "failing", isFailing);
      mark(root, "bare", !counts);
      const losses = counts ? reasons(counts).map(([reason, number]) => `${reason} ${count(number)}`) : [];
      text(why, fitted(losses.join(", "), 36));
      text(title, [is, says, counts && equation(counts, count), ...losses].filter(Boolean).join("\n"));
      if (counts) sum.update(counts);
    },
  };
}

function sumOf() {
  const terms = Object.entries(SUM);
  const values = terms.map((_, index) => s("text", { x: 30 + index * TERM, y: 49 }));
  const others = terms.flatMap(([label, sign], index) => [
    s("text.under", { x: 30 + index * TERM, y: 60 }, label),
    s("text.sign", { x: 30 + (index - 0.5) * TERM, y: 49 }, sign),
  ]);
  return {
    root: s("g.sum", values, others),
    update(counts) {
      [counts.in, counts.out, lost(counts), counts.in_flight].forEach((of, index) => text(values[index], brief(of)));
      mark(values[2], "lost", lost(counts) > 0);
    },
  };
}

function fitted(value, most) {
  const line = String(value ?? "");
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** An arrow between two boxes, with a label at its start, middle or end, or none. */
function arrow(from, to, label) {
  const [x1, y1] = [from.x + WIDTH, from.y + HEIGHT / 2];
  const [x2, y2] = [to.x - 7, to.y + HEIGHT / 2];
  // Straight beside its label, past the empty places of a short lane, and around one bend.
  const begin = label === "start" || label === "" ? Math.max(x1 + RUN, to.x - SIDE + RUN) : x1;
  const end = label === "end" ? x2 - RUN : x2;
  const half = (end - begin) / 2;
  const line = `M${x1} ${y1}H${begin}C${begin + half} ${y1} ${end - half} ${y2} ${end} ${y2}H${x2}`;
  const places = {
    start: [x1 + 16, y1 - 6, "start"],
    middle: [(x1 + x2) / 2, y1 - 6, "middle"],
    end: [x2 - 8, y2 - 6, "end"],
  };
  return drawnArrow(line, x2, y2, places[label]);
}

/** An arrow along the left of boxes that stand below each other, with its label at the right of the second one. */
function rail(from, to, label) {
  const [x, y] = [to.x - 7, to.y + HEIGHT / 2];
  return drawnArrow(`M${from.x} ${from.y + HEIGHT / 2}H2V${y}H${x}`, x, y, label && [to.x + WIDTH + 8, y + 4, "start"]);
}

function drawnArrow(line, x, y, label) {
  const tip = s("polygon.tip", { points: `${x + 6},${y} ${x - 2},${y - 4} ${x - 2},${y + 4}` });
  const words = label ? s("text", { x: label[0], y: label[1], "text-anchor": label[2] }) : null;
  const root = s("g.edge", s("path", { d: line }), s("path", { d: line, class: "moving" }), tip, words);
  return {
    root,
    update(perSecond) {
      mark(root, "flows", perSecond > 0);
      if (words) text(words, rate(perSecond));
    },
  };
}
