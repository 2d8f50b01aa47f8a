"""Cron expressions: intervals beside those with fields."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from dagwright_shared.model import cron

pytestmark = pytest.mark.unit

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_intervals_go_on_across_hours_and_days() -> None:
    found = itertools.islice(cron.after("@every 45m", NOON, "Europe/Berlin"), 3)
    assert [f"{moment:%H:%M}" for moment in found] == ["12:45", "13:30", "14:15"]
    assert [f"{moment:%H:%M}" for moment in itertools.islice(cron.before("@every 45m", NOON), 2)] == ["11:15", "10:30"]
    assert cron.at_or_after("@every 45m", NOON) == NOON
    assert cron.interval("@every 36h") == 36 * 3600
    assert cron.interval("0 * * * *") is None
    assert (cron.check(" @every 90s "), cron.in_words("@every 90s")) == ("@every 90s", "Every 90s")


@pytest.mark.parametrize("expression", ["@every 0m", "@every m", "@every 5", "@every 5d", "@every -5m", "@every 5m 5m"])
def test_wrong_intervals(expression: str) -> None:
    with pytest.raises(ValueError, match="is not a cron expression"):
        cron.check(expression)
