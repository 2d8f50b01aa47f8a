"""Freshness as timelines: what a policy says at each moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dagwright_shared.decide.freshness import next_change, state
from dagwright_shared.model.freshness import CronFreshness, FreshnessState, WindowFreshness, describe

DAY = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = WindowFreshness(fail_seconds=7200, warn_seconds=3600)
NINE = CronFreshness(deadline_cron="0 9 * * *", lower_bound_seconds=900)


def at(hour: int, minute: int = 0, day: int = 0) -> datetime:
    return DAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("made", "now", "expected"),
    [
        (None, at(8), FreshnessState.UNKNOWN),
        (at(8), at(8), FreshnessState.PASS),
        (at(8), at(8, 59), FreshnessState.PASS),
        (at(8), at(9), FreshnessState.WARN),
        (at(8), at(9, 59), FreshnessState.WARN),
        (at(8), at(10), FreshnessState.FAIL),
    ],
)
def test_a_window(made: datetime | None, now: datetime, expected: FreshnessState) -> None:
    assert state(WINDOW, made, now) is expected


@pytest.mark.parametrize(
    ("made", "now", "expected"),
    [
        (None, at(9), FreshnessState.UNKNOWN),
        (at(8, 50), at(9), FreshnessState.PASS),  # on time
        (at(8, 50), at(8, 59, day=1), FreshnessState.PASS),  # until the next deadline
        (at(8, 50), at(9, day=1), FreshnessState.FAIL),
        (at(8, 30), at(9), FreshnessState.FAIL),  # too early
        (at(9, 30), at(9, 31), FreshnessState.PASS),  # late, and fresh again
        (at(8, 50, day=-1), at(8, 59), FreshnessState.PASS),
    ],
)
def test_a_deadline(made: datetime | None, now: datetime, expected: FreshnessState) -> None:
    assert state(NINE, made, now) is expected


def test_a_deadline_is_in_its_time_zone() -> None:
    berlin = CronFreshness(deadline_cron="0 9 * * *", lower_bound_seconds=900, timezone="Europe/Berlin")
    assert state(berlin, at(7, 50), at(8)) is FreshnessState.PASS
    assert state(berlin, at(7, 40), at(8)) is FreshnessState.FAIL


def test_the_next_change_is_an_edge_at_which_the_state_is_another() -> None:
    assert next_change(WINDOW, None, at(8)) is None
    assert next_change(WINDOW, at(8), at(8)) == at(9)
    assert next_change(WINDOW, at(8), at(9)) == at(10)
    assert next_change(WINDOW, at(8), at(10)) is None
    assert next_change(NINE, at(8, 50), at(9)) == at(9, day=1)
    assert next_change(NINE, at(8, 50), at(8, 59)) == at(9)


def test_policies_in_words() -> None:
    assert describe(WINDOW) == "never older than 2:00:00; a warning from 1:00:00 on"
    assert describe(NINE) == "at 0 9 * * * (UTC) not older than 0:15:00"
