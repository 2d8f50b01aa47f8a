"""What would run from now on, by the definitions, switches, limits and history of the deployment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from dagwright_shared.decide.requests import Definitions as LocationDefinitions
from dagwright_shared.decide.simulation import Setting, simulate
from dagwright_shared.decide.simulation_report import report
from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import NewRun
from dagwright_shared.model.ticks import InstigatorKind
from dagwright_shared.store import dynamic_partitions, instigators, pools
from dagwright_shared.store import limits as limits_store
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.view import view

_DEFAULT = timedelta(minutes=1)


@view
class SimulatedRunView:
    """A run that would be."""

    location: str
    """The code location whose definitions it would run."""
    job: str | None
    """Name of the job; null when assets were picked."""
    assets: tuple[str, ...]
    """What it would materialize."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    trigger: str
    """schedule or automation."""
    trigger_name: str | None
    """Name of the schedule."""
    created_at: datetime
    """When it would be asked for."""
    started_at: datetime | None
    """When it would start; null when that is later than `until`."""
    ended_at: datetime | None
    """When it would end; null when that is later than `until`."""
    waited_seconds: float | None
    """From being asked for to its start."""
    waited_for: tuple[str, ...]
    """The limits and pools that would hold it back."""


@view
class PressureView:
    """How much a pool, or the limit of all runs, would be used."""

    name: str
    """Name of the pool; empty for all runs."""
    slots: int | None
    """How many there are; null: any number."""
    peak: int
    """The most that are in use at once."""
    busy: float
    """Slots in use on average."""
    waited_seconds: float
    """How long runs would wait for it, all together."""


@view
class SimulationView:
    """What would run, and how full the queue and the pools would be."""

    start: datetime
    """Now."""
    until: datetime
    """The end of what was simulated."""
    run_count: int
    """How many runs there would be."""
    runs: tuple[SimulatedRunView, ...]
    """The first ones."""
    total: PressureView
    """All runs."""
    pools: tuple[PressureView, ...]
    """Each pool."""
    left_out: tuple[str, ...]
    """What was not simulated, and why."""
    cut: bool
    """Whether there would be more than 20,000 runs; the rest was left out."""


def read_simulation(conn: Connection, defs: Definitions, limits: Limits, *, now: datetime, hours: float, limit: int) -> SimulationView:
    """Simulate the deployment from now on; runs take as long as they did lately, or a minute."""
    lengths = _lengths(conn)
    effective = limits_store.read(conn, limits)

    def duration(run: NewRun) -> timedelta:
        return lengths.get((run.job_name, () if run.job_name else tuple(sorted(key.to_user_string() for key in run.asset_keys))), _DEFAULT)

    running = {(each.location, each.name) for each in instigators.list(conn, kind=InstigatorKind.SCHEDULE) if each.running}
    until = now + timedelta(hours=hours)
    setting = Setting(
        definitions={name: LocationDefinitions.of(defs.digests[name], found) for name, found in defs.locations.items()},
        now=now,
        until=until,
        limits=effective,
        pools={pool.name: pool.slots for pool in pools.list(conn, effective)},
        duration=duration,
        runs_here=lambda location, name: (location, name) in running,
        dynamic=dynamic_partitions.every(conn),
    )
    found = report(simulate(setting), start=now, until=until, limit=limit)
    return SimulationView(
        start=found["start"],
        until=found["until"],
        run_count=found["run_count"],
        runs=tuple(map(_run, found["runs"])),
        total=PressureView(**found["total"]),
        pools=tuple(PressureView(**pool) for pool in found["pools"]),
        left_out=tuple(found["left_out"]),
        cut=found["cut"],
    )


def _run(run: Mapping[str, Any]) -> SimulatedRunView:
    return SimulatedRunView(**{**run, "assets": tuple(run["assets"]), "waited_for": tuple(run["waited_for"])})


def _lengths(conn: Connection) -> Mapping[tuple[str | None, tuple[str, ...]], timedelta]:
    """How long successful runs of each job, and of each set of assets, took lately."""
    found = {}
    for job, assets, seconds in conn.execute(_LENGTHS):
        found[job, () if job else tuple(sorted(assets))] = timedelta(seconds=float(seconds))
    return found


_LENGTHS = text("""
SELECT job_name, CASE WHEN job_name IS NULL THEN asset_keys END AS assets, avg(extract(epoch FROM ended_at - started_at)) FROM (
    SELECT job_name, asset_keys, started_at, ended_at FROM runs
    WHERE status = 'SUCCESS' AND started_at IS NOT NULL ORDER BY created_at DESC, run_id DESC LIMIT 2000
) newest GROUP BY 1, 2
""")
