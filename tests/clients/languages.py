"""Checks a running host with guests of other languages: the components that componentize-py and componentize-js made.

usage: languages.py TIDEGATE GUESTS
TIDEGATE is the binary, GUESTS the directory that tests/guests/build has filled. Starts one host on free ports, prints
one line per check, and closes with `N passed, N failed`.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

BINARY, GUESTS = (Path(argument).resolve() for argument in sys.argv[1:3])
LANGUAGES = ["python", "javascript"]

# Two components of 10 to 20 MB are compiled first: a minute and more in a host built without optimisation.
READY_S = 600
PATIENCE_S = 20
# The deadline of a call, long enough for the neighbours on a busy machine; the other limits are the defaults, which
# both runtimes keep.
DEADLINE_S = 2
OUTPUT_BYTES_MAX = 1 << 20
CONFIG = f"""
[limits]
call_deadline_ms = {DEADLINE_S * 1000}
output_bytes_max = {OUTPUT_BYTES_MAX}
"""

# What a guest gets that tries more than it may: the error of its language, or nothing. What a runtime lacks altogether
# (files and the network in JavaScript) ends the call.
CAPABILITIES = {
    "python": {
        "file": (200, b"FileNotFoundError: "),
        "socket": (200, b"PermissionError: "),
        "lookup": (200, b"gaierror: "),
        "environment": (200, b"[]"),
        "arguments": (200, b"[]"),
        "stdin": (200, b"EOFError: "),
    },
    "javascript": {
        "file": (502, b""),
        "socket": (502, b""),
        "environment": (200, b"[]"),
        "arguments": (200, b"[]"),
        "stdin": (200, b'Error: {"tag":"closed"}'),
    },
}

# Which of these attempts reach the host, and are counted there.
COUNTED = {"python": ["sockets", "name-lookups", "stdin"], "javascript": ["stdin"]}


class Host:
    """A host with both guests, from ready to an orderly end."""

    def __init__(self, directory):
        config, self.log = directory / "tidegate.toml", directory / "stderr"
        config.write_text(CONFIG)
        flags = [f"--plugin={language}={GUESTS / language}.wasm" for language in LANGUAGES]
        places = ["--http=127.0.0.1:0", "--admin=127.0.0.1:0", "--publish=none", "--frontend=none"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        self.process = subprocess.Popen(
            [BINARY, f"--config={config}", *flags, *places],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
            env=environment,
        )
        self.process.stdin.write("for the host alone\n")
        self.process.stdin.flush()
        watchdog = threading.Timer(READY_S, self.process.kill)
        watchdog.daemon = True
        watchdog.start()
        for line in self.process.stdout:
            if line == "ready\n":
                break
            name, place = line.split()
            if name in ("http", "admin"):
                setattr(self, name, place)
        else:
            raise RuntimeError(f"the host did not get ready: {self.stderr()}")
        watchdog.cancel()

    def stderr(self):
        return self.log.read_text()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        try:
            code = self.process.wait(timeout=30)
        finally:
            self.process.kill()
        if kind is None:
            assert code == 0, f"exit code {code}: {self.stderr()}"

    def ask(self, language, body):
        """The status and the body of the answer."""
        request = urllib.request.Request(f"{self.http}/{language}/", data=body.encode())
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def problem(self, language, body):
        """The status and the host's own sentence of an answer that is an error."""
        status, problem = self.ask(language, body)
        assert status >= 400, (body, status, problem)
        return status, json.loads(problem)["detail"]

    def denied(self, language):
        """How often the guest tried what it may not have."""
        with urllib.request.urlopen(f"{self.admin}/plugins/{language}", timeout=PATIENCE_S) as answer:
            return json.load(answer)["denied"]

    def lines_with(self, language, text, count):
        """Lines of the log on this guest that have the text: `count` of them come in time."""
        end = time.monotonic() + PATIENCE_S
        while True:
            lines = [line for line in self.stderr().splitlines() if language in line and text in line]
            if len(lines) >= count:
                return lines
            assert time.monotonic() < end, f"{text} is {len(lines)} times in the log: {self.stderr()}"
            time.sleep(0.02)


class Neighbour(threading.Thread):
    """A caller that goes on asking one guest for what it does well, and notes every answer that is not right."""

    def __init__(self, host, language):
        super().__init__(daemon=True)
        self.host, self.language = host, language
        self.right, self.wrong = 0, []
        self.stop = threading.Event()

    def run(self):
        while not self.stop.wait(0.02):
            try:
                answer = self.host.ask(self.language, "downcase:NeighBour")
            except OSError as error:
                answer = error
            if answer == (200, b"lower case of NeighBour is neighbour"):
                self.right += 1
            else:
                self.wrong.append(answer)


