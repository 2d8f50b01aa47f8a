"""Every list that a page shows is answered from an index, whatever the length of the history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy import event as sa_event

from dagwright_shared.model.backfills import Target
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.events import LogStream
from dagwright_shared.model.history import EventFilter
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName, RunId, StepKey
from dagwright_shared.model.partitions import DynamicPartitions
from dagwright_shared.model.runs import RunStatus, TriggerKind
from dagwright_shared.model.ticks import TickStatus
from dagwright_shared.store import (
    assets,
    automation,
    automation_facts,
    backfill_runs,
    backfills,
    commit_horizon,
    data_versions,
    deliveries,
    event_partitions,
    events,
    freshness,
    instigators,
    logs,
    partition_sets,
    partition_states,
    pools,
    queue,
    run_list,
    runs,
    signals,
    tables,
)
from dagwright_shared.store.history import StoreHistory
from dagwright_shared.store.partition_states import PartitionMemo, PartitionStates
from dagwright_webserver.reads import timeline
from dagwright_webserver.reads.columns import newest_metadata
from dagwright_webserver.reads.materializations import list_materializations, read_plots
from dagwright_webserver.reads.run_list import RunFilter, count_by_status, list_runs
from dagwright_webserver.reads.search import find_runs

pytestmark = pytest.mark.xdist_group("plans")  # one worker fills the tables
LARGE = (
    "runs", "events", "ticks", "asset_partitions", "run_assets", "steps", "log_chunks", "check_results", "backfills", "webhook_deliveries",
    "automation_evaluations", "automation_cursors",
)  # fmt: skip
MOMENT = datetime(2020, 1, 1, tzinfo=UTC)
RUN = RunId("00000000-0000-7000-8000-000000000777")
BACKFILL = "00000000-0000-7000-8000-000000000500"

FILL = """
INSERT INTO assets (location, key) SELECT 'l', 'asset' || n FROM generate_series(1, 200) n;
INSERT INTO instigators (location, kind, name) SELECT 'l', 'schedule', 's' || n FROM generate_series(1, 20) n;
INSERT INTO runs (run_id, location, digest, job_name, status, trigger_kind, trigger_name, tick_id, epoch, created_at, started_at,
    ended_at, tags, retried, root_run_id, lease_expires_at)
SELECT CAST('00000000-0000-7000-8000-' || lpad(n::text, 12, '0') AS uuid), 'l', 'd', 'job' || n % 50, s, 'schedule', 's' || n % 20, n, 1,
    now() - make_interval(secs => 20000 - n), now(), CASE WHEN s IN ('SUCCESS', 'FAILURE', 'CANCELED') THEN now() END,
    jsonb_build_object('team', 't' || n % 500), n % 4000 <> 1,
    CASE WHEN n % 100 = 0 THEN CAST('00000000-0000-7000-8000-' || lpad(n::text, 12, '0') AS uuid) END, now()
FROM (SELECT n, CASE WHEN n % 1000 = 0 THEN 'QUEUED' WHEN n % 1000 = 1 THEN 'STARTED' WHEN n % 1000 = 2 THEN 'CANCELING'
    WHEN n % 50 = 3 THEN 'FAILURE' ELSE 'SUCCESS' END AS s FROM generate_series(1, 20000) n) x;
INSERT INTO run_assets (asset_id, run_id)
SELECT (SELECT min(asset_id) FROM assets) + x.n % 200, run_id FROM (SELECT run_id, row_number() OVER () AS n FROM runs) x;
INSERT INTO steps (run_id, step_key, ordinal) SELECT run_id, 'step', 1 FROM runs;
INSERT INTO log_chunks (run_id, step_key, attempt, stream, byte_offset, data) SELECT run_id, 'step', 1, 'stdout', 0, 'x' FROM runs;
INSERT INTO events (run_id, seq, time, type, asset_id)
SELECT run_id, s, created_at + interval '1 s', 'ASSET_MATERIALIZED',
    CASE WHEN s = 1 THEN (SELECT min(asset_id) FROM assets) + (s + extract(epoch FROM created_at)::bigint) % 200 END
