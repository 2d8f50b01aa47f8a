from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagwright_shared.model import partitions, subsets
from dagwright_shared.model.dependents import Moment, dependents, is_identity, size
from dagwright_shared.model.mappings import upstream_keys
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, Partitions, StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import DimensionMappingData, MappingKind, PartitionMappingData

NOW = datetime(2024, 1, 11, 5, tzinfo=UTC)
DYNAMIC = {"customers": ("anna", "ben", "cleo")}
AT = Moment(now=NOW, dynamic=DYNAMIC)


def days(first: int = 1, **options: object) -> TimeWindowPartitions:
    start = datetime(2024, 1, first, tzinfo=UTC)
    return TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=start, **options)  # type: ignore[arg-type]


HOURS = TimeWindowPartitions(cron="0 * * * *", format="%Y-%m-%d-%H", start=datetime(2024, 1, 3, tzinfo=UTC))
WEEKS = TimeWindowPartitions(cron="0 0 * * 0", format="%Y-%m-%d", start=datetime(2023, 12, 3, tzinfo=UTC))
COLOURS = StaticPartitions(keys=("red", "green", "blue"))
SHORT = StaticPartitions(keys=("blue", "red"))
PEOPLE = DynamicPartitions(name="customers")
DAY_COLOUR = MultiPartitions(dimensions=(("colour", COLOURS), ("day", days())))
OTHER_MULTI = MultiPartitions(dimensions=(("colour", COLOURS), ("size", StaticPartitions(keys=("s", "l")))))
SHIFT = PartitionMappingData(kind=MappingKind.TIME_WINDOW, start_offset=-1, end_offset=-1)


def mapped(kind: MappingKind, **more: object) -> PartitionMappingData:
    return PartitionMappingData(kind=kind, **more)  # type: ignore[arg-type]


BY_DAY = mapped(MappingKind.MULTI, dimensions=(DimensionMappingData(upstream="day", downstream="day", mapping=SHIFT),))
TABLE = mapped(MappingKind.STATIC, downstream_by_upstream={"red": ("blue",), "green": ("blue", "red")})
CASES: list[tuple[Partitions | None, Partitions | None, PartitionMappingData | None]] = [
    (None, None, None),
    (None, days(), None),
    (days(), None, None),
    (days(), None, mapped(MappingKind.LAST)),
    (COLOURS, None, mapped(MappingKind.SPECIFIC, partition_keys=("green",))),
    (days(), days(), None),
    (days(), days(), SHIFT),
    (days(), days(), mapped(MappingKind.TIME_WINDOW, start_offset=-2)),
    (days(), days(), mapped(MappingKind.TIME_WINDOW, end_offset=1)),
    (days(), days(5), None),
    (days(5), days(), mapped(MappingKind.TIME_WINDOW, start_offset=-3, end_offset=-2)),
    (days(), days(end=datetime(2024, 1, 6, tzinfo=UTC)), None),
    (HOURS, days(), None),
    (days(), HOURS, None),
    (days(), WEEKS, None),
    (WEEKS, days(), SHIFT),
    (WEEKS, days(), mapped(MappingKind.TIME_WINDOW, start_offset=-9, end_offset=-8)),
    (days(), WEEKS, mapped(MappingKind.TIME_WINDOW, start_offset=-1)),
    (days(3), WEEKS, mapped(MappingKind.TIME_WINDOW, start_offset=1, end_offset=2)),
    (days(8), HOURS, mapped(MappingKind.TIME_WINDOW, start_offset=-40, end_offset=30)),
    (days(), days(), mapped(MappingKind.TIME_WINDOW, start_offset=1, end_offset=-1)),
    (DAY_COLOUR, WEEKS, None),
    (WEEKS, DAY_COLOUR, None),
    (DAY_COLOUR, days(), mapped(MappingKind.MULTI, dimensions=(DimensionMappingData(upstream="day", downstream="day"),))),
    (days(), days(), mapped(MappingKind.ALL)),
    (days(), days(), mapped(MappingKind.LAST)),
    (COLOURS, SHORT, TABLE),
    (COLOURS, SHORT, mapped(MappingKind.IDENTITY)),
    (COLOURS, days(), None),
    (PEOPLE, PEOPLE, None),
    (DAY_COLOUR, days(), None),
    (days(), DAY_COLOUR, None),
    (DAY_COLOUR, OTHER_MULTI, None),
    (DAY_COLOUR, DAY_COLOUR, BY_DAY),
    (DAY_COLOUR, DAY_COLOUR, None),
    (DAY_COLOUR, COLOURS, mapped(MappingKind.MULTI, dimensions=(DimensionMappingData(upstream="colour", downstream="", mapping=None),))),
]


@pytest.mark.parametrize(("up", "down", "mapping"), CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_inverse_of_upstream_keys(
    up: Partitions | None, down: Partitions | None, mapping: PartitionMappingData | None, data: st.DataObject
) -> None:
    total = size(up, AT)
    wanted = subsets.of_ordinals(data.draw(st.sets(st.integers(0, total - 1), max_size=12)))
    names = {()} if up is None else set(subsets.to_keys(up, wanted, NOW, DYNAMIC))
    below = [()] if down is None else list(partitions.keys(down, NOW, DYNAMIC))
    expected = [
        place for place, key in enumerate(below) if wanted and names.intersection(upstream_keys(key, down, up, mapping, NOW, DYNAMIC).keys)
    ]
    assert list(dependents(wanted, up, down, mapping, AT)) == expected


def test_identity_is_told_from_what_only_looks_like_it() -> None:
    assert is_identity(None, days(), days())
    assert is_identity(mapped(MappingKind.TIME_WINDOW), days(), days())
    assert not is_identity(SHIFT, days(), days())
    assert not is_identity(None, days(), days(2))
    assert not is_identity(mapped(MappingKind.ALL), COLOURS, COLOURS)


def test_a_million_windows_cost_ranges() -> None:
    minutes = TimeWindowPartitions(cron="* * * * *", format="%Y-%m-%d-%H:%M", start=datetime(2024, 1, 1, tzinfo=UTC))
    all_of_them = subsets.everything(minutes, NOW)
    assert dependents(all_of_them, minutes, minutes, SHIFT, AT).ranges == ((1, len(all_of_them)),)
