"""When a sensor is due."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.decide.test_queue import NOW

from dagwright_shared.decide import sensors
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.runs import RunSignal, RunStatus
from dagwright_shared.model.snapshot import MonitoredJob, SensorSnapshot
from dagwright_shared.model.ticks import Instigator, InstigatorKind

pytestmark = pytest.mark.unit

SENSOR = SensorSnapshot(name="s", minimum_interval_seconds=30)


@pytest.mark.parametrize(
    ("running", "ago", "due"), [(False, None, False), (True, None, True), (True, 29, False), (True, 30, True), (False, 99, False)]
)
def test_due(running: bool, ago: int | None, due: bool) -> None:
    instigator = Instigator(
        instigator_id=1, location=LocationName("here"), kind=InstigatorKind.SENSOR, name="s", running=running, switched=False, cursor=None,
        running_since=NOW, last_tick_at=None if ago is None else NOW - timedelta(seconds=ago),
    )  # fmt: skip
    assert sensors.is_due(SENSOR, instigator, NOW) is due


HERE, THERE = LocationName("here"), LocationName("there")


@pytest.mark.parametrize(
    ("jobs", "everywhere", "run", "concerned"),
    [
        ((), False, RunSignal(HERE, "etl", RunStatus.SUCCESS), True),
        ((), False, RunSignal(HERE, "etl", RunStatus.FAILURE), False),
        ((), False, RunSignal(THERE, "etl", RunStatus.SUCCESS), False),
        ((), True, RunSignal(THERE, "etl", RunStatus.SUCCESS), True),
        ((MonitoredJob(job_name="etl"),), False, RunSignal(HERE, "etl", RunStatus.SUCCESS), True),
        ((MonitoredJob(job_name="etl"),), False, RunSignal(HERE, "other", RunStatus.SUCCESS), False),
        ((MonitoredJob(job_name="etl"),), False, RunSignal(HERE, None, RunStatus.SUCCESS), True),
        ((MonitoredJob(job_name="x"), MonitoredJob(location=THERE)), False, RunSignal(THERE, "etl", RunStatus.SUCCESS), True),
        ((MonitoredJob(location=THERE),), False, RunSignal(HERE, "etl", RunStatus.SUCCESS), False),
    ],
)
def test_which_runs_concern_a_sensor(jobs: tuple[MonitoredJob, ...], everywhere: bool, run: RunSignal, concerned: bool) -> None:
    sensor = SensorSnapshot(name="s", run_statuses=(RunStatus.SUCCESS,), monitored_jobs=jobs, all_locations=everywhere)
    assert sensors.concerned([(1, HERE, sensor)], asset_keys=frozenset(), runs=frozenset({run})) == ({1} if concerned else set())
