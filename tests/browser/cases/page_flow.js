// The page shows what flows: a request on its way, what was lost and why, and an equation that adds up.

import assert from "node:assert/strict";
import test from "node:test";
import { adminPage, goTo, hopRow } from "../harness/admin_page.js";
import { browser, picture } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { push } from "../harness/push.js";
import { until } from "../harness/until.js";

const FLOW = `
[sockets.ticks]
type = "pull"
bind = ["tcp://127.0.0.1:*"]
[sockets.archive]
type = "push"
bind = ["tcp://127.0.0.1:*"]
[workers.score]
bind = ["tcp://127.0.0.1:*"]
[flows.clean]
from = ["ticks"]
through = ["downcase", "upcase"]
to = ["publish"]
[routes.intake]
through = ["upcase", "workers.score"]
to = ["publish", "archive"]
`;

test("a request moves through the picture and the ledger", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host);
  const box = (name) => page.locator(".node", { has: page.locator(".name", { hasText: new RegExp(`^${name}$`) }) });
  assert.match(await box("HTTP").locator("title").textContent(), /in 0 = out 0 \+ dropped 0 \+ in flight 0/);
  assert.equal(await page.locator(".edge.flows").count(), 0);

  assert.equal((await host.get("/downcase/?param=HeLLo")).status, 200);
  await until("the request in all boxes", async () => {
    const titles = await Promise.all(["HTTP", "downcase", "PUB"].map((name) => box(name).locator("title").textContent()));
    return titles.every((title) => title.includes("in 1 ="));
  });
  // It moves along each arrow: to the plugin, back as the answer, and out to PUB.
  await until("the arrows to move", async () => (await page.locator(".edge.flows").count()) === 3);
  assert.equal(await box("PUB").locator(".why").textContent(), "no-subscriber 1");
  assert.match(await page.locator("#totals").textContent(), /by HTTP$/);

  const http = await hopRow(page, "http");
  assert.deepEqual(http, { in: 1, out: 1, dropped: 0, in_flight: 0, reasons: "" });
  assert.deepEqual(await hopRow(page, "publish"), { in: 1, out: 0, dropped: 1, in_flight: 0, reasons: "no-subscriber" });
  const red = await page.locator("td.bad", { hasText: /^1$/ }).evaluate((cell) => getComputedStyle(cell).color);
  assert.notEqual(
    red,
    await page
      .locator("td.number")
      .first()
      .evaluate((cell) => getComputedStyle(cell).color),
  );

  const traffic = setInterval(() => host.get("/downcase/?param=a").catch(() => {}), 100);
  test.after(() => clearInterval(traffic));
  const rates = page.locator(".edge.flows text");
  // One on the way in, one on the way out.
  await until("rates on the arrows", async () => {
    const all = await rates.allTextContents();
    return all.length === 2 && all.every((rate) => /^\d+(\.\d)?\/s$/.test(rate));
  });
});

