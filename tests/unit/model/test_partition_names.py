"""Names of windows when the clocks go back: the hour that comes twice has two keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dagwright_shared.model import partitions
from dagwright_shared.model.partitions import TimeWindowPartitions

NOW = datetime(2023, 12, 1, tzinfo=UTC)
HOURS = TimeWindowPartitions(
    cron="0 * * * *",
    format="%Y-%m-%d-%H:%M",
    start=datetime(2023, 11, 5, 4, tzinfo=UTC),
    end=datetime(2023, 11, 5, 9, tzinfo=UTC),
    timezone="America/New_York",
)


def test_the_second_of_two_equal_hours_carries_its_offset() -> None:
    keys = partitions.simple_keys(HOURS, NOW)
    assert keys[:4] == ["2023-11-05-00:00", "2023-11-05-01:00", "2023-11-05-01:00-0500", "2023-11-05-02:00"]
    assert len(set(keys)) == len(keys)


def test_every_key_leads_back_to_its_own_window() -> None:
    starts = [partitions.time_window(HOURS, key).start for key in partitions.simple_keys(HOURS, NOW)]
    assert starts == [datetime(2023, 11, 5, 4, tzinfo=UTC) + timedelta(hours=n) for n in range(5)]
    assert [partitions.ordinal(HOURS, key, NOW) for key in partitions.simple_keys(HOURS, NOW)] == list(range(5))
    assert partitions.key_at(HOURS, datetime(2023, 11, 5, 6, 30, tzinfo=UTC)) == "2023-11-05-01:00-0500"


@pytest.mark.parametrize("key", ["2023-11-05-00:00-0400", "2023-11-05-01:00-0400", "2023-11-05-01:00-0700", "2023-11-05-02:00-0500"])
def test_an_offset_that_is_not_needed_is_no_second_name(key: str) -> None:
    assert partitions.ordinal(HOURS, key, NOW) is None
    with pytest.raises(ValueError, match="is not a partition"):
        partitions.time_window(HOURS, key)
