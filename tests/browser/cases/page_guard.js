// The page is guarded as the admin surface is: by its token, and against the pages of other origins.

import assert from "node:assert/strict";
import test from "node:test";
import { commandLine, followLine, goTo, guardedHost, runLine, TOKEN } from "../harness/admin_page.js";
import { browser, page as openPage, picture } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { site } from "../harness/site.js";
import { until } from "../harness/until.js";

test("the files of the page have their headers, and nothing else is served without a token", async (test) => {
  const host = await guardedHost(test);
  for (const [file, type] of [
    ["/", "text/html"],
    ["/page/main.js", "text/javascript"],
    ["/page/parts/dom.js", "text/javascript"],
    ["/page/style.css", "text/css"],
    ["/page/icon.svg", "image/svg+xml"],
  ]) {
    const answer = await host.admin(file);
    assert.equal(answer.status, 200, file);
    assert.ok(answer.headers.get("content-type").startsWith(type), file);
    assert.equal(
      answer.headers.get("content-security-policy"),
      "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
    assert.equal(answer.headers.get("cross-origin-opener-policy"), "same-origin");
    assert.equal(answer.headers.get("cross-origin-resource-policy"), "same-origin");
  }
  for (const [asked, status] of [
    ["/overview", 401],
    ["/changes", 401],
    ["/tail", 401],
    ["/page/other.js", 404],
    ["/page/views/main.js", 404],
    ["/page/../admin.rs", 401],
  ]) {
    assert.equal((await host.admin(asked)).status, status, asked);
  }
  assert.equal((await host.admin("/", { method: "POST" })).status, 405);
});

test("the token is asked for, kept in memory alone, and forgotten", async (test) => {
  const host = await guardedHost(test);
  const page = await openPage(test, await browser(test), host.places.admin);
  const field = page.getByLabel("Token");
  await field.waitFor();
  assert.equal(await page.getByRole("tab").first().isVisible(), false);
  await field.fill("not the token, not the token, not");
  await page.keyboard.press("Enter");
  await page.locator("#login-error", { hasText: "This is not the token" }).waitFor();
  await picture(page, "token-light");
  await field.fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.locator("#connection", { hasText: "live" }).waitFor();
  await page.getByRole("tabpanel", { name: "Flow" }).waitFor();
  const kept = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]),
  );
  assert.ok(!kept.includes(TOKEN), kept);
  await page.getByRole("button", { name: "Forget the token" }).click();
  await field.waitFor();
});

test("the command lines of a page with a token name its file", async (test) => {
  const host = await guardedHost(test);
  const page = await openPage(test, await browser(test), host.places.admin);
  await page.getByLabel("Token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.locator("#connection", { hasText: "live" }).waitFor();
  for (const [title, words] of [
    ["Plugins", "plugin list"],
    ["Plugins", "plugin pause"],
    ["Peers", "workers list"],
    ["Dead letters", "dead-letters list"],
  ]) {
    await goTo(page, title);
    const line = await commandLine(page, words);
    assert.match(line, / --token-file TOKEN_FILE$/);
    // It fails where the host does not do it.
    await runLine(host, line);
  }
  await page.getByRole("tab", { name: "Tail" }).click();
  const tail = followLine(test, host, await commandLine(page, "curl"));
  await until("the tail to open", () => tail.text.includes("event: open"));
});

test("a page of another origin can neither read nor act", async (test) => {
  const host = await Host.start(test);
  const foreign = await openPage(test, await browser(test), await site(test), { foreign: true });
  const admin = host.places.admin;
  const outcome = await foreign.evaluate(async (admin) => {
    const tried = {};
    const attempt = async (name, act) => (tried[name] = await act().then(String, (error) => `failed: ${error.name}`));
    await attempt("read", () => fetch(`${admin}/overview`).then((answer) => answer.text()));
    await attempt("changes", () => fetch(`${admin}/changes`).then((answer) => answer.text()));
    await attempt("page", () => fetch(`${admin}/`).then((answer) => answer.text()));
    await attempt("act", () => fetch(`${admin}/drain`, { method: "POST" }).then((answer) => answer.text()));
    await attempt("blind", () =>
      fetch(`${admin}/drain`, { method: "POST", mode: "no-cors" }).then((answer) => answer.type),
    );
    await attempt("load", () =>
      fetch(`${admin}/plugins/downcase`, { method: "PUT", body: "x" }).then((answer) => answer.text()),
    );
    const loaded = (element, attributes) =>
      new Promise((resolve, reject) => {
        Object.assign(element, attributes, {
          onload: () => resolve("loaded"),
          onerror: () => reject(new Error("refused")),
        });
        document.body.append(element);
      });
    await attempt("script", () => loaded(document.createElement("script"), { src: `${admin}/page/parts/format.js` }));
    await attempt("image", () => loaded(document.createElement("img"), { src: `${admin}/page/icon.svg` }));
    await attempt(
      "events",
      () =>
        new Promise((resolve, reject) => {
          Object.assign(new EventSource(`${admin}/changes`), {
            onmessage: resolve,
            onerror: () => reject(new Error("refused")),
          });
        }),
    );
    return tried;
  }, admin);
  for (const [name, became] of Object.entries(outcome)) {
    // A blind request leaves the browser, and is refused by the host.
    assert.match(became, name === "blind" ? /^opaque$|^failed/ : /^failed/, name);
  }
  // Nor inside of a frame.
  await foreign.evaluate((admin) => {
    const frame = document.createElement("iframe");
    frame.src = admin;
    document.body.append(frame);
  }, admin);
  await until(
    "the frame to be refused",
    () => foreign.frames().length === 2 && foreign.frames()[1].url().startsWith("chrome-error:"),
  );
  const { host: state, plugins } = await (await host.admin("/overview")).json();
  assert.equal(state.draining, false);
  assert.equal(plugins.downcase.generation, 1);
});