def answers(host, language):
    """What the plugin returns is the answer."""
    for text, lower in [("MiXeD", "mixed"), ("ÄÖ Ω", "äö ω"), ("", ""), ("A:b\nC", "a:b\nc")]:
        assert host.ask(language, f"downcase:{text}") == (200, f"lower case of {text} is {lower}".encode())


def filtered(host, language):
    """None is 204."""
    assert host.ask(language, "filter") == (204, b"")


def rejected(host, language):
    """The caller is told what the plugin rejects."""
    assert host.problem(language, "reject:too long") == (422, "too long")


def failed(host, language):
    """What failed in the plugin is for the log alone."""
    status, detail = host.problem(language, "fail:broken inside")
    assert status == 502 and "broken inside" not in detail, (status, detail)
    host.lines_with(language, "broken inside", 1)


def uncaught_exception(host, language):
    """An exception that nobody catches ends the call, and the log has its text."""
    status, detail = host.problem(language, "throw")
    assert status == 502 and "nobody catches this" not in detail, (status, detail)
    host.lines_with(language, "nobody catches this", 1)


def deadline(host, language):
    """A loop without end is cut at the deadline."""
    started = time.monotonic()
    status, detail = host.problem(language, "loop")
    took = time.monotonic() - started
    assert status == 504 and "call_deadline_ms" in detail, (status, detail)
    assert DEADLINE_S <= took < DEADLINE_S + 5, took


def memory(host, language):
    """Memory ends at its bound."""
    status, detail = host.problem(language, "memory")
    assert status == 502 and "memory_bytes_max" in detail, (status, detail)


def output(host, language):
    """Output under the bound comes whole; over it nothing comes."""
    assert host.ask(language, "big:500000") == (200, b"x" * 500_000)
    status, detail = host.problem(language, f"big:{2 * OUTPUT_BYTES_MAX}")
    assert status == 502 and "output_bytes_max" in detail, (status, detail)


def capabilities(host, language):
    """Whoever tries a file, a socket or the like gets the error of the language."""
    for word, (status, start) in CAPABILITIES[language].items():
        answer = host.ask(language, word)
        assert answer[0] == status and answer[1].startswith(start), (word, answer)
    denied = host.denied(language)
    assert all(denied[word] >= 1 for word in COUNTED[language]), denied


def fresh_instance(host, language):
    """A counter of the module starts again with every call."""
    assert [host.ask(language, "remember") for _ in range(3)] == [(200, b"1")] * 3


def randomness(host, language):
    """The bytes of the system and the language's own generator differ from call to call."""
    draws = [host.ask(language, "random")[1].split() for _ in range(5)]
    for column in zip(*draws, strict=True):
        assert len(set(column)) == len(draws), draws


def clocks(host, language):
    """The time of day is the host's, and the monotonic clock runs."""
    wall, monotonic = map(float, host.ask(language, "clock")[1].split())
    assert abs(wall - time.time()) < 60 and monotonic >= 0, (wall, monotonic)


def standard_streams(host, language):
    """What a guest prints to stdout and to stderr goes to the host's log."""
    text = f"printed in {language}"
    assert host.ask(language, f"log:{text}") == (200, text.encode())
    assert len(host.lines_with(language, text, 2)) == 2


CHECKS = [
    answers,
    filtered,
    rejected,
    failed,
    uncaught_exception,
    deadline,
    memory,
    output,
    capabilities,
    fresh_instance,
    randomness,
    clocks,
    standard_streams,
]


def neighbours_answer(neighbours):
    """Through all of that, every other call got the right answer."""
    for neighbour in neighbours:
        neighbour.stop.set()
        neighbour.join()
    for neighbour in neighbours:
        assert neighbour.right > 0 and not neighbour.wrong, (neighbour.language, neighbour.right, neighbour.wrong)


class Tally:
    """Runs checks, prints a line for each, and counts."""

    def __init__(self):
        self.passed = self.failed = 0

    def run(self, name, check, *arguments):
        try:
            check(*arguments)
            self.passed += 1
            print(f"ok      {name}", flush=True)
        except Exception:
            self.failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)


def main():
    tally = Tally()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, Host(Path(directory)) as host:
        print(f"ready after {time.monotonic() - started:.1f} s")
        neighbours = [Neighbour(host, language) for language in LANGUAGES]
        for neighbour in neighbours:
            neighbour.start()
        for language in LANGUAGES:
            for check in CHECKS:
                tally.run(f"{language} {check.__name__}", check, host, language)
        tally.run("neighbours_answer", neighbours_answer, neighbours)
        print(f"right answers meanwhile: {', '.join(f'{n.language} {n.right}' for n in neighbours)}")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
