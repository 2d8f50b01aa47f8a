"""The commit horizon: all transactions of this database below it have ended, what they wrote can be seen, and nothing more comes.

Postgres numbers the transactions of all databases of a cluster together, and `pg_snapshot_xmin` is the oldest of them that is open:
an hour's work in a database next door would hold back every reader here for an hour. So the function `commit_horizon()` leaves out those
that are known, by the lock that each holds on its own number, to be of another database.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

SQL = "(SELECT commit_horizon())"
"""Of type xid8. A subquery, so that a statement asks once, not for each partition of a table."""


def current(conn: Connection) -> int:
    """Where a reader that follows a table goes on next time."""
    return int(conn.execute(_CURRENT).scalar_one())


_CURRENT = text(f"SELECT CAST(CAST({SQL} AS text) AS bigint)")
