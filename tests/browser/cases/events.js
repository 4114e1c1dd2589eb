// EventSource in Chromium: what it gets when its connection breaks, within the ring and beyond it.

import assert from "node:assert/strict";
import test from "node:test";
import { browser, page } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { proxy } from "../harness/proxy.js";
import { push } from "../harness/push.js";
import { site } from "../harness/site.js";
import { until } from "../harness/until.js";

const FLOW = `
[sockets.in]
type = "pull"
bind = ["tcp://127.0.0.1:*"]
[flows.all]
from = ["in"]
to = ["events"]
`;

/** The configuration of a host whose events a page of `origin` may follow. */
const events = (origin, keys) => ({
  plugins: [],
  config: `[events]\nenabled = true\nretry_ms = 50\norigins = ["${origin}"]\n${keys}\n${FLOW}`,
});

/** A page that follows all events of a host through a proxy, and the way into the host. */
async function follow(test, keys = "") {
  const origin = await site(test, {});
  const host = await Host.start(test, events(origin, keys));
  const between = await proxy(test, host.places.http);
  const opened = await page(test, await browser(test), origin, { foreign: true });
  await opened.evaluate((url) => {
    Object.assign(globalThis, { got: [], gaps: [], opened: 0 });
    const source = new EventSource(`${url}/events`);
    source.onopen = () => (globalThis.opened += 1);
    source.onmessage = ({ data }) => globalThis.got.push(data);
    source.addEventListener("gap", ({ data }) => globalThis.gaps.push([globalThis.got.length, JSON.parse(data).missed]));
  }, between.url);
  const read = (name) => opened.evaluate((name) => globalThis[name], name);
  await until("a stream", async () => (await read("opened")) === 1);
  return { origin, host, between, read, into: await push(test, host.places.in) };
}

/** The texts of these numbers, the last one left out. */
const numbers = (from, to) => Array.from({ length: to - from }, (_, at) => String(from + at));

test("however often its connection breaks, nothing within the ring is lost or comes twice", async (test) => {
  const { between, read, into } = await follow(test);
  for (let cut = 1; cut <= 5; cut += 1) {
    numbers((cut - 1) * 200, cut * 200).forEach((number) => into.send(number));
    // It breaks wherever the page is by then.
    between.cut();
    await until("it to come back", async () => (await read("opened")) > cut);
  }
  await until("the last", async () => (await read("got")).at(-1) === "999");
  assert.deepEqual(await read("got"), numbers(0, 1000));
  assert.deepEqual(await read("gaps"), []);
});

test("what is no longer in the ring is told, and the rest comes", async (test) => {
  const { host, between, read, into } = await follow(test, "ring_messages_max = 10");
  into.send("0");
  await until("the first", async () => (await read("got")).length === 1);
  between.hold();
  numbers(1, 101).forEach((number) => into.send(number));
  await until("all of them", async () => (await host.ledger()).hops.events.in === 101);
  between.release();
  await until("the last", async () => (await read("got")).at(-1) === "100");
  assert.deepEqual(await read("got"), ["0", ...numbers(91, 101)]);
  assert.deepEqual(await read("gaps"), [[1, 90]]);
});

test("after a host was killed nobody knows how many are missing, and that is told", async (test) => {
  const { origin, host, between, read, into } = await follow(test);
  into.send("0");
  await until("the first", async () => (await read("got")).length === 1);
  between.hold();
  await host.stop("SIGKILL");
  const next = await Host.start(test, events(origin, ""));
  between.release(next.places.http);
  await until("the gap", async () => (await read("gaps")).length === 1);
  const intoNext = await push(test, next.places.in);
  intoNext.send("1");
  await until("the next", async () => (await read("got")).length === 2);
  assert.deepEqual([await read("got"), await read("gaps")], [["0", "1"], [[1, "unknown"]]]);
});
