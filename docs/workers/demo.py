"""The demo's ServerWorker as a program: demo.py [ENDPOINT [SERVICE [WORKERS]]]

Each worker answers none to four times, each time after a part of a second. A pool has to know when a worker is done with a
request, so it speaks Majordomo 0.2: each reply is a PARTIAL, and an empty FINAL says that there are no more.
"""

import random
import sys
import threading
import time

import zmq

ENDPOINT = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5571"
SERVICE = sys.argv[2] if len(sys.argv) > 2 else "score"
WORKERS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
HEARTBEAT_MS = 1000

HEADER = b"MDPW02"
READY, REQUEST, PARTIAL, FINAL, HEARTBEAT, DISCONNECT = (bytes([number]) for number in range(1, 7))


class ServerWorker(threading.Thread):
    def __init__(self, context):
        super().__init__(daemon=True)
        self.context = context

    def connect(self):
        worker = self.context.socket(zmq.DEALER)
        worker.connect(ENDPOINT)
        worker.send_multipart([HEADER, READY, SERVICE.encode()])
        return worker

    def run(self):
        worker = self.connect()
        while True:
            if not worker.poll(HEARTBEAT_MS):
                worker.send_multipart([HEADER, HEARTBEAT])
                continue
            _header, command, *rest = worker.recv_multipart()
            if command == REQUEST:
                client, _empty, *body = rest
                for _ in range(random.randint(0, 4)):
                    time.sleep(1 / random.randint(1, 10))
                    worker.send_multipart([HEADER, PARTIAL, client, b"", *body])
                worker.send_multipart([HEADER, FINAL, client, b""])
            elif command == DISCONNECT:
                worker.close(linger=0)
                time.sleep(HEARTBEAT_MS / 1000)
                worker = self.connect()


def main():
    context = zmq.Context()
    workers = [ServerWorker(context) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


main()
