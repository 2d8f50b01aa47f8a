"""Ranges of partitions: the first and the last key, both included, in the order of their definition."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime

from dagwright_shared.model import partitions as parts
from dagwright_shared.model.keys import PartitionKey, format_partition
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys, MultiPartitions, Partitions, SimplePartitions

SEPARATOR = "..."
PARTITION_TAG = "dagster/partition"
START_TAG = "dagster/asset_partition_range_start"
END_TAG = "dagster/asset_partition_range_end"


def keys_between(
    definition: Partitions, first: PartitionKey, last: PartitionKey, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC
) -> tuple[PartitionKey, ...]:
    """All keys of a range, in order; none when it ends before it begins.

    With several dimensions a range is a box: the combinations of what lies between the ends in each of them.

    Raises:
        LookupError: one of the ends does not exist at `now`; its argument is that end.
    """
    for end in (first, last):
        if not parts.contains(definition, end, now, dynamic):
            raise LookupError(end)
    axes = [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]
    spans = [_between(axis, start, end, now, dynamic) for axis, start, end in zip(axes, first, last, strict=True)]
    return tuple(itertools.product(*spans))


def _between(axis: SimplePartitions, first: str, last: str, now: datetime, dynamic: DynamicKeys) -> Sequence[str]:
    start, end = parts.ordinal(axis, first, now, dynamic), parts.ordinal(axis, last, now, dynamic)
    assert start is not None
    assert end is not None
    return parts.simple_keys_at(axis, start, end + 1, now, dynamic)


def format_range(first: PartitionKey, last: PartitionKey | None) -> str | None:
    """A partition or a range as people see it: `2013-01-01`, `2013-01-01...2013-01-31`; None when unpartitioned."""
    text = format_partition(first)
    return text if text is None or last is None else f"{text}{SEPARATOR}{format_partition(last)}"


def tags(definition: Partitions | None, first: PartitionKey, last: PartitionKey | None) -> dict[str, str]:
    """The tags by which user code knows the partitions of a run."""
    if not first:
        return {}
    if last is not None:
        return {START_TAG: format_partition(first) or "", END_TAG: format_partition(last) or ""}
    found = {PARTITION_TAG: format_partition(first) or ""}
    if isinstance(definition, MultiPartitions):
        found |= {f"{PARTITION_TAG}/{name}": part for (name, _), part in zip(definition.dimensions, first, strict=True)}
    return found


def ends_in(given: Mapping[str, str]) -> tuple[str, str] | None:
    """The ends of the range that tags name, if they name one.

    Raises:
        ValueError: they name one end only, or a single partition too.
    """
    first, last = given.get(START_TAG), given.get(END_TAG)
    if first is None and last is None:
        return None
    if first is None or last is None:
        there, missing = (START_TAG, END_TAG) if last is None else (END_TAG, START_TAG)
        raise ValueError(f"the tag {there} names one end of a range of partitions; give {missing} too")
    if PARTITION_TAG in given:
        raise ValueError(f"the tag {PARTITION_TAG} names one partition, and {START_TAG} and {END_TAG} a range; leave one of them out")
    return first, last
