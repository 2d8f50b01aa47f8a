"""What user code raised, as the outcome of a step attempt."""

from __future__ import annotations

from dagwright.authoring.policies import Failure, RetryRequested
from dagwright.execution.contexts import clean
from dagwright.execution.outcome import StepBroke
from dagwright_shared.model.errors import ErrorInfo, error_info
from dagwright_shared.model.metadata import Metadata, metadata_to_json


def of_exception(error: BaseException, outputs: frozenset[str]) -> StepBroke:
    """The outcome of an attempt that ended with this exception, after it had stored these outputs."""
    if isinstance(error, RetryRequested):
        return StepBroke(
            error=error_info(error.__cause__ or error),
            requested_retries=error.max_retries,
            requested_delay=error.seconds_to_wait,
            outputs=outputs,
        )
    if isinstance(error, Failure):
        info = _with_metadata(error_info(error), error.metadata)
        return StepBroke(error=info, allow_retries=error.allow_retries, outputs=outputs)
    return StepBroke(error=error_info(error, hint=_hint(error)), outputs=outputs)


def _with_metadata(info: ErrorInfo, metadata: Metadata) -> ErrorInfo:
    return ErrorInfo(
        class_name=info.class_name,
        message=info.message,
        frames=info.frames,
        cause=info.cause,
        hint=info.hint,
        metadata=metadata_to_json(clean(metadata)),
    )


def _hint(error: BaseException) -> str | None:
    if isinstance(error, SystemExit):
        return f"User code called sys.exit({error.code!r}). Raise an exception, or return, instead."
    if isinstance(error, MemoryError):
        return "The process ran out of memory: use less in the step, or give the machine or container more."
    return None
