"""The deployment: locations, code servers, daemons, the queue and the database, and whether each is well."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, text

from dagwright_shared.model.errors import ErrorInfo, error_from_json
from dagwright_shared.model.snapshot import LocationState
from dagwright_shared.runtime.settings import Settings
from dagwright_shared.store import retention, tables
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.limits import LimitsView, PoolView, read_limits, read_pools
from dagwright_webserver.reads.view import Moment, view


@view
class ServerView:
    """A code server process that has registered itself."""

    server_id: str
    """Fresh for each start of the process."""
    location: str
    """The location that it serves."""
    address: str
    """Host and port that others dial."""
    state: LocationState
    """loading, loaded or error."""
    digest: str | None
    """Digest of the definitions that it serves."""
    started_at: Moment
    """When it registered."""
    heartbeat_at: Moment
    """When it last said that it lives."""
    alive: bool
    """Whether that is recent."""


@view
class LoadWarningView:
    """Something in definitions that loads, and will go wrong."""

    message: str
    """What, and how to mend it."""
    at: str | None
    """The file and line of what it is about, on the code server."""


@view
class LocationView:
    """A code location."""

    name: str
    """Its name."""
    state: LocationState
    """loading, loaded or error."""
    error: ErrorInfo | None
    """Why it does not load; the definitions that loaded last stay in use."""
    digest: str | None
    """Digest of the definitions that loaded last."""
    code_version: str | None
    """What the project says of its version."""
    spawn_reason: str | None
    """Why workers start afresh rather than by fork, if they do."""
    load_seconds: float | None
    """How long the last load took."""
    updated_at: Moment
    """When any of this changed."""
    assets: int
    """Number of assets."""
    jobs: int
    """Number of jobs."""
    schedules: int
    """Number of schedules."""
    sensors: int
    """Number of sensors."""
    python_version: str | None
    """The Python that its code runs in."""
    dagwright_version: str | None
    """The dagwright that its code runs with."""
    warnings: tuple[LoadWarningView, ...]
    """What loads in its definitions, and will go wrong."""
    servers: tuple[ServerView, ...]
    """Its code servers, the newest heartbeat first."""
    alive: bool
    """Whether some code server of it lives."""


@view
class LocationListView:
    """All locations; there is never a second page."""

    items: tuple[LocationView, ...]
    """By name."""
    next_cursor: str | None
    """Always null."""


@view
class LoopView:
    """A loop of the daemon, over all daemons."""

    name: str
    """Its name."""
    holder: str | None
    """The daemon that leads it."""
    term: int
    """Raised at each change of the leader."""
    expires_at: Moment | None
    """When the lead ends unless it is renewed."""
    held: bool
    """Whether somebody leads it now."""
    report: Mapping[str, Any]
    """What the leading daemon says of its last round."""


@view
class DaemonView:
    """A daemon process."""

    daemon_id: str
    """Fresh for each start of the process."""
    host: str
    """The machine that it runs on."""
    pid: int
    """Its process id there."""
    started_at: Moment
    """When it started."""
    heartbeat_at: Moment
    """When it last said that it lives."""
    heartbeat_age_seconds: float
    """How long ago that is."""
    alive: bool
    """Whether that is recent."""
    loops: Mapping[str, Any]
    """What it says of each of its loops."""


@view
class QueueView:
    """Runs that wait or run."""

    queued: int
    """Runs that wait."""
    active: Mapping[str, int]
    """STARTING, STARTED and CANCELING: number of runs in each."""
    oldest_queued_at: Moment | None
    """When the run that waits longest was asked for."""
    limit: int
    """Most runs that may be active at a time; 0 means any number."""


@view
class DatabaseView:
    """The Postgres behind everything."""

    version: str
    """Its version."""
    size_bytes: int
    """Size of the database on disk."""
    revision: str | None
    """Revision of the schema."""
    connections: int
    """Open connections to this database."""


@view
class SizeView:
    """What a part of the database takes."""

    name: str
    """Of the part; of events, the week that begins on that day."""
    size_bytes: int
    """With its indexes."""
    rows: int
    """An estimate of Postgres."""


@view
class StorageView:
    """What history takes, and for how long it is kept."""

    parts: tuple[SizeView, ...]
    """The largest first."""
    event_weeks: tuple[SizeView, ...]
    """Events by week, oldest first: purging drops whole weeks."""
    retention_days: Mapping[str, float | None]
    """For how long each kind is kept, in days; null: for ever."""


@view
class DeploymentView:
    """Everything that serves this deployment."""

    version: str
    """Version of this webserver."""
    locations: tuple[LocationView, ...]
    """By name."""
    daemons: tuple[DaemonView, ...]
    """The newest heartbeat first."""
    loops: tuple[LoopView, ...]
    """By name."""
    queue: QueueView
    """Runs that wait or run."""
    limits: LimitsView
    """What may run at once."""
    pools: tuple[PoolView, ...]
    """By name."""
    database: DatabaseView
    """The Postgres behind everything."""
    storage: StorageView
    """What history takes there."""
    problems: tuple[str, ...]
    """What is wrong now, each a sentence that says what to do; empty when all is well."""


SERVER_SILENCE = timedelta(seconds=30)
DAEMON_SILENCE = timedelta(seconds=30)
_KEPT_DEAD = timedelta(hours=1)


def read_deployment(conn: Connection, defs: Definitions, *, version: str, settings: Settings) -> DeploymentView:
    """The state of all parts."""
    now = database_now(conn)
    locations = read_locations(conn, defs, now=now)
    daemons = read_daemons(conn, now=now)
    loops = _loops(conn, daemons, now)
    force = read_limits(conn, settings.limits)
    queue = read_queue(conn, run_limit=force.max_concurrent_runs)
    return DeploymentView(
        version=version,
        locations=locations,
        daemons=daemons,
        loops=loops,
        queue=queue,
        limits=force,
        pools=read_pools(conn, settings.limits),
        database=read_database(conn),
        storage=_storage(conn, settings),
        problems=find_problems(locations, daemons),
    )


def database_now(conn: Connection) -> datetime:
    """The database's clock, which heartbeats and leases are written by."""
    now: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    return now


