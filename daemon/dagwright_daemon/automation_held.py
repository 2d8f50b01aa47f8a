"""Assets with many partitions, kept in memory as ranges, so that a tick reads those partitions that have changed and no others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dagwright_daemon.automation_places import Places
from dagwright_shared.decide.automation.graph import Entity
from dagwright_shared.model.partitions import StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.subsets import EMPTY, Subset
from dagwright_shared.store.automation_facts import PartitionFacts

MANY = 500
"""With so many partitions an asset is held."""


@dataclass(slots=True)
class Held:
    """What is known of the partitions of an asset."""

    snapshot: str = ""
    """It has taken in what this snapshot has seen."""
    known: Subset = EMPTY
    failed: Subset = EMPTY
    newest: PartitionFacts | None = None
    waiting: list[PartitionFacts] = field(default_factory=list)
    """Of partitions that do not exist yet."""

    def take(self, entity: Entity, rows: Iterable[PartitionFacts], places: Places) -> None:
        """Bring it up to date."""
        found = [*self.waiting, *rows]
        placed = [(row, places.subset(entity.partitions, [row.partition])) for row in found]
        self.waiting = [row for row, place in placed if not place]
        there = [row for row, place in placed if place]
        touched = places.subset(entity.partitions, (row.partition for row in there))
        self.known = (self.known - touched) | places.subset(entity.partitions, (row.partition for row in there if is_known(entity, row)))
        self.failed = (self.failed - touched) | places.subset(entity.partitions, (row.partition for row in there if row.failed))
        self.newest = newest([*([self.newest] if self.newest else []), *found])


def can_hold(entity: Entity) -> bool:
    """Whether the ordinals of its partitions stay what they are while its definition does."""
    return isinstance(entity.partitions, TimeWindowPartitions | StaticPartitions)


def is_known(entity: Entity, row: PartitionFacts) -> bool:
    """Whether it has been made; of what is only observed, or made elsewhere, whether it has been seen."""
    return row.materialized_at is not None or (not entity.materializable and row.observed_at is not None)


def newest(rows: Sequence[PartitionFacts]) -> PartitionFacts | None:
    """The partition that was made last."""
    found = None
    for row in rows:
        at = row.materialized_at
        if at is not None and (found is None or found.materialized_at is None or at >= found.materialized_at):
            found = row
    return found
