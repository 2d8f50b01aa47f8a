"""Which partitions of an upstream asset the partitions of its downstream read.

Keys are handled by dimension: what a run covers is a box (one key, or a range in each dimension), and every mapping but those that
name keys outright maps it dimension by dimension, so the cost does not grow with the product.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from dagwright_shared.model import cron
from dagwright_shared.model import partitions as parts
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey
from dagwright_shared.model.partitions import (
    NO_DYNAMIC,
    DynamicKeys,
    MultiPartitions,
    Partitions,
    SimplePartitions,
    TimeWindowPartitions,
)
from dagwright_shared.model.snapshot import DimensionMappingData, MappingKind, PartitionMappingData

_ALL = PartitionMappingData(kind=MappingKind.ALL)
_IDENTITY = PartitionMappingData(kind=MappingKind.IDENTITY)
_OVERLAP = PartitionMappingData(kind=MappingKind.TIME_WINDOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The answer: keys that exist, in the order of their definition, and keys that the mapping asks for though they do not exist."""

    keys: tuple[PartitionKey, ...]
    missing: tuple[PartitionKey, ...] = ()


def default(upstream: Partitions | None, downstream: Partitions | None) -> PartitionMappingData:
    """The mapping of a dependency that names none."""
    if upstream is None or downstream is None:
        return _ALL
    if upstream != downstream and isinstance(upstream, TimeWindowPartitions) and isinstance(downstream, TimeWindowPartitions):
        return _OVERLAP
    return _IDENTITY


def known(mapping: PartitionMappingData | None, upstream: Partitions | None, downstream: Partitions | None) -> PartitionMappingData:
    """The mapping as far as it is data: the default one where none is named, or one of the user's own."""
    return mapping if mapping is not None and mapping.kind is not MappingKind.CUSTOM else default(upstream, downstream)


def reads_all(key: PartitionKey, downstream: Partitions | None, upstream: Partitions | None, mapping: PartitionMappingData | None) -> bool:
    """Whether one downstream partition reads every partition of the upstream, so that to name them is to name them all."""
    if upstream is None:
        return False
    kind = known(mapping, upstream, downstream).kind
    return kind is MappingKind.ALL or (not key and kind not in {MappingKind.LAST, MappingKind.SPECIFIC, MappingKind.STATIC})


def upstream_keys(
    key: PartitionKey,
    downstream: Partitions | None,
    upstream: Partitions | None,
    mapping: PartitionMappingData | None,
    now: datetime,
    dynamic: DynamicKeys = NO_DYNAMIC,
) -> Upstream:
    """The upstream partitions that one downstream partition reads; `()` is the key of an unpartitioned downstream."""
    return upstream_of((key,) if key else (), downstream, upstream, mapping, now, dynamic)


def upstream_of(
    keys: Sequence[PartitionKey],
    downstream: Partitions | None,
    upstream: Partitions | None,
    mapping: PartitionMappingData | None,
    now: datetime,
    dynamic: DynamicKeys = NO_DYNAMIC,
) -> Upstream:
    """The upstream partitions that a run of the downstream reads.

    Args:
        keys: what the run covers: one key, or a range as `ranges.keys_between` gives it; none when it is unpartitioned.
        mapping: None for the default one.

    An unpartitioned upstream gives the single key `()`.
    """
    if upstream is None:
        return Upstream(keys=(UNPARTITIONED,))
    mapping = known(mapping, upstream, downstream)
    match mapping.kind:
        case MappingKind.LAST:
            last = parts.last_key(upstream, now, dynamic)
            return Upstream(keys=(last,) if last is not None else ())
        case MappingKind.SPECIFIC:
            return _existing([(name,) for name in mapping.partition_keys], upstream, now, dynamic)
        case MappingKind.STATIC:
            read = {part for (part, *_) in keys}
            wanted = [(up,) for up, downs in mapping.downstream_by_upstream.items() if not read.isdisjoint(downs)]
            return _existing(wanted, upstream, now, dynamic)
        case MappingKind.TIME_WINDOW if (
            keys and isinstance(upstream, TimeWindowPartitions) and isinstance(downstream, TimeWindowPartitions)
        ):
            return _overlapping(keys[0][0], keys[-1][0], downstream, upstream, mapping, now)
        case MappingKind.MULTI | MappingKind.IDENTITY if keys and downstream is not None:
            if mapping.kind is MappingKind.IDENTITY and upstream == downstream:
                return Upstream(keys=tuple(keys))
            return _by_dimension(keys, downstream, upstream, mapping, now, dynamic)
    return Upstream(keys=tuple(parts.keys(upstream, now, dynamic)))


def _existing(wanted: Sequence[PartitionKey], upstream: Partitions, now: datetime, dynamic: DynamicKeys) -> Upstream:
    """The wanted keys in the order of the upstream's definition; those that it lacks apart."""
    if isinstance(upstream, TimeWindowPartitions | MultiPartitions):
        there = {key for key in wanted if parts.contains(upstream, key, now, dynamic)}
        return Upstream(keys=tuple(key for key in wanted if key in there), missing=tuple(key for key in wanted if key not in there))
    place = {name: number for number, name in enumerate(parts.simple_keys(upstream, now, dynamic))}
    known = sorted((key for key in wanted if key[0] in place), key=lambda key: place[key[0]])
    return Upstream(keys=tuple(known), missing=tuple(key for key in wanted if key[0] not in place))


def axes(definition: Partitions) -> tuple[tuple[str, SimplePartitions], ...]:
    """The dimensions by name; that of a definition of one is nameless."""
    return definition.dimensions if isinstance(definition, MultiPartitions) else (("", definition),)


@dataclass(frozen=True, slots=True)
class Link:
    """A dimension of the upstream that follows one of the downstream, by their places."""

    up: int
    down: int
    mapping: PartitionMappingData | None


