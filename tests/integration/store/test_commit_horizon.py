"""The commit horizon: what a slow transaction writes is not missed; those of other databases hold back nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, text

from dagwright_shared.model.events import AssetMaterialized, RunEvent
from dagwright_shared.model.history import EventFilter
from dagwright_shared.model.keys import AssetKey, LocationName, new_run_id
from dagwright_shared.store import commit_horizon, events, signals
from dagwright_shared.store.history import StoreHistory

HERE = LocationName("l")


def make(conn: Connection, key: str) -> None:
    payload = AssetMaterialized(asset_key=AssetKey([key]))
    events.record(conn, HERE, new_run_id(), RunEvent(seq=1, time=datetime.now(UTC), payload=payload))


def made(conn: Connection, after_id: int) -> list[tuple[int, str]]:
    wanted = EventFilter(types=("ASSET_MATERIALIZED",), after_id=after_id, ascending=True, settled=True)
    return [(one.event_id, one.event.payload.asset_key.to_user_string()) for one in StoreHistory(conn, HERE).events(wanted)]  # type: ignore[union-attr]


def horizon(engine: Engine) -> int:
    with engine.connect() as conn:
        return commit_horizon.current(conn)


def test_a_slow_transaction_is_read_when_it_has_ended(store_engine: Engine) -> None:
    start = horizon(store_engine)
    with store_engine.connect() as slow, store_engine.connect() as quick:
        make(slow, "slow")
        make(quick, "quick")
        quick.commit()
        with store_engine.connect() as reader:
            first = signals.since(reader, start)
            assert (first.asset_keys, first.unsettled) == (frozenset(), True)
            assert made(reader, 0) == []
        slow.commit()
    with store_engine.connect() as reader:
        second = signals.since(reader, first.horizon)
        assert (second.asset_keys, second.unsettled) == ({"slow", "quick"}, False)
        (one_id, one), (_, two) = made(reader, 0)
        assert (one, two) == ("slow", "quick"), "in the order of transactions"
        assert [key for _, key in made(reader, one_id)] == ["quick"]
        assert not signals.since(reader, second.horizon).asset_keys


@pytest.mark.usefixtures("busy_elsewhere")
def test_a_transaction_of_another_database_holds_nothing_back(store_engine: Engine) -> None:
    start = horizon(store_engine)
    with store_engine.begin() as conn:
        make(conn, "a")
    with store_engine.connect() as reader:
        assert reader.execute(text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")).scalar_one() < start
        found = signals.since(reader, start)
        assert (found.asset_keys, found.unsettled) == ({"a"}, False)
        assert [key for _, key in made(reader, 0)] == ["a"]


@pytest.mark.usefixtures("busy_elsewhere")
def test_one_of_this_database_does_and_so_does_ones_own(store_engine: Engine) -> None:
    with store_engine.connect() as open_here:
        own = int(open_here.execute(text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")).scalar_one())
        with store_engine.begin() as conn:
            make(conn, "a")
        assert horizon(store_engine) == own
        assert commit_horizon.current(open_here) == own, "it may go on writing"
    assert horizon(store_engine) > own
