"""The bytes of the protocols of workers."""

MDP2, MDP1 = b"MDPW02", b"MDPW01"
READY, REQUEST, PARTIAL, FINAL, HEARTBEAT, DISCONNECT = (bytes([number]) for number in range(1, 7))
# The same commands of version 0.1, which has no PARTIAL.
REPLY_1, HEARTBEAT_1, DISCONNECT_1 = b"\x03", b"\x04", b"\x05"
READY_OF_PPP, HEARTBEAT_OF_PPP = b"\x01", b"\x02"
