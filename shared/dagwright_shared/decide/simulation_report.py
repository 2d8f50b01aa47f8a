"""A simulation as plain data, of which `dagwright simulate` and REST make their answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dagwright_shared.decide.simulation import Pressure, SimulatedRun, Simulation
from dagwright_shared.model.keys import format_partition


def report(simulation: Simulation, *, start: datetime, until: datetime, limit: int = 1000) -> Mapping[str, Any]:
    """
    Args:
        limit: at most so many runs are listed; all are counted.
    """
    return {
        "start": _moment(start),
        "until": _moment(until),
        "run_count": len(simulation.runs),
        "runs": [_run(each) for each in simulation.runs[:limit]],
        "total": _pressure(simulation.total),
        "pools": [_pressure(pool) for pool in simulation.pools],
        "left_out": list(simulation.left_out),
        "cut": simulation.cut,
    }


def _run(each: SimulatedRun) -> Mapping[str, Any]:
    run = each.run
    waited = None if run.started_at is None else (run.started_at - run.created_at).total_seconds()
    return {
        "location": run.location,
        "job": run.job_name,
        "assets": [key.to_user_string() for key in run.asset_keys],
        "partition": format_partition(run.partition),
        "trigger": str(run.trigger.kind),
        "trigger_name": run.trigger.name,
        "created_at": _moment(run.created_at),
        "started_at": _moment(run.started_at),
        "ended_at": _moment(run.ended_at),
        "waited_seconds": waited,
        "waited_for": list(each.waited_for),
    }


def _pressure(pool: Pressure) -> Mapping[str, Any]:
    return {
        "name": pool.name,
        "slots": pool.slots,
        "peak": pool.peak,
        "busy": round(pool.busy, 4),
        "waited_seconds": pool.waited.total_seconds(),
    }


def _moment(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
