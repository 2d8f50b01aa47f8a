"""An executor of a user's own: it says where and when attempts run, the loop does the rest."""

from __future__ import annotations

import contextvars
import os
from collections.abc import Mapping
from contextlib import nullcontext

from pydantic import TypeAdapter, ValidationError

from dagwright.authoring.config import problems_of
from dagwright.authoring.executors import Executor as Own
from dagwright.execution import failures
from dagwright.execution import step as steps
from dagwright.execution.executors import printing, threads
from dagwright.execution.executors.concurrent import Loop, Running
from dagwright.execution.executors.gate import Gate
from dagwright.execution.executors.work import Work
from dagwright.execution.scope import RunScope
from dagwright.planning.executor_config import TagLimit
from dagwright_shared.model.errors import InvalidRequestError
from dagwright_shared.model.events import Usage

_LIMITS = TypeAdapter(tuple[TagLimit, ...])
_NO_USAGE = Usage(cpu_seconds=0.0, peak_memory_bytes=0)


class OwnExecutor:
    """Runs steps where a user's `Executor` has them run.

    Args:
        name: of its definition.
        own: what the user's function made.

    Raises:
        InvalidRequestError: its tag limits do not fit.
    """

    def __init__(self, name: str, own: Own) -> None:
        self.name, self._own = name, own
        try:
            self._tag_limits = _LIMITS.validate_python(tuple(own.tag_concurrency_limits))
        except ValidationError as error:
            problems = problems_of(error, f"{type(own).__name__}.tag_concurrency_limits", tuple[TagLimit, ...])
            raise InvalidRequestError(f"executor {name!r}: tag_concurrency_limits does not fit", problems=problems) from None

    def run(self, scope: RunScope, progress: Work) -> None:
        environment = steps.Environment(scope)
        gate = Gate(progress, self._own.max_concurrent or threads.MAX_CONCURRENT, self._tag_limits)
        try:
            with printing.routed() if scope.captures else nullcontext():
                Loop(scope, progress, gate, OwnLane(environment, self._own), grace=self._own.cancel_grace_seconds).run()
        finally:
            environment.close()


class _Attempt:
    """A `StepAttempt`."""

    def __init__(self, environment: steps.Environment, running: Running, variables: contextvars.Context) -> None:
        self._environment, self._running, self._variables = environment, running, variables

    @property
    def step_key(self) -> str:
        return self._running.step.key

    @property
    def op_name(self) -> str:
        return self._running.step.op.name

    @property
    def tags(self) -> Mapping[str, str]:
        return self._running.step.tags

    @property
    def number(self) -> int:
        return self._running.attempt

    @property
    def stop_requested(self) -> bool:
        return self._running.interruption.requested

    def run(self) -> None:
        if self._running.has_begun:
            raise RuntimeError(f"attempt {self.number} of step {self.step_key!r} was run twice")
        self._variables.run(threads.attempt, self._environment, self._running)


class OwnLane:
    """Hands attempts to a user's executor. What that raises fails the step, or is told, and never the run."""

    def __init__(self, environment: steps.Environment, own: Own) -> None:
        self._environment, self._own = environment, own
        self._variables = contextvars.copy_context()
        self._attempts: dict[Running, _Attempt] = {}

    def start(self, running: Running) -> None:
        self._attempts = {known: attempt for known, attempt in self._attempts.items() if not known.concluded}
        attempt = self._attempts[running] = _Attempt(self._environment, running, self._variables.copy())
        try:
            self._own.start(attempt)
        except Exception as error:  # noqa: BLE001 - user code
            running.began(os.getpid())
            running.ended(failures.of_exception(error, frozenset()), _NO_USAGE)

    def interrupt(self, running: Running) -> None:
        attempt = self._attempts.get(running)
        if attempt is not None:
            self._own.stop(attempt)

    def close(self) -> None:
        self._own.close()
