"""Which loops this daemon leads: leases in the database, proven by a clock that cannot be set back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from dagwright_daemon.loop import Report
from dagwright_daemon.outage import Outage
from dagwright_shared.decide.recovery import Answering
from dagwright_shared.store import leases, listen, schema

log = logging.getLogger("dagwright_daemon")

TOPIC = "leases"
"""Notified when a daemon lets go of its leases, so that another takes over at once."""
LEASE_SECONDS, RENEW_SECONDS = 3.6, 1.2
_HEARTBEAT_SECONDS = 5.0
_COMPLAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """This daemon, as others see it."""

    daemon_id: str
    host: str
    pid: int
    started_at: datetime


class Leadership:
    """A thread that takes and renews the leases of all loops in one statement, and writes the daemon's heartbeat.

    Invariant: `owned` is true only while the database would refuse the lease to anybody else. The time is counted from
    before the statement was sent, so a slow answer shortens what is left of it.
    """

    def __init__(
        self,
        engine: Engine,
        identity: Identity,
        *,
        changed: Callable[[str], None],
        reports: Callable[[], Mapping[str, Report]],
    ) -> None:
        """
        Args:
            changed: called with the name of a loop that has been won or lost.
            reports: how the loops fare, for the heartbeat.
        """
        self.outage = Outage(began=self._broke)
        self._engine, self._identity = engine, identity
        self.names: tuple[str, ...] = ()
        """The loops to lead; set before the start."""
        self._changed, self._reports = changed, reports
        self._until: dict[str, float] = {}
        self._answering = Answering()
        self._ready, self._complained = False, float("-inf")
        self._lock = threading.Lock()
        self._poke, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def owned(self, name: str) -> bool:
        """Whether this daemon leads the loop, for certain."""
        return time.monotonic() < self._until.get(name, 0.0)

    def trusts_lapses(self, lease_seconds: float) -> bool:
        """Whether the database has answered without a break for at least one lease of a run."""
        return self._answering.trusts_lapses(time.monotonic(), lease_seconds=lease_seconds)

    def poke(self) -> None:
        """Look at the leases now: another daemon has let go."""
        self._poke.set()

    def stop(self, timeout: float = 2.0) -> None:
        """Release all leases and tell the others. Call when the loops have ended."""
        self._stopping.set()
        self._poke.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        self._until = {}
        try:
            with self._engine.begin() as conn:
                leases.release(conn, self.names, self._identity.daemon_id)
                leases.remove_daemon(conn, self._identity.daemon_id)
                listen.notify(conn, TOPIC)
        except DBAPIError:
            log.info("the database is away: the leases will lapse", extra={"action": "stop"})

    def _run(self) -> None:
        beaten = 0.0
        while not self._stopping.is_set():
            self._poke.clear()
            asked = time.monotonic()
            beat = asked - beaten >= _HEARTBEAT_SECONDS
            try:
                with self._engine.begin() as conn:
                    ready = self._has_schema(conn)
                    held = leases.acquire(conn, self.names, self._identity.daemon_id, LEASE_SECONDS) if ready else {}
                    beat = beat and ready
                    if beat:
                        self._heartbeat(conn)
            except Exception as error:
                if Outage.is_one(error):
                    self.outage.failed(error)
                else:
                    log.exception("leases cannot be renewed", extra={"action": "leases"})
            else:
                beaten = asked if beat else beaten
                self._answered(asked, held)
            self._tell_losses()
            self._poke.wait(RENEW_SECONDS)

    def _has_schema(self, conn: Connection) -> bool:
        """Whether the tables are there; until they are, nothing is led."""
        if self._ready:
            return True
        self._ready = schema.current(conn)
        if not self._ready and time.monotonic() - self._complained >= _COMPLAIN_SECONDS:
            self._complained = time.monotonic()
            log.warning("the database has not the schema of this version; waiting for `dagwright db upgrade`", extra={"action": "schema"})
        return self._ready

    def _heartbeat(self, conn: Connection) -> None:
        me = self._identity
        loops = {name: _as_json(report) for name, report in self._reports().items()}
        leases.heartbeat_daemon(conn, daemon_id=me.daemon_id, host=me.host, pid=me.pid, started_at=me.started_at, loops=loops)

    def _answered(self, asked: float, held: Collection[str]) -> None:
        with self._lock:
            self._answering = self._answering.answered(asked, longest_gap=RENEW_SECONDS + LEASE_SECONDS)
        self.outage.answered()
        before = set(self._until)
        self._until = dict.fromkeys(held, asked + LEASE_SECONDS)
        won = [name for name in held if name not in before]
        if won:
            log.info("leading", extra={"action": "lead", "loops": ",".join(sorted(won))})
        self._say_lost(before - set(held))
        for name in {*won, *(before - set(held))}:
            self._changed(name)

    def _tell_losses(self) -> None:
        """Leases that ran out while the database was away."""
        now = time.monotonic()
        lost = [name for name, until in self._until.items() if until <= now]
        if lost:
            self._until = {name: until for name, until in self._until.items() if until > now}
            self._say_lost(lost)
            for name in lost:
                self._changed(name)

    @staticmethod
    def _say_lost(names: Collection[str]) -> None:
        if names:
            log.info("not leading any more", extra={"action": "lead", "loops": ",".join(sorted(names))})

    def _broke(self) -> None:
        with self._lock:
            self._answering = self._answering.broke()


def _as_json(report: Report) -> dict[str, object]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(report).items()}
