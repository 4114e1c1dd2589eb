// Chromium, and pages that tell what went wrong in them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

const flags = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A Chromium with an empty profile, which ends with the test. */
export async function browser(test) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // A container has no namespaces for its sandbox, and often no graphics.
    args: ["--headless", "--no-sandbox", "--disable-gpu", ...flags],
  });
  test.after(() => browser.close());
  return browser;
}

/**
 * A page in a context of its own at `url`, or at none; before its own scripts it runs `script`, if there is one.
 *
 * Whatever the page throws fails the test at its end, unless the test takes it from `errors`. Where it is not `foreign`, so
 * do a request to another origin, and what its content security policy keeps from happening.
 */
export async function page(test, browser, url, { foreign = false, errors = [], script, ...options } = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => errors.push(String(error)));
  if (!foreign) {
    page.on("console", (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) errors.push(message.text());
    });
    page.on("request", (request) => {
      const { protocol, host } = new URL(request.url());
      if (["http:", "https:", "ws:", "wss:"].includes(protocol) && host !== new URL(url).host)
        errors.push(`the page asked for ${request.url()}`);
    });
    await fromFiles(context);
  }
  test.after(() => assert.deepEqual(errors, []));
  if (script) await page.addInitScript(script);
  if (url) await page.goto(url);
  return page;
}

/** Has the page's files come from the folder that TIDEGATE_PAGE names, to try what has not been built into a host. */
async function fromFiles(context) {
  const folder = process.env.TIDEGATE_PAGE;
  if (!folder) return;
  // The host may not have a file yet: its headers are those of one of its kind.
  const kinds = { ".js": "/page/main.js", ".css": "/page/style.css", ".svg": "/page/icon.svg" };
  await context.route(/\/page\/.+$|:\d+\/$/, async (route) => {
    const asked = new URL(route.request().url());
    const name = asked.pathname.slice("/page/".length) || "index.html";
    const response = await route.fetch({ url: new URL(kinds[path.extname(name)] ?? "/", asked).href });
    await route.fulfill({ response, body: readFileSync(path.join(folder, name)) });
  });
}

/** Takes a picture of the page into the folder of pictures. */
export async function picture(page, name, options) {
  await page.screenshot({ path: path.join(process.env.TIDEGATE_BROWSER_OUT, `${name}.png`), ...options });
}