FROM runs, generate_series(1, 2) s;
INSERT INTO asset_partitions (asset_id, partition, run_id, materialized_at, failed_at)
SELECT a.asset_id, ARRAY['p' || n], NULL, now() - make_interval(secs => n), NULL FROM assets a, generate_series(1, 100) n;
INSERT INTO check_results (asset_id, name, partition, run_id, seq, evaluated_at, passed, severity, blocking)
SELECT a.asset_id, 'c', ARRAY['p' || n], gen_random_uuid(), 1, now(), true, 'ERROR', false FROM assets a, generate_series(1, 50) n;
INSERT INTO ticks (instigator_id, scheduled_for, status, ended_at)
SELECT i.instigator_id, now() - make_interval(mins => n), CASE WHEN n = 1 THEN 'STARTED' ELSE 'SUCCESS' END, CASE WHEN n > 1 THEN now() END
FROM instigators i, generate_series(1, 500) n;
INSERT INTO webhook_deliveries (instigator_id, external_id, fingerprint, body, status, received_at)
SELECT i.instigator_id, n, n, '', CASE WHEN n = 1 THEN 'RECEIVED' ELSE 'HANDLED' END, now() - make_interval(secs => n)
FROM instigators i, generate_series(1, 500) n;
INSERT INTO automation_evaluations (instigator_id, tick, time, asset_key, requested, tree)
SELECT i.instigator_id, n, now() - make_interval(mins => n), 'asset' || n % 200, 1, '{}' FROM instigators i, generate_series(1, 500) n;
INSERT INTO automation_cursors (instigator_id, asset_key, cursor) SELECT i.instigator_id, 'asset' || n, '{}'
FROM instigators i, generate_series(1, 500) n;
INSERT INTO freshness_states (asset_id, state, since) SELECT asset_id, 'PASS', now() FROM assets;
INSERT INTO backfills (backfill_id, location, locations, digest, target, created_at, status, due, ended_at, parent_id)
SELECT CAST('00000000-0000-7000-8000-' || lpad(n::text, 12, '0') AS uuid), 'l', ARRAY['l'], 'd', decode('TARGET', 'hex'),
    now() - make_interval(mins => n), CASE WHEN n % 500 = 0 THEN 'IN_PROGRESS' ELSE 'COMPLETED' END, false,
    CASE WHEN n % 500 <> 0 THEN now() END, CASE WHEN n > 1 THEN CAST('00000000-0000-7000-8000-' || lpad((n - 1)::text, 12, '0') AS uuid) END
FROM generate_series(1, 3000) n;
UPDATE runs SET backfill_id = CAST('00000000-0000-7000-8000-' || lpad((1 + extract(epoch FROM created_at)::bigint % 3000)::text, 12, '0')
    AS uuid), backfill_first = 1, backfill_last = 1, settled = extract(epoch FROM created_at)::bigint % 100 <> 7
