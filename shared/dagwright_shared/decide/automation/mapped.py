"""Sets of partitions through the mapping between an asset and its upstream, in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dagwright_shared.model import mappings, subsets
from dagwright_shared.model import partitions as parts
from dagwright_shared.model.dependents import Moment, dependents
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey
from dagwright_shared.model.partitions import DynamicKeys, Partitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import MappingKind, PartitionMappingData
from dagwright_shared.model.subsets import EMPTY, Subset, of_range


class Mapped:
    """The mapping of one dependency at one moment. Common kinds work on ranges; the others go key by key, each once."""

    def __init__(
        self, below: Partitions | None, above: Partitions, mapping: PartitionMappingData | None, now: datetime, dynamic: DynamicKeys
    ) -> None:
        self._below, self._above, self._now, self._dynamic = below, above, now, dynamic
        self._mapping = mapping or mappings.default(above, below)
        self._same = self._mapping.kind is MappingKind.IDENTITY and above == below
        self._whole = self._mapping.kind is MappingKind.ALL or below is None
        self._above_all = subsets.everything(above, now, dynamic)
        self._below_all = subsets.everything(below, now, dynamic) if below is not None else of_range(0, 1)
        self._at = Moment(now=now, dynamic=dynamic)
        self._table: dict[int, Subset] = {}

    def upstream(self, subset: Subset) -> Subset:
        """What these partitions read."""
        if self._same:
            return subset & self._above_all
        if not subset:
            return EMPTY
        if self._whole and self._mapping.kind is MappingKind.ALL:
            return self._above_all
        if self._whole:
            return self._read_by(0)
        return subsets.union(self._read_by(place) for place in subset & self._below_all)

    def downstream(self, subset: Subset) -> Subset:
        """What reads any of these."""
        if self._same:
            return subset & self._below_all
        return dependents(subset, self._above, self._below, self._mapping, self._at) if subset else EMPTY

    def _read_by(self, place: int) -> Subset:
        found = self._table.get(place)
        if found is None:
            key = self._key(place)
            read = mappings.upstream_keys(key, self._below, self._above, self._mapping, self._now, self._dynamic)
            found = self._table[place] = self._ordinals(read.keys)
        return found

    def _key(self, place: int) -> PartitionKey:
        if self._below is None:
            return UNPARTITIONED
        return subsets.to_keys(self._below, of_range(place, place + 1), self._now, self._dynamic)[0]

    def _ordinals(self, keys: Sequence[PartitionKey]) -> Subset:
        if len(keys) == len(self._above_all):
            return self._above_all
        if isinstance(self._above, TimeWindowPartitions):
            found = (parts.ordinal(self._above, key, self._now) for (key,) in keys)
            return subsets.of_ordinals(place for place in found if place is not None)
        return subsets.of_keys(self._above, keys, self._now, self._dynamic)


def across(sides: Sequence[tuple[int, Subset]]) -> Subset:
    """The combinations of several dimensions: of each its number of keys, and which of them."""
    width, found = sides[-1]
    for count, side in reversed(sides[:-1]):
        if len(found) == width:
            found = Subset(tuple((start * width, end * width) for start, end in side.ranges))
        else:
            moved = [(s + place * width, e + place * width) for place in side for s, e in found.ranges]
            found = subsets.union([Subset(tuple(moved))])
        width *= count
    return found
