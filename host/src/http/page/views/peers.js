// The view of who is connected: workers of pools, and the peers of every socket.

import { ask } from "../host/api.js";
import { command, tidegate } from "../parts/command.js";
import { h, keyed, mark, text } from "../parts/dom.js";
import { bytes, clock, count, lasting, micros } from "../parts/format.js";
import { answerBox, cells, emptyRow, head, table } from "../parts/panel.js";

export function peersView() {
  const pools = h("div");
  const nobody = h("p.empty", "No pool of workers is configured.");
  const rows = h("tbody");
  const peerHeads = "Socket, Address, Speaks, Since, Identity, Key, Subscriptions.number, Queue.number";
  const more = h("p.note.body", { hidden: true });
  const root = h(
    "div",
    h("div.panel", head("Workers", command(() => tidegate("workers", "list")).root), nobody, pools),
    h("div.panel", head("Peers", command(() => tidegate("top")).root), table(peerHeads, rows), more),
  );
  return {
    root,
    update(overview) {
      const all = Object.entries(overview.pools);
      nobody.hidden = all.length > 0;
      keyed(
        pools,
        all.map(([name, pool]) => [name, pool]),
        poolPart,
      );
      const listed = Object.entries(overview.peers);
      const peers = listed.flatMap(([socket, { peers: of }]) =>
        Object.entries(of).map(([number, peer]) => [`${socket} ${number}`, { socket, peer }]),
      );
      keyed(rows, peers.length > 0 ? peers : [["", null]], peerRow);
      const untold = listed.reduce((sum, [, { count: of, peers: told }]) => sum + of - Object.keys(told).length, 0);
      more.hidden = untold <= 0;
      text(more, `${count(untold)} more are connected; those with the longest queues are shown.`);
    },
  };
}

const FIGURES = {
  idle: "idle",
  busy: "busy",
  queue_messages: "wait",
  in_flight: "at work",
  done: "done",
  retries: "sent again",
};

function poolPart(name) {
  const facts = h("p.note");
  const rows = h("tbody");
  const answer = answerBox();
  const line = command(() => tidegate("workers", "drain", name, "WORKER"));
  const heads =
    "Worker.number, State, Speaks, Identity, Address, Key, Since, Heard of.number, Has.number, Done.number, Takes.number, ";
  const root = h("div", h("div.body.row", h("h3", name), facts), table(heads, rows), h("div.body", line.root, answer.root));
  return {
    root,
    update(pool) {
      const figures = Object.entries(FIGURES).map(([key, what]) => `${count(pool[key])} ${what}`);
      const all = [(pool.endpoints ?? []).join(", "), ...figures, `${micros(pool.mean_us)} on average`];
      text(facts, pool.cause ?? all.join(" · "));
      mark(facts, "bad", Boolean(pool.cause));
      const workers = Object.entries(pool.workers ?? {});
      keyed(
        rows,
        workers.length > 0 ? workers.map(([key, worker]) => [key, { pool: name, worker, answer }]) : [["", null]],
        workerRow,
      );
    },
  };
}

function workerRow(key) {
  if (key === "") return emptyRow(12, "No worker is connected.");
  const state = h("span.badge");
  const who = "id.number state protocol identity.mono address.mono key.mono";
  const of = cells(`${who} since silent.number has.number done.number takes.number act`);
  let act = () => {};
  const drain = h("button", { class: "quiet", onclick: () => act() }, "Let go");
  of.state.append(state);
  of.act.append(drain);
  const root = h("tr", Object.values(of));
  return {
    root,
    update({ pool, worker, answer }) {
      text(of.id, worker.id || "–");
      text(state, worker.state);
      mark(state, "good", worker.state === "idle" || worker.state === "busy");
      text(of.protocol, worker.protocol);
      text(of.identity, worker.identity);
      text(of.address, worker.address ?? "–");
      text(of.key, worker.key ?? "–");
      text(of.since, lasting(worker.connected_ms / 1000));
      text(of.silent, worker.silent_ms === undefined ? "–" : `${lasting(worker.silent_ms / 1000)} ago`);
      text(of.has, count(worker.in_flight));
      text(of.done, count(worker.done));
      text(of.takes, micros(worker.mean_us));
      drain.hidden = !worker.id || worker.state.startsWith("drain");
      act = () =>
        answer.during("asking", async () => {
          await ask("POST", `workers/${encodeURIComponent(pool)}/drain/${worker.id}`);
          return [`Worker ${worker.id} gets no more messages, and goes when it has answered those that it has.`];
        });
    },
  };
}

function peerRow(key) {
  if (key === "") return emptyRow(8, "Nobody is connected.");
  const of = cells("socket address.mono speaks since identity.mono key.mono subscriptions.number queue.number");
  return {
    root: h("tr", Object.values(of)),
    update({ socket, peer }) {
      text(of.socket, socket);
      text(of.address, `${peer.outgoing ? "to " : ""}${peer.address}`);
      text(of.speaks, peer.subprotocol ?? peer.protocol);
      text(of.since, clock(peer.connected_at));
      text(of.identity, peer.identity ?? "–");
      text(of.key, peer.key_name ?? peer.key ?? "–");
      of.key.title = peer.key ?? "";
      text(of.subscriptions, count(peer.subscriptions));
      text(of.queue, peer.queue_messages > 0 ? `${count(peer.queue_messages)}, ${bytes(peer.queue_bytes)}` : "0");
    },
  };
}
