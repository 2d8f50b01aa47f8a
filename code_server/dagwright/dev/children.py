"""A child process of the supervisor: started, listened to, started again when it dies, stopped."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import IO

from dagwright.dev.log import MergedLog
from dagwright_shared.runtime import process as process_life

_FIRST_DELAY, _LONGEST_DELAY = 0.2, 10.0
_SETTLED_SECONDS = 20.0
"""A child that lived so long has its earlier deaths forgiven."""


class Child:
    """One service. Only the supervisor's main thread may call its methods: the kernel ties a child to the *thread* that made it."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, log: MergedLog, selector: selectors.BaseSelector
    ) -> None:
        self.name = name
        self._command, self._environment = list(command), dict(environment)
        self._log, self._selector = log, selector
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._delay = _FIRST_DELAY
        self.restart_at: float | None = None
        """When it is to be started again, on the monotonic clock; None while it runs."""

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        self.restart_at, self._started_at = None, time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A group of its own: Ctrl-C in the terminal reaches the supervisor alone, which stops all in order.
            process_group=0,
            preexec_fn=process_life.die_with_parent,  # noqa: PLW1509 - one prctl; the kernel keeps it across exec
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._selector.register(
            self._process.stdout, selectors.EVENT_READ, _Lines(self.name, self._process.stdout, self._log, self._selector)
        )

    def check(self, now: float) -> bool:
        """Notice a death and plan the restart, or carry it out. Returns whether the process changed."""
        if self.restart_at is not None:
            if now < self.restart_at:
                return False
            self.start()
            return True
        if self._process is None or self._process.poll() is None:
            return False
        if now - self._started_at > _SETTLED_SECONDS:
            self._delay = _FIRST_DELAY
        self._log.say(f"{self.name} {_ending(self._process.returncode)}; starting it again in {self._delay:.1f} s")
        self.restart_at = now + self._delay
        self._delay = min(_LONGEST_DELAY, self._delay * 2)
        return False

    def ask_to_stop(self) -> None:
        self.restart_at = None
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._log.say(f"{self.name} does not stop; killing it")
            self._process.kill()
            self._process.wait()


class _Lines:
    """Cuts a pipe's bytes into lines for the log. Lives as long as anybody, such as a grandchild, holds the pipe."""

    def __init__(self, name: str, pipe: IO[bytes], log: MergedLog, selector: selectors.BaseSelector) -> None:
        self._name, self._pipe, self._log, self._selector = name, pipe, log, selector
        self._rest = b""

    def __call__(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), 65536)
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
            self._pipe.close()


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
