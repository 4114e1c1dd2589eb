"""A stage of a stream in pyzmq, with the work of `downcase`: a contender of `stream`.

usage: pyzmq_relay.py sub|pull FROM TO
It connects to both places, but binds one that is ipc, where the stage after it connects.
"""

import sys

import zmq

pattern, source, sink = sys.argv[1:]
context = zmq.Context()
incoming = context.socket(zmq.SUB if pattern == "sub" else zmq.PULL)
incoming.connect(source)
# XPUB is PUB that can wait where a queue is full, as all contenders do.
outgoing = context.socket(zmq.XPUB if pattern == "sub" else zmq.PUSH)
if pattern == "sub":
    incoming.subscribe(b"")
    outgoing.setsockopt(zmq.XPUB_NODROP, 1)
(outgoing.bind if sink.startswith("ipc:") else outgoing.connect)(sink)
print("ready", flush=True)
while True:
    *topic, body = incoming.recv_multipart()
    text = body.decode()
    outgoing.send_multipart([*topic, f"lower case of {text} is {text.lower()}".encode()])
