"""Purging: weeks that are dropped, classes that are deleted, and what stays whatever its age."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests import build

from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.housekeeping import Housekeeping
from dagwright_shared.model.events import (
    AssetMaterialized,
    EngineMessage,
    EventBatch,
    LogChunk,
    LogLevel,
    LogMessage,
    LogStream,
    RunSucceeded,
)
from dagwright_shared.model.keys import AssetKey, RunId, StepKey
from dagwright_shared.model.retention import EventClass, Policy
from dagwright_shared.model.runs import Run
from dagwright_shared.model.ticks import TickStatus
from dagwright_shared.store import event_partitions, events, retention

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
LONG_AGO = NOW - 100 * DAY


@pytest.fixture
def old_week(store_engine: Engine) -> Iterator[str]:
    """A partition of the week a hundred days ago."""
    with store_engine.begin() as conn:
        event_partitions.ensure(conn, LONG_AGO)
    yield event_partitions.name_of(LONG_AGO)
    with store_engine.begin() as conn:
        current = {event_partitions.name_of(NOW + week * timedelta(weeks=1)) for week in range(4)}
        for name in set(event_partitions.names(conn)) - current:
            conn.execute(text(f"DROP TABLE {name}"))


def run_of_then(engine: Engine, *payloads: Any, **fields: Any) -> Run:
    """A run that happened then."""
    told = [build.planned("s"), *payloads, RunSucceeded()]
    chunk = LogChunk(step_key=StepKey("s"), attempt=1, stream=LogStream.STDOUT, offset=0, data=b"x")
    with engine.begin() as conn:
        run = build.claimed(conn, location="l", **fields)
        made = tuple(build.event(place, payload, "s", LONG_AGO) for place, payload in enumerate(told, 1))
        events.append(conn, [EventBatch(run_id=run.run_id, epoch=run.epoch, events=made, chunks=(chunk,))])
        conn.execute(text("UPDATE runs SET created_at = :then WHERE run_id = :run_id"), {"then": LONG_AGO, "run_id": run.run_id})
    return run


def left(engine: Engine, run_id: RunId) -> list[str]:
    with engine.connect() as conn:
        return list(conn.execute(text("SELECT type FROM events WHERE run_id = :run_id ORDER BY seq"), {"run_id": run_id}).scalars())


def purge(engine: Engine, **kept: Any) -> dict[str, Any]:
    policy = Policy(**{"events": {}, "ticks": {}, **kept})
    return dict(Housekeeping(engine, policy).tick(Turn(now=NOW)).facts)


MADE = AssetMaterialized(asset_key=AssetKey("a"))
NOISE = (EngineMessage(message="m"), LogMessage(level=LogLevel.INFO, message="i"))
TROUBLE = LogMessage(level=LogLevel.WARNING, message="w")


def test_noise_goes_and_the_rest_stays(store_engine: Engine, old_week: str) -> None:
    run = run_of_then(store_engine, *NOISE, TROUBLE, MADE)
    assert purge(store_engine, events={EventClass.NOISE: 30 * DAY})["events"] == 2
    assert left(store_engine, run.run_id) == ["RUN_STARTED", "LOG_MESSAGE", "ASSET_MATERIALIZED", "RUN_SUCCEEDED"]
    with store_engine.connect() as conn:
        assert retention.marks(conn)[EventClass.NOISE] >= old_week
    assert "events" not in {name for name, count in purge(store_engine, events={EventClass.NOISE: 30 * DAY}).items() if count}


def test_the_newest_of_a_partition_stays(store_engine: Engine, old_week: str) -> None:
    first, second = run_of_then(store_engine, MADE), run_of_then(store_engine, MADE)
    purge(store_engine, events={EventClass.MATERIALIZATIONS: DAY})
    assert left(store_engine, first.run_id) == ["RUN_STARTED", "RUN_SUCCEEDED"]
    assert left(store_engine, second.run_id) == ["RUN_STARTED", "ASSET_MATERIALIZED", "RUN_SUCCEEDED"]


def test_a_week_is_dropped_and_what_must_stay_moves(store_engine: Engine, old_week: str) -> None:
    first, second = run_of_then(store_engine, *NOISE, MADE), run_of_then(store_engine, MADE)
    purge(store_engine, events=dict.fromkeys(EventClass, DAY))
    with store_engine.connect() as conn:
        assert old_week not in event_partitions.names(conn)
    assert left(store_engine, first.run_id) == []
    assert left(store_engine, second.run_id) == ["ASSET_MATERIALIZED"]


def test_output_and_runs(store_engine: Engine, old_week: str) -> None:
    referred, forgotten = run_of_then(store_engine, MADE, asset_keys=(AssetKey("a"),)), run_of_then(store_engine)
    with store_engine.begin() as conn:
        fresh = build.claimed(conn)
    assert purge(store_engine, logs=30 * DAY)["logs"] == 2
    assert not purge(store_engine, logs=30 * DAY)
    assert purge(store_engine, runs=30 * DAY)["runs"] == 1
    with store_engine.connect() as conn:
        found = set(conn.execute(text("SELECT CAST(run_id AS text) FROM runs")).scalars())
    assert found == {referred.run_id, fresh.run_id}
    assert forgotten.run_id not in found


def test_ticks_but_for_the_newest(store_engine: Engine) -> None:
    with store_engine.begin() as conn:
        made = conn.execute(
            text("INSERT INTO instigators (location, kind, name) VALUES ('l', 'sensor', 's') RETURNING instigator_id")
        ).scalar()
        for age, status in ((90, "SKIPPED"), (80, "SUCCESS"), (70, "SKIPPED"), (60, "SKIPPED")):
            row = {"at": made, "then": NOW - age * DAY, "status": status}
            conn.execute(
                text("INSERT INTO ticks (instigator_id, scheduled_for, status, ended_at) VALUES (:at, :then, :status, :then)"), row
            )
    assert purge(store_engine, ticks={TickStatus.SKIPPED: 7 * DAY, TickStatus.SUCCESS: None})["ticks"] == 2
    with store_engine.connect() as conn:
        assert list(conn.execute(text("SELECT status FROM ticks ORDER BY scheduled_for")).scalars()) == ["SUCCESS", "SKIPPED"]


def test_sizes(store_engine: Engine, old_week: str) -> None:
    with store_engine.connect() as conn:
        parts = {size.name: size.size_bytes for size in retention.sizes(conn)}
        assert {"events", "runs", "captured logs", "ticks", "assets", "definitions"} <= parts.keys()
        assert all(size > 0 for size in parts.values())
        assert old_week in {size.name for size in retention.event_sizes(conn)}
