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
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

PATIENCE_MS = 20_000
BINARY, PLUGINS = (str(Path(argument).resolve()) for argument in sys.argv[1:3])


class Host:
    """A host on free ports, from ready to an orderly end."""

    def __init__(self, *plugins, more=()):
        flags = [f"--plugin={PLUGINS}/{name}.wasm" for name in plugins]
        places = ["--http=127.0.0.1:0", "--admin=none", "--publish=tcp://127.0.0.1:*", "--frontend=tcp://127.0.0.1:*"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [BINARY, *flags, *places, *more], stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment
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

    def socket(self, kind, identity=None, curve=None):
        """`curve` is (server's public key, own public key, own secret key)."""
        socket = zmq.Context.instance().socket(kind)
        socket.linger = 0
        socket.rcvtimeo = PATIENCE_MS
        if curve is not None:
            socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = curve
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
    """An empty body stands behind a delimiter; a lone empty frame is no request, and not answered."""
    with Host("echo") as host:
        socket = host.socket(zmq.DEALER)
        for _ in range(3):
            socket.send(b"")
            socket.send_multipart([b"", b""])
            assert socket.recv_multipart() == [b"", b""]


def hundred_dealers():
    """100 concurrent DEALERs get all of their own replies, and nobody else's."""
    with Host("echo") as host:
        failures = []

        def client(index):
            socket = host.socket(zmq.DEALER)
            for number in range(50):
                socket.send_multipart([b"client %d" % index, b"%d" % number])
            # With several workers, only the replies to the same request are ordered.
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


def curve_clients():
    """pyzmq's own certificates: a client whose .key file is on the list is let in by PUB and frontend, another is not."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        authorized = folder / "authorized"
        authorized.mkdir()
        subprocess.run([BINARY, "keygen", folder / "host"], check=True, stdout=subprocess.DEVNULL)
        server = (folder / "host" / "public.key").read_bytes().strip()
        keys = {name: zmq.auth.load_certificate(zmq.auth.create_certificates(folder, name)[1]) for name in "ab"}
        (folder / "a.key").rename(authorized / "a.key")
        flags = [f"--curve-secret-key={folder}/host/secret.key", f"--curve-authorized-keys={authorized}"]
        with Host("echo", "downcase", more=flags) as host:
            stranger = host.socket(zmq.DEALER, curve=(server, *keys["b"]))
            stranger.send(b"let me in")
            friend = host.socket(zmq.DEALER, curve=(server, *keys["a"]))
            friend.send(b"hello")
            assert friend.recv() == b"hello"
            assert not stranger.poll(700)
            subscriber = host.socket(zmq.SUB, curve=(server, *keys["a"]))
            subscriber.subscribe(b"")
            deadline = time.monotonic() + PATIENCE_MS / 1000
            while not subscriber.poll(50):
                assert time.monotonic() < deadline
                host.get("/downcase/?param=Probe")
            assert subscriber.recv() == b"lower case of Probe is probe"
            assert keys["b"][0].decode() in host.stderr()
            # Once its key is authorized, the client is let in when it connects again.
            (folder / "b.key").rename(authorized / "b.key")
            while "b.key" not in host.stderr().rpartition("added=")[2]:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            newcomer = host.socket(zmq.DEALER, curve=(server, *keys["b"]))
            newcomer.send(b"hello again")
            assert newcomer.recv() == b"hello again"


def curve_servers():
    """`subscribe` and `request` against PUB and ROUTER of pyzmq behind its zmq.auth, with its certificate files."""
    with tempfile.TemporaryDirectory() as directory, zmq.Context() as context:
        folder = Path(directory)
        server_file, server_secret_file = zmq.auth.create_certificates(folder, "server")
        client_secret_file = zmq.auth.create_certificates(folder, "client")[1]
        authenticator = ThreadAuthenticator(context)
        authenticator.start()
        authenticator.configure_curve(domain="*", location=str(folder))
        places = {}
        sockets = {}
        for kind in (zmq.XPUB, zmq.ROUTER):
            socket = sockets[kind] = context.socket(kind)
            socket.linger, socket.rcvtimeo = 0, PATIENCE_MS
            socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(server_secret_file)
            socket.curve_server = True
            places[kind] = "tcp://127.0.0.1:%d" % socket.bind_to_random_port("tcp://127.0.0.1")
        keys = ["--server-key", server_file, "--key", client_secret_file]
        try:
            command = [BINARY, "subscribe", "--connect", places[zmq.XPUB], "--log", folder / "s.log", *keys]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as subscribe:
                assert sockets[zmq.XPUB].recv() == b"\x01"
                sockets[zmq.XPUB].send(b"from pyzmq")
                assert subscribe.stdout.readline().endswith(" from pyzmq\n")
                subscribe.terminate()
                assert "received=1 logged=1 lost=0" in subscribe.stderr.read()
            command = [BINARY, "request", "--connect", places[zmq.ROUTER], "--clients=1", "--requests=1", *keys]
            with subprocess.Popen([*command, "--timeout=1s"], stdout=subprocess.PIPE, text=True) as request:
                identity, body = sockets[zmq.ROUTER].recv_multipart()
                assert (identity, body) == (b"worker-0", b"request #1"), (identity, body)
                sockets[zmq.ROUTER].send_multipart([identity, b"answer"])
                assert "Client worker-0 received: answer" in request.stdout.read()
        finally:
            for socket in sockets.values():
                socket.close()
            authenticator.stop()


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
    curve_clients,
    curve_servers,
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
