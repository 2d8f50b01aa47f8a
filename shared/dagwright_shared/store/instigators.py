"""Schedules and sensors at run time: switches and ticks.

Invariant: (instigator, scheduled time) is unique, so that any number of daemons take each tick once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text, tuple_

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo, NotFoundError, error_from_json, error_to_json
from dagwright_shared.model.keys import LocationName, RunId
from dagwright_shared.model.ticks import Instigator, InstigatorKind, Tick, TickStatus
from dagwright_shared.store import cursors, json_rows, listen, run_list, tables
from dagwright_shared.store.cursors import Page

_instigators, _ticks = tables.instigators, tables.ticks
TICKS = "ticks"
"""The topic of ticks. Loops of the daemon do not listen to it: their own ticks would wake them."""


def list(
    conn: Connection, *, kind: InstigatorKind | None = None, location: str | None = None, defined: bool = True
) -> tuple[Instigator, ...]:
    """Schedules and sensors, by location and name; those that no current snapshot has only on request."""
    query = select(_instigators).order_by(_instigators.c.location, _instigators.c.name)
    if defined:
        query = query.where(_instigators.c.defined)
    if kind is not None:
        query = query.where(_instigators.c.kind == str(kind))
    if location is not None:
        query = query.where(_instigators.c.location == location)
    return tuple(_instigator(row) for row in conn.execute(query))


def get(conn: Connection, kind: InstigatorKind, name: str, *, location: str | None = None) -> Instigator:
    """The schedule or sensor of a name.

    Raises:
        NotFoundError: there is none; the message has the nearest name.
    """
    known = list(conn, kind=kind, location=location)
    for found in known:
        if found.name == name:
            return found
    raise NotFoundError(str(kind), name, known=[one.name for one in known], where=location)


def by_id(conn: Connection, instigator_id: int) -> Instigator | None:
    row = conn.execute(select(_instigators).where(_instigators.c.instigator_id == instigator_id)).one_or_none()
    return None if row is None else _instigator(row)


def hold(conn: Connection, instigator_id: int) -> Instigator:
    """A schedule or sensor as it is, and stays until the end of this transaction.

    Raises:
        NotFoundError: no such schedule or sensor.
    """
    row = conn.execute(select(_instigators).where(_instigators.c.instigator_id == instigator_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFoundError("schedule or sensor", str(instigator_id))
    return _instigator(row)


def set_switch(conn: Connection, instigator_id: int, *, on: bool | None) -> Instigator:
    """Turn a schedule or sensor on or off; None goes back to the default of its definition.

    Raises:
        NotFoundError: no such schedule or sensor.
    """
    row = conn.execute(_SWITCH, {"instigator_id": instigator_id, "switch": on}).one_or_none()
    if row is None:
        raise NotFoundError("schedule or sensor", str(instigator_id))
    listen.notify(conn, "instigators")
    return _instigator(row)


def set_cursor(conn: Connection, instigator_id: int, cursor: str | None) -> None:
    """Rewind, or reset, what a sensor remembers."""
    conn.execute(text("UPDATE instigators SET cursor = :cursor WHERE instigator_id = :id"), {"id": instigator_id, "cursor": cursor})
    listen.notify(conn, "instigators")


def start_tick(conn: Connection, instigator_id: int, scheduled_for: datetime) -> int | None:
    """Take a tick. None: someone else has it already."""
    tick_id = conn.execute(_START, {"instigator_id": instigator_id, "scheduled_for": scheduled_for}).scalar()
    if tick_id is None:
        return None
    listen.notify(conn, TICKS)
    return int(tick_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A tick that somebody wants to take."""

    instigator_id: int
    scheduled_for: datetime
    seen: datetime | None
    """The last tick that it knows of; when there has been another meanwhile, the claim is void."""


