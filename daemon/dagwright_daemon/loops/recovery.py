"""Recovery: runs whose worker is gone are launched again, failed or canceled; failed runs are retried."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy import Connection, Engine

from dagwright_daemon import crash_points
from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_shared.decide import recovery, retries
from dagwright_shared.decide.recovery import Patience
from dagwright_shared.decide.retries import RetryDefaults
from dagwright_shared.model.keys import new_run_id
from dagwright_shared.model.runs import Run
from dagwright_shared.store import queue, runs

log = logging.getLogger("dagwright_daemon.recovery")

_BATCH = 100
_PATIENCE = Patience()
_AFTER_LAPSE = timedelta(milliseconds=20)


class Recovery:
    """Finds what nobody looks after any more."""

    def __init__(
        self,
        engine: Engine,
        *,
        trusts_lapses: Callable[[float], bool],
        lease_seconds: float,
        retries: RetryDefaults,
        patience: Patience = _PATIENCE,
        max_resumes: int = 0,
    ) -> None:
        """
        Args:
            trusts_lapses: whether the database has answered for at least so many seconds without a break.
            lease_seconds: for how long code servers hold their runs.
            patience: how long launches, cancels and runs may take.
            max_resumes: how often a run whose worker was lost goes on with a new one.
        """
        self._engine, self._trusts_lapses = engine, trusts_lapses
        self._lease_seconds, self._retries = lease_seconds, retries
        self._patience, self._max_resumes = patience, max_resumes

    def loop(self) -> Loop:
        return Loop(name="recovery", interval=2.0, topics=frozenset({"recovery"}), tick=self.tick)

    def tick(self, turn: Turn) -> Outcome:
        trusts = self._trusts_lapses(self._lease_seconds)
        recovered = self._recover(turn.now) + self._give_up() if trusts else 0
        retried = self._retry(turn)
        with self._engine.connect() as conn:
            lapse = queue.next_lapse(conn)
        # One that has lapsed and is not believed yet is looked at in the usual interval.
        wake_at = frozenset({lapse + _AFTER_LAPSE}) if lapse is not None and lapse > turn.now else frozenset[datetime]()
        return Outcome(done=recovered + retried, facts={"recovered": recovered, "retries_decided": retried}, wake_at=wake_at)

    def _recover(self, now: datetime) -> int:
        crash_points.reach("before lost runs are settled")
        with self._engine.begin() as conn:
            # One transaction for each run would lock less, but a lost code server leaves dozens of runs, not thousands.
            settled = 0
            for run in runs.lapsed(conn):
                attempts, known = run.launch_attempts, run.status_reason
                verdict = recovery.decide(run, launches=attempts, now=now, known=known, max_resumes=self._max_resumes)
                settled += self._settle(conn, run, verdict, now)
        crash_points.reach("after lost runs were settled")
        return settled

    def _give_up(self) -> int:
        """Runs that take too long, although their worker may live: it is fenced, and its code server ends it."""
        patience = self._patience
        crash_points.reach("before slow runs are settled")
        with self._engine.begin() as conn:
            limited = patience.runtime is not None
            now, slow = runs.slow(conn, launch_seconds=patience.launch, cancel_seconds=patience.cancel, limited=limited)
            settled = sum(self._settle(conn, run, recovery.overdue(run, patience, now=now), now) for run in slow)
        crash_points.reach("after slow runs were settled")
        return settled

    def _settle(self, conn: Connection, run: Run, verdict: recovery.Verdict, now: datetime) -> bool:
        """Whether the run was ours to settle: each write is refused if somebody else has moved on."""
        match verdict:
            case recovery.Resume(reason=reason):
                if retries.is_done(run, runs.steps(conn, run.run_id)):
                    done = runs.succeed(conn, run.run_id, run.epoch)
                else:
                    done = runs.requeue(conn, run.run_id, run.epoch, not_before=None, reason=reason, resume=True)
            case recovery.Requeue(delay=delay, reason=reason):
                done = runs.requeue(conn, run.run_id, run.epoch, not_before=now + delay, reason=reason)
            case recovery.Fail(error=error, reason=reason):
                done = runs.fail(conn, run.run_id, run.epoch, error=error, reason=reason)
            case recovery.Cancel(reason=reason):
                done = runs.cancel_lost(conn, run.run_id, run.epoch, reason=reason)
            case recovery.Leave():
                return False
            case _:
                assert_never(verdict)
        if done:
            facts = {"action": "recover", "run": run.run_id, "was": str(run.status), "verdict": type(verdict).__name__.lower()}
            log.warning("settled a run", extra={**facts, "reason": reason})
        return done

    def _retry(self, turn: Turn) -> int:
        crash_points.reach("before retries are decided")
        with self._engine.begin() as conn:
            failed = runs.retryable(conn, _BATCH)
            for run in failed:
                if runs.mark_retried(conn, run.run_id):
                    self._decide_retry(conn, run, turn.now)
        crash_points.reach("after retries were decided")
        return len(failed)

    def _decide_retry(self, conn: Connection, run: Run, now: datetime) -> None:
        verdict = retries.decide(run, self._retries, random=random.random())
        if isinstance(verdict, retries.NoRetry):
            log.debug("no retry", extra={"action": "retry", "run": run.run_id, "reason": verdict.reason})
            return
        new = retries.retry(run, runs.steps(conn, run.run_id), verdict, run_id=new_run_id(), now=now)
        if runs.enqueue(conn, [new]):
            facts = {"action": "retry", "run": run.run_id, "new_run": new.run_id, "number": verdict.number}
            log.info("retry", extra={**facts, "delay": verdict.delay.total_seconds(), "inherited_steps": len(new.inherited)})
