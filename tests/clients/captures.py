"""Reads captures with the MCAP project's own reader for Python: one that was stopped, and one whose host was killed.

usage: captures.py TIDEGATE PLUGINS
TIDEGATE is the binary, PLUGINS the directory with the components. A host captures numbered requests, each of which has to be in the
file with its answer. Of the file of a host that was killed by SIGKILL no more than the last second may be missing, and what is there
has to be whole.
"""

import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from mcap.reader import NonSeekingReader, make_reader
from mcap_protobuf.decoder import DecoderFactory

BINARY, PLUGINS = (str(Path(argument).resolve()) for argument in sys.argv[1:3])
PATIENCE = 30
REQUESTS = 2_000


class Host:
    """A host that captures everything."""

    def __init__(self, directory):
        self.directory = directory
        command = [BINARY, f"--plugin={PLUGINS}/downcase.wasm", "--http=127.0.0.1:0", "--admin=127.0.0.1:0"]
        command += ["--publish=none", "--frontend=none"]
        self.process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.places = {}
        for line in self.process.stdout:
            if line == "ready\n":
                break
            name, place = line.split(maxsplit=1)
            self.places[name] = place.strip()
        else:
            raise RuntimeError("the host did not get ready")
        self.run("start")

    def run(self, *arguments):
        """Runs a command of captures."""
        admin = self.places["admin"].removeprefix("http://")
        command = [BINARY, "capture", *arguments, f"--admin={admin}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)

    def ask(self, number):
        """Sends a request, and is sure of its answer."""
        url = f"{self.places['route'].rstrip('/')}/?param=Number{number}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            assert answer.read().decode() == f"lower case of Number{number} is number{number}"

    def file(self):
        """The one file of its captures."""
        (file,) = (self.directory / "captures").glob("*.mcap")
        return file


def numbers(messages):
    """The numbers of the requests that are in a file, each with the answer that it had."""
    found = []
    for _schema, _channel, _message, record in messages:
        number = int(record.frames[-1].decode().removeprefix("Number"))
        (output,) = record.call.answer.outputs
        assert output.frames[-1].decode() == f"lower case of Number{number} is number{number}"
        found.append(number)
    return found


def stopped(directory):
    """A capture that was stopped has everything, and its summary says so."""
    host = Host(directory)
    for number in range(REQUESTS):
        host.ask(number)
    host.run("stop", "1")
    with host.file().open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        assert summary.statistics.message_count == REQUESTS, summary.statistics
        assert numbers(reader.iter_decoded_messages()) == list(range(REQUESTS))
    host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(PATIENCE) == 0


def killed(directory):
    """The capture of a host that was killed lacks no more than the last second."""
    host = Host(directory)
    sent, number = [], 0
    began = time.monotonic()
    while time.monotonic() - began < 3:
        host.ask(number)
        sent.append((time.monotonic(), number))
        number += 1
    host.process.send_signal(signal.SIGKILL)
    at = time.monotonic()
    host.process.wait(PATIENCE)
    due = [number for answered, number in sent if answered < at - 1]
    with host.file().open("rb") as file:
        reader = NonSeekingReader(file, decoder_factories=[DecoderFactory()])
        found = []
        messages = reader.iter_decoded_messages(log_time_order=False)
        try:
            for message in messages:
                found += numbers([message])
        except Exception as cut_off:  # The reader's word for a file without an end.
            print(f"  the file ends with {type(cut_off).__name__}")
    assert found == list(range(len(found))) and len(found) >= len(due), (len(found), len(due), len(sent))
    print(f"  {len(sent)} answered, {len(found)} in the file, {len(due)} older than a second")


def main():
    for check in [stopped, killed]:
        with tempfile.TemporaryDirectory() as directory:
            check(Path(directory))
        print(f"captures {check.__name__}: ok", flush=True)


main()
