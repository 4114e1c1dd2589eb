// What stands between a browser and a host, and may break what goes through it.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Passes connections on to `target`, the URL of a host; ends with the test. */
export async function proxy(test, target) {
  const open = new Set();
  const passed = new Set();
  const waiting = [];
  let isHeld = false;
  const pass = (client) => {
    const { hostname, port } = new URL(target);
    const server = connect(Number(port), hostname);
    open.add(client);
    passed.add([server, client]);
    const end = () => {
      client.destroy();
      server.destroy();
      open.delete(client);
    };
    for (const side of [client, server]) side.on("error", end).on("close", end);
    client.pipe(server).pipe(client);
  };
  const listener = createServer((client) => {
    if (!isHeld) return pass(client);
    client.on("error", () => client.destroy());
    waiting.push(client);
  });
  const cut = () => open.forEach((client) => client.destroy());
  test.after(() => {
    cut();
    waiting.forEach((client) => client.destroy());
    listener.close();
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    url: `http://127.0.0.1:${listener.address().port}`,
    /** Breaks off whatever is open. */
    cut,
    /** Keeps to itself what the host sends to those who are connected, until `flow`. */
    stall: () => passed.forEach(([server]) => server.unpipe().pause()),
    flow: () => passed.forEach(([server, client]) => server.pipe(client)),
    /** Breaks off whatever is open, and keeps waiting who comes after that. */
    hold() {
      isHeld = true;
      cut();
    },
    /** Passes on who waits, and who comes after that, to another target if there is one. */
    release(other = target) {
      [isHeld, target] = [false, other];
      waiting.splice(0).forEach(pass);
    },
  };
}