def start_ticks(conn: Connection, claims: Sequence[Claim]) -> dict[int, int]:
    """Take ticks of sensors, each once: instigator to tick. Those that somebody else was quicker with are left out."""
    if not claims:
        return {}
    plain = [
        {
            "instigator_id": one.instigator_id,
            "scheduled_for": one.scheduled_for.isoformat(),
            "seen": one.seen.isoformat() if one.seen else None,
        }
        for one in claims
    ]
    found = {row.instigator_id: row.tick_id for row in conn.execute(_START_MANY, {"rows": json_rows.dumps(plain)})}
    if found:
        listen.notify(conn, TICKS)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a tick ended."""

    tick_id: int
    status: TickStatus
    skip_reason: str | None = None
    """Why it asked for no runs."""
    error: ErrorInfo | None = None
    """What user code raised."""
    asked_cursor: str | None = None
    """The cursor that the sensor was asked with; when somebody has set another meanwhile, the tick cannot end with a new one."""
    cursor: str | None = None
    """Its new cursor; None keeps the old one."""
    logs: Collection[str] = ()
    """Lines of the evaluation."""


def finish_ticks(conn: Connection, endings: Sequence[Ending]) -> set[int]:
    """End ticks, in the transaction that enqueues their runs; those that were open, and whose cursor is the one that they were asked with.

    One that is missing in the answer was ended before, or another tick has moved the cursor meanwhile, so that both may have seen
    the same: the caller must roll back.
    """
    if not endings:
        return set()
    plain = [
        {
            "tick_id": one.tick_id,
            "status": str(one.status),
            "skip_reason": one.skip_reason,
            "error": error_to_json(one.error) if one.error else None,
            "asked_cursor": one.asked_cursor,
            "cursor": one.cursor,
            "logs": [*one.logs],
        }
        for one in sorted(endings, key=lambda one: one.tick_id)
    ]
    rows = json_rows.dumps(plain)
    finished = set(conn.execute(_FINISH_MANY, {"rows": rows}).scalars())
    moving = {one.tick_id for one in endings if one.cursor is not None}
    if moving:
        finished -= moving - set(conn.execute(_MOVE_CURSORS, {"rows": rows}).scalars())
    listen.notify(conn, TICKS)
    return finished


def running(conn: Connection, instigator_ids: Collection[int]) -> dict[int, Instigator]:
    """Those of these that are switched on and defined."""
    query = select(_instigators).where(
        _instigators.c.instigator_id.in_([*instigator_ids]),
        _instigators.c.defined,
        func.coalesce(_instigators.c.switch, _instigators.c.default_running),
    )
    return {row.instigator_id: _instigator(row) for row in conn.execute(query)}


def restart_tick(conn: Connection, tick_id: int) -> int | None:
    """Count one more attempt of a tick that is still open and return its number; None when it has been finished."""
    attempt = conn.execute(_RESTART, {"tick_id": tick_id}).scalar()
    return None if attempt is None else int(attempt)


def finish_tick(conn: Connection, tick_id: int, status: TickStatus, **how: Any) -> bool:
    """End one tick; `how` as in `Ending`. False: it was ended before; the caller must roll back."""
    return bool(finish_ticks(conn, [Ending(tick_id=tick_id, status=status, **how)]))


def open_ticks(conn: Connection, *, older_than_seconds: float = 0.0) -> tuple[Tick, ...]:
    """Ticks that were taken and not finished, oldest first: those of a daemon that died are to be evaluated again."""
    return tuple(_tick(row) for row in conn.execute(_OPEN, {"seconds": older_than_seconds}))


def ticks(
    conn: Connection,
    *,
    instigator_id: int | None = None,
    status: Collection[TickStatus] = (),
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Tick]:
    """Ticks of one schedule or sensor, or of all, newest first.

    Raises:
        InvalidRequestError: a cursor of another list.
    """
    query = select(_ticks).order_by(_ticks.c.scheduled_for.desc(), _ticks.c.tick_id.desc()).limit(limit + 1)
    if instigator_id is not None:
        query = query.where(_ticks.c.instigator_id == instigator_id)
    if status:
        query = query.where(_ticks.c.status.in_([str(one) for one in status]))
    if cursor:
        scheduled_for, tick_id = cursors.decode(cursor, (datetime, int))
        key: Any = tuple_(_ticks.c.scheduled_for, _ticks.c.tick_id)
        query = query.where(key < tuple_(scheduled_for, tick_id))
    rows = conn.execute(query).all()
    runs = run_list.of_ticks(conn, [row.tick_id for row in rows]) if rows else {}
    found = [_tick(row, runs[row.tick_id]) for row in rows]
    return cursors.page(found, limit, lambda tick: (tick.scheduled_for, tick.tick_id))


def _instigator(row: Any) -> Instigator:
    return Instigator(
        instigator_id=row.instigator_id,
        location=LocationName(row.location),
        kind=InstigatorKind(row.kind),
        name=row.name,
        running=row.default_running if row.switch is None else row.switch,
        switched=row.switch is not None,
        cursor=row.cursor,
        running_since=row.running_since,
        last_tick_at=row.last_tick_at,
    )


def _tick(row: Any, run_ids: tuple[RunId, ...] = ()) -> Tick:
    return Tick(
        tick_id=row.tick_id,
        instigator_id=row.instigator_id,
        scheduled_for=row.scheduled_for,
        status=TickStatus(row.status),
        started_at=row.started_at,
        ended_at=row.ended_at,
        run_ids=run_ids,
        skip_reason=row.skip_reason,
        error=error_from_json(row.error) if row.error else None,
        cursor=row.cursor,
        attempt=row.attempt,
        logs=tuple(row.logs),
    )


_SWITCH = text("""
UPDATE instigators SET switch = CAST(:switch AS boolean), running_since = CASE
    WHEN NOT coalesce(CAST(:switch AS boolean), default_running) THEN NULL
    WHEN coalesce(switch, default_running) THEN running_since
    ELSE clock_timestamp() END
