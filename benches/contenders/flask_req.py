"""An HTTP front of REP workers in Flask and pyzmq: a contender of `workers`.

$PORT is where Flask's own server listens, and $WORKERS where REP workers connect.
"""

import logging
import os
import threading

import zmq
from flask import Flask, Response, request

app = Flask(__name__)
context = zmq.Context()
# Requests of all threads go to the workers in turn.
frontend, backend = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
frontend.bind("inproc://requests")
backend.bind(os.environ["WORKERS"])
threading.Thread(target=zmq.proxy, args=(frontend, backend), daemon=True).start()


@app.get("/score/")
def score():
    # Flask's own server has a thread for each connection, and a socket belongs to one thread.
    with context.socket(zmq.REQ) as socket:
        socket.connect("inproc://requests")
        socket.send(request.args["param"].encode())
        return Response(socket.recv(), mimetype="text/plain")


if __name__ == "__main__":
    # A line per request would be a third of its work.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app.run("127.0.0.1", int(os.environ["PORT"]), threaded=True)
