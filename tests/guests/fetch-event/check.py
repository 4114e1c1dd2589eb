"""Checks the hello of componentize-js behind a host.

usage: check.py TIDEGATE COMPONENT
Starts one host on free ports, prints one line per check, and closes with `N passed, N failed`.
"""

import http.server
import json
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

BINARY, COMPONENT = (Path(argument).resolve() for argument in sys.argv[1:3])
# The component has 12 MB, which a host built without optimisation compiles for a minute or more.
READY_S = 600
PATIENCE_S = 60


class Granted(http.server.BaseHTTPRequestHandler):
    """What the guest may ask."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from elsewhere")

    def log_message(self, *_):
        pass


def start(directory, port):
    config = directory / "tidegate.toml"
    config.write_text(
        f"[limits]\ncall_deadline_ms = 20000\ncompile_ms_max = 600000\n"
        f'[plugins.hello]\npath = "{COMPONENT}"\noutbound = ["localhost:{port}"]\n'
    )
    places = ["--http=127.0.0.1:0", "--admin=127.0.0.1:0", "--publish=none", "--frontend=none"]
    host = subprocess.Popen([BINARY, f"--config={config}", *places], stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(READY_S, host.kill)
    watchdog.daemon = True
    watchdog.start()
    surfaces = {}
    for line in host.stdout:
        if line == "ready\n":
            watchdog.cancel()
            return host, surfaces
        name, place = line.split()
        surfaces[name] = place
    raise RuntimeError("the host did not get ready")


def ask(url, data=None):
    try:
        with urllib.request.urlopen(url, data, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def main():
    elsewhere = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Granted)
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    granted = f"http://localhost:{elsewhere.server_port}/"
    outcomes = []
    with tempfile.TemporaryDirectory() as directory:
        host, surfaces = start(Path(directory), elsewhere.server_port)
        try:
            hello = surfaces["http"] + "/hello"
            checks = {
                "a GET": (ask(f"{hello}/world?a=b"), (200, "Hello, GET /world")),
                "a POST": (ask(f"{hello}/", b"data"), (200, "Hello, POST / data")),
                "a fetch of a granted host": (ask(f"{hello}/fetch?url={granted}"), (200, "fetched 200 from elsewhere")),
                # The guest does not catch the exception, so its engine answers.
                "a fetch of another": (ask(f"{hello}/fetch?url=http://example.com/")[0], 500),
            }
            told = json.loads(ask(surfaces["admin"] + "/plugins/hello")[1])
            checks["the role"] = (told["roles"], ["http-handler"])
            checks["the denial is counted"] = (told["denied"]["outbound"], 1)
        finally:
            host.terminate()
            code = host.wait(timeout=PATIENCE_S)
        checks["the host's end"] = (code, 0)
    for name, (found, expected) in checks.items():
        outcomes.append(found == expected)
        print(f"{'ok' if found == expected else 'FAILED'}: {name}" + ("" if outcomes[-1] else f": {found}"))
    print(f"{sum(outcomes)} passed, {outcomes.count(False)} failed")
    return 0 if all(outcomes) else 1


sys.exit(main())
