"""The loop of executors whose steps run beside it: in threads, on an event loop, or on a cluster.

The loop has the run's thread to itself. It waits on the request to stop, on the sink, on steps that end (they leave word and
write a byte to a pipe) and on time: retries that come due, limits of steps, output to look at. A step says what happens to it by
its `Running`, from whichever thread, and nothing that it says after its end has been concluded counts.
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from typing import Protocol

from dagwright.execution.executors import limits
from dagwright.execution.executors.gate import Gate
from dagwright.execution.executors.interruption import Interruption
from dagwright.execution.executors.printing import StepOutput
from dagwright.execution.executors.work import Work
from dagwright.execution.outcome import Outcome, StepStopped
from dagwright.execution.ports import PumpedSink
from dagwright.execution.scope import RunScope
from dagwright.planning.steps import Step
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import EngineMessage, LogLevel, Payload, Usage
from dagwright_shared.model.keys import StepKey

LOOK_SECONDS = 0.05
"""How often what steps say and print is sent on."""
_NO_USAGE = Usage(cpu_seconds=0.0, peak_memory_bytes=0)


@dataclass(slots=True, eq=False)
class Running:
    """A step attempt on its way."""

    step: Step
    attempt: int
    output: StepOutput | None
    interruption: Interruption
    say: Callable[[Running, Payload], None]
    tell: Callable[[Running, Outcome, Usage], None]
    open: Callable[[Running, int], None]
    has_begun: bool = False
    overdue: bool = False
    concluded: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def began(self, pid: int) -> None:
        """The attempt starts now, in this process."""
        with self.lock:
            if not self.concluded:
                self.has_begun = True
                self.open(self, pid)

    def relay(self, payload: Payload) -> None:
        """The step has something to say."""
        with self.lock:
            if not self.concluded:
                self.say(self, payload)

    def ended(self, outcome: Outcome, usage: Usage) -> None:
        """The attempt is over."""
        self.tell(self, outcome, usage)


class Lane(Protocol):
    """Where steps run. `start` returns at once; a step's beginning and end are told by `Running.began` and `Running.ended`."""

    def start(self, running: Running) -> None: ...

    def interrupt(self, running: Running) -> None:
        """Ask a step to stop, or not to begin; `running.interruption` has been requested already."""

    def close(self) -> None:
        """Nothing is to be started any more. What was left behind may still run."""


