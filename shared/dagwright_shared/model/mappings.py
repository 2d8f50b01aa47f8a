"""Which partitions of an upstream asset a partition of its downstream reads."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dagwright_shared.model import cron
from dagwright_shared.model import partitions as parts
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys, MultiPartitions, Partitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import MappingKind, PartitionMappingData

_ALL = PartitionMappingData(kind=MappingKind.ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The answer: keys that exist, and keys that the mapping asks for though they do not."""

    keys: tuple[PartitionKey, ...]
    missing: tuple[PartitionKey, ...] = ()


def default(upstream: Partitions | None, downstream: Partitions | None) -> PartitionMappingData:
    """The mapping of a dependency that names none."""
    if upstream is None or downstream is None:
        return _ALL
    if upstream == downstream:
        return PartitionMappingData(kind=MappingKind.IDENTITY)
    if isinstance(upstream, TimeWindowPartitions) and isinstance(downstream, TimeWindowPartitions):
        return PartitionMappingData(kind=MappingKind.TIME_WINDOW)
    if isinstance(upstream, MultiPartitions) or isinstance(downstream, MultiPartitions):
        return PartitionMappingData(kind=MappingKind.IDENTITY)  # by dimension, where any agrees
    return _ALL


def upstream_keys(
    key: PartitionKey,
    downstream: Partitions | None,
    upstream: Partitions | None,
    mapping: PartitionMappingData | None,
    now: datetime,
    dynamic: DynamicKeys = NO_DYNAMIC,
) -> Upstream:
    """The upstream partitions that one downstream partition reads.

    Args:
        key: of the downstream; `()` when it is unpartitioned.
        mapping: None for the default one.

    An unpartitioned upstream gives the single key `()`.
    """
    if upstream is None:
        return Upstream(keys=(UNPARTITIONED,))
    mapping = mapping or default(upstream, downstream)
    match mapping.kind:
        case MappingKind.LAST:
            last = parts.last_key(upstream, now, dynamic)
            return Upstream(keys=(last,) if last is not None else ())
        case MappingKind.SPECIFIC:
            return _existing([(name,) for name in mapping.partition_keys], upstream, now, dynamic)
        case MappingKind.STATIC:
            wanted = [(up,) for up, downs in mapping.downstream_by_upstream.items() if key and key[0] in downs]
            return _existing(wanted, upstream, now, dynamic)
        case MappingKind.TIME_WINDOW if _is_time(upstream) and _is_time(downstream) and key:
            return _overlapping(key[0], downstream, upstream, mapping, now)
        case MappingKind.MULTI if key and downstream is not None:
            return _by_dimension(key, downstream, upstream, mapping, now, dynamic)
        case MappingKind.IDENTITY if key and downstream is not None:
            return _identical(key, downstream, upstream, now, dynamic)
    return Upstream(keys=tuple(parts.keys(upstream, now, dynamic)))


def _is_time(definition: Partitions | None) -> bool:
    return isinstance(definition, TimeWindowPartitions)


def _existing(wanted: Sequence[PartitionKey], upstream: Partitions, now: datetime, dynamic: DynamicKeys) -> Upstream:
    known: list[PartitionKey] = []
    missing: list[PartitionKey] = []
    for key in wanted:
        (known if parts.contains(upstream, key, now, dynamic) else missing).append(key)
    return Upstream(keys=tuple(known), missing=tuple(missing))


def _identical(key: PartitionKey, downstream: Partitions, upstream: Partitions, now: datetime, dynamic: DynamicKeys) -> Upstream:
    """The same key; between a definition of several dimensions and another, the dimensions that agree."""
    if not isinstance(upstream, MultiPartitions) and not isinstance(downstream, MultiPartitions):
        return _existing([key], upstream, now, dynamic)
    down = downstream.dimensions if isinstance(downstream, MultiPartitions) else (("", downstream),)
    up = upstream.dimensions if isinstance(upstream, MultiPartitions) else (("", upstream),)
    fixed: dict[int, str] = {}
    for position, (name, axis) in enumerate(up):
        for part, (other_name, other) in zip(key, down, strict=True):
            if axis == other and (name == other_name or not name or not other_name):
                fixed[position] = part
                break
    if not isinstance(upstream, MultiPartitions):
        if 0 in fixed:
            return _existing([(fixed[0],)], upstream, now, dynamic)
        return Upstream(keys=tuple(parts.keys(upstream, now, dynamic)))
    matching = [k for k in parts.keys(upstream, now, dynamic) if all(k[i] == part for i, part in fixed.items())]
    return Upstream(keys=tuple(matching))


