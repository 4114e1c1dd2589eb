"""The demo server with its faults fixed: one PUB socket for ever, a 400 for a missing parameter, no sleep.

$PUBLISH is where a subscriber listens: several processes cannot bind one endpoint, but all can connect to it. $PORT is
for Flask's own server; gunicorn has its own flags.
"""

import logging
import os
import threading

import zmq
from flask import Flask, Response, request

app = Flask(__name__)
publisher = zmq.Context().socket(zmq.PUB)
publisher.connect(os.environ["PUBLISH"])
# A socket belongs to one thread at a time.
publishing = threading.Lock()


@app.get("/downcase/")
def downcase():
    text = request.args.get("param", request.args.get("Param"))
    if text is None:
        return Response("the parameter param is missing\n", status=400, mimetype="text/plain")
    answer = f"lower case of {text} is {text.lower()}"
    with publishing:
        publisher.send(answer.encode())
    return Response(answer, mimetype="text/plain")


if __name__ == "__main__":
    # A line per request would be a third of its work.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app.run("127.0.0.1", int(os.environ["PORT"]), threaded=True)
