"""Sensors: when the next evaluation is due, and which of them an event concerns."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.runs import FINAL, RunSignal, RunStatus
from dagwright_shared.model.snapshot import SensorSnapshot
from dagwright_shared.model.ticks import Instigator


def next_time(sensor: SensorSnapshot, instigator: Instigator) -> datetime | None:
    """When it is to be evaluated next: one minimum interval after its last tick, or at once when it has none.

    None while it is switched off. The result may be in the past.
    """
    if not instigator.running:
        return None
    if instigator.last_tick_at is None:
        return instigator.running_since
    return instigator.last_tick_at + _interval(sensor)


def is_due(sensor: SensorSnapshot, instigator: Instigator, now: datetime) -> bool:
    """Whether it is to be evaluated now; also when its last tick lies in the future: then a clock was wrong, and has been set right."""
    if not instigator.running:
        return False
    moment = next_time(sensor, instigator)
    return moment is None or moment <= now or moment > now + 2 * _interval(sensor)


def concerned(
    watching: Iterable[tuple[int, LocationName, SensorSnapshot]],
    *,
    asset_keys: AbstractSet[str],
    runs: AbstractSet[RunSignal],
) -> set[int]:
    """The sensors that what has happened concerns.

    Args:
        watching: id, location and definition of each.
        asset_keys: assets, as text, of which something has changed.
        runs: where runs of which job came to which status.
    """
    return {
        key
        for key, location, sensor in watching
        if any(asset.to_user_string() in asset_keys for asset in sensor.asset_keys) or _concerned_by_runs(location, sensor, runs)
    }


def _concerned_by_runs(location: LocationName, sensor: SensorSnapshot, runs: AbstractSet[RunSignal]) -> bool:
    if not sensor.run_statuses or not runs:
        return False
    wanted = set(sensor.run_statuses)
    if RunStatus.STARTED in wanted:
        wanted |= FINAL  # one that has ended since may have begun since
    return any(run.status in wanted and _watches(location, sensor, run) for run in runs)


def _watches(location: LocationName, sensor: SensorSnapshot, run: RunSignal) -> bool:
    if sensor.monitored_jobs:
        # A run that has no job's name may be known to user code by one.
        return any(
            (job.job_name is None or run.job_name in (None, job.job_name)) and job.location in (None, run.location)
            for job in sensor.monitored_jobs
        )
    return sensor.all_locations or run.location == location


def _interval(sensor: SensorSnapshot) -> timedelta:
    return timedelta(seconds=max(1, sensor.minimum_interval_seconds))
