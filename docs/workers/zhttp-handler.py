"""A handler as for Pushpin's zhttpreq, behind protocol = "rep" and codec = "zhttp": zhttp-handler.py [ENDPOINT]"""

import sys

import zmq

ENDPOINT = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5571"


def dumps(value):
    """A tnetstring: a length, a colon, so many bytes, and a letter for the type."""
    if isinstance(value, bytes):
        letter, data = b",", value
    elif isinstance(value, bool):
        letter, data = b"!", b"true" if value else b"false"
    elif isinstance(value, int):
        letter, data = b"#", b"%d" % value
    elif isinstance(value, list):
        letter, data = b"]", b"".join(map(dumps, value))
    else:
        letter, data = b"}", b"".join(dumps(key) + dumps(item) for key, item in value.items())
    return b"%d:%s%s" % (len(data), data, letter)


def split(data):
    """The value that bytes begin with, and the rest."""
    length, _, rest = data.partition(b":")
    data, letter, rest = rest[: int(length)], rest[int(length) : int(length) + 1], rest[int(length) + 1 :]
    if letter in (b"]", b"}"):
        items = []
        while data:
            item, data = split(data)
            items.append(item)
        return (items if letter == b"]" else dict(zip(items[::2], items[1::2]))), rest
    return {b",": bytes, b"#": int, b"^": float, b"!": b"true".__eq__, b"~": lambda _: None}[letter](data), rest


def handle(request):
    text = b"%s %s has %d bytes\n" % (request[b"method"], request[b"uri"], len(request[b"body"]))
    return {
        b"id": request[b"id"],
        b"code": 200,
        b"reason": b"OK",
        b"headers": [[b"Content-Type", b"text/plain"], [b"X-Handler", b"zhttp"]],
        b"body": text,
    }


socket = zmq.Context().socket(zmq.REP)
socket.connect(ENDPOINT)
while True:
    request, _ = split(socket.recv()[1:])
    socket.send(b"T" + dumps(handle(request)))
