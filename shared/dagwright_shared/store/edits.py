"""Locks of things that people edit, for changes that depend on what the thing is just now."""

from __future__ import annotations

from sqlalchemy import Connection, text


def hold(conn: Connection, what: str) -> None:
    """Have every other change of the same thing wait for the end of this transaction.

    Args:
        what: its noun and name, such as `pool db`.
    """
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('dagwright edit ' || CAST(:what AS text), 0))"), {"what": what})
