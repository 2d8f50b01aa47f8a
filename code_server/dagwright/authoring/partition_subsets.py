"""Sets of partitions, as mappings of the user's own receive and answer them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dagwright_shared.model.dataclass import dataclass

if TYPE_CHECKING:
    from dagwright.authoring.partitions import PartitionKeyRange, PartitionsDefinition


@dataclass(frozen=True, slots=True, eq=False)
class PartitionsSubset:
    """Some partitions of a definition; made by `empty_subset()` and the `subset_with_...` functions of a PartitionsDefinition.

    Example:
        >>> from dagwright import StaticPartitionsDefinition
        >>> some = StaticPartitionsDefinition(["a", "b", "c"]).subset_with_partition_keys(["a"])
        >>> list(some.with_partition_keys(["c"]).get_partition_keys()), "b" in some
        (['a', 'c'], False)
    """

    partitions_def: PartitionsDefinition
    keys: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.keys

    def get_partition_keys(self) -> Sequence[str]:
        return self.keys

    def get_partition_keys_not_in_subset(self, partitions_def: PartitionsDefinition) -> Sequence[str]:
        known = set(self.keys)
        return [key for key in partitions_def.get_partition_keys() if key not in known]

    def with_partition_keys(self, partition_keys: Iterable[str]) -> PartitionsSubset:
        """These keys too."""
        return PartitionsSubset(self.partitions_def, tuple(dict.fromkeys((*self.keys, *partition_keys))))

    def with_partition_key_range(self, partitions_def: PartitionsDefinition, partition_key_range: PartitionKeyRange) -> PartitionsSubset:
        """The keys of a range too."""
        return self.with_partition_keys(partitions_def.get_partition_keys_in_range(partition_key_range))

    def empty_subset(self) -> PartitionsSubset:
        return PartitionsSubset(self.partitions_def)

    def __or__(self, other: PartitionsSubset) -> PartitionsSubset:
        return self.with_partition_keys(other.keys)

    def __and__(self, other: PartitionsSubset) -> PartitionsSubset:
        return PartitionsSubset(self.partitions_def, tuple(key for key in self.keys if key in other))

    def __sub__(self, other: PartitionsSubset) -> PartitionsSubset:
        return PartitionsSubset(self.partitions_def, tuple(key for key in self.keys if key not in other))

    def __contains__(self, key: Any) -> bool:
        return key in self.keys

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys)

    def __len__(self) -> int:
        return len(self.keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionsSubset) and set(self.keys) == set(other.keys)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPartitionsResult:
    """What a PartitionMapping answers.

    Args:
        partitions_subset: upstream partitions that exist and are read.
        required_but_nonexistent_subset: those that would be read, but do not exist; a step fails on them.
    """

    partitions_subset: PartitionsSubset
    required_but_nonexistent_subset: PartitionsSubset

    @property
    def required_but_nonexistent_partition_keys(self) -> Sequence[str]:
        return self.required_but_nonexistent_subset.get_partition_keys()
