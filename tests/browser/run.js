// Runs the cases of this folder in Chromium and Node against a host of its own each.
//
// usage: node run.js TIDEGATE [CASE…]
// TIDEGATE is the binary; a CASE is the name of a file in cases/, all without one. Pictures and logs are left in
// $TIDEGATE_BROWSER_OUT, or out/ beside this file.

import { mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const [binary, ...wanted] = process.argv.slice(2);
if (!binary) {
  console.error("usage: node run.js TIDEGATE [CASE…]");
  process.exit(2);
}
const here = import.meta.dirname;
process.env.TIDEGATE = path.resolve(binary);
process.env.TIDEGATE_BROWSER_OUT = path.resolve(process.env.TIDEGATE_BROWSER_OUT ?? path.join(here, "out"));
mkdirSync(process.env.TIDEGATE_BROWSER_OUT, { recursive: true });

const all = readdirSync(path.join(here, "cases")).filter((name) => name.endsWith(".js"));
const unknown = wanted.filter((name) => !all.includes(`${name}.js`));
if (unknown.length > 0) {
  console.error(`there is no case ${unknown.join(", ")}; there are ${all.map((name) => path.parse(name).name).join(", ")}`);
  process.exit(2);
}
const files = all.filter((name) => wanted.length === 0 || wanted.includes(path.parse(name).name));
let passed = 0;
// One file after the other: each has a browser of its own, and what is measured in one must not starve the next.
run({ files: files.map((name) => path.join(here, "cases", name)), concurrency: 1, timeout: 600_000 })
  // A file without tests is told as one itself.
  .on("test:pass", ({ name }) => (passed += name.endsWith(".js") ? 0 : 1))
  .on("test:fail", () => (process.exitCode = 1))
  // A run that found nothing to check has shown nothing.
  .on("end", () => (process.exitCode = passed > 0 ? process.exitCode : 1))
  .compose(spec)
  .pipe(process.stdout);
