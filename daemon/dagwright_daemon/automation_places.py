"""Partition keys to places in their definitions' order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from dagwright_shared.decide.automation.kept import FULL
from dagwright_shared.model import partitions as parts
from dagwright_shared.model import subsets
from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.partitions import DynamicKeys, MultiPartitions, Partitions
from dagwright_shared.model.subsets import EMPTY, Subset


class Places:
    """Partition keys to ordinals, each definition indexed once."""

    def __init__(self, now: datetime, dynamic: DynamicKeys) -> None:
        self._now, self._dynamic = now, dynamic
        self._known: dict[int, list[Mapping[str, int]]] = {}

    def subset(self, definition: Partitions | None, keys: Iterable[PartitionKey]) -> Subset:
        """Those of the keys that exist."""
        if definition is None:
            return FULL if any(not key for key in keys) else EMPTY
        return subsets.of_ordinals(place for key in keys if (place := self._place(definition, key)) is not None)

    def between(self, definition: Partitions | None, first: PartitionKey, last: PartitionKey | None) -> Subset:
        """From one key to another."""
        if last is None or definition is None:
            return self.subset(definition, [first])
        start, end = self._place(definition, first), self._place(definition, last)
        return EMPTY if start is None or end is None else subsets.of_range(start, end + 1)

    def _place(self, definition: Partitions, key: PartitionKey) -> int | None:
        axes = self._known.get(id(definition))
        if axes is None:
            simple = [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]
            axes = [{name: at for at, name in enumerate(parts.simple_keys(axis, self._now, self._dynamic))} for axis in simple]
            self._known[id(definition)] = axes
        if len(key) != len(axes):
            return None
        found = 0
        for part, names in zip(key, axes, strict=True):
            at = names.get(part)
            if at is None:
                return None
            found = found * len(names) + at
        return found
