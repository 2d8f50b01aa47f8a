"""One dict of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def merge_dicts(*dicts: Mapping[K, V]) -> dict[K, V]:
    """All entries; of entries under one key the last one given.

    Example:
        >>> merge_dicts({"a": 1, "b": 1}, {"b": 2})
        {'a': 1, 'b': 2}
    """
    return {key: value for each in dicts for key, value in each.items()}
