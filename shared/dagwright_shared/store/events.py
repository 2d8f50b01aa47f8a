"""Events of runs: the one place that commits them, together with everything that is derived from them.

Invariant: `append` costs a constant number of statements, whatever the number of runs and events in the call.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from dagwright_shared.model import events as e
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import error_to_json
from dagwright_shared.model.keys import LocationName, PartitionKey, RunId, StepKey
from dagwright_shared.model.runs import ACTIVE, TRANSITIONS, RunStatus
from dagwright_shared.store import (
    event_data,
    event_partitions,
    event_projections,
    json_rows,
    listen,
    pools,
)
from dagwright_shared.store.asset_ids import AssetIds
from dagwright_shared.store.event_projections import Accepted
from dagwright_shared.store.tables import events as events_table

_FINAL_BY_PAYLOAD: Mapping[type, RunStatus] = {
    e.RunSucceeded: RunStatus.SUCCESS,
    e.RunFailed: RunStatus.FAILURE,
    e.RunCanceled: RunStatus.CANCELED,
}
_ATTEMPT_ENDS = (e.StepSucceeded, e.StepFailed, e.StepRetrying, e.StepCanceled)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event as the store has it."""

    run_id: RunId
    seq: int
    time: datetime
    type: str
    step_key: StepKey | None
    level: int
    message: str
    asset_key: str | None
    check_name: str | None
    partition: PartitionKey
    data: Mapping[str, Any]

    @property
    def payload(self) -> e.Payload:
        return event_data.payload(
            self.type,
            self.message,
            self.level,
            self.asset_key,
            self.check_name,
            self.partition,
            self.data,
        )


def append(
    conn: Connection,
    batches: Sequence[e.EventBatch],
    *,
    assets: AssetIds | None = None,
    server_id: str | None = None,
    lease_seconds: float | None = None,
    statuses: Collection[RunStatus] = ACTIVE,
) -> dict[RunId, int | None]:
    """Commit, with the caller's transaction, the events of many runs and all that follows from them.

    A batch is taken when its epoch is the run's and the run is active. Events that are there already are passed over. A batch that leaves
    a gap is not taken; the answer then says where to continue. Of two epochs of one run in one call only the newer counts.

    Args:
        conn: a connection in a transaction.
        batches: any number for each run, in the order of sending.
        assets: the caller's memo of asset ids.
        server_id: the code server that has the workers.
        lease_seconds: renews the runs' leases for so long: what reports is alive.
        statuses: which statuses count as active; the store's own writers pass more.

    Returns:
        For each run the last committed `seq`, or None when a newer attempt owns it, or it has ended: then nothing was
        written, and the worker must stop.
    """
    merged = _merge(batches)
    if not merged:
        return {}
    answer: dict[RunId, int | None] = dict.fromkeys(merged)
    accepted, changes, pooled = [], [], set()
    backfills: set[str] = set()
    for row in conn.execute(_LOCK, {"ids": list(merged)}):
        batch = merged[RunId(str(row.run_id))]
        if row.epoch != batch.epoch:
            continue
        fresh = _fresh(batch, row.last_seq)
        if fresh and RunStatus(row.status) not in statuses:
            continue
        change = _change(RunStatus(row.status), row.last_seq, fresh)
        if fresh:
            changes.append({"run_id": batch.run_id, **change})
        answer[batch.run_id] = change["last_seq"]
        if row.pooled and fresh:
            pooled.add(batch.run_id)
        gap = batch.events and batch.events[0].seq > row.last_seq + 1
        ended = RunStatus(change["status"]) if fresh and RunStatus(change["status"]).is_final else None
        chunks = () if gap else batch.chunks
        accepted.append(
            Accepted(
                run_id=batch.run_id,
                location=row.location,
                events=fresh,
                chunks=chunks,
                ended=ended,
            )
        )
        if ended is not None and row.backfill_id is not None:
            backfills.add(f"backfills:{row.backfill_id}")
    if changes:
        conn.execute(
            _ADVANCE,
            {
                "rows": json_rows.dumps(changes),
                "server_id": server_id,
                "lease": lease_seconds,
            },
        )
    _write(conn, accepted, assets or AssetIds())
    if pooled:
        _free_slots(conn, [batch for batch in accepted if batch.run_id in pooled])
    listen.notify_all(conn, backfills)
    return answer


def read(conn: Connection, run_id: RunId, *, after_seq: int = 0, limit: int = 1000) -> list[EventRow]:
    """The events of a run from after a number on, in order."""
    return [_row(row) for row in conn.execute(_READ, {"run_id": run_id, "after": after_seq, "limit": limit})]


