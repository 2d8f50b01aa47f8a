"""The queue: claims as many queued runs as there is room for, has them launched concurrently, and passes on cancels.

Where only numbers of runs are limited, one statement claims. With limits by tag or location, or pools claimed by runs, the facts are
read and `decide.queue` chooses. Until a launch has been acknowledged this loop renews the lease of its run; from then on the code
server does, so a code server that dies right after its answer is found as soon as any other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, Engine

from dagwright_daemon import crash_points
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_daemon.outage import Outage
from dagwright_daemon.pool import Pool
from dagwright_daemon.servers import CodeServers, Server
from dagwright_shared.decide import queue as decide
from dagwright_shared.decide import retries
from dagwright_shared.model.errors import UnavailableError, error_info
from dagwright_shared.model.keys import LocationName, RunId
from dagwright_shared.model.limits import Granularity, Limits
from dagwright_shared.model.runs import LaunchSpec, Run, RunStatus
from dagwright_shared.store import limits, pools, queue, runs

log = logging.getLogger("dagwright_daemon.queue")

_BATCH = 200
_CANDIDATES = 1_000
_LAUNCHES_AT_ONCE = 16
"""For each code server, so that one that hangs holds up its own runs alone."""
_CANCEL_AGAIN_SECONDS = 5.0
_STORE_TRIES = 20
_UNSTARTED = frozenset({RunStatus.STARTING})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suspect:
    """A code server that did not take a run."""

    failures: int
    """In a row."""
    until: datetime
    """Left alone until then."""


class Queue:
    """The only place where runs are launched."""

    def __init__(
        self,
        engine: Engine,
        servers: CodeServers,
        catalog: Catalog,
        *,
        settings: Limits,
        launch_timeout: float,
        lease_seconds: float,
        log_limit_bytes: int,
    ) -> None:
        """
        Args:
            settings: the limits that hold where nobody has changed them.
            launch_timeout: seconds that a code server has to take a claimed run.
            lease_seconds: for how long a run is vouched for at a time.
        """
        self._engine, self._servers, self._catalog = engine, servers, catalog
        self._settings, self._launch_timeout, self._lease_seconds = settings, launch_timeout, lease_seconds
        self._log_limit = log_limit_bytes
        self._threads: dict[str, Pool] = {}
        self._lock = threading.Lock()
        self._launching: dict[tuple[RunId, int], float] = {}
        self._canceled: dict[tuple[RunId, int], float] = {}
        self._later: frozenset[datetime] = frozenset()
        self._suspects: dict[str, _Suspect] = {}

    def loop(self) -> Loop:
        return Loop(name="queue", interval=2.0, topics=frozenset({"queue", "locations"}), tick=self.tick, release=self.release)

    def tick(self, turn: Turn) -> Outcome:
        """Claim, hand out, and see to what is being canceled."""
        servers = self._servers.current()
        trusted, probed = self._sort(servers, turn.now)
        self._vouch()
        crash_points.reach("before runs are claimed")
        with self._engine.begin() as conn:
            # Each end of a run wakes this loop: where nothing waits, that costs one statement.
            counts = queue.counts(conn)
            claimed = self._claim(conn, counts, trusted, _BATCH)
            for location in probed:
                claimed += self._claim(conn, queue.counts(conn), [location], 1)
            specs = {run.run_id: self._spec(conn, run) for run in claimed}
            canceling = runs.canceling(conn) if counts.canceling else []
        crash_points.reach("after runs were claimed")
        for run in decide.order(claimed):
            self._hand_out(run, specs[run.run_id], servers[run.location])
        canceled = self._cancel(canceling, servers)
        with self._lock:
            self._later = frozenset(moment for moment in self._later if moment > turn.now)
        return Outcome(done=len(claimed) + canceled, more=len(claimed) == _BATCH, wake_at=self._later, facts={"claimed": len(claimed)})

    def _claim(self, conn: Connection, counts: queue.Counts, locations: Sequence[LocationName], most: int) -> list[Run]:
        """Take at most so many runs of these locations."""
        if not locations or not counts.waiting:
            return []
        force = limits.over(self._settings, counts.changes)
        room = decide.room(force, active=counts.active, background=counts.background)
        if room.runs <= 0:
            return []
        if not force.is_plain:
            return self._choose(conn, force, locations, most)
        most = min(most, room.runs)
        return runs.claim(conn, limit=most, background=room.background, lease_seconds=self._lease_seconds, locations=locations)

    def _choose(self, conn: Connection, force: Limits, locations: Sequence[LocationName], most: int) -> list[Run]:
        """The same where more is limited than numbers of runs."""
        claimed: list[Run] = []
        while len(claimed) < most:
            # Each round leaves out what the one before has used up, so that many runs that wait do not hide others behind them.
            chosen, more = self._choose_among(conn, force, locations, most - len(claimed))
            claimed += chosen
            if not chosen or not more:
                break
        return claimed

    def _choose_among(self, conn: Connection, force: Limits, locations: Sequence[LocationName], most: int) -> tuple[list[Run], bool]:
        """From the first that wait; and whether there are more."""
        now, active = datetime.now(UTC), tuple(queue.active(conn))
        room = decide.room(force, active=len(active), background=sum(run.background for run in active))
        facts = decide.Facts(limits=force, now=now, active=active, locations=locations)
        full = decide.exhausted(facts)
        queued = queue.candidates(conn, locations=locations, background=room.background > 0, without=full, limit=_CANDIDATES)
        if force.pool_granularity is Granularity.RUN:
            known = self._catalog.current(conn)
            wanted = {run.run_id: decide.pools_of(known[run.location].snapshot, run) for run in queued if run.location in known}
            pools.lock(conn, {name for names in wanted.values() for name in names})
            use = {name: decide.PoolUse(slots=slots, used=used) for name, (used, slots) in pools.usage(conn, force).items()}
            facts = replace(facts, pools=use, wanted=wanted)
        # The clock of the database has said that they are due.
        chosen = decide.choose(facts, [replace(run, not_before=None) for run in queued], most=most).start
        ids = [run.run_id for run in chosen]
        claimed = runs.claim(conn, limit=most, lease_seconds=self._lease_seconds, run_ids=ids) if ids else []
        pools.hold(conn, {(run.run_id, run.epoch): facts.wanted[run.run_id] for run in claimed if facts.wanted.get(run.run_id)})
        return claimed, len(queued) == _CANDIDATES

    def _spec(self, conn: Connection, run: Run) -> LaunchSpec:
        """What the worker is told; one that takes over from a lost one goes on from what is done."""
        spec = runs.launch_spec(run, self._log_limit)
        if not run.resumes:
            return spec
        left, inherited = retries.left(run, runs.steps(conn, run.run_id))
        return replace(spec, step_keys=left, inherited=inherited)

    def _vouch(self) -> None:
        """Renew the leases of runs that have been claimed and whose launch is not answered yet."""
        now = time.monotonic()
        with self._lock:
            launching = [key for key, until in self._launching.items() if until > now]
        if launching:
            with self._engine.begin() as conn:
                runs.vouch(conn, launching, seconds=self._lease_seconds)

    def _sort(self, servers: Mapping[LocationName, Server], now: datetime) -> tuple[list[LocationName], list[LocationName]]:
        """Locations to launch at freely, and those whose code server failed lately and is tried with one run.

        Others wait: runs of a code server that hangs must not fill the places of all the rest.
        """
        with self._lock:
            known = {server.server_id for server in servers.values()}
            self._suspects = {key: suspect for key, suspect in self._suspects.items() if key in known}
            trusted = [location for location, server in servers.items() if server.server_id not in self._suspects]
            probed = [
                location
                for location, server in servers.items()
                if (suspect := self._suspects.get(server.server_id)) is not None and suspect.until <= now
            ]
            for location in probed:
                suspect = self._suspects[servers[location].server_id]
                # Whatever becomes of the try, another follows.
                self._suspects[servers[location].server_id] = replace(suspect, until=now + decide.launch_delay(suspect.failures))
        return trusted, probed

    def release(self) -> None:
        """Launches in hand go on: their runs are claimed. Those that have not begun are found by recovery."""
        threads, self._threads = list(self._threads.values()), {}
        for pool in threads:
            pool.close()

    @property
    def launching(self) -> int:
        """How many launches are under way."""
        with self._lock:
            return len(self._launching)

    def _hand_out(self, run: Run, spec: LaunchSpec, server: Server) -> None:
        until = time.monotonic() + self._launch_timeout
        with self._lock:
            self._launching[run.run_id, run.epoch] = until
        self._pool(f"launch {server.address}").submit(partial(self._launch, run, spec, server, until))

    def _pool(self, name: str) -> Pool:
        pool = self._threads.get(name)
        if pool is None:
            pool = self._threads[name] = Pool(name, _LAUNCHES_AT_ONCE)
        return pool

    def _launch(self, run: Run, spec: LaunchSpec, server: Server, until: float) -> None:
        """In a thread of the server's pool."""
        try:
            if time.monotonic() >= until:
                return  # its lease has lapsed meanwhile: it is recovery's
            crash_points.reach("before a run is launched")
            self._servers.at(server.address).launch_run(spec)
            crash_points.reach("after a run was launched")
            with self._lock:
                self._suspects.pop(server.server_id, None)
        except UnavailableError as error:
            self._put_back(run, server, error)
        except Exception as error:  # noqa: BLE001 - whatever the answer was, the run is not started
            self._give_up(run, error)
        finally:
            with self._lock:
                self._launching.pop((run.run_id, run.epoch), None)

    def _put_back(self, run: Run, server: Server, error: UnavailableError) -> None:
        delay = decide.launch_delay(run.launch_attempts)
        seconds = delay.total_seconds()
        reason = (
            f"Code server {server.address} of location {run.location!r} did not take the run ({error.message}); again in {seconds:g} s."
        )
        facts = {"action": "requeue", "run": run.run_id, "location": run.location, "attempt": run.launch_attempts, "retry_in": seconds}
        log.warning("launch failed", extra={**facts, "error": error.message})
        self._servers.forget()
        not_before = datetime.now(UTC) + delay
        with self._lock:
            until = self._suspect(server)
            self._later |= {not_before, until}

        def store() -> None:
            with self._engine.begin() as conn:
                runs.requeue(conn, run.run_id, run.epoch, not_before=not_before, reason=reason, statuses=_UNSTARTED)

        _insist(store)

    def _suspect(self, server: Server) -> datetime:
        """Leave a code server alone for a while; returns until when. Launches that fail together count once."""
        now, before = datetime.now(UTC), self._suspects.get(server.server_id)
        if before is not None and before.until > now:
            return before.until
        failures = before.failures + 1 if before is not None else 1
        until = now + decide.launch_delay(failures)
        self._suspects[server.server_id] = _Suspect(failures=failures, until=until)
        return until

    def _give_up(self, run: Run, error: Exception) -> None:
        facts = {"action": "refused", "run": run.run_id, "location": run.location, "error": str(error)}
        log.warning("code server refused a run", extra=facts)
        info = error_info(error)

        def store() -> None:
            with self._engine.begin() as conn:
                runs.fail(conn, run.run_id, run.epoch, error=info, reason=f"The code server refused to start the run: {info}")

        _insist(store)

    def _cancel(self, canceling: list[Run], servers: Mapping[LocationName, Server]) -> int:
        now = time.monotonic()
        wanted = {(run.run_id, run.epoch) for run in canceling}
        self._canceled = {key: at for key, at in self._canceled.items() if key in wanted}
        asked = 0
        for run in canceling:
            key, server = (run.run_id, run.epoch), servers.get(run.location)
            if server is None or now - self._canceled.get(key, float("-inf")) < _CANCEL_AGAIN_SECONDS:
                continue
            with self._lock:
                if key in self._launching:
                    continue  # a launch in hand would come after the cancel; the next tick asks
            self._canceled[key] = now
            asked += 1
            self._pool(f"cancel {server.address}").submit(partial(self._ask_to_stop, run, server))
        return asked

    def _ask_to_stop(self, run: Run, server: Server) -> None:
        """In a thread of the server's pool. A run of which its own server knows nothing is over."""
        facts = {"action": "cancel", "run": run.run_id}
        try:
            found = self._servers.at(server.address).cancel_run(run.run_id, run.epoch)
        except UnavailableError as error:
            log.warning("cancel did not reach the code server", extra={**facts, "error": error.message})
            return
        if found or run.server_id not in (None, server.server_id):
            return

        def store() -> None:
            with self._engine.begin() as conn:
                runs.cancel_lost(conn, run.run_id, run.epoch)

        _insist(store)


def _insist(store: Callable[[], None]) -> None:
    """Write what became of a launch, also when the database is just restarting; after that recovery finds the run."""
    for attempt in range(_STORE_TRIES):
        try:
            crash_points.reach("before the end of a launch is written")
            store()
            crash_points.reach("after the end of a launch was written")
        except Exception as error:
            if not Outage.is_one(error) or attempt == _STORE_TRIES - 1:
                raise
            time.sleep(min(1.0, 0.1 * 2**attempt))
        else:
            return
