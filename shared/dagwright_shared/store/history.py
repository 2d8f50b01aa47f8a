"""What user code asks of the past: events of all runs with their place, runs by filter, the newest data of an asset."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import cast as sql_cast

from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.events import RunEvent
from dagwright_shared.model.history import (
    MAX_LIMIT,
    EventFilter,
    HistoryPort,
    KnownVersion,
    ReportableEvent,
    RunFilter,
    StoredEvent,
)
from dagwright_shared.model.keys import (
    UNPARTITIONED,
    AssetKey,
    LocationName,
    PartitionKey,
    RunId,
    StepKey,
    new_run_id,
)
from dagwright_shared.model.runs import Run, StepRecord
from dagwright_shared.store import (
    assets,
    commit_horizon,
    dynamic_partitions,
    event_data,
    events,
    listen,
    retention,
    runs,
    tables,
    wipes,
)

_runs = tables.runs
_assets = tables.assets
_ID = "(CAST(CAST(e.xid AS text) AS bigint) * 16777216 + least(e.seq, 16777215))"
"""The place of an event: by transaction, then by number. A transaction that is still open may come before one that has ended, so what is
read forward, with a cursor, stops at the oldest transaction that is open in this database."""

_RUN_STATUS_TYPES = frozenset({"RUN_CANCELED", "RUN_FAILED", "RUN_STARTED", "RUN_SUCCEEDED"})
_XID = "CAST(CAST(:{} / 16777216 AS text) AS xid8)"

_EVENTS = f"""
SELECT {_ID} AS event_id, r.run_id AS known_run, r.job_name,
    e.seq, e.time, e.type, e.step_key, e.level, e.message, a.key AS asset_key, e.check_name, e.partition, e.data
