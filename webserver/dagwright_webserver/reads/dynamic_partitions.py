"""Partition keys that are added at run time: the names that definitions use, and the keys of one."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from dagwright_shared.model import partitions as partitioning
from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.keys import LocationName
from dagwright_shared.store import tables
from dagwright_webserver.reads import cursors
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.view import Moment, view


@view
class DynamicPartitionsView:
    """A name under which partition keys are added."""

    name: str
    """The name that definitions use."""
    count: int
    """How many keys there are."""
    assets: tuple[str, ...]
    """Assets that are partitioned by it, at most 100."""


@view
class DynamicPartitionsListView:
    """All names that definitions use."""

    items: tuple[DynamicPartitionsView, ...]
    """By name."""


@view
class DynamicKeyView:
    """A key."""

    key: str
    """The key."""
    created_at: Moment
    """When it was added."""


@view
class DynamicKeyListView:
    """One page of the keys of a name, newest first."""

    items: tuple[DynamicKeyView, ...]
    """The keys."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""
    total: int
    """How many keys there are."""


_MANY = 100
_table = tables.dynamic_partitions
_c = _table.c


@dataclass(slots=True)
class Users:
    """Who uses a name."""

    assets: list[str] = field(default_factory=list)
    locations: set[LocationName] = field(default_factory=set)


def users(defs: Definitions) -> dict[str, Users]:
    """Each name that definitions use."""
    found: dict[str, Users] = {}
    for key, places in defs.assets.items():
        for location, asset in places:
            for name in partitioning.dynamic_names(asset.partitions):
                using = found.setdefault(name, Users())
                using.locations.add(location)
                if key.to_user_string() not in using.assets[-1:]:
                    using.assets.append(key.to_user_string())
    for jobs in defs.jobs.values():
        for location, job in jobs:
            for name in partitioning.dynamic_names(job.partitions):
                found.setdefault(name, Users()).locations.add(location)
    return found


def list_names(conn: Connection, defs: Definitions) -> DynamicPartitionsListView:
    """The names that definitions use."""
    used = users(defs)
    query = select(_c.name, func.count().label("number")).where(_c.name.in_(used)).group_by(_c.name)
    counts: dict[str, int] = {row.name: row.number for row in conn.execute(query)}
    return DynamicPartitionsListView(
        items=tuple(
            DynamicPartitionsView(name=name, count=counts.get(name, 0), assets=tuple(using.assets[:_MANY]))
            for name, using in sorted(used.items())
        )
    )


def list_keys(
    conn: Connection, defs: Definitions, name: str, *, text: str | None = None, limit: int = 100, cursor: str | None = None
) -> DynamicKeyListView:
    """The keys of a name, newest first.

    Raises:
        NotFoundError: no definition uses the name.
    """
    known = users(defs)
    if name not in known:
        raise NotFoundError("dynamic partitions definition", name, known=known)
    total = conn.execute(select(func.count()).where(_c.name == name)).scalar_one()
    query = select(_c.key, _c.created_at, _c.ordinal).where(_c.name == name)
    if text:
        query = query.where(_c.key.icontains(text, autoescape=True))
    if cursor is not None:
        (ordinal,) = cursors.decode("dynamic-partitions", cursor, int)
        query = query.where(_c.ordinal < ordinal)
    rows = conn.execute(query.order_by(_c.ordinal.desc()).limit(limit + 1)).all()
    more = cursors.encode("dynamic-partitions", rows[limit - 1].ordinal) if len(rows) > limit else None
    items = tuple(DynamicKeyView(key=row.key, created_at=row.created_at) for row in rows[:limit])
    return DynamicKeyListView(items=items, next_cursor=more, total=total)
