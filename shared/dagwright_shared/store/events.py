"""Events of runs: the one place that commits them, together with everything that is derived from them.

Invariant: `append` costs a constant number of statements, whatever the number of runs and events in the call.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from dagwright_shared.model import events as e
from dagwright_shared.model.errors import error_to_json
from dagwright_shared.model.keys import LocationName, PartitionKey, RunId, StepKey
from dagwright_shared.model.runs import ACTIVE, TRANSITIONS, RunStatus, sources
from dagwright_shared.store import event_data, event_partitions, event_projections, json_rows, listen
from dagwright_shared.store.asset_ids import AssetIds
from dagwright_shared.store.event_projections import Accepted
from dagwright_shared.store.tables import events as events_table

_FINAL_BY_PAYLOAD: Mapping[type, RunStatus] = {
    e.RunSucceeded: RunStatus.SUCCESS,
    e.RunFailed: RunStatus.FAILURE,
    e.RunCanceled: RunStatus.CANCELED,
}


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
        return event_data.payload(self.type, self.message, self.level, self.asset_key, self.check_name, self.partition, self.data)


def append(
    conn: Connection,
    batches: Sequence[e.EventBatch],
    *,
    assets: AssetIds | None = None,
    server_id: str | None = None,
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
        statuses: which statuses count as active; the store's own writers pass more.

    Returns:
        For each run the last committed `seq`, or None when a newer attempt owns it, or it has ended: then nothing was
        written, and the worker must stop.
    """
    merged = _merge(batches)
    if not merged:
        return {}
    answer: dict[RunId, int | None] = dict.fromkeys(merged)
    accepted = []
    parameters = {
        "rows": json_rows.dumps([_head(batch) for batch in merged.values()]),
        "statuses": [str(status) for status in statuses],
        "server_id": server_id,
    }
    for row in conn.execute(_ADVANCE, parameters):
        batch = merged[RunId(str(row.run_id))]
        before, after, taken = row.before, row.after, row.after is not None
        last = batch.events[-1].seq if batch.events else before
        if taken:
            answer[batch.run_id] = after
        elif last <= before:
            answer[batch.run_id] = before
        if taken or last <= before:
            gap = bool(batch.events) and after == before and last > before
            fresh = () if gap or not taken else tuple(event for event in batch.events if event.seq > before)
            accepted.append(
                Accepted(
                    run_id=batch.run_id,
                    location=row.location,
                    events=fresh,
                    chunks=() if gap else batch.chunks,
                    ended=RunStatus(row.now) if taken and RunStatus(row.now).is_final else None,
                )
            )
    _write(conn, accepted, assets or AssetIds())
    return answer


def read(conn: Connection, run_id: RunId, *, after_seq: int = 0, limit: int = 1000) -> list[EventRow]:
    """The events of a run from after a number on, in order."""
    return [_row(row) for row in conn.execute(_READ, {"run_id": run_id, "after": after_seq, "limit": limit})]


def tail(conn: Connection, run_id: RunId, *, before_seq: int | None = None, limit: int = 1000) -> list[EventRow]:
    """The newest events of a run before a number, in order."""
    rows = conn.execute(_TAIL, {"run_id": run_id, "before": before_seq if before_seq is not None else 2**62, "limit": limit})
    return [_row(row) for row in rows][::-1]


def of_asset(
    conn: Connection, asset_ids: Sequence[int], *, types: Collection[str], before: datetime | None = None, limit: int = 50
) -> list[EventRow]:
    """The newest events of one asset, over all runs; newest first."""
    parameters = {"ids": list(asset_ids), "types": list(types), "before": before, "limit": limit}
    return [_row(row) for row in conn.execute(_OF_ASSET if before is None else _OF_ASSET_BEFORE, parameters)]


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
                run_id=batch.run_id, epoch=batch.epoch, events=other.events + fresh, chunks=other.chunks + batch.chunks
            )
    return merged


def _head(batch: e.EventBatch) -> dict[str, Any]:
    """What the run's row needs to know of a batch."""
    head: dict[str, Any] = {"run_id": batch.run_id, "epoch": batch.epoch}
    if batch.events:
        head |= {"first_seq": batch.events[0].seq, "last_seq": batch.events[-1].seq}
    for event in batch.events:
        kind = type(event.payload)
        if kind is e.RunStarted:
            head |= {"start_seq": event.seq, "started_at": event.time.isoformat()}
        elif kind in _FINAL_BY_PAYLOAD:
            head |= {"end_seq": event.seq, "ended_at": event.time.isoformat(), "final": _FINAL_BY_PAYLOAD[kind]}
            if isinstance(event.payload, e.RunFailed) and event.payload.error is not None:
                head["error"] = error_to_json(event.payload.error)
            if isinstance(event.payload, e.RunFailed | e.RunCanceled):
                head["reason"] = event.payload.reason
    return head


