"""Which weeks of events have served their time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dagwright_shared.decide.retention import Delete, Drop, Purge, purges
from dagwright_shared.model.retention import EventClass, Policy, Week

pytestmark = pytest.mark.unit

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOISE, OBSERVATIONS, MATERIALIZATIONS, RUNS = EventClass
DAY = timedelta(days=1)


def week(age: int) -> Week:
    """One that ended so many days ago."""
    end = NOW - age * DAY
    return Week(name=f"events_{end - 7 * DAY:%Y%m%d}", end=end)


def policy(**days: int | None) -> Policy:
    return Policy(events={kind: None if (n := days.get(kind)) is None else n * DAY for kind in EventClass}, ticks={})


OLD, MIDDLE, YOUNG = week(100), week(40), week(-3)
CASES: list[tuple[str, Policy, dict[EventClass, str], list[Purge]]] = [
    ("nothing is purged where nothing is said", policy(), {}, []),
    ("noise goes first", policy(noise=30), {}, [Delete(week=OLD.name, events=NOISE), Delete(week=MIDDLE.name, events=NOISE)]),
    ("what is done is not done again", policy(noise=30), {NOISE: OLD.name}, [Delete(week=MIDDLE.name, events=NOISE)]),
    ("on the day", policy(noise=40), {NOISE: OLD.name}, [Delete(week=MIDDLE.name, events=NOISE)]),
    ("and not a day before", policy(noise=41), {NOISE: OLD.name}, []),
    (
        "a week that is old for every class is dropped",
        policy(noise=30, observations=30, materializations=90, runs=90),
        {NOISE: MIDDLE.name},
        [Drop(week=OLD.name), Delete(week=MIDDLE.name, events=OBSERVATIONS)],
    ),
    ("one class for ever keeps the week", policy(noise=1, observations=1, runs=1), dict.fromkeys(EventClass, MIDDLE.name), []),
]


@pytest.mark.parametrize(("name", "of", "purged", "expected"), CASES)
def test_purges(name: str, of: Policy, purged: dict[EventClass, str], expected: list[Purge]) -> None:
    assert purges([YOUNG, MIDDLE, OLD], of, purged, NOW) == expected, name
