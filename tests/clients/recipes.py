"""Runs the recipes of docs/recipes.md as they stand there, and holds each configuration to the script that it replaces.

usage: recipes.py TIDEGATE PLUGINS DOCS
TIDEGATE is the binary, PLUGINS the directory with the components. Builds the page's plugins, which takes what
`tidegate plugin build` needs for Python. Between the same peers the script runs first and then the host, on ports that are
free: the same has to come out. Prints one line per recipe.
"""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import zmq

PATIENCE_SECONDS = 180
BINARY, PLUGINS, DOCS = (Path(argument).resolve() for argument in sys.argv[1:])
BLOCK = re.compile(r"^```(python|toml) ([\w ]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {(language, name): text for language, name, text in BLOCK.findall((DOCS / "recipes.md").read_text())}
PORT = re.compile(r"\b56\d\d\b")
CONTEXT = zmq.Context()


def free_ports(text):
    """A free port for each that the text names."""
    ports = sorted(set(PORT.findall(text)))
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in ports]
    free = {port: str(listener.getsockname()[1]) for port, listener in zip(ports, taken)}
    for listener in taken:
        listener.close()
    return free


def build(folder):
    """The page's plugins, built one after the other in one folder, so that their packages are installed once."""
    project, built = folder / "plugin", folder / "built"
    built.mkdir()
    subprocess.run([BINARY, "plugin", "new", "plugin", "--lang", "python"], cwd=folder, check=True, capture_output=True)
    names = [name.split()[1] for language, name in BLOCKS if language == "python" and name.startswith("plugin ")]
    for name in names:
        (project / "app.py").write_text(BLOCKS["python", f"plugin {name}"])
        (project / "examples.toml").write_text(BLOCKS["toml", f"examples {name}"])
        component = built / f"{name}.wasm"
        subprocess.run([BINARY, "plugin", "build", project, "-o", component], check=True, capture_output=True)
        subprocess.run([BINARY, "plugin", "test", component], check=True, capture_output=True)
    shutil.copy(PLUGINS / "downcase.wasm", built)
    return built


class Peer:
    """A socket on the other side of one that a recipe names by its port."""

    def __init__(self, kind, port, subscribe=None, bind=False):
        self.socket = CONTEXT.socket(kind)
        self.socket.linger, self.socket.rcvtimeo, self.socket.sndtimeo = 0, 1000 * PATIENCE_SECONDS, 1000 * PATIENCE_SECONDS
        if subscribe is not None:
            self.socket.subscribe(subscribe)
        (self.socket.bind if bind else self.socket.connect)(f"tcp://127.0.0.1:{port}")

    def send(self, *frames):
        self.socket.send_multipart(frames)

    def receive(self):
        return self.socket.recv_multipart()

    def begin(self, send):
        """Sends until something comes, since a subscription takes its time, and then takes all of it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.socket.poll(50):
            assert time.monotonic() < deadline, "no subscription arrives"
            send(b"begin")
        send(b"end")
        while b"end" not in self.receive()[-1]:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def relay(ports):
    with Peer(zmq.PUB, ports["5601"], bind=True) as source, Peer(zmq.SUB, ports["5602"], b"news") as lower:
        lower.begin(lambda word: source.send(b"news", word))
        source.send(b"other", b"Nobody Wants This")
        source.send(b"news", b"HeLLo")
        return [lower.receive()]


def queue(ports):
    with Peer(zmq.PUSH, ports["5603"]) as incoming, Peer(zmq.PULL, ports["5604"]) as checked:
        for order in [b'{"amount": 3}', b'{"amount": 0}', b"{}", b"no JSON", b'{"amount": 4}']:
            incoming.send(b"shop", order)
        return [checked.receive(), checked.receive()]


def splitter(ports):
    with Peer(zmq.PUSH, ports["5605"]) as batches, Peer(zmq.SUB, ports["5606"], b"EUR") as prices:
        prices.begin(lambda word: batches.send(b"EUR " + word))
        batches.send(b"EUR 1.07\nUSD 0.93\nEUR 1.08\n")
        return [prices.receive(), prices.receive()]


def intake(ports):
    def post(body):
        request = urllib.request.Request(f"http://127.0.0.1:{ports['5608']}/orders/", body, {"x-shop": "north"})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, None

    with Peer(zmq.PULL, ports["5607"]) as orders:
        deadline = time.monotonic() + PATIENCE_SECONDS
        answer = None
        # Until the surface is there, and the peer with it.
        while answer is None or answer[0] == 503:
            assert time.monotonic() < deadline, answer
            try:
                answer = post(b'{"amount": 3}')
            except urllib.error.URLError:
                time.sleep(0.01)
        return [answer, orders.receive(), post(b'{"amount": 0}'), post(b'{"amount": 4}'), orders.receive()]


RECIPES = [relay, queue, splitter, intake]
# What is put aside.
LETTERS = {queue: 3}


def run(recipe, command, text, name, folder, ports):
    """What comes out of a recipe while this command runs with a file of this text, and how much was put aside."""
    for shown, free in ports.items():
        text = re.sub(rf"\b{shown}\b", free, text)
    (folder / name).write_text(text)
    letters, log = folder / "dead-letters.jsonl", (folder / "log").open("w+")
    process = subprocess.Popen([*command, name], cwd=folder, stdout=log, stderr=log)

    def put_aside():
        return letters.read_text().count("\n") if letters.exists() else 0

    try:
        came = recipe(ports)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while put_aside() < LETTERS.get(recipe, 0):
            assert time.monotonic() < deadline, "what is put aside is not there"
            time.sleep(0.01)
        assert process.poll() is None, "it has ended"
        return came, put_aside()
    except Exception as error:
        log.seek(0)
        raise RuntimeError(f"{command[0]} did not do it:\n{log.read()}") from error
    finally:
        process.terminate()
        process.wait()


def main():
    with tempfile.TemporaryDirectory() as place:
        built = build(Path(place))
        for recipe in RECIPES:
            name = recipe.__name__
            script, config = BLOCKS["python", name], BLOCKS["toml", name]
            assert set(PORT.findall(script)) == set(PORT.findall(config)), f"{name}: not the same ports"
            came = []
            for command, text, file in [
                ([sys.executable], script, "script.py"),
                ([BINARY, "--admin=none", f"--cache={place}/cache", "--config"], config, "tidegate.toml"),
            ]:
                folder = Path(place) / f"{name} {file}"
                folder.mkdir()
                (folder / "plugins").symlink_to(built)
                came.append(run(recipe, command, text, file, folder, free_ports(script)))
            assert came[0] == came[1], f"{name}: {came[0]} by the script, and {came[1]} by the host"
            print(f"{name}: {came[1][0]}", flush=True)


main()
