"""Steps of a run."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from dagwright_shared.model.errors import ErrorInfo, error_from_json
from dagwright_shared.model.runs import StepStatus
from dagwright_shared.store import tables
from dagwright_webserver.reads.view import Moment, seconds_between, view


@view
class StepView:
    """A step of a run: one bar of its Gantt chart."""

    step_key: str
    """Name of the step inside the run."""
    status: StepStatus
    """Where it is in its life."""
    attempt: int
    """Number of the newest attempt, from 1."""
    op: str | None
    """Name of the op that it executes."""
    kind: str
    """op, asset or check."""
    depends_on: tuple[str, ...]
    """Steps that must succeed before it starts."""
    assets: tuple[str, ...]
    """Assets that it materializes."""
    executor: str | None
    """Its executor, where it is not the run's."""
    step_group: str | None
    """Steps of one group run in one process."""
    started_at: Moment | None
    """Start of the newest attempt."""
    ended_at: Moment | None
    """End of the newest attempt."""
    duration_seconds: float | None
    """From start to end; null while it runs."""
    cpu_seconds: float | None
    """User and system time of the newest attempt, children included."""
    peak_memory_bytes: int | None
    """Peak resident set of the newest attempt."""
    error: ErrorInfo | None
    """Why it failed."""


_steps = tables.steps.c
_STEPS = select(tables.steps).where(_steps.run_id == bindparam("run_id")).order_by(_steps.ordinal, _steps.step_key)


def read_steps(conn: Connection, run_id: str) -> tuple[StepView, ...]:
    """The steps of a run in the order of its plan."""
    return tuple(
        StepView(
            step_key=row.step_key,
            status=StepStatus(row.status),
            attempt=row.attempt,
            op=row.op_name,
            kind=row.kind,
            depends_on=tuple(row.depends_on),
            assets=tuple(row.asset_keys),
            executor=row.executor,
            step_group=row.step_group,
            started_at=row.started_at,
            ended_at=row.ended_at,
            duration_seconds=seconds_between(row.started_at, row.ended_at),
            cpu_seconds=row.cpu_seconds,
            peak_memory_bytes=row.peak_memory_bytes,
            error=error_from_json(row.error) if row.error else None,
        )
        for row in conn.execute(_STEPS, {"run_id": run_id})
    )
