// The page tells how it hears of its host: late, not at all, not as one too many; and what it does wrong itself.

import assert from "node:assert/strict";
import test from "node:test";
import { adminPage, hopRow } from "../harness/admin_page.js";
import { browser, page as openPage } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { proxy } from "../harness/proxy.js";
import { until } from "../harness/until.js";

test("a rate is one of the host's time, however late the page hears of it", async (test) => {
  const host = await Host.start(test);
  const between = await proxy(test, host.places.admin);
  const page = await openPage(test, await browser(test), `${between.url}/#flow`);
  await page.locator("#connection", { hasText: "live" }).waitFor();
  const traffic = setInterval(() => host.get("/downcase/?param=a").catch(() => {}), 50);
  test.after(() => clearInterval(traffic));
  await until("a row of its own", () => hopRow(page, "http"));
  const clock = async () => Date.parse((await overview(host)).host.time);
  const begin = await clock();
  between.stall();
  await until("three events that wait", async () => (await clock()) > begin + 3500);
  const { hops } = await overview(host);
  between.flow();
  await until("what waited", async () => (await hopRow(page, "http")).in >= hops.http.in);
  const title = await page.locator(".spark[aria-label='http, in'] title").textContent();
  const [, most] = title.match(/at most ([\d.]+)\/s/);
  assert.ok(Number(most) > 0 && Number(most) < 200, title);
});

test("a host that hangs is told as silent, and heard again when it goes on", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host);
  host.signal("SIGSTOP");
  await page.locator("#connection", { hasText: "the host is silent, trying again" }).waitFor();
  host.signal("SIGCONT");
  await page.locator("#connection", { hasText: "live" }).waitFor();
});

test("one watcher or tail too many says so, and goes on when there is room", async (test) => {
  const host = await Host.start(test);
  const chromium = await browser(test);
  const open = async (path, count) => {
    const end = new AbortController();
    test.after(() => end.abort());
    const answers = await Promise.all(Array.from({ length: count }, () => host.admin(path, { signal: end.signal })));
    for (const answer of answers) assert.equal(answer.status, 200, path);
    return end;
  };
  const tails = await open("/tail", 8);
  const page = await adminPage(test, chromium, host, "tail");
  await page.getByRole("button", { name: "Start" }).click();
  const state = page.locator("#view-tail [role=status]");
  await state.filter({ hasText: /^(?!Live).*tails?.*, trying again$/ }).waitFor();
  tails.abort();
  await state.filter({ hasText: /^Live$/ }).waitFor();

  // With the page itself they are as many as may be.
  const watchers = await open("/changes", 15);
  const late = await openPage(test, chromium, host.places.admin);
  await late.locator("#connection", { hasText: /watch.*, trying again$/ }).waitFor();
  watchers.abort();
  await late.locator("#connection", { hasText: "live" }).waitFor();
});

test("what the page does wrong is not told as trouble of the host", async (test) => {
  const host = await Host.start(test);
  const errors = [];
  // All figures are drawn by this.
  const script = () =>
    Object.defineProperty(document, "title", {
      set() {
        throw new Error("broken on purpose");
      },
    });
  const page = await openPage(test, await browser(test), host.places.admin, { errors, script });
  await until("two events that fail", () => errors.length >= 2);
  assert.equal(await page.locator("#connection").innerText(), "live");
  await page.close();
  for (const error of errors.splice(0)) assert.match(error, /broken on purpose/);
});

async function overview(host) {
  return (await host.admin("/overview")).json();
}
