"""Which ticks are due, what overlap means, what a tick without user code asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagwright_shared.decide import schedules
from dagwright_shared.model.keys import RunId
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, Partitions, StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import MissedTicks, Overlap, ScheduleSnapshot, TriggerTarget

pytestmark = pytest.mark.unit


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(
    cron: str | tuple[str, ...], zone: str, since: str, now: str, missed: MissedTicks = MissedTicks.ALL, most: int = 100
) -> schedules.Due:
    expressions = (cron,) if isinstance(cron, str) else cron
    return schedules.due(expressions, zone, since=at(since), now=at(now), missed=missed, max_missed=most)


@pytest.mark.parametrize(
    ("cron", "zone", "since", "now", "expected"),
    [
        ("0 6 * * *", "UTC", "2026-01-01T06:00", "2026-01-02T05:59:59", []),
        ("0 6 * * *", "UTC", "2026-01-01T06:00", "2026-01-02T06:00", ["2026-01-02T06:00"]),
        ("0 6 * * *", "UTC", "2026-01-02T06:00", "2026-01-02T06:00:10", []),
        ("0 6 * * *", "Europe/Berlin", "2026-07-01T00:00", "2026-07-01T12:00", ["2026-07-01T04:00"]),
        # 02:30 does not exist in Berlin on 2026-03-29: it fires right after the gap, at 03:00 there.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        # 02:30 comes twice in Berlin on 2026-10-25: it fires once.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        # Each real hour has its tick when the clock is set back.
        (
            "0 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:30",
            "2026-10-25T02:10",
            ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"],
        ),
        # Two expressions that fire at the same time make one tick.
        (("0 6 * * *", "0 */6 * * *"), "UTC", "2026-01-01T01:00", "2026-01-01T12:30", ["2026-01-01T06:00", "2026-01-01T12:00"]),
        ((), "UTC", "2026-01-01T01:00", "2026-01-01T12:30", []),
        # The clock went backwards.
        ("* * * * *", "UTC", "2026-01-01T01:00", "2026-01-01T00:00", []),
    ],
)
def test_ticks_in_an_interval(cron: str | tuple[str, ...], zone: str, since: str, now: str, expected: list[str]) -> None:
    answer = due(cron, zone, since, now)
    assert list(answer.take) == [at(text) for text in expected]
    assert answer.missed == ()


@pytest.mark.parametrize(
    ("missed", "most", "now", "taken", "recorded"),
    [
        (MissedTicks.SKIP, 5, "2026-01-01T05:30", [], 5),
        (MissedTicks.SKIP, 5, "2026-01-01T05:00:20", [5], 4),
        (MissedTicks.ONCE, 5, "2026-01-01T05:30", [5], 4),
        (MissedTicks.ONCE, 5, "2026-01-01T05:00:20", [5], 4),
        (MissedTicks.ALL, 2, "2026-01-01T05:30", [4, 5], 3),
        (MissedTicks.ALL, 9, "2026-01-01T05:30", [1, 2, 3, 4, 5], 0),
        (MissedTicks.ALL, 0, "2026-01-01T05:30", [], 5),
        (MissedTicks.ALL, 1, "2026-01-01T05:00:20", [4, 5], 3),
    ],
)
def test_missed_ticks(missed: MissedTicks, most: int, now: str, taken: list[int], recorded: int) -> None:
    answer = due("0 * * * *", "UTC", "2026-01-01T00:00", now, missed, most)
    assert [tick.hour for tick in answer.take] == taken
    assert len(answer.missed) == recorded
    assert all(missed.value in tick.reason for tick in answer.missed)


def test_a_year_away_is_answered_quickly_and_says_what_it_left_out() -> None:
    answer = due("* * * * *", "Europe/Berlin", "2025-01-01T00:00", "2026-01-01T00:00:30", MissedTicks.ALL, 5)
    assert [tick.strftime("%H:%M") for tick in answer.take] == ["23:55", "23:56", "23:57", "23:58", "23:59", "00:00"]
    assert len(answer.missed) == 100
    assert "not listed" in answer.missed[0].reason
    assert "not listed" not in answer.missed[1].reason


CRONS = st.sampled_from(["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "0 2,3 * * *", "15 1-3 * * 0", "@daily", "5 0 1 * *"])
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"])
MOMENTS = st.integers(1_704_067_200, 1_798_761_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
STEPS = st.lists(st.integers(1, 5_000), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(cron=st.lists(CRONS, min_size=1, max_size=2), zone=ZONES, start=MOMENTS, steps=STEPS)
def test_no_tick_twice_and_none_lost(cron: list[str], zone: str, start: datetime, steps: list[int]) -> None:
    """However a clock is cut into polls, the polls together see what one look over the whole time sees."""
    seen: list[datetime] = []
    last, now = start, start
    for step in steps:
        now += timedelta(seconds=step)
        answer = schedules.due(cron, zone, since=last, now=now, missed=MissedTicks.ALL, max_missed=10_000)
        assert not answer.missed
        seen.extend(answer.take)
        last = answer.take[-1] if answer.take else last
    whole = schedules.due(cron, zone, since=start, now=now, missed=MissedTicks.ALL, max_missed=100_000)
    assert seen == list(whole.take)
    assert seen == sorted(set(seen))


@settings(max_examples=100, deadline=None)
@given(
    cron=CRONS,
    zone=ZONES,
    start=MOMENTS,
    away=st.integers(0, 400_000),
    policy=st.sampled_from(MissedTicks),
    most=st.integers(0, 7),
)
def test_each_tick_is_taken_or_recorded_in_order(cron: str, zone: str, start: datetime, away: int, policy: MissedTicks, most: int) -> None:
    now = start + timedelta(seconds=away)
    answer = schedules.due([cron], zone, since=start, now=now, missed=policy, max_missed=most)
    recorded = [tick.scheduled_for for tick in answer.missed]
    everything = [*recorded, *answer.take]
    assert everything == sorted(set(everything))
    assert all(start < tick <= now for tick in everything)
    assert all(now - tick <= schedules.GRACE for tick in answer.take) or policy is not MissedTicks.SKIP
    newest = next(schedules.times([cron], now, zone))
    assert newest > now


def test_next_time() -> None:
    assert schedules.next_time(("0 6 * * *", "0 7 * * *"), "UTC", at("2026-01-01T06:00")) == at("2026-01-01T07:00")
    assert schedules.next_time((), "UTC", at("2026-01-01T06:00")) is None


ONE, TWO = RunId("one"), RunId("two")


@pytest.mark.parametrize("policy", list(Overlap))
def test_overlap_with_nothing_active(policy: Overlap) -> None:
    assert schedules.overlap(policy, []) == schedules.Allow()


def test_overlap() -> None:
    assert schedules.overlap(Overlap.ALLOW, [ONE]) == schedules.Allow()
    skip = schedules.overlap(Overlap.SKIP, [ONE, TWO])
    assert isinstance(skip, schedules.Skip)
    assert "one and 1 more" in skip.reason
    wait = schedules.overlap(Overlap.QUEUE, [ONE])
    assert isinstance(wait, schedules.Queue)
    assert wait.after == (ONE,)
    assert schedules.overlap(Overlap.CANCEL_OLD, [ONE, TWO]) == schedules.CancelOld(run_ids=(ONE, TWO))


DAYS = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=at("2026-01-01"))
ENDED = TimeWindowPartitions(cron="0 0 * * *", format="%Y-%m-%d", start=at("2026-01-01"), end=at("2026-01-03"))
REGIONS = StaticPartitions(keys=("eu", "us"))


@pytest.mark.parametrize(
    ("definition", "tick", "expected"),
    [
        (DAYS, "2026-01-05T00:00", [("2026-01-04",)]),
        (DAYS, "2026-01-05T06:00", [("2026-01-04",)]),
        (DAYS, "2026-01-01T06:00", []),
        (ENDED, "2026-01-03T06:00", [("2026-01-02",)]),
        (ENDED, "2026-01-04T06:00", []),
        (REGIONS, "2026-01-05T06:00", [("eu",), ("us",)]),
        (
            MultiPartitions(dimensions=(("day", DAYS), ("region", REGIONS))),
            "2026-01-05T06:00",
            [("2026-01-04", "eu"), ("2026-01-04", "us")],
        ),
        (DynamicPartitions(name="files"), "2026-01-05T06:00", [("a.csv",)]),
    ],
)
def test_partitioned_requests(definition: Partitions, tick: str, expected: list[tuple[str, ...]]) -> None:
    schedule = ScheduleSnapshot(name="s", cron=("0 6 * * *",), partitioned=True, evaluated=False, target=TriggerTarget(job_name="j"))
    answer = schedules.requests(schedule, at(tick), definition, {"files": ["a.csv"]})
    assert [request.partition for request in answer.requests] == expected
    assert len({request.run_key for request in answer.requests}) == len(expected)
    assert bool(answer.skip_reason) is not bool(expected)


def test_plain_request_carries_config_and_tags() -> None:
    schedule = ScheduleSnapshot(
        name="s", cron=("0 6 * * *",), evaluated=False, target=TriggerTarget(job_name="j"), config={"ops": {}}, tags={"team": "a"}
    )
    (request,) = schedules.requests(schedule, at("2026-01-01T06:00")).requests
    assert (request.job_name, request.config, request.tags, request.run_key) == ("j", {"ops": {}}, {"team": "a"}, None)
