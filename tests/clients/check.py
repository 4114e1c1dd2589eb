"""Checks a running host with clients of another make: pyzmq over that library's own libzmq.

usage: check.py TIDEGATE PLUGINS
TIDEGATE is the binary, PLUGINS the directory with the components. Starts hosts of its own on free ports, prints one
line per check, and closes with `N passed, N failed`.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request
from collections import Counter
from pathlib import Path

import zmq

PATIENCE_MS = 20_000
BINARY, PLUGINS = (str(Path(argument).resolve()) for argument in sys.argv[1:3])


class Host:
    """A host on free ports, from ready to an orderly end."""

    def __init__(self, *plugins):
        flags = [f"--plugin={PLUGINS}/{name}.wasm" for name in plugins]
        places = ["--http=127.0.0.1:0", "--admin=none", "--publish=tcp://127.0.0.1:*", "--frontend=tcp://127.0.0.1:*"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [BINARY, *flags, *places], stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment
        )
        self.places = {}
        for line in self.process.stdout:
            if line == "ready\n":
                return
            name, place = line.split()
            self.places[name] = place
        raise RuntimeError(f"the host did not get ready: {self.stderr()}")

    def stderr(self):
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        code = self.process.wait(timeout=30)
        if kind is None:
            assert code == 0, f"exit code {code}: {self.stderr()}"

    def get(self, path):
        with urllib.request.urlopen(self.places["http"] + path, timeout=20) as answer:
            return answer.read()

    def socket(self, kind, identity=None):
        socket = zmq.Context.instance().socket(kind)
        socket.linger = 0
        socket.rcvtimeo = PATIENCE_MS
        if identity is not None:
            socket.identity = identity
        socket.connect(self.places["publish" if kind == zmq.SUB else "frontend"])
        return socket


def subscriber_that_logs():
    """SUB: what HTTP was answered arrives as one frame each, in order, and goes to a file."""
    with Host("downcase") as host, tempfile.TemporaryDirectory() as directory:
        socket = host.socket(zmq.SUB)
        socket.subscribe(b"")
        socket.rcvtimeo = 50
        while True:  # until the subscription has arrived
            host.get("/downcase/?param=probe")
            try:
                socket.recv()
                break
            except zmq.Again:
                pass
        socket.rcvtimeo = PATIENCE_MS
        host.get("/downcase/?param=last")
        while not socket.recv().endswith(b"last"):
            pass
        texts = [f"MiXeD {number}" for number in range(100)]
        log = Path(directory) / "subscriber.log"
        with log.open("a") as lines:
            for text in texts:
                answer = host.get("/downcase/?param=" + text.replace(" ", "+"))
                frames = socket.recv_multipart()
                assert frames == [answer], (frames, answer)
                lines.write(f"{time.strftime('%Y-%m-%d %H:%M')} {frames[0].decode()}\n")
        logged = [line.split(" ", 2)[2] for line in log.read_text().splitlines()]
        assert logged == [f"lower case of {text} is {text.lower()}" for text in texts], logged[:3]


def demo_dealers():
    """Three DEALERs as in the demo: each sends, then polls five times, and gets 0 to 4 copies of what it sent."""
    with Host("random-replies") as host:
        failures = []

        def client(index):
            socket = host.socket(zmq.DEALER, f"worker-{index}".encode())
            poll = zmq.Poller()
            poll.register(socket, zmq.POLLIN)
            received = Counter()
            for number in range(1, 4):
                socket.send_string(f"request #{number}")
                for _ in range(5):
                    if dict(poll.poll(1000)).get(socket):
                        received[socket.recv_string()] += 1
            while socket.poll(4000):
                received[socket.recv_string()] += 1
            expected = {f"request #{number}" for number in range(1, 4)}
            if not set(received) <= expected or any(count > 4 for count in received.values()):
                failures.append((index, received))

        run_together(client, 3)
        assert not failures, failures


def req_client():
    """REQ: the empty delimiter comes back where it belongs, an empty body included."""
    with Host("echo") as host:
        socket = host.socket(zmq.REQ)
        for body in (b"hello", b"", b"\xff\x00"):
            socket.send(body)
            assert socket.recv() == body
        socket.send_multipart([b"", b"two"])
        assert socket.recv_multipart() == [b"", b"two"]


def identity_of_255_bytes():
    """DEALER with the longest identity, of arbitrary bytes."""
    with Host("echo") as host:
        socket = host.socket(zmq.DEALER, bytes(range(1, 256)))
        socket.send(b"who am I")
        assert socket.recv() == b"who am I"


def five_frames():
    """Multipart bodies stay multipart."""
    with Host("echo") as host:
        socket = host.socket(zmq.DEALER)
        for frames in ([b"1", b"", b"3", b"\x00", b"5" * 100_000], [b"", b"2", b"3", b"4", b"5"]):
            socket.send_multipart(frames)
            assert socket.recv_multipart() == frames


def empty_messages():
    """A lone empty frame is a body."""
    with Host("echo") as host:
        socket = host.socket(zmq.DEALER)
        for _ in range(3):
            socket.send(b"")
            assert socket.recv_multipart() == [b""]


def hundred_dealers():
    """100 concurrent DEALERs get all of their own replies, and nobody else's."""
    with Host("echo") as host:
        failures = []

        def client(index):
            socket = host.socket(zmq.DEALER)
            for number in range(50):
                socket.send_multipart([b"client %d" % index, b"%d" % number])
            # Several workers: only the replies to one request have an order.
            received = sorted(tuple(socket.recv_multipart()) for _ in range(50))
            if received != sorted((b"client %d" % index, b"%d" % number) for number in range(50)):
                failures.append(received)

        run_together(client, 100)
        assert not failures, failures[:3]


def http_errors_are_problems():
    """What urllib gets for a bad request is RFC 9457."""
    with Host("downcase") as host:
        try:
            host.get("/downcase/")
        except urllib.error.HTTPError as error:
            assert error.code == 400 and error.headers["content-type"] == "application/problem+json"
            assert json.load(error)["status"] == 400
        else:
            raise AssertionError("a missing parameter was accepted")


def run_together(client, count):
    """Runs client(0) … client(count - 1) at the same time, and passes on the first exception."""
    errors = []

    def run(index):
        try:
            client(index)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


CHECKS = [
    subscriber_that_logs,
    demo_dealers,
    req_client,
    identity_of_255_bytes,
    five_frames,
    empty_messages,
    hundred_dealers,
    http_errors_are_problems,
]


def main():
    print(f"pyzmq {zmq.__version__} with libzmq {zmq.zmq_version()}")
    failed = 0
    for check in CHECKS:
        try:
            check()
            print(f"ok      {check.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {check.__name__}\n{traceback.format_exc()}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
