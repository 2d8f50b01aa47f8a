"""How a run is told to stop.

A signal handler may run between any two lines, so the exception that stops user code is raised only inside
`interruptible()`, which the engine puts around user code and nothing else; everywhere else the request is a flag and a
byte in a pipe that the executor's loop waits on.
"""

from __future__ import annotations

import inspect
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

_set_handler: Callable[[int, Any], Any] = inspect.unwrap(signal.signal)
"""Without the enums around it, which each forked step would pay for."""


class RunInterrupted(BaseException):
    """The run was asked to stop. User code should let it pass; `finally` blocks run."""


class Cancellation:
    """A request to stop: a flag, a descriptor to wait on, and an exception inside user code.

    One per process. `install()` makes signals request it; `request()` does the same from code.
    """

    def __init__(self) -> None:
        self.requested = False
        self.reason: str | None = None
        self._fds: tuple[int, int] | None = None
        self._open = False
        self._delivered = False
        self._expired = False

    def request(self, reason: str | None = None) -> None:
        """Ask the run to stop. Safe in a signal handler and from another thread; only the first reason counts."""
        if not self.requested:
            self.requested = True
            self.reason = reason
        if self._fds is not None:
            try:
                os.write(self._fds[1], b"\0")
            except (BlockingIOError, BrokenPipeError):
                pass  # a byte is waiting already, which is all that is needed

    def fileno(self) -> int:
        """A descriptor that is readable once the run was asked to stop."""
        if self._fds is None:
            read, write = os.pipe()
            os.set_blocking(read, False)
            os.set_blocking(write, False)
            self._fds = (read, write)
            if self.requested:
                self.request()
        return self._fds[0]

    def close(self) -> None:
        """Close the descriptors; the flag stays readable."""
        if self._fds is not None:
            fds, self._fds = self._fds, None
            for fd in fds:
                os.close(fd)

    def install(self, signals: Iterable[signal.Signals] = (signal.SIGTERM,)) -> None:
        """Let these signals request the stop. Only the main thread may install handlers."""
        for number in signals:
            _set_handler(number, self._on_signal)

    def interruptible(self) -> _Gate:
        """Inside, a request raises `RunInterrupted` in the main thread (at once, when it was made before)."""
        return _Gate(self, opens=True)

    def shielded(self) -> _Gate:
        """Inside, a request waits: for the engine's own code that user code calls, such as writing a log line."""
        return _Gate(self, opens=False)

    def complete(self, coroutine: Coroutine[Any, Any, T], run: Callable[[Coroutine[Any, Any, T]], T]) -> T:
        """Run a coroutine of user code to its end by `run`; only inside `interruptible()`."""
        return run(coroutine)

    @contextmanager
    def limited(self, seconds: float | None) -> Iterator[Callable[[], bool]]:
        """After so many seconds user code in the main thread is interrupted, as by a request; gives whether that was so.

        Uses the process's timer (SIGALRM); in another thread than the main one there is no limit.
        """
        overdue = False

        def expire(_number: int, _frame: FrameType | None) -> None:
            nonlocal overdue
            overdue = True
            self._expired = True
            self._deliver()

        if seconds is None or threading.current_thread() is not threading.main_thread():
            yield lambda: False
            return
        before = signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
        try:
            yield lambda: overdue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            self._expired = False

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.request(f"the process got {signal.Signals(number).name}")
        self._deliver()

    def _deliver(self) -> None:
        # Once only: a second signal must not tear apart the clean-up that the first one started.
        if self._open and self.requested and not self._delivered:
            self._delivered = True
            raise RunInterrupted(self.reason or "the run was asked to stop")
        if self._open and self._expired:
            self._expired = False
            raise RunInterrupted("its time limit has passed")


class _Gate:
    """Opens or closes the door for the exception, and puts it back as it was."""

    __slots__ = ("_before", "_cancellation", "_opens")

    def __init__(self, cancellation: Cancellation, *, opens: bool) -> None:
        self._cancellation = cancellation
        self._opens = opens
        self._before = False

    def __enter__(self) -> None:
        cancellation = self._cancellation
        self._before = cancellation._open
        # Threads of user code pass here too (a log line): signals are only ever delivered to the main one.
        if threading.current_thread() is threading.main_thread():
            cancellation._open = self._opens
            if self._opens:
                cancellation._deliver()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        cancellation = self._cancellation
        if threading.current_thread() is threading.main_thread():
            cancellation._open = self._before
            if kind is None:
                cancellation._deliver()
