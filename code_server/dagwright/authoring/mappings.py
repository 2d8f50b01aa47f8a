"""How partitions of an asset depend on partitions of its upstream, as data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagwright.authoring import source as sources
from dagwright.authoring.partition_moment import moment
from dagwright.authoring.partition_subsets import PartitionsSubset, UpstreamPartitionsResult
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.mappings import Upstream, upstream_of
from dagwright_shared.model.snapshot import DimensionMappingData, MappingKind, PartitionMappingData


class PartitionMapping(ABC):
    """Which upstream partitions a partition needs.

    A class of your own overrides `get_upstream_mapped_partitions_result_for_partitions`. Steps ask it; the daemon, which runs no user
    code, takes such a dependency for one that names no mapping.
    """

    __slots__ = ()

    @abstractmethod
    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset: PartitionsSubset | None,
        downstream_partitions_def: PartitionsDefinition | None,
        upstream_partitions_def: PartitionsDefinition,
        current_time: datetime | None = None,
        dynamic_partitions_store: Any = None,
    ) -> UpstreamPartitionsResult:
        """The upstream partitions that some downstream partitions read.

        Args:
            downstream_partitions_subset: None when the downstream is unpartitioned.
            current_time: which time windows have ended is judged at this moment; by default now.
            dynamic_partitions_store: has the keys of dynamic partitions.
        """

    def to_model(self) -> PartitionMappingData:
        """The mapping as data, as far as it can be."""
        return PartitionMappingData(kind=MappingKind.CUSTOM)


class _Data(PartitionMapping):
    """A mapping that is data: the model evaluates it, here as in the daemon."""

    __slots__ = ()

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset: PartitionsSubset | None,
        downstream_partitions_def: PartitionsDefinition | None,
        upstream_partitions_def: PartitionsDefinition,
        current_time: datetime | None = None,
        dynamic_partitions_store: Any = None,
    ) -> UpstreamPartitionsResult:
        down = downstream_partitions_def
        keys = [] if downstream_partitions_subset is None or down is None else [down.parse_key(key) for key in downstream_partitions_subset]
        found = upstream_of(
            keys,
            down.to_model() if down is not None else None,
            upstream_partitions_def.to_model(),
            self.to_model(),
            moment(current_time),
            upstream_partitions_def.dynamic_keys(dynamic_partitions_store),
        )
        there, missing = ([upstream_partitions_def.format_key(key) for key in some] for some in (found.keys, found.missing))
        empty = upstream_partitions_def.empty_subset()
        return UpstreamPartitionsResult(
            partitions_subset=empty.with_partition_keys(there), required_but_nonexistent_subset=empty.with_partition_keys(missing)
        )

    @abstractmethod
    def to_model(self) -> PartitionMappingData: ...


@dataclass(frozen=True, slots=True)
class OwnMapping:
    """A mapping of the user's own, with what it maps between."""

    mapping: PartitionMapping
    upstream: PartitionsDefinition
    downstream: PartitionsDefinition | None

    def upstream_of(self, keys: Sequence[PartitionKey], instance: Any) -> Upstream:
        """The upstream partitions that a run reads, in the order of their definition."""
        wanted = None if self.downstream is None else self.downstream.subset_with_partition_keys(map(self.downstream.format_key, keys))
        # Its class may know the store by name only where it needs it.
        store = {"dynamic_partitions_store": instance} if self.upstream.is_dynamic else {}
        found = self.mapping.get_upstream_mapped_partitions_result_for_partitions(wanted, self.downstream, self.upstream, **store)
        place = {key: number for number, key in enumerate(self.upstream.get_partition_keys(None, instance))}
        there = sorted(found.partitions_subset.get_partition_keys(), key=lambda key: place.get(key, len(place)))
        missing = found.required_but_nonexistent_subset.get_partition_keys()
        return Upstream(keys=tuple(map(self.upstream.parse_key, there)), missing=tuple(map(self.upstream.parse_key, missing)))


@dataclass(frozen=True, slots=True)
class IdentityPartitionMapping(_Data):
    """The partition of the same key."""

    def to_model(self) -> PartitionMappingData:
        return PartitionMappingData(kind=MappingKind.IDENTITY)


@dataclass(frozen=True, slots=True)
class AllPartitionMapping(_Data):
    """Every upstream partition."""

    def to_model(self) -> PartitionMappingData:
        return PartitionMappingData(kind=MappingKind.ALL)


@dataclass(frozen=True, slots=True)
class LastPartitionMapping(_Data):
    """The newest upstream partition."""

    def to_model(self) -> PartitionMappingData:
        return PartitionMappingData(kind=MappingKind.LAST)


@dataclass(frozen=True, slots=True)
class TimeWindowPartitionMapping(_Data):
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
class StaticPartitionMapping(_Data):
    """Key by key, as listed: upstream key to one or several downstream keys."""

    downstream_partition_keys_by_upstream_partition_key: Mapping[str, str | Sequence[str]]

    def to_model(self) -> PartitionMappingData:
        table = self.downstream_partition_keys_by_upstream_partition_key
        return PartitionMappingData(
            kind=MappingKind.STATIC,
            downstream_by_upstream={up: (down,) if isinstance(down, str) else tuple(down) for up, down in table.items()},
        )


@dataclass(frozen=True, slots=True)
class SpecificPartitionsPartitionMapping(_Data):
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
class MultiPartitionMapping(_Data):
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
                    f"MultiPartitionMapping: the dimension {name!r} has a {type(given).__name__}",
                    source=sources.of_caller(),
                    mend="give a DimensionPartitionMapping",
                )
            if given.partition_mapping.to_model().kind is MappingKind.CUSTOM:
                raise DefinitionError(
                    f"MultiPartitionMapping: the dimension {name!r} has a {type(given.partition_mapping).__name__}",
                    source=sources.of_caller(),
                    mend="use a mapping of the package in a dimension, or write one class for the whole key",
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
class MultiToSingleDimensionPartitionMapping(_Data):
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
