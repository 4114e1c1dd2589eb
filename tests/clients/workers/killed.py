"""Workers that are killed under load, one every second: what they had in hand goes to another one, or is told as lost."""

import base64
import contextlib
import os
import queue
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from host import Host

REQUESTS = int(os.environ.get("TIDEGATE_KILLED_REQUESTS", "10000"))
WORKERS, ASKERS = 8, 24
BETWEEN_KILLS_SECONDS = 1.0
SECONDS_MAX = 600
PROGRAM = Path(__file__).with_name("busy_worker.py")


class Workers:
    """Processes of which one is killed at a time, and replaced at once."""

    def __init__(self, endpoint):
        self.endpoint, self.killed = endpoint, 0
        self.processes = [self.start() for _ in range(WORKERS)]
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.kill_one_after_the_other)
        self.thread.start()

    def start(self):
        return subprocess.Popen([sys.executable, PROGRAM, self.endpoint])

    def kill_one_after_the_other(self):
        while not self.ended.wait(BETWEEN_KILLS_SECONDS):
            chosen = random.randrange(WORKERS)
            self.processes[chosen].kill()
            self.processes[chosen].wait()
            self.processes[chosen] = self.start()
            self.killed += 1

    def end(self):
        self.ended.set()
        self.thread.join()
        for process in self.processes:
            process.kill()
            process.wait()


def _ask_all(host):
    """Sends all requests, several at a time: what was answered to each of them."""
    numbers, answers = queue.SimpleQueue(), {}
    for number in range(REQUESTS):
        numbers.put(number)
    deadline = time.monotonic() + SECONDS_MAX

    def ask():
        connection = host.connection()
        with contextlib.suppress(queue.Empty):
            while time.monotonic() < deadline:
                number = numbers.get_nowait()
                status, _, body = host.ask(b"%d" % number, connection=connection)
                assert number not in answers
                answers[number] = status, body
        connection.close()

    askers = [threading.Thread(target=ask) for _ in range(ASKERS)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(answers) == REQUESTS, f"{len(answers)} of {REQUESTS} requests were answered"
    return answers


def _run(retry):
    with Host(retry=retry, retries_max=10, wait_ms_max=60_000, deadline_ms=60_000) as host:
        workers = Workers(host.endpoint)
        try:
            answers = _ask_all(host)
        finally:
            workers.end()
        hops, letters = host.settled_hops(), host.letters()
        for number, (status, body) in answers.items():
            assert status != 200 or body == b"%d" % number, (number, status, body)
        statuses = Counter(status for status, _ in answers.values())
        assert hops["routes.score"]["in"] == hops["workers.score"]["in"] == REQUESTS, hops
        assert hops["workers.score"]["out"] == statuses[200], (statuses, hops)
        assert hops["workers.score.answers"]["out"] == statuses[200], (statuses, hops)
        told = f"{workers.killed} workers killed, {host.pool()['retries']} messages sent again, {statuses[502]} lost"
        return answers, statuses, hops, letters, host.pool()["retries"], told


def killed_with_retry_always():
    """Every request is answered, once."""
    _, statuses, hops, letters, retries, told = _run("always")
    assert statuses == {200: REQUESTS} and letters == [] and retries > 0, (statuses, letters[:3], retries)
    assert hops["workers.score"]["dropped"] == {}, hops
    return told


def killed_with_retry_never():
    """Each request that a killed worker had is a 502, a dead letter, and a count."""
    answers, statuses, hops, letters, retries, told = _run("never")
    lost = {b"%d" % number for number, (status, _) in answers.items() if status == 502}
    assert set(statuses) == {200, 502} and retries == 0, (statuses, retries)
    assert hops["workers.score"]["dropped"] == {"worker-lost": statuses[502]}, hops
    assert {letter["reason"] for letter in letters} == {"worker-lost"}, letters[:3]
    bodies = [base64.b64decode(letter["message"]["body_base64"]) for letter in letters]
    assert sorted(bodies) == sorted(lost), (bodies, lost)
    return told


def killed_behind_the_frontend():
    """Each request of a DEALER has one reply, and none has two."""
    with Host(retry="always", retries_max=10, wait_ms_max=60_000, deadline_ms=60_000) as host:
        workers = Workers(host.endpoint)
        replies = Counter()
        try:
            with contextlib.closing(host.client()) as client:
                sent = 0
                while sum(replies.values()) < REQUESTS:
                    while sent < REQUESTS and sent - sum(replies.values()) < 100:
                        client.send(b"%d" % sent)
                        sent += 1
                    replies[client.recv()] += 1
                assert not client.poll(100), client.recv()
        finally:
            workers.end()
        assert replies == Counter(b"%d" % number for number in range(REQUESTS)), replies.most_common(3)
        host.settled_hops()
        return f"{workers.killed} workers killed, {host.pool()['retries']} messages sent again"
