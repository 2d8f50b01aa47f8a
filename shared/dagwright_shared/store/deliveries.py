"""Requests to webhooks: stored before they are answered, handled once each, and kept for a while to be looked at and replayed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ConflictError, NotFoundError
from dagwright_shared.model.keys import RunId
from dagwright_shared.model.ticks import Delivery, DeliveryStatus
from dagwright_shared.store import cursors, json_rows, listen, run_list, tables
from dagwright_shared.store.cursors import Page

TOPIC = "hooks"
_table = tables.webhook_deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A delivery and what became of it."""

    delivery: Delivery
    instigator_id: int
    status: DeliveryStatus
    verified: bool
    """Whether its signature was found right when it came; else that is looked at before it is handled."""
    handled_at: datetime | None
    tick_id: int | None
    replays: int
    reason: str | None
    run_ids: tuple[RunId, ...] = ()
    """Runs that the newest tick asked for."""


def receive(
    conn: Connection,
    instigator_id: int,
    *,
    external_id: str,
    fingerprint: str,
    headers: Mapping[str, str],
    body: bytes,
    verified: bool,
    refused: str | None = None,
) -> tuple[int, bool]:
    """Store a request; its number, and whether it is a new one.

    Args:
        fingerprint: the same for a request that is sent again; of two requests with one id but other content each is stored.
        refused: why its signature is not right.
    """
    row = conn.execute(
        _RECEIVE,
        {
            "instigator_id": instigator_id,
            "external_id": json_rows.clean(external_id),
            "fingerprint": fingerprint,
            "headers": json_rows.dumps(dict(headers)),
            "body": body,
            "verified": verified,
            "status": str(DeliveryStatus.RECEIVED if refused is None else DeliveryStatus.REJECTED),
            "reason": refused,
        },
    ).scalar()
    if row is None:
        same = conn.execute(
            select(_table.c.delivery_id).where(_table.c.instigator_id == instigator_id, _table.c.fingerprint == fingerprint)
        ).scalar_one()
        return int(same), False
    if refused is None:
        listen.notify(conn, TOPIC)
    return int(row), True


def waiting(conn: Connection, instigator_ids: Collection[int]) -> dict[int, Delivery]:
    """The oldest delivery of each sensor that is not handled yet. Those whose id has been handled before are marked as such on the way."""
    ids = {"ids": list(instigator_ids)}
    rows = conn.execute(_WAITING, ids).all()
    if rows and conn.execute(_SAME, {"ids": [row.instigator_id for row in rows]}).rowcount:
        rows = conn.execute(_WAITING, ids).all()
    return {row.instigator_id: _delivery(row) for row in rows}


