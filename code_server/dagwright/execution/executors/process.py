"""One step attempt in a process of its own: forked, in its own process group, its output captured, gone when we are.

The child gets a pipe for what it has to say and files for what it prints. It dies with its parent (`PR_SET_PDEATHSIG`),
and it ends by `os._exit`, so that nothing that the parent registered to run at exit runs twice.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import inspect
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import field
from typing import Any

from dagwright.execution import capture, frames
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.capture import Capture
from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """The child's end of its connection with the parent."""

    cancellation: Cancellation
    """The child's own."""
    _out: int
    inbox: int
    """What the parent says can be read here."""
    # Threads of user code log too, and those that read what an external process reports.
    _sending: threading.RLock = field(default_factory=threading.RLock)

    def send(self, value: Any) -> None:
        """Tell the parent something."""
        with self._sending:
            frames.write(self._out, value)

    def receive(self) -> Any:
        """Wait for the parent's next word; None once it has hung up."""
        reader = frames.Reader()
        while data := os.read(self.inbox, 65536):
            for value in reader.feed(data):
                return value
        return None

    def close(self) -> None:
        """Let go of the connection, in a process that was forked from this one."""
        os.close(self._out)
        os.close(self.inbox)


Body = Callable[[Line], None]
"""What runs in the child."""

_READ_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
# Bound once: the page of memory that a fork writes to first is copied, and a reference count is a write. For the same reason the
# functions of `signal` are those beneath the ones that turn every number into an enum.
_prctl = ctypes.CDLL(None, use_errno=True).prctl
_set_handler: Callable[[int, Any], Any] = inspect.unwrap(signal.signal)
_set_mask: Callable[[int, set[int]], set[int]] = inspect.unwrap(signal.pthread_sigmask)


class ChildProcess:
    """A forked process, seen by its parent."""

    def __init__(self, body: Body, output: Capture | None, *, in_child: Callable[[], None]) -> None:
        """Fork.

        Args:
            body: runs in the child.
            output: where the child's standard output and error go.
            in_child: called first of all in the child: closes what it inherited.
        """
        read, write = os.pipe()
        inbox, outbox = os.pipe()
        capture.flush_output()  # or what is buffered here would be written by the child again
        # Until the child has its own handlers, a signal sent to it would run those of its parent.
        before = _set_mask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        parent = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                os.close(read)
                os.close(outbox)
                _be_child(body, output, (write, inbox), parent, in_child, before)
        finally:
            _set_mask(signal.SIG_SETMASK, before)
        os.close(write)
        os.close(inbox)
        os.set_blocking(read, False)
        with suppress(OSError):  # the child does the same: whoever comes first
            os.setpgid(pid, pid)
        self.pid = pid
        self.pipe = read
        self.exit_fd: int | None = None
        with suppress(OSError, AttributeError):
            self.exit_fd = os.pidfd_open(pid)
        self._reader = frames.Reader()
        self._pipe_open = True
        self.at_end = False
        """The child has closed its end: take the pipe off the selector, and then close it.

        Not the other way round: other children may still hold the pipe, and epoll would go on telling of it under a number that
        belongs to something else by then.
        """
        self._outbox: int | None = outbox

    def tell(self, value: Any) -> None:
        """Send the child a word; raises BrokenPipeError when it has gone."""
        assert self._outbox is not None
        frames.write(self._outbox, value)

    @property
    def outbox(self) -> int:
        """Where words to the child are written."""
        assert self._outbox is not None
        return self._outbox

    def hang_up(self) -> None:
        """Say nothing to the child any more."""
        if self._outbox is not None:
            os.close(self._outbox)
            self._outbox = None

    def read(self) -> Iterator[Any]:
        """What the child has sent since the last look."""
        while self._pipe_open and not self.at_end:
            try:
                data = os.read(self.pipe, _READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self.at_end = True
                return
            yield from self._reader.feed(data)
            if len(data) < _READ_BYTES // 16:
                return

    @property
    def pipe_open(self) -> bool:
        return self._pipe_open

    def close_pipe(self) -> None:
        if self._pipe_open:
            self._pipe_open = False
            os.close(self.pipe)

    def has_exited(self) -> bool:
        """Whether it has ended; it stays there to be reaped."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the child and whatever it started. Only before `reap`: afterwards the id may be someone else's."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def reap(self) -> tuple[int, resource.struct_rusage]:
        """Wait for the end; returns the exit code (negative: a signal) and what it consumed."""
        _, status, usage = os.wait4(self.pid, 0)
        self.hang_up()
        if self.exit_fd is not None:
            os.close(self.exit_fd)
        return os.waitstatus_to_exitcode(status), usage


def _be_child(
    body: Body, output: Capture | None, pipes: tuple[int, int], parent: int, in_child: Callable[[], None], mask: set[int]
) -> None:
    """The life of the child. Never returns."""
    code = 70
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(code)  # it died before the line above
        os.setpgid(0, 0)
        cancellation = Cancellation()
        signal.set_wakeup_fd(-1)
        cancellation.install()
        _set_handler(signal.SIGINT, signal.default_int_handler)
        _set_mask(signal.SIG_SETMASK, mask)
        atexit._clear()
        _forget_parents_pools()
        in_child()
        if output is not None:
            output.take_over()
        body(Line(cancellation, *pipes))
        code = 0
    except BaseException as error:  # noqa: BLE001 - nothing may pass: above this is the parent's own stack
        with suppress(BaseException):
            sys.excepthook(type(error), error, error.__traceback__)
    finally:
        with suppress(BaseException):
            _wind_down()
        with suppress(BaseException):
            capture.flush_output()
        os._exit(code)


def freeze() -> None:
    """Call once before forking: keeps the collector of the children off the objects that exist now, whose pages are shared."""
    gc.freeze()


def _forget_parents_pools() -> None:
    finalizers = sys.modules.get("multiprocessing.util")
    if finalizers is not None:
        finalizers._finalizer_registry.clear()


def _wind_down() -> None:
    """What an interpreter does at its end for code that relies on it: join threads and pools, run exit functions."""
    pools = sys.modules.get("multiprocessing.util")
    if pools is not None:
        pools._exit_function()
    threading._shutdown()  # type: ignore[attr-defined]  # joins threads and runs the exit hooks of concurrent.futures
    atexit._run_exitfuncs()
