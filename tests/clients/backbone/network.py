"""Machines that are network namespaces: hosts with a link to their clients and one to NATS, which can be cut and slow."""

import contextlib
import os
import signal
import subprocess

HOSTS = (1, 2, 3)
NATS = 9
# Which part of the second byte behind 10.78 is which network; each is a bridge in the first namespace, where the test is too.
FRONT, BACK = 0, 1


def run(*command):
    """Carries a command out, which has to succeed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)


def address(network, machine):
    return f"10.78.{network}.{machine}"


def inside(name, machine, *command):
    """The command that carries another one out on a machine."""
    return ["ip", "netns", "exec", f"{name}-{machine}", *(str(part) for part in command)]


def may_be_made():
    """Whether this user may have namespaces and bridges. What fails after that is a fault of the test."""
    name = f"tidegate-{os.getpid()}-probe"
    try:
        run("ip", "netns", "add", name)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return False
    try:
        run("ip", "-n", name, "link", "add", "probe", "type", "bridge")
    except subprocess.CalledProcessError:
        return False
    finally:
        run("ip", "netns", "delete", name)
    return True


def _link(name, network, bridge, machine):
    """A link from a machine to a bridge, whose end at the bridge has the bridge's name and the machine's number."""
    run("ip", "-n", f"{name}-0", "link", "add", f"{bridge}{machine}", "type", "veth",
        "peer", "name", bridge, "netns", f"{name}-{machine}")
    run("ip", "-n", f"{name}-0", "link", "set", f"{bridge}{machine}", "master", bridge, "up")
    run("ip", "-n", f"{name}-{machine}", "addr", "add", f"{address(network, machine)}/24", "dev", bridge)
    run("ip", "-n", f"{name}-{machine}", "link", "set", bridge, "up")


def _end(namespace):
    """Removes a namespace that was made here, after what still runs in it."""
    left = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True).stdout.split()
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
    run("ip", "netns", "delete", namespace)


@contextlib.contextmanager
def machines():
    """All of them, by the name that they begin with; removed at the end, whatever that is."""
    name = f"tidegate-{os.getpid()}"
    with contextlib.ExitStack() as made:
        for machine in (0, *HOSTS, NATS):
            run("ip", "netns", "add", f"{name}-{machine}")
            made.callback(_end, f"{name}-{machine}")
            run("ip", "-n", f"{name}-{machine}", "link", "set", "lo", "up")
        for network, bridge in ((FRONT, "front"), (BACK, "back")):
            run("ip", "-n", f"{name}-0", "link", "add", bridge, "type", "bridge")
            run("ip", "-n", f"{name}-0", "addr", "add", f"{address(network, 254)}/24", "dev", bridge)
            run("ip", "-n", f"{name}-0", "link", "set", bridge, "up")
        for host in HOSTS:
            _link(name, FRONT, "front", host)
        for machine in (*HOSTS, NATS):
            _link(name, BACK, "back", machine)
        yield name


def cut(machine):
    """Takes a machine's link to NATS down at the bridge, from within the first namespace. Its clients reach it all the same."""
    run("ip", "link", "set", f"back{machine}", "down")


def heal(machine):
    run("ip", "link", "set", f"back{machine}", "up")


def delay(name, machine):
    """Makes a machine's link to NATS slow in both directions, and says how; None where the kernel knows no way."""
    for what, rule in (
        ("delayed by 150 ms each way", ("netem", "delay", "150ms")),
        ("narrowed to 400 kbit/s, without netem", ("tbf", "rate", "400kbit", "burst", "4kb", "latency", "1s")),
    ):
        try:
            run("tc", "qdisc", "replace", "dev", f"back{machine}", "root", *rule)
            run("tc", "-n", f"{name}-{machine}", "qdisc", "replace", "dev", "back", "root", *rule)
            return what
        except (FileNotFoundError, subprocess.CalledProcessError):
            continue
    return None


def hasten(name, machine):
    """Takes what `delay` did back."""
    run("tc", "qdisc", "delete", "dev", f"back{machine}", "root")
    run("tc", "-n", f"{name}-{machine}", "qdisc", "delete", "dev", "back", "root")
