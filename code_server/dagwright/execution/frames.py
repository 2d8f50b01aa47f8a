"""Python values through a pipe: a length and a pickle, one after another."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator
from typing import Any

_HEADER = struct.Struct("<I")


def encode(value: Any) -> bytes:
    """One value as it is written."""
    body = pickle.dumps(value, protocol=5)
    return _HEADER.pack(len(body)) + body


def write(fd: int, value: Any) -> None:
    """Write one value, waiting while the pipe is full.

    Raises:
        BrokenPipeError: the reader is gone.
        Exception: the value cannot be pickled; nothing was written.
    """
    view = memoryview(encode(value))
    while view:
        view = view[os.write(fd, view) :]


class Reader:
    """Puts the values together again from whatever pieces arrive."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take some bytes and yield the values that they complete."""
        self._buffer += data
        start = 0
        buffer = self._buffer
        try:
            while len(buffer) - start >= _HEADER.size:
                (length,) = _HEADER.unpack_from(buffer, start)
                end = start + _HEADER.size + length
                if len(buffer) < end:
                    break
                body = bytes(buffer[start + _HEADER.size : end])
                start = end
                yield pickle.loads(body)  # written by our own fork
        finally:
            del buffer[:start]
