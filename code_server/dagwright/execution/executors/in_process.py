"""Steps one after another in the process of the run: the fastest, and without protection from what they do."""

from __future__ import annotations

import os
import select

from dagwright.execution import step as steps
from dagwright.execution.capture import Capture, LiveCapture
from dagwright.execution.executors import limits
from dagwright.execution.ports import PumpedSink
from dagwright.execution.progress import Progress
from dagwright.execution.scope import RunScope
from dagwright.execution.usage import Meter
from dagwright.planning.steps import Step


class InProcessExecutor:
    """Runs each step in the calling process and thread."""

    name = "in_process"

    def run(self, scope: RunScope, progress: Progress) -> None:
        live = LiveCapture(scope.sink.chunk)
        if isinstance(scope.sink, PumpedSink):
            scope.sink.start_pump(live.poll)
        environment = steps.Environment(scope)
        try:
            while not progress.finished:
                if scope.cancellation.requested:
                    progress.stop()
                    return
                step = progress.take()
                if step is not None:
                    self._attempt(scope, progress, step, live, environment)
                else:
                    self._wait(scope, progress.seconds_to_retry())
        finally:
            environment.close()

    def _attempt(self, scope: RunScope, progress: Progress, step: Step, live: LiveCapture, environment: steps.Environment) -> None:
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
        progress.ended(step, outcome, meter.read())

    @staticmethod
    def _wait(scope: RunScope, seconds: float | None) -> None:
        """Wait for a retry to come due, or for a request to stop."""
        select.select([scope.cancellation.fileno()], [], [], seconds)