def _axes(definition: Partitions) -> tuple[tuple[str, Partitions], ...]:
    return definition.dimensions if isinstance(definition, MultiPartitions) else (("", definition),)


def _by_dimension(
    key: PartitionKey, downstream: Partitions, upstream: Partitions, mapping: PartitionMappingData, now: datetime, dynamic: DynamicKeys
) -> Upstream:
    """Each named dimension by its own mapping; of the others every key."""
    up, down = _axes(upstream), _axes(downstream)
    allowed: dict[int, list[str]] = {}
    missing: list[PartitionKey] = []
    for one in mapping.dimensions:
        there = next((i for i, (name, _) in enumerate(up) if name in (one.upstream, "")), None)
        here = next((i for i, (name, _) in enumerate(down) if name in (one.downstream, "")), None)
        if there is None or here is None:
            continue
        found = upstream_keys((key[here],), down[here][1], up[there][1], one.mapping, now, dynamic)
        allowed[there] = [part for (part,) in found.keys]
        missing += found.missing
    if not isinstance(upstream, MultiPartitions):
        if 0 in allowed:
            return Upstream(keys=tuple((part,) for part in allowed[0]), missing=tuple(missing))
        return Upstream(keys=tuple(parts.keys(upstream, now, dynamic)))
    matching = [k for k in parts.keys(upstream, now, dynamic) if all(k[i] in names for i, names in allowed.items())]
    return Upstream(keys=tuple(matching))


def _overlapping(key: str, downstream: Partitions | None, upstream: Partitions, mapping: PartitionMappingData, now: datetime) -> Upstream:
    """Windows of the upstream that overlap the downstream's, which offsets (in windows of the upstream) may widen or move."""
    assert isinstance(downstream, TimeWindowPartitions)
    assert isinstance(upstream, TimeWindowPartitions)
    window = parts.time_window(downstream, key)
    first = parts.time_window(upstream, parts.key_at(upstream, window.start))
    # The last upstream window that starts before the end of the downstream's.
    last = first
    candidates = [first]
    while last.end < window.end:
        last = parts.time_window(upstream, parts.key_at(upstream, last.end))
        candidates.append(last)
    wanted = _shifted(candidates, upstream, mapping.start_offset, mapping.end_offset)
    starts = parts.window_starts(upstream, now)
    known: list[PartitionKey] = []
    missing: list[PartitionKey] = []
    for start in wanted:
        at = bisect.bisect_left(starts, start)
        name = (parts.key_at(upstream, start),)
        (known if at < len(starts) and starts[at] == start else missing).append(name)
    if mapping.allow_nonexistent_upstream_partitions:
        missing = []
    return Upstream(keys=tuple(known), missing=tuple(missing))


def _shifted(windows: list[parts.TimeWindow], upstream: TimeWindowPartitions, start_offset: int, end_offset: int) -> list[datetime]:
    starts = [window.start for window in windows]
    first = _step(starts[0], upstream, start_offset)
    last = _step(starts[-1], upstream, end_offset)
    if last < first:
        return []
    result, at = [], first
    while at <= last:
        result.append(at)
        at = _step(at, upstream, 1)
    return result


def _step(start: datetime, definition: TimeWindowPartitions, count: int) -> datetime:
    ticks = (
        cron.after(definition.cron, start, definition.timezone) if count > 0 else cron.before(definition.cron, start, definition.timezone)
    )
    at = start
    for _ in range(abs(count)):
        at = next(ticks)
    return at
