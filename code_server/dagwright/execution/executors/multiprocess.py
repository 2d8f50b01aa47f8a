"""Each step attempt in a process of its own, several at once: one loop, no threads.

The loop waits on the pipes of the steps, on their ends (pidfds), on the request to stop, on the sink, and on time:
retries that come due, output files to look at, processes that were asked to stop and did not.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dagwright.execution import step as steps
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.capture import Capture
from dagwright.execution.executors.process import ChildProcess, freeze
from dagwright.execution.outcome import Outcome, StepBroke, StepDone, StepStopped, of_exit
from dagwright.execution.ports import PumpedSink
from dagwright.execution.progress import Progress
from dagwright.execution.scope import RunScope
from dagwright.execution.usage import of_rusage
from dagwright.planning.steps import Step
from dagwright_shared.model.errors import error_info
from dagwright_shared.model.events import EngineMessage, LogLevel

TAIL_SECONDS = 0.2
"""How often captured output is looked at."""
_OUTCOMES = (StepDone, StepBroke, StepStopped)


@dataclass(slots=True, eq=False)
class _Running:
    step: Step
    attempt: int
    process: ChildProcess
    capture: Capture | None
    outcome: Outcome | None = None
    asked_to_stop: bool = False
    kill_at: float | None = None
    """When it is killed if it has not ended by then."""
    overdue: bool = False


class MultiprocessExecutor:
    """Runs up to `max_concurrent` steps at once, each in a forked process.

    Args:
        max_concurrent: steps at once; None: as many as there are CPUs for this process.
        cancel_grace: seconds between asking a step to stop and killing it.
        exit_grace: seconds that a step whose work is done may take to end, such as for its threads.
    """

    name = "multiprocess"

    def __init__(self, max_concurrent: int | None = None, *, cancel_grace: float = 10.0, exit_grace: float = 10.0) -> None:
        self._max_concurrent = max_concurrent or available_cpus()
        self._cancel_grace = cancel_grace
        self._exit_grace = exit_grace

    def run(self, scope: RunScope, progress: Progress) -> None:
        with _Loop(scope, progress, self._max_concurrent, self._cancel_grace, self._exit_grace) as loop:
            loop.run()


def available_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Loop:
    """One run's loop, and what it holds open."""

    def __init__(self, scope: RunScope, progress: Progress, max_concurrent: int, cancel_grace: float, exit_grace: float) -> None:
        self._scope, self._progress = scope, progress
        self._max_concurrent, self._cancel_grace, self._exit_grace = max_concurrent, cancel_grace, exit_grace
        self._running: list[_Running] = []
        self._next_tail = 0.0
        self._selector = selectors.DefaultSelector()
        self._watch(scope.cancellation.fileno(), lambda: None)
        if isinstance(scope.sink, PumpedSink):
            self._watch(scope.sink.fileno(), scope.sink.on_readable)

    def __enter__(self) -> _Loop:
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._running:  # only when something of ours has failed
            running.process.signal_group(signal.SIGKILL)
            running.process.reap()
        self._selector.close()

    def run(self) -> None:
        freeze()
        while not self._progress.finished or self._running:
            if self._scope.cancellation.requested and not self._progress.stopping:
                self._stop()
            while len(self._running) < self._max_concurrent and (step := self._progress.take()) is not None:
                self._start(step)
            self._scope.sink.flush()
            if self._progress.finished and not self._running:
                return
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._look_at_the_time()

    def _watch(self, fd: int, act: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, act)

    def _timeout(self) -> float | None:
        now = time.monotonic()
        moments = [running.kill_at - now for running in self._running if running.kill_at is not None]
        if self._running:
            moments.append(self._next_tail - now)
        if (retry := self._progress.seconds_to_retry()) is not None and len(self._running) < self._max_concurrent:
            moments.append(retry)
        return max(0.0, min(moments)) if moments else None

    def _start(self, step: Step) -> None:
        scope, attempt = self._scope, self._progress.attempt(step)
        capture = Capture(step.key, attempt, scope.spec.log_limit_bytes) if scope.captures else None
        # Before the fork, so that the event is there even if the process dies at once.
        scope.sink.flush()

        def body(send: Callable[[Any], None], cancellation: Cancellation) -> None:
            environment = steps.Environment(scope.in_child(cancellation))
            outcome = steps.attempt(environment, step, attempt, send)
            environment.close_into(send)
            send(outcome)

        process = ChildProcess(body, capture, in_child=self._close_inherited)
        running = _Running(step=step, attempt=attempt, process=process, capture=capture)
        self._running.append(running)
        self._progress.began(step, process.pid)
        self._watch(process.pipe, lambda: self._read(running))
        if process.exit_fd is not None:
            self._watch(process.exit_fd, lambda: self._exited(running))

    def _close_inherited(self) -> None:
        """In a child: let go of what belongs to the run and to the other steps."""
        self._scope.sink.after_fork()
        self._selector.close()
        self._scope.cancellation.close()
        for other in self._running:
            other.process.close_pipe()
            if other.process.exit_fd is not None:
                os.close(other.process.exit_fd)
            if other.capture is not None:
                other.capture.close()

    def _read(self, running: _Running) -> None:
        if not running.process.pipe_open:
            return
        fd = running.process.pipe
        try:
            for value in running.process.read():
                if isinstance(value, _OUTCOMES):
                    running.outcome = value
                    running.kill_at = running.kill_at or time.monotonic() + self._exit_grace
                else:
                    self._progress.relay(running.step, value)
        except Exception as error:  # noqa: BLE001 - the pipe carries what a process of user code wrote
            running.outcome = StepBroke(error=error_info(error, hint="The step's process sent something that could not be read."))
            running.process.signal_group(signal.SIGKILL)
            self._selector.unregister(fd)
            running.process.close_pipe()
            return
        if not running.process.pipe_open:
            self._selector.unregister(fd)

    def _exited(self, running: _Running) -> None:
        """The process has ended: take in what is left of it and conclude the attempt."""
        self._read(running)
        process = running.process
        if process.pipe_open:
            self._selector.unregister(process.pipe)
            process.close_pipe()
        if process.exit_fd is not None:
            self._selector.unregister(process.exit_fd)
        if running.outcome is None or running.asked_to_stop:
            process.signal_group(signal.SIGKILL)  # what it started must not outlive it
        code, consumed = process.reap()
        self._running.remove(running)
        if running.capture is not None:
            self._progress.output(running.capture.poll())
            running.capture.close()
        outcome = running.outcome or of_exit(code)
        if running.asked_to_stop and not isinstance(outcome, StepDone):
            outcome = StepStopped()
        if running.overdue and running.outcome is not None:
            message = (
                f"the step was done, but its process did not end within {self._exit_grace:g} s (a thread that never ends?) and was killed"
            )
            self._scope.sink.emit(EngineMessage(message=message, level=LogLevel.WARNING), running.step.key)
        self._progress.ended(running.step, outcome, of_rusage(consumed))

    def _stop(self) -> None:
        """Ask every step to stop, and start no others."""
        self._selector.unregister(self._scope.cancellation.fileno())
        self._progress.stop()
        for running in self._running:
            running.asked_to_stop = True
            running.kill_at = time.monotonic() + self._cancel_grace
            running.process.signal_group(signal.SIGTERM)

    def _look_at_the_time(self) -> None:
        now = time.monotonic()
        if now >= self._next_tail:
            self._next_tail = now + TAIL_SECONDS
            for running in list(self._running):
                if running.capture is not None:
                    self._progress.output(running.capture.poll())
                if running.process.exit_fd is None and running.process.has_exited():
                    self._exited(running)
        for running in self._running:
            if running.kill_at is not None and now >= running.kill_at:
                running.kill_at, running.overdue = None, True
                running.process.signal_group(signal.SIGKILL)
