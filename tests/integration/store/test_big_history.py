"""The generated history of a large deployment: the same for a seed, and such that every page can be asked for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, Engine, text
from tests.integration.webserver.conftest import Running

from dagwright_shared.model.keys import RunId
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.store import events, runs

UNTIL = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))
    yield
    for name in [name for name in sys.modules if name in ("big", "generate", "run") or name.startswith("big.")]:
        del sys.modules[name]


def fill(engine: Engine, *, seed: int = 1) -> object:
    from big.locations import Sizes
    from generate import fill

    sizes = Sizes(runs=700, events=14_000, assets=400, jobs=12, partitions=400, days=10, long_run=300, seed=seed)
    return fill(engine, sizes, UNTIL)


def fingerprint(conn: Connection) -> tuple[object, ...]:
    return tuple(
        conn.execute(text(f"SELECT count(*), md5(string_agg({what}, ' ' ORDER BY {what})) FROM {table}")).one()
        for table, what in (
            ("runs", "concat(run_id, status, created_at, tags)"),
            ("events", "concat(run_id, seq, time, type, message, data)"),
            ("steps", "concat(run_id, step_key, status, started_at)"),
            ("asset_partitions", "concat(partition, run_id, materialized_at)"),
        )
    )


def test_the_same_seed_gives_the_same_history(store_engine: Engine) -> None:
    found = []
    for seed in (1, 1, 2):
        with store_engine.begin() as conn:
            names = conn.execute(
                text(
                    "SELECT string_agg(relname, ', ') FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
                    "AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
                )
            ).scalar_one()
            conn.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        fill(store_engine, seed=seed)
        with store_engine.connect() as conn:
            found.append(fingerprint(conn))
    assert found[0] == found[1]
    assert found[0] != found[2]
    assert found[0][0][0] == found[2][0][0] == 700  # type: ignore[index]


def test_what_is_written_is_what_the_store_reads(store_engine: Engine) -> None:
    fill(store_engine)
    with store_engine.connect() as conn:
        for row in conn.execute(text("SELECT run_id, last_seq FROM runs")).all():
            run_id = RunId(str(row.run_id))
            run, told = runs.get(conn, run_id), events.read(conn, run_id)
            assert run is not None
            assert len(told) == run.last_seq == row.last_seq
            ends = {"RUN_SUCCEEDED": RunStatus.SUCCESS, "RUN_FAILED": RunStatus.FAILURE, "RUN_CANCELED": RunStatus.CANCELED}
            final = [ends[each.type] for each in told if each.type in ends]
            assert final == ([run.status] if run.status in ends.values() else [])
        kept = conn.execute(text("SELECT count(*) FROM asset_partitions p JOIN events e USING (run_id, seq)")).scalar_one()
        assert kept > 50


def test_a_store_that_is_not_empty_is_left_alone(store_engine: Engine) -> None:
    fill(store_engine)
    with pytest.raises(SystemExit, match="has runs already"):
        fill(store_engine)


def test_all_pages_answer(store_engine: Engine, database_url: str) -> None:
    fill(store_engine)
    from big.addresses import pages

    with store_engine.connect() as conn:
        wanted = pages(conn)
    assert len({page.name for page in wanted}) == len(wanted) > 80
    with Running(database_url=database_url) as server, httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        bad = {
            address: (answer.status_code, answer.text[:300])
            for page in wanted
            for address in dict.fromkeys((*page.addresses[:1], *page.addresses[-1:]))
            if (answer := client.get(address)).status_code != 200
        }
    assert not bad
