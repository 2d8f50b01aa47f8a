"""Partitions as users define them: static, by time, added at run time, and products of those."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NamedTuple, cast

from dagwright.authoring import partition_moment
from dagwright.authoring import source as sources
from dagwright.authoring.partition_moment import moment
from dagwright.authoring.partition_subsets import PartitionsSubset
from dagwright_shared.model import partitions as model
from dagwright_shared.model import ranges
from dagwright_shared.model.errors import DefinitionError, InvalidRequestError, nearest
from dagwright_shared.model.keys import PartitionKey

SEPARATOR = "|"
_FORBIDDEN = (SEPARATOR, "...", "\n", "\r", "\t", "\x00", "\\", "[", "]")


class PartitionKeyRange(NamedTuple):
    """First and last key, both included."""

    start: str
    end: str


class TimeWindow(NamedTuple):
    """From `start`, up to and without `end`; both in the time zone of the partitions."""

    start: datetime
    end: datetime


class MultiPartitionKey(str):
    """A key of several dimensions: the text `a|b`, its parts by the dimension's name in `keys_by_dimension`.

    Example:
        >>> MultiPartitionKey({"zone": "eu", "date": "2013-01-01"})
        '2013-01-01|eu'
    """

    __slots__ = ("keys_by_dimension",)
    keys_by_dimension: dict[str, str]

    def __new__(cls, keys_by_dimension: Mapping[str, str]) -> MultiPartitionKey:
        ordered = dict(sorted(keys_by_dimension.items()))
        made = super().__new__(cls, SEPARATOR.join(ordered.values()))
        made.keys_by_dimension = ordered
        return made

    def __getnewargs__(self) -> tuple[dict[str, str]]:  # type: ignore[override]
        return (self.keys_by_dimension,)


class PartitionsDefinition(ABC):
    """Which partitions an asset or job has."""

    __slots__ = ("_model",)
    _model: model.Partitions

    def to_model(self) -> model.Partitions:
        """The definition as data."""
        return self._model

    def get_partition_keys(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> Sequence[str]:
        """All keys, in order.

        Args:
            current_time: which time windows have ended is judged at this moment; by default now.
            dynamic_partitions_store: has the keys of dynamic partitions (`get_dynamic_partitions(name)`).
        """
        keys = model.keys(self._model, moment(current_time), self._dynamic(dynamic_partitions_store))
        return [self._text(key) for key in keys]

    def get_first_partition_key(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> str | None:
        keys = self.get_partition_keys(current_time, dynamic_partitions_store)
        return keys[0] if keys else None

    def get_last_partition_key(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> str | None:
        key = model.last_key(self._model, moment(current_time), self._dynamic(dynamic_partitions_store))
        return self._text(key) if key else None

    def get_num_partitions(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> int:
        return model.count(self._model, moment(current_time), self._dynamic(dynamic_partitions_store))

    def has_partition_key(self, partition_key: str, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> bool:
        return model.contains(self._model, self.parse_key(partition_key), moment(current_time), self._dynamic(dynamic_partitions_store))

    def validate_partition_key(
        self, partition_key: str, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> None:
        """
        Raises:
            InvalidRequestError: it is not one of the partitions; names the nearest.
        """
        if not self.has_partition_key(partition_key, current_time, dynamic_partitions_store):
            close = nearest(partition_key, self.get_partition_keys(current_time, dynamic_partitions_store))
            raise InvalidRequestError(f"{partition_key!r} is not a partition" + (f"; did you mean {close!r}?" if close else ""))

    def filter_valid_partition_keys(self, partition_keys: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the keys that are partitions now."""
        return {key for key in partition_keys if self.has_partition_key(key)}

    def get_tags_for_partition_key(self, partition_key: str) -> dict[str, str]:
        """The tags that a run of the partition has."""
        return ranges.tags(self._model, self.parse_key(partition_key), None)

    def get_partition_keys_in_range(
        self, partition_key_range: PartitionKeyRange, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[str]:
        """The keys from `start` to `end`, both included.

        Raises:
            ValueError: one of them is not a partition.
        """
        keys = list(self.get_partition_keys(current_time, dynamic_partitions_store))
        for key in partition_key_range:
            if key not in keys:
                close = nearest(key, keys)
                raise ValueError(f"{key!r} is not a partition" + (f"; did you mean {close!r}?" if close else ""))
        return keys[keys.index(partition_key_range.start) : keys.index(partition_key_range.end) + 1]

    def get_partition_key_range(self, start: str, end: str) -> PartitionKeyRange:
        return PartitionKeyRange(start, end)

    def empty_subset(self) -> PartitionsSubset:
        """No partitions of this definition."""
        return PartitionsSubset(self)

    def subset_with_partition_keys(self, partition_keys: Iterable[str]) -> PartitionsSubset:
        return PartitionsSubset(self, tuple(dict.fromkeys(partition_keys)))

    def subset_with_all_partitions(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> PartitionsSubset:
        return PartitionsSubset(self, tuple(self.get_partition_keys(current_time, dynamic_partitions_store)))

    def parse_key(self, partition_key: str) -> PartitionKey:
        """The key as the model has it: one component for each dimension."""
        return (str(partition_key),)

    def format_key(self, key: PartitionKey) -> str:
        """The key as users know it."""
        return self._text(key)

    def dynamic_keys(self, store: Any) -> model.DynamicKeys:
        """Keys that were added at run time, by the name of their definition, out of an instance."""
        return self._dynamic(store)

    @property
    def is_dynamic(self) -> bool:
        """Whether keys are added at run time, in any dimension."""
        return model.is_dynamic(self._model)

    @property
    def name(self) -> str | None:
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionsDefinition) and self._model == other._model

    def __hash__(self) -> int:
        return hash(self._model)

    def __str__(self) -> str:
        return model.describe(self._model)

    def _text(self, key: PartitionKey) -> str:
        return key[0]

    def _dynamic(self, store: Any) -> model.DynamicKeys:
        names = list(model.dynamic_names(self._model))
        if not names:
            return model.NO_DYNAMIC
        store = partition_moment.store(store)
        if store is None:
            raise DefinitionError(
                f"the keys of dynamic partitions {names[0]!r} are kept by the deployment",
                source=sources.of_caller(),
                mend="pass dynamic_partitions_store=context.instance",
            )
        return {name: tuple(store.get_dynamic_partitions(name)) for name in names}

    @abstractmethod
    def __repr__(self) -> str: ...


class StaticPartitionsDefinition(PartitionsDefinition):
    """A fixed list of keys.

    Args:
        partition_keys: unique texts, in order.

    Raises:
        DefinitionError: a key is doubled, not text, or has characters that keys may not have.

    Example:
        >>> StaticPartitionsDefinition(["eu", "us"]).get_partition_keys()
        ['eu', 'us']
    """

    __slots__ = ()

    def __init__(self, partition_keys: Sequence[str]) -> None:
        if isinstance(partition_keys, str):
            raise DefinitionError(
                f"StaticPartitionsDefinition: partition_keys is the text {partition_keys!r}",
                source=sources.of_caller(),
                mend="give a list of texts",
            )
        seen = set()
        for key in partition_keys:
            check_key(key)
            if key in seen:
                raise DefinitionError(
                    f"StaticPartitionsDefinition: the key {key!r} is there twice", source=sources.of_caller(), mend="list each key once"
                )
            seen.add(key)
        self._model = model.StaticPartitions(keys=tuple(partition_keys))

    def __repr__(self) -> str:
        return f"StaticPartitionsDefinition({list(cast(model.StaticPartitions, self._model).keys)!r})"


class DynamicPartitionsDefinition(PartitionsDefinition):
    """Keys that are added while the deployment runs, under a name that assets may share.

    Args:
        name: of the set of keys.
    """

    __slots__ = ()

    def __init__(self, partition_fn: Any = None, name: str | None = None) -> None:
        if partition_fn is not None and not isinstance(partition_fn, str):
            raise DefinitionError(
                "DynamicPartitionsDefinition: partition_fn is not supported by this version of dagwright",
                source=sources.of_caller(),
                mend="give name=",
            )
        called = name or partition_fn
        if not called:
            raise DefinitionError("DynamicPartitionsDefinition has no name", source=sources.of_caller(), mend='give one: name="regions"')
        self._model = model.DynamicPartitions(name=called)

    @property
    def name(self) -> str:
        return cast(model.DynamicPartitions, self._model).name

    def build_add_request(self, partition_keys: Sequence[str]) -> AddDynamicPartitionsRequest:
        """For a SensorResult: add these keys."""
        return AddDynamicPartitionsRequest(self.name, tuple(check_key(key) for key in partition_keys))

    def build_delete_request(self, partition_keys: Sequence[str]) -> DeleteDynamicPartitionsRequest:
        """For a SensorResult: delete these keys."""
        return DeleteDynamicPartitionsRequest(self.name, tuple(partition_keys))

    def __repr__(self) -> str:
        return f"DynamicPartitionsDefinition(name={self.name!r})"


class AddDynamicPartitionsRequest(NamedTuple):
    """A sensor's wish to add keys."""

    partitions_def_name: str
    partition_keys: tuple[str, ...]


class DeleteDynamicPartitionsRequest(NamedTuple):
    """A sensor's wish to delete keys."""

    partitions_def_name: str
    partition_keys: tuple[str, ...]


class PartitionDimensionDefinition(NamedTuple):
    """A dimension of a MultiPartitionsDefinition."""

    name: str
    partitions_def: PartitionsDefinition


class MultiPartitionsDefinition(PartitionsDefinition):
    """The product of named dimensions: a partition for each combination of their keys.

    Args:
        partitions_defs: name of the dimension to its definition; two or more.

    Example:
        >>> both = MultiPartitionsDefinition({"day": StaticPartitionsDefinition(["1"]), "area": StaticPartitionsDefinition(["x", "y"])})
        >>> both.get_partition_keys()
        ['x|1', 'y|1']
    """

    __slots__ = ("partitions_by_dimension",)

    def __init__(self, partitions_defs: Mapping[str, PartitionsDefinition]) -> None:
        source = sources.of_caller()
        if len(partitions_defs) < 2:
            raise DefinitionError(
                f"MultiPartitionsDefinition has {len(partitions_defs)} dimensions", source=source, mend="give two or more"
            )
        for name, axis in partitions_defs.items():
            if not isinstance(axis, PartitionsDefinition) or isinstance(axis, MultiPartitionsDefinition):
                raise DefinitionError(
                    f"MultiPartitionsDefinition: the dimension {name!r} is a {type(axis).__name__}",
                    source=source,
                    mend="give a static, time or dynamic definition",
                )
        self.partitions_by_dimension = dict(sorted(partitions_defs.items()))
        axes = tuple((name, cast(model.SimplePartitions, axis.to_model())) for name, axis in self.partitions_by_dimension.items())
        self._model = model.MultiPartitions(dimensions=axes)

    @property
    def partition_dimension_names(self) -> list[str]:
        return list(self.partitions_by_dimension)

    @property
    def partitions_defs(self) -> list[PartitionDimensionDefinition]:
        """The dimensions with their names, in the order of a key's parts."""
        return [PartitionDimensionDefinition(name, axis) for name, axis in self.partitions_by_dimension.items()]

    @property
    def has_time_window_dimension(self) -> bool:
        return any(isinstance(axis.to_model(), model.TimeWindowPartitions) for axis in self.partitions_by_dimension.values())

    @property
    def time_window_dimension(self) -> PartitionDimensionDefinition:
        """The dimension that is of time.

        Raises:
            DefinitionError: none is, or several are.
        """
        found = [each for each in self.partitions_defs if isinstance(each.partitions_def.to_model(), model.TimeWindowPartitions)]
        if len(found) != 1:
            raise DefinitionError(
                f"{self!r} has {len(found)} dimensions of time", mend="ask for one by get_partitions_def_for_dimension(name)"
            )
        return found[0]

    def time_window_for_partition_key(self, partition_key: str) -> TimeWindow:
        """The window of the key's part in the dimension of time."""
        dimension = self.time_window_dimension
        part = self.parse_key(partition_key)[self.partition_dimension_names.index(dimension.name)]
        window: TimeWindow = cast(Any, dimension.partitions_def).time_window_for_partition_key(part)
        return window

    def get_multipartition_keys_with_dimension_value(
        self,
        dimension_name: str,
        dimension_partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: Any = None,
    ) -> Sequence[MultiPartitionKey]:
        """The keys that have this part in that dimension.

        Args:
            dimension_name: a name of `partition_dimension_names`.
            dimension_partition_key: the part; whether it is a key of its dimension is not asked.
            current_time, dynamic_partitions_store: for the other dimensions, as in `get_partition_keys`.

        Example:
            >>> days, areas = StaticPartitionsDefinition(["1", "2"]), StaticPartitionsDefinition(["x", "y"])
            >>> both = MultiPartitionsDefinition({"day": days, "area": areas})
            >>> both.get_multipartition_keys_with_dimension_value("day", "2")
            ['x|2', 'y|2']
        """
        axes = [
            [dimension_partition_key] if name == dimension_name else axis.get_partition_keys(current_time, dynamic_partitions_store)
            for name, axis in self.partitions_by_dimension.items()
        ]
        return [MultiPartitionKey(dict(zip(self.partitions_by_dimension, parts, strict=True))) for parts in itertools.product(*axes)]

    def get_partition_key_from_str(self, partition_key_str: str) -> MultiPartitionKey:
        """The key of a text such as `2013-01-01|eu`."""
        return cast(MultiPartitionKey, self._text(self.parse_key(partition_key_str)))

    def get_partitions_def_for_dimension(self, dimension_name: str) -> PartitionsDefinition:
        return self.partitions_by_dimension[dimension_name]

    def parse_key(self, partition_key: str) -> PartitionKey:
        if isinstance(partition_key, MultiPartitionKey):
            return tuple(partition_key.keys_by_dimension.values())
        return tuple(partition_key.split(SEPARATOR, len(self.partitions_by_dimension) - 1))

    def _text(self, key: PartitionKey) -> str:
        return MultiPartitionKey(dict(zip(self.partitions_by_dimension, key, strict=True)))

    def __repr__(self) -> str:
        return f"MultiPartitionsDefinition({self.partitions_by_dimension!r})"


def check_key(key: object) -> str:
    """Return a partition key if it is one."""
    if not isinstance(key, str) or not key:
        raise DefinitionError(f"{key!r} is not a partition key", source=sources.of_caller(), mend="use text that is not empty")
    for sign in _FORBIDDEN:
        if sign in key:
            raise DefinitionError(
                f"the partition key {key!r} has {sign!r}, which has a meaning in selections",
                source=sources.of_caller(),
                mend="leave it out",
            )
    return key
