// A PUSH socket of ZeroMQ, as much of it as a test takes: ZMTP 3.0 without security, to one endpoint.

import { once } from "node:events";
import { connect } from "node:net";

/** Connects to `endpoint`, and is ready to send; ends with the test. */
export async function push(test, endpoint) {
  const { hostname, port } = new URL(endpoint);
  const socket = connect(Number(port), hostname);
  test.after(() => socket.destroy());
  // The host may end before it.
  socket.on("error", () => socket.destroy());
  const greeting = Buffer.alloc(64);
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]);
  greeting.write("NULL", 12);
  socket.write(greeting);
  const type = property("Socket-Type", "PUSH");
  const ready = Buffer.concat([Buffer.from("\x05READY"), type]);
  socket.write(Buffer.concat([Buffer.from([4, ready.length]), ready]));
  // Its greeting and its READY: from then on it takes messages.
  let received = 0;
  while (received < greeting.length + 2) received += (await once(socket, "data"))[0].length;
  return {
    /** Sends one message of these frames, texts or buffers. */
    send(...frames) {
      frames.forEach((frame, index) => {
        const body = Buffer.from(frame);
        const head = Buffer.from([index < frames.length - 1 ? 3 : 2, 0, 0, 0, 0, 0, 0, 0, 0]);
        head.writeBigUInt64BE(BigInt(body.length), 1);
        socket.write(Buffer.concat([head, body]));
      });
    },
  };
}

function property(name, value) {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(value.length);
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), length, Buffer.from(value)]);
}