def links(upstream: Partitions, downstream: Partitions, mapping: PartitionMappingData) -> list[Link]:
    """How the dimensions of both sides hang together under a mapping of kind MULTI or IDENTITY."""
    up, down = axes(upstream), axes(downstream)
    return list(_named_links(up, down, mapping.dimensions) if mapping.kind is MappingKind.MULTI else _matching_links(up, down))


def _by_dimension(
    keys: Sequence[PartitionKey],
    downstream: Partitions,
    upstream: Partitions,
    mapping: PartitionMappingData,
    now: datetime,
    dynamic: DynamicKeys,
) -> Upstream:
    """Each linked dimension by its own mapping; of the others every key."""
    up, down = axes(upstream), axes(downstream)
    if len(up) == len(down) == 1 and mapping.kind is MappingKind.IDENTITY:
        return _existing(keys, upstream, now, dynamic)
    columns: list[Sequence[str]] = [()] * len(up)
    missing: list[PartitionKey] = []
    linked = {link.up: link for link in links(upstream, downstream, mapping)}
    for place, (_, axis) in enumerate(up):
        link = linked.get(place)
        if link is None:
            columns[place] = parts.simple_keys(axis, now, dynamic)
            continue
        column = [(part,) for part in dict.fromkeys(key[link.down] for key in keys)]
        found = upstream_of(column, down[link.down][1], axis, link.mapping, now, dynamic)
        columns[place] = [part for (part,) in found.keys]
        missing += found.missing
    return Upstream(keys=tuple(itertools.product(*columns)), missing=tuple(missing))


def _named_links(
    up: Sequence[tuple[str, SimplePartitions]], down: Sequence[tuple[str, SimplePartitions]], named: Iterable[DimensionMappingData]
) -> Iterator[Link]:
    for one in named:
        there = next((place for place, (name, _) in enumerate(up) if name in (one.upstream, "")), None)
        here = next((place for place, (name, _) in enumerate(down) if name in (one.downstream, "")), None)
        if there is not None and here is not None:
            yield Link(there, here, one.mapping)


def _matching_links(up: Sequence[tuple[str, SimplePartitions]], down: Sequence[tuple[str, SimplePartitions]]) -> Iterator[Link]:
    """Dimensions that are defined alike; of time, where one side is all of one dimension, those that overlap."""
    single = len(up) == 1 or len(down) == 1
    pairs = [
        (there, here)
        for there, (name, _) in enumerate(up)
        for here, (other, _) in enumerate(down)
        if name == other or not name or not other
    ]
    equal = {there: here for there, here in reversed(pairs) if up[there][1] == down[here][1]}
    if equal or not single:
        yield from (Link(there, here, _IDENTITY) for there, here in equal.items())
        return
    of_time = [
        pair for pair in pairs if isinstance(up[pair[0]][1], TimeWindowPartitions) and isinstance(down[pair[1]][1], TimeWindowPartitions)
    ]
    if len(of_time) == 1:
        yield Link(*of_time[0], _OVERLAP)


def _overlapping(
    first: str, last: str, downstream: TimeWindowPartitions, upstream: TimeWindowPartitions, mapping: PartitionMappingData, now: datetime
) -> Upstream:
    """Windows of the upstream that overlap those of the downstream, which offsets (in windows of the downstream) widen or move.

    An offset does not reach beyond what the upstream has: the first day has no day before, and that is no error.
    """
    starts = parts.window_starts(upstream, now)
    start = _step(parts.time_window(downstream, first).start, downstream, mapping.start_offset)
    end = _step(parts.time_window(downstream, last).end, downstream, mapping.end_offset)
    if starts:
        bounds = starts[0], _step(starts[-1], upstream, 1)
        start, end = _within(start, mapping.start_offset, bounds), _within(end, mapping.end_offset, bounds)
    if start >= end:
        return Upstream(keys=())
    begin = parts.start_at(upstream, start)
    low, high = bisect.bisect_left(starts, begin), bisect.bisect_left(starts, end)
    found = parts.simple_keys_at(upstream, low, high, now)
    missing: list[str] = []
    if not mapping.allow_nonexistent_upstream_partitions:
        missing = [parts.key_at(upstream, tick) for tick in _outside(upstream, begin, end, starts)]
    return Upstream(keys=tuple((key,) for key in found), missing=tuple((key,) for key in missing))


def _within(moment: datetime, offset: int, bounds: tuple[datetime, datetime]) -> datetime:
    if offset < 0:
        return max(moment, bounds[0])
    return min(moment, bounds[1]) if offset > 0 else moment


def _outside(upstream: TimeWindowPartitions, begin: datetime, end: datetime, starts: Sequence[datetime]) -> Iterator[datetime]:
    """Starts of windows between two moments, before the first that exists and after the last."""
    at = begin
    while at < end and not (starts and at >= starts[0]):
        yield at
        at = _step(at, upstream, 1)
    at = max(at, _step(starts[-1], upstream, 1)) if starts else at
    while at < end:
        yield at
        at = _step(at, upstream, 1)


def _step(start: datetime, definition: TimeWindowPartitions, count: int) -> datetime:
    """The tick that comes so many after (or, negative, before) another one."""
    if count == 0:
        return start
    ticks = (cron.after if count > 0 else cron.before)(definition.cron, start, definition.timezone)
    # Exclusions may leave none: then it is the plain tick.
    coming, plain = itertools.tee(itertools.islice(ticks, abs(count) + parts.REACH))
    left = (tick for tick in coming if not parts.is_excluded(definition, tick))
    found = next(itertools.islice(left, abs(count) - 1, None), None)
    return found if found is not None else next(itertools.islice(plain, abs(count) - 1, None))