def _write(conn: Connection, accepted: Sequence[Accepted], assets: AssetIds) -> None:
    described = [(batch, event, event_data.columns(event.payload)) for batch in accepted for event in batch.events]
    ids = assets.resolve(conn, ((b.location, c.asset_key.to_user_string()) for b, _, c in described if c.asset_key is not None))
    if described:
        conn.execute(_INSERT, {"rows": json_rows.dumps([_event_row(b, event, c, ids) for b, event, c in described])})
    event_projections.project(conn, accepted, ids)
    changed = [batch for batch in accepted if batch.events or batch.chunks]
    topics = [f"runs:{batch.run_id}" for batch in changed]
    if ids:
        topics.append("assets")
    if any(batch.ended for batch in accepted):
        topics.append("queue")
    if any(batch.ended is RunStatus.FAILURE for batch in accepted):
        topics.append("recovery")
    listen.notify_all(conn, topics)


def _event_row(
    batch: Accepted, event: e.RunEvent, columns: event_data.Columns, ids: Mapping[tuple[LocationName, str], int]
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
        row |= {"a": ids[(batch.location, columns.asset_key.to_user_string())], "c": columns.check_name, "p": columns.partition}
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


def _in(statuses: Collection[RunStatus]) -> str:
    return ", ".join(f"'{status}'" for status in sorted(statuses))


def _after_end() -> str:
    """The status after a batch's final event, from the status `m.mid` before it: the transition table, as SQL."""
    finals = [status for status in TRANSITIONS if status.is_final]
    cases = " ".join(f"WHEN m.final = '{final}' AND m.mid IN ({_in(sources(final))}) THEN '{final}'" for final in finals)
    return f"CASE {cases} ELSE m.mid END"


# Locks the rows in the order of their ids (two hubs never wait for each other in a circle), then moves those that may move.
_ADVANCE = text(f"""
WITH r AS MATERIALIZED (
    SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS r(
        run_id uuid, epoch integer, first_seq bigint, last_seq bigint, start_seq bigint, started_at timestamptz,
        end_seq bigint, ended_at timestamptz, final text, error jsonb, reason text)
), held AS MATERIALIZED (
    SELECT runs.run_id, runs.location, runs.status, runs.last_seq AS before
    FROM runs JOIN r ON r.run_id = runs.run_id AND r.epoch = runs.epoch ORDER BY runs.run_id FOR UPDATE OF runs
), m AS (
    SELECT h.run_id, h.before, r.started_at, r.ended_at, r.error, r.reason,
        CASE WHEN r.first_seq <= h.before + 1 THEN greatest(r.last_seq, h.before) ELSE h.before END AS after,
        r.start_seq > h.before AND r.first_seq <= h.before + 1 AS starts,
        CASE WHEN r.end_seq > h.before AND r.first_seq <= h.before + 1 THEN r.final END AS final,
        CASE WHEN r.start_seq > h.before AND r.first_seq <= h.before + 1 AND h.status IN ({_in(sources(RunStatus.STARTED))}) THEN 'STARTED'
             ELSE h.status END AS mid
    FROM held h JOIN r USING (run_id) WHERE h.status = ANY(CAST(:statuses AS text[]))
), t AS (
    SELECT m.*, {_after_end()} AS target FROM m
), moved AS (
    UPDATE runs SET
        last_seq = t.after, status = t.target,
        started_at = CASE WHEN t.starts THEN t.started_at ELSE runs.started_at END,
        server_id = coalesce(CAST(:server_id AS text), runs.server_id),
        ended_at = CASE WHEN t.target IN ({_in({s for s in RunStatus if s.is_final})}) THEN t.ended_at END,
        lease_expires_at = CASE WHEN t.target IN ({_in({s for s in RunStatus if s.is_final})}) THEN NULL ELSE runs.lease_expires_at END,
        error = CASE WHEN t.target = t.final THEN t.error ELSE runs.error END,
        status_reason = CASE WHEN t.target = t.final THEN t.reason WHEN t.starts THEN NULL ELSE runs.status_reason END,
        xid = CASE WHEN t.target <> runs.status THEN pg_current_xact_id() ELSE runs.xid END
    FROM t WHERE runs.run_id = t.run_id
    RETURNING runs.run_id, runs.last_seq, runs.status
)
SELECT h.run_id, h.location, h.before, moved.last_seq AS after, moved.status AS now
FROM held h LEFT JOIN moved USING (run_id)
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
