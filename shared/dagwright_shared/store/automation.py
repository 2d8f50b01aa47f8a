"""What automation conditions remember between ticks, and what came of each.

Invariant: a tick of a sensor has a number, and only the one that raises it from the number it has read may write the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, select, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.store import cursors, json_rows, run_list, tables
from dagwright_shared.store.cursors import Page

EntityKey: TypeAlias = AssetKey | AssetCheckKey
_evaluations, _cursors = tables.automation_evaluations, tables.automation_cursors


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorState:
    """Where a sensor of automation conditions stands."""

    tick: int
    snapshot: str | None
    """Which transactions its newest tick has seen; None before the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvaluation:
    key: EntityKey
    requested: int
    """How many partitions."""
    tree: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """What came of a condition in a tick."""

    evaluation_id: int
    location: str
    sensor: str
    time: datetime
    key: EntityKey
    requested: int
    tree: Mapping[str, Any]
    run_ids: tuple[str, ...] = ()
    """The runs that the tick asked for."""


def state(conn: Connection, instigator_id: int) -> SensorState:
    table = tables.automation_sensors
    row = conn.execute(select(table).where(table.c.instigator_id == instigator_id)).one_or_none()
    return SensorState(tick=0, snapshot=None) if row is None else SensorState(tick=row.tick, snapshot=row.snapshot)


def advance(conn: Connection, instigator_id: int, *, tick: int, snapshot: str) -> bool:
    """Take a tick: the one after that which the sensor is at. False: another daemon has it; the caller writes nothing."""
    return bool(conn.execute(_ADVANCE, {"id": instigator_id, "tick": tick, "snapshot": snapshot}).rowcount)


def load_cursors(conn: Connection, instigator_id: int) -> dict[EntityKey, Mapping[str, Any]]:
    """What each condition of a sensor remembers, as JSON."""
    query = select(_cursors).where(_cursors.c.instigator_id == instigator_id)
    return {_key(row.asset_key, row.check_name): row.cursor for row in conn.execute(query)}


def save_cursors(conn: Connection, instigator_id: int, changed: Mapping[EntityKey, Mapping[str, Any]]) -> None:
    if changed:
        rows = [{"asset_key": place[0], "check_name": place[1], "cursor": data} for key, data in changed.items() if (place := _place(key))]
        conn.execute(_SAVE, {"id": instigator_id, "rows": json_rows.dumps(rows)})


def forget_cursors(conn: Connection, instigator_id: int, keys: Collection[EntityKey]) -> None:
    """Of what has no condition any more."""
    if keys:
        rows = [{"asset_key": place[0], "check_name": place[1]} for key in keys if (place := _place(key))]
        conn.execute(_FORGET, {"id": instigator_id, "rows": json_rows.dumps(rows)})


def add_evaluations(
    conn: Connection, instigator_id: int, *, tick: int, tick_id: int | None, time: datetime, evaluations: Sequence[NewEvaluation]
) -> None:
    """Record what came of conditions in a tick.

    Args:
        tick_id: of `ticks`, which the runs name; None where nothing was requested.
    """
    if not evaluations:
        return
    rows = []
    for one in evaluations:
        asset_key, check_name = _place(one.key)
        rows.append({"asset_key": asset_key, "check_name": check_name, "requested": one.requested, "tree": one.tree})
    arguments = {"id": instigator_id, "tick": tick, "tick_id": tick_id, "time": time, "rows": json_rows.dumps(rows)}
    conn.execute(_RECORD, arguments)


def evaluations(conn: Connection, key: EntityKey, *, limit: int = 50, cursor: str | None = None) -> Page[EvaluationRow]:
    """Evaluations of an asset's or a check's condition, newest first.

    Raises:
        InvalidRequestError: a cursor of another list.
    """
    asset_key, check_name = _place(key)
    before = cursors.decode(cursor, (int,))[0] if cursor else None
    rows = conn.execute(_LIST, {"asset_key": asset_key, "check_name": check_name, "before": before, "limit": limit + 1}).all()
    runs = run_list.of_ticks(conn, [row.tick_id for row in rows if row.tick_id is not None]) if rows else {}
    found = [
        EvaluationRow(
            evaluation_id=row.evaluation_id,
            location=row.location,
            sensor=row.name,
            time=row.time,
            key=_key(row.asset_key, row.check_name),
            requested=row.requested,
            tree=row.tree,
            run_ids=tuple(runs.get(row.tick_id, ())) if row.requested else (),
        )
        for row in rows
    ]
    return cursors.page(found, limit, lambda row: (row.evaluation_id,))


