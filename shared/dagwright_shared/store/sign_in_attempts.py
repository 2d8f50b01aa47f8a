"""Attempts to log in, counted over all webservers, so that nobody can guess on."""

from __future__ import annotations

from sqlalchemy import Connection, text

from dagwright_shared.store import json_rows

WINDOW_SECONDS = 900.0
PER_ACCOUNT, PER_ADDRESS = 10, 50
"""Failures in the window after which a user, or an address, has to wait."""


def begin(conn: Connection, account: str, address: str) -> tuple[int, float]:
    """Count an attempt before it is tried, so that many at once are counted too.

    Returns:
        Its number, for `succeeded`; and for how many seconds it is refused, 0 when it may be tried.
    """
    parameters = {"account": json_rows.clean(account).lower()[:300], "address": address, "window": WINDOW_SECONDS}
    # Commits by itself where the connection does so; those who come at the same moment see each other then.
    attempt: int = conn.execute(_BEGIN, parameters).scalar_one()
    row = conn.execute(_COUNT, parameters).one()
    counted = ((row.of_account, row.account_wait, PER_ACCOUNT), (row.of_address, row.address_wait, PER_ADDRESS))
    waits = [wait for count, wait, most in counted if count > most]
    if not waits:
        return attempt, 0.0
    # What is refused is not counted: who hammers on would never be let in again.
    succeeded(conn, attempt)
    return attempt, max(1.0, *map(float, waits))


def succeeded(conn: Connection, attempt: int) -> None:
    """Do not count an attempt any more."""
    conn.execute(text("DELETE FROM sign_in_attempts WHERE attempt_id = :attempt"), {"attempt": attempt})


def forget(conn: Connection) -> int:
    """Delete attempts that count no more; how many."""
    return conn.execute(_FORGET, {"window": WINDOW_SECONDS}).rowcount


_BEGIN = text("INSERT INTO sign_in_attempts (account, address) VALUES (:account, :address) RETURNING attempt_id")
_COUNT = text("""
SELECT a.number AS of_account, a.wait AS account_wait, b.number AS of_address, b.wait AS address_wait
FROM (SELECT count(*) AS number, extract(epoch FROM min(time) - clock_timestamp()) + :window AS wait
      FROM sign_in_attempts WHERE account = :account AND time > clock_timestamp() - make_interval(secs => :window)) a,
     (SELECT count(*) AS number, extract(epoch FROM min(time) - clock_timestamp()) + :window AS wait
      FROM sign_in_attempts WHERE address = :address AND time > clock_timestamp() - make_interval(secs => :window)) b
""")
_FORGET = text("DELETE FROM sign_in_attempts WHERE time < clock_timestamp() - make_interval(secs => :window)")
