"""Sensors: when the next evaluation is due."""

from __future__ import annotations

from datetime import datetime, timedelta

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
    return instigator.last_tick_at + timedelta(seconds=max(1, sensor.minimum_interval_seconds))


def is_due(sensor: SensorSnapshot, instigator: Instigator, now: datetime) -> bool:
    """Whether it is to be evaluated now."""
    if not instigator.running:
        return False
    moment = next_time(sensor, instigator)
    return moment is None or moment <= now
