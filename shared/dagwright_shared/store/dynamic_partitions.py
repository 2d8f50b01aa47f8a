"""Partition keys added at run time, under a name that several assets may share."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, text

from dagwright_shared.store import listen, tables

_table = tables.dynamic_partitions


def add(conn: Connection, name: str, keys: Sequence[str]) -> list[str]:
    """Add keys, in this order; returns those that were new."""
    added = set(conn.execute(_ADD, {"name": name, "keys": list(dict.fromkeys(keys))}).scalars())
    if added:
        listen.notify(conn, "assets")
    return [key for key in dict.fromkeys(keys) if key in added]


def delete(conn: Connection, name: str, keys: Sequence[str]) -> int:
    """Remove keys; what was materialized stays. Returns how many there were."""
    removed = conn.execute(_DELETE, {"name": name, "keys": list(keys)}).rowcount
    if removed:
        listen.notify(conn, "assets")
    return removed


def keys(conn: Connection, name: str) -> list[str]:
    """The keys of a name, in the order of adding."""
    return list(conn.execute(select(_table.c.key).where(_table.c.name == name).order_by(_table.c.ordinal)).scalars())


def every(conn: Connection) -> dict[str, tuple[str, ...]]:
    """All names with their keys, as `model.partitions` takes them."""
    found: dict[str, list[str]] = {}
    for name, key in conn.execute(select(_table.c.name, _table.c.key).order_by(_table.c.name, _table.c.ordinal)):
        found.setdefault(name, []).append(key)
    return {name: tuple(known) for name, known in found.items()}


_ADD = text("""
INSERT INTO dynamic_partitions (name, key) SELECT :name, k FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS w(k, place) ORDER BY place
ON CONFLICT (name, key) DO NOTHING RETURNING key
""")
_DELETE = text("DELETE FROM dynamic_partitions WHERE name = :name AND key = ANY(CAST(:keys AS text[]))")
