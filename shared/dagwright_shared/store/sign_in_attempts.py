"""Attempts to log in, counted over all webservers, so that nobody can guess on, and nobody keeps others out by guessing."""

from __future__ import annotations

from sqlalchemy import Connection, text

from dagwright_shared.store import json_rows

WINDOW_SECONDS = 900.0
PER_PAIR, PER_ADDRESS, PER_ACCOUNT = 10, 50, 100
"""Failures in the window after which one has to wait: for a user from an address, from an address, and for a user from anywhere.

The last one is for guesses from many addresses. Where the user has a session it does not hold, so that guessers cannot keep the user out.
"""


def begin(conn: Connection, account: str, address: str) -> tuple[int, float]:
    """Count an attempt before it is tried, so that many at once are counted too.

    Returns:
        Its number, for `succeeded`; and for how many seconds it is refused, 0 when it may be tried.
    """
    parameters = {"account": json_rows.clean(account).lower()[:300], "address": address, "window": WINDOW_SECONDS}
    # Commits by itself where the connection does so; those who come at the same moment see each other then.
    attempt: int = conn.execute(_BEGIN, parameters).scalar_one()
    row = conn.execute(_COUNT, parameters).one()
    counted = [(row.of_pair, row.pair_wait, PER_PAIR), (row.of_address, row.address_wait, PER_ADDRESS)]
    if not row.at_home:
        counted.append((row.of_account, row.account_wait, PER_ACCOUNT))
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
SELECT a.number AS of_account, a.wait AS account_wait, a.pair_number AS of_pair, a.pair_wait,
    b.number AS of_address, b.wait AS address_wait,
    EXISTS (SELECT FROM sessions s JOIN users u ON u.user_id = s.user_id
        WHERE lower(u.name) = :account AND s.address = :address AND s.expires_at > clock_timestamp()) AS at_home
FROM (SELECT count(*) AS number, extract(epoch FROM min(time) - clock_timestamp()) + :window AS wait,
          count(*) FILTER (WHERE address = :address) AS pair_number,
          extract(epoch FROM min(time) FILTER (WHERE address = :address) - clock_timestamp()) + :window AS pair_wait
      FROM sign_in_attempts WHERE account = :account AND time > clock_timestamp() - make_interval(secs => :window)) a,
     (SELECT count(*) AS number, extract(epoch FROM min(time) - clock_timestamp()) + :window AS wait
      FROM sign_in_attempts WHERE address = :address AND time > clock_timestamp() - make_interval(secs => :window)) b
""")
_FORGET = text("DELETE FROM sign_in_attempts WHERE time < clock_timestamp() - make_interval(secs => :window)")
