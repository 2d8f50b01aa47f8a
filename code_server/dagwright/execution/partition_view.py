"""Partition keys and windows as user code sees them."""

from __future__ import annotations

from dagwright.authoring.partitions import MultiPartitionKey, TimeWindow
from dagwright_shared.model import cron
from dagwright_shared.model import partitions as parts
from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.partitions import MultiPartitions, Partitions, TimeWindowPartitions


def multi_key(key: PartitionKey, definition: Partitions | None) -> str:
    """The key as text; with several dimensions it knows its parts."""
    if isinstance(definition, MultiPartitions) and len(key) == len(definition.dimensions):
        return MultiPartitionKey({name: part for (name, _), part in zip(definition.dimensions, key, strict=True)})
    return "|".join(key)


def window(definition: TimeWindowPartitions, first: str, last: str | None = None) -> TimeWindow:
    """From the start of one partition to the end of another (or of the same), in the definition's time zone."""
    zone = cron.zone(definition.timezone)
    start = parts.time_window(definition, first).start
    end = parts.time_window(definition, first if last is None else last).end
    return TimeWindow(start.astimezone(zone), end.astimezone(zone))
