"""Ranges of partitions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dagwright_shared.model import ranges
from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, Partitions, StaticPartitions, TimeWindowPartitions

pytestmark = pytest.mark.unit

NOW = datetime(2013, 2, 1, tzinfo=UTC)
DAYS = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=datetime(2013, 1, 1, tzinfo=UTC))
LETTERS = StaticPartitions(keys=("d", "b", "a", "c"))
DYNAMIC = DynamicPartitions(name="n")
BOTH = MultiPartitions(dimensions=(("day", DAYS), ("letter", LETTERS)))


def between(definition: Partitions, first: PartitionKey, last: PartitionKey) -> list[str]:
    return ["|".join(key) for key in ranges.keys_between(definition, first, last, NOW, {"n": ("x", "y", "z")})]


@pytest.mark.parametrize(
    ("definition", "first", "last", "keys"),
    [
        (LETTERS, ("b",), ("c",), ["b", "a", "c"]),
        (LETTERS, ("b",), ("b",), ["b"]),
        (LETTERS, ("c",), ("b",), []),
        (DYNAMIC, ("y",), ("z",), ["y", "z"]),
        (DAYS, ("2013-01-30",), ("2013-01-31",), ["2013-01-30", "2013-01-31"]),
        (BOTH, ("2013-01-01", "b"), ("2013-01-02", "a"), ["2013-01-01|b", "2013-01-01|a", "2013-01-02|b", "2013-01-02|a"]),
    ],
)
def test_all_keys_from_the_first_to_the_last(definition: Partitions, first: PartitionKey, last: PartitionKey, keys: list[str]) -> None:
    assert between(definition, first, last) == keys


@pytest.mark.parametrize(
    ("definition", "first", "last", "missing"),
    [(LETTERS, ("a",), ("e",), ("e",)), (DAYS, ("2012-12-31",), ("2013-01-01",), ("2012-12-31",)), (BOTH, ("a",), ("a", "b"), ("a",))],
)
def test_an_end_that_does_not_exist_is_named(
    definition: Partitions, first: PartitionKey, last: PartitionKey, missing: PartitionKey
) -> None:
    with pytest.raises(LookupError) as raised:
        between(definition, first, last)
    assert raised.value.args == (missing,)


def test_ranges_as_people_see_them() -> None:
    assert [ranges.format_range(*ends) for ends in ((("a",), ("b",)), (("a", "x"), ("b", "y")), (("a",), None), ((), None))] == [
        "a...b",
        "a|x...b|y",
        "a",
        None,
    ]
