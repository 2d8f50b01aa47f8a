"""Ranges of partitions: the first and the last key, both included, in the order of their definition."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime

from dagwright_shared.model import partitions as parts
from dagwright_shared.model.keys import PartitionKey, format_partition
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys, MultiPartitions, Partitions, SimplePartitions

SEPARATOR = "..."


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
