"""A worker that speaks Majordomo 0.2 (RFC 18): mdp.py [ENDPOINT [SERVICE]]"""

import signal
import sys
import time

import zmq

ENDPOINT = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5571"
SERVICE = sys.argv[2] if len(sys.argv) > 2 else "score"
HEARTBEAT_SECONDS, LIVENESS = 1.0, 3  # heartbeat_ms of the pool; so many in a row that do not come, and the host is gone

HEADER = b"MDPW02"
READY, REQUEST, PARTIAL, FINAL, HEARTBEAT, DISCONNECT = (bytes([number]) for number in range(1, 7))


def score(body):
    return b"score of %s is %d" % (body, len(body))


def connect(context):
    """A new socket for each conversation: its identity is new, and nothing of the last one is in its queue."""
    socket = context.socket(zmq.DEALER)
    socket.linger = 1000
    socket.connect(ENDPOINT)
    socket.send_multipart([HEADER, READY, SERVICE.encode()])
    return socket


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    context = zmq.Context()
    socket = connect(context)
    heard = sent = time.monotonic()
    try:
        while True:
            is_told_to_go = False
            if socket.poll(max(0, 1000 * (sent + HEARTBEAT_SECONDS - time.monotonic()))):
                header, command, *rest = socket.recv_multipart()
                heard = time.monotonic()
                is_told_to_go = command == DISCONNECT
                if command == REQUEST:
                    address, _empty, *_, body = rest
                    socket.send_multipart([HEADER, FINAL, address, b"", score(body)])
                    sent = time.monotonic()
            if is_told_to_go or time.monotonic() - heard > LIVENESS * HEARTBEAT_SECONDS:
                socket.close(linger=0)
                time.sleep(HEARTBEAT_SECONDS)
                socket = connect(context)
                heard = sent = time.monotonic()
            if time.monotonic() - sent >= HEARTBEAT_SECONDS:
                socket.send_multipart([HEADER, HEARTBEAT])
                sent = time.monotonic()
    finally:
        # What this worker has in hand goes to another one at once.
        if not socket.closed:
            socket.send_multipart([HEADER, DISCONNECT])
        socket.close()
        context.term()


main()
