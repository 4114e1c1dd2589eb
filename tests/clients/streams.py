"""Checks flows of messages between ZeroMQ sockets, with pyzmq over that library's own libzmq on both ends.

usage: streams.py TIDEGATE PLUGINS [MESSAGES]
TIDEGATE is the binary, PLUGINS the directory with the components. For every pair of a socket that reads and one that
writes, without CURVE, with the host as its server and with the host as its client, MESSAGES numbered messages (100,000)
of one to five frames go through a plugin: all have to arrive, in order, none twice, and the ledger has to say the same.
"""

import itertools
import json
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

import zmq
import zmq.auth

PATIENCE_MS = 60_000
BINARY, PLUGINS = (str(Path(argument).resolve()) for argument in sys.argv[1:3])
MESSAGES = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
# What the host's socket is, and what a peer of it is: an XPUB gets to know when it is subscribed to.
READING = {"sub": zmq.XPUB, "pull": zmq.PUSH, "pair": zmq.PAIR}
WRITING = {"pub": zmq.SUB, "push": zmq.PULL, "pair": zmq.PAIR}
CURVE = ("none", "server", "client")


class Keys:
    """A pair of keys of the host, one of the peers, and the list of those that the host lets in."""

    def __init__(self, directory):
        self.host_public, self.host_secret = zmq.curve_keypair()
        self.peer_public, self.peer_secret = zmq.curve_keypair()
        (directory / "host.key").write_bytes(self.host_secret)
        (directory / "host.key").chmod(0o600)
        (directory / "peer.pub").write_bytes(self.peer_public)
        (directory / "peers").mkdir()
        (directory / "peers" / "peer.pub").write_bytes(self.peer_public)


class Run:
    """A host with one flow from `in` through a plugin to `out`, and its two peers."""

    def __init__(self, reads, writes, curve, directory):
        self.context = zmq.Context()
        keys = Keys(directory) if curve != "none" else None
        self.sender = self.peer(READING[reads], curve, keys)
        self.receiver = self.peer(WRITING[writes], curve, keys)
        lines = ["[http]", "address = 'none'", "[messaging]", "publish = 'none'", "frontend = 'none'"]
        lines += ["[admin]", "address = '127.0.0.1:0'", "[cache]", "directory = 'none'"]
        if keys is not None:
            lines += ["[curve]", "secret_key_file = 'host.key'", "authorized_keys_dir = 'peers'"]
        for name, kind, peer in [("in", reads, self.sender), ("out", writes, self.receiver)]:
            lines += [f"[sockets.{name}]", f"type = '{kind}'", f"queue_messages_max = {2 * MESSAGES}"]
            if curve == "client":
                endpoint = f"tcp://127.0.0.1:{peer.bind_to_random_port('tcp://127.0.0.1')}"
                lines += [f"connect = ['{endpoint}']", "server_key = 'peer.pub'"]
            else:
                lines += ["bind = ['tcp://127.0.0.1:*']", f"curve = {'true' if curve == 'server' else 'false'}"]
            if kind == "pub":
                lines += ["on_full = 'block'"]
        lines += ["[flows.relay]", "from = ['in']", "through = ['downcase']", "to = ['out']"]
        (directory / "tidegate.toml").write_text("\n".join(lines) + "\n")
        self.log = (directory / "log").open("w+")
        command = [BINARY, "--config=tidegate.toml", f"--plugin={PLUGINS}/downcase.wasm"]
        self.process = subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.places = {}
        for line in self.process.stdout:
            if line == "ready\n":
                break
            name, place = line.split(maxsplit=1)
            self.places[name] = place.strip()
        else:
            raise RuntimeError(f"the host did not get ready: {self.stderr()}")
        if curve != "client":
            self.sender.connect(self.places["in"])
            self.receiver.connect(self.places["out"])

    def peer(self, kind, curve, keys):
        socket = self.context.socket(kind)
        socket.linger, socket.rcvtimeo, socket.sndtimeo = 0, PATIENCE_MS, PATIENCE_MS
        socket.sndhwm = socket.rcvhwm = 0 if kind in (zmq.XPUB, zmq.SUB) else 1_000
        if kind == zmq.SUB:
            socket.subscribe(b"")
        if curve != "none":
            socket.curve_publickey, socket.curve_secretkey = keys.peer_public, keys.peer_secret
            if curve == "server":
                socket.curve_serverkey = keys.host_public
            else:
                socket.curve_server = True
        return socket

    def stderr(self):
        self.log.seek(0)
        return self.log.read()

    def ledger(self):
        with urllib.request.urlopen(self.places["admin"] + "/ledger", timeout=20) as answer:
            return json.load(answer)["hops"]

    def begin(self):
        """Waits until the first message comes through: then both ends are connected, and subscribed to."""
        if self.sender.socket_type == zmq.XPUB:
            assert self.sender.recv() == b"\x01"
        poll_ms = 20 if self.receiver.socket_type == zmq.SUB else PATIENCE_MS
        for number in itertools.count():
            self.sender.send_multipart([b"begin", b"%d" % number])
            if self.receiver.poll(poll_ms):
                break
        while self.receiver.recv_multipart() != answer([b"begin", b"%d" % number]):
            pass
        return number + 1

    def end(self):
        self.process.terminate()
        code = self.process.wait(timeout=60)
        assert code == 0, f"exit code {code}: {self.stderr()}"
        self.context.destroy(linger=0)


def answer(sent):
    """What the plugin makes of a message: its last frame is another one."""
    return [*sent[:-1], b"lower case of %s is %s" % (sent[-1], sent[-1].lower())]


def frames(number):
    return [b"%d" % number] + [b"%d of %d" % (frame, number) for frame in range(number % 5)]


def check(reads, writes, curve):
    with tempfile.TemporaryDirectory() as name:
        run = Run(reads, writes, curve, Path(name))
        try:
            begun = run.begin()

            def send():
                for number in range(MESSAGES):
                    run.sender.send_multipart(frames(number))

            sending = threading.Thread(target=send)
            sending.start()
            for number in range(MESSAGES):
                got = run.receiver.recv_multipart()
                assert got == answer(frames(number)), f"{got} in place of that of {number}: {run.ledger()}"
            sending.join()
            assert not run.receiver.poll(50), "there is one too many"
            ledger = run.ledger()
            flow = ledger["flows.relay"]
            assert flow["in"] == flow["out"] == MESSAGES + begun and flow["in_flight"] == 0, ledger
        finally:
            run.end()


def main():
    failed = 0
    for reads, writes, curve in itertools.product(READING, WRITING, CURVE):
        what = f"{reads} to {writes}, " + (f"the host is CURVE's {curve}" if curve != "none" else "without CURVE")
        try:
            check(reads, writes, curve)
            print(f"ok      {what}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED  {what}: {type(error).__name__}: {error}", flush=True)
    print(f"{len(READING) * len(WRITING) * len(CURVE) - failed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
