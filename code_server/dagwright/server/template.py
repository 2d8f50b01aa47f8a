"""The parent's handle on a template child: the process that has user code loaded and forks on request."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dagwright.server import frames
from dagwright.server.frames import Kind
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import UnavailableError

log = logging.getLogger("dagwright.template")

EXIT = struct.Struct("!ii")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateEvents:
    """What the parent wants to hear; called from the template's reader thread."""

    loaded: Callable[[Template, str, str | None, bytes], None]
    """Digest, why workers must be spawned (or None), snapshot."""
    failed: Callable[[Template, bytes], None]
    """The load error, as wire writes it."""
    exited: Callable[[int, int], None]
    """Pid and wait status of a fork."""
    died: Callable[[Template], None]
    """The template process has gone; `closing` tells whether that was asked for."""


class Template:
    """One start of the user code. A reload makes a new one."""

    def __init__(self, arguments: list[str], events: TemplateEvents, environment: dict[str, str]) -> None:
        """
        Args:
            arguments: of `dagwright.server.child`: what to load.
        """
        self._arguments, self._events, self._environment = arguments, events, environment
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._report, their_report = socket.socketpair()
        fds = (theirs.fileno(), their_report.fileno())
        command = [*_python(), "--control", str(fds[0]), "--report", str(fds[1]), *arguments]
        self._process = _start(command, fds, environment)
        theirs.close()
        their_report.close()
        self._lock = threading.Lock()
        self.closing = False
        self.spawn_reason: str | None = None
        threading.Thread(target=self._read, name="template-reader", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def fork(self) -> socket.socket:
        """Ask for a fork (or, where forking is unsafe, a fresh process); returns our end of a channel to it.

        Raises:
            UnavailableError: the template has gone.
        """
        ours, theirs = socket.socketpair()
        try:
            if self.spawn_reason is not None:
                self.spawn(theirs)
                return ours
            with self._lock:
                socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
        except OSError as error:
            ours.close()
            raise UnavailableError(f"the process that holds the user code has gone ({error}); it is being restarted") from None
        finally:
            theirs.close()
        return ours

    def spawn(self, theirs: socket.socket) -> None:
        """Start a fresh process that loads the user code itself and serves one channel."""
        fd = theirs.fileno()
        command = [*_python(), "--channel", str(fd), *self._arguments]
        process = _start(command, (fd,), self._environment)
        threading.Thread(target=self._await, args=(process,), name="spawned", daemon=True).start()

    def close(self) -> None:
        """End the template process. Its forks live on; orphaned, they become children of the code server."""
        self.closing = True
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._process.kill()

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        _awaited.discard(process.pid)
        self._events.exited(process.pid, -code if code < 0 else code << 8)

    def _read(self) -> None:
        try:
            while True:
                frame = frames.receive(self._report)
                match frame.kind:
                    case Kind.LOADED:
                        digest, reason, snapshot = frame.body.split(b"\n", 2)
                        self.spawn_reason = reason.decode() or None
                        self._events.loaded(self, digest.decode(), self.spawn_reason, snapshot)
                    case Kind.LOAD_FAILED:
                        self._events.failed(self, frame.body)
                    case Kind.EXITED:
                        self._events.exited(*EXIT.unpack(frame.body))
                    case _:
                        log.error("unexpected frame from the template", extra={"kind": frame.kind.name})
        except (frames.ChannelClosedError, OSError):
            pass
        finally:
            self._process.wait()
            _awaited.discard(self._process.pid)
            self._report.close()
            self._control.close()
            self._events.died(self)


_starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
"""A child asks the kernel to die with the thread that started it, so that must be one that lives as long as we do."""


_awaited: set[int] = set()
"""Children that a thread of ours waits for."""


def _start(command: list[str], fds: tuple[int, ...], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, pass_fds=fds, env=environment, stdin=subprocess.DEVNULL)
        _awaited.add(process.pid)
        return process

    return _starter.submit(start).result()


def reap_orphans(exited: Callable[[int, int], None]) -> None:
    """Take note of adopted processes that have ended: forks whose template died, steps whose run worker was killed."""
    with contextlib.suppress(ChildProcessError):
        while True:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None or found.si_pid in _awaited:
                return
            exited(*os.waitpid(found.si_pid, os.WNOHANG))


def _python() -> list[str]:
    # -u keeps the prints of user code in step with our log.
    return [sys.executable, "-u", "-m", "dagwright.server.child"]


def describe_exit(status: int | None) -> str:
    """A wait status in words, with the likely cause."""
    if status is None:
        return "its process ended for a reason that is not known"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        cause = {9: ", often because the machine ran out of memory", 11: ", a crash in native code"}.get(number, "")
        return f"its process was killed by signal {number}{cause}"
    code = os.waitstatus_to_exitcode(status)
    return f"its process exited with code {code} without saying why; os._exit or native code may have ended it"
