"""A worker that takes some time for each message, so that it has one when it is killed: busy_worker.py ENDPOINT"""

import sys
import time

import zmq

from protocol import FINAL, HEARTBEAT, MDP2, READY, REQUEST

socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])
socket.send_multipart([MDP2, READY, b"score"])
while True:
    if not socket.poll(1000):
        socket.send_multipart([MDP2, HEARTBEAT])
        continue
    _, command, *rest = socket.recv_multipart()
    if command == REQUEST:
        token, empty, body = rest
        time.sleep(0.01)
        socket.send_multipart([MDP2, FINAL, token, empty, body])
