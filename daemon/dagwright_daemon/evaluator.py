"""Turns claimed ticks into runs: asks user code, then writes runs and tick in one transaction.

Ticks of one schedule or sensor are worked off in order, one at a time; those of different ones do not wait for each
other. A tick whose code server or database is away is kept and tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from dagwright_daemon.outage import Outage
from dagwright_daemon.pool import Pool
from dagwright_shared.decide import requests, schedules
from dagwright_shared.decide.requests import Asker, Definitions
from dagwright_shared.model.errors import (
    ConflictError,
    DeadlineError,
    ErrorInfo,
    NotFoundError,
    UnavailableError,
    UserCodeError,
    error_info,
)
from dagwright_shared.model.keys import RunId, new_run_id
from dagwright_shared.model.runs import FINAL, RunStatus, TriggerKind
from dagwright_shared.model.snapshot import Overlap
from dagwright_shared.model.ticks import Evaluation, Instigator, TickStatus
from dagwright_shared.store import dynamic_partitions, instigators, run_list, runs

log = logging.getLogger("dagwright_daemon.ticks")

_BATCH = 100
_LONGEST_DELAY = 10.0
_OVERLAP_DELAY = 1.0
_GOING_ON = frozenset(RunStatus) - FINAL
PATIENCE = timedelta(minutes=15)
"""For how long a tick waits for its code server before it is recorded as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A tick that this daemon has claimed."""

    instigator: Instigator
    definitions: Definitions
    asker: Asker
    ask: Callable[[], Evaluation]
    plain: bool = False
    """Whether `ask` runs no user code and waits for nothing."""
    overlap: Overlap = Overlap.ALLOW


class Evaluator:
    """Works off the ticks of one kind of instigator."""

    def __init__(self, engine: Engine, name: str, *, threads: int = 48) -> None:
        self._engine, self._name, self._threads = engine, name, threads
        self._lock = threading.Lock()
        self._lines: dict[int, deque[Work]] = defaultdict(deque)
        self._moving: set[int] = set()
        self._parked: dict[int, tuple[datetime, int]] = {}
        self._held: set[int] = set()
        self._pool: Pool | None = None

    def holds(self, tick_id: int) -> bool:
        """Whether the tick is being worked on here."""
        with self._lock:
            return tick_id in self._held

    def is_busy(self, instigator_id: int) -> bool:
        """Whether a tick of the schedule or sensor is not finished."""
        with self._lock:
            return bool(self._lines.get(instigator_id)) or instigator_id in self._moving

    def take(self, works: Sequence[Work]) -> None:
        """Work these off. The ticks have been claimed by this daemon."""
        simple: list[Work] = []
        with self._lock:
            for work in works:
                at = work.instigator.instigator_id
                self._held.add(work.asker.tick_id)
                if work.plain and work.overlap is Overlap.ALLOW and not self._lines.get(at) and at not in self._moving:
                    simple.append(work)
                else:
                    self._lines[at].append(work)
        for start in range(0, len(simple), _BATCH):
            self._submit(partial(self._settle_plain, simple[start : start + _BATCH]))
        self.resume(datetime.now(UTC))

    def resume(self, now: datetime) -> frozenset[datetime]:
        """Set in motion the lines that need not wait any more; returns when the others are to be looked at."""
        ready = []
        with self._lock:
            for at, line in self._lines.items():
                if line and at not in self._moving and self._parked.get(at, (now, 0))[0] <= now:
                    self._moving.add(at)
                    ready.append(at)
            waiting = frozenset(until for at, (until, _) in self._parked.items() if at not in self._moving)
        for at in ready:
            self._submit(partial(self._move, at))
        return waiting

    def close(self) -> None:
        """Drop what has not begun: its ticks stay open, and whoever leads next works them off."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._lines.clear()
            self._parked.clear()
            self._held.clear()
            self._moving.clear()
        if pool is not None:
            pool.close()

    def _submit(self, job: Callable[[], None]) -> None:
        with self._lock:
            if self._pool is None:
                self._pool = Pool(self._name, self._threads)
            pool = self._pool
        pool.submit(job)

    def _move(self, at: int) -> None:
        """Work off one line until it is empty or has to wait."""
        while True:
            with self._lock:
                line = self._lines.get(at)
                if not line:
                    self._moving.discard(at)
                    self._lines.pop(at, None)
                    return
                work, tries = line[0], self._parked.pop(at, (None, 0))[1]
            try:
                delay = self._process(work, tries)
            except Exception:
                log.exception(
                    "a tick could not be settled", extra={"action": "tick", "tick": work.asker.tick_id, "retry_in": _LONGEST_DELAY}
                )
                delay = _LONGEST_DELAY
            with self._lock:
                if delay is None:
                    self._held.discard(work.asker.tick_id)
                    line = self._lines.get(at)
                    if line and line[0] is work:
                        line.popleft()
                elif at in self._lines:
                    self._parked[at] = (datetime.now(UTC) + timedelta(seconds=delay), tries + 1)
                    self._moving.discard(at)
                    return

    def _process(self, work: Work, tries: int) -> float | None:
        """Evaluate and finish one tick. A number: not yet; try again in so many seconds."""
        try:
            verdict = self._overlap(work)
            if isinstance(verdict, schedules.Queue):
                return _OVERLAP_DELAY
            evaluation = Evaluation(skip_reason=verdict.reason) if isinstance(verdict, schedules.Skip) else work.ask()
            self._finish([(work, evaluation)], cancel=verdict.run_ids if isinstance(verdict, schedules.CancelOld) else ())
        except _FinishedElsewhereError:
            return None
        except Exception as error:  # noqa: BLE001 - a tick ends well, or with an error that people can read
            if Outage.is_one(error):
                return 1.0
            waits = isinstance(error, UnavailableError) and not isinstance(error, DeadlineError)
            if waits and datetime.now(UTC) - work.asker.scheduled_for < PATIENCE:
                if tries == 0:
                    facts = {"action": "tick", work.asker.kind.value: work.asker.name, "location": work.instigator.location}
                    log.warning("a tick waits for its code server", extra={**facts, "error": str(error)})
                return min(_LONGEST_DELAY, 0.5 * 2.0 ** min(tries, 10))
            return self._fail(work, error)
        return None

    def _overlap(self, work: Work) -> schedules.Verdict:
        if work.overlap is Overlap.ALLOW:
            return schedules.Allow()
        with self._engine.connect() as conn:
            active = active_runs(conn, work)
        return schedules.overlap(work.overlap, active)

    def _settle_plain(self, works: Sequence[Work]) -> None:
        """Many ticks without user code in one transaction; one by one when something is wrong with any of them."""
        began = time.monotonic()
        try:
            self._finish([(work, work.ask()) for work in works])
        except Exception as error:  # noqa: BLE001 - the line tells which tick it is, and keeps those that must wait
            log.debug("batch of ticks taken apart", extra={"action": "tick", "count": len(works), "error": str(error)})
            with self._lock:
                for work in works:
                    self._lines[work.instigator.instigator_id].append(work)
            self.resume(datetime.now(UTC))
            return
        with self._lock:
            self._held.difference_update(work.asker.tick_id for work in works)
        log.debug("ticks", extra={"action": "tick", "count": len(works), "seconds": round(time.monotonic() - began, 3)})

    def _finish(self, results: Sequence[tuple[Work, Evaluation]], cancel: Sequence[RunId] = ()) -> None:
        """Runs, ticks and cursors in one transaction."""
        now = datetime.now(UTC)
        with self._engine.begin() as conn:
            wanted = []
            for work, evaluation in results:
                for change in evaluation.dynamic_partitions:
                    dynamic_partitions.add(conn, change.name, change.add)
                    dynamic_partitions.delete(conn, change.name, change.delete)
                keys = DynamicKeys(conn)
                made = requests.new_runs(work.definitions, work.asker, evaluation.requests, make_id=new_run_id, now=now, dynamic=keys)
                wanted.append(made)
            inserted = set(runs.enqueue(conn, [run for made in wanted for run in made]))
            for run_id in cancel:
                try:
                    runs.request_cancel(conn, run_id, reason=f"replaced by the next tick of {results[0][0].asker.name}")
                except (ConflictError, NotFoundError):
                    continue  # it has ended meanwhile
            for (work, evaluation), made in zip(results, wanted, strict=True):
                self._finish_tick(conn, work, evaluation, [run.run_id for run in made if run.run_id in inserted])

    @staticmethod
    def _finish_tick(conn: Connection, work: Work, evaluation: Evaluation, run_ids: list[RunId]) -> None:
        reason = evaluation.skip_reason
        if not run_ids and reason is None and evaluation.requests:
            reason = "Every run that was asked for exists already (same run key)."
        finished = instigators.finish_tick(
            conn,
            work.asker.tick_id,
            TickStatus.SUCCESS if run_ids else TickStatus.SKIPPED,
            skip_reason=None if run_ids else reason or "Nothing was asked for.",
            cursor=evaluation.cursor,
            logs=evaluation.logs,
        )
        if not finished:
            raise _FinishedElsewhereError

    def _fail(self, work: Work, error: Exception) -> float | None:
        info: ErrorInfo = error.info if isinstance(error, UserCodeError) else error_info(error)
        facts = {"action": "tick", work.asker.kind.value: work.asker.name, "location": work.instigator.location, "error": str(info)[:500]}
        log.warning("tick failed", extra={**facts, "scheduled_for": work.asker.scheduled_for.isoformat()})
        try:
            with self._engine.begin() as conn:
                instigators.finish_tick(conn, work.asker.tick_id, TickStatus.FAILURE, error=info)
        except Exception as other:
            if Outage.is_one(other):
                return 1.0
            raise
        return None


class _FinishedElsewhereError(Exception):
    """Another daemon was quicker: take back what this transaction wrote."""


class DynamicKeys(Mapping[str, Sequence[str]]):
    """Keys of dynamic partitions, read when they are asked for."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._read: dict[str, Sequence[str]] = {}

    def __getitem__(self, name: str) -> Sequence[str]:
        if name not in self._read:
            self._read[name] = dynamic_partitions.keys(self._conn, name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def active_runs(conn: Connection, work: Work) -> list[RunId]:
    """Runs of the schedule's other ticks that have not ended, oldest first; their retries count."""
    found = []
    for kind in (work.asker.kind, TriggerKind.RETRY):
        page = run_list.list_page(
            conn, status=_GOING_ON, location=work.instigator.location, trigger=kind, trigger_name=work.asker.name, limit=run_list.MAX_LIMIT
        )
        found += [run for run in page.items if run.trigger.tick_id != work.asker.tick_id]
    return [run.run_id for run in sorted(found, key=lambda run: run.created_at)]
