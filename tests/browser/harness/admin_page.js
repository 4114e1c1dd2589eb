// The page on the admin surface, as its cases use it.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { page } from "./browser.js";
import { Host } from "./host.js";

export const TOKEN = "0123456789abcdef0123456789abcdef";

/** Opens a view of the page of a host, and waits until it shows figures. */
export async function adminPage(test, browser, host, view = "flow", options = {}) {
  const opened = await page(test, browser, new URL(`/#${view}`, host.places.admin).href, options);
  await opened.locator("#connection", { hasText: "live" }).waitFor();
  await opened.locator("#state", { hasText: /./ }).waitFor();
  return opened;
}

/** Goes to a view by its tab. */
export async function goTo(page, title) {
  await page.getByRole("tab", { name: title }).click();
}

/** Drops a file onto the visible drop zone with these words. */
export async function drop(page, words, file, name = path.basename(file)) {
  const bytes = [...(typeof file === "string" ? readFileSync(file) : file)];
  const dataTransfer = await page.evaluateHandle(
    ([bytes, name]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], name));
      return transfer;
    },
    [bytes, name],
  );
  const zone = page.locator(".drop:visible", { hasText: words });
  await zone.dispatchEvent("dragenter", { dataTransfer });
  await zone.dispatchEvent("drop", { dataTransfer });
}

/** The numbers of a row of the ledger, which has to add up. */
export async function hopRow(page, hop) {
  const row = page.locator("tbody tr", { has: page.locator("td:first-child", { hasText: new RegExp(`^${hop}$`) }) });
  const cells = await row.locator("td").allInnerTexts();
  if (cells.length === 0) return null;
  const number = (text) => Number(text.replaceAll(",", ""));
  const [incoming, out, dropped, flight] = [cells[3], cells[5], cells[7], cells[9]].map(number);
  assert.equal(cells[4], "=", `${hop}: ${cells}`);
  assert.equal(incoming, out + dropped + flight, `${hop}: ${cells}`);
  return { in: incoming, out, dropped, in_flight: flight, reasons: cells[10] };
}

/** Runs a command line that the page shows, by the shell, with the binary under test as `tidegate`. */
export async function runLine(host, line) {
  const { stdout } = await promisify(execFile)("sh", ["-c", line], shell(host));
  return stdout;
}

/** As `runLine`, of one that goes on until the test ends: what it prints so far is `{ text }`. */
export function followLine(test, host, line) {
  const child = spawn("sh", ["-c", `exec ${line}`], { ...shell(host), stdio: ["ignore", "pipe", "ignore"] });
  test.after(() => child.kill());
  const printed = { text: "" };
  child.stdout.on("data", (data) => (printed.text += data));
  return printed;
}

function shell(host) {
  const bin = path.join(host.directory, "bin");
  mkdirSync(bin, { recursive: true });
  try {
    symlinkSync(process.env.TIDEGATE, path.join(bin, "tidegate"));
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  return { cwd: host.directory, env: { PATH: `${bin}:${process.env.PATH}` } };
}

/** The command line with these words among those of the view that is shown. */
export function commandLine(page, words) {
  return page.locator(".command code:visible", { hasText: words }).first().innerText();
}

/** A host that asks for a token, which is also in its directory as the file TOKEN_FILE. */
export async function guardedHost(test, options = {}) {
  const directory = mkdtempSync(path.join(tmpdir(), "tidegate-token-"));
  test.after(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, "token");
  writeFileSync(file, TOKEN, { mode: 0o600 });
  const config = `[admin]\ntoken_file = ${JSON.stringify(file)}\n${options.config ?? ""}`;
  const host = await Host.start(test, { ...options, config });
  cpSync(file, path.join(host.directory, "TOKEN_FILE"));
  return host;
}
