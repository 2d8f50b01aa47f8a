"""Housekeeping: partitions of the event table ahead of time, and rows that nobody needs any more."""

from __future__ import annotations

from sqlalchemy import Engine

from dagwright_daemon.loop import IDLE, Loop, Outcome, Turn
from dagwright_shared.store import events, idempotency, leases, locations

STALE_PROCESSES = 3600.0
"""A code server or daemon whose heartbeat is older, in seconds, is not shown any more."""
IDEMPOTENCY_KEYS = 86_400.0
"""For how many seconds a repeated request is recognized."""


class Housekeeping:
    """Keeps the database ready and tidy; each part is harmless when done twice."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def loop(self) -> Loop:
        return Loop(name="housekeeping", interval=600.0, topics=frozenset(), tick=self.tick)

    def tick(self, turn: Turn) -> Outcome:
        with self._engine.begin() as conn:
            events.ensure_partitions(conn, turn.now)
        return self._sweep()

    def _sweep(self) -> Outcome:
        with self._engine.begin() as conn:
            facts = {
                "code_servers": len(locations.remove_lost_servers(conn, older_than_seconds=STALE_PROCESSES)),
                "daemons": len(leases.remove_lost_daemons(conn, older_than_seconds=STALE_PROCESSES)),
                "idempotency_keys": idempotency.forget(conn, older_than_seconds=IDEMPOTENCY_KEYS),
            }
        removed = sum(facts.values())
        return Outcome(done=removed, facts=facts) if removed else IDLE
