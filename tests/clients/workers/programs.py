"""The workers of docs/, each as it stands there, by HTTP and from the frontend."""

import contextlib
import functools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import zmq

from host import DOCS, Host, python, running, wait_until
from raw import Mdp2

ASKED = 20
BLOCK = re.compile(r"^```python ([\w-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What is built or taken out of a page, until the end.
PLACE = tempfile.TemporaryDirectory()


@functools.cache
def _block(name):
    """A program of docs/workers.md, in a file of its own."""
    blocks = dict(BLOCK.findall((DOCS / "workers.md").read_text()))
    path = Path(PLACE.name, f"{name}.py")
    path.write_text(blocks[name])
    return path


@functools.cache
def _in_c():
    program = Path(PLACE.name, "worker-c")
    flags = ["-Wall", "-Wextra", "-Werror", "-o", program, DOCS / "workers/worker.c", "-lzmq"]
    subprocess.run(["cc", *flags], check=True)
    return program


@functools.cache
def _in_rust():
    folder = Path(PLACE.name, "rust")
    (folder / "src").mkdir(parents=True)
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "worker"\nversion = "0.1.0"\nedition = "2024"\n[workspace]\n[dependencies]\nzmq = "0.10"\n'
    )
    (folder / "src/main.rs").write_text((DOCS / "workers/worker.rs").read_text())
    subprocess.run(["cargo", "build", "--quiet"], cwd=folder, check=True)
    return folder / "target/debug/worker"


def _answers(host, score=b"score of %s is %d"):
    """Asks by HTTP and from the frontend, and compares what comes back."""
    bodies = [b"x" * number for number in range(1, ASKED)] + [b"", bytes(range(256))]
    with contextlib.closing(host.connection()) as connection:
        for body in bodies:
            status, _, answer = host.ask(body, connection=connection)
            assert (status, answer) == (200, score % (body, len(body))), (status, answer)
    with contextlib.closing(host.client(b"a client")) as client:
        for body in bodies:
            client.send_multipart([b"", b"more", body])
        got = [client.recv_multipart() for _ in bodies]
        # Several workers may answer in another order.
        assert sorted(got) == sorted([b"", score % (body, len(body))] for body in bodies), got
        assert not client.poll(50), "there is a reply too many"
    hops = host.settled_hops()
    assert hops["workers.score"]["in"] == hops["workers.score"]["out"] == 2 * len(bodies), hops
    assert hops["workers.score.answers"]["out"] == 2 * len(bodies), hops


def _alone(spoken, *command, **pool):
    with Host(**pool) as host, running(*command, host.endpoint):
        host.wait_workers(1, spoken)
        _answers(host)


def mdp_in_python():
    with Host() as host:
        with python("mdp.py", host.endpoint) as worker:
            host.wait_workers(1, "mdp-0.2")
            _answers(host)
            worker.terminate()
            assert worker.wait(timeout=20) == 0
        # It has said so, and was not waited for.
        host.wait_workers(0)


def ppp_in_python():
    _alone("ppp", sys.executable, DOCS / "workers/ppp.py")


def req_in_python():
    _alone("req", sys.executable, DOCS / "workers/req.py")


def rep_in_python():
    _alone("rep", sys.executable, DOCS / "workers/rep.py", protocol="rep")


def five_lines():
    with Host() as host:
        path = _block("five-lines")
        path.write_text(path.read_text().replace("tcp://127.0.0.1:5571", host.endpoint))
        with running(sys.executable, path):
            for text in [b"HeLLo", b"Moin"]:
                status, _, answer = host.ask(text)
                assert (status, answer) == (200, b"score of %s is %d" % (text, len(text))), answer


def mdp_in_c():
    _alone("mdp-0.2", _in_c())


def mdp_in_rust():
    _alone("mdp-0.2", _in_rust())


def all_protocols_in_one_pool():
    with Host() as host, contextlib.ExitStack() as workers:
        for name in ["mdp.py", "ppp.py", "req.py"]:
            workers.enter_context(python(name, host.endpoint))
        workers.enter_context(running(_in_c(), host.endpoint))
        wait_until(lambda: len(host.pool()["workers"]) == 4, lambda: f"there are {host.pool()['workers']}")
        _answers(host)
        pool = host.pool()
        assert sorted(worker["protocol"] for worker in pool["workers"]) == ["mdp-0.2", "mdp-0.2", "ppp", "req"], pool
        # Who has waited the longest is next, so nobody is left out.
        assert all(worker["done"] > 0 for worker in pool["workers"]), pool


