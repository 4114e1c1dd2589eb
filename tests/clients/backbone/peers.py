"""Whoever is around the hosts: a publisher of numbers, workers that count what they answer, and who receives what comes out."""

import itertools
import threading
from collections import Counter

import zmq

WORKERS_EACH = 2
# How many are sent, with what is under way, at the most.
NUMBERS_MAX, UNDER_WAY_MAX = 30_000, 4_000
PAUSE_SECONDS = 0.003


class Peers:
    """Two threads, each with sockets of its own: one sends until it is told to stop, one works and receives until the end."""

    def __init__(self, fronts):
        self.fronts = fronts
        self.context = zmq.Context()
        # What workers have answered, and what came out, by number; by machine, how many its workers have answered.
        self.answered, self.received, self.by_host = Counter(), Counter(), Counter()
        # How many numbers were sent: all of 0 to this one.
        self.sent = 0
        self.enough, self.all_sent, self.ended = threading.Event(), threading.Event(), threading.Event()
        # The machine whose workers keep what they have rather than answer, and what they have: socket, frames and number.
        self.holding, self.held = None, []
        self.failure = None
        self.threads = [threading.Thread(target=self._guarded, args=(what,)) for what in (self._send, self._work)]
        for thread in self.threads:
            thread.start()

    def _guarded(self, what):
        try:
            what()
        except Exception as error:
            self.failure = error

    def _socket(self, kind, machine, port):
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.connect(f"tcp://{self.fronts[machine]}:{port}")
        return socket

    def _send(self):
        """Numbers to the hosts in turn; the turn of one that takes nothing more is the next one's."""
        sockets = {machine: self._socket(zmq.PUSH, machine, 5557) for machine in self.fronts}
        for machine in itertools.cycle(sockets):
            if self.enough.wait(PAUSE_SECONDS) or self.sent >= NUMBERS_MAX:
                break
            if self.sent - len(self.received) >= UNDER_WAY_MAX:
                continue
            try:
                sockets[machine].send_multipart([b"numbers", b"%d" % self.sent], zmq.NOBLOCK)
            except zmq.Again:
                continue
            self.sent += 1
        self.all_sent.set()
        # What a queue of a socket still has is sent as long as it is open.
        self.ended.wait()
        for socket in sockets.values():
            socket.close()

    def _work(self):
        poller, machines, workers = zmq.Poller(), {}, set()
        for machine in self.fronts:
            for _ in range(WORKERS_EACH):
                worker = self._socket(zmq.REQ, machine, 5571)
                worker.send(b"READY")
                machines[worker] = machine
                workers.add(worker)
            machines[self._socket(zmq.PULL, machine, 5558)] = machine
        for socket in machines:
            poller.register(socket, zmq.POLLIN)
        while not self.ended.is_set():
            for socket, _ in poller.poll(50):
                frames = socket.recv_multipart()
                # What was posted says `lower case of X is X`.
                number = int(frames[-1].split()[-1])
                if socket not in workers:
                    self.received[number] += 1
                elif machines[socket] == self.holding:
                    self.held.append((socket, frames, number))
                else:
                    self._answer(socket, frames, number, machines[socket])
            while self.holding is None and self.held:
                socket, frames, number = self.held.pop()
                self._answer(socket, frames, number, machines[socket])
        for socket in machines:
            socket.close()

    def _answer(self, worker, frames, number, machine):
        worker.send_multipart(frames)
        self.answered[number] += 1
        self.by_host[machine] += 1

    def stop_sending(self):
        """Sends no more, and returns how many there are."""
        self.enough.set()
        assert self.all_sent.wait(10), repr(self.failure)
        return self.sent

    def end(self):
        self.enough.set()
        self.ended.set()
        for thread in self.threads:
            thread.join()
        self.context.destroy(linger=0)
