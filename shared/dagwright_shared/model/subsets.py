"""Sets of partitions as ranges of ordinals: a year of hours is one range, not 8,760 texts.

An ordinal is a key's place in its definition's order; of several dimensions, the last one counts fastest. Ordinals of
time windows and static keys never change while the definition stays; those of dynamic keys are places in the order of
adding, so a set of them is only valid beside the keys that it was made with.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from dagwright_shared.model import partitions
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys, MultiPartitions, Partitions


@dataclass(frozen=True, slots=True)
class Subset:
    """A set of ordinals as sorted, disjoint, not touching, half-open ranges. Make one by the functions of this module.

    Example:
        >>> of_ordinals([3, 1, 2, 7]).ranges
        ((1, 4), (7, 8))
    """

    ranges: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return sum(end - start for start, end in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, ordinal: object) -> bool:
        if not isinstance(ordinal, int):
            return False
        at = bisect.bisect_right(self.ranges, ordinal, key=lambda pair: pair[0]) - 1
        return at >= 0 and ordinal < self.ranges[at][1]

    def __iter__(self) -> Iterator[int]:
        for start, end in self.ranges:
            yield from range(start, end)

    def __or__(self, other: Subset) -> Subset:
        if not other.ranges or self is other:
            return self
        if not self.ranges:
            return other
        return _merged(sorted((*self.ranges, *other.ranges)))

    def __and__(self, other: Subset) -> Subset:
        if self.ranges == other.ranges:
            return self
        if not self.ranges or not other.ranges:
            return EMPTY
        found, mine, theirs = [], 0, 0
        while mine < len(self.ranges) and theirs < len(other.ranges):
            start = max(self.ranges[mine][0], other.ranges[theirs][0])
            end = min(self.ranges[mine][1], other.ranges[theirs][1])
            if start < end:
                found.append((start, end))
            if self.ranges[mine][1] < other.ranges[theirs][1]:
                mine += 1
            else:
                theirs += 1
        return Subset(tuple(found))

    def __sub__(self, other: Subset) -> Subset:
        if not other.ranges:
            return self
        found = []
        theirs = 0
        for begin, end in self.ranges:
            start = begin
            while theirs < len(other.ranges) and other.ranges[theirs][1] <= start:
                theirs += 1
            at = theirs
            while at < len(other.ranges) and other.ranges[at][0] < end:
                if other.ranges[at][0] > start:
                    found.append((start, other.ranges[at][0]))
                start = max(start, other.ranges[at][1])
                at += 1
            if start < end:
                found.append((start, end))
        return Subset(tuple(found))

    def __le__(self, other: Subset) -> bool:
        return not self - other

    def isdisjoint(self, other: Subset) -> bool:
        return not self & other

    def first(self, count: int) -> Subset:
        """The `count` lowest ordinals."""
        found = []
        for start, end in self.ranges:
            if count <= 0:
                break
            found.append((start, min(end, start + count)))
            count -= end - start
        return Subset(tuple(found))

    def to_bytes(self) -> bytes:
        """Compact: the gaps and lengths, each as a variable-length number."""
        data = bytearray()
        last = 0
        for start, end in self.ranges:
            _put(data, start - last)
            _put(data, end - start)
            last = end
        return bytes(data)


EMPTY = Subset()


def of_range(start: int, end: int) -> Subset:
    """The ordinals from `start`, up to and without `end`."""
    return Subset(((start, end),)) if start < end else EMPTY


def of_ordinals(ordinals: Iterable[int]) -> Subset:
    """Raises ValueError for a negative ordinal."""
    wanted = sorted(set(ordinals))
    if wanted and wanted[0] < 0:
        raise ValueError(f"{wanted[0]} is not an ordinal: it is negative")
    if not wanted:
        return EMPTY
    # Where it goes on with another than the next one; a million ordinals in a row make no objects.
    gaps = [(before + 1, after) for before, after in pairwise(wanted) if after - before != 1]
    starts, ends = [wanted[0], *(start for _, start in gaps)], [*(end for end, _ in gaps), wanted[-1] + 1]
    return Subset(tuple(zip(starts, ends, strict=True)))


def union(subsets: Iterable[Subset]) -> Subset:
    """All of many sets; one sort, however many there are."""
    return _merged(sorted(pair for subset in subsets for pair in subset.ranges))


def from_bytes(data: bytes) -> Subset:
    """The inverse of `Subset.to_bytes`.

    Raises:
        ValueError: the data is cut off, or not such a set.
    """
    found: list[tuple[int, int]] = []
    place = last = 0
    while place < len(data):
        gap, place = _take(data, place)
        length, place = _take(data, place)
        if length == 0 or (gap == 0 and found):
            raise ValueError("not a set of partitions: an empty range, or two that touch")
        found.append((last + gap, last + gap + length))
        last += gap + length
    return Subset(tuple(found))


def everything(definition: Partitions, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> Subset:
    """All partitions that exist at `now`."""
    return of_range(0, partitions.count(definition, now, dynamic))


def of_keys(
    definition: Partitions, keys: Iterable[PartitionKey], now: datetime, dynamic: DynamicKeys = NO_DYNAMIC, *, only_known: bool = False
) -> Subset:
    """The set of these keys.

    Args:
        only_known: leave out keys that do not exist.

    Raises:
        ValueError: a key does not exist; names it.
    """
    axes, wanted = _axes(definition), list(keys)
    fitting = [key for key in wanted if len(key) == len(axes)]
    places = [partitions.places(axis, {key[which] for key in fitting}, now, dynamic) for which, axis in enumerate(axes)]
    counts = [partitions.count(axis, now, dynamic) for axis in axes]
    found = []
    for key in wanted:
        ordinal = 0
        if only_known and (len(key) != len(axes) or any(part not in known for part, known in zip(key, places, strict=True))):
            continue
        if len(key) != len(axes):
            raise ValueError(f"the partition key {'|'.join(key)!r} has {len(key)} components, not {len(axes)}")
        for part, known, count in zip(key, places, counts, strict=True):
            if part not in known:
                raise ValueError(f"the partition {'|'.join(key)!r} does not exist: there is no key {part!r}")
            ordinal = ordinal * count + known[part]
        found.append(ordinal)
    return of_ordinals(found)


def to_keys(definition: Partitions, subset: Subset, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> list[PartitionKey]:
    """The keys of a set, in order; ordinals beyond the partitions that exist are left out."""
    columns = [_names(axis, now, dynamic) for axis in _axes(definition)]
    total = 1
    for count, _ in columns:
        total *= count
    found = []
    for ordinal in subset & of_range(0, total):
        parts = []
        rest = ordinal
        for count, name in reversed(columns):
            rest, place = divmod(rest, count)
            parts.append(name(place))
        found.append(tuple(reversed(parts)))
    return found


def _names(axis: partitions.SimplePartitions, now: datetime, dynamic: DynamicKeys) -> tuple[int, Callable[[int], str]]:
    """How many keys a dimension has, and the key at a place; windows are named when they are asked for."""
    if isinstance(axis, partitions.TimeWindowPartitions):
        starts = partitions.window_starts(axis, now)
        return len(starts), lru_cache(maxsize=4096)(lambda place: partitions.window_name(axis, starts[place]))
    known = partitions.simple_keys(axis, now, dynamic)
    return len(known), known.__getitem__


def to_key_ranges(definition: Partitions, subset: Subset, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> list[tuple[str, str]]:
    """A set of one dimension as first and last key of each range, for people.

    Raises:
        ValueError: the definition has several dimensions.
    """
    if isinstance(definition, MultiPartitions):
        raise ValueError("ranges of keys exist for one dimension only")
    keys = partitions.simple_keys(definition, now, dynamic)
    return [(keys[start], keys[end - 1]) for start, end in (subset & of_range(0, len(keys))).ranges]


def _axes(definition: Partitions) -> list[partitions.SimplePartitions]:
    return [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]


def _merged(ordered: Sequence[tuple[int, int]]) -> Subset:
    found: list[tuple[int, int]] = []
    for start, end in ordered:
        if found and start <= found[-1][1]:
            if end > found[-1][1]:
                found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return Subset(tuple(found))


def _put(data: bytearray, number: int) -> None:
    while number > 0x7F:
        data.append((number & 0x7F) | 0x80)
        number >>= 7
    data.append(number)


def _take(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while place < len(data):
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
        shift += 7
    raise ValueError("not a set of partitions: the data is cut off")
