"""Room, order, back-off and reasons of the queue."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dagwright_shared.decide import queue
from dagwright_shared.model.keys import Digest, LocationName, RunId
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


@pytest.mark.parametrize(("limit", "active", "room"), [(10, 0, 10), (10, 9, 1), (10, 10, 0), (10, 12, 0), (0, 0, 0)])
def test_room(limit: int, active: int, room: int) -> None:
    assert queue.room(limit=limit, active=active) == room


def test_order_is_priority_then_age() -> None:
    old, young = NOW - timedelta(hours=1), NOW
    runs = [
        a_run("a", created_at=young),
        a_run("b", created_at=old),
        a_run("c", priority=5, created_at=young),
        a_run("d", priority=-1, created_at=old),
    ]
    assert [run.run_id for run in queue.order(runs)] == ["c", "b", "a", "d"]


def test_startable() -> None:
    runs = [
        a_run("later", not_before=NOW + timedelta(seconds=1)),
        a_run("elsewhere", location=LocationName("there")),
        a_run("started", status=RunStatus.STARTED),
        a_run("first", priority=1),
        a_run("second"),
        a_run("third"),
    ]
    found = queue.startable(runs, now=NOW, room=2, locations={LocationName("here")})
    assert [run.run_id for run in found] == ["first", "second"]
    assert queue.startable(runs, now=NOW, room=0) == []
    assert len(queue.startable(runs, now=NOW + timedelta(seconds=1), room=9)) == 5


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 0), (1, 0.5), (2, 1), (3, 2), (7, 30), (1000, 30)])
def test_launch_delay(attempts: int, seconds: float) -> None:
    assert queue.launch_delay(attempts) == timedelta(seconds=seconds)


def test_reasons_to_wait() -> None:
    here = {LocationName("here")}

    def reason(run: Run, *, limit: int = 10, active: int = 0) -> str:
        return queue.waits_because(run, now=NOW, limit=limit, active=active, locations=here) or ""

    assert reason(a_run()) == ""
    assert reason(a_run(status=RunStatus.STARTED)) == ""
    assert "Starts in 5 s" in reason(a_run(not_before=NOW + timedelta(seconds=5)))
    assert reason(a_run(not_before=NOW + timedelta(seconds=5), status_reason="Because.")) == "Because."
    assert "No code server of location 'there'" in reason(a_run(location=LocationName("there")))
    assert "10 runs are active" in reason(a_run(), active=10)


@pytest.mark.parametrize(("text", "priority"), [("5", 5), ("-3", -3), ("high", 0), ("9" * 30, 2**31 - 1)])
def test_priority_of_tags(text: str, priority: int) -> None:
    assert queue.priority({"dagwright/priority": text}) == priority
    assert queue.priority({}) == 0
