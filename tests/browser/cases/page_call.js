// The page tries an input on a plugin, a route or a flow, and shows the command line that does the same.

import assert from "node:assert/strict";
import test from "node:test";
import { adminPage, commandLine, runLine } from "../harness/admin_page.js";
import { browser } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { until } from "../harness/until.js";

test("an input is tried, and nothing is published", async (test) => {
  const host = await Host.start(test, { plugins: ["downcase", ["p", "contract-0.2.0"]] });
  const page = await tried(test, host, "plugin downcase", "HeLLo");
  const answer = page.locator(".answer", { hasText: "1 message" });
  await answer.waitFor();
  assert.match(await answer.innerText(), /lower case of HeLLo is hello/);
  assert.match(await answer.innerText(), /downcase generation 1 · \d+(\.\d)? (µs|ms)/);
  assert.match(await runLine(host, await shownLine(page)), /lower case of HeLLo is hello/);

  // What a plugin says is text, whatever it looks like.
  await page.getByLabel("What is called").selectOption("plugin p");
  await page.getByLabel("Body").fill("reject:<img src=x onerror=window.ran=1>");
  await page.getByRole("button", { name: "Call" }).click();
  await page.locator(".answer.bad", { hasText: "<img src=x onerror=window.ran=1>" }).waitFor();
  assert.equal(await page.evaluate(() => window.ran), undefined);
  assert.equal((await host.ledger()).hops.publish.in, 0);
});

test("what was tried is kept as an example", async (test) => {
  const host = await Host.start(test);
  const page = await tried(test, host, "plugin downcase", "HeLLo");
  await page.getByLabel("Save this as an example").fill("from the page");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".answer", { hasText: "Saved: downcase has" }).waitFor();
});

test("a chain is tried step by step", async (test) => {
  const config = '[routes.both]\nthrough = ["downcase", "upcase"]\n';
  const host = await Host.start(test, { plugins: ["downcase", "upcase"], config });
  const page = await tried(test, host, "route both", "a");
  await page.locator(".answer", { hasText: "1 message" }).waitFor();
  const steps = await page.locator(".answer .step").allInnerTexts();
  assert.equal(steps.length, 2);
  assert.match(steps[0], /^downcase generation 1 · 1 message · /);
  assert.equal((await host.ledger()).hops.publish.in, 0);
});

test("the command line of a trial of a chain makes it", async (test) => {
  const config = '[routes.both]\nthrough = ["downcase", "upcase"]\n';
  const host = await Host.start(test, { plugins: ["downcase", "upcase"], config });
  const page = await tried(test, host, "route both", "a");
  assert.match(await runLine(host, await shownLine(page)), /upper case of/);
});

test("a route of a handler is tried with a request, and one that serves nothing is not offered", async (test) => {
  const config = '[routes.hello]\nthrough = ["handler"]\n';
  const host = await Host.start(test, { plugins: ["downcase", "handler", "echo"], config });
  const page = await adminPage(test, await browser(test), host, "call");
  const offered = await page.getByLabel("What is called").locator("option").allInnerTexts();
  assert.ok(offered.includes("route hello"), offered);
  assert.ok(!offered.includes("route echo"), offered);
  await page.getByLabel("What is called").selectOption("route hello");
  // The form and the line below it are those of a request at once.
  assert.equal(await page.getByLabel("With a").inputValue(), "http_request");
  await page.getByLabel("Path").waitFor();
  assert.match(await commandLine(page, "flow call"), /^tidegate flow call --route hello --path \/ /);
  await page.getByRole("button", { name: "Call" }).click();
  await page.locator(".answer", { hasText: /^Status \d{3}/ }).waitFor();
  await page.getByLabel("What is called").selectOption("plugin downcase");
  await page.locator("#call-topic").waitFor();
  assert.match(await commandLine(page, "plugin call"), /^tidegate plugin call downcase --body '' /);
});

test("what looks like a flag is a value on the command line", async (test) => {
  const host = await Host.start(test);
  const page = await adminPage(test, await browser(test), host, "call");
  await page.locator("#call-topic").fill("-t");
  await page.getByLabel("Metadata").fill("-k=-v");
  await page.getByLabel("Body").fill("-A");
  await page.getByRole("button", { name: "Call" }).click();
  await page.locator(".answer", { hasText: "lower case of -A is -a" }).waitFor();
  assert.match(await runLine(host, await shownLine(page)), /lower case of -A is -a/);
  await page.getByLabel("Save this as an example").fill("-x");
  await runLine(host, await commandLine(page, "--save"));
  await until("the example's generation", async () => (await overview(host)).plugins.downcase.generation === 2);

  // A pair without a key is none: the command line does not take it, and neither does the page.
  await page.getByLabel("Metadata").fill("=v");
  await page.locator("#call-pairs:invalid").waitFor();
  await page.getByLabel("Metadata").fill("a:b= v");
  await page.locator("#call-pairs:valid").waitFor();
  assert.match(await shownLine(page), /--metadata 'a:b= v'/);
});

test("a plugin of several roles is called as what the page says", async (test) => {
  const host = await Host.start(test, { plugins: [["p", "contract-0.2.0"]] });
  const page = await adminPage(test, await browser(test), host, "call");
  await page.getByLabel("Body").fill("x");
  for (const [kind, role, json] of [
    ["message", "processor", /"role": "processor"/],
    ["request", "reply-policy", /"role": "reply-policy"/],
  ]) {
    await page.getByLabel("With a").selectOption(kind);
    const line = await shownLine(page);
    assert.match(line, new RegExp(`--role ${role} `));
    assert.match(await runLine(host, `${line} --json`), json);
  }
});

test("a trial says whom it reaches all the same", async (test) => {
  const config = '[workers.score]\nbind = ["tcp://127.0.0.1:*"]\n[routes.scored]\nthrough = ["downcase", "workers.score"]\n';
  const host = await Host.start(test, { config });
  const page = await adminPage(test, await browser(test), host, "call");
  await page.locator(".note", { hasText: "Nothing is published or sent." }).waitFor();
  await page.getByLabel("What is called").selectOption("route scored");
  await page.locator(".note", { hasText: "a worker of score gets this message" }).waitFor();
});

test("names that objects have anyway are names like others", async (test) => {
  const config = '[routes.constructor]\nthrough = ["downcase"]\n';
  const host = await Host.start(test, { config });
  const page = await adminPage(test, await browser(test), host, "plugins/constructor");
  await page.getByText("No plugin has this name").waitFor();
  await page.getByRole("tab", { name: "Try it" }).click();
  await page.getByLabel("What is called").selectOption("route constructor");
  await page.getByLabel("Body").fill("A");
  await page.getByRole("button", { name: "Call" }).click();
  await page.locator(".answer", { hasText: "lower case of A is a" }).waitFor();
  await page.locator("#connection", { hasText: "live" }).waitFor();
});

/** Calls something with a body, by the keyboard. */
async function tried(test, host, what, body) {
  const page = await adminPage(test, await browser(test), host, "call");
  await page.getByLabel("What is called").selectOption(what);
  await page.getByLabel("Body").fill(body);
  await page.keyboard.press("Control+Enter");
  return page;
}

function shownLine(page) {
  return page.locator(".command code:visible").first().innerText();
}

async function overview(host) {
  return (await host.admin("/overview")).json();
}
