// The newcomer that is called beside a plugin: what it makes of the same calls, as it happens, and whether it may serve.

import { ask } from "../host/api.js";
import { command, fileWord, flag, tidegate } from "../parts/command.js";
import { h, keyed, mark, text } from "../parts/dom.js";
import { count, digest, micros, share } from "../parts/format.js";
import { answerBox, cells, dropZone, field, head, INPUT, table } from "../parts/panel.js";

/** How much differs, for the row of a plugin; nothing where no shadow runs. */
export function shadowBadge() {
  const root = h("span.badge", { hidden: true });
  return {
    root,
    update(shadow) {
      root.hidden = shadow?.state !== "running";
      if (root.hidden) return;
      text(root, `shadow differs ${share(shadow.differing, shadow.compared)}`);
      mark(root, "good", shadow.may_serve);
      mark(root, "bad", shadow.differing > 0 && !shadow.may_serve);
    },
  };
}

/** The panel of a plugin, `{ root, update(shadow) }`. */
export function shadowOf(name) {
  const path = `plugins/${encodeURIComponent(name)}/shadow`;
  const answer = answerBox();
  const badge = h("span.badge");
  const found = comparison();
  const begin = beginning(name, path, answer);
  const promotion = promoting(name, path, answer);
  const stopLine = command(() => tidegate("plugin", "shadow", "stop", name));
  const stop = h("button", "Stop");
  stop.addEventListener("click", () =>
    answer.during("stopping", async () => {
      const { compared } = await ask("DELETE", path);
      return ["Stopped.", `${count(compared)} calls were compared.`];
    }),
  );
  const running = h(
    "div.actions",
    h("div.row", promotion.open, h("div.grow", promotion.line.root)),
    h("div.row", stop, h("div.grow", stopLine.root)),
  );
  const root = h(
    "div.panel.shadow",
    head("Shadow", badge, command(() => tidegate("plugin", "shadow", "status", name)).root),
    found.root,
    h("div.body.actions", running, begin.root, answer.root),
    promotion.root,
  );
  return {
    root,
    update(shadow) {
      const isRunning = shadow?.state === "running";
      badge.hidden = !shadow;
      text(badge, shadow?.state);
      mark(badge, "good", isRunning);
      found.update(shadow);
      running.hidden = !isRunning;
      begin.root.hidden = isRunning;
      promotion.update(shadow);
    },
  };
}

/** What begins one: a component that is dropped, and on what terms it is called. */
function beginning(name, path, answer) {
  const number = (id, value, more) => h("input", { id: `shadow-${id}`, type: "number", value, ...more });
  const percent = number("percent", "100", { min: "0", max: "100", step: "any" });
  const calls = number("calls", "1000", { min: "1" });
  const differ = h("input", { id: "shadow-differ", ...INPUT, value: "0", placeholder: "0, or 0.1%" });
  const auto = h("input", { type: "checkbox" });
  let file = "FILE";
  const line = command(() => {
    const terms = [...flag("--percent", percent.value), ...flag("--min-calls", calls.value)];
    const bound = flag("--max-diff", differ.value);
    return tidegate("plugin", "shadow", name, file, ...terms, ...bound, ...(auto.checked ? ["--auto"] : []));
  });
  const zone = dropZone(
    "Drop a newcomer here",
    "or choose a file: it is called on what this plugin is called on, and nothing of it is sent",
    async (chosen) => {
      file = fileWord(chosen.name);
      line.update();
      const asked = { percent: percent.value, min_calls: calls.value, max_diff: differ.value, auto: auto.checked };
      await answer.during(`loading ${chosen.name}`, async () => {
        const shadow = await ask("PUT", `${path}?${new URLSearchParams(asked)}`, chosen);
        return [`${digest(shadow.digest)} stands beside ${name}.`];
      });
    },
  );
  const fields = [
    field("Of a hundred calls", percent),
    field("Compared before it may serve", calls),
    field("May differ", differ),
  ];
  const root = h(
    "div.actions",
    zone,
    h("div.fields", fields),
    h("label.inline", auto, "serves by itself once it may"),
    line.root,
  );
  root.addEventListener("input", line.update);
  return { root };
}

