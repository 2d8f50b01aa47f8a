"""A child process of the supervisor: started, listened to, started again when it dies, stopped."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Mapping, Sequence

from dagwright.dev.log import MergedLog
from dagwright.dev.nursery import Nursery, NurseryError

_FIRST_DELAY, _LONGEST_DELAY = 0.2, 10.0
_SETTLED_SECONDS = 20.0
"""A child that lived so long has its earlier deaths forgiven."""


class Child:
    """One service. Only the supervisor's main thread may call its methods."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        nursery: Nursery,
        log: MergedLog,
        selector: selectors.BaseSelector,
    ) -> None:
        """
        Args:
            module: what `python -m` would run.
            environment: beside the nursery's own.
        """
        self.name = name
        self._module, self._arguments, self._environment = module, list(arguments), dict(environment)
        self._nursery, self._log, self._selector = nursery, log, selector
        self.pid: int | None = None
        self._started_at = 0.0
        self._delay = _FIRST_DELAY
        self.restart_at: float | None = None
        """When it is to be started again, on the monotonic clock; None while it runs."""

    def start(self) -> None:
        self.restart_at, self._started_at = None, time.monotonic()
        reader, writer = os.pipe()
        try:
            self.pid = self._nursery.fork(self._module, self._arguments, self._environment, writer)
        except NurseryError as error:
            os.close(reader)
            self._again(str(error))
            return
        finally:
            os.close(writer)
        os.set_blocking(reader, False)
        self._selector.register(reader, selectors.EVENT_READ, _Lines(self.name, reader, self._log, self._selector))

    def check(self, now: float) -> bool:
        """Notice a death and plan the restart, or carry it out. Returns whether the process changed."""
        if self.restart_at is not None:
            if now < self.restart_at:
                return False
            self.start()
            return self.restart_at is None
        code = None if self.pid is None else self._nursery.ended(self.pid)
        if code is None:
            return False
        if now - self._started_at > _SETTLED_SECONDS:
            self._delay = _FIRST_DELAY
        self._again(_ending(code))
        return False

    def _again(self, why: str) -> None:
        self._log.say(f"{self.name}: {why}; starting it again in {self._delay:.1f} s")
        self.restart_at = time.monotonic() + self._delay
        self._delay = min(_LONGEST_DELAY, self._delay * 2)

    def ask_to_stop(self) -> None:
        self.restart_at = None
        if self.pid is not None:
            self._nursery.send_signal(self.pid, signal.SIGTERM)

    def has_ended(self) -> bool:
        return self.pid is None or self._nursery.ended(self.pid) is not None

    def kill(self) -> None:
        if self.pid is not None and not self.has_ended():
            self._log.say(f"{self.name} does not stop; killing it")
            self._nursery.send_signal(self.pid, signal.SIGKILL)


class _Lines:
    """Cuts a pipe's bytes into lines for the log. Lives as long as anybody, such as a grandchild, holds the pipe."""

    def __init__(self, name: str, pipe: int, log: MergedLog, selector: selectors.BaseSelector) -> None:
        self._name, self._pipe, self._log, self._selector = name, pipe, log, selector
        self._rest = b""

    def __call__(self) -> None:
        try:
            data = os.read(self._pipe, 65536)
        except BlockingIOError:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data or len(self._rest) > 65536:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            if line.strip():
                self._log.line(self._name, line.decode(errors="replace").rstrip())
        if not data:
            self._selector.unregister(self._pipe)
            os.close(self._pipe)


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def sweep(mark: str) -> int:
    """Kill every process that carries a mark in its environment: what the children left behind. Returns how many."""
    needle, count = mark.encode(), 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:  # noqa: PTH123 - a Path for each process of the machine is waste
                if needle not in file.read():
                    continue
            os.kill(int(entry), signal.SIGKILL)
            count += 1
        except OSError:
            continue
    return count
