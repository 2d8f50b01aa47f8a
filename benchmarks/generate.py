"""Fill a Postgres with the history of a large deployment: `python benchmarks/generate.py --home /tmp/big --runs 1000000 --events 20000000`.

The database is an embedded one in a home of its own, or that of `--url`, which must be empty. The same seed gives the same
history, up to `--until`. 1,000,000 runs with 20,000,000 events take some minutes and 17 GB.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from big import surroundings
from big.history import Deployment, Historian
from big.locations import Sizes, locations
from psycopg2.extensions import connection as PgConnection
from sqlalchemy import Connection, Engine, text

from dagwright_shared.store import embedded, engine, event_partitions, schema
from dagwright_shared.store import locations as location_store
from dagwright_shared.wire.snapshot import digest_of, encode_snapshot

FAST = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "8GB", "maintenance_work_mem": "512MB", "autovacuum": "off"}
"""Only while it is being filled: after a crash it is made anew."""


def fill(store: Engine, sizes: Sizes, until: datetime | None = None, *, say: bool = False) -> Historian:
    """Write definitions and history into an empty store.

    Raises:
        SystemExit: it is not empty.
    """
    began, until = time.perf_counter(), until or datetime.now(UTC)
    schema.upgrade(store)
    with store.begin() as conn:
        if conn.execute(text("SELECT EXISTS (SELECT FROM runs)")).scalar_one():
            sys.exit("The database has runs already; name an empty one.")
        for week in range(-(-sizes.days // 7) + 1):
            event_partitions.ensure(conn, until - timedelta(weeks=week))
        deployment = _publish(conn, sizes, until)
    historian = Historian(deployment, sizes)
    raw = store.raw_connection()
    try:
        connection: PgConnection = raw.driver_connection  # type: ignore[assignment]
        with connection.cursor() as cursor:
            # Foreign keys hold by construction; asking for each of millions of rows would take longer than all else.
            cursor.execute("SET session_replication_role = replica; SET statement_timeout = 0; SET synchronous_commit = off")
        for runs in historian.write(connection):
            if say:
                print(f"{runs:,} runs, {historian.events:,} events, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        connection.commit()
    finally:
        raw.invalidate()  # its settings are not for others
    with store.begin() as conn:
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        surroundings.write(conn, deployment, sizes, historian)
    with store.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("SET statement_timeout = 0"))
        conn.execute(text("VACUUM (ANALYZE)"))
        conn.execute(text("CHECKPOINT"))
    if say:
        print(f"done in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return historian


def _publish(conn: Connection, sizes: Sizes, until: datetime) -> Deployment:
    snapshots, digests = locations(sizes, until), {}
    for snapshot in snapshots:
        payload = encode_snapshot(snapshot)
        digests[str(snapshot.location)] = digest_of(payload)
        location_store.publish_snapshot(conn, location=snapshot.location, digest=digest_of(payload), payload=payload, snapshot=snapshot)
    assets = conn.execute(text("SELECT location, key, asset_id FROM assets")).all()
    instigators = conn.execute(text("SELECT location, name, instigator_id FROM instigators")).all()
    return Deployment(
        snapshots=snapshots,
        digests=digests,
        asset_ids={(row.location, row.key): row.asset_id for row in assets},
        instigators={(row.location, row.name): row.instigator_id for row in instigators},
        until=until,
    )


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """An option for each size."""
    for name in Sizes.__slots__:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(Sizes(), name))


def sizes_of(arguments: argparse.Namespace) -> Sizes:
    return Sizes(**{name: getattr(arguments, name) for name in Sizes.__slots__})


def main() -> int:
    parser = argparse.ArgumentParser(description="Fill a Postgres with the history of a large deployment.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--home", type=Path, help="folder of an embedded Postgres; made when missing")
    where.add_argument("--url", help="an empty database elsewhere")
    parser.add_argument("--until", type=datetime.fromisoformat, help="when the history ends (ISO 8601); now, if not given")
    add_sizes(parser)
    arguments = parser.parse_args()
    server = embedded.start(arguments.home, options=FAST) if arguments.home else None
    try:
        store = engine.create(server.url if server else arguments.url, name="generate")
        fill(store, sizes_of(arguments), arguments.until, say=True)
        store.dispose()
    finally:
        if server:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
