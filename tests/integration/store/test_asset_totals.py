"""The numbers of partitions that are kept as they change are those that counting would find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import Connection, Engine, text

from dagwright_shared.model.events import AssetFailed, AssetMaterialized, AssetObserved, Payload, RunEvent
from dagwright_shared.model.keys import AssetKey, LocationName, new_run_id
from dagwright_shared.store import events, wipes

HERE = LocationName("here")


def kept(conn: Connection) -> dict[str, tuple[int, int]]:
    rows = conn.execute(text("SELECT key, materialized, failed FROM asset_totals JOIN assets USING (asset_id)"))
    return {row.key: (row.materialized, row.failed) for row in rows if (row.materialized, row.failed) != (0, 0)}


def counted(conn: Connection) -> dict[str, tuple[int, int]]:
    rows = conn.execute(
        text("""SELECT a.key, count(p.materialized_at) AS materialized, count(*) FILTER (
            WHERE p.failed_at IS NOT NULL AND (p.materialized_at IS NULL OR p.failed_at > p.materialized_at)) AS failed
        FROM asset_partitions p JOIN assets a USING (asset_id) GROUP BY a.key""")
    )
    return {row.key: (row.materialized, row.failed) for row in rows if (row.materialized, row.failed) != (0, 0)}


def tell(conn: Connection, at: datetime, *payloads: Payload) -> None:
    events.record(conn, HERE, new_run_id(), *(RunEvent(seq=seq, time=at, payload=each) for seq, each in enumerate(payloads, 1)))


def test_each_change_is_counted_once(store_engine: Engine) -> None:
    key, now = AssetKey("orders"), datetime(2026, 1, 1, tzinfo=UTC)
    day = ("2026-01-01",)
    with store_engine.begin() as conn:
        tell(conn, now, AssetObserved(asset_key=key, partition=day))
        assert kept(conn) == {}
        tell(conn, now, AssetMaterialized(asset_key=key, partition=day))
        assert kept(conn) == {"orders": (1, 0)}
        tell(conn, now + timedelta(seconds=1), AssetFailed(asset_key=key, partition=day))
        assert kept(conn) == {"orders": (1, 1)}
        tell(conn, now + timedelta(seconds=2), AssetMaterialized(asset_key=key, partition=day))
        assert kept(conn) == {"orders": (1, 0)}
        conn.execute(text("DELETE FROM asset_partitions"))
        assert kept(conn) == {}


@pytest.mark.parametrize("seed", range(5))
def test_totals_are_what_counting_finds(store_engine: Engine, seed: int) -> None:
    random = Random(seed)
    keys, now = [AssetKey(f"asset{number}") for number in range(3)], datetime(2026, 1, 1, tzinfo=UTC)
    with store_engine.begin() as conn:
        for step in range(60):
            made: list[Payload] = []
            for _ in range(random.randrange(1, 8)):
                kind = random.choice((AssetMaterialized, AssetMaterialized, AssetFailed, AssetObserved))
                made.append(kind(asset_key=random.choice(keys), partition=(str(random.randrange(6)),)))
            # Clocks of workers differ: what comes later may be older.
            tell(conn, now + timedelta(seconds=step + random.randrange(-3, 4)), *made)
            if step % 20 == 19:
                asset = conn.execute(text("SELECT asset_id FROM assets ORDER BY asset_id LIMIT 1")).scalar_one()
                wipes.wipe(conn, asset, [(str(number),) for number in range(3)] if step < 50 else None)
            assert kept(conn) == counted(conn)
        assert kept(conn)
