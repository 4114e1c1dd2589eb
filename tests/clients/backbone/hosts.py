"""Hosts that take numbers from their clients into JetStream and from there to their workers, and the server of NATS."""

import http.client
import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

from network import BACK, FRONT, NATS, address, inside

TOKEN = "0" * 64
# The bound of the whole test: whatever is waited for has to come before.
SECONDS_MAX = 80
_begun = time.monotonic()

CONFIGURATION = """\
[http]
address = "{front}:5000"
[admin]
address = "{front}:5001"
token_file = "token"
[cache]
directory = "none"
[messaging]
publish = "none"
frontend = "none"
[nats]
url = "nats://{nats}:4222"
ack_timeout_ms = 2000
[streams.jobs]
subjects = ["jobs.>"]
[streams.jobs.consumers.tidegate]
ack_wait_ms = 2000
deliveries_max = 20
[sockets.in]
type = "pull"
bind = ["tcp://{front}:5557"]
[flows.intake]
from = ["in"]
to = ["jetstream:jobs.{{topic}}"]
[routes.post]
through = ["downcase"]
to = ["jetstream:jobs.posted"]
[workers.pool]
bind = ["tcp://{front}:5571"]
[sockets.out]
type = "push"
bind = ["tcp://{front}:5558"]
[flows.outtake]
from = ["jetstream:jobs/tidegate"]
through = ["workers.pool"]
to = ["out"]
"""


def wait_until(is_so, what):
    """Waits for a condition, and returns what it is once it holds; `what` says in words, or is asked at the end for them."""
    while not (value := is_so()):
        if time.monotonic() - _begun >= SECONDS_MAX:
            raise AssertionError(f"not {what() if callable(what) else what} within {SECONDS_MAX} s of the beginning")
        time.sleep(0.02)
    return value


class Process:
    """A program on a machine, with its log in a folder of its own."""

    def __init__(self, name, machine, folder, *command):
        self.machine, self.folder = machine, Path(folder)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TIDEGATE_")}
        self.log = Path(self.folder, "log").open("wb")
        self.process = subprocess.Popen(
            inside(name, machine, *command), cwd=folder, stdout=self.log, stderr=self.log, env=environment
        )

    def said(self):
        return (self.folder / "log").read_text(errors="replace")

    def end(self):
        """Ends it in order, and returns its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=20)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Nats(Process):
    def __init__(self, name, folder):
        command = ("nats-server", "-js", "-a", address(BACK, NATS), "-p", 4222, "-m", 8222, "-sd", Path(folder, "data"))
        super().__init__(name, NATS, folder, *command)
        wait_until(lambda: self.process.poll() is not None or self.tells("/healthz"), "NATS to be there")

    def tells(self, path):
        """What its monitoring says, or None as long as it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{address(BACK, NATS)}:8222{path}", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    def stream(self):
        """The messages of the stream, and those that the consumer still has to deliver or to be told of."""
        (account,) = self.tells("/jsz?streams=true&consumers=true")["account_details"]
        (stream,) = [stream for stream in account["stream_detail"] if stream["name"] == "jobs"]
        (consumer,) = stream["consumer_detail"]
        return stream["state"]["messages"], consumer["num_pending"] + consumer["num_ack_pending"]


class Host(Process):
    def __init__(self, name, machine, folder, binary, plugins):
        self.front = address(FRONT, machine)
        Path(folder, "token").write_text(TOKEN)
        Path(folder, "token").chmod(0o600)
        configuration = CONFIGURATION.format(front=self.front, nats=address(BACK, NATS))
        Path(folder, "tidegate.toml").write_text(configuration)
        super().__init__(name, machine, folder, binary, "--config=tidegate.toml", f"--plugin={plugins / 'downcase.wasm'}")

    def _ask(self, port, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection(self.front, port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def readiness(self):
        """The status of `/readyz` and what it says; 0 as long as nobody listens."""
        try:
            status, _, text = self._ask(5001, "GET", "/readyz")
        except ConnectionRefusedError:
            return 0, ""
        return status, text

    def is_ready(self):
        return self.readiness()[0] == 200

    def post(self, number):
        """Posts a number under a key by which it is one message however often that is done: the status and Retry-After."""
        status, headers, _ = self._ask(5000, "POST", "/post/", b"%d" % number, {"Idempotency-Key": f"key-{number}"})
        return status, headers.get("retry-after")

    def hops(self):
        status, _, text = self._ask(5001, "GET", "/ledger", headers={"Authorization": f"Bearer {TOKEN}"})
        assert status == 200, (status, text)
        return json.loads(text)["hops"]

    def redelivered(self):
        return self.hops().get("jetstream:jobs/tidegate.redelivered", {"in": 0})["in"]

    def settled_hops(self):
        """The hops once nothing is in flight, with their sums checked."""
        def settled():
            hops = self.hops()
            return not any(hop["in_flight"] for hop in hops.values()) and hops

        hops = wait_until(settled, f"nothing to be in flight at host {self.machine}")
        for name, hop in hops.items():
            assert hop["in"] == hop["out"] + sum(hop["dropped"].values()), (self.machine, name, hop)
        return hops
