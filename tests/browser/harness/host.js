// A host on free ports, in a directory of its own, from ready to an orderly end.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { until } from "./until.js";

const repository = path.resolve(import.meta.dirname, "../../..");

export class Host {
  #process;
  #ended;
  #stderr = "";
  /** The printed lines by their first word: `http`, `admin`, `publish`, `frontend` and those of sockets. */
  places = {};

  /**
   * Starts a host and waits until it is ready; it ends with the test.
   *
   * `plugins` are names of components in plugins/ or tests/fixtures/, copied so that a test may replace them, or pairs of
   * the name to serve under and that of the component. `config` is the text of a configuration file; `flags` take the place
   * of those that choose free ports.
   */
  static async start(test, { plugins = ["downcase"], config = "", flags = [] } = {}) {
    const host = new Host();
    host.directory = mkdtempSync(path.join(tmpdir(), "tidegate-browser-"));
    test.after(() => host.#clean());
    for (const plugin of plugins) {
      const [name, component] = Array.isArray(plugin) ? plugin : [plugin, plugin];
      cpSync(host.component(component), host.plugin(name));
    }
    writeFileSync(path.join(host.directory, "tidegate.toml"), config);
    const names = plugins.map((plugin) => (Array.isArray(plugin) ? plugin[0] : plugin));
    const places = ["--http=127.0.0.1:0", "--admin=127.0.0.1:0", "--publish=tcp://127.0.0.1:*", "--frontend=none"];
    const isSaid = (place) => flags.some((flag) => flag.startsWith(place.split("=")[0]));
    const all = [...names.map((name) => `--plugin=${name}.wasm`), ...places.filter((place) => !isSaid(place)), ...flags];
    await host.#run(["--config=tidegate.toml", ...all]);
    return host;
  }

  /** The file of a component of the repository. */
  component(name) {
    const folder = ["downcase", "upcase", "random-replies", "echo"].includes(name) ? "plugins" : "tests/fixtures";
    return path.join(repository, folder, `${name}.wasm`);
  }

  /** The file that a plugin is loaded from. */
  plugin(name) {
    return path.join(this.directory, `${name}.wasm`);
  }

  /** What the host logged so far. */
  get log() {
    return this.#stderr;
  }

  async get(path, options) {
    return fetch(new URL(path, this.places.http), options);
  }

  async admin(path, options) {
    return fetch(new URL(path, this.places.admin), options);
  }

  /** The ledger of this moment. */
  async ledger() {
    return (await this.admin("/ledger")).json();
  }

  /** A client of the host's own, such as `subscribe`: what it prints, line by line, is put into `lines`. */
  client(test, ...flags) {
    const child = spawn(process.env.TIDEGATE, flags, { cwd: this.directory, stdio: ["ignore", "pipe", "ignore"] });
    const lines = [];
    createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
    test.after(() => child.kill());
    return { child, lines };
  }

  /** Sends the host's process a signal that it goes on after. */
  signal(name) {
    this.#process.kill(name);
  }

  /** Ends the host in order. */
  async stop(signal = "SIGTERM") {
    this.#process.kill(signal);
    const code = await this.#ended;
    if (signal !== "SIGKILL") assert.equal(code, 0, `the exit code of the host:\n${this.#stderr}`);
  }

  async #run(flags) {
    const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("TIDEGATE"));
    const options = { cwd: this.directory, env: Object.fromEntries(environment) };
    const child = spawn(process.env.TIDEGATE, flags, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    this.#ended = new Promise((resolve) => child.once("close", resolve));
    child.stderr.on("data", (data) => (this.#stderr += data));
    let isReady = false;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [name, place] = line.split(" ");
      isReady ||= line === "ready";
      if (place) this.places[name] ??= place;
    });
    await until("the host to be ready", () => {
      assert.equal(child.exitCode, null, `the host ended:\n${this.#stderr}`);
      return isReady;
    });
  }

  async #clean() {
    // It may have been stopped by a signal.
    this.#process?.kill("SIGCONT");
    if (this.#process?.exitCode === null && this.#process.signalCode === null) await this.stop();
    rmSync(this.directory, { recursive: true });
  }
}
