"""A simulation as a timeline: `start-end what`, in minutes since the beginning."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import dagwright as dg
from dagwright.loading import snapshot
from dagwright_shared.decide.requests import Definitions
from dagwright_shared.decide.simulation import Setting, Simulation, simulate
from dagwright_shared.model.keys import Digest, LocationName, format_partition
from dagwright_shared.model.limits import Limits
from dagwright_shared.model.runs import NewRun

NOW = datetime(2024, 1, 10, tzinfo=UTC)
HERE = LocationName("here")


def played(defs: dg.Definitions, *, hours: float, minutes: Mapping[str, int] | None = None, **setting: Any) -> Simulation:
    known = Definitions.of(Digest("d"), snapshot.build(defs, HERE))
    lengths = minutes or {}

    def duration(run: NewRun) -> timedelta:
        return timedelta(minutes=lengths.get(run.job_name or run.asset_keys[0].to_user_string(), 1))

    return simulate(Setting(definitions={HERE: known}, now=NOW, until=NOW + timedelta(hours=hours), duration=duration, **setting))


def timeline(found: Simulation) -> list[str]:
    def minute(moment: datetime | None) -> str:
        return "" if moment is None else f"{(moment - NOW).total_seconds() / 60:g}"

    lines = []
    for each in found.runs:
        run = each.run
        name = run.job_name or "+".join(key.to_user_string() for key in run.asset_keys)
        partition = f"[{format_partition(run.partition)}]" if run.partition else ""
        waited = f" after {','.join(each.waited_for)}" if each.waited_for else ""
        lines.append(f"{minute(run.started_at)}-{minute(run.ended_at)} {name}{partition}{waited}")
    return lines


@dg.op
def work() -> None: ...


@dg.op(pool="database")
def query() -> None: ...


@dg.job
def plain() -> None:
    work()


@dg.job
def heavy() -> None:
    query()


@dg.job
def light() -> None:
    query()


def every(job: Any, cron: str, **more: Any) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(name=f"{job.name}_schedule", job=job, cron_schedule=cron, **more)


def test_schedules_ask_and_runs_take_their_time() -> None:
    found = played(dg.Definitions(schedules=[every(plain, "0 * * * *")]), hours=3.5, minutes={"plain": 45})
    assert timeline(found) == ["60-105 plain", "120-165 plain", "180- plain"]
    assert found.total.peak == 1
    assert found.total.busy == pytest.approx((45 + 45 + 30) / 210)
    assert not found.cut


def test_a_pool_holds_runs_back() -> None:
    defs = dg.Definitions(schedules=[every(heavy, "0 * * * *"), every(light, "0,30 * * * *")])
    found = played(defs, hours=2.2, minutes={"heavy": 40, "light": 5}, pools={"database": 1})
    assert timeline(found) == [
        "30-35 light",
        "60-100 heavy",
        "100-105 light after database",
        "105-110 light after database",
        "120- heavy",
        "- light after database",
    ]
    [pool] = found.pools
    assert (pool.name, pool.slots, pool.peak) == ("database", 1, 1)
    assert pool.waited == timedelta(minutes=40 + 15 + 12)


def test_the_limit_of_all_runs() -> None:
    defs = dg.Definitions(schedules=[every(plain, "0 * * * *"), every(heavy, "0 * * * *")])
    found = played(defs, hours=1.5, minutes={"plain": 10, "heavy": 10}, limits=Limits(max_concurrent_runs=1))
    assert timeline(found) == ["60-70 plain", "70-80 heavy after limit"] or timeline(found) == ["60-70 heavy", "70-80 plain after limit"]
    assert found.total.waited == timedelta(minutes=10)


def test_conditions_follow_what_has_run() -> None:
    @dg.asset
    def first() -> None: ...

    @dg.asset(deps=[first], automation_condition=dg.AutomationCondition.eager())
    def second() -> None: ...

    @dg.asset(deps=[second], automation_condition=dg.AutomationCondition.eager())
    def third() -> None: ...

    schedule = dg.ScheduleDefinition(name="s", target=[first], cron_schedule="0 * * * *")
    found = played(dg.Definitions(assets=[first, second, third], schedules=[schedule]), hours=2.5, minutes={"first": 10, "second": 5})
    assert timeline(found)[:2] == ["60-70 first", "70-75 second+third"]
    assert len(found.runs) == 4


def test_conditions_of_the_clock_and_new_partitions() -> None:
    days = dg.DailyPartitionsDefinition("2024-01-01")

    @dg.asset(automation_condition=dg.AutomationCondition.on_cron("0 6 * * *"))
    def morning() -> None: ...

    @dg.asset(partitions_def=days, automation_condition=dg.AutomationCondition.on_missing())
    def daily() -> None: ...

    found = played(dg.Definitions(assets=[morning, daily]), hours=49)
    assert timeline(found) == ["360-361 morning", "1440-1441 daily[2024-01-10]", "1800-1801 morning", "2880-2881 daily[2024-01-11]"]


def test_what_is_left_out_is_said() -> None:
    @dg.schedule(cron_schedule="0 * * * *", job=plain)
    def asks() -> dg.RunRequest:
        return dg.RunRequest()

    @dg.sensor(job=plain)
    def looks() -> None: ...

    defs = dg.Definitions(jobs=[plain], schedules=[asks, every(heavy, "0 * * * *")], sensors=[looks])
    found = played(defs, hours=1.5, runs_here=lambda _, name: name == "asks")
    assert timeline(found) == ["60-61 plain"]
    assert found.left_out == (
        "sensor looks: its function is not run",
        "schedule asks: its function is not run; each tick asks for its target",
        "schedule heavy_schedule: it is switched off",
    )


@pytest.mark.parametrize(
    ("overlap", "said"),
    [
        ("allow", ["10-35 plain", "20-45 plain", "30-55 plain", "40-65 plain"]),
        ("skip", ["10-35 plain", "40-65 plain"]),
        ("queue", ["10-35 plain", "35-60 plain", "60-85 plain", "85-110 plain"]),
        ("cancel_old", ["10-20 plain", "20-30 plain", "30-40 plain", "40-65 plain"]),
    ],
)
def test_overlapping_runs(overlap: str, said: list[str]) -> None:
    defs = dg.Definitions(schedules=[every(plain, "10,20,30,40 0 * * *", overlap=overlap)])
    assert timeline(played(defs, hours=3, minutes={"plain": 25})) == said


def test_a_run_that_waits_in_the_queue_is_canceled_too() -> None:
    schedules = [every(heavy, "5 0 * * *"), every(light, "10,20 0 * * *", overlap="cancel_old")]
    found = played(dg.Definitions(schedules=schedules), hours=3, minutes={"heavy": 60, "light": 5}, pools={"database": 1})
    assert timeline(found) == ["5-65 heavy", "-20 light after database", "65-70 light after database"]
    assert found.pools[0].peak == 1