WHERE instigator_id = :instigator_id RETURNING *
""")
_START = text("""
WITH taken AS (
    INSERT INTO ticks (instigator_id, scheduled_for) VALUES (:instigator_id, :scheduled_for)
    ON CONFLICT (instigator_id, scheduled_for) DO NOTHING RETURNING tick_id, instigator_id, scheduled_for
), noted AS (
    UPDATE instigators SET last_tick_at = greatest(last_tick_at, taken.scheduled_for)
    FROM taken WHERE instigators.instigator_id = taken.instigator_id
)
SELECT tick_id FROM taken
""")
# Locked in the order of ids, so that two daemons never wait for each other in a circle. What a clock that was wrong wrote is written over.
_START_MANY = text("""
WITH wanted AS (
    SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS r(instigator_id bigint, scheduled_for timestamptz, seen timestamptz)
), free AS (
    SELECT i.instigator_id, wanted.scheduled_for FROM instigators i JOIN wanted ON wanted.instigator_id = i.instigator_id
    WHERE i.last_tick_at IS NOT DISTINCT FROM wanted.seen ORDER BY i.instigator_id FOR UPDATE OF i
), taken AS (
    INSERT INTO ticks (instigator_id, scheduled_for) SELECT instigator_id, scheduled_for FROM free
    ON CONFLICT (instigator_id, scheduled_for) DO NOTHING RETURNING instigator_id, tick_id, scheduled_for
), noted AS (
    UPDATE instigators SET last_tick_at = taken.scheduled_for FROM taken WHERE instigators.instigator_id = taken.instigator_id
)
SELECT instigator_id, tick_id FROM taken
""")
_ENDED = "tick_id bigint, status text, skip_reason text, error jsonb, asked_cursor text, cursor text, logs jsonb"
_FINISH_MANY = text(f"""
UPDATE ticks SET status = r.status, ended_at = clock_timestamp(), skip_reason = r.skip_reason, error = r.error, cursor = r.cursor,
    logs = r.logs
FROM json_to_recordset(CAST(:rows AS json)) AS r({_ENDED})
WHERE ticks.tick_id = r.tick_id AND ticks.status = 'STARTED' RETURNING ticks.tick_id
""")
_MOVE_CURSORS = text(f"""
WITH moved AS MATERIALIZED (
    SELECT i.instigator_id, r.tick_id, r.cursor FROM json_to_recordset(CAST(:rows AS json)) AS r({_ENDED})
    JOIN ticks ON ticks.tick_id = r.tick_id
    JOIN instigators i ON i.instigator_id = ticks.instigator_id
    WHERE r.cursor IS NOT NULL AND i.cursor IS NOT DISTINCT FROM r.asked_cursor ORDER BY i.instigator_id FOR UPDATE OF i
)
UPDATE instigators SET cursor = moved.cursor FROM moved WHERE instigators.instigator_id = moved.instigator_id RETURNING moved.tick_id
""")
_RESTART = text("""
UPDATE ticks SET attempt = attempt + 1, started_at = clock_timestamp() WHERE tick_id = :tick_id AND status = 'STARTED' RETURNING attempt
""")
_OPEN = text("""
SELECT * FROM ticks WHERE status = 'STARTED' AND started_at <= clock_timestamp() - make_interval(secs => :seconds) ORDER BY tick_id
""")
