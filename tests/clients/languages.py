"""Checks a running host with guests of all languages that `plugin new` knows: one table of inputs and answers for all.

usage: languages.py TIDEGATE GUESTS
TIDEGATE is the binary, GUESTS the directory that tests/guests/build has filled. Starts one host on free ports, prints
one line per check and what each guest costs, and closes with `N passed, N failed`.
"""

import json
import os
import re
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
LANGUAGES = ["rust", "c", "javascript", "python"]

READY_S = 60
PATIENCE_S = 20
# Two components have 10 to 20 MB, which a host built without optimisation compiles for a minute or more.
LOAD_S = 600
# The deadline of a call, long enough for a busy machine. The other limits are the defaults, which all runtimes keep.
DEADLINE_S = 4
OUTPUT_BYTES_MAX = 1 << 20
SETTINGS = "".join(f"[plugins.{language}.settings]\ngreeting = 'good day, {language}'\n" for language in LANGUAGES)
CONFIG = f"""
[limits]
call_deadline_ms = {DEADLINE_S * 1000}
output_bytes_max = {OUTPUT_BYTES_MAX}
compile_ms_max = {LOAD_S * 1000}
[rollback]
failures = 0
{SETTINGS}
"""

# The body for a processor, the status, and the answer (of an error, a part of its text); and a text that must not be in
# the answer, but in the log.
MESSAGES = [
    ("downcase:MiXeD", 200, "lower case of MiXeD is mixed", None),
    ("downcase:ÄÖ Ω", 200, "lower case of ÄÖ Ω is äö ω", None),
    ("downcase:", 200, "lower case of  is ", None),
    ("downcase:A:b\nC", 200, "lower case of A:b\nC is a:b\nc", None),
    ("filter", 204, "", None),
    ("setting:greeting", 200, "good day, LANGUAGE", None),
    ("setting:nothing", 200, "not set", None),
    ("big:500000", 200, "x" * 500_000, None),
    ("reject:too long", 422, "too long", None),
    ("fail:broken inside", 502, "", "broken inside"),
    ("throw", 502, "", "nobody catches this"),
    ("loop", 504, "call_deadline_ms", None),
    ("memory", 502, "memory_bytes_max", None),
    (f"big:{2 * OUTPUT_BYTES_MAX}", 502, "output_bytes_max", None),
    ("frames", 502, "frames", None),
    ("split:first,second", 200, "first", None),
]

# The same for a reply policy: the first of two frames, the status, and the delays of the replies, whose frames are
# those of the request.
REPLIES = [
    ("none", 200, [], None),
    ("twice", 200, [0, 100], None),
    ("nothing", 502, "reply", None),
    ("reject:not you", 422, "not you", None),
    ("fail:out of order", 502, "", "out of order"),
    ("throw", 502, "", "nobody catches this"),
    ("loop", 504, "call_deadline_ms", None),
    ("memory", 502, "memory_bytes_max", None),
]

# The result of each attempt of a guest to use what it may not: an error of its language, or nothing. What a runtime
# lacks altogether (files and the network in JavaScript) ends the call.
CAPABILITIES = {
    "rust": {
        "file": (200, b"error: "),
        "socket": (200, b"error: "),
        "lookup": (200, b"error: "),
        "environment": (200, b"[]"),
        "arguments": (200, b"[]"),
        "stdin": (200, b"error: StreamError::Closed"),
    },
    # In C, files and sockets are refused when the component is built.
    "c": {
        "environment": (200, b"0"),
        "arguments": (200, b"0"),
        "stdin": (200, b"closed"),
    },
    "javascript": {
        "file": (502, b""),
        "socket": (502, b""),
        "environment": (200, b"[]"),
        "arguments": (200, b"[]"),
        "stdin": (200, b'Error: {"tag":"closed"}'),
    },
    "python": {
        "file": (200, b"FileNotFoundError: "),
        "socket": (200, b"PermissionError: "),
        "lookup": (200, b"gaierror: "),
        "environment": (200, b"[]"),
        "arguments": (200, b"[]"),
        "stdin": (200, b"EOFError: "),
    },
}

