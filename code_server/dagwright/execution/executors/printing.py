"""What steps print when several of them share a process: `sys.stdout` and `sys.stderr` send each write to the step that makes it.

The step is found by a context variable, so it holds in the step's thread, in its asyncio tasks, and in what
`asyncio.to_thread` calls. A thread that user code starts by itself, a subprocess and a C extension write to the process's
own output: file descriptors have one owner, the process.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from dagwright_shared.model.events import LogChunk, LogStream
from dagwright_shared.model.keys import StepKey

_BUFFER_BYTES = 64 * 1024

current: ContextVar[StepOutput | None] = ContextVar("dagwright_step_output", default=None)


class StepOutput:
    """What one step attempt has printed and nobody has taken yet: of each stream the first `limit` bytes count."""

    def __init__(self, step_key: StepKey, attempt: int, limit: int, take: Callable[[LogChunk], None]) -> None:
        self._step_key, self._attempt, self._limit, self._take = step_key, attempt, limit, take
        self._lock = threading.Lock()
        self._waiting = {LogStream.STDOUT: bytearray(), LogStream.STDERR: bytearray()}
        self._offsets = dict.fromkeys(self._waiting, 0)
        self._cut: set[LogStream] = set()

    def write(self, stream: LogStream, data: bytes) -> None:
        with self._lock:
            waiting = self._waiting[stream]
            room = self._limit - self._offsets[stream] - len(waiting)
            if len(data) > room:
                if stream not in self._cut:
                    self._cut.add(stream)
                    waiting += data[: max(0, room)]
                    self._send(stream)
            else:
                waiting += data
                if len(waiting) >= _BUFFER_BYTES:
                    self._send(stream)

    def flush(self) -> None:
        """Send what waits."""
        with self._lock:
            for stream, waiting in self._waiting.items():
                if waiting:
                    self._send(stream)

    def _send(self, stream: LogStream) -> None:
        waiting = self._waiting[stream]
        data, offset = bytes(waiting), self._offsets[stream]
        waiting.clear()
        self._offsets[stream] += len(data)
        cut = stream in self._cut
        self._take(LogChunk(step_key=self._step_key, attempt=self._attempt, stream=stream, offset=offset, data=data, truncated=cut))


@contextmanager
def routed() -> Iterator[None]:
    """While the block runs, `sys.stdout` and `sys.stderr` belong to whichever step writes."""
    before = sys.stdout, sys.stderr
    out, err = _Router(before[0], LogStream.STDOUT), _Router(before[1], LogStream.STDERR)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        # User code that replaced them keeps what it chose.
        if sys.stdout is out:
            sys.stdout = before[0]
        if sys.stderr is err:
            sys.stderr = before[1]


def route_for_good() -> None:
    """The same for the rest of the process's life: for one that belongs to someone else and runs steps now and then."""
    if not isinstance(sys.stdout, _Router):
        sys.stdout = _Router(sys.stdout, LogStream.STDOUT)
    if not isinstance(sys.stderr, _Router):
        sys.stderr = _Router(sys.stderr, LogStream.STDERR)


class _Router(io.TextIOBase):
    """A text stream that belongs to the step that writes, and to the process where none does."""

    def __init__(self, original: TextIO, stream: LogStream) -> None:
        super().__init__()
        self._original, self._stream = original, stream
        self.buffer = _Bytes(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def write(self, text: str, /) -> int:
        output = current.get()
        if output is None:
            return self._original.write(text)
        output.write(self._stream, text.encode("utf-8", "backslashreplace"))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        output = current.get()
        if output is not None:
            output.write(self._stream, data)
        elif hasattr(self._original, "buffer"):
            self._original.buffer.write(data)
        else:
            self._original.write(data.decode("utf-8", "replace"))

    def flush(self) -> None:
        if current.get() is None:
            self._original.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._original.fileno()

    def close(self) -> None:
        """The process's output is not a step's to close."""


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`."""

    def __init__(self, router: _Router) -> None:
        super().__init__()
        self._router = router

    def write(self, data: Any, /) -> int:
        view = bytes(data)
        self._router.write_bytes(view)
        return len(view)

    def flush(self) -> None:
        self._router.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._router.fileno()

    def close(self) -> None:
        """As for the text stream."""
