// The admin surface as the page asks it: requests with the token, and streams of events that survive a broken connection.

/** Held here and nowhere else: a new load of the page asks for it again. */
let token = null;
let whenAsked = () => {};

export function onTokenAsked(listener) {
  whenAsked = listener;
}

export function setToken(value) {
  token = value;
}

export function hasToken() {
  return token !== null;
}

/** What the host answered instead of what it was asked for: a problem of RFC 9457. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export async function ask(method, path, body) {
  const answer = await open(method, path, body);
  const type = answer.headers.get("content-type") ?? "";
  return type.includes("json") ? answer.json() : answer.text();
}

async function open(method, path, body, signal) {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  if (typeof body === "string") headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body, signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { detail: "the host does not answer" });
  }
  if (answer.ok) return answer;
  if (answer.status === 401) whenAsked();
  const problem = await answer.json().catch(() => ({ title: `${answer.status} ${answer.statusText}` }));
  throw new Refused(answer.status, problem);
}

/**
 * Hears the events at `path` until it is told to stop by the function that it returns.
 *
 * `hear(name, data)` gets each; `tell(state, why)` gets `open`, `closed` while it tries again, `refused` if not. A host of
 * which nothing came for `silence` milliseconds is left, and asked anew.
 */
export function listen(path, hear, tell, silence) {
  const stop = new AbortController();
  hearAll(path, safely(hear), safely(tell), silence, stop.signal);
  return () => stop.abort();
}

/** What the page itself does wrong is no trouble of the connection: the browser tells of it, and events go on. */
function safely(act) {
  return (...given) => {
    try {
      act(...given);
    } catch (error) {
      reportError(error);
    }
  };
}

async function hearAll(path, hear, tell, silence, stopped) {
  let pause = 500;
  while (!stopped.aborted) {
    const silent = new AbortController();
    let timer;
    const isAlive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), silence);
    };
    isAlive();
    try {
      const answer = await open("GET", path, undefined, AbortSignal.any([stopped, silent.signal]));
      tell("open");
      pause = 500;
      await readEvents(answer.body, hear, isAlive);
      tell("closed", GONE);
    } catch (error) {
      if (stopped.aborted) return;
      const isFinal = error.status >= 400 && error.status < 500;
      tell(isFinal ? "refused" : "closed", silent.signal.aborted ? SILENT : error.status > 0 ? error.message : GONE);
      if (isFinal) return;
    } finally {
      clearTimeout(timer);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 5000);
  }
}

const GONE = "the host is gone";
const SILENT = "the host is silent";

/** Server-Sent Events, as they are parsed by a browser: EventSource itself has no headers, and so no token. */
async function readEvents(body, hear, isAlive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let name = "";
  let data = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    isAlive();
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) hear(name || "message", data.join("\n"));
        name = "";
        data = [];
        continue;
      }
      const at = line.indexOf(":");
      const [field, content] = at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
      if (field === "event") name = content;
      else if (field === "data") data.push(content);
    }
  }
}

/** A document after a merge patch (RFC 7396). Its objects inherit nothing: a plugin may be named `constructor`. */
export function merged(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const isObject = target !== null && typeof target === "object" && !Array.isArray(target);
  const result = Object.assign(Object.create(null), isObject ? target : {});
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}