# The attempts that reach the host, and are counted there.
COUNTED = {
    "rust": ["stdin"],
    "c": ["stdin"],
    "javascript": ["stdin"],
    "python": ["sockets", "name-lookups", "stdin"],
}


class Host:
    """A host, from ready to an orderly end; the guests come while it runs."""

    def __init__(self, directory):
        config, self.log = directory / "tidegate.toml", directory / "stderr"
        config.write_text(CONFIG)
        # An empty cache.
        flags = [f"--cache={directory / 'cache'}", "--publish=none", "--frontend=none"]
        places = ["--http=127.0.0.1:0", "--admin=127.0.0.1:0"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        self.process = subprocess.Popen(
            [BINARY, f"--config={config}", *flags, *places],
            cwd=directory,
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

    def send(self, url, data=None, method=None, patience_s=PATIENCE_S):
        """The status and the body of the answer."""
        request = urllib.request.Request(url, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=patience_s) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def load(self, name, language):
        """Puts a guest into the host, and says how long that took."""
        component = (GUESTS / f"{language}.wasm").read_bytes()
        started = time.monotonic()
        status, answer = self.send(f"{self.admin}/plugins/{name}", component, "PUT", LOAD_S)
        assert status < 300, (name, status, answer)
        return time.monotonic() - started

    def ask(self, language, body):
        """What the guest makes of a message: status and body."""
        return self.send(f"{self.http}/{language}/", body.encode())

    def messages(self, language, frames, metadata):
        """What becomes of a message of these frames: the status, and the messages or the problem."""
        call = json.dumps({"message": {"frames": frames, "metadata": metadata}}).encode()
        status, answer = self.send(f"{self.admin}/plugins/{language}/call", call)
        return status, json.loads(answer)

    def replies(self, language, frames):
        """What the guest answers a request of the broker with, or the problem."""
        call = json.dumps({"request": {"frames": frames}}).encode()
        status, answer = self.send(f"{self.admin}/plugins/{language}/call", call)
        return status, json.loads(answer)

    def status(self, language):
        """What the host tells of the plugin."""
        return json.loads(self.send(f"{self.admin}/plugins/{language}")[1])

    def call_seconds(self, language):
        """How many calls of the guest there were, and how long all of them took."""
        metrics = self.send(f"{self.admin}/metrics")[1].decode()
        labels = re.escape(f'{{plugin="{language}"}}')
        series = "^tidegate_plugin_call_duration_seconds_{}{} (\\S+)$"
        return [float(re.search(series.format(what, labels), metrics, re.M)[1]) for what in ("count", "sum")]

    def lines_with(self, language, text, count):
        """Lines of the log on this guest that have the text: `count` of them come in time."""
        end = time.monotonic() + PATIENCE_S
        while True:
            whose = f'plugin="{language}"'
            lines = [line for line in self.stderr().splitlines() if whose in line and text in line]
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


def not_starved(ask):
    """What is answered, and how long that took. A busy machine that had no time for the call is asked again."""
    until = time.monotonic() + PATIENCE_S
    while True:
        started = time.monotonic()
        status, answer = ask()
        if status != 503 or "the host is too busy" not in str(answer) or time.monotonic() > until:
            return status, answer, time.monotonic() - started


def messages(host, language):
    """Each message of the table gets its answer; what is for the log alone is there, and nowhere else."""
    for body, status, answer, logged in MESSAGES:
        found, text, took_s = not_starved(lambda: host.ask(language, body))
        text = text.decode()
        if found >= 400:
            text = json.loads(text)["detail"]
            right = answer in text
        else:
            right = text == answer.replace("LANGUAGE", language)
        assert found == status and right, (body, found, text[:200])
        assert status != 504 or DEADLINE_S <= took_s < DEADLINE_S + 5, took_s
        if logged:
            assert logged not in text, text
            host.lines_with(language, logged, 1)


def several_messages(host, language):
    """A message may become none, one or many, in order, each with the frames and the metadata that the guest gave it."""
    pairs = [["colour", "gr\u00fcn"], ["colour", ""]]
    for body, metadata, expected in [
        ("filter", [], []),
        ("downcase:A", [], ["lower case of A is a"]),
        ("split:one,,three", pairs, ["one", "", "three"]),
    ]:
        status, answer = host.messages(language, ["topic", body], pairs)
        found = answer.get("messages")
        assert status == 200 and [message["frames"] for message in found] == [["topic", text] for text in expected], answer
        # The host adds pairs of its own to what comes in.
        kept = [[pair for pair in message["metadata"] if not pair[0].startswith("tidegate.")] for message in found]
        assert kept == [metadata] * len(expected), answer


def own_error_first(host, language):
    """What the guest's runtime says of an error that nobody catches stands above the trap of that call."""
    assert host.ask(language, "throw")[0] == 502
    lines = [line for line in host.lines_with(language, "call failed", 1) if "wasm backtrace" in line]
    first = [line for line in lines if "nobody catches this" in line.split("wasm backtrace")[0]]
    assert first, lines


def replies(host, language):
    """Each request of the table gets its replies."""
    for first, status, expected, logged in REPLIES:
        frames = [first, "second"]
        found, answer, _ = not_starved(lambda: host.replies(language, frames))
        if found >= 400:
            assert found == status and expected in answer["detail"], (first, found, answer)
        else:
            delays_ms = [reply["delay_ms"] for reply in answer["replies"]]
            assert (found, delays_ms) == (status, expected), (first, found, answer)
            assert all(reply["frames"] == frames for reply in answer["replies"]), answer
        if logged:
            host.lines_with(language, logged, 1)


def random_replies(host, language):
    """None to four copies, each a second divided by one to ten after the one before, and every count comes."""
    counts, waits_ms = set(), {1000 // divisor for divisor in range(1, 11)}
    for _ in range(120):
        status, answer = host.replies(language, ["random", "x"])
        assert status == 200 and all(reply["delay_ms"] in waits_ms for reply in answer["replies"]), answer
        assert all(reply["frames"] == ["random", "x"] for reply in answer["replies"]), answer
        counts.add(len(answer["replies"]))
    assert counts == {0, 1, 2, 3, 4}, counts


def capabilities(host, language):
    """Whoever tries a file, a socket or the like gets the error of the language."""
    for word, (status, start) in CAPABILITIES[language].items():
        answer = host.ask(language, word)
        assert answer[0] == status and answer[1].startswith(start), (word, answer)
    denied = host.status(language)["denied"]
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
    messages,
    several_messages,
    own_error_first,
    replies,
    random_replies,
    capabilities,
    fresh_instance,
    randomness,
    clocks,
    standard_streams,
]


def measured(host, language, load_s):
    """A row of the table: what the guest costs while nothing else goes on."""
    component = (GUESTS / f"{language}.wasm").stat().st_size
    again_s = host.load(f"{language}-again", language)
    ask = lambda: host.ask(language, "downcase:HeLLo")
    for _ in range(20):
        ask()
    count, seconds = host.call_seconds(language)
    for _ in range(200):
        assert ask() == (200, b"lower case of HeLLo is hello")
    more_count, more_seconds = host.call_seconds(language)
    call_ms = (more_seconds - seconds) / (more_count - count) * 1000
    memory = host.status(language)["memory_bytes_high_water"]
    size, memory = f"{component / 1000:,.0f} kB", f"{memory / 1024:,.0f} KiB"
    return f"| {language} | {size} | {load_s:.2f} s | {again_s:.2f} s | {call_ms:.2f} ms | {memory} |"


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
    with tempfile.TemporaryDirectory() as directory, Host(Path(directory)) as host:
        # The components are loaded one after the other, so that their times do not include each other.
        loaded = {language: host.load(language, language) for language in LANGUAGES}
        print("| guest | component | load | load, compiled before | call | memory of a call |")
        print("| --- | --- | --- | --- | --- | --- |")
        for language in LANGUAGES:
            print(measured(host, language, loaded[language]), flush=True)
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