def another_service_is_refused():
    with Host() as host, python("mdp.py", host.endpoint, "other"):
        wait_until(lambda: host.metric("workers_commands_refused_total", reason="wrong-service") > 0, "refused")
        assert host.pool()["workers"] == []


def with_curve():
    """Where the host has a key, a worker needs one that is on its list, and is shown with it."""
    with Host(curve=True) as host:
        unknown, known = zmq.curve_keypair(), host.keys.worker
        with Mdp2(host.endpoint), Mdp2(host.endpoint, curve=(host.keys.host, unknown)):
            wait_until(lambda: host.metric("socket_handshakes_refused_total", socket="workers.score") >= 2, "refused")
            with Mdp2(host.endpoint, curve=(host.keys.host, known)) as worker:
                asked = host.ask_meanwhile(b"HeLLo")
                token, body = worker.request()
                worker.answer(token, *body)
                assert asked.result()[::2] == (200, b"HeLLo")
                (seen,) = host.pool()["workers"]
                assert seen["key"].encode() == known[0] and seen["address"].startswith("127.0.0.1:"), seen
                host.keys.remove_worker()
                host.wait_workers(0)


def codec_http():
    """The handler of docs/workers.md, which is told of the request and says status and headers."""
    with Host(codec="http", route={"headers": ["x-in"], "response_headers": ["x-out"]}) as host:
        path = _block("http-worker")
        path.write_text(path.read_text().replace("tcp://127.0.0.1:5571", host.endpoint))
        with running(sys.executable, path):
            status, headers, body = host.ask(b"HeLLo", method="PUT", path="/score/?a=1&b=%C3%A4", headers=[("x-in", "7")])
            assert (status, headers["content-type"], headers["x-out"]) == (201, "application/json", "1"), (status, headers)
            head, size = json.loads(body)
            assert size == 5 and head["method"] == "PUT" and head["path"] == "/score/", head
            assert head["query"] == "a=1&b=%C3%A4" and ["x-in", "7"] in head["headers"] and head["id"], head
            assert "attempt" not in head, head


def pushpins_handler():
    route = {"response_headers": ["x-handler"]}
    with Host(protocol="rep", codec="zhttp", route=route) as host, python("zhttp-handler.py", host.endpoint):
        status, headers, body = host.ask(b"HeLLo", path="/score/?a=b")
        url = host.places["http"].encode() + b"/score/?a=b"
        assert (status, body) == (200, b"POST %s has 5 bytes\n" % url), (status, body)
        assert (headers["content-type"], headers["x-handler"]) == ("text/plain", "zhttp"), headers.items()
        assert host.settled_hops()["workers.score"]["out"] == 1


def _clients_of_the_demo(host, requests=6):
    """Three clients as the demo has them: what came back for each of their requests."""
    clients = [host.client(b"worker-%d" % number) for number in range(3)]
    try:
        for number in range(requests):
            for client in clients:
                client.send(b"request #%d" % number)
        wait_until(lambda: host.hops()["policy"]["in"] == requests * len(clients), "all of them there")
        hops = host.settled_hops()
        replies = [[] for _ in clients]
        for client, got in zip(clients, replies):
            while client.poll(200):
                got.append(client.recv_multipart())
        for got in replies:
            counts = {number: got.count([b"request #%d" % number]) for number in range(requests)}
            assert sum(counts.values()) == len(got) and max(counts.values()) <= 4, got
        total = sum(map(len, replies))
        assert hops["reply"]["in"] == total and total > 0, (total, hops)
        return total, hops
    finally:
        for client in clients:
            client.close()


def the_demos_own_shape():
    """Five workers with the demo's ServerWorker, and beside it the same with the plugin `random-replies`."""
    with Host(deadline_ms=60_000, wait_ms_max=60_000) as host, python("demo.py", host.endpoint):
        host.wait_workers(5, "mdp-0.2")
        by_workers, hops = _clients_of_the_demo(host)
        assert hops["workers.score"]["in"] == hops["workers.score"]["out"] == 18, hops
    with Host(policy="random-replies") as host:
        by_plugin, hops = _clients_of_the_demo(host)
        assert hops["policy"]["in"] == hops["policy"]["out"] == 18, hops
    return f"{by_workers} replies by workers, {by_plugin} by the plugin"
