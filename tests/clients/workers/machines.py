"""Workers on three other machines, which are network namespaces, one of them cut off in the middle."""

import contextlib
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from host import Host, running, wait_until
from killed import PROGRAM

MACHINES = (1, 2, 3)
WORKERS_EACH = 2
REQUESTS, ASKERS = 3000, 12
# The name that the namespaces of this run begin with, where the program runs in the first of them.
INSIDE = "TIDEGATE_NAMESPACES"


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def _machines():
    """One for the host, and three others that each have a link to it."""
    name = f"tidegate-{os.getpid()}"
    made = []
    try:
        for number in (0, *MACHINES):
            _ip("netns", "add", f"{name}-{number}")
            made.append(f"{name}-{number}")
            _ip("-n", f"{name}-{number}", "link", "set", "lo", "up")
        for number in MACHINES:
            _ip("-n", f"{name}-0", "link", "add", f"to{number}", "type", "veth", "peer", "name", "link", "netns", f"{name}-{number}")
            _ip("-n", f"{name}-0", "addr", "add", f"10.77.{number}.1/24", "dev", f"to{number}")
            _ip("-n", f"{name}-0", "link", "set", f"to{number}", "up")
            _ip("-n", f"{name}-{number}", "addr", "add", f"10.77.{number}.2/24", "dev", "link")
            _ip("-n", f"{name}-{number}", "link", "set", "dev", "link", "up")
        yield name
    finally:
        for namespace in made:
            _ip("netns", "delete", namespace)


def served_by_three_machines():
    """Every request is answered although a machine is cut off, whose workers are gone after three heartbeats."""
    if name := os.environ.get(INSIDE):
        return _served(name)
    if not _may_have_machines():
        return "skipped, there are no network namespaces here"
    with _machines() as name:
        command = ["ip", "netns", "exec", f"{name}-0", sys.executable, *sys.argv[:4], served_by_three_machines.__name__]
        told = subprocess.run(command, env={**os.environ, INSIDE: name}, capture_output=True, text=True, timeout=120)
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout.splitlines()[0].partition(": ")[2]


def _may_have_machines():
    """Whether this user may make namespaces. What fails after the first one is a fault of the case."""
    name = f"tidegate-{os.getpid()}"
    try:
        _ip("netns", "add", name)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return False
    _ip("netns", "delete", name)
    return True


def _served(name):
    pool = {"bind": [f"tcp://10.77.{number}.1:*" for number in MACHINES], "heartbeat_ms": 300, "retry": "always"}
    with Host(**pool, wait_ms_max=60_000, deadline_ms=60_000) as host, contextlib.ExitStack() as workers:
        for number, endpoint in zip(MACHINES, host.places["workers.score"].split()):
            for _ in range(WORKERS_EACH):
                command = ["ip", "netns", "exec", f"{name}-{number}", sys.executable, Path(PROGRAM), endpoint]
                workers.enter_context(running(*command))
        host.wait_workers(len(MACHINES) * WORKERS_EACH)
        statuses, left = Counter(), iter(range(REQUESTS))

        def ask():
            connection = host.connection()
            for number in left:
                status, _, body = host.ask(b"%d" % number, connection=connection)
                statuses[status, body == b"%d" % number] += 1
            connection.close()

        askers = [threading.Thread(target=ask) for _ in range(ASKERS)]
        for asker in askers:
            asker.start()
        wait_until(lambda: sum(statuses.values()) > REQUESTS // 3, "a third")
        _ip("link", "set", "to2", "down")
        for asker in askers:
            asker.join()
        assert statuses == {(200, True): REQUESTS}, statuses
        rest = host.wait_workers((len(MACHINES) - 1) * WORKERS_EACH)
        assert not any(worker["address"].startswith("10.77.2.") for worker in rest), rest
        host.settled_hops()
        return f"{host.pool()['retries']} messages of the machine that was cut off sent again"
