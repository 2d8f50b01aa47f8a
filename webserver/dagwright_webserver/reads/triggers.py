"""Which schedules and sensors launch an asset."""

from __future__ import annotations

from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.snapshot import SensorKind, SensorSnapshot, TriggerTarget
from dagwright_webserver.reads.definitions import Definitions


def schedules_of(defs: Definitions, location: LocationName, key: AssetKey) -> tuple[str, ...]:
    """Schedules of a location whose runs make an asset, by themselves or by a job."""
    if location not in defs.locations:  # what is known by records alone
        return ()
    jobs = _jobs(defs, location, key)
    return tuple(each.name for each in defs.locations[location].schedules if _launches(each.target, key, jobs))


def sensors_of(defs: Definitions, location: LocationName, key: AssetKey) -> tuple[str, ...]:
    """Sensors of a location that launch an asset by themselves or by a job, or evaluate its automation condition."""
    if location not in defs.locations:
        return ()
    jobs = _jobs(defs, location, key)
    return tuple(each.name for each in defs.locations[location].sensors if _asks_for(each, key, jobs))


def _jobs(defs: Definitions, location: LocationName, key: AssetKey) -> set[str]:
    return {job.name for place, job in defs.graph.jobs_of(key) if place == location}


def _asks_for(sensor: SensorSnapshot, key: AssetKey, jobs: set[str]) -> bool:
    evaluates = sensor.kind is SensorKind.AUTOMATION and key in sensor.asset_keys
    return evaluates or any(_launches(target, key, jobs) for target in sensor.targets)


def _launches(target: TriggerTarget, key: AssetKey, jobs: set[str]) -> bool:
    return target.job_name in jobs or key in target.asset_keys
