// Trying out: one input for a plugin, a route or a flow, and what comes of it; no sink gets anything.

import { ask } from "../host/api.js";
import { command, flag, tidegate } from "../parts/command.js";
import { h, text } from "../parts/dom.js";
import { answerBox, calledParts, field, head, INPUT, options } from "../parts/panel.js";

/** The kinds of input, each with the role that takes it. */
const KINDS = {
  message: ["message", "processor"],
  request: ["request of a ZeroMQ client", "reply-policy"],
  http_request: ["request by HTTP", "http-handler"],
};

export function callView() {
  const target = h("select", { id: "call-target" });
  const kind = h("select", { id: "call-kind" });
  options(kind, Object.keys(KINDS), (value) => KINDS[value][0]);
  const topic = h("input", { id: "call-topic", ...INPUT, placeholder: "none" });
  const path = h("input", { id: "call-path", ...INPUT, value: "/" });
  const body = h("textarea", { id: "call-body", spellcheck: "false" });
  const pairs = h("textarea", { id: "call-pairs", class: "short", spellcheck: "false" });
  const [topicField, pathField] = [field("Topic", topic), field("Path", path)];
  const pairsField = field("Metadata", pairs);
  const isHttp = () => kind.value === "http_request";
  let overview = null;
  const line = command(() => tidegate(...words()));
  const form = h(
    "form.body.actions",
    h("div.fields", field("What is called", target), field("With a", kind), topicField, pathField),
    field("Body", body),
    pairsField,
    h("div.row", h("button.primary", "Call"), h("span.note", "Ctrl and Enter do the same.")),
    line.root,
  );

  const answer = answerBox();
  const label = h("input", { id: "call-label", ...INPUT, value: "tried on the page" });
  const saving = answerBox();
  const saveLine = command(() => tidegate(...words(), ...flag("--save", label.value)));
  const toml = h("pre");
  const save = h(
    "form.body.actions",
    { hidden: true },
    h("div.fields", field("Save this as an example, by the name", label), h("button", "Save")),
    saveLine.root,
    h("details", h("summary.note", "What is saved"), toml),
    saving.root,
  );
  const first = h("p.note", "What comes back, how long it took, and what the plugin logs meanwhile.");
  const reach = h("p.note");
  const root = h(
    "div.beside",
    h("div.panel", head("Try it", reach), form),
    h("div.panel", head("Answer"), h("div.body", first, answer.root), save),
  );
  /** The example that was last offered, and the plugin that it is of. */
  let offered = null;

  /** What is chosen, as `plugin NAME`, and what the host says of it. */
  function chosen() {
    const [what, name] = target.value.split(" ");
    return { what, name, of: overview?.[`${what}s`]?.[name] };
  }

  /** The lines of metadata or headers, as pairs; those of metadata to the letter. */
  function given() {
    const lines = pairs.value.split("\n").filter(Boolean);
    const split = lines.map((line) => [line, line.indexOf(isHttp() ? ":" : "=")]);
    return split.map(([line, at]) => [line.slice(0, Math.max(at, 0)), line.slice(at + 1)].map(isHttp() ? trimmed : String));
  }

  function input() {
    const said = given();
    if (isHttp()) {
      return { http_request: { method: body.value ? "POST" : "GET", path: path.value, headers: said, body: body.value } };
    }
    const frames = kind.value === "message" && topic.value ? [topic.value, body.value] : [body.value];
    return { [kind.value]: { frames, ...(said.length > 0 ? { metadata: said } : {}) } };
  }

  /** The words of the command line that makes the same call. */
  function words() {
    const { what, name, of } = chosen();
    const all = what === "plugin" ? ["plugin", "call"] : ["flow", "call"];
    all.push(...(what === "route" ? ["--route", name] : [name]));
    const [, role] = KINDS[kind.value];
    if (what === "plugin" && String(of?.roles) !== role) all.push("--role", role);
    for (const [key, value] of given()) {
      all.push(...(isHttp() ? flag("--header", `${key}: ${value}`) : flag("--metadata", `${key}=${value}`)));
    }
    if (isHttp()) all.push(...flag("--path", path.value));
    if (kind.value === "message" && topic.value) all.push(...flag("--topic", topic.value));
    return isHttp() && !body.value ? all : [...all, ...flag("--body", body.value)];
  }

  function say() {
    topicField.hidden = kind.value !== "message";
    pathField.hidden = !isHttp();
    text(pairsField.firstElementChild, isHttp() ? "Headers" : "Metadata");
    pairs.placeholder = isHttp() ? "name: value, one a line" : "key=value, one a line";
    const isWhole = given().every(([key]) => key !== "");
    pairs.setCustomValidity(isWhole ? "" : `Each line is to be as ${pairs.placeholder.split(",")[0]}`);
    text(reach, reached());
    line.update();
    saveLine.update();
  }

  /** Whom a trial reaches all the same. */
  function reached() {
    const { what, name, of } = chosen();
    const steps = what === "plugin" ? [name] : (of?.through ?? []).map((step) => step.name);
    const pools = steps.filter((step) => step.startsWith("workers."));
    const sends = (step) => overview.plugins[step]?.imports?.some((one) => one.startsWith("wasi:http/outgoing-handler"));
    const who = [
      ...pools.map((pool) => `a worker of ${pool.slice("workers.".length)} gets this message`),
      ...steps.filter(sends).map((step) => `${step} sends the requests that it may`),
    ];
    return who.length === 0 ? "Nothing is published or sent." : `Nothing is published; but ${who.join(", and ")}.`;
  }

  async function call() {
    const { what, name } = chosen();
    const at = `${what}s/${encodeURIComponent(name)}/call`;
    first.hidden = true;
    saving.clear();
    offer(null);
    await answer.during(
      "calling",
      async () => {
        const returned = await ask("POST", at, JSON.stringify(input()));
        if (what === "plugin") offer(name, returned.example);
        return calledParts(returned);
      },
      (problem) => {
        if (what === "plugin") offer(name, problem.example);
      },
    );
  }

  function offer(plugin, example) {
    offered = plugin && example ? { plugin, example } : null;
    save.hidden = offered === null;
    text(toml, example ?? "");
  }

  form.addEventListener("input", say);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    call();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  save.addEventListener("input", say);
  save.addEventListener("submit", (event) => {
    event.preventDefault();
    const { plugin, example } = offered;
    const query = new URLSearchParams({ name: label.value });
    saving.during("saving", async () => {
      const saved = await ask(
        "POST",
        `plugins/${encodeURIComponent(plugin)}/examples?${query}`,
        new Blob([example], { type: "application/toml" }),
      );
      return [
        `Saved: ${plugin} has ${saved.examples} example${saved.examples === 1 ? "" : "s"}, and every load tries them.`,
        `Generation ${saved.generation} serves.`,
      ];
    });
  });

  target.addEventListener("change", turn);

  /** Has the form be as what is chosen takes it. */
  function turn() {
    const { what, of } = chosen();
    const roles = of?.roles ?? [];
    const isHandler = what === "route" ? of?.kind === "handler" : roles.includes("http-handler");
    const isPolicy = roles.includes("reply-policy") && !roles.includes("processor");
    kind.value = isHandler ? "http_request" : isPolicy ? "request" : "message";
    say();
  }

  return {
    root,
    update(latest) {
      overview = latest;
      // A route of plugins that serve no requests answers nobody.
      const routes = Object.keys(overview.routes).filter((name) => overview.routes[name].kind !== "nothing");
      const all = [
        ...Object.keys(overview.plugins).map((name) => `plugin ${name}`),
        ...routes.map((name) => `route ${name}`),
        ...Object.keys(overview.flows).map((name) => `flow ${name}`),
      ];
      const before = target.value;
      options(target, all);
      if (target.value !== before) turn();
      else say();
    },
  };
}

const trimmed = (word) => word.trim();
