"""Backfills: each step takes the ends of runs into account and asks for the runs that may follow, in one bounded transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine

from dagwright_daemon import crash_points
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import IDLE, Loop, Outcome, Turn
from dagwright_daemon.outage import Outage
from dagwright_shared.decide import backfills as decide
from dagwright_shared.decide.backfills import Ended
from dagwright_shared.decide.requests import Definitions
from dagwright_shared.model import subsets
from dagwright_shared.model.backfills import JOB, Backfill, BackfillStatus, Progress, locations_of, ordinals_of
from dagwright_shared.model.errors import ErrorInfo, NotFoundError
from dagwright_shared.model.keys import PartitionKey, new_run_id
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.subsets import Subset
from dagwright_shared.store import backfill_runs, backfills, listen, runs
from dagwright_shared.store.asset_ids import AssetIds
from dagwright_shared.store.backfill_runs import EndedRun

log = logging.getLogger("dagwright_daemon.backfills")

_AT_ONCE = 100
"""Backfills of one tick."""
_RUNS = 10_000
"""Runs that a step asks for. Launching begins at its commit and takes all the processors there are, so a few large steps end sooner."""
_ROWS = 2_500
"""Of one statement, so that a slow machine does not come near the time-out of statements."""
_ENDS = 2_500
"""Ends of runs that a step takes into account, and queued runs that it cancels."""
_AHEAD = 25_000
"""Open runs of a backfill: a million partitions are not a million rows in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moved:
    asked: int = 0
    ended: int = 0
    status: BackfillStatus | None = None
    more: bool = False
    """Another step can do something at once."""


class Backfills:
    """Moves the live backfills."""

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine, self._catalog, self._ids = engine, catalog, AssetIds()

    def loop(self) -> Loop:
        return Loop(name="backfills", interval=5.0, rest=0.02, topics=frozenset({"backfills", "locations"}), tick=self.tick)

    def tick(self, turn: Turn) -> Outcome:
        with self._engine.connect() as conn:
            movable = backfills.movable(conn, _AT_ONCE)
        moved, failures = [], []
        for backfill_id in movable:
            if not turn.owned():
                break
            try:
                with self._engine.begin() as conn:
                    done = self.step(conn, backfill_id)
                    crash_points.reach("before a backfill step is committed")
                crash_points.reach("after a backfill step was committed")
                moved.append(done)
            except Exception as error:
                if Outage.is_one(error):
                    raise
                log.exception("backfill step failed", extra={"action": "backfill", "backfill": backfill_id})
                failures.append(error)  # the others go on
        if failures:
            raise failures[0]
        count = sum(each.asked + each.ended + (each.status is not None) for each in moved)
        if not count:
            return IDLE
        more = len(movable) == _AT_ONCE or any(each.more for each in moved)
        facts = {"runs": sum(each.asked for each in moved), "ended": sum(each.ended for each in moved)}
        return Outcome(done=count, more=more, facts=facts)

    def step(self, conn: Connection, backfill_id: str) -> _Moved:
        """One step of one backfill, in the caller's transaction."""
        found = backfills.get(conn, backfill_id, lock=True)
        if found is None or found.status.is_final:
            return _Moved()
        ended, more = _ends(conn, found)
        then = self._then(conn, found)
        if ended:
            found = replace(found, progress=decide.settle(found.progress, _facts(ended, found, then)))
        if found.status is BackfillStatus.CANCELING:
            return self._stop(conn, found, len(ended), more=more)
        now = self._now(conn, found)
        problem = decide.changed(found.target, found.job_name, then, now) if now is not None else None
        if problem is not None or found.error is not None:
            return replace(self._give_up(conn, found, len(ended), problem), more=more)
        if now is None:  # a location that was taken away, perhaps for a moment
            if ended:
                backfills.save(conn, backfill_id, found.progress, found.status, due=True)
            return _Moved(ended=len(ended), more=more)
        moved = self._ask(conn, found, len(ended), now)
        return replace(moved, more=more or moved.asked == _RUNS)

    def _then(self, conn: Connection, found: Backfill) -> Definitions | None:
        """The definitions that the target was made with; None: they are no longer kept."""
        try:
            homes = {name: self._catalog.of(conn, home.digest) for name, home in found.target.homes.items()}
            own = self._catalog.of(conn, found.digest)
        except NotFoundError:
            return None
        return own.joined(homes) if homes else own

    def _now(self, conn: Connection, found: Backfill) -> Definitions | None:
        """The newest definitions; None: a location has none just now."""
        current = self._catalog.current(conn)
        if any(location not in current for location in locations_of(found)):
            return None
        own, homes = current[found.location], {name: current[home.location] for name, home in found.target.homes.items()}
        return own.joined(homes) if homes else own

    def _ask(self, conn: Connection, found: Backfill, ended: int, now: Definitions) -> _Moved:
        room = max(0, min(_RUNS, _AHEAD - found.progress.open_runs))
        step = decide.next_step(found.target, found.progress, now, job_name=found.job_name, limit=room)
        made = decide.new_runs(found, step.runs, now, make_id=new_run_id)
        for start in range(0, len(made), _ROWS):
            runs.enqueue(conn, made[start : start + _ROWS], assets=self._ids)
        if made:
            listen.notify(conn, "runs")
        end = decide.ended_as(found.target, step.progress)
        status = end or BackfillStatus.IN_PROGRESS
        # Where the queue is full of its runs, the end of one of them makes room and wakes us.
        backfills.save(conn, found.backfill_id, step.progress, status, due=step.cut and room == _RUNS)
        if end is not None:
            _say(found, end)
        return _Moved(asked=len(made), ended=ended, status=status if status is not found.status else None)

    def _stop(self, conn: Connection, found: Backfill, ended: int, *, more: bool) -> _Moved:
        """Nothing more is asked for. Runs that the step could not have, and retries asked for since, are left to the next one."""
        progress = decide.cancel_rest(found.target, found.progress)
        due = more or backfill_runs.unfinished(conn, found.backfill_id)
        return replace(self._conclude(conn, found, progress, ended, BackfillStatus.CANCELED, due=due), more=more)

    def _give_up(self, conn: Connection, found: Backfill, ended: int, problem: str | None) -> _Moved:
        """The definitions do not fit any more: nothing more is asked for, and it fails once its open runs are over."""
        mend = "ask for a new backfill, of what is left"
        error = found.error or ErrorInfo(class_name="BackfillError", message=f"the backfill cannot go on: {problem}; {mend}")
        progress = decide.cancel_rest(found.target, found.progress)
        return self._conclude(conn, replace(found, error=error), progress, ended, BackfillStatus.FAILED)

    @staticmethod
    def _conclude(conn: Connection, found: Backfill, progress: Progress, ended: int, final: BackfillStatus, *, due: bool = False) -> _Moved:
        waiting = found.status if found.status is BackfillStatus.CANCELING else BackfillStatus.IN_PROGRESS
        status = waiting if progress.open_runs or due else final
        backfills.save(conn, found.backfill_id, progress, status, due=due, error=found.error)
        if status is final:
            _say(found, final)
        return _Moved(ended=ended, status=status if status is not found.status else None)