def read_locations(conn: Connection, defs: Definitions, *, now: datetime) -> tuple[LocationView, ...]:
    """All locations, by name."""
    servers: dict[str, list[ServerView]] = {}
    s = tables.code_servers.c
    for row in conn.execute(select(tables.code_servers).order_by(s.location, s.heartbeat_at.desc())):
        alive = now - row.heartbeat_at < SERVER_SILENCE
        if alive or now - row.heartbeat_at < _KEPT_DEAD:
            servers.setdefault(row.location, []).append(
                ServerView(
                    server_id=row.server_id,
                    location=row.location,
                    address=row.address,
                    state=LocationState(row.state),
                    digest=row.digest,
                    started_at=row.started_at,
                    heartbeat_at=row.heartbeat_at,
                    alive=alive,
                )
            )
    rows = conn.execute(select(tables.locations).order_by(tables.locations.c.location))
    return tuple(_location(row, defs, tuple(servers.get(row.location, ()))) for row in rows)


def _location(row: Any, defs: Definitions, servers: tuple[ServerView, ...]) -> LocationView:
    snapshot = defs.locations.get(row.location)
    return LocationView(
        name=row.location,
        state=LocationState(row.state),
        error=error_from_json(row.error) if row.error else None,
        digest=row.digest,
        code_version=row.code_version,
        spawn_reason=row.spawn_reason,
        load_seconds=row.load_seconds,
        updated_at=row.updated_at,
        assets=len(snapshot.assets) if snapshot else 0,
        jobs=len(snapshot.jobs) if snapshot else 0,
        schedules=len(snapshot.schedules) if snapshot else 0,
        sensors=len(snapshot.sensors) if snapshot else 0,
        python_version=snapshot.python_version if snapshot else None,
        dagwright_version=snapshot.dagwright_version if snapshot else None,
        warnings=tuple(
            LoadWarningView(message=each.message, at=str(each.source) if each.source else None)
            for each in (snapshot.warnings if snapshot else ())
        ),
        servers=servers,
        alive=any(server.alive for server in servers),
    )


