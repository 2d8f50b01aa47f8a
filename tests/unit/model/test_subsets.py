from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagwright_shared.model import partitions, subsets
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.subsets import EMPTY, Subset, of_ordinals

NOW = datetime(2024, 1, 11, tzinfo=UTC)
DAYS = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=datetime(2024, 1, 1, tzinfo=UTC))
COLOURS = StaticPartitions(keys=("red", "green", "blue"))
BOTH = MultiPartitions(dimensions=(("colour", COLOURS), ("day", DAYS)))

ordinals = st.sets(st.integers(min_value=0, max_value=300), max_size=60)


def assert_normal(subset: Subset) -> None:
    for (_, end), (start, _) in zip(subset.ranges, subset.ranges[1:], strict=False):
        assert end < start
    assert all(start < end for start, end in subset.ranges)


@given(ordinals, ordinals)
def test_operators_are_those_of_sets(left: set[int], right: set[int]) -> None:
    a, b = of_ordinals(left), of_ordinals(right)
    for made, expected in ((a | b, left | right), (a & b, left & right), (a - b, left - right)):
        assert set(made) == expected
        assert len(made) == len(expected)
        assert_normal(made)
    assert (a <= b) == (left <= right)
    assert a.isdisjoint(b) == left.isdisjoint(right)
    assert bool(a) == bool(left)


@given(ordinals)
def test_membership_and_order(members: set[int]) -> None:
    subset = of_ordinals(members)
    assert list(subset) == sorted(members)
    assert [n for n in range(-2, 303) if n in subset] == sorted(members)


@given(st.sets(st.integers(min_value=0, max_value=10**12), max_size=40))
def test_bytes_round_trip(members: set[int]) -> None:
    subset = of_ordinals(members)
    assert subsets.from_bytes(subset.to_bytes()) == subset


@given(ordinals, st.integers(min_value=0, max_value=80))
def test_first(members: set[int], count: int) -> None:
    assert list(of_ordinals(members).first(count)) == sorted(members)[:count]


@given(st.lists(ordinals, max_size=6))
def test_union_of_many(many: list[set[int]]) -> None:
    assert subsets.union(map(of_ordinals, many)) == of_ordinals(set().union(*many))


@given(st.sets(st.integers(min_value=0, max_value=29), max_size=30))
def test_keys_round_trip_over_dimensions(members: set[int]) -> None:
    subset = of_ordinals(members)
    keys = subsets.to_keys(BOTH, subset, NOW)
    assert subsets.of_keys(BOTH, keys, NOW) == subset


def test_a_long_range_is_a_few_bytes() -> None:
    assert len(subsets.of_range(0, 1_000_000).to_bytes()) <= 4


def test_keys_of_time_windows() -> None:
    subset = subsets.of_keys(DAYS, [("2024-01-02",), ("2024-01-03",), ("2024-01-09",)], NOW)
    assert subset.ranges == ((1, 3), (8, 9))
    assert subsets.to_key_ranges(DAYS, subset, NOW) == [("2024-01-02", "2024-01-03"), ("2024-01-09", "2024-01-09")]
    assert len(subsets.everything(BOTH, NOW)) == 30


def test_dynamic_keys() -> None:
    definition = DynamicPartitions(name="regions")
    dynamic = {"regions": ["eu", "us"]}
    assert subsets.to_keys(definition, subsets.everything(definition, NOW, dynamic), NOW, dynamic) == [("eu",), ("us",)]


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(ValueError, match="'2025-01-01'"):
        subsets.of_keys(DAYS, [("2025-01-01",)], NOW)
    with pytest.raises(ValueError, match="1 components, not 2"):
        subsets.of_keys(BOTH, [("red",)], NOW)


@pytest.mark.parametrize("data", [b"\x80", b"\x01", b"\x00\x00", b"\x00\x01\x00\x01"])
def test_broken_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a set"):
        subsets.from_bytes(data)


def test_empty_and_negative() -> None:
    assert not EMPTY
    assert EMPTY.to_bytes() == b""
    assert "x" not in of_ordinals([1])
    with pytest.raises(ValueError, match="negative"):
        of_ordinals([-1])
    with pytest.raises(ValueError, match="one dimension"):
        subsets.to_key_ranges(BOTH, EMPTY, NOW)


@pytest.mark.parametrize(
    "definition",
    [
        TimeWindowPartitions(cron="0 * * * *", format="%Y-%m-%d-%H:%M", start=datetime(2024, 10, 20, tzinfo=UTC), timezone="Europe/Berlin"),
        # Named so that the order of names is not that of time.
        TimeWindowPartitions(cron="0 0 * * *", format="%d/%m/%Y", start=datetime(2023, 1, 1, tzinfo=UTC)),
    ],
    ids=["two hours of one name", "days before years"],
)
@pytest.mark.parametrize("step", [1, 2, 7])
def test_windows_are_found_whether_or_not_they_follow_each_other(
    definition: TimeWindowPartitions, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2024, 11, 5, tzinfo=UTC)
    every = partitions.simple_keys(definition, now)
    wanted = [*every[3:200:step], "no window", *every[-5:]]
    expected = {key: place for place, key in enumerate(every) if key in wanted}
    assert partitions.places(definition, wanted, now) == expected
    monkeypatch.setattr(partitions, "_FEW", 0)
    assert partitions.places(definition, wanted, now) == expected, "by naming all of them"
    known = subsets.of_keys(definition, [(key,) for key in wanted], now, only_known=True)
    assert list(known) == sorted(expected.values())
    with pytest.raises(ValueError, match="'no window' does not exist"):
        subsets.of_keys(definition, [(key,) for key in wanted], now)
