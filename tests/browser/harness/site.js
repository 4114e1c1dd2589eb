// A web site of another origin than the host's: its pages, and npm packages as one script each.

import { build } from "esbuild";
import { once } from "node:events";
import { createServer } from "node:http";
import { builtinModules } from "node:module";

/**
 * Serves `files`, texts by their paths, on a free port until the test ends; returns the origin.
 *
 * `/` is an empty page unless there is one, on which a test runs scripts by `page.evaluate`.
 */
export async function site(test, files = {}) {
  const types = { html: "text/html", js: "text/javascript", json: "application/json" };
  const pages = { "/": "<!doctype html><title>another origin</title>", ...files };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://site");
    const text = pages[pathname];
    const type = types[pathname === "/" ? "html" : pathname.split(".").pop()] ?? "text/plain";
    response.writeHead(text === undefined ? 404 : 200, { "content-type": `${type}; charset=utf-8` });
    response.end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A package of npm, such as `jszmq`, as a script that sets a global of the given name in a browser. */
export async function bundle(packageName, globalName) {
  const { outputFiles } = await build({
    stdin: { contents: `module.exports = require(${JSON.stringify(packageName)})`, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: "iife",
    globalName,
    platform: "browser",
    // What a package has for servers alone is empty in a browser.
    plugins: [{ name: "built-ins", setup: emptyBuiltIns }],
    define: { global: "globalThis", "process.env": "{}" },
    logLevel: "error",
  });
  return outputFiles[0].text;
}

function emptyBuiltIns(build) {
  const names = new RegExp(
    `^(${builtinModules.filter((name) => !["assert", "buffer", "events"].includes(name)).join("|")})$`,
  );
  build.onResolve({ filter: names }, ({ path }) => ({ path, namespace: "empty" }));
  build.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "module.exports = {}" }));
}