WHERE extract(epoch FROM created_at)::bigint % 2 = 0;
""".replace("TARGET", Target(as_of=datetime(2024, 1, 1, tzinfo=UTC), parts={}).to_bytes().hex())


@pytest.fixture(scope="module")
def full(_session_engine: Engine) -> Iterator[Engine]:
    names = ", ".join(table.name for table in tables.metadata.sorted_tables)
    with _session_engine.begin() as conn:
        conn.exec_driver_sql(f"TRUNCATE {names} CASCADE")
        for statement in FILL.split(";\n"):
            if statement.strip():
                conn.exec_driver_sql(statement.replace("%", "%%"))
        # Some history in the partition of an earlier week, so that skipping it can be seen.
        event_partitions.ensure(conn, datetime.now(UTC) - timedelta(weeks=8))
    with _session_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql(f"ANALYZE {names}")
    yield _session_engine
    with _session_engine.begin() as conn:
        conn.exec_driver_sql(f"TRUNCATE {names} CASCADE")


def a_page_of_runs(**filters: object) -> Callable[[Connection], object]:
    return lambda conn: run_list.list_page(conn, limit=50, **filters)  # type: ignore[arg-type]


def after_first_page(conn: Connection) -> object:
    return run_list.list_page(conn, cursor=run_list.list_page(conn).next_cursor)


def first_asset(conn: Connection) -> int:
    return int(conn.exec_driver_sql("SELECT min(asset_id) FROM assets").scalar_one())


def partitions_since_kept(conn: Connection) -> PartitionStates:
    definition, at = DynamicPartitions(name="none"), Moment(now=datetime.now(UTC))
    partition_states.keep(conn, first_asset(conn), definition, at)
    return PartitionMemo().read(conn, first_asset(conn), definition, at)


def first_instigator(conn: Connection) -> int:
    return int(conn.exec_driver_sql("SELECT min(instigator_id) FROM instigators").scalar_one())


QUERIES: dict[str, Callable[[Connection], object]] = {
    "newest runs": a_page_of_runs(),
    "next page of runs": after_first_page,
    "runs of a status": a_page_of_runs(status=[RunStatus.FAILURE]),
    "active runs": a_page_of_runs(status=[RunStatus.STARTING, RunStatus.STARTED, RunStatus.CANCELING]),
    "runs of a job": a_page_of_runs(job_name="job7"),
    "runs of a tag": a_page_of_runs(tags={"team": "t7"}),
    "runs of a trigger": a_page_of_runs(trigger=TriggerKind.SCHEDULE, trigger_name="s7"),
    "runs of an asset": a_page_of_runs(asset_key="asset7"),
    "runs of a retried run": a_page_of_runs(root_run_id=RUN),
    "runs of a tick": a_page_of_runs(tick_id=77),
    "runs by the beginning of an id": a_page_of_runs(search="00000000-0000-7000-8000-0000000007"),
    "runs by the whole id": lambda conn: find_runs(conn, str(RUN)),
    "runs by the beginning of an id, for search": lambda conn: find_runs(conn, "00000000-0000-7000-8000-0000000007"),
    "runs by their short id": lambda conn: find_runs(conn, "00000777"),
    "runs by the beginning of a short id": lambda conn: find_runs(conn, "000077"),
    "runs by a name": a_page_of_runs(search="job7"),
    "runs of today": a_page_of_runs(created_after=datetime.now(UTC) - timedelta(minutes=1)),
    "page of runs of a partition": lambda conn: list_runs(conn, RunFilter(partition="p7")),
    "page of runs of a text": lambda conn: list_runs(conn, RunFilter(text="no_such_job")),
    "page of runs of the beginning of an id": lambda conn: list_runs(conn, RunFilter(text="00000000-0000-7000-8000-0000000007")),
    "page of runs that ended": lambda conn: list_runs(conn, RunFilter(ended_before=datetime.now(UTC) - timedelta(seconds=19_900))),
    "counts of the page of runs": lambda conn: count_by_status(conn, RunFilter(job="job7")),
    "data of the newest partitions": lambda conn: list(data_versions.newest(conn, [first_asset(conn)], 10)),
    "data of partitions": lambda conn: list(data_versions.read(conn, [(first_asset(conn), ("p7",))])),
    "data of assets without partitions": lambda conn: list(data_versions.whole(conn, [first_asset(conn)])),
    "assets that have changed": lambda conn: data_versions.changed_since(conn, commit_horizon.current(conn), 10),
    "counts by status": lambda conn: run_list.counts_by_status(conn, since=datetime.now(UTC) - timedelta(minutes=5)),
    "runs outside backfills": lambda conn: list_runs(conn, RunFilter(outside_backfills=True)),
    "runs of the timeline": lambda conn: timeline.runs_of(conn, datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC), MOMENT),
    "a run": lambda conn: runs.get(conn, RUN),
    "steps": lambda conn: runs.steps(conn, RUN),
    "claim": lambda conn: runs.claim(conn, limit=2, lease_seconds=1),
    "counts of active runs": queue.counts,
    "all active runs": queue.active,
    "candidates": lambda conn: queue.candidates(conn, locations=[LocationName("here")], background=True, limit=10),
    "runs that take long": lambda conn: runs.slow(conn, launch_seconds=30, cancel_seconds=60, limited=False),
    "slots of a pool": lambda conn: pools.slots(conn, ["db"]),
    "canceling": runs.canceling,
    "lapsed": runs.lapsed,
    "retryable": lambda conn: runs.retryable(conn, 10),
    "events of a run": lambda conn: events.read(conn, RUN),
    "last events of a run": lambda conn: events.tail(conn, RUN, limit=10),
    "events of an asset": lambda conn: events.of_asset(conn, [first_asset(conn)], types=["ASSET_MATERIALIZED"], limit=20),
    "history of an asset": lambda conn: list_materializations(conn, first_asset(conn)),
    "history of an asset by what happened": lambda conn: list_materializations(conn, first_asset(conn), types=("ASSET_OBSERVED",)),
    "plots over partitions": lambda conn: read_plots(conn, first_asset(conn), partitioned=True),
    "plots over time": lambda conn: read_plots(conn, first_asset(conn), partitioned=False),
    "newest metadata of assets": lambda conn: newest_metadata(conn, [AssetKey("asset7"), AssetKey("asset8")]),
    "output": lambda conn: logs.read(conn, RUN, StepKey("step"), 1, LogStream.STDOUT),
    "output files": lambda conn: logs.files(conn, RUN),
    "ticks": instigators.ticks,
    "ticks of a schedule": lambda conn: instigators.ticks(conn, instigator_id=first_instigator(conn)),
    "open ticks": instigators.open_ticks,
    "failed ticks of a schedule": lambda conn: instigators.ticks(conn, instigator_id=first_instigator(conn), status=[TickStatus.FAILURE]),
    "last run keys of sensors": lambda conn: run_list.newest_keys(conn, TriggerKind.SCHEDULE, [("l", "s7"), ("l", "s8")]),
    "signals": lambda conn: signals.since(conn, commit_horizon.current(conn)),
    "materializations that a sensor reads": lambda conn: StoreHistory(conn, LocationName("l")).events(
        EventFilter(types=("ASSET_OBSERVED",), asset_keys=(AssetKey(["asset7"]),), after_id=0, ascending=True, settled=True)
    ),
    "runs that a sensor reads": lambda conn: StoreHistory(conn, LocationName("l")).events(
        EventFilter(types=("RUN_SUCCEEDED",), after_id=0, ascending=True, settled=True)
    ),
    "deliveries": lambda conn: deliveries.list_page(conn, first_instigator(conn)),
    "deliveries that wait": lambda conn: deliveries.waiting(conn, [first_instigator(conn)]),
    "old deliveries": lambda conn: deliveries.forget(conn, older_than_seconds=86_400.0),
    "freshness": lambda conn: freshness.states(conn, [first_asset(conn)]),
    "newest materializations": lambda conn: freshness.newest(conn, [first_asset(conn)]),
    "what was materialized": lambda conn: freshness.materialized_since(conn, commit_horizon.current(conn)),
    "latest": lambda conn: assets.latest(conn, [first_asset(conn)]),
    "partitions": lambda conn: assets.partitions(conn, first_asset(conn)),
    "assets with very many partitions": lambda conn: partition_sets.large(conn, at_least=1, changes=100),
    "partitions of an asset that have changed": partitions_since_kept,
    "checks": lambda conn: assets.checks(conn, [first_asset(conn)]),
    "active runs of assets": lambda conn: assets.active_runs(conn, [first_asset(conn)]),
    "backfills": backfills.list_page,
    "evaluations of a condition": lambda conn: automation.evaluations(conn, AssetKey("asset7")),
    "cursors of a sensor": lambda conn: automation.load_cursors(conn, first_instigator(conn)),
    "what has changed for conditions": lambda conn: automation_facts.changes(conn, automation_facts.current_snapshot(conn)),
    "partitions for conditions": lambda conn: automation_facts.partitions(conn, [AssetKey("asset7")], None),
    "runs under way for conditions": lambda conn: automation_facts.planned(conn, [AssetKey("asset7")]),
    "checks under way for conditions": lambda conn: automation_facts.planned_checks(conn, [AssetCheckKey(AssetKey("asset7"), "c")]),
    "results of checks for conditions": lambda conn: automation_facts.checks(conn, [AssetKey("asset7")], None),
    "a backfill": lambda conn: backfills.get(conn, BACKFILL),
    "backfills that can move": lambda conn: backfills.movable(conn, 100),
    "backfills of what a backfill did not make": lambda conn: backfills.children(conn, BACKFILL),
    "what is under way": backfills.underway,
    "runs of a backfill": a_page_of_runs(backfill_id=BACKFILL),
    "counts of runs of a backfill": lambda conn: backfill_runs.counts(conn, BACKFILL),
    "ends of runs of a backfill": lambda conn: backfill_runs.settle(conn, BACKFILL, limit=100),
    "cancel queued runs of a backfill": lambda conn: backfill_runs.cancel_queued(conn, BACKFILL, reason="enough", limit=100),
    "stop active runs of a backfill": lambda conn: backfill_runs.stop_active(conn, BACKFILL, reason="enough"),
    "whether runs of a backfill are unfinished": lambda conn: backfill_runs.unfinished(conn, BACKFILL),
}


@pytest.mark.parametrize("name", QUERIES)
def test_uses_an_index(full: Engine, name: str) -> None:
    said: list[tuple[str, object]] = []
    with full.connect() as conn:
        sa_event.listen(
            conn, "before_cursor_execute", lambda c, cur, statement, parameters, ctx, many: said.append((statement, parameters))
        )
        QUERIES[name](conn)
        conn.rollback()
        plans = []
        for statement, parameters in list(said):
            if "min(" not in statement:
                plans.append("\n".join(row[0] for row in conn.exec_driver_sql(f"EXPLAIN {statement}", parameters)))
    scans = [found for plan in plans for found in re.findall(r"(?<!Bitmap )Seq Scan on (\w+)", plan)]
    bad = [found for found in scans if found in LARGE or found.startswith("events_")]
    assert not [one for one in bad if full_partition(full, one)], "\n\n".join(plans)


def full_partition(engine: Engine, table: str) -> bool:
    """Reading an empty partition from end to end is no scan of anything."""
    with engine.connect() as conn:
        return conn.execute(text(f"SELECT EXISTS (SELECT FROM {table})")).scalar_one() is True
