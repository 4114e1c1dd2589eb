"""The message sequences of the protocols, every frame in both directions, as the captures in docs/workers.md have them."""

import contextlib
import re
import time

import zmq

from host import DOCS, Host, wait_until
from protocol import (
    DISCONNECT_1, HEARTBEAT, HEARTBEAT_1, HEARTBEAT_OF_PPP, MDP1, MDP2, PARTIAL, READY, READY_OF_PPP, REPLY_1,
)
from raw import Mdp2, RawWorker

CAPTURE = re.compile(r"^```text ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BODY, SCORE = b"HeLLo", b"score of HeLLo is 5"


def _line(direction, frames, token):
    """Text as it is, in quotes; other bytes in hexadecimal; the token as T."""
    def shown(frame):
        if frame == token:
            return "T"
        is_text = all(0x20 <= byte < 0x7F for byte in frame)
        return f'"{frame.decode()}"' if is_text else frame.hex()

    return " ".join([direction, *map(shown, frames)])


def _check(name, worker, token, heartbeat=None):
    """Compares what went to and fro with the capture of this name. A heartbeat of the host may come at any time."""
    captures = dict(CAPTURE.findall((DOCS / "workers.md").read_text()))
    # What stands behind two spaces is said about the frames.
    expected = [line.split("  ")[0] for line in captures[name].splitlines()]
    came = [_line(direction, frames, token) for direction, frames in worker.frames]
    if heartbeat:
        beat = _line("<", heartbeat, token)
        assert beat in came and beat in expected, (beat, came)
        expected, came = ([line for line in lines if line != beat] for lines in (expected, came))
    assert came == expected, "\n".join(["came:", *came, "expected:", *expected])


def mdp_2():
    with Host() as host, Mdp2(host.endpoint) as worker:
        asked = host.ask_meanwhile(BODY)
        token, body = worker.request()
        assert body == [BODY] and token.isascii(), (token, body)
        worker.answer(token, b"score of ", command=PARTIAL)
        worker.answer(token, b"HeLLo is 5")
        assert asked.result()[::2] == (200, SCORE), asked.value
        while worker.receive() != [MDP2, HEARTBEAT]:
            pass
        worker.send(MDP2, HEARTBEAT)
        host.drain(host.wait_workers(1, "mdp-0.2")[0]["id"])
        assert worker.is_dismissed()
        _check("mdp-0.2", worker, token, [MDP2, HEARTBEAT])


def mdp_1():
    with Host() as host, RawWorker(host.endpoint) as worker:
        worker.send(b"", MDP1, READY, b"score")
        asked = host.ask_meanwhile(BODY)
        *_, token, _, body = worker.receive_but(b"", MDP1, HEARTBEAT_1)
        worker.send(b"", MDP1, REPLY_1, token, b"", SCORE)
        assert asked.result()[::2] == (200, SCORE), asked.value
        while worker.receive() != [b"", MDP1, HEARTBEAT_1]:
            pass
        worker.send(b"", MDP1, HEARTBEAT_1)
        host.drain(host.wait_workers(1, "mdp-0.1")[0]["id"])
        assert worker.receive_but(b"", MDP1, HEARTBEAT_1) == [b"", MDP1, DISCONNECT_1], worker.frames
        _check("mdp-0.1", worker, token, [b"", MDP1, HEARTBEAT_1])


def ppp():
    with Host() as host, RawWorker(host.endpoint) as worker:
        worker.send(READY_OF_PPP)
        asked = host.ask_meanwhile(BODY)
        token, *_ = worker.receive_but(HEARTBEAT_OF_PPP)
        worker.send(token, b"", SCORE)
        assert asked.result()[::2] == (200, SCORE), asked.value
        while worker.receive() != [HEARTBEAT_OF_PPP]:
            pass
        worker.send(HEARTBEAT_OF_PPP)
        host.wait_workers(1, "ppp")
        _check("ppp", worker, token, [HEARTBEAT_OF_PPP])


def req():
    """What libzmq adds for a REQ is seen by a DEALER that adds it by itself."""
    with Host() as host, RawWorker(host.endpoint) as worker:
        worker.send(b"", b"READY")
        asked = host.ask_meanwhile(BODY)
        _, token, *_ = worker.receive()
        worker.send(b"", token, b"", SCORE)
        assert asked.result()[::2] == (200, SCORE), asked.value
        host.wait_workers(1, "req")
        _check("req", worker, token)


def rep():
    """Likewise what libzmq keeps from a REP is seen by a ROUTER, behind the identity that this one gives the host."""
    with Host(protocol="rep") as host, RawWorker(host.endpoint, kind=zmq.ROUTER) as worker:
        asked = host.ask_meanwhile(BODY)
        of_host, *frames = worker.receive()
        worker.frames[-1] = ("<", frames)
        worker.socket.send_multipart([of_host, frames[0], b"", SCORE])
        worker.frames.append((">", [frames[0], b"", SCORE]))
        assert asked.result()[::2] == (200, SCORE), asked.value
        _check("rep", worker, frames[0])


def ready_as_a_byte():
    """What some of the Guide's examples say in place of the word."""
    with Host() as host, RawWorker(host.endpoint) as worker:
        worker.send(b"", b"\x01")
        host.wait_workers(1, "req")


def parts_become_chunks():
    """Each part of an answer arrives while the worker works on the next one."""
    with Host() as host, Mdp2(host.endpoint) as worker:
        connection = host.connection()
        connection.request("POST", "/score/", BODY)
        token, _ = worker.request()
        worker.answer(token, b"one", command=PARTIAL)
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read(3) == b"one"
        worker.answer(token, b"two", command=PARTIAL)
        assert answer.read(3) == b"two"
        worker.answer(token)
        assert answer.read() == b""
        connection.close()
        # From the frontend they are several replies.
        client = host.client()
        client.send(BODY)
        token, _ = worker.request()
        worker.answer(token, b"one", command=PARTIAL)
        worker.answer(token, b"two", b"frames")
        assert [client.recv_multipart() for _ in range(2)] == [[b"one"], [b"two", b"frames"]]
        # And none is none.
        client.send(BODY)
        token, _ = worker.request()
        worker.answer(token)
        asked = host.ask_meanwhile(BODY)
        token, _ = worker.request()
        worker.answer(token)
        assert asked.result()[::2] == (204, b"") and not client.poll(100)
        client.close()
        host.settled_hops()


def heartbeats_stop_with_the_worker():
    """The host sends heartbeats as long as those of the worker come, and then takes it for gone."""
    with Host(heartbeat_ms=100) as host, Mdp2(host.endpoint) as worker:
        begun = time.monotonic()
        assert worker.receive() == [MDP2, HEARTBEAT]
        host.wait_workers(0)
        silent = time.monotonic() - begun
        assert 0.3 <= silent < 5, silent
        while worker.socket.poll(300):
            assert worker.receive() == [MDP2, HEARTBEAT], worker.frames
        # At 100, 200 and 300 ms, on a machine that is not busy.
        assert 1 <= len(worker.frames) - 1 <= 4, worker.frames
        # It has not noticed, and is told to begin anew.
        worker.send(MDP2, HEARTBEAT)
        assert worker.is_dismissed()


def busy_is_not_ready():
    """A worker that has a message gets no second one, however it heartbeats."""
    with Host() as host, Mdp2(host.endpoint) as first, Mdp2(host.endpoint) as second:
        host.wait_workers(2)
        asked = [host.ask_meanwhile(b"%d" % number) for number in range(3)]
        held = [(worker, *worker.request()) for worker in (first, second)]
        wait_until(lambda: host.pool()["queue_messages"] == 1, "one message that waits")
        for _ in range(5):
            first.send(MDP2, HEARTBEAT)
            second.send(MDP2, HEARTBEAT)
            time.sleep(0.05)
        pool = host.pool()
        assert (pool["idle"], pool["busy"], pool["queue_messages"], pool["in_flight"]) == (0, 2, 1, 2), pool
        worker, token, body = held[1]
        worker.answer(token, *body)
        token, body = worker.request()
        worker.answer(token, *body)
        worker, token, body = held[0]
        worker.answer(token, *body)
        assert sorted(one.result()[2] for one in asked) == [b"0", b"1", b"2"]


def the_least_recently_used_is_next():
    with Host() as host, contextlib.ExitStack() as stack:
        workers = []
        for count in range(1, 4):
            workers.append(stack.enter_context(Mdp2(host.endpoint)))
            host.wait_workers(count)
        for turn in range(6):
            asked = host.ask_meanwhile(BODY)
            token, body = workers[turn % 3].request()
            workers[turn % 3].answer(token, *body)
            assert asked.result()[::2] == (200, BODY)