test("flows, chains and pools are lanes from their sources to their sinks", async (test) => {
  const host = await Host.start(test, {
    plugins: ["downcase", "upcase", "echo"],
    config: FLOW,
    flags: ["--policy=echo", "--frontend=tcp://127.0.0.1:*"],
  });
  for (let number = 0; number < 5; number += 1) await host.get("/upcase/?param=nobody+hears+this");
  host.client(test, "subscribe", "--connect", host.places.publish);
  await until("the subscription", async () =>
    Object.values((await overview(host)).peers.publish?.peers ?? {}).some((peer) => peer.subscriptions > 0),
  );
  const [chromium, ticks] = [await browser(test), await push(test, host.places.ticks)];
  const page = await adminPage(test, chromium, host);
  const lanes = (await page.locator(".lane-name").allTextContents()).sort();
  assert.deepEqual(lanes, ["/NAME/", "/intake/", "flow clean", "frontend"]);
  assert.match(await page.locator(".node.failing title").textContent(), /^score\npool of 0 workers/);

  for (let number = 0; number < 500; number += 1) ticks.send("EUR", `PriCE ${number}`);
  for (let number = 0; number < 20; number += 1) await host.get(`/downcase/?param=${number}`);
  await until("all messages of the flow", async () => (await hopRow(page, "flows.clean"))?.out === 500);
  await until("all requests", async () => (await hopRow(page, "http"))?.out === 25);
  for (const hop of ["sockets.ticks", "flows.clean", "flows.clean.downcase", "flows.clean.upcase", "plugin upcase"]) {
    assert.equal((await hopRow(page, hop)).in, hop === "plugin upcase" ? 505 : 500, hop);
  }
  assert.equal((await hopRow(page, "publish")).reasons, "no-subscriber");

  const traffic = setInterval(() => ticks.send("USD", "more"), 20);
  test.after(() => clearInterval(traffic));
  const looks = { light: {}, dark: { colorScheme: "dark" }, narrow: { viewport: { width: 360, height: 780 } } };
  for (const [name, options] of Object.entries(looks)) {
    const look = await adminPage(test, chromium, host, "flow", options);
    await look.locator(".edge.flows").first().waitFor({ state: "attached" });
    await picture(look, `flow-${name}`, { fullPage: true });
    await look.close();
  }
});

test("a flow that answers the frontend has its name", async (test) => {
  const config = '[flows.asked]\nfrom = ["frontend"]\nthrough = ["downcase"]\n';
  const host = await Host.start(test, { config, flags: ["--frontend=tcp://127.0.0.1:*"] });
  const page = await adminPage(test, await browser(test), host);
  await page.locator(".lane-name", { hasText: /^flow asked$/ }).waitFor();
  await goTo(page, "Tail");
  await page.getByLabel("Of", { exact: true }).selectOption("flow asked");
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator("#view-tail [role=status]", { hasText: /^Live$/ }).waitFor();
});

test("every view fits a phone, and none asks anybody else", async (test) => {
  const host = await Host.start(test, { plugins: ["downcase", "upcase"], config: FLOW });
  const page = await adminPage(test, await browser(test), host, "flow", { viewport: { width: 360, height: 780 } });
  for (const title of ["Flow", "Plugins", "Try it", "Tail", "Captures", "Dead letters", "Peers"]) {
    await goTo(page, title);
    await page.getByRole("tabpanel", { name: title }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, title);
  }
});

test("all of it works by keyboard", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host);
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Flow");
  await page.keyboard.press("ArrowRight");
  assert.equal(await focused(), "Plugins");
  await page.getByRole("tabpanel", { name: "Plugins" }).waitFor();
  await page.keyboard.press("End");
  await page.getByRole("tabpanel", { name: "Peers" }).waitFor();
  // The content is that of the view that is shown.
  await page.locator("#skip").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  assert.equal(await page.getByRole("tabpanel", { name: "Peers" }).isVisible(), true);
  await page.getByRole("tab", { name: "Peers" }).focus();
  await page.keyboard.press("Home");
  // A plugin of the picture is a link.
  await page.locator(".node[role=link]").first().focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "downcase" }).waitFor();
  // What has the focus is to be seen.
  await page.getByRole("tab", { name: "Plugins" }).focus();
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid");
});

test("the page says that its host is gone, and goes on with the next one", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host);
  await host.get("/downcase/?param=a");
  const address = new URL(host.places.admin).host;
  await host.stop();
  await page.locator("#connection", { hasText: "the host is gone" }).waitFor();
  await Host.start(test, { flags: [`--admin=${address}`] });
  await page.locator("#connection", { hasText: "live" }).waitFor();
  await until("the figures of the new one", async () =>
    (await page.locator(".node.surface title").first().textContent()).includes("in 0 ="),
  );
});

async function overview(host) {
  return (await host.admin("/overview")).json();
}