def tail(conn: Connection, run_id: RunId, *, before_seq: int | None = None, limit: int = 1000) -> list[EventRow]:
    """The newest events of a run before a number, in order."""
    rows = conn.execute(
        _TAIL,
        {
            "run_id": run_id,
            "before": before_seq if before_seq is not None else 2**62,
            "limit": limit,
        },
    )
    return [_row(row) for row in rows][::-1]


def of_asset(
    conn: Connection,
    asset_ids: Sequence[int],
    *,
    types: Collection[str],
    before: datetime | None = None,
    limit: int = 50,
) -> list[EventRow]:
    """The newest events of one asset, over all runs; newest first."""
    parameters = {
        "ids": list(asset_ids),
        "types": list(types),
        "before": before,
        "limit": limit,
    }
    return [_row(row) for row in conn.execute(_OF_ASSET if before is None else _OF_ASSET_BEFORE, parameters)]


def record(conn: Connection, location: LocationName, report_id: RunId, *recorded: e.RunEvent) -> None:
    """Commit events of assets that no run made, with what follows from them.

    Args:
        report_id: fresh; stands where other events have their run, and is no run's.
        recorded: numbered from 1.
    """
    _write(conn, [Accepted(run_id=report_id, location=location, events=recorded, chunks=(), ended=None)], AssetIds())


def ensure_partitions(conn: Connection, now: datetime | None = None) -> list[str]:
    """Make the coming weeks' partitions; the daemon calls it once a day."""
    return event_partitions.ensure(conn, now)


def _merge(batches: Sequence[e.EventBatch]) -> dict[RunId, e.EventBatch]:
    merged: dict[RunId, e.EventBatch] = {}
    for batch in batches:
        other = merged.get(batch.run_id)
        if other is None or other.epoch < batch.epoch:
            merged[batch.run_id] = batch
        elif other.epoch == batch.epoch:
            known = other.events[-1].seq if other.events else -1
            fresh = tuple(event for event in batch.events if event.seq > known)
            merged[batch.run_id] = e.EventBatch(
                run_id=batch.run_id,
                epoch=batch.epoch,
                events=other.events + fresh,
                chunks=other.chunks + batch.chunks,
            )
    return merged


def _fresh(batch: e.EventBatch, last_seq: int) -> tuple[e.RunEvent, ...]:
    """The events that are not there yet; none of them when some before them are missing."""
    if not batch.events or batch.events[0].seq > last_seq + 1:
        return ()
    return tuple(event for event in batch.events if event.seq > last_seq)


def _change(status: RunStatus, last_seq: int, fresh: Sequence[e.RunEvent]) -> dict[str, Any]:
    """What the run's row becomes; a transition that the table does not have leaves the status as it is."""
    change: dict[str, Any] = {"last_seq": fresh[-1].seq if fresh else last_seq}
    for event in fresh:
        payload = event.payload
        if isinstance(payload, e.RunStarted):
            change["started_at"] = event.time.isoformat()
            if RunStatus.STARTED in TRANSITIONS[status]:
                status = RunStatus.STARTED
            continue
        final = _FINAL_BY_PAYLOAD.get(type(payload))
        if final is not None and final in TRANSITIONS[status]:
            status = final
            change["ended_at"] = event.time.isoformat()
            if isinstance(payload, e.RunFailed) and payload.error is not None:
                change["error"] = error_to_json(payload.error)
            if isinstance(payload, e.RunFailed | e.RunCanceled):
                change["reason"] = payload.reason
    change["status"] = str(status)
    return change


def _free_slots(conn: Connection, accepted: Sequence[Accepted]) -> None:
    """A slot is the attempt's: it goes with the attempt, or with the run."""
    pools.release_runs(conn, [batch.run_id for batch in accepted if batch.ended])
    ended = [
        (batch.run_id, event.step_key, event.payload.attempt)
        for batch in accepted
        for event in batch.events
        if event.step_key is not None and isinstance(event.payload, _ATTEMPT_ENDS) and not batch.ended
    ]
    pools.release(conn, ended)


def _write(conn: Connection, accepted: Sequence[Accepted], assets: AssetIds) -> None:
    described = [(batch, event, event_data.columns(event.payload)) for batch in accepted for event in batch.events]
    ids = assets.resolve(
        conn,
        ((b.location, c.asset_key.to_user_string()) for b, _, c in described if c.asset_key is not None),
    )
    if described:
        conn.execute(
            _INSERT,
            {"rows": json_rows.dumps([_event_row(b, event, c, ids) for b, event, c in described])},
        )
    event_projections.project(conn, accepted, ids)
    changed = [batch for batch in accepted if batch.events or batch.chunks]
    topics = [f"runs:{batch.run_id}" for batch in changed]
    if ids:
        topics.append("assets")
    if any(batch.ended for batch in accepted):
        topics.append("queue")
    if any(batch.ended or any(isinstance(event.payload, e.RunStarted) for event in batch.events) for batch in accepted):
        topics.append("run_status")
    if any(batch.ended is RunStatus.FAILURE for batch in accepted):
        topics.append("recovery")
    listen.notify_all(conn, topics)


