"""Numbers for Prometheus. Labels are few: routes as written, never paths as asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import Connection, func, select
from starlette.routing import Route
from starlette.types import Scope

from dagwright_shared.model.runs import FINAL, RunStatus
from dagwright_shared.store import freshness, tables

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Of this process; what the store knows is read at each scrape.
_registry = CollectorRegistry()
_seconds = Histogram(
    "dagwright_http_request_seconds",
    "Time from request to the end of the answer.",
    ("method", "route"),
    buckets=_BUCKETS,
    registry=_registry,
)
_requests = Counter("dagwright_http_requests", "Requests answered.", ("method", "route", "status"), registry=_registry)
STREAMS = Gauge("dagwright_live_streams", "Open Server-Sent Events streams.", registry=_registry)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe(scope: Scope, status: int, seconds: float) -> None:
    """Count a request. A stream counts when it ends, without its duration, which is the browser's choice."""
    route = scope.get("route")
    path = route.path if isinstance(route, Route) else "other"
    method = scope["method"] if scope["method"] in _METHODS else "other"
    _requests.labels(method, path, str(status)).inc()
    if not path.endswith("/stream"):
        _seconds.labels(method, path).observe(seconds)


class _Families:
    """What one scrape found in the store."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def of_process() -> bytes:
    """The numbers of this process, in Prometheus' text format."""
    return generate_latest(_registry)


class RunTotals:
    """How many runs are in each status. Of those that are over, as of some moment of the last minute: to count a million takes long."""

    def __init__(self) -> None:
        self._over: dict[str, int] = {}
        self._counted: float | None = None

    def read(self, conn: Connection) -> dict[str, int]:
        r = tables.runs.c
        grouped = select(r.status, func.count().label("number")).group_by(r.status)
        now = time.monotonic()
        if self._counted is None or now - self._counted > _KEPT_SECONDS:
            self._over = {row.status: row.number for row in conn.execute(grouped.where(r.status.in_(tuple(FINAL))))}
            self._counted = now
        going_on = {row.status: row.number for row in conn.execute(grouped.where(r.status.in_(_GOING_ON)))}
        return {**self._over, **going_on}


_KEPT_SECONDS = 60.0
_GOING_ON = tuple(status for status in RunStatus if status not in FINAL)


def of_store(conn: Connection, totals: RunTotals) -> bytes:
    """The numbers of the deployment, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Families(_read(conn, totals)))
    return generate_latest(registry)


def _read(conn: Connection, totals: RunTotals) -> Iterator[Metric]:
    now: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    r, counts = tables.runs.c, totals.read(conn)
    by_status = GaugeMetricFamily("dagwright_runs", "Runs by status.", labels=["status"])
    for status in RunStatus:
        by_status.add_metric([status], counts.get(status, 0))
    yield by_status
    yield GaugeMetricFamily("dagwright_queue_depth", "Runs that wait.", value=counts.get(RunStatus.QUEUED, 0))
    oldest = conn.execute(select(func.min(r.created_at)).where(r.status == RunStatus.QUEUED.value)).scalar()
    yield GaugeMetricFamily("dagwright_queue_wait_seconds", "Wait of the run that waits longest.", value=_age(now, oldest))
    d = tables.daemons.c
    beat = conn.execute(select(func.max(d.heartbeat_at))).scalar()
    yield GaugeMetricFamily(
        "dagwright_daemon_heartbeat_age_seconds", "Since the newest heartbeat of a daemon; -1 for none ever.", value=_age(now, beat, -1)
    )
    t = tables.ticks.c
    newest = conn.execute(select(t.scheduled_for, t.started_at).order_by(t.scheduled_for.desc(), t.tick_id.desc()).limit(1)).one_or_none()
    lag = (newest.started_at - newest.scheduled_for).total_seconds() if newest else 0.0
    yield GaugeMetricFamily("dagwright_tick_lag_seconds", "How late the newest tick was evaluated.", value=max(0.0, lag))
    s = tables.code_servers.c
    alive = select(func.count(func.distinct(s.location))).where(s.heartbeat_at > now - func.make_interval(0, 0, 0, 0, 0, 0, 30))
    yield GaugeMetricFamily("dagwright_locations_served", "Locations with a living code server.", value=conn.execute(alive).scalar_one())
    states = GaugeMetricFamily("dagwright_locations", "Locations by state.", labels=["state"])
    c = tables.locations.c
    for state, number in conn.execute(select(c.state, func.count()).group_by(c.state)):
        states.add_metric([state], number)
    yield states
    judged = GaugeMetricFamily("dagwright_asset_freshness", "Assets with a freshness policy, by state.", labels=["state"])
    for freshness_state, number in freshness.counts(conn).items():
        judged.add_metric([freshness_state], number)
    yield judged
    size = conn.execute(select(func.pg_database_size(func.current_database()))).scalar_one()
    yield GaugeMetricFamily("dagwright_database_bytes", "Size of the database.", value=size)


def _age(now: datetime, moment: datetime | None, missing: float = 0.0) -> float:
    return missing if moment is None else max(0.0, (now - moment).total_seconds())
