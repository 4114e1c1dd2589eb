// The page: its tabs, what is heard of the host, and who is asked for the token.

import { ask, listen, merged, onTokenAsked, setToken } from "./host/api.js";
import { History } from "./host/history.js";
import { counters } from "./host/topology.js";
import { updateCommands } from "./parts/command.js";
import { h, text } from "./parts/dom.js";
import { brief, lasting, rate } from "./parts/format.js";
import { callView } from "./views/call.js";
import { capturesView } from "./views/captures.js";
import { flowView } from "./views/flow.js";
import { lettersView } from "./views/letters.js";
import { peersView } from "./views/peers.js";
import { pluginsView } from "./views/plugins.js";
import { tailView } from "./views/tail.js";

const $ = (id) => document.getElementById(id);
const history = new History();
/** Each second brings a change: a host of which so long none came hangs, or what is between. */
const SILENCE = 5000;
let overview = null;
let stop = null;

/** Each makes `{ root, update(overview, history), shown() }`, of which the last may be left out. */
const views = [
  ["flow", "Flow", flowView()],
  ["plugins", "Plugins", pluginsView()],
  ["call", "Try it", callView()],
  ["tail", "Tail", tailView()],
  ["captures", "Captures", capturesView()],
  ["letters", "Dead letters", lettersView()],
  ["peers", "Peers", peersView()],
].map(([id, title, view]) => ({ id, title, view }));

for (const one of views) {
  one.badge = h("span.badge.bad", { hidden: true });
  one.tab = h(
    "button",
    {
      role: "tab",
      id: `tab-${one.id}`,
      "aria-controls": `view-${one.id}`,
      "aria-selected": "false",
      tabindex: "-1",
      onclick: () => (location.hash = one.id),
      onkeydown: turn,
    },
    one.title,
    one.badge,
  );
  one.panel = h(
    "section",
    { id: `view-${one.id}`, role: "tabpanel", "aria-labelledby": one.tab.id, hidden: true },
    one.view.root,
  );
  $("tabs").append(one.tab);
  $("main").append(one.panel);
}

function turn(event) {
  const at = views.findIndex((one) => one.tab === event.currentTarget);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: views.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = views[(to + views.length) % views.length];
  location.hash = next.id;
  next.tab.focus();
}

let current = views[0];

/** The view that the address names, such as `#plugins/NAME`, of which the view gets the rest; that of before if none. */
function show() {
  const [id, ...rest] = location.hash.slice(1).split("/");
  current = views.find((one) => one.id === id) ?? current;
  for (const one of views) {
    const is = one === current;
    one.tab.setAttribute("aria-selected", String(is));
    one.tab.tabIndex = is ? 0 : -1;
    one.panel.hidden = !is || !$("login").hidden;
  }
  $("tabs").hidden = !$("login").hidden;
  if (!$("login").hidden) return;
  current.view.shown?.(rest.length > 0 ? decoded(rest.join("/")) : null);
  if (overview) current.view.update(overview, history);
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function hear(name, data) {
  if (name === "overview") {
    overview = null;
    history.forget();
  } else if (name !== "change") {
    return;
  }
  overview = merged(overview, JSON.parse(data));
  history.take(counters(overview), overview.host.time);
  draw();
}

function draw() {
  const { host } = overview;
  text($("version"), host.version);
  text($("state"), host.draining ? "draining" : host.ready ? "ready" : `not ready: ${host.obstacles.join(", ")}`);
  $("state").className = host.ready ? "dot" : "dot bad";
  const asked = history.rate("http in");
  const letters = overview.hops["dead-letter"]?.in ?? 0;
  text($("totals"), `up ${lasting((Date.parse(host.time) - Date.parse(host.started)) / 1000)} · ${rate(asked)} by HTTP`);
  const badge = views.find((one) => one.id === "letters").badge;
  text(badge, brief(letters));
  badge.hidden = letters === 0;
  document.title = host.ready ? "Tidegate" : "Tidegate (not ready)";
  if (!current.panel.hidden) current.view.update(overview, history);
}

function connect() {
  stop?.();
  stop = listen("changes", hear, told, SILENCE);
}

function told(state, why) {
  const refused = $("login").hidden ? why : "the token is missing";
  text($("connection"), { open: "live", closed: `${why}, trying again`, refused }[state]);
  $("connection").className = state === "open" ? "dot" : "dot bad";
}

onTokenAsked(() => {
  setToken(null);
  updateCommands();
  $("login").hidden = false;
  $("forget").hidden = true;
  show();
  $("token").focus();
});

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  setToken($("token").value.trim());
  $("token").value = "";
  const refused = await ask("GET", "plugins").then(
    () => null,
    (error) => error,
  );
  if (refused) {
    text($("login-error"), refused.status === 401 ? "This is not the token." : refused.message);
    return;
  }
  $("login").hidden = true;
  $("forget").hidden = false;
  text($("login-error"), "");
  updateCommands();
  show();
  connect();
});

$("skip").addEventListener("click", (event) => {
  // As an address it would be that of a view.
  event.preventDefault();
  $("main").focus();
});
$("forget").addEventListener("click", () => location.reload());
addEventListener("hashchange", show);
show();
connect();
