"""Freshness: judged when an asset is materialized, and when time alone changes the verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine
from tests.integration.daemon import rig

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.freshness import Freshness
from dagwright_shared.model.events import AssetMaterialized, RunEvent
from dagwright_shared.model.freshness import FreshnessState, WindowFreshness
from dagwright_shared.model.keys import AssetKey, new_run_id
from dagwright_shared.model.snapshot import AssetSnapshot
from dagwright_shared.store import assets, events, freshness
from dagwright_shared.store.freshness import FreshnessRow

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, B, FREE = AssetKey(["a"]), AssetKey(["b"]), AssetKey(["free"])
POLICY = WindowFreshness(fail_seconds=7200, warn_seconds=3600)


@pytest.fixture
def loop(store_engine: Engine, code_server: rig.CodeServer) -> Freshness:
    backend = code_server.backend
    found = (*(AssetSnapshot(key=key, freshness=POLICY) for key in (A, B)), AssetSnapshot(key=FREE))
    backend.snapshot_value = replace(backend.snapshot_value, assets=found)
    code_server.publish()
    return Freshness(store_engine, Catalog())


def materialize(engine: Engine, key: AssetKey, moment: datetime) -> None:
    with engine.begin() as conn:
        events.record(conn, rig.HERE, new_run_id(), RunEvent(seq=1, time=moment, payload=AssetMaterialized(asset_key=key)))


def row(engine: Engine, key: AssetKey) -> FreshnessRow | None:
    with engine.connect() as conn:
        return freshness.states(conn).get(asset_id(conn, key))


def asset_id(conn: Connection, key: AssetKey) -> int:
    return assets.ids(conn)[(rig.HERE, key.to_user_string())]


def changes(engine: Engine, key: AssetKey) -> list[str]:
    with engine.connect() as conn:
        found = events.of_asset(conn, [asset_id(conn, key)], types=["FRESHNESS_CHANGED"])
    return [str(event.data["state"]) for event in reversed(found)]


def turn(hours: float) -> Turn:
    return Turn(now=NOON + timedelta(hours=hours))


def test_by_materializations_and_by_the_clock(store_engine: Engine, loop: Freshness) -> None:
    first = loop.tick(turn(0))
    assert first.done == 2
    assert (found := row(store_engine, A)) is not None
    assert found.state is FreshnessState.UNKNOWN
    assert row(store_engine, FREE) is None
    assert loop.tick(turn(0.1)).done == 0

    materialize(store_engine, A, NOON)
    outcome = loop.tick(turn(0.5))
    assert outcome.done == 1
    assert outcome.wake_at is not None
    assert NOON + timedelta(hours=1) in outcome.wake_at
    assert loop.tick(turn(0.9)).done == 0
    loop.tick(turn(1))
    loop.tick(turn(2))
    assert (found := row(store_engine, A)) is not None
    assert (found.state, found.since) == (FreshnessState.FAIL, NOON + timedelta(hours=2))
    materialize(store_engine, A, NOON + timedelta(hours=3))
    loop.tick(turn(3))
    assert changes(store_engine, A) == ["PASS", "WARN", "FAIL", "PASS"]
    assert changes(store_engine, B) == []


@pytest.mark.usefixtures("busy_elsewhere")
def test_a_verdict_waits_for_nobodys_transaction(store_engine: Engine, loop: Freshness) -> None:
    loop.tick(turn(0))
    with store_engine.connect() as slow:  # nor for one in this database
        events.record(slow, rig.HERE, new_run_id(), RunEvent(seq=1, time=NOON, payload=AssetMaterialized(asset_key=B)))
        materialize(store_engine, A, NOON)
        assert loop.tick(turn(0.1)).done == 1
        slow.commit()
    assert loop.tick(turn(0.2)).done == 1, "what the older transaction wrote is not missed"
    assert loop.tick(turn(0.3)).done == 0
    assert changes(store_engine, A) == changes(store_engine, B) == ["PASS"]


def test_a_loop_that_takes_over_judges_what_was_missed(store_engine: Engine, loop: Freshness) -> None:
    materialize(store_engine, A, NOON)
    loop.tick(turn(0))
    after = Freshness(store_engine, Catalog())
    assert after.tick(turn(0.5)).done == 2  # it reads all anew
    assert changes(store_engine, A) == ["PASS"]
    assert after.tick(turn(2.5)).done == 1
    assert changes(store_engine, A) == ["PASS", "FAIL"]
    assert (found := row(store_engine, A)) is not None
    assert found.materialized_at == NOON


def test_an_older_materialization_changes_nothing(store_engine: Engine, loop: Freshness) -> None:
    materialize(store_engine, A, NOON)
    loop.tick(turn(0))
    materialize(store_engine, A, NOON - timedelta(hours=3))
    assert loop.tick(turn(0.1)).done == 0


def test_a_policy_that_is_gone_has_no_state(store_engine: Engine, code_server: rig.CodeServer, loop: Freshness) -> None:
    loop.tick(turn(0))
    backend = code_server.backend
    backend.become(replace(backend.snapshot_value, assets=(AssetSnapshot(key=A), AssetSnapshot(key=B, freshness=POLICY))))
    code_server.publish()
    loop.tick(turn(0.1))
    assert row(store_engine, A) is None
    assert row(store_engine, B) is not None


def test_events_wake_it_only_while_there_is_a_policy(code_server: rig.CodeServer, loop: Freshness) -> None:
    heeds = loop.loop().heeds
    assert heeds("assets")  # nothing is known yet
    loop.tick(turn(0))
    assert heeds("assets")
    backend = code_server.backend
    backend.become(replace(backend.snapshot_value, assets=(AssetSnapshot(key=A),)))
    code_server.publish()
    loop.tick(turn(0.1))
    assert not heeds("assets")
    assert heeds("locations")
