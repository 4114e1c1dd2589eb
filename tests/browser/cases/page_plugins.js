// The page changes plugins: a component that is dropped passes the gate or is refused, and what served before comes back.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { adminPage, commandLine, drop, followLine, goTo, runLine } from "../harness/admin_page.js";
import { browser, picture } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { until } from "../harness/until.js";

/** A file name that would run something where it became markup. */
const HOSTILE = "<img src=x onerror=window.ran=1>.wasm";

test("a dropped component is refused with its stage, or serves, and is rolled back", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host, "plugins/downcase");
  const answered = async () => (await host.get("/downcase/?param=HeLLo")).text();
  const answer = page.locator(".chosen-plugin .answer[role=status]");
  const timeline = page.locator(".timeline li");
  await timeline.filter({ hasText: "Loaded generation 1" }).waitFor();

  await drop(page, "Drop a component", Buffer.from("no component"), HOSTILE);
  await answer.filter({ hasText: "Refused: compile" }).waitFor();
  assert.match(await answer.innerText(), /neither a WebAssembly component nor its text form/);
  assert.equal(await answered(), "lower case of HeLLo is hello");
  await timeline.filter({ hasText: "Refused" }).filter({ hasText: "compile: neither" }).waitFor();
  assert.match(await page.locator(".chosen-plugin").innerText(), /load downcase '<img src=x onerror=window\.ran=1>\.wasm'/);
  assert.equal(await page.evaluate(() => window.ran), undefined);

  await drop(page, "Drop a component", host.component("upcase"));
  await answer.filter({ hasText: "Generation 2 serves" }).waitFor();
  assert.equal(await answered(), "upper case of HeLLo is HELLO");
  await timeline.filter({ hasText: "Loaded generation 2" }).waitFor();

  await page.locator("select", { hasText: "to generation 1" }).waitFor();
  await page.getByRole("button", { name: "Roll back" }).click();
  await answer.filter({ hasText: "Rolled back: generation 3 serves" }).waitFor();
  assert.equal(await answered(), "lower case of HeLLo is hello");
  await timeline.filter({ hasText: /Rolled back.* as generation 3/ }).waitFor();
  await picture(page, "plugins-light", { fullPage: true });
});

test("a plugin is paused and resumed, and a new one is loaded under its name", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host, "plugins");
  const status = async (route) => (await host.get(`/${route}/?param=A`)).status;
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator(".chosen-plugin .badge", { hasText: "paused" }).waitFor();
  assert.equal(await status("downcase"), 503);
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator(".chosen-plugin .badge", { hasText: "serving" }).waitFor();
  assert.equal(await status("downcase"), 200);

  await page.getByLabel("Name of a new plugin").fill("shout");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "shout" }).waitFor();
  // By keyboard a file is chosen instead of dropped.
  await page.locator(".chosen-plugin .drop input").setInputFiles(host.component("upcase"));
  await page.locator(".answer", { hasText: "Generation 1 serves" }).waitFor();
  assert.equal(await status("shout"), 200);
  await page.locator("tbody tr.chosen", { hasText: "shout" }).waitFor();
});

test("the command lines do what the buttons do", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host, "plugins/downcase");
  await drop(page, "Drop a component", host.component("upcase"), "upcase.wasm");
  await page.locator(".answer", { hasText: "Generation 2 serves" }).waitFor();
  await page.locator("select", { hasText: "to generation 1" }).waitFor();
  const line = (words) => page.locator(".command code", { hasText: words }).innerText();

  await runLine(host, await line("plugin rollback"));
  await page.locator(".timeline li", { hasText: /Rolled back.* as generation 3/ }).waitFor();
  await runLine(host, (await line("plugin load")).replace("upcase.wasm", host.component("upcase")));
  await page.locator(".timeline li", { hasText: "Loaded generation 4" }).waitFor();
  await runLine(host, await line("plugin pause"));
  await page.locator(".chosen-plugin .badge", { hasText: "paused" }).waitFor();
  await runLine(host, await line("plugin resume"));
  await page.locator(".chosen-plugin .badge", { hasText: "serving" }).waitFor();
  assert.match(await runLine(host, await line("plugin list")), /downcase/);
  await goTo(page, "Flow");
  const watched = followLine(test, host, await commandLine(page, "ledger --watch"));
  await until("the request in what is watched", async () => {
    await host.get("/downcase/?param=a");
    return /^\S+ hop=http /m.test(watched.text);
  });
  await goTo(page, "Peers");
  assert.doesNotMatch(await runLine(host, await line("workers list")), /error/);
});

test("the keyboard stays where it is in a list that changes", async (test) => {
  const host = await Host.start(test, { plugins: ["a", "b", "c"].map((name) => [name, "downcase"]) });
  const page = await adminPage(test, await browser(test), host, "plugins");
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  const button = (name) => page.getByRole("button", { name, exact: true });
  await button("c").focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "c", exact: true }).waitFor();
  assert.equal(await focused(), "c");
  // What is chosen is said, not only coloured.
  assert.equal(await button("c").getAttribute("aria-current"), "true");
  assert.equal(await button("b").getAttribute("aria-current"), "false");
  assert.equal((await host.admin("/plugins/a", { method: "DELETE" })).status, 200);
  await button("a").waitFor({ state: "detached" });
  assert.equal(await focused(), "c");
});

test("what is rolled back may be kept for the next start", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host, "plugins/downcase");
  const answer = page.locator(".chosen-plugin .answer[role=status]");
  await page.getByLabel("also for the next start").check();
  await drop(page, "Drop a component", host.component("upcase"), "upcase.wasm");
  await answer.filter({ hasText: "kept for the next start" }).waitFor();
  assert.deepEqual(readFileSync(host.plugin("downcase")), readFileSync(host.component("upcase")));
  await page.locator("select", { hasText: "to generation 1" }).waitFor();
  assert.match(await commandLine(page, "plugin rollback"), / --to 1 --persist( |$)/);
  await page.getByRole("button", { name: "Roll back" }).click();
  await answer.filter({ hasText: "Rolled back: generation 3 serves." }).filter({ hasText: "kept for" }).waitFor();
  // What the source still holds is not loaded again.
  const { plugins } = await (await host.admin("/overview")).json();
  assert.equal(plugins.downcase.condemned.by, "operator");
});

test("a command line is copied", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host, "plugins/downcase", {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const command = page.locator(".command", { hasText: "plugin pause" });
  await command.getByRole("button").click();
  await command.getByRole("button", { name: "Copied" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, `tidegate plugin pause downcase --admin ${new URL(host.places.admin).host}`);
});
