// The page shows dead letters, tries another component on one, and replays it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { adminPage, commandLine, drop, runLine } from "../harness/admin_page.js";
import { browser, picture } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { until } from "../harness/until.js";

const HOSTILE = "fail:<img src=x onerror=window.ran=1>";

test("a dead letter is looked at, and replayed", async (test) => {
  const host = await Host.start(test, { plugins: [["p", "contract-0.2.0"]] });
  const page = await adminPage(test, await browser(test), host, "letters");
  await page.locator("td", { hasText: "Nothing was lost" }).waitFor();
  assert.equal((await host.get("/p/", { method: "POST", body: HOSTILE })).status, 502);
  // It shows by itself.
  const row = page.locator("tbody tr", { hasText: "p@1" });
  await row.click();
  const detail = page.locator(".beside > .panel").last();
  await detail.locator(".frame pre", { hasText: HOSTILE }).waitFor();
  assert.equal(await page.locator("td img, pre img").count(), 0);
  assert.equal(await page.evaluate(() => window.ran), undefined);
  await picture(page, "letters-light");

  const published = async () => (await host.ledger()).hops.publish.in;
  // The plugin that is mended gets it again, and this time it goes out.
  // In place of it: one with fewer roles would be refused.
  assert.equal((await host.admin("/plugins/p", { method: "DELETE" })).status, 200);
  const loaded = await host.admin("/plugins/p", { method: "PUT", body: readFileSync(host.component("upcase")) });
  assert.equal(loaded.status, 200);
  await detail.getByRole("button", { name: "Replay" }).click();
  await detail.locator(".answer", { hasText: "p generation 2" }).waitFor();
  assert.equal(await published(), 1);
  await page.locator("td", { hasText: "Nothing was lost" }).waitFor();
  await page.getByLabel("Which letters").selectOption("only");
  await page.locator("tbody tr", { hasText: "sent" }).waitFor();

  // Not twice, unless that is asked for.
  await detail.getByRole("button", { name: "Replay" }).click();
  await detail.locator(".answer.bad", { hasText: "again=true" }).waitFor();
  const line = () => commandLine(page, "dead-letters replay");
  assert.doesNotMatch(await line(), /--again/);
  await detail.getByLabel("even if it was sent before").check();
  assert.match(await line(), / --again /);
  await detail.getByRole("button", { name: "Replay" }).click();
  await until("the second replay", async () => (await published()) === 2);
  assert.match(
    await runLine(host, await page.locator(".command code", { hasText: "dead-letters show" }).innerText()),
    /onerror|ZmFpb/,
  );
});

test("a new letter is the first, however many there are", async (test) => {
  const plugins = ["old", "new"].map((name) => [name, "contract-0.2.0"]);
  const host = await Host.start(test, { plugins });
  const fail = async (name) => assert.equal((await host.get(`/${name}/`, { method: "POST", body: "fail:x" })).status, 502);
  for (let number = 0; number < 101; number += 1) await fail("old");
  const page = await adminPage(test, await browser(test), host, "letters");
  const first = page.locator("#view-letters tbody tr").first();
  await first.filter({ hasText: "old@1" }).waitFor();
  await fail("new");
  await first.filter({ hasText: "new@1" }).waitFor();
  await page.getByRole("button", { name: "Show more" }).click();
  await until("all of them", async () => (await page.locator("#view-letters tbody tr").count()) === 102);
});

test("the answer of a letter that is chosen no more is dropped", async (test) => {
  const host = await Host.start(test, { plugins: [["p", "contract-0.2.0"]] });
  for (const body of ["fail:first", "fail:second"]) {
    assert.equal((await host.get("/p/", { method: "POST", body })).status, 502);
  }
  const page = await adminPage(test, await browser(test), host, "letters");
  const rows = page.locator("tbody tr", { hasText: "p@1" });
  await rows.nth(1).waitFor();
  // The first letter that is asked for comes after the second.
  let asked = 0;
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await page.route(/\/dead-letters\/[^?]+$/, async (route) => {
    asked += 1;
    if (asked === 1) await released;
    await route.continue();
  });
  await rows.nth(0).click();
  await until("the first to be asked for", () => asked === 1);
  await rows.nth(1).click();
  const heading = page.locator(".beside > .panel").last().locator("h2");
  await heading.waitFor();
  const [shown, chosen] = [await heading.innerText(), page.locator("tbody tr.chosen")];
  const late = page.waitForResponse(/\/dead-letters\/[^?]+$/);
  release();
  await late;
  // What was held has come, and so has whatever the page made of it.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
  assert.equal(await heading.innerText(), shown);
  assert.equal(await chosen.count(), 1);
});

test("another component is tried on a dead letter, which stays", async (test) => {
  const host = await Host.start(test, { plugins: [["p", "contract-0.2.0"]] });
  assert.equal((await host.get("/p/", { method: "POST", body: HOSTILE })).status, 502);
  const page = await adminPage(test, await browser(test), host, "letters");
  await page.locator("tbody tr", { hasText: "p@1" }).click();
  await drop(page, "Try another component", host.component("upcase"));
  await page.locator(".answer", { hasText: "upper case of" }).waitFor();
  assert.equal((await host.ledger()).hops.publish.in, 0);
  await page.locator("tbody tr", { hasText: "p@1" }).waitFor();
});
