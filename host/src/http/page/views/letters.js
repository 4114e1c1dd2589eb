// The dead letters: what was lost, all of one of them, and another try.

import { ask } from "../host/api.js";
import { command, fileWord, tidegate } from "../parts/command.js";
import { choose, h, keyed, text } from "../parts/dom.js";
import { clock, readable } from "../parts/format.js";
import { answerBox, calledParts, cells, dropZone, emptyRow, framed, frames } from "../parts/panel.js";
import { head, metadata, options, table } from "../parts/panel.js";

/** Each look reads all files of the host: so long after one there is no other just for what is new. */
const PAUSE = 3000;
const LETTERS = 100;

export function lettersView() {
  const rows = h("tbody");
  const heads = "Lost at, Where, Reason, By, Replay";
  const which = h("select", { "aria-label": "Which letters", onchange: () => load() });
  options(which, ["no", "only", "all"], (value) => ({ no: "not dealt with", only: "dealt with" })[value] ?? value);
  const more = h("button", { hidden: true, onclick: () => load(next) }, "Show more");
  const problem = h("p.answer.bad", { hidden: true });
  const fresh = h("button", { onclick: () => load() }, "Look again");
  const list = h(
    "div.panel",
    head("Dead letters", which, fresh, command(() => tidegate("dead-letters", "list")).root),
    table(heads, rows),
    h("div.body", more, problem),
  );
  const beside = h("div.panel", h("p.empty", "Choose a letter to see all of it."));
  let all = [];
  let next = null;
  let chosen = null;
  /** How many were written when the list was last asked for, how many are now, and when that was. */
  let [seen, written, lookedAt] = [0, 0, 0];
  let asked = 0;

  async function load(cursor) {
    const number = ++asked;
    [seen, lookedAt] = [written, performance.now()];
    const query = new URLSearchParams({ order: "newest", dealt_with: which.value, limit: LETTERS });
    if (cursor) query.set("cursor", cursor);
    try {
      const page = await ask("GET", `dead-letters?${query}`);
      // Another list was asked for since.
      if (number !== asked) return;
      all = cursor ? [...all, ...page.letters] : page.letters;
      ({ next } = page);
      problem.hidden = true;
    } catch (error) {
      problem.hidden = false;
      text(problem, error.message);
    }
    more.hidden = next === null;
    draw();
  }

  function draw() {
    const times = new Map();
    const items = all.map((letter) => {
      const time = (times.get(letter.id) ?? 0) + 1;
      times.set(letter.id, time);
      return [`${letter.id} ${time}`, { letter, isChosen: letter.id === chosen }];
    });
    keyed(rows, items.length > 0 ? items : [["", null]], row);
  }

  function row(key) {
    if (key === "") return emptyRow(5, "Nothing was lost that waits here.");
    const of = cells("time where reason.bad by replay");
    const open = h("button.link");
    of.time.append(open);
    const root = h("tr.choice", Object.values(of));
    let id = "";
    root.addEventListener("click", () => show(id));
    return {
      root,
      update({ letter, isChosen }) {
        ({ id } = letter);
        choose(root, open, isChosen);
        text(open, clock(letter.time));
        text(of.where, `${letter.hop} ${letter.route}`);
        text(of.reason, letter.reason);
        text(of.by, letter.plugin ? `${letter.plugin}@${letter.generation}` : "–");
        text(of.replay, letter.replay ?? "–");
      },
    };
  }

  async function show(id) {
    chosen = id;
    draw();
    const parts = await ask("GET", `dead-letters/${encodeURIComponent(id)}`).then(
      (letters) => detail(id, letters, load),
      (error) => [h("p.body.bad", error.message)],
    );
    // Another one may have been chosen meanwhile.
    if (id === chosen) beside.replaceChildren(...parts);
  }

  return {
    root: h("div.beside", list, beside),
    shown(id) {
      load();
      if (id && id !== chosen) show(id);
    },
    update(overview) {
      written = overview.hops["dead-letter"]?.out ?? 0;
      // A new letter shows by itself; what was chosen and the pages that were opened stay.
      if (written !== seen && all.length <= LETTERS && performance.now() - lookedAt > PAUSE) load();
    },
  };
}

function detail(id, letters, reload) {
  const path = `dead-letters/${encodeURIComponent(id)}/replay`;
  const answer = answerBox();
  const again = h("input", { type: "checkbox" });
  const line = command(() => tidegate("dead-letters", "replay", id, ...(again.checked ? ["--again"] : [])));
  again.addEventListener("change", line.update);
  const replay = h("button.primary", "Replay");
  replay.addEventListener("click", async () => {
    const query = again.checked ? "?again=true" : "";
    if (await answer.during("replaying", async () => came(await ask("POST", path + query)))) reload();
  });
  let component = "FILE";
  const trial = command(() => tidegate("dead-letters", "replay", id, "--component", component));
  const zone = dropZone(
    "Try another component on it",
    "drop or choose a file: the call is made in it, nothing is sent, and the letter stays",
    (file) => {
      component = fileWord(file.name);
      trial.update();
      return answer.during(`calling ${file.name}`, async () =>
        calledParts(await ask("POST", `${path}?with=component`, file)),
      );
    },
  );
  const actions = letters.some((letter) => !letter.reply)
    ? [
        h("div.row", replay, h("label.inline", again, "even if it was sent before"), h("div.grow", line.root)),
        zone,
        trial.root,
      ]
    : [
        h(
          "p.note",
          "This is a reply that did not reach its client, which waits for it no more: there is no call to make again.",
        ),
      ];
  return [
    h("div.head", h("h2.mono", id), command(() => tidegate("dead-letters", "show", id)).root),
    h("div.body.actions", ...actions, answer.root),
    ...letters.map((letter) => h("div.body", shownLetter(letter))),
  ];
}

function came(returned) {
  return returned.flow ? [`The flow ${returned.flow} has taken it in again.`] : calledParts(returned);
}

/** What the file says of a letter: the bytes as text where they are. */
function shownLetter(letter) {
  const by = letter.met ?? (letter.plugin ? `${letter.plugin} generation ${letter.generation}` : "nobody was reached");
  const lost = letter.message ?? letter.frames ?? letter.request ?? letter.reply ?? {};
  const identity = lost.identity_base64;
  const facts = [
    ["Lost at", clock(letter.time)],
    ["Where", `${letter.hop} ${letter.route}`],
    ["Reason", letter.reason],
    ["Failed", by],
  ];
  return h(
    "div",
    h(
      "dl.figures",
      facts.map(([key, value]) => h("div", h("dt", key), h("dd", value))),
    ),
    h("pre.answer.bad", letter.error),
    h("div.gap", identity ? framed([["identity", readable(identity)]]) : null, frames(lost), metadata(lost.metadata)),
  );
}
