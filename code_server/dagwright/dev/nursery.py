"""A process that has imported what all services need, and forks them: they share that memory, and start in half the time.

It runs no thread and opens neither database nor channel, so that a fork is safe. It reports each service that ends; when it dies
itself, the kernel ends them all, and the supervisor starts them anew from another one.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dagwright_shared.runtime import process as process_life

_SHARED = (
    "asyncio",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "dagwright_shared.runtime.settings",
    "dagwright_shared.store.events",
    "dagwright_shared.store.listen",
    "dagwright_shared.store.locations",
    "dagwright_shared.store.automation",
    "dagwright_shared.store.backfill_runs",
    "dagwright_shared.store.deliveries",
    "dagwright_shared.store.freshness",
    "dagwright_shared.store.instigators",
    "dagwright_shared.store.partition_states",
    "dagwright_shared.store.queue",
    "dagwright_shared.store.schema",
    "dagwright_shared.decide.requests",
    "dagwright_shared.wire.snapshot",
    "dagwright_shared.wire.client",
)
"""What at least two services import."""
_TITLE_ROOM = " " * 400
"""An argument that stands where a service's own command line will: `ps` shall tell them apart."""
_MOST_BYTES = 200_000


class NurseryError(Exception):
    """It died, or cannot be started."""


class Nursery:
    """The supervisor's side. Only its main thread may call this: the kernel ties a child to the thread that made it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """
        Args:
            environment: of the nursery, and of each service beside what it is given.
        """
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._living: set[int] = set()
        self._ended: dict[int, int] = {}

    def start(self) -> None:
        """Have it import; returns at once."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dagwright.dev.nursery", str(theirs.fileno()), _TITLE_ROOM],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
                preexec_fn=process_life.die_with_parent,  # noqa: PLW1509 - one prctl; the kernel keeps it across exec
            )
        self._channel = ours

    def fork(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], output: int) -> int:
        """Run a module as `python -m` does; returns the process' id.

        Args:
            environment: in addition to the nursery's own.
            output: a file descriptor for all that it prints.

        Raises:
            NurseryError: there is no nursery; the next call starts one.
        """
        if self._process is None or self._channel is None:
            self.start()
        assert self._channel is not None
        order = {"module": module, "arguments": list(arguments), "environment": dict(environment)}
        try:
            socket.send_fds(self._channel, [json.dumps(order).encode()], [output])
            while (born := self._take()) is None:
                pass
        except OSError as error:
            self._lost()
            raise NurseryError(f"the process that forks the services has ended ({error})") from error
        self._living.add(born)
        return born

    def ended(self, pid: int) -> int | None:
        """The exit code of a service, negative for a signal; None while it lives."""
        try:
            while self._channel is not None and pid not in self._ended and self._is_readable():
                self._take()
        except OSError:
            self._lost()
        return self._ended.get(pid)

    def wait(self, pid: int) -> int:
        """The exit code of a service that is about to end."""
        while (code := self.ended(pid)) is None:
            assert self._channel is not None
            select.select([self._channel], [], [])
        return code

    def send_signal(self, pid: int, number: signal.Signals) -> None:
        """Signal a service, if it lives."""
        if self.ended(pid) is None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> None:
        """End it, and with it whatever it has forked that still lives."""
        if self._process is not None:
            self._process.kill()
            self._lost()

    def _is_readable(self) -> bool:
        assert self._channel is not None
        return bool(select.select([self._channel], [], [], 0)[0])

    def _take(self) -> int | None:
        """One message: the id of a service that was born, or None for one that has ended."""
        assert self._channel is not None
        data = self._channel.recv(_MOST_BYTES)
        if not data:
            raise ConnectionResetError("it said nothing more")
        message = json.loads(data)
        if "status" not in message:
            return int(message["pid"])
        self._living.discard(message["pid"])
        self._ended[message["pid"]] = os.waitstatus_to_exitcode(message["status"])
        return None

    def _lost(self) -> None:
        """The kernel ends the services of a nursery that died."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None
        self._ended |= dict.fromkeys(self._living, -signal.SIGKILL)
        self._living.clear()


def main() -> None:
    """The nursery's side; in a service, returns never."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _SHARED:
        importlib.import_module(name)
    # What is alive now stays shared with the services: the collector must not touch its pages.
    gc.collect()
    gc.freeze()
    channel = socket.socket(fileno=int(sys.argv[1]))
    woken, waker = socket.socketpair()
    for one in (woken, waker):
        one.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    selector.register(channel, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    parent = os.getpid()
    while True:
        for key, _ in selector.select():
            if key.fileobj is woken:
                woken.recv(4096)
                _reap(channel)
                continue
            data, fds, _, _ = socket.recv_fds(channel, _MOST_BYTES, 1)
            if not data:
                return  # the supervisor has gone
            pid = os.fork()
            if pid == 0:
                for inherited in (selector, channel, woken, waker):
                    inherited.close()
                _live(json.loads(data), fds[0], parent)
            os.close(fds[0])
            channel.send(json.dumps({"pid": pid}).encode())


def _reap(channel: socket.socket) -> None:
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            channel.send(json.dumps({"pid": found[0], "status": found[1]}).encode())


def _live(order: dict[str, object], output: int, parent: int) -> None:
    """Become a service."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process_life.die_with_parent()
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked to die with it
    # A group of its own: Ctrl-C in the terminal reaches the supervisor alone, which stops all in order.
    os.setpgid(0, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    module, arguments, environment = order["module"], order["arguments"], order["environment"]
    assert isinstance(module, str)
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    os.environ.update(environment)
    time.tzset()
    sys.argv = [module, *arguments]
    with suppress(OSError, ValueError, IndexError):
        _entitle([sys.executable, "-m", module, *arguments])
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


def _entitle(command: Sequence[str]) -> None:
    """Have `ps` show this command: the kernel reads it from where the arguments of the process were (Linux)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])
    text = b"\0".join(os.fsencode(part) for part in command)[: end - begin - 1]
    with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123 - no buffer between
        memory.seek(begin)
        memory.write(text.ljust(end - begin, b"\0"))


if __name__ == "__main__":
    main()
