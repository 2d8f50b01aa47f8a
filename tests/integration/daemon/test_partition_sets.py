"""What is kept of assets with very many partitions: a process that begins with it finds what one that reads all rows finds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import Connection, Engine, text
from tests.integration.daemon import rig

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.partitions import Partitions as PartitionsLoop
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.events import AssetFailed, AssetMaterialized, Payload, RunEvent
from dagwright_shared.model.keys import AssetKey, PartitionKey, new_run_id
from dagwright_shared.model.partitions import (
    DynamicPartitions,
    MultiPartitions,
    Partitions,
    SimplePartitions,
    StaticPartitions,
    TimeWindowPartitions,
)
from dagwright_shared.model.snapshot import AssetSnapshot
from dagwright_shared.store import assets, events, partition_sets, partition_states, wipes
from dagwright_shared.store.partition_states import PartitionMemo, PartitionStates

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = AssetKey("orders")
LETTERS = StaticPartitions(keys=tuple("abcdefgh"))
HOURS = TimeWindowPartitions(cron="0 * * * *", timezone="UTC", start=NOW - timedelta(hours=8), format="%Y-%m-%d-%H:%M")
COLORS = DynamicPartitions(name="colors")
CASES: dict[str, Partitions] = {
    "static": LETTERS,
    "hours": HOURS,
    "dynamic": COLORS,
    "letters by hour": MultiPartitions(dimensions=(("letter", LETTERS), ("time", HOURS))),
    "hour by letter": MultiPartitions(dimensions=(("time", HOURS), ("was", LETTERS))),
}


def moment(now: datetime = NOW, colors: tuple[str, ...] = ("red", "green", "blue", "grey")) -> Moment:
    return Moment(now=now, dynamic={"colors": colors})


def write(conn: Connection, random: Random, definition: Partitions, step: int) -> None:
    """Some partitions made or failed; some of them do not exist, or not yet."""
    axes = [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]
    at = NOW + timedelta(seconds=step)

    def key() -> PartitionKey:
        return tuple(random.choice(names(axis)) for axis in axes)

    made: list[Payload] = [random.choice((AssetMaterialized, AssetFailed))(asset_key=KEY, partition=key()) for _ in range(5)]
    events.record(conn, rig.HERE, new_run_id(), *(RunEvent(seq=seq, time=at, payload=one) for seq, one in enumerate(made, 1)))
    if step % 4 == 3:
        wipes.wipe(conn, asset_id(conn), [key()])


def names(axis: SimplePartitions) -> list[str]:
    match axis:
        case TimeWindowPartitions():
            return [f"{NOW - timedelta(hours=place):%Y-%m-%d-%H:%M}" for place in range(-3, 9)]
        case DynamicPartitions():
            return ["red", "green", "blue", "grey", "gone"]
        case StaticPartitions():
            return [*axis.keys, "z"]


def asset_id(conn: Connection) -> int:
    return assets.ids(conn, defined=None)[(rig.HERE, KEY.to_user_string())]


def look(engine: Engine, definition: Partitions, at: Moment) -> PartitionStates:
    with engine.connect() as conn:
        return PartitionMemo().read(conn, asset_id(conn), definition, at)


@pytest.mark.parametrize("name", CASES)
def test_what_is_kept_and_what_is_read_anew_are_the_same(store_engine: Engine, name: str) -> None:
    definition, random = CASES[name], Random(name)
    seen = set()
    for step in range(12):
        # Windows and keys come, and a key goes: what ordinals stand for changes in some of the cases.
        at = moment(NOW + timedelta(hours=step // 3), ("red", "green", "blue", "grey") if step < 8 else ("red", "blue", "grey", "mauve"))
        with store_engine.begin() as conn:
            write(conn, random, definition, step)
        found = look(store_engine, definition, at)
        with store_engine.begin() as conn:
            conn.execute(text("DELETE FROM partition_sets"))
        assert look(store_engine, definition, at) == found
        seen.add(found)
        with store_engine.begin() as conn:
            partition_states.keep(conn, asset_id(conn), definition, at)
    assert len(seen) > 6


def test_only_what_has_changed_is_read(store_engine: Engine) -> None:
    with store_engine.begin() as conn:
        write(conn, Random(1), LETTERS, 0)
        partition_states.keep(conn, asset_id(conn), LETTERS, moment())
    before = look(store_engine, LETTERS, moment())
    with store_engine.begin() as conn:  # behind its back: nobody may do this, and so it shows what is not read
        conn.execute(text("UPDATE asset_partitions SET materialized_at = NULL, failed_at = NULL, xid = '3'"))
    assert before.materialized or before.failed
    assert look(store_engine, LETTERS, moment()) == before


def test_what_is_kept_says_nothing_in_a_restored_database(store_engine: Engine) -> None:
    with store_engine.begin() as conn:
        write(conn, Random(1), LETTERS, 0)
        partition_states.keep(conn, asset_id(conn), LETTERS, moment())
        conn.execute(text("UPDATE partition_sets SET horizon = '9000000000000', materialized = '', failed = ''"))
    assert look(store_engine, LETTERS, moment()) != PartitionStates()


@pytest.fixture
def server(code_server: rig.CodeServer) -> rig.CodeServer:
    publish(code_server, LETTERS)
    return code_server


def publish(server: rig.CodeServer, definition: Partitions | None) -> None:
    found = (AssetSnapshot(key=KEY, partitions=definition),)
    server.backend.snapshot_value = replace(server.backend.snapshot_value, assets=found)
    server.publish()


def test_the_daemon_keeps_what_has_many_partitions_and_has_changed(store_engine: Engine, server: rig.CodeServer) -> None:
    loop = PartitionsLoop(store_engine, Catalog(), many=4, changes=2)

    def make(*keys: str) -> None:
        with store_engine.begin() as conn:
            told = [AssetMaterialized(asset_key=KEY, partition=(key,)) for key in keys]
            made = (RunEvent(seq=seq, time=NOW, payload=one) for seq, one in enumerate(told, 1))
            events.record(conn, rig.HERE, new_run_id(), *made)

    def turn() -> int:
        return loop.tick(Turn(now=NOW)).done

    def kept() -> int:
        with store_engine.connect() as conn:
            found = partition_sets.load(conn, asset_id(conn))
            return len(found.materialized) if found is not None else 0

    make("a", "b", "c")
    assert (turn(), kept()) == (0, 0)
    make("d")
    assert (turn(), kept()) == (1, 4)
    make("e")
    assert (turn(), kept()) == (0, 4)
    make("f", "g")
    assert (turn(), kept()) == (1, 7)
    publish(server, StaticPartitions(keys=("g", "f", "x")))
    assert (turn(), kept()) == (1, 2)
    assert turn() == 0
    publish(server, None)
    make("a", "b", "c", "x")
    assert turn() == 0
