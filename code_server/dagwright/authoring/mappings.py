"""How partitions of an asset depend on partitions of its upstream, as data."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dagwright.authoring import source as sources
from dagwright.authoring.partition_moment import moment
from dagwright.authoring.partition_subsets import PartitionsSubset, UpstreamPartitionsResult
from dagwright.authoring.partitions import MultiPartitionsDefinition, PartitionsDefinition, StaticPartitionsDefinition
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, nearest
from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.mappings import Upstream, upstream_of
from dagwright_shared.model.partitions import TimeWindowPartitions
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

    def validate_partition_mapping(  # noqa: B027 - may be left out
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        """Raise where the mapping cannot be between these two; asked when the definitions are loaded.

        Args:
            downstream_partitions_def: None when the downstream is unpartitioned.
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

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        down = downstream_partitions_def
        if down is None or type(upstream_partitions_def.to_model()) is not type(down.to_model()):
            raise DefinitionError("both sides must have partitions of one kind", mend="name another mapping, such as AllPartitionMapping()")

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

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        for side in (upstream_partitions_def, downstream_partitions_def):
            if side is None or not isinstance(side.to_model(), TimeWindowPartitions):
                raise DefinitionError(
                    "both sides must have partitions of time", mend="name another mapping, such as AllPartitionMapping(), or give them such"
                )

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

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        table = self._table()
        named = {"upstream": list(table), "downstream": [key for keys in table.values() for key in keys]}
        for side, definition in (("upstream", upstream_partitions_def), ("downstream", downstream_partitions_def)):
            if not isinstance(definition, StaticPartitionsDefinition):
                raise DefinitionError(f"the {side} must have static partitions", mend="name another mapping, or give it such")
            known = definition.get_partition_keys()
            for key in named[side]:
                if key not in known:
                    close = nearest(key, known)
                    mend = f"did you mean {close!r}?" if close else f"its partitions are {', '.join(known[:8])}"
                    raise DefinitionError(f"the {side} has no partition {key!r}", mend=mend)

    def _table(self) -> dict[str, tuple[str, ...]]:
        table = self.downstream_partition_keys_by_upstream_partition_key
        return {up: (down,) if isinstance(down, str) else tuple(down) for up, down in table.items()}

    def to_model(self) -> PartitionMappingData:
        return PartitionMappingData(kind=MappingKind.STATIC, downstream_by_upstream=self._table())


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
class _Axis:
    """What is read in one dimension."""

    keys: tuple[str, ...]
    missing: tuple[str, ...] = ()


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

    def __hash__(self) -> int:
        return hash(tuple(sorted((name, one.dimension_name) for name, one in self.downstream_mappings_by_upstream_dimension.items())))

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        table = self.downstream_mappings_by_upstream_dimension
        named = {"upstream": list(table), "downstream": [one.dimension_name for one in table.values()]}
        for side, definition in (("upstream", upstream_partitions_def), ("downstream", downstream_partitions_def)):
            if not isinstance(definition, MultiPartitionsDefinition):
                raise DefinitionError(f"the {side} must have partitions of several dimensions", mend="name another mapping")
            for name in named[side]:
                _need_dimension(definition, name, side)

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset: PartitionsSubset | None,
        downstream_partitions_def: PartitionsDefinition | None,
        upstream_partitions_def: PartitionsDefinition,
        current_time: datetime | None = None,
        dynamic_partitions_store: Any = None,
    ) -> UpstreamPartitionsResult:
        up, down = upstream_partitions_def, downstream_partitions_def
        known = isinstance(up, MultiPartitionsDefinition) and isinstance(down, MultiPartitionsDefinition)
        if not known or downstream_partitions_subset is None or self.to_model().kind is not MappingKind.CUSTOM:
            return _Data.get_upstream_mapped_partitions_result_for_partitions(
                self, downstream_partitions_subset, down, up, current_time, dynamic_partitions_store
            )
        assert isinstance(up, MultiPartitionsDefinition)
        assert isinstance(down, MultiPartitionsDefinition)
        there, missing = up.empty_subset(), up.empty_subset()
        for key in downstream_partitions_subset:
            axes = [self._axis(name, key, down, up, current_time, dynamic_partitions_store) for name in up.partition_dimension_names]
            exist = {up.format_key(found) for found in itertools.product(*(axis.keys for axis in axes))}
            wanted = [up.format_key(found) for found in itertools.product(*((*axis.keys, *axis.missing) for axis in axes))]
            there = there.with_partition_keys(found for found in wanted if found in exist)
            missing = missing.with_partition_keys(found for found in wanted if found not in exist)
        return UpstreamPartitionsResult(partitions_subset=there, required_but_nonexistent_subset=missing)

    def _axis(
        self, name: str, key: str, down: MultiPartitionsDefinition, up: MultiPartitionsDefinition, now: datetime | None, store: Any
    ) -> _Axis:
        """The keys of an upstream's dimension that a partition reads: all of them where it is not mapped."""
        definition, one = up.get_partitions_def_for_dimension(name), self.downstream_mappings_by_upstream_dimension.get(name)
        if one is None:
            return _Axis(tuple(definition.get_partition_keys(now, store)))
        below = down.get_partitions_def_for_dimension(one.dimension_name)
        part = down.parse_key(key)[down.partition_dimension_names.index(one.dimension_name)]
        moments = {} if now is None else {"current_time": now}
        stores = {"dynamic_partitions_store": store} if definition.is_dynamic else {}
        found = one.partition_mapping.get_upstream_mapped_partitions_result_for_partitions(
            below.subset_with_partition_keys([part]), below, definition, **moments, **stores
        )
        return _Axis(tuple(found.partitions_subset), tuple(found.required_but_nonexistent_subset))

    def to_model(self) -> PartitionMappingData:
        table = self.downstream_mappings_by_upstream_dimension
        if any(one.partition_mapping.to_model().kind is MappingKind.CUSTOM for one in table.values()):
            return PartitionMappingData(kind=MappingKind.CUSTOM)  # code of the user's in one dimension makes it code as a whole
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

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        sides = (("upstream", upstream_partitions_def), ("downstream", downstream_partitions_def))
        several = [(side, one) for side, one in sides if isinstance(one, MultiPartitionsDefinition)]
        if downstream_partitions_def is None or len(several) != 1:
            raise DefinitionError("one side must have partitions of several dimensions, and the other of one", mend="name another mapping")
        if self.partition_dimension_name is not None:
            _need_dimension(several[0][1], self.partition_dimension_name, several[0][0])

    def to_model(self) -> PartitionMappingData:
        name = self.partition_dimension_name
        if name is None:
            return PartitionMappingData(kind=MappingKind.IDENTITY)
        return PartitionMappingData(kind=MappingKind.MULTI, dimensions=(DimensionMappingData(upstream=name, downstream=name),))


def _need_dimension(definition: MultiPartitionsDefinition, name: str, side: str) -> None:
    known = definition.partition_dimension_names
    if name not in known:
        close = nearest(name, known)
        raise DefinitionError(
            f"the {side} has no dimension {name!r}", mend=f"did you mean {close!r}?" if close else f"its dimensions are {', '.join(known)}"
        )
