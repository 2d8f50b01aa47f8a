"""Partition keys, ranges and windows as user code sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dagwright.authoring.partitions import MultiPartitionKey, PartitionKeyRange, TimeWindow
from dagwright_shared.model import cron, ranges
from dagwright_shared.model import partitions as parts
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey, parse_partition
from dagwright_shared.model.partitions import DynamicKeys, MultiPartitions, Partitions, TimeWindowPartitions


class PartitionError(DagwrightError, ValueError):
    """A context was asked for a partition, a range or a window that there is none of, or not exactly one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPartitions:
    """What a run covers: one partition, a range, or nothing that is partitioned."""

    keys: tuple[PartitionKey, ...] = ()
    """In order. Of a range that a test gave before it is clear what of, the two ends."""
    is_range: bool = False
    """A range was asked for, be it of one partition."""
    definition: Partitions | None = None
    settled: bool = True
    """Whether `keys` has all of them, in as many components as the definition has dimensions."""

    @property
    def has_key(self) -> bool:
        return bool(self.keys) and not self.is_range

    @property
    def has_range(self) -> bool:
        return bool(self.keys) and self.is_range

    @property
    def first(self) -> PartitionKey:
        return self.keys[0] if self.keys else UNPARTITIONED

    def of(self, definition: Partitions | None, dynamic: DynamicKeys) -> RunPartitions:
        """The same for what turns out to be partitioned like this: keys that a test gave as text are read, and a range is filled.

        Raises:
            PartitionError: the range has an end that does not exist.
        """
        definition = self.definition or definition
        if self.settled or definition is None:
            return replace(self, definition=definition)
        ends = tuple(parse_partition(key[0], parts.dimensions(definition)) if len(key) == 1 else key for key in self.keys)
        if not self.is_range:
            return replace(self, keys=ends, definition=definition, settled=True)
        try:
            keys = ranges.keys_between(definition, ends[0], ends[-1], datetime.now(UTC), dynamic)
        except LookupError as error:
            raise PartitionError(f"there is no partition {'|'.join(error.args[0])!r} ({parts.describe(definition)})") from None
        return replace(self, keys=keys, definition=definition, settled=True)

    def key(self, what: str) -> str:
        """The one partition.

        Raises:
            PartitionError: there is none, or a range of several.
        """
        self._need(what, "partition_key")
        if len(self.keys) > 1:
            span = ranges.format_range(self.keys[0], self.keys[-1])
            raise PartitionError(f"{what} covers the range {span}, so it has no partition_key; use partition_keys or partition_key_range")
        return multi_key(self.keys[0], self.definition)

    def texts(self, what: str) -> Sequence[str]:
        self._need(what, "partition_keys")
        if not self.settled and self.is_range:
            raise PartitionError("this context was built with a range and belongs to no step yet, so the keys in it are not known")
        return [multi_key(key, self.definition) for key in self.keys]

    def span(self, what: str) -> PartitionKeyRange:
        self._need(what, "partition_key_range")
        return PartitionKeyRange(multi_key(self.keys[0], self.definition), multi_key(self.keys[-1], self.definition))

    def window(self, what: str) -> TimeWindow:
        """From the start of the first partition to the end of the last; of the time dimension, where there are several."""
        self._need(what, "partition_time_window")
        return window_of(self.definition, self.keys, what)

    def _need(self, what: str, name: str) -> None:
        if not self.keys:
            raise PartitionError(
                f"{what} has no {name}: the run was launched without a partition; give partition_key=, or look at has_partition_key first"
            )


def multi_key(key: PartitionKey, definition: Partitions | None) -> str:
    """The key as text; with several dimensions it knows its parts."""
    if isinstance(definition, MultiPartitions) and len(key) == len(definition.dimensions):
        return MultiPartitionKey({name: part for (name, _), part in zip(definition.dimensions, key, strict=True)})
    return "|".join(key)


def window_of(definition: Partitions | None, keys: Sequence[PartitionKey], what: str) -> TimeWindow:
    """From the start of the first of these partitions to the end of the last.

    Raises:
        PartitionError: there are none, or they are not partitions of time in exactly one dimension.
    """
    axes = definition.dimensions if isinstance(definition, MultiPartitions) else (("", definition),)
    of_time = [(place, axis) for place, (_, axis) in enumerate(axes) if isinstance(axis, TimeWindowPartitions)]
    if len(of_time) != 1 or not keys:
        raise PartitionError(f"{what} has no time window: that takes partitions with exactly one dimension of time")
    ((place, axis),) = of_time
    return window(axis, keys[0][place], keys[-1][place])


def window(definition: TimeWindowPartitions, first: str, last: str | None = None) -> TimeWindow:
    """From the start of one partition to the end of another (or of the same), in the definition's time zone."""
    zone = cron.zone(definition.timezone)
    start = parts.time_window(definition, first).start
    end = parts.time_window(definition, first if last is None else last).end
    return TimeWindow(start.astimezone(zone), end.astimezone(zone))
