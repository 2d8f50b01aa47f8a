"""Calling the hooks of a step once its attempt is over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from dagwright.authoring.config import plain
from dagwright.authoring.hooks import HookDefinition, HookMoment
from dagwright.authoring.scoped_resources import Scoped
from dagwright.execution.cancellation import RunInterrupted
from dagwright.execution.identity import RunInfo
from dagwright.execution.logs import EventLogger
from dagwright.execution.outcome import Outcome, StepBroke, StepDone
from dagwright.planning.state import may_retry
from dagwright.planning.steps import Step
from dagwright_shared.model.errors import error_info
from dagwright_shared.model.events import EngineMessage, LogLevel, Payload


class HookContext:
    """What a hook receives: the step that is over, how it ended, resources and a logger."""

    def __init__(  # noqa: PLR0913 - what it offers
        self,
        *,
        hook_def: HookDefinition | None,
        run: RunInfo,
        step: Step | None,
        resources: Any,
        log: logging.Logger,
        exception: BaseException | None = None,
        output_values: Mapping[str, Any] | None = None,
        instance: Any = None,
        op: Any = None,
    ) -> None:
        self.hook_def, self.run, self.resources, self.log = hook_def, run, resources, log
        self._step, self._op, self._instance = step, op, instance
        self.op_exception = exception
        """What the step failed with; None after a success."""
        self.op_output_values: Mapping[str, Any] = output_values or {}
        """By output; of a dynamic output by mapping key."""

    @property
    def job_name(self) -> str:
        return self.run.job_name

    @property
    def run_id(self) -> str:
        return self.run.run_id

    @property
    def op(self) -> Any:
        """The op of the step; raises ValueError in a context that was built without one."""
        found = self._step.op if self._step is not None else self._op
        if found is None:
            raise ValueError("this HookContext was built without an op; give build_hook_context(op=...)")
        return found

    @property
    def op_config(self) -> Any:
        return plain(self._step.config) if self._step is not None else None

    @property
    def step_key(self) -> str:
        return self._step.key if self._step is not None else getattr(self._op, "name", "step")

    @property
    def required_resource_keys(self) -> frozenset[str]:
        return frozenset(self.hook_def.required_resource_keys) if self.hook_def is not None else frozenset()

    @property
    def instance(self) -> Any:
        """The deployment, as far as this process can reach it."""
        if self._instance is None:
            raise RuntimeError("this process is not connected to a deployment, so there is no context.instance")
        return self._instance


def build_hook_context(
    resources: Mapping[str, Any] | None = None,
    op: Any = None,
    run_id: str | None = None,
    job_name: str | None = None,
    op_exception: BaseException | None = None,
    instance: Any = None,
) -> HookContext:
    """A context for calling a hook directly.

    Args:
        resources: by key, as they are.
        op: what `context.op` gives.
        op_exception: what the step failed with.

    Example:
        >>> build_hook_context(op_exception=ValueError("no")).op_exception
        ValueError('no')
    """
    run = RunInfo(run_id=run_id or "00000000-0000-7000-8000-000000000000", job_name=job_name or "job")
    return HookContext(
        hook_def=None,
        run=run,
        step=None,
        resources=Scoped(resources or {}),
        log=logging.getLogger("dagwright.built"),
        exception=op_exception,
        instance=instance,
        op=op,
    )


def call(  # noqa: PLR0913 - what an ended attempt has
    step: Step,
    number: int,
    outcome: Outcome,
    *,
    run: RunInfo,
    emit: Callable[[Payload], None],
    resource: Callable[[str], Any],
    error: BaseException | None,
    values: Mapping[str, Any],
    instance: Any,
) -> None:
    """Call the hooks that are for this outcome; what they raise is told, and changes nothing.

    Args:
        number: of the attempt; one that is followed by another calls no failure hooks.
        resource: gives a resource by its key, or raises.
        error: what the step raised.
        values: outputs by name.
    """
    moment = _moment(step, number, outcome)
    for hook in step.hooks:
        if moment is None or hook.moment is not moment:
            continue
        try:
            context = HookContext(
                hook_def=hook,
                run=run,
                step=step,
                resources=Scoped({key: resource(key) for key in sorted(hook.required_resource_keys)}),
                log=EventLogger(emit),
                exception=error,
                output_values=values,
                instance=instance,
            )
            hook.hook_fn(context)
        except RunInterrupted:
            raise
        except Exception as trouble:  # noqa: BLE001 - a hook's fault is not the step's
            message = f"HOOK_ERRORED: the {moment.value} hook {hook.name!r} of step {step.key!r} failed; the step is not affected"
            emit(EngineMessage(message=message, level=LogLevel.ERROR, error=error_info(trouble)))
        else:
            emit(EngineMessage(message=f"HOOK_COMPLETED: the {moment.value} hook {hook.name!r} of step {step.key!r} ran"))


def _moment(step: Step, number: int, outcome: Outcome) -> HookMoment | None:
    match outcome:
        case StepDone():
            return HookMoment.SUCCESS
        case StepBroke() if not (outcome.allow_retries and may_retry(step.retry_policy, number, outcome.requested_retries)):
            return HookMoment.FAILURE
        case _:
            return None
