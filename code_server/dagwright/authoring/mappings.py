"""How partitions of an asset depend on partitions of its upstream, as data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.snapshot import DimensionMappingData, MappingKind, PartitionMappingData


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


@dataclass(frozen=True, slots=True)
class DimensionPartitionMapping:
    """How one dimension maps: which dimension downstream, and by which mapping.

    Args:
        dimension_name: of the downstream's partitions.
        partition_mapping: between the two dimensions.
    """

    dimension_name: str
    partition_mapping: PartitionMapping


@dataclass(frozen=True, slots=True)
class MultiPartitionMapping(PartitionMapping):
    """Partitions of several dimensions, dimension by dimension; one that is not named maps to all keys.

    Args:
        downstream_mappings_by_upstream_dimension: name of the upstream's dimension to a DimensionPartitionMapping.

    Example:
        >>> mapping = MultiPartitionMapping({"day": DimensionPartitionMapping("day", IdentityPartitionMapping())})
        >>> mapping.to_model().dimensions[0].upstream
        'day'
    """

    downstream_mappings_by_upstream_dimension: Mapping[str, DimensionPartitionMapping]

    def __post_init__(self) -> None:
        for name, given in self.downstream_mappings_by_upstream_dimension.items():
            if not isinstance(given, DimensionPartitionMapping):
                raise DefinitionError(
                    f"MultiPartitionMapping: the dimension {name!r} has a {type(given).__name__}", mend="give a DimensionPartitionMapping"
                )

    def __hash__(self) -> int:
        return hash(tuple(sorted((name, one.dimension_name) for name, one in self.downstream_mappings_by_upstream_dimension.items())))

    def to_model(self) -> PartitionMappingData:
        table = self.downstream_mappings_by_upstream_dimension
        dimensions = [
            DimensionMappingData(upstream=name, downstream=one.dimension_name, mapping=one.partition_mapping.to_model())
            for name, one in table.items()
        ]
        return PartitionMappingData(kind=MappingKind.MULTI, dimensions=tuple(dimensions))


@dataclass(frozen=True, slots=True)
class MultiToSingleDimensionPartitionMapping(PartitionMapping):
    """Between partitions of several dimensions and partitions that are one of those dimensions.

    Args:
        partition_dimension_name: of the dimension; by default the one whose definition both sides share.

    Example:
        >>> MultiToSingleDimensionPartitionMapping("day").to_model().dimensions[0].downstream
        'day'
    """

    partition_dimension_name: str | None = None

    def to_model(self) -> PartitionMappingData:
        name = self.partition_dimension_name
        if name is None:
            return PartitionMappingData(kind=MappingKind.IDENTITY)
        return PartitionMappingData(kind=MappingKind.MULTI, dimensions=(DimensionMappingData(upstream=name, downstream=name),))
