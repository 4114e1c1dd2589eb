"""Workers that do what they must not: nobody else notices, the host lives, and the sums agree."""

import contextlib
import signal
import time

from host import Host, python, wait_until
from protocol import DISCONNECT, FINAL, HEARTBEAT, MDP1, MDP2, PARTIAL, READY, READY_OF_PPP
from raw import Mdp2, RawWorker

BODY, SCORE = b"HeLLo", b"score of HeLLo is 5"


@contextlib.contextmanager
def _with_others(**pool):
    """A host with a worker that does its work, and is asked again at the end."""
    with Host(**pool) as host:
        yield host
        host.wait_workers(0)
        with python("mdp.py", host.endpoint):
            for _ in range(5):
                assert host.ask(BODY)[::2] == (200, SCORE)
        hops = host.settled_hops()
        for name in ("workers.score", "workers.score.answers"):
            hop = hops[name]
            assert hop["in"] == hop["out"] + sum(hop["dropped"].values()), (name, hop)


def _unexpected(host):
    return host.dropped("workers.score.answers", "unexpected")


def _refused(host, reason):
    return host.metric("workers_commands_refused_total", reason=reason)


def ready_twice():
    with _with_others() as host:
        with Mdp2(host.endpoint) as worker:
            host.wait_workers(1)
            worker.send(MDP2, READY, b"score")
            assert worker.is_dismissed()
            assert host.pool()["workers"] == [] and _refused(host, "unexpected") == 1
            # After DISCONNECT it is told nothing more, whatever it says but READY.
            worker.send(MDP2, HEARTBEAT)
            assert not worker.socket.poll(200), worker.receive()
        # Paranoid Pirate begins anew so.
        with RawWorker(host.endpoint) as worker:
            worker.send(READY_OF_PPP).send(READY_OF_PPP)
            # The number of the one that said so for the second time.
            wait_until(lambda: [one["id"] for one in host.pool()["workers"]] == [3], lambda: f"{host.pool()}")
            host.wait_workers(1, "ppp")


def ready_twice_with_a_message_in_hand():
    """What it had goes to another one."""
    with _with_others(retry="always") as host, Mdp2(host.endpoint) as worker:
        asked = host.ask_meanwhile(BODY)
        worker.request()
        worker.send(MDP2, READY, b"score")
        assert worker.is_dismissed()
        with Mdp2(host.endpoint) as other:
            token, body = other.request()
            other.answer(token, SCORE)
            assert asked.result()[::2] == (200, SCORE)


def answers_twice():
    with _with_others() as host, Mdp2(host.endpoint) as worker:
        asked = host.ask_meanwhile(BODY)
        token, _ = worker.request()
        worker.answer(token, SCORE)
        worker.answer(token, b"another")
        assert asked.result()[::2] == (200, SCORE)
        assert worker.is_dismissed() and _unexpected(host) == 1


def answers_twice_from_the_frontend():
    with _with_others() as host, Mdp2(host.endpoint) as worker, contextlib.closing(host.client()) as client:
        client.send(BODY)
        token, _ = worker.request()
        worker.answer(token, SCORE)
        worker.answer(token, b"another")
        assert client.recv_multipart() == [SCORE] and not client.poll(200)
        assert _unexpected(host) == 1


def answers_a_strangers_request():
    """Only who has a message can answer it. Who tries is told to go, and what it had itself goes to another one."""
    with _with_others(retry="always") as host, Mdp2(host.endpoint) as honest, Mdp2(host.endpoint) as liar:
        host.wait_workers(2)
        asked = [host.ask_meanwhile(b"%d" % number) for number in range(2)]
        (held, body), _ = honest.request(), liar.request()
        liar.answer(held, b"a lie")
        assert liar.is_dismissed() and _unexpected(host) == 1
        honest.answer(held, *body)
        token, body = honest.request()
        honest.answer(token, *body)
        assert sorted(one.result()[2] for one in asked) == [b"0", b"1"]


def answers_what_nobody_asked():
    with _with_others() as host, Mdp2(host.endpoint) as worker:
        for token in (b"999999", b"", b"\xff" * 300, b"-1", b"18446744073709551616"):
            worker.answer(token, b"a lie")
        assert worker.is_dismissed()
        # The others come from one who was told to go already.
        wait_until(lambda: sum(host.hops()["workers.score.answers"]["dropped"].values()) == 5, "counted")


def unknown_commands():
    with _with_others() as host:
        for frames in (
            [MDP2, b"\x09"], [MDP2, b""], [MDP2, b"\x05\x05"], [MDP2], [b""], [b"GET / HTTP/1.1"], [MDP1, HEARTBEAT],
        ):
            with Mdp2(host.endpoint) as worker:
                host.wait_workers(1)
                worker.send(*frames)
                assert worker.is_dismissed(), frames
                host.wait_workers(0)
        assert _refused(host, "malformed") == 7


def malformed_frames():
    with _with_others() as host:
        for frames in (
            [MDP2, FINAL], [MDP2, FINAL, b"1"], [MDP2, FINAL, b"1", b"no delimiter", b"a"], [MDP2, HEARTBEAT, b"more"],
            [MDP2, READY], [MDP2, READY, b"score", b"more"], [MDP2, DISCONNECT, b""], [MDP2, FINAL] + 100 * [b""],
        ):
            with Mdp2(host.endpoint) as worker:
                host.wait_workers(1)
                worker.send(*frames)
                assert worker.is_dismissed(), frames
                host.wait_workers(0)


