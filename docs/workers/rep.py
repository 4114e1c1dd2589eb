"""A worker for a pool with protocol = "rep": rep.py [ENDPOINT]"""

import sys

import zmq

ENDPOINT = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5571"


def score(body):
    return b"score of %s is %d" % (body, len(body))


socket = zmq.Context().socket(zmq.REP)
socket.connect(ENDPOINT)
while True:
    *_, body = socket.recv_multipart()
    socket.send(score(body))
