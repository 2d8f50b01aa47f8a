"""How partitions of an asset depend on partitions of its upstream, as data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dagwright_shared.model.snapshot import MappingKind, PartitionMappingData


class PartitionMapping(ABC):
    """Which upstream partitions a partition needs."""

    __slots__ = ()

    @abstractmethod
    def to_model(self) -> PartitionMappingData: ...


@dataclass(frozen=True, slots=True)
class IdentityPartitionMapping(PartitionMapping):
    """The partition of the same key."""

    def to_model(self) -> PartitionMappingData:
        return PartitionMappingData(kind=MappingKind.IDENTITY)


@dataclass(frozen=True, slots=True)
class AllPartitionMapping(PartitionMapping):
    """Every upstream partition."""

    def to_model(self) -> PartitionMappingData:
        return PartitionMappingData(kind=MappingKind.ALL)


@dataclass(frozen=True, slots=True)
class LastPartitionMapping(PartitionMapping):
    """The newest upstream partition."""

    def to_model(self) -> PartitionMappingData:
        return PartitionMappingData(kind=MappingKind.LAST)


@dataclass(frozen=True, slots=True)
class TimeWindowPartitionMapping(PartitionMapping):
    """The upstream windows that overlap this one, both ends moved by a number of upstream windows.

    Args:
        start_offset, end_offset: -1 reaches one window further back.
        allow_nonexistent_upstream_partitions: windows before the upstream's start are left out, rather than an error.
    """

    start_offset: int = 0
    end_offset: int = 0
    allow_nonexistent_upstream_partitions: bool = False

    def to_model(self) -> PartitionMappingData:
        return PartitionMappingData(
            kind=MappingKind.TIME_WINDOW,
            start_offset=self.start_offset,
            end_offset=self.end_offset,
            allow_nonexistent_upstream_partitions=self.allow_nonexistent_upstream_partitions,
        )


@dataclass(frozen=True, slots=True)
class StaticPartitionMapping(PartitionMapping):
    """Key by key, as listed: upstream key to one or several downstream keys."""

    downstream_partition_keys_by_upstream_partition_key: Mapping[str, str | Sequence[str]]

    def to_model(self) -> PartitionMappingData:
        table = self.downstream_partition_keys_by_upstream_partition_key
        return PartitionMappingData(
            kind=MappingKind.STATIC,
            downstream_by_upstream={up: (down,) if isinstance(down, str) else tuple(down) for up, down in table.items()},
        )


@dataclass(frozen=True, slots=True)
class SpecificPartitionsPartitionMapping(PartitionMapping):
    """Always these upstream partitions."""

    partition_keys: Sequence[str]

    def to_model(self) -> PartitionMappingData:
        return PartitionMappingData(kind=MappingKind.SPECIFIC, partition_keys=tuple(self.partition_keys))