def strangers():
    """Who never says anything that is right becomes no worker, and is told nothing."""
    with _with_others() as host:
        sent = 0
        for frames in ([b""], [b"hello"], 3 * [b""], [b"MDPW03", READY, b"score"], [b"\x00" * 100_000], 60 * [b"x"]):
            with RawWorker(host.endpoint) as stranger:
                stranger.send(*frames)
                sent += 1
                wait_until(lambda: _refused(host, "unknown-protocol") == sent, lambda: f"{frames[0][:9]} is not counted")
                assert not stranger.socket.poll(50), stranger.receive()
        assert host.pool()["workers"] == []


def a_hundred_megabytes():
    """A frame that is larger than one may be ends the connection, and no other worker is asked for the same."""
    with _with_others(retry="always") as host, Mdp2(host.endpoint) as worker:
        asked = host.ask_meanwhile(BODY)
        token, _ = worker.request()
        worker.answer(token, bytes(100 << 20))
        assert asked.result()[0] == 502
        host.wait_workers(0)
        assert host.dropped("workers.score", "over-output") == 1 and host.pool()["retries"] == 0
        with Mdp2(host.endpoint) as other:
            asked = host.ask_meanwhile(BODY)
            token, _ = other.request()
            other.answer(token, SCORE)
            assert asked.result()[::2] == (200, SCORE)


def an_answer_over_its_bound():
    with _with_others(answer_bytes_max=1000) as host, Mdp2(host.endpoint) as worker:
        asked = host.ask_meanwhile(BODY)
        token, _ = worker.request()
        worker.answer(token, bytes(1001))
        assert asked.result()[0] == 502
        # All parts together, where they are gathered.
        with contextlib.closing(host.client()) as client:
            client.send(BODY)
            token, _ = worker.request()
            for _ in range(11):
                worker.answer(token, bytes(100), command=PARTIAL)
            worker.answer(token)
            wait_until(lambda: host.dropped("workers.score", "over-output") == 2, "counted")
            assert not client.poll(50), client.recv_multipart()
        # It goes on to work.
        asked = host.ask_meanwhile(BODY)
        token, _ = worker.request()
        worker.answer(token, bytes(1000))
        assert asked.result()[::2] == (200, bytes(1000))


def never_reads():
    """It has as many messages as it may, and no more; they are over their deadline, and others are answered meanwhile."""
    body = bytes(1 << 20)
    with _with_others(deadline_ms=2_000, in_flight_per_worker_max=20) as host, Mdp2(host.endpoint, receive_hwm=1) as worker:
        host.wait_workers(1)
        held = [host.ask_meanwhile(body) for _ in range(20)]
        wait_until(lambda: host.pool()["in_flight"] == 20, "as many as it may have")
        with python("mdp.py", host.endpoint):
            begun = time.monotonic()
            assert host.ask(BODY)[::2] == (200, SCORE)
            assert time.monotonic() - begun < 2, "others had to wait for it"
            statuses = {one.result()[0] for one in held}
            # 504 where it has them; where its connection was full, it is taken for lost.
            assert statuses <= {502, 504}, statuses
        worker.send(MDP2, DISCONNECT)


def floods_heartbeats():
    """It is cut off, and what it had goes to another one."""
    with _with_others(retry="always") as host, Mdp2(host.endpoint) as worker:
        asked = host.ask_meanwhile(BODY)
        worker.request()
        with python("mdp.py", host.endpoint):
            host.wait_workers(2)
            deadline = time.monotonic() + 20
            while _refused(host, "flood") == 0:
                assert time.monotonic() < deadline, "it is not cut off"
                for _ in range(1000):
                    worker.socket.send_multipart([MDP2, HEARTBEAT])
                assert host.ask(BODY)[::2] == (200, SCORE)
            assert asked.result()[::2] == (200, SCORE)


def hangs():
    """A worker that is stopped keeps what it had until its silence shows; then another one gets it."""
    with _with_others(retry="always", deadline_ms=60_000) as host, python("mdp.py", host.endpoint) as hung:
        host.wait_workers(1)
        hung.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        asked = host.ask_meanwhile(BODY)
        wait_until(lambda: host.pool()["in_flight"] == 1, "with the worker that hangs")
        with python("mdp.py", host.endpoint):
            for _ in range(5):
                assert host.ask(BODY)[::2] == (200, SCORE)
            assert time.monotonic() - begun < 3, "others had to wait for it"
            assert asked.result()[::2] == (200, SCORE)
            assert time.monotonic() - begun < 10, "it was waited for too long"
            assert host.pool()["retries"] == 1
            # Woken, it begins anew, whether it is told to or notices the silence.
            hung.send_signal(signal.SIGCONT)
            host.wait_workers(2)


def takes_anothers_identity():
    """The identity alone makes nobody the worker that had it before."""
    with _with_others(retry="always") as host, Mdp2(host.endpoint, identity=b"same") as first:
        asked = host.ask_meanwhile(BODY)
        token, _ = first.request()
        with Mdp2(host.endpoint, identity=b"same") as second:
            again, body = second.request()
            assert again != token
            second.answer(again, SCORE)
            assert asked.result()[::2] == (200, SCORE)


def a_thousand_strangers():
    """Those who come and go leave nothing behind."""
    with _with_others() as host:
        for number in range(1000):
            with RawWorker(host.endpoint) as stranger:
                # What it has sent goes out, though it has gone.
                stranger.socket.linger = -1
                stranger.send(*([MDP2, READY, b"score"] if number % 2 else [b"hello"]))
        wait_until(lambda: _refused(host, "unknown-protocol") == 500, "500 that are counted")
        wait_until(lambda: host.metric("workers_lost_total") == 500, "500 that are lost")
        assert host.pool()["workers"] == []
