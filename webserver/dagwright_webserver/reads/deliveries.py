"""What came to webhooks, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from dagwright_shared.model.ticks import DeliveryStatus
from dagwright_shared.store import deliveries
from dagwright_shared.store.deliveries import DeliveryRow
from dagwright_webserver.reads.view import Moment, view


@view
class DeliveryView:
    """A request to a webhook."""

    delivery_id: int
    """Its number."""
    sensor: str
    """The webhook sensor."""
    id: str
    """As the sender named it, or the hash of its body."""
    status: DeliveryStatus
    """RECEIVED, HANDLED, DUPLICATE, REJECTED or FAILED."""
    reason: str | None
    """Why it was rejected, failed, or led to no run."""
    received_at: Moment
    """When it came."""
    handled_at: Moment | None
    """When that was done."""
    tick_id: int | None
    """The newest tick that took it."""
    run_ids: tuple[str, ...]
    """Runs that it led to."""
    replays: int
    """How often it was replayed."""
    headers: Mapping[str, str]
    """Its headers, without those that may hold credentials."""
    body: str
    """Its body as text, at most 64 KiB of it."""
    body_bytes: int
    """Size of its body."""


@view
class DeliveryListView:
    """One page of deliveries, newest first."""

    items: tuple[DeliveryView, ...]
    """The deliveries."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


_SHOWN_BYTES = 64 * 1024


def list_deliveries(
    conn: Connection, sensor: str, instigator_id: int, *, status: DeliveryStatus | None, limit: int, cursor: str | None
) -> DeliveryListView:
    """What came to one webhook, newest first."""
    page = deliveries.list_page(conn, instigator_id, status=status, limit=limit, cursor=cursor)
    return DeliveryListView(items=tuple(delivery_view(sensor, row) for row in page.items), next_cursor=page.next_cursor)


def delivery_view(sensor: str, row: DeliveryRow) -> DeliveryView:
    """A delivery as it is shown."""
    delivery = row.delivery
    return DeliveryView(
        delivery_id=delivery.delivery_id,
        sensor=sensor,
        id=delivery.external_id,
        status=row.status,
        reason=row.reason,
        received_at=delivery.received_at,
        handled_at=row.handled_at,
        tick_id=row.tick_id,
        run_ids=tuple(row.run_ids),
        replays=row.replays,
        headers=delivery.headers,
        body=delivery.body[:_SHOWN_BYTES].decode(errors="replace"),
        body_bytes=len(delivery.body),
    )
