"""Builders of values that many tests need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.events import EventBatch, LogLevel, LogMessage, Payload, PlannedStep, RunEvent, RunStarted
from dagwright_shared.model.keys import AssetKey, Digest, LocationName, RunId, StepKey, new_run_id
from dagwright_shared.model.runs import NewRun, Run
from dagwright_shared.store import runs

LOCATION = LocationName("here")
DIGEST = Digest("d" * 64)
ERROR = ErrorInfo(class_name="ValueError", message="no")


def new_run(**fields: Any) -> NewRun:
    return NewRun(**{"run_id": new_run_id(), "location": LOCATION, "digest": DIGEST, "job_name": "job", **fields})


def queued(conn: Connection, **fields: Any) -> RunId:
    run = new_run(**fields)
    assert runs.enqueue(conn, [run]) == [run.run_id]
    return run.run_id


def claimed(conn: Connection, *, lease_seconds: float = 60.0, **fields: Any) -> Run:
    run_id = queued(conn, **fields)
    [run] = [run for run in runs.claim(conn, limit=1000, lease_seconds=lease_seconds) if run.run_id == run_id]
    return run


def planned(*keys: str, **fields: Any) -> RunStarted:
    steps = tuple(PlannedStep(key=StepKey(key), op_name=key, **fields) for key in keys)
    return RunStarted(pid=1, host="host", executor="in_process", steps=steps)


def event(seq: int, payload: Payload, step: str | None = None, time: datetime | None = None) -> RunEvent:
    return RunEvent(seq=seq, time=time or datetime.now(UTC), step_key=None if step is None else StepKey(step), payload=payload)


def batch(
    run: Run, payloads: Sequence[Payload | tuple[str, Payload]], *, first: int = 1, epoch: int | None = None, **fields: Any
) -> EventBatch:
    """Events numbered from `first`; a pair is a step and its payload."""
    events = [
        event(first + place, *reversed(payload)) if isinstance(payload, tuple) else event(first + place, payload)
        for place, payload in enumerate(payloads)
    ]
    return EventBatch(run_id=run.run_id, epoch=run.epoch if epoch is None else epoch, events=tuple(events), **fields)


def log(message: str = "line") -> LogMessage:
    return LogMessage(level=LogLevel.INFO, message=message)


def keys(*names: str) -> tuple[AssetKey, ...]:
    return tuple(AssetKey.from_user_string(name) for name in names)
