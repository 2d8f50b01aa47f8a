"""Ports for servers that a test is about to start."""

from __future__ import annotations

import random
import socket

_BELOW_EPHEMERAL = range(10_000, 32_000)
"""Ports that the kernel gives to no outgoing connection: one that it is asked for is soon taken by somebody's request."""
_RANDOM = random.SystemRandom()
"""Workers that were forked, or seeded alike, do not try the same ports."""


def free_port() -> int:
    """A port of the loopback address that nobody listens at."""
    while True:
        port = _RANDOM.choice(_BELOW_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
