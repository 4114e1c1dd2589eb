"""The demo's broker in pyzmq, with workers that answer once and at once: a contender of `broker`."""

import sys
import threading

import zmq

context = zmq.Context()


def work():
    worker = context.socket(zmq.DEALER)
    worker.connect("inproc://backend")
    while True:
        identity, body = worker.recv_multipart()
        worker.send_multipart([identity, body])


frontend = context.socket(zmq.ROUTER)
frontend.bind("tcp://127.0.0.1:*")
backend = context.socket(zmq.DEALER)
backend.bind("inproc://backend")
for _ in range(int(sys.argv[1])):
    threading.Thread(target=work, daemon=True).start()
print("ready", frontend.get_string(zmq.LAST_ENDPOINT), flush=True)
zmq.proxy(frontend, backend)
