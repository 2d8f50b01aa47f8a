"""Time limits of steps: what a step that ran past its own looks like."""

from __future__ import annotations

from dagwright.execution.outcome import Outcome, StepBroke, StepDone
from dagwright.planning.steps import Step
from dagwright_shared.model.errors import ErrorInfo

GRACE_SECONDS = 10.0
"""What a step that is asked to stop gets before it is given up, where the executor's config says nothing."""


def of(step: Step) -> float | None:
    """Seconds that an attempt of the step may take; None: any."""
    return step.timeout_seconds


def overdue(step: Step, outcome: Outcome, *, left_behind: bool = False) -> Outcome:
    """How an attempt ended that was stopped because it ran past its limit."""
    if isinstance(outcome, StepDone):
        return outcome  # it was done before it could be stopped
    limit = of(step) or 0.0
    message = f"step {step.key!r} was stopped: it ran longer than its limit of {limit:g} s (timeout={limit:g})"
    hint = "Raise the limit, or make the step do less at once."
    if left_behind:
        hint += " It did not react, as in a native call, and was left behind in its thread; multiprocess_executor can end such steps."
    frames = outcome.error.frames if isinstance(outcome, StepBroke) else ()
    return StepBroke(error=ErrorInfo(class_name="StepTimedOut", message=message, frames=frames, hint=hint))
