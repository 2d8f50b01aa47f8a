"""Lists of runs, as pages and REST show them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, tuple_

from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.keys import RunId
from dagwright_shared.model.runs import Run, RunStatus, TriggerKind
from dagwright_shared.store import cursors, runs, tables
from dagwright_shared.store.cursors import Page

MAX_LIMIT = 1000
_runs = tables.runs
_PREFIX = re.compile(r"[0-9a-f]{4,32}\Z")


def list_page(  # noqa: PLR0913 - each is a filter of its own, given by name
    conn: Connection,
    *,
    status: Collection[RunStatus] = (),
    job_name: str | None = None,
    location: str | None = None,
    asset_key: str | None = None,
    tags: Mapping[str, str] | None = None,
    trigger: TriggerKind | None = None,
    trigger_name: str | None = None,
    tick_id: int | None = None,
    backfill_id: str | None = None,
    root_run_id: RunId | None = None,
    search: str | None = None,
    created_before: datetime | None = None,
    created_after: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Run]:
    """Runs that pass all filters, newest first.

    Args:
        search: the beginning of a run id (four characters or more), or a job's name.

    Raises:
        InvalidRequestError: a cursor of another list, or a limit outside 1..1000.
    """
    if not 1 <= limit <= MAX_LIMIT:
        problem = Problem(path="limit", message=f"must be between 1 and {MAX_LIMIT}", value=limit, expected=f"1..{MAX_LIMIT}")
        raise InvalidRequestError("The limit is out of range", problems=[problem])
    wanted: list[ColumnElement[bool] | None] = [
        _runs.c.status.in_([str(one) for one in status]) if status else None,
        _runs.c.job_name == job_name if job_name is not None else None,
        _runs.c.location == location if location is not None else None,
        _of_asset(asset_key, location) if asset_key is not None else None,
        _runs.c.tags.contains(dict(tags)) if tags else None,
        _runs.c.trigger_kind == str(trigger) if trigger is not None else None,
        _runs.c.trigger_name == trigger_name if trigger_name is not None else None,
        _runs.c.tick_id == tick_id if tick_id is not None else None,
        _runs.c.backfill_id == backfill_id if backfill_id is not None else None,
        or_(_runs.c.root_run_id == root_run_id, _runs.c.run_id == root_run_id) if root_run_id is not None else None,
        _matches(search) if search else None,
        _runs.c.created_at < created_before if created_before is not None else None,
        _runs.c.created_at > created_after if created_after is not None else None,
        _after(cursor) if cursor else None,
    ]
    query = (
        select(_runs)
        .where(*(condition for condition in wanted if condition is not None))
        .order_by(_runs.c.created_at.desc(), _runs.c.run_id.desc())
        .limit(limit + 1)
    )
    found = [runs.from_row(row) for row in conn.execute(query)]
    return cursors.page(found, limit, lambda run: (run.created_at, run.run_id))


def counts_by_status(conn: Connection, *, since: datetime | None = None) -> dict[RunStatus, int]:
    """How many runs are in each status; finished ones only from `since` on, so that a long history costs nothing."""
    query = select(_runs.c.status, func.count()).group_by(_runs.c.status)
    if since is not None:
        query = query.where(or_(_runs.c.status.in_(["QUEUED", "STARTING", "STARTED", "CANCELING"]), _runs.c.created_at >= since))
    found = {RunStatus(status): count for status, count in conn.execute(query)}
    return {status: found.get(status, 0) for status in RunStatus}


def of_ticks(conn: Connection, tick_ids: Sequence[int]) -> dict[int, tuple[RunId, ...]]:
    """The runs that each tick asked for."""
    made: dict[int, list[RunId]] = {tick_id: [] for tick_id in tick_ids}
    query = select(_runs.c.tick_id, _runs.c.run_id).where(_runs.c.tick_id.in_(list(tick_ids))).order_by(_runs.c.run_id)
    for tick_id, run_id in conn.execute(query):
        made[tick_id].append(RunId(str(run_id)))
    return {tick_id: tuple(ids) for tick_id, ids in made.items()}


def newest_keys(conn: Connection, trigger: TriggerKind, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The run key of the newest run that each trigger, a pair of location and name, asked for; those without one are left out."""
    places, called = zip(*names, strict=True) if names else ((), ())
    rows = conn.execute(_NEWEST_KEYS, {"kind": str(trigger), "locations": list(places), "names": list(called)})
    return {(row.location, row.name): row.run_key for row in rows}


def _of_asset(key: str, location: str | None) -> ColumnElement[bool]:
    assets, planned = tables.assets, tables.run_assets
    ids = select(assets.c.asset_id).where(assets.c.key == key)
    if location is not None:
        ids = ids.where(assets.c.location == location)
    return _runs.c.run_id.in_(select(planned.c.run_id).where(planned.c.asset_id.in_(ids)))


def _matches(search: str) -> ColumnElement[bool]:
    digits = search.strip().lower().replace("-", "")
    named = _runs.c.job_name == search.strip()
    if not _PREFIX.match(digits):
        return named
    low, high = (str(uuid.UUID(digits.ljust(32, fill))) for fill in "0f")
    return or_(and_(_runs.c.run_id >= low, _runs.c.run_id <= high), named)


def _after(cursor: str) -> ColumnElement[bool]:
    created_at, run_id = cursors.decode(cursor, (datetime, str))
    if not runs.is_run_id(run_id):
        cursors.decode("", (datetime, str))
    return tuple_(_runs.c.created_at, _runs.c.run_id) < tuple_(created_at, run_id)


_NEWEST_KEYS = text("""
SELECT wanted.location, wanted.name, newest.run_key
FROM unnest(CAST(:locations AS text[]), CAST(:names AS text[])) AS wanted(location, name) CROSS JOIN LATERAL (
    SELECT r.run_key FROM runs r
    WHERE r.trigger_kind = :kind AND r.trigger_name = wanted.name AND r.location = wanted.location
    ORDER BY r.created_at DESC, r.run_id DESC LIMIT 1) AS newest
WHERE newest.run_key IS NOT NULL
""")