def _ends(conn: Connection, found: Backfill) -> tuple[list[EndedRun], bool]:
    """What has ended since the last step, also by being canceled in this one; and whether there may be more."""
    ended: list[EndedRun] = []
    if found.status is BackfillStatus.CANCELING:
        backfill_runs.stop_active(conn, found.backfill_id, reason=backfills.CANCELED)
        ended = backfill_runs.cancel_queued(conn, found.backfill_id, reason=backfills.CANCELED, limit=_ENDS)
        if len(ended) == _ENDS:
            return ended, True
    settled = backfill_runs.settle(conn, found.backfill_id, limit=_ENDS)
    return ended + settled, len(settled) == _ENDS


def _facts(ended: Sequence[EndedRun], backfill: Backfill, then: Definitions | None) -> list[Ended]:
    """The ends of runs, those of one kind together."""
    names = {run.asset_keys: tuple(key for key in run.asset_keys if key in backfill.target.parts) for run in ended}
    plain: dict[tuple[tuple[str, ...], RunStatus], list[EndedRun]] = {}
    found = []
    for run in ended:
        parts = (JOB,) if backfill.job_name is not None else names[run.asset_keys]
        if run.made or run.retried:
            ordinals = subsets.of_range(run.first, run.last + 1)
            made = {} if backfill.job_name is not None else _made(run, backfill, then)
            found.append(Ended(names=parts, ordinals=ordinals, status=run.status, runs=1, made=made, retried=run.retried))
        else:
            plain.setdefault((parts, run.status), []).append(run)
    for (parts, status), alike in plain.items():
        ordinals = subsets.union(subsets.of_range(run.first, run.last + 1) for run in alike)
        found.append(Ended(names=parts, ordinals=ordinals, status=status, runs=len(alike), made={}))
    return found


def _made(run: EndedRun, backfill: Backfill, then: Definitions | None) -> Mapping[str, Subset]:
    """What a run that did not succeed made all the same."""
    by_name: dict[str, list[PartitionKey]] = {}
    for name, partition in run.made:
        if name in backfill.target.parts:
            by_name.setdefault(name, []).append(partition)
    if run.first == run.last:
        return dict.fromkeys(by_name, subsets.of_range(run.first, run.first + 1))
    if then is None:
        return {}  # nothing says any more which ordinals the keys have
    return {name: ordinals_of(then.assets[name].partitions, keys, backfill.target.moment) for name, keys in by_name.items()}


def _say(backfill: Backfill, status: BackfillStatus) -> None:
    what = backfill.job_name or ", ".join(key.to_user_string() for key in backfill.asset_keys[:3])
    log.info("backfill ended", extra={"action": "backfill", "backfill": backfill.backfill_id, "of": what, "status": str(status)})
