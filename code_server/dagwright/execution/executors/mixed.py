"""A run whose steps have several executors: each executor has a process of its own, and this one shares the steps out.

The run's process stays without threads, so it may fork at any time; it alone decides what is next, and writes the events. The
executors in their processes are those that run alone otherwise: they get their steps by a `Work` that comes through a pipe.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from dagwright.execution import frames
from dagwright.execution.executors import Executor
from dagwright.execution.executors.gate import Gate
from dagwright.execution.executors.host import Began, Emitted, Ended, Failed, GroupOver, Message, Order, Printed, PutBack, Said, serve
from dagwright.execution.executors.process import ChildProcess, Line, freeze
from dagwright.execution.executors.work import Work
from dagwright.execution.outcome import StepStopped, of_exit
from dagwright.execution.ports import PumpedSink
from dagwright.execution.scope import RunScope
from dagwright.planning.dynamic import pack
from dagwright.planning.steps import Step
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.events import Usage
from dagwright_shared.model.keys import StepKey

MAX_GIVEN = 1_000
"""Steps that all executors together have at once; how many of them run is their own affair."""
EXIT_SECONDS = 10.0
"""How long the process of an executor may take to end once it has nothing to do any more."""
_NO_USAGE = Usage(cpu_seconds=0.0, peak_memory_bytes=0)


class HostError(DagwrightError):
    """An executor could not do its work."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the executors of a run."""

    name: str
    make: Callable[[], Executor]
    """Called in the executor's process."""


class MixedExecutor:
    """Runs each step with the executor that is meant for it.

    Args:
        parts: the executors.
        assigned: by step (or the pattern that it is made from) the place in `parts`.
    """

    def __init__(self, parts: Sequence[Part], assigned: Mapping[str, int]) -> None:
        self._parts, self._assigned = parts, assigned
        self.name = " + ".join(part.name for part in parts)

    def run(self, scope: RunScope, progress: Work) -> None:
        switch = _Switch(scope, progress, self._parts, self._assigned)
        try:
            switch.run()
        finally:
            switch.close()


@dataclass(slots=True, eq=False)
class _Host:
    """The process of an executor."""

    process: ChildProcess
    mark: int
    """How much of what the run has made it knows."""
    steps: dict[StepKey, Step] = field(default_factory=dict)
    """What it has been given, and is not over."""
    begun: set[StepKey] = field(default_factory=set)
    has_worked: bool = False
    unsent: bytearray = field(default_factory=bytearray)
    asked_to_stop: bool = False
    let_go: bool = False
    kill_at: float | None = None


