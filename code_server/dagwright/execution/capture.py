"""What a step prints, caught at the level of file descriptors, so that C extensions and subprocesses are in it.

The output goes to an unlinked file for each stream and is tailed into `LogChunk`s from there: a step that prints never
waits for whoever reads, and nothing is left behind when a process is killed. Of each stream the first `limit` bytes are
kept; once that is reached the file is emptied at each look, so that a chatty step cannot fill the disk.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from dagwright_shared.model.events import LogChunk, LogStream
from dagwright_shared.model.keys import StepKey

CHUNK_BYTES = 256 * 1024
"""The most bytes in one `LogChunk`."""
_STREAMS = ((1, LogStream.STDOUT), (2, LogStream.STDERR))


class _Tail:
    """One stream's file, and how far it has been read."""

    __slots__ = ("_done", "_fd", "_limit", "_offset", "stream")

    def __init__(self, stream: LogStream, fd: int, limit: int) -> None:
        self.stream = stream
        self._fd = fd
        self._limit = limit
        self._offset = 0
        self._done = False

    @property
    def fd(self) -> int:
        return self._fd

    def restart(self) -> None:
        os.ftruncate(self._fd, 0)
        self._offset, self._done = 0, False

    def read(self, step_key: StepKey, attempt: int) -> Iterator[LogChunk]:
        size = os.fstat(self._fd).st_size
        if self._done:
            if size > CHUNK_BYTES:
                os.ftruncate(self._fd, 0)  # the writers append, so they go on at the start
            return
        while self._offset < min(size, self._limit):
            data = os.pread(self._fd, min(CHUNK_BYTES, self._limit - self._offset), self._offset)
            if not data:
                return
            start, self._offset = self._offset, self._offset + len(data)
            self._done = self._offset >= self._limit and size > self._limit
            yield LogChunk(step_key=step_key, attempt=attempt, stream=self.stream, offset=start, data=data, truncated=self._done)
        if size > self._limit and not self._done:
            # The limit was reached exactly by an earlier look, and more has come since.
            self._done = True
            yield LogChunk(step_key=step_key, attempt=attempt, stream=self.stream, offset=self._offset, data=b"", truncated=True)


class Capture:
    """The output of one step attempt. Make it in the process that reads; redirect in the one that writes.

    Step and attempt may be set later, as long as nothing has been written.
    """

    def __init__(self, step_key: StepKey, attempt: int, limit: int) -> None:
        self.step_key = step_key
        self.attempt = attempt
        self._tails = tuple(_Tail(stream, _open_unlinked(), limit) for _, stream in _STREAMS)
        self._lock = threading.Lock()
        self._closed = False

    def take_over(self) -> None:
        """Send this process's output to the files for good: for a process that exists for the step alone."""
        for (target, _), tail in zip(_STREAMS, self._tails, strict=True):
            os.dup2(tail.fd, target)
        sys.stdout, sys.stderr = _on_descriptor(sys.stdout, 1), _on_descriptor(sys.stderr, 2)

    @contextmanager
    def redirected(self) -> Iterator[None]:
        """Send this process's output to the files while the block runs."""
        flush_output()
        saved = [os.dup(target) for target, _ in _STREAMS]
        streams = sys.stdout, sys.stderr
        try:
            self.take_over()
            yield
        finally:
            flush_output()
            sys.stdout, sys.stderr = streams
            for (target, _), original in zip(_STREAMS, saved, strict=True):
                os.dup2(original, target)
                os.close(original)

    def poll(self) -> list[LogChunk]:
        """What was written since the last look. Safe from another thread."""
        with self._lock:
            if self._closed:
                return []
            return [chunk for tail in self._tails for chunk in tail.read(self.step_key, self.attempt)]

    def restart(self) -> None:
        """Catch another attempt from here on; what was written before and not polled is gone."""
        with self._lock:
            for tail in self._tails:
                tail.restart()

    def close(self) -> None:
        """Let go of the files; what was not polled is gone."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for tail in self._tails:
                    os.close(tail.fd)


class LiveCapture:
    """The capture of whichever step runs in this process now, for a thread that reads while the step is busy."""

    def __init__(self, take: Callable[[LogChunk], None]) -> None:
        self._take = take
        self._current: Capture | None = None

    @contextmanager
    def of(self, capture: Capture) -> Iterator[None]:
        """Make a step's capture the current one; at the end all of it has been taken, and it is closed."""
        self._current = capture
        try:
            yield
        finally:
            self.poll()
            self._current = None
            capture.close()

    def poll(self) -> None:
        """Take what was written since the last look."""
        capture = self._current
        if capture is not None:
            for chunk in capture.poll():
                self._take(chunk)


def _on_descriptor(stream: TextIO, target: int) -> TextIO:
    """The stream itself where it writes to the descriptor, else (a test runner or a notebook has replaced it) one that does."""
    with suppress(Exception):
        if stream.fileno() == target:
            return stream
    return open(target, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)


def flush_output() -> None:
    """Write out what Python and C have buffered for standard output and error."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed or replaced by user code
            stream.flush()
    _libc.fflush(None)


def _open_unlinked() -> int:
    """A file without a name, opened for appending."""
    directory = tempfile.gettempdir()
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):
            return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
    fd, path = tempfile.mkstemp(prefix="dagwright-output-", dir=directory)
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    finally:
        os.close(fd)
        Path(path).unlink()


_libc = ctypes.CDLL(None, use_errno=True)