class Loop:
    """Takes the progress of a run to its end over one lane."""

    def __init__(self, scope: RunScope, progress: Work, gate: Gate, lane: Lane, *, grace: float = limits.GRACE_SECONDS) -> None:
        self._scope, self._progress, self._gate, self._lane, self._grace = scope, progress, gate, lane, grace
        self._running: dict[StepKey, Running] = {}
        self._news: deque[Callable[[], None]] = deque()
        self._moments: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._awake = False
        self._closed = False
        self._next_look = 0.0

    def run(self) -> None:
        try:
            self._go()
        finally:
            self._lane.close()
            self._closed = True
            os.close(self._wake_in)
            os.close(self._wake_out)

    def _go(self) -> None:
        scope, progress, gate = self._scope, self._progress, self._gate
        watched = [scope.cancellation.fileno(), self._wake_in]
        sink = scope.sink if isinstance(scope.sink, PumpedSink) else None
        if sink is not None:
            watched.append(sink.fileno())
        while not (progress.finished and not self._running):
            if scope.cancellation.requested and not progress.stopping:
                self._stop()
                watched.remove(scope.cancellation.fileno())
                continue
            # What is done is on its way before what depends on it begins, so that a retry after a crash does not repeat it.
            scope.sink.flush()
            while (step := gate.take()) is not None:
                self._start(step)
            if progress.finished and not self._running:
                return
            if not self._news:
                scope.sink.flush()
                ready, _, _ = select.select(watched, [], [], self._timeout())
                if sink is not None and sink.fileno() in ready:
                    sink.on_readable()
            self._take_in()
            self._look_at_the_time()

    def _post(self, act: Callable[[], None]) -> None:
        """From any thread: something to do in the loop's."""
        self._news.append(act)
        if not self._awake and not self._closed:
            self._awake = True
            with suppress(BlockingIOError, OSError):
                os.write(self._wake_out, b"\0")

    # ---- starting and ending

    def _start(self, step: Step) -> None:
        scope, attempt = self._scope, self._progress.attempt(step)
        output = StepOutput(step.key, attempt, scope.spec.log_limit_bytes, scope.sink.chunk) if scope.captures else None
        running = Running(step, attempt, output, Interruption(), self._relay, self._tell, self._begin)
        self._running[step.key] = running
        self._lane.start(running)

    def _begin(self, running: Running, pid: int) -> None:
        self._progress.began(running.step, pid)
        limit = limits.of(running.step)
        due = None if limit is None else time.monotonic() + limit
        self._post(lambda: self._watch(running, due))

    def _watch(self, running: Running, due: float | None) -> None:
        """Has the loop go round, too, so that the beginning of a long step is told at once."""
        if due is not None:
            self._at(due, lambda: self._past_limit(running))

    def _relay(self, running: Running, payload: Payload) -> None:
        self._progress.relay(running.step, payload)

    def _tell(self, running: Running, outcome: Outcome, usage: Usage) -> None:
        self._post(lambda: self._finish(running, outcome, usage))

    def _finish(self, running: Running, outcome: Outcome, usage: Usage) -> None:
        if not running.concluded:
            self._conclude(running, limits.overdue(running.step, outcome) if running.overdue else outcome, usage)

    def _take_in(self) -> None:
        if self._awake:
            self._awake = False
            with suppress(BlockingIOError):
                os.read(self._wake_in, 4096)
        while self._news:
            self._news.popleft()()

    def _conclude(self, running: Running, outcome: Outcome, usage: Usage) -> None:
        with running.lock:
            running.concluded = True
        if running.output is not None:
            running.output.flush()
        del self._running[running.step.key]
        self._gate.leave(running.step.key)
        self._progress.ended(running.step, outcome, usage)

    # ---- stopping, and time

    def _stop(self) -> None:
        self._gate.let_go()
        reason = self._scope.cancellation.reason
        for running in list(self._running.values()):
            with running.lock:
                running.concluded = not running.has_begun
            if running.concluded:  # it waits for a place, and has not begun: as if it had never been taken
                running.interruption.request(reason)
                self._lane.interrupt(running)
                del self._running[running.step.key]
                self._gate.give_back(running.step)
        self._progress.stop()
        for running in list(self._running.values()):
            self._interrupt(running, reason)

    def _past_limit(self, running: Running) -> None:
        if not running.concluded and not running.interruption.requested:
            running.overdue = True
            self._interrupt(running, "its time limit has passed")

    def _interrupt(self, running: Running, reason: str | None) -> None:
        running.interruption.request(reason)
        self._lane.interrupt(running)
        self._at(time.monotonic() + self._grace, lambda: self._give_up(running))

    def _give_up(self, running: Running) -> None:
        """It was asked to stop, and has not."""
        if running.concluded:
            return
        message = (
            f"the step did not stop within {self._grace:g} s of being asked to; it is left behind, and what it still does does not count"
        )
        self._scope.sink.emit(EngineMessage(message=message, level=LogLevel.WARNING), running.step.key)
        outcome = limits.overdue(running.step, StepStopped(), left_behind=True) if running.overdue else StepStopped()
        self._conclude(running, outcome, _NO_USAGE)

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._moments, (moment, next(self._order), act))

    def _timeout(self) -> float | None:
        now = time.monotonic()
        moments = [self._moments[0][0] - now] if self._moments else []
        if self._running:
            moments.append(self._next_look - now)
        if (retry := self._progress.seconds_to_retry()) is not None and not self._gate.full:
            moments.append(retry)
        return max(0.0, min(moments)) if moments else None

    def _look_at_the_time(self) -> None:
        now = time.monotonic()
        while self._moments and self._moments[0][0] <= now:
            heapq.heappop(self._moments)[2]()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            for running in self._running.values():
                if running.output is not None:
                    running.output.flush()
