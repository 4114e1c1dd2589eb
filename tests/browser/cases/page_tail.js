// The page shows messages as they go by: sampled, filtered, without bodies unless they are to be seen, and never as markup.

import assert from "node:assert/strict";
import test from "node:test";
import { adminPage } from "../harness/admin_page.js";
import { browser, picture } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { push } from "../harness/push.js";

const HOSTILE = "<img src=x onerror=window.ran=1>";
const FLOW = `
[sockets.in]
type = "pull"
bind = ["tcp://127.0.0.1:*"]
[flows.f]
from = ["in"]
through = ["downcase"]
to = ["publish"]
`;

test("topics are shown and bodies are not, and a hostile topic runs nothing", async (test) => {
  const host = await Host.start(test, { config: FLOW });
  const page = await adminPage(test, await browser(test), host, "tail");
  const sender = await push(test, host.places.in);
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator(".note", { hasText: "bodies are hidden" }).waitFor();
  sender.send(HOSTILE, "SeCreT");
  const entry = page.locator(".tail li", { hasText: "flow f → publish" }).first();
  await entry.waitFor();
  const text = await page.locator(".tail").innerText();
  assert.ok(text.includes(HOSTILE), text);
  assert.match(text, /in → flow f/);
  assert.match(text, /flow f → publish/);
  assert.match(text, /body hidden/);
  assert.doesNotMatch(text, /secret/i);
  assert.equal(await page.locator(".tail img").count(), 0);
  assert.equal(await page.evaluate(() => window.ran), undefined);
  await picture(page, "tail-light");
});

test("bodies are shown where the host lets them, filtered by topic and text, and the tail pauses", async (test) => {
  const host = await Host.start(test, { config: `[admin]\ntail = "bodies"\n${FLOW}` });
  const page = await adminPage(test, await browser(test), host, "tail");
  const sender = await push(test, host.places.in);
  await page.locator("#tail-place").selectOption("flow f");
  await page.locator("#tail-topic").fill("EUR");
  await page.locator("#tail-text").fill("wanted");
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator(".note", { hasText: "Live" }).waitFor();
  sender.send("EUR", "not this");
  sender.send("USD", "wanted, but elsewhere");
  sender.send("EUR", `wanted ${HOSTILE}`);
  await page
    .locator(".tail li", { hasText: `wanted ${HOSTILE}` })
    .first()
    .waitFor();
  assert.doesNotMatch(await page.locator(".tail").innerText(), /not this|elsewhere/);

  const before = await page.locator(".tail li").count();
  await page.getByRole("button", { name: "Pause" }).click();
  sender.send("EUR", "wanted, while it pauses");
  await page
    .locator(".note", { hasText: "Paused · 1 new" })
    .or(page.locator(".note", { hasText: "Paused · 2 new" }))
    .waitFor();
  assert.equal(await page.locator(".tail li").count(), before);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.locator(".tail li", { hasText: "while it pauses" }).first().waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator(".note", { hasText: "Not started" }).waitFor();
});

test("what goes by too fast is counted", async (test) => {
  const host = await Host.start(test, { config: FLOW });
  const page = await adminPage(test, await browser(test), host, "tail");
  const sender = await push(test, host.places.in);
  await page.getByLabel("A second, at most").fill("1");
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator(".note", { hasText: "Live" }).waitFor();
  for (let number = 0; number < 300; number += 1) sender.send("t", String(number));
  await page.locator(".note", { hasText: /[\d,]+ more went by/ }).waitFor();
});

test("a host that has it off says so", async (test) => {
  const host = await Host.start(test, { config: '[admin]\ntail = "off"\n' });
  const page = await adminPage(test, await browser(test), host, "tail");
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator(".note.bad", { hasText: "admin.tail" }).waitFor();
});
