"""Slots of pools: never more than there are, whatever plan Postgres chooses."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, text
from tests.build import queued

from dagwright_shared.model.limits import Limits
from dagwright_shared.store import pools

_WAIT = text("""
INSERT INTO pool_slots (pool, run_id, epoch, step_key)
SELECT 'db', :run_id, 1, 'step' || n FROM generate_series(1, CAST(:count AS integer)) n
""")


def wait(conn: Connection, count: int) -> None:
    conn.execute(_WAIT, {"run_id": queued(conn), "count": count})


@pytest.mark.parametrize("rows_known", [1, 2, 1000])
def test_no_more_are_granted_than_are_free(store_engine: Engine, rows_known: int) -> None:
    """What Postgres knows of the table decides how it joins: with one row by nested loops, which run what is inside again."""
    limits = Limits()
    with store_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        wait(conn, rows_known)
        conn.execute(text("VACUUM ANALYZE pool_slots"))
        conn.execute(text("DELETE FROM pool_slots"))
    with store_engine.begin() as conn:
        pools.define(conn, "db", 3)
        wait(conn, 40)
        assert pools.grant(conn, ["db"], limits) == 3
        assert pools.usage(conn, limits)["db"] == (3, 3)
        assert pools.grant(conn, ["db"], limits) == 0
        pools.define(conn, "db", 5)
        assert pools.grant(conn, ["db"], limits) == 2
        assert pools.usage(conn, limits)["db"] == (5, 5)
