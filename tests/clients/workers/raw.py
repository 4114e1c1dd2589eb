"""A worker that sends what it is told to, and remembers every frame in both directions."""

import zmq

from host import CONTEXT, PATIENCE_SECONDS
from protocol import DISCONNECT, FINAL, HEARTBEAT, MDP2, READY, REQUEST


class RawWorker:
    """A DEALER, or a REP: `frames` has (direction, frames), of which `<` came from the host."""

    def __init__(self, endpoint, kind=zmq.DEALER, identity=None, receive_hwm=1000, curve=None):
        self.socket = CONTEXT.socket(kind)
        self.socket.linger, self.socket.rcvtimeo, self.socket.sndtimeo = 0, 1000 * PATIENCE_SECONDS, 1000 * PATIENCE_SECONDS
        self.socket.rcvhwm = receive_hwm
        if identity is not None:
            self.socket.identity = identity
        if curve is not None:
            self.socket.curve_serverkey, (self.socket.curve_publickey, self.socket.curve_secretkey) = curve
        self.frames = []
        self.socket.connect(endpoint)

    def send(self, *frames):
        self.frames.append((">", list(frames)))
        self.socket.send_multipart(frames)
        return self

    def receive(self):
        frames = self.socket.recv_multipart()
        self.frames.append(("<", frames))
        return frames

    def receive_but(self, *heartbeat):
        """The next message that is no such heartbeat."""
        while (frames := self.receive()) == list(heartbeat):
            pass
        return frames

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Mdp2(RawWorker):
    """A worker that has said READY by Majordomo 0.2."""

    def __init__(self, endpoint, service=b"score", **how):
        super().__init__(endpoint, **how)
        self.send(MDP2, READY, service)

    def command(self):
        """The next command that is no heartbeat, with what follows it."""
        header, command, *rest = self.receive_but(MDP2, HEARTBEAT)
        assert header == MDP2, (header, command, rest)
        return command, rest

    def request(self):
        """The next request: its token, and the frames of its body."""
        command, (token, empty, *body) = self.command()
        assert command == REQUEST and empty == b"", (command, token, empty, body)
        return token, body

    def answer(self, token, *body, command=FINAL):
        self.send(MDP2, command, token, b"", *body)

    def is_dismissed(self):
        """Waits until it is told to go, and nothing else."""
        assert self.command() == (DISCONNECT, []), self.frames
        return True
