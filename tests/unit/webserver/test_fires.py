"""What is remembered of schedules is what reckoning anew would find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random

import pytest

from dagwright_shared.model import cron
from dagwright_shared.model.snapshot import ScheduleSnapshot
from dagwright_webserver.reads import fires

START = datetime(2026, 3, 28, 22, 17, tzinfo=UTC)  # the night in which Berlin's clocks go forward


def schedule(*expressions: str, timezone: str = "UTC") -> ScheduleSnapshot:
    return ScheduleSnapshot(name="s", cron=expressions, timezone=timezone)


@pytest.mark.parametrize("expressions", [("0 * * * *",), ("*/7 * * * *", "0 2 * * *"), ("30 2 * * *",), ("@every 90s",)])
def test_as_time_goes_on(expressions: tuple[str, ...]) -> None:
    line, random, now = fires.Fires(), Random(7), START
    wanted = schedule(*expressions, timezone="Europe/Berlin")
    for _ in range(40):
        found = list(islice(line.after(wanted, now), 5))
        every = [moment for each in expressions for moment in islice(cron.after(each, now, "Europe/Berlin"), 5)]
        assert found == sorted(set(every))[:5]
        # On by some minutes, now and then back, as clocks of threads are.
        now += timedelta(minutes=random.randrange(-30, 90))


def test_exactly_at_a_fire_time_the_next_one_follows() -> None:
    at = datetime(2026, 1, 1, 6, tzinfo=UTC)
    line = fires.Fires()
    assert next(line.after(schedule("0 6 * * *"), at - timedelta(microseconds=1))) == at
    assert next(line.after(schedule("0 6 * * *"), at)) == at + timedelta(days=1)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fires, "_LONGEST", 10)
    monkeypatch.setattr(fires, "_MOST_LINES", 3)
    line = fires.Fires()
    for minute in range(50):
        list(islice(line.after(schedule(f"{minute} * * * *"), START), 30))
        assert len(line._lines) <= 3
    assert next(line.after(schedule("49 * * * *"), START + timedelta(hours=20))) == START.replace(day=29, hour=18, minute=49)
