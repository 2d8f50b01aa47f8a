"""What partitions are chosen by."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, Partitions, StaticPartitions, TimeWindowPartitions
from dagwright_webserver.reads.partition_keys import axes_of

AT = Moment(now=datetime(2026, 1, 11, tzinfo=UTC), dynamic={"shops": []})
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=START)


def test_each_dimension_has_its_keys_and_ends() -> None:
    day, shop = axes_of(MultiPartitions(dimensions=(("day", DAYS), ("shop", StaticPartitions(keys=("a", "b"))))), AT)
    assert (day.name, day.count, day.newest[0], day.first, day.last, day.by_day) == (
        "day",
        10,
        "2026-01-10",
        "2026-01-01",
        "2026-01-10",
        True,
    )
    assert (shop.name, shop.count, shop.newest, shop.first, shop.last, shop.by_day) == ("shop", 2, ("b", "a"), "a", "b", False)


@pytest.mark.parametrize(
    "definition",
    [
        TimeWindowPartitions(cron="0 0 * * 1", format="%Y-%m-%d", start=START),
        TimeWindowPartitions(cron="0 0 1 * *", format="%Y-%m-%d", start=START),
        TimeWindowPartitions(cron="0 0 * * *", format="%Y%m%d", start=START),
        TimeWindowPartitions(cron="0 */6 * * *", format="%Y-%m-%d", start=START),
    ],
)
def test_only_days_are_dates(definition: Partitions) -> None:
    (axis,) = axes_of(definition, AT)
    assert (axis.name, axis.by_day) == (None, False)


def test_nothing_to_choose_from() -> None:
    assert axes_of(None, AT) == ()
    (axis,) = axes_of(DynamicPartitions(name="shops"), AT)
    assert (axis.count, axis.newest, axis.first, axis.last) == (0, (), None, None)
