"""Retention: which history has served its time. Events are purged week by week, as the table is partitioned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.retention import EventClass, Policy, Week


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """All of a week has served its time."""

    week: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Events of one class of a week have."""

    week: str
    events: EventClass


Purge: TypeAlias = Drop | Delete


def purges(weeks: Sequence[Week], policy: Policy, purged: Mapping[EventClass, str], now: datetime) -> list[Purge]:
    """What is to be purged now, the oldest first.

    A week is looked at once all of it is old enough, so an event may stay up to a week longer than its class asks for.

    Args:
        weeks: the partitions that there are.
        purged: for each class the newest week that it has been purged from already.
    """
    found: list[Purge] = []
    for week in sorted(weeks, key=lambda week: week.name):
        old = [kind for kind in EventClass if (keep := policy.events.get(kind)) is not None and week.end + keep <= now]
        if len(old) == len(EventClass):
            found.append(Drop(week=week.name))
        else:
            found += [Delete(week=week.name, events=kind) for kind in old if purged.get(kind, "") < week.name]
    return found
