"""What came of an asset's automation condition, tick by tick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.store import automation
from dagwright_webserver.reads.view import Moment, view


@view
class ConditionEvaluationView:
    """One evaluation of a condition."""

    evaluation_id: int
    """Its number."""
    location: str
    """The code location of the sensor."""
    sensor: str
    """The sensor that evaluated it."""
    time: Moment
    """When."""
    requested: int
    """How many partitions it asked for; 1 or 0 of an asset without partitions."""
    run_ids: tuple[str, ...]
    """The runs that the tick asked for."""
    tree: Mapping[str, Any]
    """The condition: `name`, `label`, `true` (partitions as ranges of keys, or true and false), `count`, `candidates`, `parts`."""


@view
class ConditionEvaluationListView:
    """One page of evaluations, newest first. Those that asked for nothing are listed where something about them had changed."""

    items: tuple[ConditionEvaluationView, ...]
    """The evaluations."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


def list_evaluations(
    conn: Connection, key: AssetKey, *, check: str | None = None, limit: int = 50, cursor: str | None = None
) -> ConditionEvaluationListView:
    """The evaluations of an asset's condition, or of one of its checks'."""
    page = automation.evaluations(conn, AssetCheckKey(key, check) if check else key, limit=limit, cursor=cursor)
    found = tuple(
        ConditionEvaluationView(
            evaluation_id=row.evaluation_id,
            location=row.location,
            sensor=row.sensor,
            time=row.time,
            requested=row.requested,
            run_ids=row.run_ids,
            tree=row.tree,
        )
        for row in page.items
    )
    return ConditionEvaluationListView(items=found, next_cursor=page.next_cursor)
