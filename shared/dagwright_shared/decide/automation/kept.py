"""Sets of partitions in a form that outlives their ordinals: ranges of keys.

Ordinals of dynamic keys shift when a key is deleted, and those of several dimensions when any but the first one grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

from dagwright_shared.model import partitions as parts
from dagwright_shared.model.partitions import (
    DynamicKeys,
    DynamicPartitions,
    MultiPartitions,
    Partitions,
    SimplePartitions,
    TimeWindowPartitions,
)
from dagwright_shared.model.subsets import EMPTY, Subset, of_range, union

Row: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""Keys of all dimensions but the last, and ranges (first and last key) in the last one."""
Kept: TypeAlias = bool | tuple[Row, ...]
"""True or False of something without partitions."""

FULL = of_range(0, 1)
_SHORT = 200
"""So many names are written one by one: then it does not matter which of their neighbours come and go."""


def keep(definition: Partitions | None, subset: Subset, now: datetime, dynamic: DynamicKeys) -> Kept:
    """A set in the form to be kept."""
    if definition is None:
        return bool(subset)
    if not subset:
        return ()
    *leading, last = _axes(definition)
    if not leading:
        return (((), _ranges(last, subset, now, dynamic)),)
    columns = [parts.simple_keys(axis, now, dynamic) for axis in leading]
    width = parts.count(last, now, dynamic)
    rows: list[Row] = []
    for block in sorted({place for start, end in subset.ranges for place in range(start // width, (end - 1) // width + 1)}):
        part = subset & of_range(block * width, (block + 1) * width)
        moved = Subset(tuple((start - block * width, end - block * width) for start, end in part.ranges))
        rows.append((_names(columns, block), _ranges(last, moved, now, dynamic)))
    return tuple(rows)


def recall(definition: Partitions | None, kept: Kept, now: datetime, dynamic: DynamicKeys) -> Subset:
    """The set that was kept, as far as its partitions still exist."""
    if definition is None:
        return FULL if kept is True else EMPTY
    if kept is True or kept is False or not kept:
        return EMPTY
    *leading, last = _axes(definition)
    width = parts.count(last, now, dynamic)
    found = []
    for names, ranges in kept:
        if len(names) != len(leading):
            continue
        block = 0
        for axis, name in zip(leading, names, strict=True):
            place = parts.ordinal(axis, name, now, dynamic)
            if place is None:
                break
            block = block * parts.count(axis, now, dynamic) + place
        else:
            found.append(Subset(tuple((s + block * width, e + block * width) for s, e in _places(last, ranges, now, dynamic).ranges)))
    return union(found)


def count(kept: Kept, definition: Partitions | None, now: datetime, dynamic: DynamicKeys) -> int:
    """How many partitions it has now."""
    return len(recall(definition, kept, now, dynamic))


@lru_cache(maxsize=4096)
def shape(definition: Partitions | None) -> str:
    """What a kept set is valid for: the kind of partitions, not which of them there are."""
    match definition:
        case None:
            return ""
        case TimeWindowPartitions():
            return f"time {definition.cron} {definition.timezone} {definition.format}"
        case DynamicPartitions():
            return f"dynamic {definition.name}"
        case MultiPartitions():
            return " x ".join(f"{name}: {shape(axis)}" for name, axis in definition.dimensions)
        case _:
            return "static"


def to_json(kept: Kept) -> Any:
    if isinstance(kept, bool):
        return kept
    return [[list(names), [list(pair) for pair in ranges]] for names, ranges in kept]


def from_json(data: Any) -> Kept:
    """
    Raises:
        TypeError: it is not what `to_json` wrote.
    """
    if isinstance(data, bool):
        return data
    return tuple((tuple(names), tuple((first, last) for first, last in ranges)) for names, ranges in data)


def _axes(definition: Partitions) -> Sequence[SimplePartitions]:
    return [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]


def _names(columns: Sequence[Sequence[str]], place: int) -> tuple[str, ...]:
    found = []
    for column in reversed(columns):
        place, at = divmod(place, len(column))
        found.append(column[at])
    return tuple(reversed(found))


def _ranges(axis: SimplePartitions, subset: Subset, now: datetime, dynamic: DynamicKeys) -> tuple[tuple[str, str], ...]:
    if isinstance(axis, TimeWindowPartitions):
        starts = parts.window_starts(axis, now)
        inside = (subset & of_range(0, len(starts))).ranges
        return tuple((parts.key_at(axis, starts[start]), parts.key_at(axis, starts[end - 1])) for start, end in inside)
    keys = parts.simple_keys(axis, now, dynamic)
    inside = (subset & of_range(0, len(keys))).ranges
    if len(subset) <= _SHORT or isinstance(axis, DynamicPartitions):
        return tuple((keys[place], keys[place]) for start, end in inside for place in range(start, end))
    return tuple((keys[start], keys[end - 1]) for start, end in inside)


def _places(axis: SimplePartitions, ranges: Sequence[tuple[str, str]], now: datetime, dynamic: DynamicKeys) -> Subset:
    if isinstance(axis, TimeWindowPartitions):
        found = ((parts.ordinal(axis, first, now), parts.ordinal(axis, last, now)) for first, last in ranges)
    else:
        places = _index(tuple(parts.simple_keys(axis, now, dynamic)))
        found = ((places.get(first), places.get(last)) for first, last in ranges)
    return union(of_range(start, end + 1) for start, end in found if start is not None and end is not None)


@lru_cache(maxsize=256)
def _index(keys: tuple[str, ...]) -> Mapping[str, int]:
    return {key: place for place, key in enumerate(keys)}
