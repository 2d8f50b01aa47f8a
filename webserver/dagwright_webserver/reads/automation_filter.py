"""Which schedules, sensors and conditions somebody wants to see on the page of automation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import Connection

from dagwright_shared.model.ticks import InstigatorKind, TickStatus
from dagwright_webserver.reads.automation import AutomationView, ScheduleView, SensorView, read_automation
from dagwright_webserver.reads.conditions import read_conditions
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.strips import Strips

_Switched = TypeVar("_Switched", ScheduleView, SensorView)


class SwitchState(StrEnum):
    """How a schedule or sensor stands."""

    ON = "on"
    OFF = "off"
    FAILING = "failing"
    """Its newest tick failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationFilter:
    """Everything given must hold."""

    text: str | None = None
    """A part of the name, in any case."""
    state: SwitchState | None = None
    """Conditions have no switch: asking for a state leaves them out."""
    location: str | None = None
    """The code location."""


def read_filtered(conn: Connection, defs: Definitions, wanted: AutomationFilter, strips: Strips, *, now: datetime) -> AutomationView:
    """All that asks for runs and fits; its ticks are in the strips alone."""
    view = read_automation(conn, defs, now=now, strip=0)
    if wanted == AutomationFilter():
        return view
    conditions, count = ((), 0) if wanted.state else read_conditions(conn, defs, text=wanted.text, location=wanted.location)
    return replace(
        view,
        schedules=tuple(each for each in view.schedules if _fits(each, wanted, strips)),
        sensors=tuple(each for each in view.sensors if _fits(each, wanted, strips)),
        conditions=conditions,
        condition_count=count,
    )


def _fits(each: _Switched, wanted: AutomationFilter, strips: Strips) -> bool:
    if (wanted.text or "").lower() not in each.name.lower() or wanted.location not in (None, each.location):
        return False
    match wanted.state:
        case None:
            return True
        case SwitchState.ON:
            return each.running
        case SwitchState.OFF:
            return not each.running
        case SwitchState.FAILING:
            kind = InstigatorKind.SCHEDULE if isinstance(each, ScheduleView) else InstigatorKind.SENSOR
            strip = strips.get((kind, each.location, each.name), ())
            return bool(strip) and strip[-1].status == TickStatus.FAILURE