/** What has it serve, once whoever asks for it has seen what differs. */
function promoting(name, path, answer) {
  const persist = h("input", { type: "checkbox" });
  const keep = () => (persist.checked ? ["--persist"] : []);
  const line = command(() => tidegate("plugin", "shadow", "promote", name, ...keep()));
  persist.addEventListener("change", line.update);
  const says = h("p", { id: "promote-says" });
  const found = groups();
  const open = h("button", { onclick: () => root.showModal() });
  const cancel = h("button", { autofocus: true, onclick: () => root.close() }, "Cancel");
  const promote = h("button.primary", "Promote");
  promote.addEventListener("click", () => {
    root.close();
    return answer.during("promoting", async () => {
      const swap = await ask("POST", `${path}/promote?persist=${persist.checked}`);
      const lasts = swap.persisted ? "kept for the next start" : "until the next start";
      return [`Promoted: generation ${swap.generation} serves.`, `${digest(swap.digest)}, ${lasts}`];
    });
  });
  const kept = h("label.inline", persist, "kept when the host begins anew");
  const inside = h("div.actions", says, found.root, kept, h("div.row", promote, cancel));
  const root = h("dialog", { "aria-labelledby": "promote-says" }, inside);
  return {
    root,
    open,
    line,
    update(shadow) {
      const maySwap = shadow?.may_serve === true;
      open.disabled = !maySwap;
      text(open, maySwap ? "Promote …" : (shadow?.obstacle ?? "Promote"));
      if (shadow?.state !== "running") return root.close();
      const [who, compared] = [digest(shadow.digest), count(shadow.compared)];
      text(says, `Have ${who} serve as ${name}? Of ${compared} calls ${differing(shadow)}.`);
      found.update(shadow);
    },
  };
}

function differing({ differing: number, compared }) {
  return number === 0 ? "none differs" : `${count(number)} differ, ${share(number, compared)}`;
}

const OUTCOMES = {
  same: "same",
  different: "different",
  filtered_now: "filtered now",
  no_longer_filtered: "no longer filtered",
  new_failure: "new failure",
  failure_gone: "failure gone",
  failure_differs: "another failure",
  undecided: "undecided",
};

/** What was found so far. */
function comparison() {
  const nothing = h("p.note.body", "What a newcomer makes of the calls of this plugin shows here, before it serves anybody.");
  const names = "Compared, Differ, Not made, p50 and p99, Of what serves, Compared with, Digest, Settings, Outcomes, State";
  const values = Object.fromEntries(names.split(", ").map((key) => [key, h("dd")]));
  const wide = (key) => ["Settings", "Outcomes", "State"].includes(key) && "wide";
  const parts = Object.entries(values).map(([key, value]) => [key, h("div", { class: wide(key) }, h("dt", key), value)]);
  const { Settings: settings, State: state } = Object.fromEntries(parts);
  const found = groups();
  const list = parts.map(([, part]) => part);
  const figures = h("div.body", h("dl.figures", list));
  const root = h("div", nothing, figures, found.root);
  return {
    root,
    update(shadow) {
      nothing.hidden = Boolean(shadow);
      figures.hidden = !shadow;
      found.update(shadow);
      if (!shadow) return;
      text(values.Compared, `${count(shadow.compared)} of ${count(shadow.min_calls)}`);
      const differs = `${count(shadow.differing)}, ${share(shadow.differing, shadow.compared)}`;
      text(values.Differ, `${differs}; ${shadow.max_diff} may`);
      mark(values.Differ, "bad", shadow.differing > 0);
      text(values["Not made"], count(shadow.dropped) + (shadow.dropped > 0 ? ", it was behind" : ""));
      const took = ({ p50_us: p50, p99_us: p99 }) => `${micros(p50)}, ${micros(p99)}`;
      text(values["p50 and p99"], took(shadow));
      text(values["Of what serves"], took(shadow.against));
      text(values["Compared with"], `generation ${shadow.against.generation}`);
      text(values.Digest, digest(shadow.digest));
      values.Digest.title = shadow.digest;
      const set = Object.entries(shadow.set ?? {}).map((pair) => pair.join("="));
      settings.hidden = set.length === 0;
      text(values.Settings, set.join(", "));
      const outcomes = Object.entries(OUTCOMES).filter(([key]) => shadow.counts[key] > 0);
      text(values.Outcomes, outcomes.map(([key, what]) => `${count(shadow.counts[key])} ${what}`).join(" · ") || "–");
      const self = shadow.auto && shadow.state === "running" ? "it serves by itself once it may" : "";
      const part = shadow.percent < 100 ? `called on ${shadow.percent} of a hundred calls` : "";
      const all = [shadow.why, part, self].filter(Boolean);
      state.hidden = all.length === 0;
      text(values.State, all.join("; "));
    },
  };
}

/** What differs, what weighs most first, each with its first example. */
function groups() {
  const rows = h("tbody");
  const more = h("p.note.body");
  const root = h("div", { hidden: true }, table("Difference, Calls.number, Share.number, Old, New", rows), more);
  return {
    root,
    update(shadow) {
      const all = shadow?.groups ?? [];
      root.hidden = all.length === 0;
      keyed(
        rows,
        all.map((group) => [group.group, { group, compared: shadow.compared }]),
        groupRow,
      );
      const others = shadow?.other_differences ?? 0;
      more.hidden = others === 0;
      text(more, `${count(others)} more differences are of other groups.`);
    },
  };
}

function groupRow(name) {
  const of = cells("group.wrap inputs.number share.number old.wrap.mono new.wrap.mono");
  text(of.group, name);
  return {
    root: h("tr", Object.values(of)),
    update({ group: { inputs, examples }, compared }) {
      text(of.inputs, count(inputs));
      text(of.share, share(inputs, compared));
      text(of.old, examples[0]?.old);
      text(of.new, examples[0]?.new);
    },
  };
}
