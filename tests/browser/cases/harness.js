// What the other cases stand on: a host, Chromium, a page of another origin, and a package of npm in it.

import assert from "node:assert/strict";
import test from "node:test";
import { browser, page } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { bundle, site } from "../harness/site.js";

test("a page of another origin cannot read the host, and has jszmq", async (test) => {
  const host = await Host.start(test);
  const answer = await host.get("/downcase/?param=HeLLo");
  assert.equal(await answer.text(), "lower case of HeLLo is hello");
  const origin = await site(test, { "/jszmq.js": await bundle("jszmq", "zmq") });
  const other = await page(test, await browser(test), origin, { foreign: true });
  await other.addScriptTag({ url: "/jszmq.js" });
  assert.equal(await other.evaluate(() => typeof globalThis.zmq.socket), "function");
  const read = await other.evaluate(
    (url) => fetch(url).then((answer) => answer.text(), String),
    `${host.places.http}/downcase/`,
  );
  assert.equal(read, "TypeError: Failed to fetch");
});
