// What the picture shows: which surface leads through which stages to which sinks, of all that is configured.

import { count } from "../parts/format.js";

/** So many lanes are drawn; what is beyond stands in the table alone. */
const LANES_MAX = 40;

export function hops(overview) {
  const plugins = Object.entries(overview.plugins).map(([name, { counts }]) => [`plugin ${name}`, counts]);
  return [...Object.entries(overview.hops), ...plugins];
}

export function lost(counts) {
  return Object.values(counts.dropped).reduce((sum, number) => sum + number, 0);
}

export function reasons(counts) {
  return Object.entries(counts.dropped)
    .filter(([, number]) => number > 0)
    .sort(([, one], [, other]) => other - one);
}

export function counters(overview) {
  return hops(overview).flatMap(([name, counts]) => [
    [`${name} in`, counts.in],
    [`${name} out`, counts.out],
    [`${name} dropped`, lost(counts)],
  ]);
}

/**
 * The lanes, from top to bottom, and how many more there are than are drawn.
 *
 * A lane is `{ id, name, what, counts, out, sources, steps, sinks }`: the counts of the whole, the counter of what leaves
 * it, and nodes, which are `{ id, kind, name, what, hop, counts, isFailing, plugin }`. Two lanes may have the same node.
 */
export function lanes(overview) {
  const topology = new Topology(overview);
  const all = [
    ...topology.plain(),
    ...Object.entries(overview.routes)
      .filter(([, route]) => !isPlain(route))
      .map(([name, route]) => topology.route(name, route)),
    ...Object.entries(overview.flows).map(([name, flow]) => topology.flow(name, flow)),
    ...(overview.frontend ? [topology.frontend(overview.frontend)] : []),
  ];
  return { lanes: all.slice(0, LANES_MAX), left: Math.max(all.length - LANES_MAX, 0) };
}

/** All that messages go through, as `route NAME`, `flow NAME` and `policy NAME`. */
export function places({ routes, flows, frontend, plugins }) {
  const all = [...Object.keys(flows), ...(frontend?.flow ? [frontend.flow] : [])];
  return [
    ...Object.keys(routes).map((name) => `route ${name}`),
    ...all.map((name) => `flow ${name}`),
    ...Object.values(plugins).flatMap(({ is_policy: is, name }) => (is ? [`policy ${name}`] : [])),
  ];
}

/** Whether a route is that of a plugin by itself: all of these count together. */
function isPlain({ hop }) {
  return !hop.startsWith("routes.");
}

class Topology {
  #overview;

  constructor(overview) {
    this.#overview = overview;
  }

  /** A lane for all plugins of a role that have a route by themselves, since they count at one hop. */
  plain() {
    const byHop = new Map();
    for (const [name, route] of Object.entries(this.#overview.routes)) {
      if (isPlain(route) && route.kind !== "nothing")
        byHop.set(route.hop, [...(byHop.get(route.hop) ?? []), [name, route]]);
    }
    return [...byHop].map(([hop, all]) => {
      if (all.length === 1) return this.route(...all[0]);
      const names = all.map(([name]) => name);
      const step = this.#node(`plain ${hop}`, "stage", `${count(all.length)} plugins`, names.join(", "), hop);
      const lane = this.route(...all[0]);
      return {
        ...lane,
        id: `plain ${hop}`,
        name: "/NAME/",
        what: "each plugin by its own name",
        steps: [{ ...step, plugin: names[0] }],
      };
    });
  }

  route(name, { through, to, hop }) {
    const id = `route ${name}`;
    const steps = through.map((step, index) => this.#step(id, index, step, hop));
    const sinks = [
      this.#node("to http", "sink", "answer", "to whoever asked", null),
      ...to.map((sink) => this.#sink(sink)),
    ];
    const counts = steps.length > 1 ? this.#counts(hop) : null;
    return { id, name: `/${name}/`, what: "", counts, out: `${hop} out`, sources: [this.#source("http")], steps, sinks };
  }

  flow(name, { from, through, to, hop, state, waiting, obstacle }) {
    const id = `flow ${name}`;
    const steps = through.map((step, index) => this.#step(id, index, step, hop));
    const waits = waiting > 0 ? `${count(waiting)} wait` : "";
    const what = obstacle ?? [state === "running" ? "" : state, waits].filter(Boolean).join(", ");
    const [sources, sinks] = [from.map((socket) => this.#source(socket)), to.map((sink) => this.#sink(sink))];
    const lane = { id, name: id, what, isFailing: Boolean(obstacle), counts: this.#counts(hop), out: `${hop} out` };
    return { ...lane, sources, steps, sinks };
  }

  /** What ZeroMQ's clients ask: a policy or a flow answers, at once or later. */
  frontend({ flow, through, hops: [asked, waiting, sent] }) {
    const steps = through.map((step, index) => this.#step("frontend", index, step, asked));
    const schedule = this.#node("schedule", "stage", "schedule", "replies until they are due", waiting);
    const sinks = [this.#node("to frontend", "sink", "replies", "to whoever asked", sent)];
    const sources = [this.#node("from frontend", "surface", "frontend", this.#endpoint("frontend"), null)];
    return {
      id: "frontend",
      name: flow ? `flow ${flow}` : "frontend",
      what: "",
      counts: null,
      out: `${waiting} out`,
      sources,
      steps: [...steps, schedule],
      sinks,
    };
  }

  #step(lane, index, { name, hop }, whole) {
    const id = `${lane} ${index}`;
    if (name.startsWith("workers.")) {
      const pool = this.#overview.pools[name.slice("workers.".length)] ?? {};
      const workers = pool.workers_count ?? 0;
      const waits = pool.queue_messages > 0 ? ` · ${count(pool.queue_messages)} wait` : "";
      const what = `pool of ${count(workers)} worker${workers === 1 ? "" : "s"}${waits}`;
      return { ...this.#node(id, "stage", name.slice("workers.".length), what, hop ?? whole), isFailing: workers === 0 };
    }
    const plugin = this.#overview.plugins[name];
    const what = plugin?.generation ? `plugin · generation ${plugin.generation}` : "plugin · not loaded";
    const isPaused = plugin?.state === "paused";
    const node = this.#node(id, "stage", name, isPaused ? "plugin · paused" : what, hop ?? whole);
    return { ...node, isFailing: isPaused || !plugin?.generation, plugin: name };
  }

  #source(name) {
    const title = name === "http" ? "HTTP" : name;
    return this.#node(`from ${name}`, "surface", title, this.#endpoint(name), this.#hop(name, ".in"));
  }

  #sink(name) {
    const title = name === "publish" ? "PUB" : name;
    return this.#node(`to ${name}`, "sink", title, this.#endpoint(name), this.#hop(name, ".out"));
  }

  #node(id, kind, name, what, hop) {
    return { id, kind, name, what, hop, counts: this.#counts(hop) };
  }

  #endpoint(name) {
    return this.#overview.surfaces[name]?.endpoint ?? "";
  }

  /** A socket that both reads and writes counts each by itself. */
  #hop(name, way) {
    const of = this.#overview.surfaces[name]?.hops ?? [];
    return of.find((hop) => hop.endsWith(way)) ?? of[0] ?? (Object.hasOwn(this.#overview.hops, name) ? name : null);
  }

  #counts(hop) {
    if (hop === null) return null;
    if (hop.startsWith("plugin ")) return this.#overview.plugins[hop.slice("plugin ".length)]?.counts ?? null;
    return this.#overview.hops[hop] ?? null;
  }
}
