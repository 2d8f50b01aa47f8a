"""When a sensor is due."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.decide.test_queue import NOW

from dagwright_shared.decide import sensors
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.snapshot import SensorSnapshot
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
