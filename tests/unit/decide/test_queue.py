"""Room, order, back-off and reasons of the queue."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dagwright_shared.decide import queue
from dagwright_shared.model.keys import Digest, LocationName, RunId
from dagwright_shared.model.limits import Limits, TagLimit
from dagwright_shared.model.runs import Run, RunStatus, Trigger, TriggerKind

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_run(run_id: str = "r", **values: Any) -> Run:
    plain: dict[str, Any] = {
        "run_id": RunId(run_id),
        "location": LocationName("here"),
        "digest": Digest("d"),
        "job_name": "j",
        "status": RunStatus.QUEUED,
        "trigger": Trigger(kind=TriggerKind.API),
        "created_at": NOW,
        **dict.fromkeys(("asset_keys", "check_keys", "step_keys", "partition"), ()),
        **dict.fromkeys(("priority", "retry_number", "epoch", "last_seq"), 0),
        **{"config": {}, "tags": {}, "inherited": {}},
    }
    empty = {field.name: None for field in dataclasses.fields(Run)}
    defaults = {field.name: field.default for field in dataclasses.fields(Run) if field.default is not dataclasses.MISSING}
    return Run(**{**empty, **defaults, **plain, **values})


@pytest.mark.parametrize(
    ("limit", "reserved", "active", "background", "room"),
    [
        (10, None, 0, 0, (10, 8)),
        (10, None, 9, 0, (1, 1)),
        (10, None, 9, 8, (1, 0)),
        (10, None, 12, 0, (0, 0)),
        (10, 0, 0, 0, (10, 10)),
        (10, 50, 0, 0, (10, 1)),
        (2, None, 1, 1, (1, 0)),
        (1, None, 0, 0, (1, 1)),
        (0, None, 0, 0, (0, 0)),
    ],
)
def test_room(limit: int, reserved: int | None, active: int, background: int, room: tuple[int, int]) -> None:
    found = queue.room(Limits(max_concurrent_runs=limit, reserved_runs=reserved), active=active, background=background)
    assert (found.runs, found.background) == room


def test_order_is_people_then_priority_then_age() -> None:
    old, young = NOW - timedelta(hours=1), NOW
    runs = [
        a_run("e", background=True, priority=9, created_at=old),
        a_run("a", created_at=young),
        a_run("b", created_at=old),
        a_run("c", priority=5, created_at=young),
        a_run("d", priority=-1, created_at=old),
    ]
    assert [run.run_id for run in queue.order(runs)] == ["c", "b", "a", "d", "e"]


LIMITS = Limits(
    max_concurrent_runs=4,
    tag_concurrency_limits=(
        TagLimit(key="db", limit=1, value="big"),
        TagLimit(key="customer", limit=1, per_value=True),
        TagLimit(key="rare", limit=2),
        TagLimit(key="never", limit=0),
    ),
    location_limits={"small": 1},
    default_pool_slots=1,
)

TIMELINES = {
    "a person waits for no backfill": """
        + b1 b2 b3 b4 b5 background   | start b1 b2 b3   | b4 reserved: b1 b2 b3
        + p1                          | start p1         | b4 limit: b1 b2 b3 p1
        - b1                          | start b4         | b5 limit: b2 b3 p1 b4
        + p2
        - b2                          | start p2         | b5 limit: b3 p1 b4 p2
        - p1                          | start b5
    """,
    "priority, then age": """
        + a1 a2 a3 a4                 | start a1 a2 a3 a4
        + low priority=-1             |                  | low limit: a1 a2 a3 a4
        + high priority=3
        + mid
        - a1                          | start high
        - a2                          | start mid
        - a3                          | start low
    """,
    "a tag's value": """
        + t1 t2 db=big                | start t1         | t2 tag_limit: t1
        + t3 db=small                 | start t3
        - t1                          | start t2
    """,
    "each value of a tag": """
        + c1 c2 customer=x            | start c1         | c2 tag_limit: c1
        + c3 c4 customer=y            | start c3         | c4 tag_limit: c3
        - c3                          | start c4         | c2 tag_limit: c1
    """,
    "a tag, whatever its value": """
        + r1 rare=1                   | start r1
        + r2 rare=2                   | start r2
        + r3 rare=3                   |                  | r3 tag_limit: r1 r2
        + n1 never=1                  |                  | n1 tag_limit:
        - r1                          | start r3
    """,
    "a location": """
        + s1 s2 location=small        | start s1         | s2 location_limit: s1
        + s3 location=other           | start s3
        - s1                          | start s2
    """,
    "pools claimed by runs": """
        + q1 q2 pools=db              | start q1         | q2 pool
        + q3 pools=db+api             |                  | q3 pool
        + q4 pools=api                | start q4         | q3 pool
        - q1                          | start q2         | q3 pool pool
        - q2 q4                       | start q3
    """,
}


@pytest.mark.parametrize("name", TIMELINES)
def test_timeline(name: str) -> None:
    """`+` asks for runs, `-` ends some; then who starts, and why one of the others waits."""
    queued: dict[str, Run] = {}
    active: dict[str, Run] = {}
    wanted: dict[str, frozenset[str]] = {}
    for tick, line in enumerate(TIMELINES[name].strip().splitlines()):
        act, *expected = (part.strip() for part in line.split("|"))
        sign, *words = act.split()
        names, options = [word for word in words if "=" not in word and word != "background"], [w for w in words if "=" in w]
        for each in names:
            if sign == "-":
                del active[each]
                continue
            values: dict[str, Any] = {"background": "background" in words, "created_at": NOW + timedelta(seconds=tick), "tags": {}}
            for key, value in (option.split("=") for option in options):
                if key == "pools":
                    wanted[each] = frozenset(value.split("+"))
                elif key in ("priority", "location"):
                    values[key] = int(value) if key == "priority" else LocationName(value)
                else:
                    values["tags"][key] = value
            queued[each] = a_run(each, **values)
        held = [pool for run in active for pool in wanted.get(run, ())]
        use = {pool: queue.PoolUse(slots=1, used=held.count(pool)) for pool in held}
        facts = queue.Facts(
            limits=LIMITS, now=NOW, active=tuple(active.values()), pools=use, wanted={RunId(run): names for run, names in wanted.items()}
        )
        choice = queue.choose(facts, queued.values())
        started = [run.run_id for run in choice.start]
        want = next((part.split()[1:] for part in expected if part.startswith("start")), [])
        assert started == want, line
        for run in choice.start:
            active[run.run_id] = queued.pop(run.run_id)
        for part in expected:
            if part and not part.startswith("start"):
                waiter, _, reasons = part.partition(" ")
                waits = choice.waits[RunId(waiter)]
                if reasons.startswith("pool"):
                    assert [wait.kind for wait in waits] == reasons.split(), line
                else:
                    assert " / ".join(f"{wait.kind}: {' '.join(wait.holders)}".strip() for wait in waits) == reasons, line
                assert all(wait.message.endswith(".") for wait in waits)


def test_the_time_and_the_location() -> None:
    facts = queue.Facts(limits=LIMITS, now=NOW, locations={LocationName("here")})
    later = a_run("later", not_before=NOW + timedelta(seconds=5))
    elsewhere = a_run("elsewhere", location=LocationName("there"))
    choice = queue.choose(facts, [later, elsewhere, a_run("started", status=RunStatus.STARTED), a_run("one"), a_run("two")], most=1)
    assert [run.run_id for run in choice.start] == ["one"]
    assert {run_id: [wait.kind for wait in waits] for run_id, waits in choice.waits.items()} == {
        "later": ["not_before"],
        "elsewhere": ["location"],
        "two": ["turn"],
    }
    assert "Starts in 5 s" in choice.waits[RunId("later")][0].message
    assert "No code server of location 'there'" in choice.waits[RunId("elsewhere")][0].message
    (wait,) = queue.reasons(dataclasses.replace(later, status_reason="Because."), facts)
    assert (wait.message, wait.until) == ("Because.", later.not_before)
    assert queue.reasons(a_run(), facts) == ()
    assert queue.reasons(a_run(status=RunStatus.STARTED), facts) == ()


def test_limits_that_are_used_up() -> None:
    active = (a_run("a", tags={"db": "big", "customer": "x"}), a_run("b", tags={"rare": "1", "customer": "y"}))
    found = queue.exhausted(queue.Facts(limits=LIMITS, now=NOW, active=active))
    assert {(limit.key, limit.value) for limit in found} == {("db", "big"), ("customer", "x"), ("customer", "y"), ("never", None)}


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 0), (1, 0.5), (2, 1), (3, 2), (7, 30), (1000, 30)])
def test_launch_delay(attempts: int, seconds: float) -> None:
    assert queue.launch_delay(attempts) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("text", "priority"), [("5", 5), ("-3", -3), ("high", 0), ("9" * 30, 2**31 - 1)])
def test_priority_of_tags(text: str, priority: int) -> None:
    assert queue.priority({"dagwright/priority": text}) == priority
    assert queue.priority({"dagster/priority": text}) == priority
    assert queue.priority({}) == 0
