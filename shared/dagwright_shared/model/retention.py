"""For how long history is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.ticks import TickStatus


class EventClass(StrEnum):
    """Kinds of events that are kept equally long."""

    NOISE = "noise"
    """What user code logged, what dagwright itself says, loads of inputs and stores of outputs."""
    OBSERVATIONS = "observations"
    MATERIALIZATIONS = "materializations"
    """Materializations and their failures, checks, freshness."""
    RUNS = "runs"
    """The life of runs and their steps; kept as long as the runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """For how long each kind of history is kept; None: for ever."""

    events: Mapping[EventClass, timedelta | None]
    ticks: Mapping[TickStatus, timedelta | None]
    logs: timedelta | None = None
    """Captured output."""
    runs: timedelta | None = None
    audit: timedelta | None = None
    """The audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """A partition of the event table."""

    name: str
    end: datetime
