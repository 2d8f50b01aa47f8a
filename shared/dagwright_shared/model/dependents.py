"""Which partitions of a downstream asset read any of a set of upstream partitions: `mappings.upstream_keys` turned round, for sets.

Sets are ranges of ordinals, and so is the work: a million windows cost two searches for each range, not a call for each window.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from dagwright_shared.model import cron, mappings, subsets
from dagwright_shared.model import partitions as parts
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.partitions import DynamicKeys, MultiPartitions, Partitions, SimplePartitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import MappingKind, PartitionMappingData
from dagwright_shared.model.subsets import EMPTY, Subset

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When, and with which dynamic keys, definitions are looked at."""

    now: datetime
    dynamic: DynamicKeys = field(default_factory=dict)


def size(definition: Partitions | None, at: Moment) -> int:
    """How many partitions exist; an unpartitioned asset counts as one."""
    return 1 if definition is None else parts.count(definition, at.now, at.dynamic)


def dependents(
    wanted: Subset, upstream: Partitions | None, downstream: Partitions | None, mapping: PartitionMappingData | None, at: Moment
) -> Subset:
    """The downstream ordinals that read at least one of the `wanted` upstream ordinals.

    Args:
        mapping: None for the default one.
    """
    if not wanted:
        return EMPTY
    everything = subsets.of_range(0, size(downstream, at))
    if upstream is None:
        return everything
    if downstream is None:
        return _whole(wanted, upstream, mapping, everything, at)
    mapping = mappings.known(mapping, upstream, downstream)
    if is_identity(mapping, upstream, downstream):
        return wanted & everything
    if isinstance(upstream, MultiPartitions) or isinstance(downstream, MultiPartitions):
        if mapping.kind in (MappingKind.MULTI, MappingKind.IDENTITY):
            return _by_dimension(wanted, upstream, downstream, mapping, at)
        return _whole(wanted, upstream, mapping, everything, at)
    return _simple(wanted, upstream, downstream, mapping, at)


def is_identity(mapping: PartitionMappingData | None, upstream: Partitions | None, downstream: Partitions | None) -> bool:
    """Whether each partition reads the one of the same ordinal, and nothing else."""
    if upstream != downstream:
        return False
    if upstream is None or mapping is None:
        return True
    if mapping.kind is MappingKind.TIME_WINDOW:
        return mapping.start_offset == 0 and mapping.end_offset == 0
    return mapping.kind is MappingKind.IDENTITY


def _whole(wanted: Subset, upstream: Partitions, mapping: PartitionMappingData | None, everything: Subset, at: Moment) -> Subset:
    """Mappings under which all of the downstream reads the same upstream partitions."""
    if mapping is None or mapping.kind not in (MappingKind.LAST, MappingKind.SPECIFIC):
        return everything
    read = mappings.upstream_keys((), None, upstream, mapping, at.now, at.dynamic).keys
    return everything if wanted & subsets.of_keys(upstream, read, at.now, at.dynamic) else EMPTY


def _simple(wanted: Subset, upstream: SimplePartitions, downstream: SimplePartitions, mapping: PartitionMappingData, at: Moment) -> Subset:
    """Between definitions of one dimension."""
    match mapping.kind:
        case MappingKind.TIME_WINDOW if isinstance(upstream, TimeWindowPartitions) and isinstance(downstream, TimeWindowPartitions):
            return _overlapping(wanted, upstream, downstream, mapping, at)
        case MappingKind.STATIC:
            names = {down for (up,) in subsets.to_keys(upstream, wanted, at.now, at.dynamic) for down in _mapped(mapping, up)}
            return _existing(names, downstream, at)
        case MappingKind.IDENTITY:
            return _existing((key for (key,) in subsets.to_keys(upstream, wanted, at.now, at.dynamic)), downstream, at)
        case _:
            return _whole(wanted, upstream, mapping, subsets.of_range(0, size(downstream, at)), at)


def _mapped(mapping: PartitionMappingData, up: str) -> tuple[str, ...]:
    return mapping.downstream_by_upstream.get(up, ())


