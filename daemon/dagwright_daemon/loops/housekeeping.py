"""Housekeeping: partitions of the event table ahead of time, history that has served its time, rows that nobody needs any more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from dagwright_daemon.loop import IDLE, Loop, Outcome, Turn
from dagwright_shared.decide import retention as decide
from dagwright_shared.decide.retention import Delete, Drop, Purge
from dagwright_shared.model.retention import EventClass, Policy
from dagwright_shared.store import (
    audit,
    automation,
    deliveries,
    events,
    idempotency,
    leases,
    locations,
    retention,
    sessions,
    sign_in_attempts,
)

log = logging.getLogger("dagwright_daemon.housekeeping")

STALE_PROCESSES = 3600.0
"""A code server or daemon whose heartbeat is older, in seconds, is not shown any more."""
IDEMPOTENCY_KEYS = 86_400.0
"""For how many seconds a repeated request is recognized."""
EVALUATIONS, QUIET_EVALUATIONS = 30 * 86_400.0, 7 * 86_400.0
"""For how many seconds it is kept what came of automation conditions: of those that asked for something, and of the others."""
DELIVERIES = 7 * 86_400.0
"""For how many seconds requests to webhooks are listed and can be replayed; those that wait stay."""
SESSIONS = 90 * 86_400.0
"""After so many seconds without a request a session is deleted; it has ended long before, by the settings."""
_ROWS = 5_000
"""In one transaction."""
_RUNS = 500
_PIECES = 40
"""Of each kind in one tick; the next one goes on."""
FOREVER = Policy(events={}, ticks={})


class Housekeeping:
    """Keeps the database ready and tidy; each part is harmless when done twice."""

    def __init__(self, engine: Engine, policy: Policy = FOREVER) -> None:
        self._engine, self._policy = engine, policy

    def loop(self) -> Loop:
        return Loop(name="housekeeping", interval=600.0, rest=0.2, topics=frozenset(), tick=self.tick)

    def tick(self, turn: Turn) -> Outcome:
        with self._engine.begin() as conn:
            events.ensure_partitions(conn, turn.now)
        swept = self._sweep()
        purged, more = self._purge(turn)
        facts = {**swept, **purged}
        removed = sum(facts.values())
        return Outcome(done=removed, facts=facts, more=more) if removed or more else IDLE

    def _sweep(self) -> dict[str, int]:
        with self._engine.begin() as conn:
            return {
                "code_servers": len(locations.remove_lost_servers(conn, older_than_seconds=STALE_PROCESSES)),
                "daemons": len(leases.remove_lost_daemons(conn, older_than_seconds=STALE_PROCESSES)),
                "evaluations": automation.forget_evaluations(conn, seconds=EVALUATIONS, quiet_seconds=QUIET_EVALUATIONS),
                "deliveries": deliveries.forget(conn, older_than_seconds=DELIVERIES),
                "sessions": sessions.forget(conn, idle_seconds=SESSIONS),
                "sign_in_attempts": sign_in_attempts.forget(conn),
                "idempotency_keys": idempotency.forget(conn, older_than_seconds=IDEMPOTENCY_KEYS),
            }

    def _purge(self, turn: Turn) -> tuple[dict[str, int], bool]:
        """One bounded round; whether another has something to do."""
        policy, done, more = self._policy, {}, False
        if policy.logs is not None:
            done["logs"], again = self._pieces(turn, partial(retention.delete_logs, older_than=policy.logs, limit=_RUNS))
            more |= again
        for status, keep in policy.ticks.items():
            if keep is not None:
                count, again = self._rows(turn, partial(retention.delete_ticks, status=status, older_than=keep, limit=_ROWS), _ROWS)
                done["ticks"] = done.get("ticks", 0) + count
                more |= again
        if policy.runs is not None:
            done["runs"], again = self._rows(turn, partial(retention.delete_runs, older_than=policy.runs, limit=_RUNS), _RUNS)
            more |= again
        if policy.audit is not None:
            done["audit"], again = self._rows(turn, partial(audit.forget, older_than=policy.audit, limit=_ROWS), _ROWS)
            more |= again
        with self._engine.connect() as conn:
            marks = retention.marks(conn)
            purged = {kind: marks[kind] for kind in EventClass if kind in marks}
            due = decide.purges(retention.weeks(conn), policy, purged, turn.now)
        for purge in due:
            count, again = self._purge_events(turn, purge)
            done["events"] = done.get("events", 0) + count
            more |= again
        return done, more

    def _purge_events(self, turn: Turn, purge: Purge) -> tuple[int, bool]:
        match purge:
            case Drop(week=week):
                try:
                    with self._engine.begin() as conn:
                        kept = retention.drop_week(conn, week)
                except OperationalError as error:  # somebody holds the table for long: the next tick tries again
                    log.info("a week of events could not be dropped yet", extra={"week": week, "error": str(error.orig).splitlines()[0]})
                    return 0, False
                log.info("dropped a week of events", extra={"action": "purge", "week": week, "kept": kept})
                return 1, False
            case Delete(week=week, events=kind):
                count, more = self._rows(turn, partial(retention.delete_events, week=week, kind=kind, limit=_ROWS), _ROWS)
                if not more:
                    with self._engine.begin() as conn:
                        retention.mark(conn, {kind: week})
                return count, more

    def _rows(self, turn: Turn, piece: Callable[[Connection], int], full: int) -> tuple[int, bool]:
        def once(conn: Connection) -> tuple[int, bool]:
            count = piece(conn)
            return count, count == full

        return self._pieces(turn, once)

    def _pieces(self, turn: Turn, piece: Callable[[Connection], tuple[int, bool]]) -> tuple[int, bool]:
        """One transaction after another, until there is no more, it is enough for now, or the loop is another daemon's."""
        total = 0
        for _ in range(_PIECES):
            if not turn.owned():
                return total, False
            with self._engine.begin() as conn:
                count, more = piece(conn)
            total += count
            if not more:
                return total, False
        return total, True