FROM events e LEFT JOIN assets a ON a.asset_id = e.asset_id LEFT JOIN runs r ON r.run_id = e.run_id
"""


class StoreHistory(HistoryPort):
    """Implements the history port on one connection, in the caller's transaction.

    Args:
        location: of the code that asks; its assets come first where two locations know a key, and reports are of them.
    """

    def __init__(self, conn: Connection, location: LocationName) -> None:
        self._conn, self._location = conn, location

    def latest(self, asset_key: AssetKey, partition: PartitionKey = UNPARTITIONED) -> KnownVersion | None:
        for asset_id in self._ids(asset_key):
            row = assets.partition(self._conn, asset_id, partition)
            if row is None:
                continue
            observed = row.observed_at is not None and (row.materialized_at is None or row.observed_at > row.materialized_at)
            version = row.observed_data_version if observed else row.data_version
            if version is not None:
                return KnownVersion(
                    data_version=version,
                    run_id=row.observed_run_id if observed else row.run_id,
                    time=row.observed_at if observed else row.materialized_at,
                    code_version=None if observed else row.code_version,
                    input_data_versions={} if observed else row.input_data_versions,
                )
        return None

    def dynamic_keys(self, name: str) -> tuple[str, ...]:
        return tuple(dynamic_partitions.keys(self._conn, name))

    def change_dynamic_keys(self, name: str, add: tuple[str, ...] = (), delete: tuple[str, ...] = ()) -> None:
        if add:
            dynamic_partitions.add(self._conn, name, add)
        if delete:
            dynamic_partitions.delete(self._conn, name, delete)

    def events(self, wanted: EventFilter) -> tuple[StoredEvent, ...]:
        where, values = ["true"], dict[str, Any](limit=min(wanted.limit, MAX_LIMIT))
        if wanted.types:
            where.append("e.type = ANY(:types)")
            values["types"] = list(wanted.types)
            if set(wanted.types) <= _RUN_STATUS_TYPES:
                where.append(f"e.{tables.RUN_STATUS_EVENTS}")  # as the index says it
        if wanted.asset_keys:
            where.append("e.asset_id = ANY(:assets)")
            values["assets"] = [asset_id for key in wanted.asset_keys for asset_id in self._ids(key)]
            where.append(wipes.VISIBLE.format(e="e"))
        if wanted.run_ids:
            where.append("e.run_id = ANY(CAST(:runs AS uuid[]))")
            values["runs"] = [run_id for run_id in wanted.run_ids if runs.is_run_id(run_id)]
        if wanted.partitions:
            where.append(f"({' OR '.join(f'e.partition = CAST(:partition{at} AS text[])' for at in range(len(wanted.partitions)))})")
            values.update({f"partition{at}": list(key) for at, key in enumerate(wanted.partitions)})
        for name, value, condition in (
            # The bound on the transaction alone is one that an index can use.
            ("after_id", wanted.after_id, f"{_ID} > :after_id AND e.xid >= {_XID.format('after_id')}"),
            ("before_id", wanted.before_id, f"{_ID} < :before_id AND e.xid <= {_XID.format('before_id')}"),
            ("after", wanted.after, "e.time > :after"),
            ("before", wanted.before, "e.time < :before"),
        ):
            if value is not None:
                where.append(condition)
                values[name] = value
        if wanted.settled or (wanted.ascending and not wanted.run_ids):
            where.append(f"e.xid < {commit_horizon.SQL}")
        order = "ASC" if wanted.ascending else "DESC"
        # The order of `_ID`, in the columns of the indexes.
        wanted_rows = f"WHERE {' AND '.join(where)} ORDER BY e.xid {order}, e.seq {order} FETCH FIRST :limit ROWS WITH TIES"
        rows = self._conn.execute(text(f"{_EVENTS} {wanted_rows}"), values)
        return tuple(map(_stored, rows))

    def runs(self, wanted: RunFilter) -> tuple[Run, ...]:
        order = (_runs.c.created_at, _runs.c.run_id)
        conditions: list[ColumnElement[bool]] = []
        if wanted.run_ids:
            conditions.append(_runs.c.run_id.in_([run_id for run_id in wanted.run_ids if runs.is_run_id(run_id)]))
        if wanted.statuses:
            conditions.append(_runs.c.status.in_([str(status) for status in wanted.statuses]))
        if wanted.job_name is not None:
            conditions.append(_runs.c.job_name == wanted.job_name)
        conditions.extend(or_(*(_runs.c.tags.contains({key: value}) for value in values)) for key, values in wanted.tags.items())
        if wanted.created_after is not None:
            conditions.append(_runs.c.created_at > wanted.created_after)
        if wanted.created_before is not None:
            conditions.append(_runs.c.created_at < wanted.created_before)
        if wanted.before_run is not None:
            border = runs.get(self._conn, wanted.before_run)
            if border is None:
                raise NotFoundError("run", wanted.before_run)
            conditions.append(tuple_(*order) < tuple_(border.created_at, border.run_id))
        query = select(_runs).where(and_(True, *conditions)).limit(min(wanted.limit, MAX_LIMIT))
        query = query.order_by(*(column if wanted.ascending else column.desc() for column in order))
        return tuple(runs.from_row(row) for row in self._conn.execute(query))

    def steps(self, run_id: RunId) -> tuple[StepRecord, ...]:
        return tuple(runs.steps(self._conn, run_id)) if runs.is_run_id(run_id) else ()

    def report(self, payload: ReportableEvent) -> None:
        event = RunEvent(seq=1, time=datetime.now(UTC), payload=payload)
        events.record(self._conn, self._location, new_run_id(), event)

    def tag_run(self, run_id: RunId, tags: Mapping[str, str]) -> None:
        known = runs.is_run_id(run_id)
        query = update(_runs).where(_runs.c.run_id == run_id).values(tags=_runs.c.tags.op("||")(sql_cast(dict(tags), JSONB)))
        if not known or not self._conn.execute(query).rowcount:
            raise NotFoundError("run", run_id)
        listen.notify(self._conn, f"runs:{run_id}")

    def materialized(self, asset_key: AssetKey) -> tuple[PartitionKey, ...]:
        found = (row for asset_id in self._ids(asset_key) for row in assets.partitions(self._conn, asset_id))
        return tuple(dict.fromkeys(row.partition for row in found if row.materialized_at is not None))

    def asset_keys(self) -> tuple[AssetKey, ...]:
        known = self._conn.execute(select(_assets.c.key).distinct().order_by(_assets.c.key)).scalars()
        return tuple(AssetKey.from_user_string(key) for key in known)

    def wipe(self, asset_key: AssetKey, partitions: tuple[PartitionKey, ...] = ()) -> None:
        for asset_id in self._ids(asset_key):
            wipes.wipe(self._conn, asset_id, partitions or None)

    def delete_run(self, run_id: RunId) -> None:
        if not runs.is_run_id(run_id):
            raise NotFoundError("run", run_id)
        retention.delete_run(self._conn, run_id)

    def _ids(self, key: AssetKey) -> list[int]:
        own = _assets.c.location == self._location
        query = select(_assets.c.asset_id).where(_assets.c.key == key.to_user_string())
        return list(self._conn.execute(query.order_by(own.desc(), _assets.c.defined.desc(), _assets.c.asset_id)).scalars())


def _stored(row: Any) -> StoredEvent:
    payload = event_data.payload(
        row.type,
        row.message,
        row.level,
        row.asset_key,
        row.check_name,
        tuple(row.partition),
        row.data,
    )
    step_key = StepKey(row.step_key) if row.step_key is not None else None
    return StoredEvent(
        event_id=row.event_id,
        run_id=RunId(str(row.known_run)) if row.known_run is not None else None,
        job_name=row.job_name,
        event=RunEvent(seq=row.seq, time=row.time, step_key=step_key, payload=payload),
    )
