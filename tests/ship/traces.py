"""Holds the traces of a real host to a collector of another make, rotel, which takes them and writes down what it took.

usage: traces.py TIDEGATE DOWNCASE ROTEL, the built binary, that component and the collector of the installed package
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from waiting import wait_for

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def free_address() -> str:
    """An address that nobody listens at: rotel does not say which port it got."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def listens(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def spans(text: str) -> dict[str, dict[str, str]]:
    """What the collector wrote down of three spans, by their names; nothing as long as there are not so many."""
    found = {}
    for part in re.split(r"^Span #\d+$", text, flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^ +(?:-> )?([^:]+?) *: (.*)$", part, re.MULTILINE))
        found[fields["Name"]] = fields
    return found if len(found) == 3 and "http.route" in text and text.endswith("\n") else {}


def check(found: dict[str, dict[str, str]]) -> None:
    """The tree of a request, below the caller's span."""
    request, call, message = (found[name] for name in ("GET /downcase/", "processor downcase", "publish"))
    for span, kind, parent in (
        (request, "SERVER", CALLER),
        (call, "INTERNAL", request["ID"]),
        (message, "PRODUCER", request["ID"]),
    ):
        told = (span["Trace ID"], span["Parent ID"], span["Kind"], span["Status code"])
        expected = (TRACE, parent, f"SPAN_KIND_{kind}", "STATUS_CODE_UNSET")
        assert told == expected, f"{span} is not {expected}"
    assert request["http.response.status_code"] == "Int(200)", request
    assert re.fullmatch(r"Str\([0-9a-f]{64}\)", call["tidegate.plugin.digest"]), call
    assert message["messaging.system"] == "Str(zeromq)", message
    print(f"{len(found)} spans of one trace, as the collector wrote them down")


def main() -> None:
    tidegate, plugin, rotel = (Path(argument).resolve() for argument in sys.argv[1:])
    ours = ("OTEL_", "ROTEL_", "TIDEGATE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    with tempfile.TemporaryDirectory() as work:
        log, running = Path(work, "rotel.log"), []
        try:
            address = free_address()
            command = [rotel, "start", "--otlp-http-endpoint", address, "--otlp-grpc-endpoint", free_address()]
            command += ["--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]
            command += ["--pid-file", Path(work, "rotel.pid"), "--log-file", log]
            with log.open("w") as into:
                running.append(subprocess.Popen(command, cwd=work, stdout=into, stderr=into, env=environment))
            wait_for("the collector to listen", lambda: listens(address), log)

            command = [tidegate, "--plugin", plugin, "--http", "127.0.0.1:0", "--admin", "none", "--publish"]
            command += ["tcp://127.0.0.1:*", "--frontend", "none", "--otel-endpoint", f"http://{address}"]
            running.append(subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, text=True, env=environment))
            lines = [running[1].stdout.readline() for _ in range(5)]
            surfaces = dict(line.split() for line in lines if " " in line)
            url = f"{surfaces['http']}/{plugin.stem}/?param=x"
            request = urllib.request.Request(url, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
            urllib.request.urlopen(request, timeout=10).read()
            check(wait_for("spans", lambda: spans(log.read_text()), log))
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait(timeout=30)


if __name__ == "__main__":
    main()
