"""Turns claimed ticks into runs: asks user code, then writes runs and tick in one transaction.

Ticks of one schedule or sensor are worked off in order, one at a time; those of different ones do not wait for each
other, although many are asked and stored together. A tick whose code server or database is away is kept and tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeAlias

from sqlalchemy import Connection, Engine

from dagwright_daemon import crash_points
from dagwright_daemon.outage import Outage
from dagwright_daemon.pool import Pool
from dagwright_daemon.servers import CodeServers
from dagwright_shared.decide import requests, schedules
from dagwright_shared.decide.requests import Asker, Definitions
from dagwright_shared.model.errors import (
    ConflictError,
    DagwrightError,
    DeadlineError,
    ErrorInfo,
    NotFoundError,
    UnavailableError,
    UserCodeError,
    error_info,
)
from dagwright_shared.model.events import RunEvent
from dagwright_shared.model.keys import LocationName, RunId, new_run_id
from dagwright_shared.model.runs import FINAL, RunStatus, TriggerKind
from dagwright_shared.model.snapshot import Overlap
from dagwright_shared.model.ticks import DeliveryStatus, Evaluation, Instigator, Question, SensorQuestion, TickStatus
from dagwright_shared.store import deliveries, dynamic_partitions, events, instigators, run_list, runs
from dagwright_shared.store.instigators import Ending

log = logging.getLogger("dagwright_daemon.ticks")

_BATCH = 100
_ASKED_AT_ONCE = 500
"""Questions in one call."""
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
    question: Question | None = None
    """For user code; None: `answer` says what is wanted, without any."""
    answer: Callable[[], Evaluation] = Evaluation
    overlap: Overlap = Overlap.ALLOW


Answer: TypeAlias = Evaluation | Exception


class Evaluator:
    """Works off the ticks of one kind of instigator."""

    def __init__(
        self,
        engine: Engine,
        servers: CodeServers,
        name: str,
        *,
        timeout: float,
        threads: int = 48,
        ended: Callable[[Work, Answer], None] = lambda _work, _answer: None,
    ) -> None:
        """
        Args:
            timeout: seconds that a user's function may take.
            ended: told of each tick that was asked, once it is stored how it ended and the next may begin; called from any thread.
        """
        self._engine, self._servers, self._name, self._threads = engine, servers, name, threads
        self._timeout, self._ended = timeout, ended
        self._lock = threading.Lock()
        self._lines: dict[int, deque[Work]] = defaultdict(deque)
        self._moving: set[int] = set()
        self._parked: dict[int, tuple[datetime, int]] = {}
        self._held: set[int] = set()
        self._answers: dict[int, Answer] = {}
        """Of ticks that have ended, until `ended` is told."""
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
        plain: list[Work] = []
        asked: dict[LocationName, list[Work]] = defaultdict(list)
        with self._lock:
            for work in works:
                at = work.instigator.instigator_id
                self._held.add(work.asker.tick_id)
                if work.overlap is not Overlap.ALLOW or self._lines.get(at) or at in self._moving:
                    self._lines[at].append(work)
                elif work.question is None:
                    plain.append(work)
                else:
                    self._moving.add(at)
                    asked[work.instigator.location].append(work)
        for start in range(0, len(plain), _BATCH):
            self._submit(partial(self._settle_plain, plain[start : start + _BATCH]))
        for together in asked.values():
            for start in range(0, len(together), _ASKED_AT_ONCE):
                self._submit(partial(self._settle_asked, together[start : start + _ASKED_AT_ONCE]))
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
            self._answers.clear()
        if pool is not None:
            pool.close()

    def _submit(self, job: Callable[[], None]) -> None:
        with self._lock:
            if self._pool is None:
                self._pool = Pool(self._name, self._threads)
            pool = self._pool
        pool.submit(job)

    # ---- one after the other: what has to wait for something

    def _move(self, at: int) -> None:
        """Work off one line until it is empty or has to wait."""
        done: list[Work] = []
        while True:
            with self._lock:
                line = self._lines.get(at)
                if not line:
                    self._moving.discard(at)
                    self._lines.pop(at, None)
                    break
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
                    done.append(work)
                    line = self._lines.get(at)
                    if line and line[0] is work:
                        line.popleft()
                elif at in self._lines:
                    self._parked[at] = (datetime.now(UTC) + timedelta(seconds=delay), tries + 1)
                    self._moving.discard(at)
                    break
        self._tell(done)

    def _process(self, work: Work, tries: int) -> float | None:
        """Evaluate and finish one tick. A number: not yet; try again in so many seconds."""
        try:
            verdict = self._overlap(work)
            if isinstance(verdict, schedules.Queue):
                return _OVERLAP_DELAY
            evaluation = Evaluation(skip_reason=verdict.reason) if isinstance(verdict, schedules.Skip) else self._ask(work)
            self._finish([(work, evaluation)], cancel=verdict.run_ids if isinstance(verdict, schedules.CancelOld) else ())
        except Exception as error:  # noqa: BLE001 - a tick ends well, or with an error that people can read
            return self._failed(work, error, tries)
        return None

    def _failed(self, work: Work, error: Exception, tries: int = 0) -> float | None:
        """End a tick that went wrong; a number: what went wrong was not its fault, so try again in so many seconds."""
        if isinstance(error, _FinishedElsewhereError):
            self._look_again(work)
            return None
        if Outage.is_one(error):
            return 1.0
        waits = isinstance(error, UnavailableError) and not isinstance(error, DeadlineError)
        if waits and datetime.now(UTC) - work.asker.scheduled_for < PATIENCE:
            if tries == 0:
                facts = {"action": "tick", work.asker.kind.value: work.asker.name, "location": work.instigator.location}
                log.warning("a tick waits for its code server", extra={**facts, "error": str(error)})
            return min(_LONGEST_DELAY, 0.5 * 2.0 ** min(tries, 10))
        return self._fail(work, error)

    def _ask(self, work: Work) -> Evaluation:
        if work.question is None:
            return work.answer()
        for answers in self._evaluate([work]):
            for _, outcome in answers:
                if isinstance(outcome, DagwrightError):
                    raise outcome
                return outcome
        raise UnavailableError("The code server did not answer")

    def _overlap(self, work: Work) -> schedules.Verdict:
        if work.overlap is Overlap.ALLOW:
            return schedules.Allow()
        with self._engine.connect() as conn:
            active = active_runs(conn, work)
        return schedules.overlap(work.overlap, active, work.asker.kind.value)

    # ---- many at once

    def _settle_plain(self, works: Sequence[Work]) -> None:
        """Many ticks without user code in one transaction; one by one when something is wrong with any of them."""
        began = time.monotonic()
        try:
            self._finish([(work, work.answer()) for work in works])
        except Exception as error:  # noqa: BLE001 - the line tells which tick it is, and keeps those that must wait
            log.debug("batch of ticks taken apart", extra={"action": "tick", "count": len(works), "error": str(error)})
            self._line_up(works)
            return
        with self._lock:
            self._held.difference_update(work.asker.tick_id for work in works)
        log.debug("ticks", extra={"action": "tick", "count": len(works), "seconds": round(time.monotonic() - began, 3)})

    def _settle_asked(self, works: Sequence[Work]) -> None:
        """Many ticks of one location: their answers are stored as they come. What has got none is lined up to be asked again."""
        left = dict(enumerate(works))
        try:
            for answers in self._evaluate(works):
                self._store([(left.pop(index), outcome) for index, outcome in answers])
        except Exception as error:  # noqa: BLE001 - each line meets it again, and knows what to do
            log.debug("ticks are asked one by one", extra={"action": "tick", "count": len(left), "error": str(error)})
        if left:
            self._line_up(list(left.values()))

    def _store(self, answers: Sequence[tuple[Work, Evaluation | DagwrightError]]) -> None:
        """Finish ticks together; each alone when something is wrong with one of them."""
        good = [(work, outcome) for work, outcome in answers if isinstance(outcome, Evaluation)]
        try:
            self._finish(good)
        except Exception as error:  # noqa: BLE001 - it is met again, with the tick that it belongs to
            log.debug("batch of ticks taken apart", extra={"action": "tick", "count": len(good), "error": str(error)})
        else:
            self._release([work for work, _ in good])
            good = []
        rest: list[tuple[Work, Evaluation | DagwrightError]] = [*good]
        rest += [(work, outcome) for work, outcome in answers if not isinstance(outcome, Evaluation)]
        for work, outcome in rest:
            if self._store_one(work, outcome):
                self._release([work])
            else:
                self._line_up([work])

    def _store_one(self, work: Work, outcome: Evaluation | DagwrightError) -> bool:
        """Whether the tick has ended; else it is to be asked again."""
        try:
            if isinstance(outcome, Evaluation):
                self._finish([(work, outcome)])
                return True
            return self._failed(work, outcome) is None
        except Exception as error:  # noqa: BLE001 - a tick ends well, or with an error that people can read
            try:
                return self._failed(work, error) is None
            except Exception:
                log.exception("a tick could not be settled", extra={"action": "tick", "tick": work.asker.tick_id})
                return False

    def _line_up(self, works: Sequence[Work]) -> None:
        with self._lock:
            for work in works:
                self._lines[work.instigator.instigator_id].append(work)
                self._moving.discard(work.instigator.instigator_id)
        self.resume(datetime.now(UTC))

    def _release(self, works: Sequence[Work]) -> None:
        with self._lock:
            self._held.difference_update(work.asker.tick_id for work in works)
            self._moving.difference_update(work.instigator.instigator_id for work in works)
            more = any(self._lines.get(work.instigator.instigator_id) for work in works)
        if more:
            self.resume(datetime.now(UTC))
        self._tell(works)

    def _tell(self, works: Sequence[Work]) -> None:
        with self._lock:
            told = [(work, answer) for work in works if (answer := self._answers.pop(work.asker.tick_id, None)) is not None]
        for work, answer in told:
            self._ended(work, answer)

    def _evaluate(self, works: Sequence[Work]) -> Iterator[Sequence[tuple[int, Evaluation | DagwrightError]]]:
        """Ask user code of one location."""
        location = works[0].instigator.location
        names = [(work.instigator.location, work.instigator.name) for work in works if isinstance(work.question, SensorQuestion)]
        keys: Mapping[tuple[str, str], str] = {}
        if names:
            with self._engine.connect() as conn:
                keys = run_list.newest_keys(conn, TriggerKind.SENSOR, names)
        questions: list[Question] = []
        for work in works:
            question = work.question
            assert question is not None
            if isinstance(question, SensorQuestion):
                key = keys.get((location, question.name))
                question = replace(question, last_run_key=requests.users_key(key, location, question.name))
            questions.append(question)
        yield from self._servers.client(location).evaluate(questions, timeout=self._timeout)

    # ---- what came of it

    def _finish(self, results: Sequence[tuple[Work, Evaluation]], cancel: Sequence[RunId] = ()) -> None:
        """Runs, ticks, cursors and all else that user code asked for, in one transaction."""
        if not results:
            return
        now = datetime.now(UTC)
        crash_points.reach("before ticks are finished")
        with self._engine.begin() as conn:
            wanted = []
            for work, evaluation in results:
                for change in evaluation.dynamic_partitions:
                    dynamic_partitions.add(conn, change.name, change.add)
                    dynamic_partitions.delete(conn, change.name, change.delete)
                keys = DynamicKeys(conn)
                made = requests.new_runs(work.definitions, work.asker, evaluation.requests, make_id=new_run_id, now=now, dynamic=keys)
                wanted.append(made)
                _record(conn, work, evaluation, now)
            inserted = set(runs.enqueue(conn, [run for made in wanted for run in made]))
            for run_id in cancel if inserted else ():
                try:
                    runs.request_cancel(conn, run_id, reason=f"replaced by the next tick of {results[0][0].asker.name}")
                except (ConflictError, NotFoundError):
                    continue  # it has ended meanwhile
            endings = [
                _ending(work, evaluation, asked=any(run.run_id in inserted for run in made))
                for (work, evaluation), made in zip(results, wanted, strict=True)
            ]
            if len(instigators.finish_ticks(conn, endings)) < len(endings):
                raise _FinishedElsewhereError
        crash_points.reach("after ticks were finished")
        with self._lock:
            self._answers.update({work.asker.tick_id: evaluation for work, evaluation in results if work.question is not None})

    def _look_again(self, work: Work) -> None:
        """End a tick, where nobody else has, that saw what another tick of its sensor has answered meanwhile.

        The delivery of a webhook is nobody else's: its tick stays open and is taken up like one of a daemon that died.
        """
        if isinstance(work.question, SensorQuestion) and work.question.delivery is None:
            with self._engine.begin() as conn:
                skipped = instigators.finish_tick(conn, work.asker.tick_id, TickStatus.SKIPPED, skip_reason=_MOVED)
            if skipped:
                with self._lock:
                    self._answers[work.asker.tick_id] = Evaluation(more=True)

    def _fail(self, work: Work, error: Exception) -> float | None:
        info: ErrorInfo = error.info if isinstance(error, UserCodeError) else error_info(error)
        facts = {"action": "tick", work.asker.kind.value: work.asker.name, "location": work.instigator.location, "error": str(info)[:500]}
        log.warning("tick failed", extra={**facts, "scheduled_for": work.asker.scheduled_for.isoformat()})
        crash_points.reach("before a tick fails")
        try:
            with self._engine.begin() as conn:
                finished = instigators.finish_tick(conn, work.asker.tick_id, TickStatus.FAILURE, error=info)
                if finished and isinstance(work.question, SensorQuestion) and work.question.delivery is not None:
                    deliveries.settle(conn, work.question.delivery.delivery_id, DeliveryStatus.FAILED, str(info)[:1000])
        except Exception as other:
            if Outage.is_one(other):
                return 1.0
            raise
        crash_points.reach("after a tick failed")
        with self._lock:
            self._answers[work.asker.tick_id] = error
        return None


def _record(conn: Connection, work: Work, evaluation: Evaluation, now: datetime) -> None:
    """What an evaluation says besides its runs: events of assets, and what became of a delivery."""
    if evaluation.asset_events:
        recorded = (RunEvent(seq=number, time=now, payload=payload) for number, payload in enumerate(evaluation.asset_events, 1))
        events.record(conn, work.instigator.location, new_run_id(), *recorded)
    if isinstance(work.question, SensorQuestion) and work.question.delivery is not None:
        status = DeliveryStatus.HANDLED if evaluation.rejected is None else DeliveryStatus.REJECTED
        deliveries.settle(conn, work.question.delivery.delivery_id, status, evaluation.rejected or evaluation.skip_reason)


def _ending(work: Work, evaluation: Evaluation, *, asked: bool) -> Ending:
    """How the tick ended; `asked`: whether it made a run."""
    reason = evaluation.skip_reason
    if reason is None and evaluation.requests:
        reason = "Every run that was asked for exists already (same run key)."
    return Ending(
        tick_id=work.asker.tick_id,
        status=TickStatus.SUCCESS if asked else TickStatus.SKIPPED,
        skip_reason=None if asked else reason or "Nothing was asked for.",
        asked_cursor=work.question.cursor if isinstance(work.question, SensorQuestion) else None,
        cursor=evaluation.cursor,
        logs=evaluation.logs,
    )


_MOVED = "The cursor was moved while the sensor was asked; it is asked again with the new one."


class _FinishedElsewhereError(Exception):
    """Another daemon was quicker, or the cursor has moved meanwhile: take back what this transaction wrote."""


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
