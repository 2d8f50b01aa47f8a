"""Recovery: runs whose worker is gone are launched again, failed or canceled; failed runs are retried."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection, Engine

from dagwright_daemon.loop import IDLE, Loop, Outcome, Turn
from dagwright_shared.decide import recovery, retries
from dagwright_shared.decide.retries import RetryDefaults
from dagwright_shared.model.keys import new_run_id
from dagwright_shared.model.runs import Run
from dagwright_shared.store import runs

log = logging.getLogger("dagwright_daemon.recovery")

_BATCH = 100


class Recovery:
    """Finds what nobody looks after any more."""

    def __init__(self, engine: Engine, *, trusts_lapses: Callable[[float], bool], lease_seconds: float, retries: RetryDefaults) -> None:
        """
        Args:
            trusts_lapses: whether the database has answered for at least so many seconds without a break.
            lease_seconds: for how long code servers hold their runs.
        """
        self._engine, self._trusts_lapses = engine, trusts_lapses
        self._lease_seconds, self._retries = lease_seconds, retries

    def loop(self) -> Loop:
        return Loop(name="recovery", interval=2.0, topics=frozenset({"recovery"}), tick=self.tick)

    def tick(self, turn: Turn) -> Outcome:
        recovered = self._recover(turn.now) if self._trusts_lapses(self._lease_seconds) else 0
        retried = self._retry(turn)
        if not recovered and not retried:
            return IDLE
        return Outcome(done=recovered + retried, facts={"recovered": recovered, "retries_decided": retried})

    def _recover(self, now: datetime) -> int:
        with self._engine.begin() as conn:
            # One transaction for each run would lock less, but a lost code server leaves dozens of runs, not thousands.
            lapsed = runs.lapsed(conn)
            settled = [run for run in lapsed if self._settle(conn, run, now)]
        return len(settled)

    def _settle(self, conn: Connection, run: Run, now: datetime) -> bool:
        """Whether the run was ours to settle: each write is refused if somebody else has moved on."""
        verdict = recovery.decide(run, launches=run.launch_attempts, now=now, known=run.status_reason)
        match verdict:
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
            log.warning("settled a run that nobody holds", extra={**facts, "reason": reason})
        return done

    def _retry(self, turn: Turn) -> int:
        with self._engine.begin() as conn:
            failed = runs.retryable(conn, _BATCH)
            for run in failed:
                if runs.mark_retried(conn, run.run_id):
                    self._decide_retry(conn, run, turn.now)
        return len(failed)

    def _decide_retry(self, conn: Connection, run: Run, now: datetime) -> None:
        verdict = retries.decide(run, self._retries)
        if isinstance(verdict, retries.NoRetry):
            log.debug("no retry", extra={"action": "retry", "run": run.run_id, "reason": verdict.reason})
            return
        new = retries.retry(run, runs.steps(conn, run.run_id), verdict, run_id=new_run_id(), now=now)
        if runs.enqueue(conn, [new]):
            facts = {"action": "retry", "run": run.run_id, "new_run": new.run_id, "number": verdict.number}
            log.info("retry", extra={**facts, "delay": verdict.delay.total_seconds(), "inherited_steps": len(new.inherited)})
