"""How fast the store is, on the embedded Postgres with fsync on: lines of `name value unit`.

Run it with `python benchmarks/store_bench.py`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.events import EventBatch, LogLevel, LogMessage, RunEvent, RunStarted, RunSucceeded
from dagwright_shared.model.keys import Digest, LocationName, new_run_id
from dagwright_shared.model.partitions import MultiPartitions, Partitions, StaticPartitions
from dagwright_shared.model.runs import NewRun, Run
from dagwright_shared.store import embedded, engine, events, partition_states, run_list, runs, schema
from dagwright_shared.store.asset_ids import AssetIds
from dagwright_shared.store.partition_states import PartitionMemo
from dagwright_webserver.reads.partition_status import partitions_view

BATCH = 1000


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="dagwright-bench-") as folder:
        home = Path(folder) / "home"
        Path(folder).chmod(0o755)
        with timed("embedded_cold_start"):
            server = embedded.start(home)
        try:
            store = engine.create(server.url, name="bench")
            with timed("migrate_empty"):
                schema.upgrade(store)
            with timed("migrate_current"):
                schema.upgrade(store)
            measure_append(store)
            measure_queue(store)
            measure_partitions(store)
            store.dispose()
            with timed("embedded_stop"):
                server.stop()
            with timed("embedded_warm_start"):
                server = embedded.start(home)
        finally:
            server.stop()


def measure_partitions(store: Engine) -> None:
    """An asset of a million partitions, all materialized: its status as a process first reads it, before the daemon has summed it up and
    after, when it reads it again, and after some have changed."""
    axis = StaticPartitions(keys=tuple(f"k{number}" for number in range(1000)))
    definition = MultiPartitions(dimensions=(("a", axis), ("b", axis)))
    with store.begin() as conn:
        conn.exec_driver_sql("INSERT INTO assets (asset_id, location, key) OVERRIDING SYSTEM VALUE VALUES (999999, 'l', 'million')")
        conn.exec_driver_sql(
            "INSERT INTO asset_partitions (asset_id, partition, materialized_at) "
            "SELECT 999999, ARRAY['k' || a, 'k' || b], now() FROM generate_series(0, 999) a, generate_series(0, 999) b"
        )
    at = Moment(now=datetime.now(UTC))
    status(store, "first_before_summary", PartitionMemo(), definition, at)
    with store.begin() as conn, timed("million_partitions_summary"):
        partition_states.keep(conn, 999999, definition, at)
    memo = PartitionMemo()
    status(store, "first", memo, definition, at)
    status(store, "again", memo, definition, at)
    with store.begin() as conn:
        conn.exec_driver_sql("UPDATE asset_partitions SET xid = pg_current_xact_id(), failed_at = now() WHERE partition[1] = 'k7'")
    status(store, "1000_changed", memo, definition, at)


def status(store: Engine, name: str, memo: PartitionMemo, definition: Partitions, at: Moment) -> None:
    with store.connect() as conn, timed(f"million_partitions_status_{name}"):
        found = partitions_view(conn, memo, 999999, definition, at)
    assert found.total == sum(found.counts.values()) == 1_000_000
    assert found.counts["MISSING"] == 0


def measure_append(store: Engine) -> None:
    run = started(store, 1)[0]
    rates, seq, ids = [], 1, AssetIds()
    for _ in range(40):
        batch = logs(run, seq + 1, BATCH)
        begin = time.perf_counter()
        with store.begin() as conn:
            assert events.append(conn, [batch], assets=ids) == {run.run_id: seq + BATCH}
        rates.append(BATCH / (time.perf_counter() - begin))
        seq += BATCH
    say("append_one_run", statistics.median(rates), "events/s")
    group, rates = started(store, 50), []
    for place in range(20):
        batches = [logs(run, 2 + place * 20, 20) for run in group]
        begin = time.perf_counter()
        with store.begin() as conn:
            events.append(conn, batches, assets=ids)
        rates.append(BATCH / (time.perf_counter() - begin))
    say("append_50_runs", statistics.median(rates), "events/s")
    spent = []
    for _ in range(200):
        seq += 1
        begin = time.perf_counter()
        with store.begin() as conn:
            events.append(conn, [logs(run, seq, 1)], assets=ids)
        spent.append(time.perf_counter() - begin)
    say("append_one_event_p50", statistics.median(spent) * 1000, "ms")
    with timed("read_1000_events"), store.connect() as conn:
        assert len(events.read(conn, run.run_id)) == 1000


def measure_queue(store: Engine) -> None:
    made = [new_run(priority=n % 3, run_key=f"bench:{n}") for n in range(10_000)]
    with timed("enqueue_10000"), store.begin() as conn:
        assert len(runs.enqueue(conn, made)) == 10_000
    with timed("enqueue_10000_again"), store.begin() as conn:
        assert runs.enqueue(conn, made) == []
    with timed("claim_100"), store.begin() as conn:
        claimed = runs.claim(conn, limit=100, lease_seconds=60)
    with timed("finish_100"), store.begin() as conn:
        now = datetime.now(UTC)
        whole = [RunStarted(pid=1, host="h", executor="e", steps=()), RunSucceeded()]
        events.append(
            conn,
            [
                EventBatch(
                    run_id=run.run_id, epoch=run.epoch, events=tuple(RunEvent(seq=n + 1, time=now, payload=p) for n, p in enumerate(whole))
                )
                for run in claimed
            ],
        )
    with timed("newest_50_of_10000"), store.connect() as conn:
        assert len(run_list.list_page(conn, limit=50).items) == 50


def new_run(**fields: object) -> NewRun:
    return NewRun(run_id=new_run_id(), location=LocationName("bench"), digest=Digest("0"), job_name="job", **fields)  # type: ignore[arg-type]


def started(store: Engine, count: int) -> list[Run]:
    with store.begin() as conn:
        runs.enqueue(conn, [new_run() for _ in range(count)])
        found = runs.claim(conn, limit=count, lease_seconds=600)
        start = RunStarted(pid=1, host="h", executor="e", steps=())
        first = (RunEvent(seq=1, time=datetime.now(UTC), payload=start),)
        events.append(conn, [EventBatch(run_id=run.run_id, epoch=run.epoch, events=first) for run in found])
    return found


def logs(run: Run, first: int, count: int) -> EventBatch:
    made = (
        RunEvent(seq=first + n, time=datetime.now(UTC), payload=LogMessage(level=LogLevel.INFO, message=f"line {first + n} of a log"))
        for n in range(count)
    )
    return EventBatch(run_id=run.run_id, epoch=run.epoch, events=tuple(made))


@contextmanager
def timed(name: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    say(name, (time.perf_counter() - begin) * 1000, "ms")


def say(name: str, value: float, unit: str) -> None:
    print(f"store_{name} {value:.1f} {unit}", flush=True)


if __name__ == "__main__":
    main()
