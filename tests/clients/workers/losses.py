"""What becomes of messages that no worker answers: each case of the table in docs/workers.md."""

import contextlib
import json

from host import Host, wait_until
from protocol import PARTIAL
from raw import Mdp2

BODY, SCORE = b"HeLLo", b"score of HeLLo is 5"


def what_the_worker_is_late_with():
    """Over its deadline a message is answered 504; what comes then is counted and not delivered."""
    with Host(deadline_ms=200) as host, Mdp2(host.endpoint) as worker:
        asked = host.ask_meanwhile(BODY)
        token, _ = worker.request()
        status, *_ = asked.result()
        assert status == 504, status
        worker.answer(token, SCORE)
        wait_until(lambda: host.dropped("workers.score.answers", "late") == 1, "counted as late")
        # It is ready again.
        asked = host.ask_meanwhile(BODY)
        token, _ = worker.request()
        worker.answer(token, SCORE)
        assert asked.result()[::2] == (200, SCORE)
        hops = host.settled_hops()
        assert hops["workers.score"]["dropped"] == {"deadline-exceeded": 1}, hops
        assert [letter["reason"] for letter in host.letters()] == ["deadline-exceeded"]


def nobody_is_there():
    """Without a worker: 503 with Retry-After once `wait_ms_max` is over, and no dead letter."""
    with Host(wait_ms_max=100) as host:
        status, headers, _ = host.ask(BODY)
        assert status == 503 and int(headers["retry-after"]) > 0, (status, headers.items())
        assert host.settled_hops()["workers.score"]["dropped"] == {"no-worker": 1} and host.letters() == []


def the_queue_is_full():
    """A message that finds no room is answered 503 at once."""
    with Host(queue_messages_max=2, wait_ms_max=30_000) as host:
        waiting = [host.ask_meanwhile(BODY) for _ in range(2)]
        wait_until(lambda: host.pool()["queue_messages"] == 2, "two messages that wait")
        status, headers, _ = host.ask(BODY)
        assert status == 503 and int(headers["retry-after"]) > 0, (status, headers.items())
        with Mdp2(host.endpoint) as worker:
            for _ in waiting:
                token, _ = worker.request()
                worker.answer(token, SCORE)
            assert [one.result()[0] for one in waiting] == [200, 200]
        assert host.settled_hops()["workers.score"]["dropped"] == {"queue-full": 1}


def what_is_sent_again():
    """By default what may be done twice: another worker gets a PUT that the first one had, and a POST is lost."""
    with Host() as host:
        for method, status in [("GET", 200), ("HEAD", 200), ("PUT", 200), ("POST", 502), ("DELETE", 502)]:
            with Mdp2(host.endpoint) as first:
                path = "/score/?param=HeLLo" if method in ("GET", "HEAD") else "/score/"
                asked = host.ask_meanwhile(None if "?" in path else BODY, method=method, path=path)
                first.request()
            if status == 200:
                with Mdp2(host.endpoint) as second:
                    token, body = second.request()
                    assert body == [BODY], body
                    second.answer(token, SCORE)
                    answer = asked.result()
                    assert answer[::2] == (200, b"" if method == "HEAD" else SCORE), (method, answer)
            assert asked.result()[0] == status, (method, asked.value)
            # The next one is not for a worker that has gone, which shows when its connection ends.
            host.wait_workers(0)
        hops = host.settled_hops()
        assert hops["workers.score"]["dropped"] == {"worker-lost": 2}, hops
        assert [letter["reason"] for letter in host.letters()] == 2 * ["worker-lost"]


def at_most_so_many_times():
    with Host(retry="always", retries_max=2) as host:
        asked = host.ask_meanwhile(BODY)
        for _ in range(3):
            with Mdp2(host.endpoint) as worker:
                worker.request()
        assert asked.result()[0] == 502 and host.pool()["retries"] == 2


def whoever_gets_it_again_is_told():
    with Host(retry="always", codec="http") as host:
        asked = host.ask_meanwhile(BODY)
        heads = []
        for _ in range(3):
            with Mdp2(host.endpoint) as worker:
                token, (head, _) = worker.request()
                heads.append(json.loads(head))
                if len(heads) == 3:
                    worker.answer(token, SCORE)
                    assert asked.result()[::2] == (200, SCORE)
        assert [head.get("attempt") for head in heads] == [None, 2, 3], heads
        assert len({head["id"] for head in heads}) == 1, heads


def an_answer_that_is_none():
    with Host(codec="http") as host, Mdp2(host.endpoint) as worker:
        for frames in ([b"{", b"body"], [b'{"status": 99}', b"body"], [b"{}", b"body", b"more"]):
            asked = host.ask_meanwhile(BODY)
            token, _ = worker.request()
            worker.answer(token, *frames)
            assert asked.result()[0] == 502, (frames, asked.value)
        # The worker goes on.
        asked = host.ask_meanwhile(BODY)
        token, _ = worker.request()
        worker.answer(token, b"{}", SCORE)
        assert asked.result()[::2] == (200, SCORE)
        assert host.settled_hops()["workers.score"]["dropped"] == {"bad-response": 3}
        letters = host.letters()
        assert len(letters) == 3 and "its status 99 is no number from 200 to 599" in letters[1]["error"], letters


def an_error_of_a_handler():
    with Host(codec="zhttp") as host, Mdp2(host.endpoint) as worker:
        asked = host.ask_meanwhile(BODY)
        token, (frame,) = worker.request()
        assert frame.startswith(b"T") and b"6:method,4:POST," in frame, frame
        worker.answer(token, b"T44:4:type,5:error,9:condition,13:out of memory,}")
        assert asked.result()[0] == 502
        assert host.settled_hops()["workers.score"]["dropped"] == {"failed": 1}
        (letter,) = host.letters()
        assert "out of memory" in letter["error"], letter


def goes_in_the_middle_of_an_answer():
    """What has gone out cannot be taken back: the body is broken off, a dead letter is written, and nobody gets it again."""
    with Host(retry="always") as host:
        connection = host.connection()
        with Mdp2(host.endpoint) as worker:
            connection.request("POST", "/score/", BODY)
            token, _ = worker.request()
            worker.answer(token, b"half", command=PARTIAL)
            answer = connection.getresponse()
            assert answer.status == 200 and answer.read(4) == b"half"
        try:
            rest = answer.read()
        except Exception:
            rest = None
        assert rest is None, f"the answer seems whole: {rest}"
        connection.close()
        wait_until(lambda: host.dropped("workers.score", "worker-lost") == 1, "counted")
        assert [letter["reason"] for letter in host.letters()] == ["worker-lost"]


def parts_that_are_lost_leave_nothing():
    """From the frontend the parts are gathered: another worker begins anew, and none of the first one's is left."""
    with Host(retry="always") as host, contextlib.closing(host.client()) as client:
        with Mdp2(host.endpoint) as worker:
            client.send(BODY)
            token, _ = worker.request()
            worker.answer(token, b"half", command=PARTIAL)
            wait_until(lambda: host.hops()["workers.score.answers"]["in"] == 1, "there")
        with Mdp2(host.endpoint) as other:
            token, _ = other.request()
            other.answer(token, b"one", command=PARTIAL)
            other.answer(token, b"two")
            assert [client.recv_multipart() for _ in range(2)] == [[b"one"], [b"two"]]
        assert not client.poll(50)
