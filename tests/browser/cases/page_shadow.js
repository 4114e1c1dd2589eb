// The page shows a newcomer beside a plugin: what differs on real calls, why it may not serve, and that it serves once it may.

import assert from "node:assert/strict";
import test from "node:test";
import { adminPage, commandLine, drop, runLine } from "../harness/admin_page.js";
import { browser, picture } from "../harness/browser.js";
import { Host } from "../harness/host.js";

/** A value that would run something where it became markup. */
const HOSTILE = "<img src=x onerror=window.ran=1>";

async function call(host, times, value = "HeLLo") {
  for (let time = 0; time < times; time += 1) {
    assert.equal((await host.get(`/downcase/?param=${encodeURIComponent(value)}`)).status, 200);
  }
}

test("a newcomer is begun, what differs shows live, and it serves after a look at that", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host, "plugins/downcase");
  const panel = page.locator(".panel.shadow");
  const answer = panel.locator(".answer[role=status]");
  await panel.getByText("before it serves anybody").waitFor();

  await page.getByLabel("Compared before it may serve").fill("5");
  await page.getByLabel("May differ").fill("100%");
  assert.match(await commandLine(page, "plugin shadow downcase FILE"), / --min-calls 5 --max-diff 100%( |$)/);
  await drop(page, "Drop a newcomer", host.component("upcase"));
  await answer.filter({ hasText: "stands beside downcase" }).waitFor();
  const promote = panel.getByRole("button", { name: "0 calls were compared, and it takes 5" });
  await promote.waitFor();
  assert.equal(await promote.isDisabled(), true);

  await call(host, 5, HOSTILE);
  const row = panel.locator("tbody tr", { hasText: "body changed" }).first();
  await row.filter({ hasText: "lower case of" }).filter({ hasText: "100 %" }).waitFor();
  assert.ok((await row.innerText()).includes(`upper case of ${HOSTILE}`));
  assert.equal(await page.evaluate(() => window.ran), undefined);
  await page.locator("tr.chosen .badge", { hasText: "shadow differs 100 %" }).waitFor();
  assert.match(await runLine(host, await commandLine(page, "plugin shadow status")), /body changed/);
  await picture(page, "shadow-light", { fullPage: true });
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);
  const { width: wide, height } = page.viewportSize();
  await page.setViewportSize({ width: 360, height });
  assert.equal(await width(), 360);
  await page.setViewportSize({ width: wide, height });

  await panel.getByRole("button", { name: "Promote …" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Of 5 calls 5 differ, 100 %").waitFor();
  await dialog.locator("tr", { hasText: "body changed" }).waitFor();
  await picture(page, "shadow-promote");
  // Nothing has happened until it is confirmed, and Escape is a no.
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert.match(await (await host.get("/downcase/?param=a")).text(), /^lower/);
  await panel.getByRole("button", { name: "Promote …" }).click();
  await dialog.getByRole("button", { name: "Promote" }).click();
  await answer.filter({ hasText: "Promoted: generation 2 serves" }).waitFor();
  assert.match(await (await host.get("/downcase/?param=a")).text(), /^upper/);
  await panel.locator(".head .badge", { hasText: "promoted" }).waitFor();
  await page.locator(".timeline li", { hasText: "Loaded generation 2" }).waitFor();
  // Another one can be begun.
  await panel.locator(".drop").waitFor();
});

test("what differs too much may not serve, and is stopped; the command lines do the same", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host, "plugins/downcase");
  const panel = page.locator(".panel.shadow");
  const badge = (word) => panel.locator(".head .badge", { hasText: word }).waitFor();
  await drop(page, "Drop a newcomer", Buffer.from("no component"), "bad.wasm");
  await panel.locator(".answer.bad", { hasText: "Refused: compile" }).waitFor();

  const line = await commandLine(page, "plugin shadow downcase");
  await runLine(host, line.replace("bad.wasm", host.component("upcase")));
  await badge("running");
  await call(host, 3);
  const promote = panel.getByRole("button", { name: "3 of 3 inputs differ, over 0" });
  await promote.waitFor();
  assert.equal(await promote.isDisabled(), true);
  await panel.getByRole("button", { name: "Stop" }).click();
  await panel.locator(".answer", { hasText: "3 calls were compared" }).waitFor();
  await badge("stopped");
  // What it found stays to be read.
  await panel.locator("tbody tr", { hasText: "body changed" }).first().waitFor();

  await page.getByLabel("May differ").fill("3");
  await drop(page, "Drop a newcomer", host.component("upcase"), "upcase.wasm");
  await badge("running");
  await runLine(host, await commandLine(page, "plugin shadow stop"));
  await badge("stopped");
  await page.getByLabel("Compared before it may serve").fill("1");
  await drop(page, "Drop a newcomer", host.component("upcase"), "upcase.wasm");
  await badge("running");
  await call(host, 1);
  await panel.getByRole("button", { name: "Promote …" }).waitFor();
  await runLine(host, await commandLine(page, "plugin shadow promote"));
  await badge("promoted");
});
