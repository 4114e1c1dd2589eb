"""Does what a message's body or a request's first frame says, `word` or `word:text`; ../README.md lists the words."""

import random
import secrets
import socket
import sys
import time

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.reply_policy import Reply
from wit_world.imports import environment, store, types

calls = 0


def loop(_):
    while True:
        pass


def memory(_):
    held = []
    while True:
        held.append(bytearray(1 << 20))


def throw(_):
    raise RuntimeError("nobody catches this")


def reject(text):
    raise Err(types.Error_Rejected(text))


def fail(text):
    raise Err(types.Error_Failed(text))


def remember(_):
    global calls
    calls += 1
    return str(calls)


def log(text):
    print(text)
    print(text, file=sys.stderr)
    return text


def tried(attempt):
    """What the attempt gives, or the error of the language."""

    def answer(_):
        try:
            return repr(attempt())
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    return answer


WORDS = {
    "downcase": lambda text: f"lower case of {text} is {text.lower()}",
    "loop": loop,
    "memory": memory,
    "throw": throw,
    "reject": reject,
    "fail": fail,
    "filter": lambda _: None,
    "remember": remember,
    "setting": lambda text: store.get(text) or "not set",
    "log": log,
    "big": lambda text: "x" * int(text),
    "random": lambda _: f"{secrets.token_hex(8)} {random.random()}",
    "clock": lambda _: f"{time.time()} {time.monotonic()}",
    "file": tried(lambda: open("/etc/passwd").read()),
    "socket": tried(lambda: socket.socket()),
    # As bytes: the codec for names is a file, which Python would look for when the first text needs it.
    "lookup": tried(lambda: socket.getaddrinfo(b"localhost", 80)),
    "environment": tried(environment.get_environment),
    "arguments": tried(environment.get_arguments),
    "stdin": tried(input),
}


def random_delays_ms():
    """As the plugin random-replies."""
    return [1000 // random.randint(1, 10) for _ in range(random.randrange(5))]


DELAYS_MS = {
    "none": lambda: [],
    "twice": lambda: [0, 100],
    "random": random_delays_ms,
}


class Processor(exports.Processor):
    def process(self, input):
        *before, body = input.frames
        word, _, text = body.decode().partition(":")
        if word == "split":
            return [types.Message(input.metadata, [*before, part.encode()]) for part in text.split(",")]
        if word == "frames":
            return [types.Message([], [])]
        answer = WORDS[word](text)
        return [] if answer is None else [types.Message([], [*before, answer.encode()])]


class ReplyPolicy(exports.ReplyPolicy):
    def replies(self, request):
        word, _, text = request.message.frames[0].decode().partition(":")
        if word == "nothing":
            return [Reply(0, types.Message([], []))]
        if word in DELAYS_MS:
            message = types.Message([], request.message.frames)
            return [Reply(delay_ms, message) for delay_ms in DELAYS_MS[word]()]
        WORDS[word](text)
        return []
