"""What a sensor's function gives: runs to ask for, a cursor, events to report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from dagwright.authoring.partitions import AddDynamicPartitionsRequest, DeleteDynamicPartitionsRequest
from dagwright.authoring.requests import RunRequest, SkipReason, misfit
from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True, init=False)
class SensorResult:
    """Everything that a sensor may answer at once.

    Args:
        run_requests: runs to make; or
        skip_reason: why there are none.
        cursor: what to remember.
        dynamic_partitions_requests: keys to add or delete before the runs are made.
        asset_events: materializations, observations and check evaluations to record, outside of any run.
    """

    run_requests: Sequence[RunRequest]
    skip_reason: SkipReason | None
    cursor: str | None
    dynamic_partitions_requests: Sequence[AddDynamicPartitionsRequest | DeleteDynamicPartitionsRequest]
    asset_events: Sequence[Any]

    def __init__(
        self,
        run_requests: Sequence[RunRequest] | None = None,
        skip_reason: SkipReason | str | None = None,
        cursor: str | None = None,
        dynamic_partitions_requests: Sequence[AddDynamicPartitionsRequest | DeleteDynamicPartitionsRequest] | None = None,
        asset_events: Sequence[Any] | None = None,
        automation_condition_evaluations: Any = None,
    ) -> None:
        if automation_condition_evaluations:
            raise ValueError("SensorResult: automation_condition_evaluations= is not supported by this version of dagwright")
        if run_requests and skip_reason:
            raise ValueError("SensorResult has both run_requests and a skip_reason; give one of them")
        if cursor is not None and not isinstance(cursor, str):
            raise TypeError(f"SensorResult: the cursor is a {type(cursor).__name__}, not text; write cursor=str(...)")
        values = {
            "run_requests": list(run_requests or ()),
            "skip_reason": SkipReason(skip_reason) if isinstance(skip_reason, str) else skip_reason,
            "cursor": cursor,
            "dynamic_partitions_requests": list(dynamic_partitions_requests or ()),
            "asset_events": list(asset_events or ()),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)


SensorReturnTypesUnion: TypeAlias = (
    Iterator[SkipReason | RunRequest | SensorResult] | Sequence[RunRequest] | SkipReason | RunRequest | SensorResult | None
)
"""What a sensor's function may return, or yield."""


def as_result(returned: object, what: str) -> SensorResult:
    """What a function returned, in the one form.

    Raises:
        UserCodeError: it is nothing that a sensor may return.
    """
    expected = "RunRequests, a SkipReason, a SensorResult, or None"
    match returned:
        case None:
            return SensorResult()
        case SensorResult():
            return returned
        case SkipReason():
            return SensorResult(skip_reason=returned)
        case RunRequest():
            return SensorResult(run_requests=[returned])
        case list() | tuple():
            if len(returned) == 1 and isinstance(returned[0], (SensorResult, SkipReason)):
                return as_result(returned[0], what)
            for item in returned:
                if not isinstance(item, RunRequest):
                    raise misfit(what, item, expected)
            return SensorResult(run_requests=returned)
        case _:
            raise misfit(what, returned, expected)


def together(results: Sequence[SensorResult]) -> SensorResult:
    """The answers to several events, as one."""
    requests: list[RunRequest] = [request for result in results for request in result.run_requests]
    reasons = [result.skip_reason.skip_message for result in results if result.skip_reason and result.skip_reason.skip_message]
    return SensorResult(
        run_requests=requests,
        skip_reason=None if requests or not reasons else "; ".join(reasons),
        dynamic_partitions_requests=[change for result in results for change in result.dynamic_partitions_requests],
        asset_events=[event for result in results for event in result.asset_events],
    )
