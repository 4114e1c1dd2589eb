"""A worker of the load-balancing pattern, which asks for work: req.py [ENDPOINT]"""

import sys

import zmq

ENDPOINT = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5571"
IDLE_SECONDS = 60


def score(body):
    return b"score of %s is %d" % (body, len(body))


def connect(context):
    socket = context.socket(zmq.REQ)
    socket.linger = 0
    socket.connect(ENDPOINT)
    socket.send(b"READY")
    return socket


def main():
    context = zmq.Context()
    socket = connect(context)
    while True:
        if socket.poll(1000 * IDLE_SECONDS):
            address, _empty, *_, body = socket.recv_multipart()
            socket.send_multipart([address, b"", score(body)])
        else:
            # A host that was started anew does not know this worker, and a REQ may not say READY twice.
            socket.close()
            socket = connect(context)


main()