class _Switch:
    """One run's loop: steps to the executors, and what they say to the progress of the run."""

    def __init__(self, scope: RunScope, progress: Work, parts: Sequence[Part], assigned: Mapping[str, int]) -> None:
        self._scope, self._progress, self._parts, self._assigned = scope, progress, parts, assigned
        self._gate = Gate(progress, MAX_GIVEN)
        self._hosts: dict[int, _Host] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(scope.cancellation.fileno(), selectors.EVENT_READ, lambda _: None)
        if isinstance(scope.sink, PumpedSink):
            sink = scope.sink
            self._selector.register(sink.fileno(), selectors.EVENT_READ, lambda _: sink.on_readable())

    def run(self) -> None:
        freeze()
        while not (self._progress.finished and not self._hosts):
            if self._scope.cancellation.requested and not self._progress.stopping:
                self._stop()
            self._scope.sink.flush()
            while (step := self._gate.take()) is not None:
                self._give(step)
            if self._progress.finished:
                self._let_go()
            self._scope.sink.flush()
            for key, events in self._selector.select(self._timeout()):
                key.data(events)
            self._look_at_the_time()

    def close(self) -> None:
        for host in self._hosts.values():  # only when something of ours has failed
            host.process.signal_group(signal.SIGKILL)
            host.process.reap()
            host.process.close_pipe()
        self._selector.close()

    # ---- giving

    def _give(self, step: Step) -> None:
        place = self._assigned[step.pattern or step.key]
        host = self._hosts.get(place)
        if host is None or host.let_go or host.asked_to_stop:
            host = self._hosts[place] = self._fork(place)
        history = self._scope.history
        host.steps[step.key] = step
        self._send(host, Order(pack(step), self._progress.attempt(step), history.since(host.mark)))
        host.mark = history.mark

    def _fork(self, place: int) -> _Host:
        self._scope.sink.flush()  # what is buffered belongs to this process
        process = ChildProcess(lambda line: self._be_host(line, place), None, in_child=self._close_inherited)
        host = _Host(process, self._scope.history.mark)
        os.set_blocking(process.outbox, False)
        self._selector.register(process.pipe, selectors.EVENT_READ, lambda _: self._read(place, host))
        if process.exit_fd is not None:
            self._selector.register(process.exit_fd, selectors.EVENT_READ, lambda _: self._exited(place, host))
        return host

    def _be_host(self, line: Line, place: int) -> None:
        serve(self._scope, line, self._parts[place].make)

    def _close_inherited(self) -> None:
        self._scope.sink.after_fork()
        self._selector.close()
        self._scope.cancellation.close()
        for other in self._hosts.values():
            other.process.close_pipe()
            other.process.hang_up()
            if other.process.exit_fd is not None:
                os.close(other.process.exit_fd)

    def _send(self, host: _Host, value: Order | GroupOver) -> None:
        """Never waits: the executor may itself be waiting for us to read."""
        if not host.unsent:
            self._selector.register(host.process.outbox, selectors.EVENT_WRITE, lambda _: self._write(host))
        host.unsent += frames.encode(value)

    def _write(self, host: _Host) -> None:
        try:
            del host.unsent[: os.write(host.process.outbox, host.unsent)]
        except BrokenPipeError:  # its end is noticed elsewhere
            host.unsent.clear()
        if not host.unsent:
            self._selector.unregister(host.process.outbox)

    # ---- taking

    def _read(self, place: int, host: _Host) -> None:
        if not host.process.pipe_open:
            return
        for message in host.process.read():
            self._take(place, host, message)
        if host.process.at_end:
            self._selector.unregister(host.process.pipe)
            host.process.close_pipe()

    def _take(self, place: int, host: _Host, message: Message) -> None:
        match message:
            case Said(key, payload):
                if key in host.begun:
                    self._progress.relay(host.steps[key], payload)
            case Began(key, pid):
                host.begun.add(key)
                host.has_worked = True
                self._progress.began(host.steps[key], pid)
            case Ended(key, outcome, usage):
                step = self._forget(host, key)
                self._gate.leave(key)
                self._progress.ended(step, outcome, usage)
                if step.group is not None and not self._progress.goes_on(step.group) and not host.let_go:
                    self._send(host, GroupOver(step.group))
            case PutBack(key):
                self._gate.give_back(self._forget(host, key))
            case Printed(chunks):
                self._progress.output(chunks)
            case Emitted(payload, key):
                self._scope.sink.emit(payload, key)
            case Failed(error):
                raise HostError(f"{self._parts[place].name}_executor failed: {error.class_name}: {error.message}")

    @staticmethod
    def _forget(host: _Host, key: StepKey) -> Step:
        host.begun.discard(key)
        return host.steps.pop(key)

    def _exited(self, place: int, host: _Host) -> None:
        """The process has ended: what had begun in it is lost, the rest starts in a new one."""
        self._read(place, host)
        process = host.process
        if process.pipe_open:
            self._selector.unregister(process.pipe)
            process.close_pipe()
        if host.unsent:
            self._selector.unregister(process.outbox)
        if process.exit_fd is not None:
            self._selector.unregister(process.exit_fd)
        process.signal_group(signal.SIGKILL)  # what it started must not outlive it
        code, _ = process.reap()
        if self._hosts.get(place) is host:
            del self._hosts[place]
        if host.steps and not host.has_worked and not host.asked_to_stop:
            raise HostError(f"the process of {self._parts[place].name}_executor ended with code {code} before it began a step")
        for key in list(host.steps):
            begun, step = key in host.begun, self._forget(host, key)
            if begun:
                self._gate.leave(key)
                self._progress.ended(step, StepStopped() if host.asked_to_stop else of_exit(code), _NO_USAGE)
            else:
                self._gate.give_back(step)
        if host.asked_to_stop:
            self._progress.stop()

    # ---- stopping, and time

    def _stop(self) -> None:
        self._selector.unregister(self._scope.cancellation.fileno())
        self._gate.let_go()
        self._progress.stop()
        for host in self._hosts.values():
            host.asked_to_stop = True
            host.process.signal_group(signal.SIGTERM)

    def _let_go(self) -> None:
        for host in self._hosts.values():
            if not host.let_go and not host.steps and not host.unsent:
                host.let_go = True
                host.process.hang_up()
                host.kill_at = time.monotonic() + EXIT_SECONDS

    def _timeout(self) -> float | None:
        now = time.monotonic()
        moments = [host.kill_at - now for host in self._hosts.values() if host.kill_at is not None]
        if (retry := self._progress.seconds_to_retry()) is not None:
            moments.append(retry)
        if any(host.process.exit_fd is None for host in self._hosts.values()):
            moments.append(0.2)
        return max(0.0, min(moments)) if moments else None

    def _look_at_the_time(self) -> None:
        now = time.monotonic()
        for place, host in list(self._hosts.items()):
            if host.kill_at is not None and now >= host.kill_at:
                host.kill_at = None
                host.process.signal_group(signal.SIGKILL)
            if host.process.exit_fd is None and host.process.has_exited():
                self._exited(place, host)
