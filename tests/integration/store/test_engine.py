"""Connections of the pool."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from dagwright_shared.store import engine

pytestmark = pytest.mark.integration

NOW = text("SELECT pg_current_xact_id()::text, pg_backend_pid()")


@pytest.fixture
def single(store_engine: Engine) -> Iterator[Engine]:
    """An engine that keeps one connection, so that each turn has the same one."""
    made = engine.create(store_engine.url.render_as_string(hide_password=False), name="single", pool_size=1)
    yield made
    made.dispose()


def level_of(conn: Connection) -> str:
    return str(conn.execute(text("SHOW transaction_isolation")).scalar_one())


def test_reads_and_transactions_take_turns_on_a_connection(single: Engine) -> None:
    reader = single.execution_options(isolation_level="AUTOCOMMIT")
    backends = set()
    for _ in range(2):
        with reader.connect() as conn:
            first, second = conn.execute(NOW).one(), conn.execute(NOW).one()
            assert first[0] != second[0], "each statement is its own transaction"
        with single.begin() as conn:
            once, again = conn.execute(NOW).one(), conn.execute(NOW).one()
            assert once == again
            assert level_of(conn) == "read committed"
        with single.connect().execution_options(isolation_level="REPEATABLE READ") as conn, conn.begin():
            assert level_of(conn) == "repeatable read"
        backends |= {first[1], once[1]}
    assert len(backends) == 1


def test_a_read_sends_nothing_but_its_statement(single: Engine, store_engine: Engine) -> None:
    reader = single.execution_options(isolation_level="AUTOCOMMIT")
    for _ in range(2):
        with reader.connect() as conn:
            backend = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with store_engine.connect() as other:
            last = other.execute(text("SELECT query FROM pg_stat_activity WHERE pid = :pid"), {"pid": backend}).scalar_one()
        assert last == "SELECT pg_backend_pid()"
