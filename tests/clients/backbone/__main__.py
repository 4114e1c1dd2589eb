"""Three hosts on one durable consumer, each on a machine of its own, of which one loses NATS, gets it back, and has a slow link.

usage: backbone TIDEGATE PLUGINS
TIDEGATE is the binary, PLUGINS the directory with the components. Machines are network namespaces, which are made and removed
here: without the right to make them, or without nats-server, the test says so and is skipped. A publisher sends numbers to all
hosts, which write them to JetStream and have workers answer what they read from there. Takes less than 90 seconds, and prints
what the hosts said and what arrived.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import network
from hosts import Host, Nats, wait_until
from network import FRONT, HOSTS, address
from peers import WORKERS_EACH, Peers

# The name that the machines of this run begin with, where the program runs on the first of them.
INSIDE = "TIDEGATE_NAMESPACES"
# Whose link it is, and how many more messages a host's workers have to answer to show that it works.
LONELY = 2
SHOWN = 100


class Story:
    """The hosts, those who are around them, and what has to hold all the while."""

    def __init__(self, name, nats, hosts, peers):
        self.name, self.nats, self.hosts, self.peers = name, nats, hosts, peers
        self.lonely = hosts[LONELY]
        self.others = [host for machine, host in hosts.items() if machine != LONELY]

    def wait(self, is_so, what, ready):
        """Waits until something is so, while the hosts that are named have to be ready and to run."""
        def looked():
            assert self.peers.failure is None, repr(self.peers.failure)
            for host in self.hosts.values():
                assert host.process.poll() is None, f"host {host.machine} ended: {host.said()[-2000:]}"
            for host in ready:
                status, text = host.readiness()
                assert status == 200, f"host {host.machine} says {status} and has to be ready: {text}"
            return is_so()

        return wait_until(looked, what)

    def answer_more(self, hosts, ready):
        """Waits until the workers of each of these hosts have answered some more."""
        before = self.peers.by_host.copy()
        for host in hosts:
            self.wait(lambda: self.peers.by_host[host.machine] >= before[host.machine] + SHOWN,
                      f"{SHOWN} more answers of host {host.machine}", ready)

    def cut(self):
        """Nobody but the host that is cut off notices, and it says so."""
        self.peers.holding = LONELY
        self.wait(lambda: len(self.peers.held) == WORKERS_EACH, "its workers to have something", self.hosts.values())
        network.cut(LONELY)
        in_hand = [number for _, _, number in self.peers.held]
        self.wait(lambda: all(number in self.peers.answered for number in in_hand),
                  "the others to answer what it has in hand", self.others)
        status, text = self.wait(
            lambda: (told := self.lonely.readiness())[0] == 503 and "NATS" in told[1] and told,
            "the host that is cut off to name NATS", self.others)
        # These answers are the second ones, and JetStream does not hear of them.
        self.peers.holding = None
        at_cut = self.peers.by_host.copy()
        self.answer_more(self.others, self.others)
        assert self.lonely.post(-1) == (503, "1"), "what is posted to the host that is cut off"
        assert all(host.post(-2 - host.machine) == (200, None) for host in self.others), "what is posted to the others"
        assert self.lonely.readiness()[0] == 503
        of_others = sum(self.peers.by_host[host.machine] - at_cut[host.machine] for host in self.others)
        reason = next(line for line in text.splitlines() if "NATS" in line)
        print(f"ok      cut: host {LONELY} says {status}, {reason!r}; the others are ready, and answered {of_others} more")

    def heal(self):
        network.heal(LONELY)
        self.wait(self.lonely.is_ready, "the host that was cut off to be ready", self.others)
        self.answer_more([self.lonely], self.hosts.values())
        # The same key: what may have been stored the first time is one message.
        assert self.lonely.post(-1) == (200, None), "what is posted once more"
        print(f"ok      healed: host {LONELY} is ready, and works again")

    def delay(self):
        if not (how := network.delay(self.name, LONELY)):
            print("skipped a slow link: there is neither netem nor tbf here")
            return
        self.answer_more(self.hosts.values(), self.hosts.values())
        network.hasten(self.name, LONELY)
        print(f"ok      {how}: all hosts are ready, and work")

    def arrive(self):
        """All that was sent is stored once, answered, and has come out; twice only what was delivered again."""
        count, posted = self.peers.stop_sending(), 1 + len(self.others)
        wanted = count + posted
        answered, received = self.peers.answered, self.peers.received
        self.wait(lambda: len(received) >= wanted and self.nats.stream() == (wanted, 0),
                  lambda: f"all of {wanted}: {len(received)} arrived, and {self.nats.stream()} are stored and left",
                  self.hosts.values())
        expected = {*range(count), -1, *(-2 - host.machine for host in self.others)}
        assert set(received) == set(answered) == expected, (len(received), len(answered), wanted)
        for host in self.hosts.values():
            host.settled_hops()
        again = sum(host.redelivered() for host in self.hosts.values())
        repeats = sum(answered.values()) - wanted
        assert WORKERS_EACH <= repeats <= again, f"{repeats} were answered once more, and {again} delivered again"
        assert sum(received.values()) <= sum(answered.values()), "more came out than was answered"
        shares = ", ".join(f"{self.peers.by_host[machine]} by host {machine}" for machine in self.hosts)
        print(f"ok      arrived: all of {wanted} ({shares}); {repeats} more than once, {again} were delivered again")


def tell(name, binary, plugins):
    """The whole story, on the first of the machines."""
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        for each in ("nats", *map(str, HOSTS)):
            (folder / each).mkdir()
        nats = Nats(name, folder / "nats")
        running.callback(nats.kill)
        hosts = {}
        for machine in HOSTS:
            hosts[machine] = Host(name, machine, folder / str(machine), binary, plugins)
            running.callback(hosts[machine].kill)
        peers = Peers({machine: address(FRONT, machine) for machine in HOSTS})
        running.callback(peers.end)
        story = Story(name, nats, hosts, peers)
        try:
            for host in hosts.values():
                story.wait(host.is_ready, f"host {host.machine} to be ready", [])
            story.answer_more(hosts.values(), hosts.values())
            story.cut()
            story.heal()
            story.delay()
            story.arrive()
            for host in hosts.values():
                code = host.end()
                assert code == 0 and "panicked" not in host.said(), f"host {host.machine} ended with {code}"
        except BaseException:
            for host in hosts.values():
                print(f"--- host {host.machine}: {host.readiness()}\n{host.said()[-3000:]}", file=sys.stderr)
            raise


def stop(*_):
    """A signal ends the program as an error does, so that what it made is removed."""
    raise SystemExit("ended by a signal")


def main():
    signal.signal(signal.SIGTERM, stop)
    given = [Path(argument).resolve() for argument in sys.argv[1:3]]
    if name := os.environ.get(INSIDE):
        tell(name, *given)
        return
    if not shutil.which("nats-server"):
        print("skipped: there is no nats-server here")
    elif not network.may_be_made():
        print("skipped: there are no network namespaces and bridges here")
    else:
        with network.machines() as name, tempfile.TemporaryDirectory() as folder:
            command = network.inside(name, 0, sys.executable, Path(__file__).parent, *given)
            done = subprocess.run(command, env={**os.environ, INSIDE: name, "TMPDIR": folder}, timeout=90)
        sys.exit(done.returncode)


main()
