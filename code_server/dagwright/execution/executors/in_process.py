"""Steps one after another in the process of the run: the fastest, and without protection from what they do."""

from __future__ import annotations

import os
import select

from dagwright.execution import step as steps
from dagwright.execution.capture import Capture, LiveCapture
from dagwright.execution.executors import limits
from dagwright.execution.executors.gate import Gate
from dagwright.execution.executors.work import Work
from dagwright.execution.ports import PumpedSink, SlotSource
from dagwright.execution.scope import RunScope
from dagwright.execution.usage import Meter
from dagwright.planning.steps import Step


class InProcessExecutor:
    """Runs each step in the calling process and thread."""

    name = "in_process"

    def run(self, scope: RunScope, progress: Work) -> None:
        live = LiveCapture(scope.sink.chunk)
        if isinstance(scope.sink, PumpedSink):
            scope.sink.start_pump(live.poll)
        environment = steps.Environment(scope)
        gate = Gate(progress, 1)
        try:
            while not progress.finished:
                if scope.cancellation.requested:
                    gate.let_go()
                    progress.stop()
                    return
                step = gate.take()
                if step is not None:
                    self._attempt(scope, progress, step, live, environment, gate)
                else:
                    self._wait(scope, progress.seconds_to_retry())
        finally:
            environment.close()

    def _attempt(self, scope: RunScope, progress: Work, step: Step, live: LiveCapture, environment: steps.Environment, gate: Gate) -> None:
        attempt = progress.attempt(step)
        progress.began(step, os.getpid())
        # Before user code: what is done so far is not repeated by a retry after a crash.
        scope.sink.flush()
        meter = Meter()
        with scope.cancellation.limited(limits.of(step)) as passed:
            if scope.captures:
                capture = Capture(step.key, attempt, scope.spec.log_limit_bytes)
                with live.of(capture), capture.redirected():
                    outcome = steps.attempt(environment, step, attempt, lambda payload: progress.relay(step, payload))
            else:
                outcome = steps.attempt(environment, step, attempt, lambda payload: progress.relay(step, payload))
        if passed() and not scope.cancellation.requested:
            outcome = limits.overdue(step, outcome)
        gate.leave(step.key)
        progress.ended(step, outcome, meter.read())

    @staticmethod
    def _wait(scope: RunScope, seconds: float | None) -> None:
        """Wait for a retry to come due, for a slot of a pool, or for a request to stop."""
        scope.sink.flush()
        watched = [scope.cancellation.fileno()]
        if not isinstance(scope.sink, SlotSource):
            select.select(watched, [], [], seconds)
            return
        bell = scope.sink.bell()
        watched.append(bell)
        if isinstance(scope.sink, PumpedSink):
            watched.append(scope.sink.fileno())
        ready, _, _ = select.select(watched, [], [], seconds)
        if bell in ready:
            os.read(bell, 4096)
        elif isinstance(scope.sink, PumpedSink) and scope.sink.fileno() in ready:
            scope.sink.on_readable()
