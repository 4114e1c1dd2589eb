"""A host with a pool of workers, whoever asks it, and the workers beside it."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import zmq

PATIENCE_SECONDS = 30
BINARY, PLUGINS, DOCS = (Path(argument).resolve() for argument in sys.argv[1:4])
CONTEXT = zmq.Context()


def wait_until(is_so, what, seconds=PATIENCE_SECONDS):
    """Waits for a condition, and returns what it is once it holds."""
    deadline = time.monotonic() + seconds
    while not (value := is_so()):
        if time.monotonic() >= deadline:
            told = what() if callable(what) else f"not {what}"
            raise AssertionError(f"{told} after {seconds} s")
        time.sleep(0.01)
    return value


def toml(keys):
    return [f"{key} = {json.dumps(value)}" for key, value in keys.items()]


class Keys:
    """A pair of keys of the host, one of a worker, and the list of those that the host lets in."""

    def __init__(self, folder):
        self.host, secret = zmq.curve_keypair()
        self.worker = zmq.curve_keypair()
        (folder / "host.key").write_bytes(secret)
        (folder / "host.key").chmod(0o600)
        (folder / "workers").mkdir()
        self.file = folder / "workers" / "worker.pub"
        self.file.write_bytes(self.worker[0])

    def remove_worker(self):
        """Takes the worker's key off the list."""
        self.file.unlink()


class Host:
    """A host whose route `score` and, unless a policy has it, whose frontend lead through the pool `score`."""

    def __init__(self, policy=None, route=None, curve=False, **pool):
        self.folder = tempfile.TemporaryDirectory()
        self.keys = Keys(Path(self.folder.name)) if curve else None
        places = {"publish": "none", "frontend": "tcp://127.0.0.1:*", **({"policy": policy} if policy else {})}
        lines = ["[http]", "address = '127.0.0.1:0'", "[admin]", "address = '127.0.0.1:0'", "[cache]", "directory = 'none'"]
        lines += ["[dead_letters]", "queue_letters_max = 100000", "[messaging]", *toml(places)]
        if policy is None:
            lines += ["[workers.score]", *toml({"bind": ["tcp://127.0.0.1:*"], **pool})]
            lines += ["[routes.score]", *toml({"through": ["workers.score"], "to": [], **(route or {})})]
            lines += ["[flows.frontend]", *toml({"from": ["frontend"], "through": ["workers.score"]})]
        if curve:
            lines += ["[curve]", "secret_key_file = 'host.key'", "authorized_keys_dir = 'workers'"]
        Path(self.folder.name, "tidegate.toml").write_text("\n".join(lines) + "\n")
        flags = [f"--plugin={PLUGINS}/{policy}.wasm"] if policy else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        self.log = Path(self.folder.name, "log").open("w+")
        self.process = subprocess.Popen(
            [BINARY, "--config=tidegate.toml", *flags],
            cwd=self.folder.name, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment,
        )
        self.places = {}
        for line in self.process.stdout:
            if line == "ready\n":
                break
            name, place = line.split(maxsplit=1)
            self.places.setdefault(name, place.strip())
        else:
            raise RuntimeError(f"the host did not get ready: {self.stderr()}")
        self.endpoint = self.places.get("workers.score")

    def stderr(self):
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        code = self.process.wait(timeout=PATIENCE_SECONDS)
        told = self.stderr()
        self.folder.cleanup()
        if kind is None:
            assert code == 0 and "panicked" not in told, f"exit code {code}: {told}"
        else:
            print(told[-4000:], file=sys.stderr)

    def connection(self):
        return http.client.HTTPConnection(self.places["http"].removeprefix("http://"), timeout=2 * PATIENCE_SECONDS)

    def ask(self, body, method="POST", path="/score/", headers=(), connection=None):
        """The status, the headers and the body of an answer."""
        connection = connection or self.connection()
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def ask_meanwhile(self, body, **how):
        """The same, while the caller does something else: `result()` waits for it."""
        return Meanwhile(lambda: self.ask(body, **how))

    def client(self, identity=None):
        """A DEALER at the frontend."""
        socket = CONTEXT.socket(zmq.DEALER)
        socket.linger, socket.rcvtimeo = 0, 1000 * PATIENCE_SECONDS
        if identity is not None:
            socket.identity = identity
        socket.connect(self.places["frontend"])
        return socket

    def admin(self, path, method="GET"):
        connection = http.client.HTTPConnection(self.places["admin"].removeprefix("http://"), timeout=PATIENCE_SECONDS)
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (answer.status, text)
        return text

    def pool(self):
        (pool,) = json.loads(self.admin("/workers"))
        return pool

    def wait_workers(self, count, protocol=None):
        def workers():
            return [worker for worker in self.pool()["workers"] if protocol in (None, worker["protocol"])]

        wait_until(lambda: len(workers()) == count, lambda: f"{workers()} and not {count}")
        return workers()

    def drain(self, worker):
        self.admin(f"/workers/score/drain/{worker}", "POST")

    def metric(self, name, **labels):
        """The sum over the lines of a metric that have these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in self.admin("/metrics").decode().splitlines() if line.startswith(f"tidegate_{name}")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in wanted))

    def hops(self):
        return json.loads(self.admin("/ledger"))["hops"]

    def settled_hops(self):
        """The hops once nothing is in flight, with their sums checked."""
        hops = wait_until(lambda: (hops := self.hops()) and not any(hop["in_flight"] for hop in hops.values()) and hops,
                          lambda: f"in flight is still {self.hops()}")
        for name, hop in hops.items():
            assert hop["in"] == hop["out"] + sum(hop["dropped"].values()), (name, hop)
        return hops

    def dropped(self, hop, reason):
        return self.hops()[hop]["dropped"].get(reason, 0)

    def letters(self):
        """What was put aside, once all of it is written."""
        self.settled_hops()
        files = sorted(Path(self.folder.name).glob("dead-letters.jsonl*"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


class Meanwhile:
    """A call on a thread of its own."""

    def __init__(self, call):
        self.value = self.error = None
        self.thread = threading.Thread(target=self.run, args=(call,), daemon=True)
        self.thread.start()

    def run(self, call):
        try:
            self.value = call()
        except Exception as error:
            self.error = error

    def result(self):
        self.thread.join(2 * PATIENCE_SECONDS)
        assert not self.thread.is_alive(), "nothing came back"
        if self.error is not None:
            raise self.error
        return self.value


@contextlib.contextmanager
def running(*command):
    """A process that is killed at the end, unless it has ended before."""
    process = subprocess.Popen([str(part) for part in command])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def python(name, *arguments):
    """A worker of docs/workers in Python."""
    return running(sys.executable, DOCS / "workers" / name, *arguments)
