"""Partition keys as user code sees them: text, and for several dimensions text that knows its parts."""

from __future__ import annotations

from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.partitions import MultiPartitions, Partitions


class MultiPartitionKey(str):
    """A key of several dimensions: the text `a|b`, its parts by the dimension's name in `keys_by_dimension`.

    Example:
        >>> MultiPartitionKey({"date": "2013-01-01", "zone": "eu"})
        '2013-01-01|eu'
    """

    __slots__ = ("keys_by_dimension",)
    keys_by_dimension: dict[str, str]

    def __new__(cls, keys_by_dimension: dict[str, str]) -> MultiPartitionKey:
        ordered = dict(sorted(keys_by_dimension.items()))
        made = super().__new__(cls, "|".join(ordered.values()))
        made.keys_by_dimension = ordered
        return made

    def __getnewargs__(self) -> tuple[dict[str, str]]:  # type: ignore[override]
        return (self.keys_by_dimension,)


def multi_key(key: PartitionKey, definition: Partitions | None) -> str:
    """The key for user code."""
    if isinstance(definition, MultiPartitions) and len(key) == len(definition.dimensions):
        return MultiPartitionKey({name: part for (name, _), part in zip(definition.dimensions, key, strict=True)})
    return "|".join(key)
