"""The demo's subscriber in pyzmq, with the time to the millisecond and one open log: a contender of `publish`."""

import sys
from datetime import datetime, timezone

import zmq

endpoint, log = sys.argv[1:]
socket = zmq.Context().socket(zmq.SUB)
socket.rcvhwm = 1_000_000
socket.subscribe(b"")
socket.connect(endpoint)
with open(log, "a") as lines:
    while True:
        if not socket.poll(0):
            lines.flush()
        message = socket.recv_string()
        time = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines.write(f"{time} {message}\n")