def of_tick(conn: Connection, instigator_id: int, tick_id: int) -> Delivery | None:
    """What an open tick was begun for."""
    query = select(_table).where(
        _table.c.instigator_id == instigator_id, _table.c.tick_id == tick_id, _table.c.status == str(DeliveryStatus.RECEIVED)
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else _delivery(row)


def begin(conn: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """Note which tick takes which delivery, in the transaction that begins the ticks."""
    for delivery_id, tick_id in pairs:
        conn.execute(_table.update().where(_table.c.delivery_id == delivery_id).values(tick_id=tick_id))


def settle(conn: Connection, delivery_id: int, status: DeliveryStatus, reason: str | None = None) -> None:
    """Record what became of a delivery, in the transaction that ends its tick."""
    conn.execute(_SETTLE, {"id": delivery_id, "status": str(status), "reason": None if reason is None else json_rows.clean(reason)})


def replay(conn: Connection, instigator_id: int, delivery_id: int) -> DeliveryRow:
    """Have a delivery handled once more.

    Raises:
        NotFoundError: the sensor has no such delivery.
        ConflictError: it has not been handled yet.
    """
    changed = conn.execute(_REPLAY, {"id": delivery_id, "instigator_id": instigator_id}).scalar()
    found = get(conn, instigator_id, delivery_id)
    if changed is None:
        raise ConflictError(f"Delivery {delivery_id} waits to be handled; replay it when that is done")
    listen.notify(conn, TOPIC)
    return found


def get(conn: Connection, instigator_id: int, delivery_id: int) -> DeliveryRow:
    """One delivery of a sensor.

    Raises:
        NotFoundError: there is none of this number.
    """
    row = conn.execute(select(_table).where(_table.c.delivery_id == delivery_id, _table.c.instigator_id == instigator_id)).one_or_none()
    if row is None:
        raise NotFoundError("delivery", str(delivery_id))
    return _row(row, run_list.of_ticks(conn, [row.tick_id]) if row.tick_id is not None else {})


def list_page(
    conn: Connection, instigator_id: int, *, status: DeliveryStatus | None = None, limit: int = 50, cursor: str | None = None
) -> Page[DeliveryRow]:
    """Deliveries of a sensor, newest first.

    Raises:
        InvalidRequestError: a cursor of another list.
    """
    query = select(_table).where(_table.c.instigator_id == instigator_id).order_by(_table.c.delivery_id.desc()).limit(limit + 1)
    if status is not None:
        query = query.where(_table.c.status == str(status))
    if cursor:
        (before,) = cursors.decode(cursor, (int,))
        query = query.where(_table.c.delivery_id < before)
    rows = conn.execute(query).all()
    runs = run_list.of_ticks(conn, [row.tick_id for row in rows if row.tick_id is not None])
    return cursors.page([_row(row, runs) for row in rows], limit, lambda one: (one.delivery.delivery_id,))


def forget(conn: Connection, *, older_than_seconds: float) -> int:
    """Delete deliveries that came so long ago and do not wait; how many."""
    return conn.execute(_FORGET, {"seconds": older_than_seconds}).rowcount


def _delivery(row: Any) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        external_id=row.external_id,
        headers=row.headers,
        body=bytes(row.body),
        received_at=row.received_at,
    )


def _row(row: Any, runs: Mapping[int, tuple[RunId, ...]]) -> DeliveryRow:
    return DeliveryRow(
        delivery=_delivery(row),
        instigator_id=row.instigator_id,
        status=DeliveryStatus(row.status),
        verified=row.verified,
        handled_at=row.handled_at,
        tick_id=row.tick_id,
        replays=row.replays,
        reason=row.reason,
        run_ids=runs.get(row.tick_id, ()),
    )


_RECEIVE = text("""
INSERT INTO webhook_deliveries (instigator_id, external_id, fingerprint, headers, body, verified, status, reason, handled_at)
VALUES (:instigator_id, :external_id, :fingerprint, CAST(:headers AS jsonb), :body, :verified, :status, :reason,
    CASE WHEN :status <> 'RECEIVED' THEN clock_timestamp() END)
ON CONFLICT (instigator_id, fingerprint) DO NOTHING RETURNING delivery_id
""")
# A replay is meant to be handled again; only what came first is not.
_SAME = text("""
UPDATE webhook_deliveries d SET status = 'DUPLICATE', handled_at = clock_timestamp(),
    reason = 'Delivery ' || same.delivery_id || ' has the same id and has been handled.'
FROM webhook_deliveries same
WHERE d.instigator_id = ANY(:ids) AND d.status = 'RECEIVED' AND d.replays = 0
  AND same.instigator_id = d.instigator_id AND same.external_id = d.external_id AND same.status = 'HANDLED'
  AND same.delivery_id <> d.delivery_id
""")
_WAITING = text("""
SELECT oldest.* FROM unnest(CAST(:ids AS bigint[])) AS wanted(instigator_id) CROSS JOIN LATERAL (
    SELECT * FROM webhook_deliveries d WHERE d.instigator_id = wanted.instigator_id AND d.status = 'RECEIVED'
    ORDER BY d.delivery_id LIMIT 1) AS oldest
""")
_SETTLE = text("""
UPDATE webhook_deliveries SET status = :status, reason = :reason, handled_at = clock_timestamp() WHERE delivery_id = :id
""")
_REPLAY = text("""
UPDATE webhook_deliveries SET status = 'RECEIVED', replays = replays + 1, reason = NULL, handled_at = NULL
WHERE delivery_id = :id AND instigator_id = :instigator_id AND status <> 'RECEIVED' RETURNING delivery_id
""")
_FORGET = text("""
DELETE FROM webhook_deliveries WHERE received_at < now() - make_interval(secs => :seconds) AND status <> 'RECEIVED'
""")
