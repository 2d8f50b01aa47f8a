"""Messages between the code server's processes: a kind, a length, a body, over Unix stream sockets.

The bodies are the protobuf messages of `wire`, so that a remote worker sends over gRPC what a forked one sends here.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from enum import IntEnum

from dagwright_shared.model.dataclass import dataclass

_HEADER = struct.Struct("!BI")
MAX_BODY = 256 * 1024 * 1024


class Kind(IntEnum):
    """What a frame is. The comment says who sends it to whom."""

    LOADED = 1  # template -> parent: digest, newline, snapshot
    LOAD_FAILED = 2  # template -> parent: error
    EXITED = 3  # template -> parent: pid and wait status of a fork
    HELLO = 4  # fork -> parent: its pid
    LAUNCH = 5  # parent -> run worker: LaunchSpec
    EVENTS = 6  # run worker -> parent: EventBatch
    ACK = 7  # parent -> run worker: the last committed seq
    FENCED = 8  # parent -> run worker: a newer attempt owns the run
    ASK = 9  # parent -> fork: method, newline, request
    ANSWER = 10  # fork -> parent: response
    FAILED = 11  # fork -> parent: error
    SLOT_WANTED = 12  # run worker -> parent: a step wants a slot of a pool: [step, attempt, pool]
    SLOT_UNWANTED = 13  # run worker -> parent: it does not any more: [step, attempt, pool]
    SLOT_AWAITED = 14  # parent -> run worker: the step has to wait
    SLOT_GRANTED = 15  # parent -> run worker: the step holds its slot


@dataclass(frozen=True, slots=True)
class Frame:
    kind: Kind
    body: bytes


class ChannelClosedError(ConnectionError):
    """The other process has closed its end, most likely because it ended."""


def pack(kind: Kind, body: bytes = b"") -> bytes:
    return _HEADER.pack(kind, len(body)) + body


def send(channel: socket.socket, kind: Kind, body: bytes = b"") -> None:
    """Send one frame, waiting while the other side is slow.

    Raises:
        ChannelClosedError: nobody reads it any more.
    """
    try:
        channel.sendall(pack(kind, body))
    except (BrokenPipeError, ConnectionResetError):
        raise ChannelClosedError from None


def receive(channel: socket.socket, deadline: float | None = None) -> Frame:
    """Wait for one frame.

    Args:
        deadline: of `time.monotonic()`; None waits for ever.

    Raises:
        TimeoutError: the deadline passed.
        ChannelClosedError: the other side has gone.
    """
    kind, length = _HEADER.unpack(_exactly(channel, _HEADER.size, deadline))
    return Frame(Kind(kind), _exactly(channel, length, deadline))


def _exactly(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    parts: list[bytes] = []
    while size:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            channel.settimeout(left)
        else:
            channel.settimeout(None)
        try:
            part = channel.recv(min(size, 1 << 20))
        except ConnectionResetError:
            part = b""
        if not part:
            raise ChannelClosedError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class FrameBuffer:
    """Cuts a byte stream into frames, for a reader that serves many sockets."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Add what was received; yields the frames that are now whole."""
        self._data += data
        at = 0
        while len(self._data) - at >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._data, at)
            end = at + _HEADER.size + length
            if len(self._data) < end:
                break
            yield Frame(Kind(kind), bytes(self._data[at + _HEADER.size : end]))
            at = end
        del self._data[:at]
