"""Limits and pools: what may run at once, who holds which slots, and who waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.limits import Limits
from dagwright_shared.store import limits, pools
from dagwright_shared.store.pools import PoolRow, SlotRow
from dagwright_webserver.reads.etags import etag_of
from dagwright_webserver.reads.view import Moment, view

_SHOWN = 200


@view
class SlotView:
    """A slot that is held, or waited for."""

    run_id: str
    """UUID."""
    job: str | None
    """The run's job; null when assets were picked freely."""
    step_key: str | None
    """The step; null where the run as a whole claims it."""
    attempt: int
    """Attempt of the step."""
    requested_at: Moment
    """When it was asked for."""
    acquired_at: Moment | None
    """When it was had; null while it is waited for."""


@view
class PoolView:
    """A concurrency pool."""

    name: str
    """Its name."""
    slots: int | None
    """How many may hold it at a time; null: any number."""
    used: int
    """How many do."""
    waiting: int
    """How many wait for one."""
    defined: bool
    """Whether its slots have been set; else the default of the deployment holds."""
    holders: tuple[SlotView, ...]
    """Who holds slots, the longest first; the first two hundred."""
    waiters: tuple[SlotView, ...]
    """Who waits, the next at the top; the first two hundred."""
    etag: str
    """Of its slots, for `If-Match` of a change."""


@view
class PoolListView:
    """All pools that have a limit, are in use or are waited for."""

    items: tuple[PoolView, ...]
    """By name."""
    next_cursor: str | None
    """Always null: all are listed."""


@view
class LimitsView:
    """What may run at once."""

    max_concurrent_runs: int
    """Active runs, over all locations."""
    reserved_runs: int | None
    """Places of these that runs of backfills and automation leave free; null: a fifth, at least one."""
    background_runs: int
    """How many runs of backfills and automation may be active, as it follows from these two."""
    tag_concurrency_limits: tuple[Mapping[str, Any], ...]
    """Runs with a tag: `key`, `value` (a value, or `{"applyLimitPerUniqueValue": true}`, or left out) and `limit`."""
    location_limits: Mapping[str, int]
    """Active runs of a location, by its name."""
    default_pool_slots: int | None
    """Slots of a pool that has none set; null: any number."""
    pool_granularity: str
    """Whether each `step` claims slots, or a `run` as a whole."""
    changed: tuple[str, ...]
    """Which of these were changed by REST, and so differ from the settings."""
    etag: str
    """Of all of these, for `If-Match` of a change."""


def read_pools(conn: Connection, settings: Limits, name: str | None = None) -> tuple[PoolView, ...]:
    """Pools with holders and waiters.

    Args:
        name: only this one.
    """
    rows = [row for row in pools.list(conn, limits.read(conn, settings)) if name in (None, row.name)]
    slots: dict[str, list[SlotRow]] = {row.name: [] for row in rows}
    for slot in pools.slots(conn, slots) if rows else ():
        slots[slot.pool].append(slot)
    return tuple(
        PoolView(
            name=row.name,
            slots=row.slots,
            used=row.used,
            waiting=row.waiting,
            defined=row.defined,
            holders=tuple(_slot(slot) for slot in slots[row.name] if slot.acquired_at is not None)[:_SHOWN],
            waiters=tuple(_slot(slot) for slot in slots[row.name] if slot.acquired_at is None)[:_SHOWN],
            etag=pool_etag(row if row.defined else None),
        )
        for row in rows
    )


def read_pool(conn: Connection, settings: Limits, name: str) -> PoolView:
    """One pool.

    Raises:
        NotFoundError: nobody has set its slots, and nobody uses it.
    """
    found = read_pools(conn, settings, name)
    if not found:
        raise NotFoundError("pool", name, known=[row.name for row in pools.list(conn, settings)])
    return found[0]


def read_limits(conn: Connection, settings: Limits) -> LimitsView:
    """The limits in force."""
    changed = limits.changes(conn)
    force = limits.over(settings, changed)
    values = force.to_json()
    values["tag_concurrency_limits"] = tuple(values["tag_concurrency_limits"])
    etag = etag_of("limits", force.to_json(), changed)
    return LimitsView(**values, background_runs=force.background_runs, changed=tuple(sorted(changed)), etag=etag)


def pool_etag(defined: PoolRow | None) -> str:
    """Of what can be edited: the slots that were set; None: nobody has set them."""
    return etag_of("pool", None if defined is None else defined.slots)


def _slot(slot: SlotRow) -> SlotView:
    return SlotView(
        run_id=slot.run_id,
        job=slot.job_name,
        step_key=slot.step_key or None,
        attempt=slot.attempt,
        requested_at=slot.requested_at,
        acquired_at=slot.acquired_at,
    )