def _existing(names: Iterable[str], definition: SimplePartitions, at: Moment) -> Subset:
    places = {key: place for place, key in enumerate(parts.simple_keys(definition, at.now, at.dynamic))}
    return subsets.of_ordinals(places[name] for name in names if name in places)


def _overlapping(
    wanted: Subset, upstream: TimeWindowPartitions, downstream: TimeWindowPartitions, mapping: PartitionMappingData, at: Moment
) -> Subset:
    """Of each upstream range the downstream windows that overlap it; the offsets are in downstream windows."""
    ups, downs = parts.window_starts(upstream, at.now), parts.window_starts(downstream, at.now)
    if not downs or mapping.start_offset > mapping.end_offset:
        return EMPTY
    reach = abs(mapping.start_offset) + abs(mapping.end_offset) + 1
    found = []
    for start, end in wanted.ranges:
        if start >= len(ups):
            continue
        ends = (
            ups[end]
            if end < len(ups) and not parts.has_gaps(upstream)
            else next(cron.after(upstream.cron, ups[min(end, len(ups)) - 1], upstream.timezone))
        )
        # A window reads from the upstream window that holds its start, moved, to the last that begins before its end, moved.
        low = _place(ups[start], downs, downstream, reach) - mapping.end_offset
        high = _place(ends - _INSTANT, downs, downstream, reach) + 1 - mapping.start_offset
        found.append(subsets.of_range(max(0, low), min(len(downs), high)))
    return subsets.union(found)


def _place(moment: datetime, ticks: Sequence[datetime], definition: TimeWindowPartitions, reach: int) -> int:
    """The number of the last tick that is not after a moment; ticks beyond both ends are counted too, as many as `reach`."""
    if moment < ticks[0]:
        earlier = itertools.islice(cron.before(definition.cron, ticks[0], definition.timezone), reach)
        return -1 - sum(1 for _ in itertools.takewhile(lambda tick: tick > moment, earlier))
    place = bisect.bisect_right(ticks, moment) - 1
    if place < len(ticks) - 1:
        return place
    later = itertools.islice(cron.after(definition.cron, ticks[-1], definition.timezone), reach)
    return place + sum(1 for _ in itertools.takewhile(lambda tick: tick <= moment, later))


def _by_dimension(wanted: Subset, upstream: Partitions, downstream: Partitions, mapping: PartitionMappingData, at: Moment) -> Subset:
    """Dimensions that are mapped restrict each other; one that is not reads, and is read, whole."""
    ups, downs = mappings.axes(upstream), mappings.axes(downstream)
    pairs = mappings.links(upstream, downstream, mapping)
    up_sizes, down_sizes = [size(axis, at) for _, axis in ups], [size(axis, at) for _, axis in downs]
    seen = {tuple(coordinates[link.up] for link in pairs) for coordinates in _coordinates(wanted, up_sizes)}
    images: dict[tuple[int, int], Subset] = {}
    found = []
    for places in seen:
        columns = [subsets.of_range(0, count) for count in down_sizes]
        for place, link in zip(places, pairs, strict=True):
            image = images.get((link.up, place))
            if image is None:
                image = dependents(subsets.of_range(place, place + 1), ups[link.up][1], downs[link.down][1], link.mapping, at)
                images[link.up, place] = image
            columns[link.down] &= image
        found.append(_product(columns, down_sizes))
    return subsets.union(found)


def _coordinates(wanted: Subset, sizes: Sequence[int]) -> Iterable[tuple[int, ...]]:
    for ordinal in wanted:
        places, rest = [], ordinal
        for count in reversed(sizes):
            rest, place = divmod(rest, count)
            places.append(place)
        yield tuple(reversed(places))


def _product(columns: Sequence[Subset], sizes: Sequence[int]) -> Subset:
    """The ordinals whose every coordinate is in its column; the last dimension stays ranges."""
    *heads, last = columns
    found = []
    for places in itertools.product(*heads):
        base = 0
        for place, count in zip(places, sizes, strict=False):
            base = base * count + place
        base *= sizes[-1]
        found += [(base + start, base + end) for start, end in last.ranges]
    return subsets.union(Subset((pair,)) for pair in found)
