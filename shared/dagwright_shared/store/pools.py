"""Pools: names under which steps share a number of slots."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    name: str
    slots: int
    used: int


def define(conn: Connection, name: str, slots: int) -> None:
    """Set how many slots a pool has; fewer than are in use lets those finish."""
    if slots < 0:
        raise ValueError(f"Pool {name!r} cannot have {slots} slots; give 0 or more")
    conn.execute(_DEFINE, {"name": name, "slots": slots})


def remove(conn: Connection, name: str) -> bool:
    """Drop a pool: its steps are unlimited from then on. False: there was none."""
    return bool(conn.execute(text("DELETE FROM pools WHERE name = :name"), {"name": name}).rowcount)


def list(conn: Connection) -> tuple[PoolRow, ...]:
    """All pools, by name."""
    return tuple(PoolRow(name=row.name, slots=row.slots, used=row.used) for row in conn.execute(_LIST))


_DEFINE = text("INSERT INTO pools (name, slots) VALUES (:name, :slots) ON CONFLICT (name) DO UPDATE SET slots = EXCLUDED.slots")
_LIST = text("""
SELECT name, slots, (SELECT count(*) FROM pool_slots s WHERE s.pool = pools.name) AS used FROM pools ORDER BY name
""")