def read_daemons(conn: Connection, *, now: datetime) -> tuple[DaemonView, ...]:
    """Daemons that live, and those that died within the hour."""
    d = tables.daemons.c
    rows = conn.execute(select(tables.daemons).where(d.heartbeat_at > now - _KEPT_DEAD).order_by(d.heartbeat_at.desc()))
    return tuple(
        DaemonView(
            daemon_id=row.daemon_id,
            host=row.host,
            pid=row.pid,
            started_at=row.started_at,
            heartbeat_at=row.heartbeat_at,
            heartbeat_age_seconds=max(0.0, (now - row.heartbeat_at).total_seconds()),
            alive=now - row.heartbeat_at < DAEMON_SILENCE,
            loops=row.loops,
        )
        for row in rows
    )


def _loops(conn: Connection, daemons: tuple[DaemonView, ...], now: datetime) -> tuple[LoopView, ...]:
    reports = {daemon.daemon_id: daemon.loops for daemon in daemons}
    rows = conn.execute(select(tables.leases).order_by(tables.leases.c.name))
    found = []
    for row in rows:
        report = reports.get(row.holder, {}).get(row.name)
        found.append(
            LoopView(
                name=row.name,
                holder=row.holder,
                term=row.term,
                expires_at=row.expires_at,
                held=row.expires_at > now,
                report=report if isinstance(report, dict) else {},
            )
        )
    return tuple(found)


def read_queue(conn: Connection, *, run_limit: int) -> QueueView:
    """How many runs wait and run."""
    r = tables.runs.c
    open_statuses = ("QUEUED", "STARTING", "STARTED", "CANCELING")
    query = select(r.status, func.count().label("count"), func.min(r.created_at).label("oldest"))
    rows = {row.status: row for row in conn.execute(query.where(r.status.in_(open_statuses)).group_by(r.status))}
    counts: dict[str, int] = {status: rows[status]._mapping["count"] if status in rows else 0 for status in open_statuses}
    queued = counts.pop("QUEUED")
    return QueueView(queued=queued, active=counts, oldest_queued_at=rows["QUEUED"].oldest if queued else None, limit=run_limit)


def read_database(conn: Connection) -> DatabaseView:
    """What Postgres says of itself."""
    query = text(
        "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size, "
        "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections, "
        "to_regclass('alembic_version') IS NOT NULL AS migrated"
    )
    row = conn.execute(query).one()
    revision = conn.execute(text("SELECT version_num FROM alembic_version")).scalar() if row.migrated else None
    return DatabaseView(version=row.version, size_bytes=row.size, revision=revision, connections=row.connections)


def _storage(conn: Connection, settings: Settings) -> StorageView:
    parts, weeks = (
        tuple(SizeView(name=size.name, size_bytes=size.size_bytes, rows=size.rows) for size in sizes)
        for sizes in (retention.sizes(conn), retention.event_sizes(conn))
    )
    return StorageView(parts=parts, event_weeks=weeks, retention_days=settings.retention_days)


def find_problems(locations: tuple[LocationView, ...], daemons: tuple[DaemonView, ...]) -> tuple[str, ...]:
    """What is wrong now, in sentences that say what to do."""
    found = []
    if not any(daemon.alive for daemon in daemons):
        found.append("No daemon is running: runs stay queued and schedules do not fire. Start one with `dagwright daemon`.")
    if not locations:
        found.append("No code location has registered. Start one with `dagwright code-server -m MODULE` or `-f FILE`.")
    for location in locations:
        if location.state is LocationState.ERROR and location.error is not None:
            found.append(f"Location {location.name} does not load: {str(location.error).splitlines()[0]}")
        elif not location.alive:
            found.append(
                f"No code server of location {location.name} is running: its runs stay queued. Start it with `dagwright code-server`."
            )
    return tuple(found)