def newest_evaluations(conn: Connection, keys: Collection[EntityKey]) -> Mapping[EntityKey, tuple[datetime, int]]:
    """When each condition was last evaluated to some effect, and how much it asked for; without those never evaluated."""
    places = [_place(key) for key in keys]
    parameters = {"assets": [asset for asset, _ in places], "checks": [check for _, check in places]}
    return {_key(row.asset_key, row.check_name): (row.time, row.requested) for row in conn.execute(_NEWEST, parameters)} if places else {}


def forget_evaluations(conn: Connection, *, quiet_seconds: float, seconds: float) -> int:
    """Remove old evaluations: those that requested nothing sooner than the others. Returns how many."""
    return conn.execute(_PRUNE, {"quiet": quiet_seconds, "seconds": seconds}).rowcount


def _place(key: EntityKey) -> tuple[str, str]:
    return (key.asset_key.to_user_string(), key.name) if isinstance(key, AssetCheckKey) else (key.to_user_string(), "")


def _key(asset_key: str, check_name: str) -> EntityKey:
    key = AssetKey.from_user_string(asset_key)
    return AssetCheckKey(key, check_name) if check_name else key


_NEWEST = text("""
SELECT w.asset_key, w.check_name, e.time, e.requested
FROM unnest(CAST(:assets AS text[]), CAST(:checks AS text[])) w (asset_key, check_name)
CROSS JOIN LATERAL (
    SELECT time, requested FROM automation_evaluations x
    WHERE x.asset_key = w.asset_key AND x.check_name = w.check_name ORDER BY evaluation_id DESC LIMIT 1
) e
""")

_ADVANCE = text("""
INSERT INTO automation_sensors (instigator_id, tick, snapshot) SELECT :id, CAST(:tick AS bigint) + 1, :snapshot WHERE :tick = 0
    OR EXISTS (SELECT 1 FROM automation_sensors WHERE instigator_id = :id)
ON CONFLICT (instigator_id) DO UPDATE SET tick = EXCLUDED.tick, snapshot = EXCLUDED.snapshot, ticked_at = clock_timestamp()
WHERE automation_sensors.tick = :tick
""")
_SAVE = text("""
INSERT INTO automation_cursors (instigator_id, asset_key, check_name, cursor)
SELECT :id, asset_key, check_name, cursor FROM json_to_recordset(CAST(:rows AS json)) AS r(asset_key text, check_name text, cursor jsonb)
ON CONFLICT (instigator_id, asset_key, check_name) DO UPDATE SET cursor = EXCLUDED.cursor
""")
_FORGET = text("""
DELETE FROM automation_cursors c USING json_to_recordset(CAST(:rows AS json)) AS r(asset_key text, check_name text)
WHERE c.instigator_id = :id AND c.asset_key = r.asset_key AND c.check_name = r.check_name
""")
_RECORD = text("""
INSERT INTO automation_evaluations (instigator_id, tick, tick_id, time, asset_key, check_name, requested, tree)
SELECT :id, :tick, :tick_id, :time, asset_key, check_name, requested, tree
FROM json_to_recordset(CAST(:rows AS json)) AS r(asset_key text, check_name text, requested integer, tree jsonb)
""")
_LIST = text("""
SELECT e.*, i.location, i.name FROM automation_evaluations e JOIN instigators i ON i.instigator_id = e.instigator_id
WHERE e.asset_key = :asset_key AND e.check_name = :check_name AND (CAST(:before AS bigint) IS NULL OR e.evaluation_id < :before)
ORDER BY e.evaluation_id DESC LIMIT :limit
""")
_PRUNE = text("""
DELETE FROM automation_evaluations WHERE time < clock_timestamp() - make_interval(secs => :seconds)
    OR (requested = 0 AND time < clock_timestamp() - make_interval(secs => :quiet))
""")
