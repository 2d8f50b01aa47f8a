"""Steps of runs, from their rows."""

from __future__ import annotations

from typing import Any

from dagwright_shared.model.errors import error_from_json
from dagwright_shared.model.keys import StepKey, asset_keys
from dagwright_shared.model.runs import StepRecord, StepStatus


def from_row(row: Any) -> StepRecord:
    return StepRecord(
        step_key=StepKey(row.step_key),
        status=StepStatus(row.status),
        attempt=row.attempt,
        op_name=row.op_name,
        kind=row.kind,
        depends_on=tuple(StepKey(key) for key in row.depends_on),
        asset_keys=asset_keys(row.asset_keys),
        executor=row.executor,
        step_group=row.step_group,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cpu_seconds=row.cpu_seconds,
        peak_memory_bytes=row.peak_memory_bytes,
        error=error_from_json(row.error) if row.error else None,
    )
