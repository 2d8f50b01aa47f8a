"""Keys of partitions as people see them, and what they choose one by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dagwright_shared.model import subsets
from dagwright_shared.model.dependents import Moment, size
from dagwright_shared.model.keys import PartitionKey, format_partition
from dagwright_shared.model.partitions import MultiPartitions, Partitions, TimeWindowPartitions
from dagwright_webserver.reads.view import view

MAX_KEYS = 100


@view
class AxisView:
    """A dimension of partitions, or all of a definition that has one."""

    name: str | None
    """Of the dimension; null where there is one alone."""
    count: int
    """How many keys it has."""
    newest: tuple[str, ...]
    """Its newest 100 keys, newest first."""
    first: str | None
    """Its first key; null where it has none."""
    last: str | None
    """Its last key; null where it has none."""
    by_day: bool
    """Whether its keys are days, as `2013-01-31`: the start of a window of a day."""


def newest_keys(definition: Partitions, at: Moment) -> tuple[str, ...]:
    """The last keys of a definition, newest first, as people see them."""
    total = size(definition, at)
    last = range(total - 1, max(-1, total - 1 - MAX_KEYS), -1)
    named = names(definition, last, at)
    return tuple(named[place] for place in last)


def names(definition: Partitions, places: Iterable[int], at: Moment) -> Mapping[int, str]:
    return {place: format_partition(key) or "" for place, key in keys_at(definition, places, at).items()}


def keys_at(definition: Partitions, places: Iterable[int], at: Moment) -> Mapping[int, PartitionKey]:
    wanted = subsets.of_ordinals(places)
    return dict(zip(wanted, subsets.to_keys(definition, wanted, at.now, at.dynamic), strict=True))


def axes_of(definition: Partitions | None, at: Moment) -> tuple[AxisView, ...]:
    """The dimensions in the order in which keys have them; none of what has no partitions."""
    match definition:
        case None:
            return ()
        case MultiPartitions():
            return tuple(_axis(name, each, at) for name, each in definition.dimensions)
        case _:
            return (_axis(None, definition, at),)


def _axis(name: str | None, definition: Partitions, at: Moment) -> AxisView:
    count = size(definition, at)
    ends = names(definition, {0, count - 1}, at) if count else {}
    return AxisView(
        name=name,
        count=count,
        newest=newest_keys(definition, at),
        first=ends.get(0),
        last=ends.get(count - 1),
        by_day=isinstance(definition, TimeWindowPartitions) and definition.format == "%Y-%m-%d" and _daily(definition.cron),
    )


def _daily(cron: str) -> bool:
    """Whether it fires once a day, on each day: keys between the ends are then days without a gap."""
    minute, hour, *days = cron.split()
    return minute.isdigit() and hour.isdigit() and all(each == "*" for each in days)
