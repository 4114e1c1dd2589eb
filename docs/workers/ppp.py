"""A worker that speaks Paranoid Pirate (RFC 6): ppp.py [ENDPOINT]"""

import sys
import time

import zmq

ENDPOINT = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5571"
HEARTBEAT_SECONDS, LIVENESS = 1.0, 3  # heartbeat_ms of the pool; so many in a row that do not come, and the host is gone
READY, HEARTBEAT = b"\x01", b"\x02"


def score(body):
    return b"score of %s is %d" % (body, len(body))


def connect(context):
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(ENDPOINT)
    socket.send(READY)
    return socket


def main():
    context = zmq.Context()
    socket = connect(context)
    heard = sent = time.monotonic()
    while True:
        if socket.poll(max(0, 1000 * (sent + HEARTBEAT_SECONDS - time.monotonic()))):
            frames = socket.recv_multipart()
            heard = time.monotonic()
            if len(frames) > 2:
                address, _empty, *_, body = frames
                socket.send_multipart([address, b"", score(body)])
                sent = time.monotonic()
        if time.monotonic() - heard > LIVENESS * HEARTBEAT_SECONDS:
            socket.close()
            socket = connect(context)
            heard = sent = time.monotonic()
        if time.monotonic() - sent >= HEARTBEAT_SECONDS:
            socket.send(HEARTBEAT)
            sent = time.monotonic()


main()
