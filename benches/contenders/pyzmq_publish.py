"""A publisher in pyzmq that sends a number of messages as fast as it can: a contender of `publish`."""

import sys

import zmq

# XPUB is PUB that tells of its subscribers; with a full queue the sender waits.
socket = zmq.Context().socket(zmq.XPUB)
socket.sndhwm = 100_000
socket.setsockopt(zmq.XPUB_NODROP, 1)
socket.bind("tcp://127.0.0.1:*")
print("ready", socket.get_string(zmq.LAST_ENDPOINT), flush=True)
socket.recv()
print("begin", flush=True)
message = b"." * 64
for _ in range(int(sys.argv[1])):
    socket.send(message)
sys.stdin.read()
