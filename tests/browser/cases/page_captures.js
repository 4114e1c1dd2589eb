// The page begins captures, shows how they grow and where they are, and ends them.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { adminPage, commandLine, runLine } from "../harness/admin_page.js";
import { browser, picture } from "../harness/browser.js";
import { Host } from "../harness/host.js";

test("a capture is begun of what is chosen, is seen to grow, and is stopped", async (test) => {
  const host = await Host.start(test, { plugins: ["downcase", "upcase"] });
  const page = await adminPage(test, await browser(test), host, "captures");
  const rows = page.locator("#view-captures tbody tr");
  const answer = page.locator("#view-captures .answer");
  await rows.filter({ hasText: "Nothing is captured" }).waitFor();
  const place = page.locator("#capture-place");
  await place.locator("option", { hasText: "route downcase" }).waitFor({ state: "attached" });
  await place.selectOption("route downcase");
  await page.getByLabel("Keys left out").fill("x-token, authorization");
  await page.getByLabel("Minutes").fill("10");
  const said = await commandLine(page, "capture start");
  assert.match(said, /--route downcase --for 10m --redact-metadata x-token,authorization/);
  await page.getByRole("button", { name: "Start" }).click();
  await answer.filter({ hasText: "Capture 1 runs." }).waitFor();
  const first = rows.filter({ hasText: "route downcase" });
  await first.filter({ hasText: "running" }).waitFor();

  for (const route of ["downcase", "upcase", "downcase"]) {
    assert.equal((await host.get(`/${route}/?param=A`)).status, 200);
  }
  await first.locator("td:nth-child(5)", { hasText: /^2$/ }).waitFor();
  // The command line begins another one, of the same.
  await runLine(host, said);
  await page.locator("#view-captures .badge", { hasText: "running" }).nth(1).waitFor();
  await picture(page, "captures-light");

  const one = rows.filter({ has: page.locator("td:first-child", { hasText: /^1$/ }) });
  await one.getByRole("button", { name: "Stop" }).click();
  await answer.filter({ hasText: "Capture 1 has 2 records." }).waitFor();
  await one.filter({ hasText: "stopped" }).waitFor();
  const file = (await answer.innerText()).match(/They are in (.*)\./)[1];
  assert.ok(existsSync(path.join(host.directory, file)), file);
  assert.match(await runLine(host, await commandLine(page, "capture list")), /stopped/);
});

test("what makes no sense is told, and a host that captures nothing says so", async (test) => {
  const host = await Host.start(test, { config: '[capture]\ndirectory = "none"\n' });
  const page = await adminPage(test, await browser(test), host, "captures");
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator("#view-captures .answer.bad", { hasText: "set capture.directory" }).waitFor();
  await page.getByLabel("Keys left out").fill("");
  await page.getByLabel("Topic").last().fill("<b>");
  assert.match(await commandLine(page, "capture start"), /--topic '<b>'/);
});
