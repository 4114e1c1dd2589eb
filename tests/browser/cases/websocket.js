// What docs/websocket.md shows, as it stands there, in Chromium: events and sockets, by jszmq and by plain JavaScript.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { browser, page } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { bundle, site } from "../harness/site.js";
import { until } from "../harness/until.js";

const text = readFileSync(path.join(import.meta.dirname, "../../../docs/websocket.md"), "utf8");
const blocks = (language) => [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code);

/** A page of another origin, which the host lets in, and the host with the sockets of the documentation. */
async function start(test, origins = (origin) => [origin]) {
  const origin = await site(test, { "/jszmq.js": await bundle("jszmq", "zmq") });
  const events = `[events]\nenabled = true\norigins = ${JSON.stringify(origins(origin))}\n`;
  const host = await Host.start(test, { config: events + blocks("toml").join("\n") });
  const opened = await page(test, await browser(test), origin, { foreign: true });
  await opened.addScriptTag({ url: "/jszmq.js" });
  return { host, page: opened, at: new URL(host.places.http).host };
}

test("what the documentation shows works as it stands", async (test) => {
  const { host, page, at } = await start(test);
  const codes = blocks("js");
  assert.equal(codes.length, 5);
  for (const code of codes) {
    // The pages of the documentation come from the host.
    await page.addScriptTag({ content: code.replaceAll("location.host", JSON.stringify(at)) });
  }
  const sees = (words, times = 1) =>
    until(`${times} times ${words}`, async () => (await page.locator("body").innerText()).split(words).length > times);
  await sees("lower case of Who Are You is who are you");
  await until("both messages", async () => (await host.ledger()).hops["sockets.clicks"]?.out === 2);
  // Both who follow see it, however long their subscriptions take to arrive.
  await until("a message", async () => {
    await page.evaluate("push.send(['EUR', 'One'])");
    return (await page.locator("body").innerText()).split("EUR: lower case of One is one").length > 2;
  });
  await page.evaluate("push.send(['EUR', '<img src=x onerror=alert(1)>'])");
  await sees("EUR: lower case of <img src=x onerror=alert(1)>", 2);
  await page.evaluate("sub.unsubscribe('EUR')");
});

test("a PUSH loses nothing and keeps its order, and each DEALER gets its own answers", async (test) => {
  const { host, page, at } = await start(test);
  await page.evaluate((at) => {
    const zmq = globalThis.zmq;
    const push = zmq.socket("push");
    push.connect(`ws://${at}/clicks`);
    for (let number = 0; number < 1000; number += 1) push.send(["n", String(number)]);
    globalThis.answers = ["a", "b"].map((name) => {
      const [dealer, answers] = [zmq.socket("dealer"), []];
      dealer.connect(`ws://${at}/questions`);
      dealer.on("message", (answer) => answers.push(String(answer)));
      for (let number = 0; number < 100; number += 1) dealer.send(`${name}${number}`);
      return answers;
    });
  }, at);
  await until("all that was pushed", async () => (await host.ledger()).hops["flows.clicks"]?.out === 1000);
  await until("all answers", () => page.evaluate(() => globalThis.answers.every(({ length }) => length === 100)));
  const expected = ["a", "b"].map((name) =>
    Array.from({ length: 100 }, (_, number) => `lower case of ${name}${number} is ${name}${number}`),
  );
  assert.deepEqual(await page.evaluate(() => globalThis.answers), expected);
  // What was pushed is what the ring of events has, in the order in which it was sent.
  const got = await page.evaluate(
    (at) =>
      new Promise((resolve) => {
        const [socket, got] = [new WebSocket(`ws://${at}/events?topic=n&last_event_id=earliest`), []];
        socket.onmessage = ({ data }) => got.push(data) === 1000 && resolve(got);
      }),
    at,
  );
  assert.deepEqual(got, Array.from({ length: 1000 }, (_, number) => `lower case of ${number} is ${number}`));
});

test("a page of an origin that is not listed opens nothing", async (test) => {
  const { page, at } = await start(test, () => []);
  const opens = (path) =>
    page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const socket = new WebSocket(url, "ZWS2.0");
          socket.onopen = () => resolve("open");
          socket.onerror = () => resolve("error");
        }),
      `ws://${at}${path}`,
    );
  assert.deepEqual([await opens("/events"), await opens("/clicks")], ["error", "error"]);
});