def _event_row(
    batch: Accepted,
    event: e.RunEvent,
    columns: event_data.Columns,
    ids: Mapping[tuple[LocationName, str], int],
) -> dict[str, Any]:
    # Short names: at a thousand rows a call, the names are a good part of what Postgres has to parse.
    row: dict[str, Any] = {
        "i": batch.run_id,
        "s": event.seq,
        "t": event.time.isoformat(),
        "y": e.EVENT_TYPES[type(event.payload)],
        "l": columns.level,
        "m": columns.message,
    }
    if event.step_key is not None:
        row["k"] = event.step_key
    if columns.asset_key is not None:
        row |= {
            "a": ids[(batch.location, columns.asset_key.to_user_string())],
            "c": columns.check_name,
            "p": columns.partition,
        }
    if columns.data:
        row["d"] = columns.data
    return row


def _row(row: Any) -> EventRow:
    return EventRow(
        run_id=RunId(str(row.run_id)),
        seq=row.seq,
        time=row.time,
        type=row.type,
        step_key=row.step_key,
        level=row.level,
        message=row.message,
        asset_key=row.asset_key,
        check_name=row.check_name,
        partition=tuple(row.partition),
        data=row.data,
    )


# In the order of ids, so that two hubs never wait for each other in a circle.
_LOCK = text("""
SELECT run_id, location, status, epoch, last_seq, pooled, backfill_id FROM runs
WHERE run_id = ANY(CAST(:ids AS uuid[])) ORDER BY run_id FOR UPDATE
""")

_ADVANCE = text("""
UPDATE runs SET
    last_seq = r.last_seq, status = r.status, ended_at = r.ended_at,
    started_at = coalesce(r.started_at, runs.started_at),
    server_id = coalesce(CAST(:server_id AS text), runs.server_id),
    lease_expires_at = CASE WHEN r.ended_at IS NULL
        THEN coalesce(clock_timestamp() + make_interval(secs => CAST(:lease AS double precision)), runs.lease_expires_at) END,
    error = coalesce(r.error, runs.error),
    status_reason = CASE WHEN r.ended_at IS NOT NULL THEN r.reason WHEN r.started_at IS NULL THEN runs.status_reason END,
    xid = CASE WHEN r.status <> runs.status THEN pg_current_xact_id() ELSE runs.xid END
FROM json_to_recordset(CAST(:rows AS json)) AS r(
    run_id uuid, last_seq bigint, status text, started_at timestamptz, ended_at timestamptz, error jsonb, reason text)
WHERE runs.run_id = r.run_id
""")

_INSERT = text(f"""
INSERT INTO events (run_id, seq, time, type, step_key, level, message, asset_id, check_name, partition, data)
SELECT i, s, t, y, k, l, m, a, c, coalesce(p, '{{}}'), coalesce(d, '{{}}')
FROM json_to_recordset(CAST(:rows AS json)) AS r(
    i uuid, s {events_table.c.seq.type}, t timestamptz, y text, k text, l smallint, m text, a bigint, c text, p text[], d jsonb)
""")

# The bounds on time let Postgres skip the partitions in which a run cannot have events; a day allows for clocks that differ.
_COLUMNS = """
SELECT e.run_id, e.seq, e.time, e.type, e.step_key, e.level, e.message, a.key AS asset_key, e.check_name, e.partition, e.data
FROM events e LEFT JOIN assets a ON a.asset_id = e.asset_id
"""
_OF_RUN = """
WHERE e.run_id = :run_id AND e.time >= (SELECT created_at - interval '1 day' FROM runs WHERE run_id = :run_id)
  AND e.time <= (SELECT coalesce(ended_at, clock_timestamp()) + interval '1 day' FROM runs WHERE run_id = :run_id)
"""
_READ = text(f"{_COLUMNS} {_OF_RUN} AND e.seq > :after ORDER BY e.seq LIMIT :limit")
_TAIL = text(f"{_COLUMNS} {_OF_RUN} AND e.seq < :before ORDER BY e.seq DESC LIMIT :limit")
_OF_ASSET = text(f"{_COLUMNS} WHERE e.asset_id = ANY(:ids) AND e.type = ANY(:types) ORDER BY e.time DESC, e.seq DESC LIMIT :limit")
_OF_ASSET_BEFORE = text(
    f"{_COLUMNS} WHERE e.asset_id = ANY(:ids) AND e.type = ANY(:types) AND e.time < :before ORDER BY e.time DESC, e.seq DESC LIMIT :limit"
)
