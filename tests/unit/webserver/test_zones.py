"""Moments in the zone of who asks, and the other way round."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dagwright_webserver import zones


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2026-01-10T12:00", datetime(2026, 1, 10, 11, tzinfo=UTC)),
        ("2026-07-10T12:00", datetime(2026, 7, 10, 10, tzinfo=UTC)),
        # The hour that there is twice is its first time.
        ("2026-10-25T02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_time_of_day_is_one_in_the_zone_of_who_asks(wall: str, utc: datetime) -> None:
    zones.use("Europe/Berlin", None)
    try:
        assert zones.of_wall(datetime.fromisoformat(wall)) == utc
    finally:
        zones.use(None, None)


def test_an_offset_wins_and_nothing_stays_nothing() -> None:
    zones.use(None, "Asia/Tokyo")
    try:
        given = datetime(2026, 1, 10, 12, tzinfo=timezone(timedelta(hours=-5)))
        assert zones.of_wall(given) == given
        assert zones.of_wall(None) is None
    finally:
        zones.use(None, None)
