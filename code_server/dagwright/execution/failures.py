"""What user code raised, as the outcome of a step attempt."""

from __future__ import annotations

import linecache

from dagwright.authoring.ops import OpDefinition
from dagwright.authoring.policies import Failure, RetryRequested
from dagwright.execution.contexts import clean
from dagwright.execution.outcome import StepBroke
from dagwright_shared.model.errors import DagwrightError, ErrorInfo, Frame, error_info
from dagwright_shared.model.metadata import Metadata
from dagwright_shared.model.metadata_json import metadata_to_json


def of_exception(error: BaseException, outputs: frozenset[str], op: OpDefinition | None = None) -> StepBroke:
    """The outcome of an attempt of an op that ended with this exception, after it had stored these outputs."""
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
    place = _place(op) if op is not None and isinstance(error, DagwrightError) else None
    if place is not None:
        error.add_note(f"{place.function!r} is defined at {place.file}:{place.line}")
    return StepBroke(error=error_info(error, hint=_hint(error), place=place), outputs=outputs)


def _place(op: OpDefinition) -> Frame | None:
    if op.source is None:
        return None
    line = linecache.getline(op.source.file, op.source.line).strip() or None
    return Frame(file=op.source.file, line=op.source.line, function=op.name, source=line)


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
