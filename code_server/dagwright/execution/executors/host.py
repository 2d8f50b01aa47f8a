"""The process of one executor of a run that has several: its steps come through a pipe, and what becomes of them goes back."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from dagwright.execution import frames
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors import Executor
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.process import Line
from dagwright.execution.executors.work import Group
from dagwright.execution.outcome import Outcome
from dagwright.execution.scope import RunHistory, RunScope
from dagwright.planning.dynamic import Packed, unpack
from dagwright.planning.steps import Step
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo, error_info
from dagwright_shared.model.events import LogChunk, Payload, Usage
from dagwright_shared.model.keys import StepKey

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Order:
    """A step to run."""

    step: Packed
    attempt: int
    news: list[tuple[Payload, str]]
    """What the run has made since the order before."""


@dataclass(frozen=True, slots=True)
class GroupOver:
    """No more steps of a step group will come."""

    group: Group


@dataclass(frozen=True, slots=True)
class Began:
    key: StepKey
    pid: int


@dataclass(frozen=True, slots=True)
class Said:
    key: StepKey
    payload: Payload


@dataclass(frozen=True, slots=True)
class Ended:
    key: StepKey
    outcome: Outcome
    usage: Usage


@dataclass(frozen=True, slots=True)
class PutBack:
    key: StepKey


@dataclass(frozen=True, slots=True)
class Printed:
    chunks: tuple[LogChunk, ...]


@dataclass(frozen=True, slots=True)
class Emitted:
    """What the executor itself has to say."""

    payload: Payload
    key: StepKey | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The executor itself has failed."""

    error: ErrorInfo


Message: TypeAlias = Began | Said | Ended | PutBack | Printed | Emitted | Failed


def serve(run: RunScope, line: Line, make: Callable[[], Executor]) -> None:
    """Run the steps that come until the other side hangs up or asks to stop."""
    sink = HostSink(line)
    scope = replace(run, cancellation=line.cancellation, sink=sink, kept=None)
    try:
        executor = make()
        steps = {step.key: step for step in run.plan.steps}
        work = HostWork(line, sink, scope.history, steps, waits=isinstance(executor, InProcessExecutor))
        sink.work = work
        executor.run(scope, work)
    except Exception as error:  # noqa: BLE001 - the run has to say why it fails
        line.send(Failed(error_info(error)))
    finally:
        sink.close()


class HostSink:
    """Sends what an executor says by itself; its events of steps go through the work."""

    work: HostWork

    def __init__(self, line: Line) -> None:
        self._line = line
        self._pump: threading.Thread | None = None
        self._stopped = threading.Event()

    def emit(self, payload: Payload, step_key: StepKey | None = None) -> None:
        self._line.send(Emitted(payload, step_key))

    def chunk(self, chunk: LogChunk) -> None:
        self._line.send(Printed((chunk,)))

    def flush(self) -> None:
        """Nothing is ever waiting here."""

    def after_fork(self) -> None:
        self._line.close()

    def fileno(self) -> int:
        return self._line.inbox

    def on_readable(self) -> None:
        self.work.take_in()

    def start_pump(self, poll: Callable[[], None]) -> None:
        """Look at captured output while a step keeps this process busy."""

        def pump() -> None:
            while not self._stopped.wait(_LOOK_SECONDS):
                poll()

        self._pump = threading.Thread(target=pump, name="pump", daemon=True)
        self._pump.start()

    def close(self) -> None:
        self._stopped.set()
        if self._pump is not None:
            self._pump.join()


class HostWork:
    """The steps of one executor, as they come; implements `Work`.

    Args:
        waits: `take` waits for a step to come, for an executor that runs them one after another in this thread.
    """

    def __init__(self, line: Line, sink: HostSink, history: RunHistory, steps: dict[StepKey, Step], *, waits: bool) -> None:
        self._line, self._sink, self._history, self._known, self._waits = line, sink, history, steps, waits
        self._cancellation: Cancellation = line.cancellation
        self._reader = frames.Reader()
        self._queue: deque[Step] = deque()
        self._attempts: dict[StepKey, int] = {}
        self._over: set[Group] = set()
        self._at_end = False
        self.stopping = False
        self.slots = None
        """The run's process has asked for them before it sends a step."""
        os.set_blocking(line.inbox, False)

    def take_in(self) -> None:
        """Read what has come."""
        while not self._at_end:
            try:
                data = os.read(self._line.inbox, 1 << 20)
            except BlockingIOError:
                return
            self._at_end = not data
            for value in self._reader.feed(data):
                if isinstance(value, GroupOver):
                    self._over.add(value.group)
                else:
                    self._accept(value)

    def _accept(self, order: Order) -> None:
        for payload, run_id in order.news:
            self._history.note(payload, run_id)
        step = unpack(order.step, self._known)
        self._attempts[step.key] = order.attempt
        self._queue.append(step)

    @property
    def finished(self) -> bool:
        return not self._queue and (self._at_end or self.stopping)

    @property
    def left_to_start(self) -> int:
        return 0 if self.finished else max(1, len(self._queue))

    def take(self) -> Step | None:
        while self._waits and not self._queue and not self._at_end and not self._cancellation.requested:
            select.select([self._line.inbox, self._cancellation.fileno()], [], [])
            self.take_in()
        return self._queue.popleft() if self._queue and not self.stopping else None

    def put_back(self, step: Step) -> None:
        self._line.send(PutBack(step.key))

    def attempt(self, step: Step) -> int:
        return self._attempts[step.key]

    def seconds_to_retry(self) -> float | None:
        """Retries come as new orders; one that has waited in `take` has nothing to wait for any more."""
        return 0.0 if self._waits else None

    def goes_on(self, group: Group) -> bool:
        return group not in self._over and not self.finished

    def began(self, step: Step, pid: int) -> None:
        self._line.send(Began(step.key, pid))

    def relay(self, step: Step, payload: Payload) -> None:
        self._line.send(Said(step.key, payload))

    def output(self, chunks: Iterable[LogChunk]) -> None:
        if printed := tuple(chunks):
            self._line.send(Printed(printed))

    def ended(self, step: Step, outcome: Outcome, usage: Usage) -> None:
        self._line.send(Ended(step.key, outcome, usage))

    def stop(self) -> None:
        self.stopping = True
        while self._queue:
            self.put_back(self._queue.popleft())
