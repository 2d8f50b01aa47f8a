"""Recovery: what becomes of a run whose lease has lapsed, and whether a lapse may be believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from dagwright_shared.decide import queue, retries
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.runs import Run, RunStatus

MAX_LAUNCHES = 3
"""A run whose launches leave no trace of a worker fails after this many."""


@dataclass(frozen=True, slots=True)
class Answering:
    """For how long, without a break, this daemon has seen the database answer. Times are of a monotonic clock, in seconds."""

    since: float | None = None
    last: float | None = None

    def answered(self, at: float, *, longest_gap: float) -> Answering:
        """The database answered. A gap since the last answer counts as a break: this process may have been asleep."""
        if self.since is None or self.last is None or at - self.last > longest_gap:
            return Answering(since=at, last=at)
        return replace(self, last=max(at, self.last))

    def broke(self) -> Answering:
        """The database failed to answer."""
        return Answering()

    def trusts_lapses(self, at: float, *, lease_seconds: float) -> bool:
        """Whether a lapsed lease tells of a lost worker.

        While the database was away nobody could renew, so after a restart of it every lease has lapsed although the
        workers live. Each of them has had the time to renew once the database has answered for one lease period.
        """
        return self.since is not None and at - self.since >= lease_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeue:
    """Launch it again."""

    delay: timedelta
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Go on with a new worker from what is done."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """Give it up; a retry makes a new run."""

    error: ErrorInfo
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """It was being canceled: it is."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Nothing to do: it has ended, or nobody owns it."""


Verdict: TypeAlias = Requeue | Resume | Fail | Cancel | Leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take, in seconds."""

    launch: float = 30.0
    """From the claim to the first report."""
    cancel: float = 60.0
    """From the request to stop to the end."""
    runtime: float | None = None
    """From the start of a run to its end, where its tag `dagwright/max_runtime` does not say; None: any time."""


def decide(run: Run, *, launches: int, now: datetime, known: str | None = None, max_resumes: int = 0) -> Verdict:
    """What becomes of a run whose lease has lapsed.

    Args:
        launches: how often its launch was tried.
        max_resumes: how often it goes on with a new worker, where its tag `dagwright/max_resumes` does not say.
        known: what the code server said of the worker's end, such as `the worker was killed by signal 9`.
    """
    match run.status:
        case RunStatus.CANCELING:
            return Cancel(reason=known or "The worker is gone.")
        case RunStatus.STARTING if launches < MAX_LAUNCHES:
            detail = known or f"launch {launches} of {MAX_LAUNCHES} was not heard of again"
            return Requeue(delay=queue.launch_delay(launches), reason=f"To be launched again: {detail}.")
        case RunStatus.STARTING:
            return _lost(run, f"no worker reported after {launches} launches" + (f"; {known}" if known else ""), now, _LAUNCH_HINT)
        case RunStatus.STARTED if run.resumes < _resumes(run, max_resumes):
            return Resume(reason=f"Goes on with a new worker from what is done: {known or 'its worker stopped reporting'}.")
        case RunStatus.STARTED:
            return _lost(run, known or "its worker stopped reporting", now, _WORKER_HINT)
        case _:
            return Leave()


def overdue(run: Run, patience: Patience, *, now: datetime) -> Verdict:
    """What becomes of an active run that may have taken too long, whether or not its worker lives."""
    match run.status:
        case RunStatus.STARTING if _since(run.claimed_at, now) >= patience.launch:
            return decide(run, launches=run.launch_attempts, now=now, known=f"no worker reported within {patience.launch:g} s")
        case RunStatus.CANCELING if _since(run.canceling_at, now) >= patience.cancel:
            return Cancel(reason=f"It did not stop within {patience.cancel:g} s of being asked to, and was given up.")
        case RunStatus.STARTED:
            limit = max_runtime(run, patience.runtime)
            if limit is not None and _since(run.started_at, now) >= limit:
                message = f"The run was stopped: it ran longer than its limit of {limit:g} s."
                return Fail(error=ErrorInfo(class_name="RunTimedOut", message=message, hint=_RUNTIME_HINT), reason=message)
    return Leave()


def max_runtime(run: Run, default: float | None) -> float | None:
    """Seconds that a run may take; None: any time. A tag that is no positive number counts as none."""
    try:
        limit = retries.number(run.tags, "max_runtime", default or 0.0, float)
    except ValueError:
        limit = default or 0.0
    return limit if 0 < limit < float("inf") else None


def _resumes(run: Run, default: int) -> float:
    try:
        return retries.number(run.tags, "max_resumes", default, int)
    except ValueError:
        return default


def _since(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else (now - moment).total_seconds()


_RUNTIME_HINT = "Raise the tag dagwright/max_runtime (or the setting max_runtime_seconds), or have the run do less."
_LAUNCH_HINT = "Look at the log of the code server; a crash while user code loads shows there."
_WORKER_HINT = (
    "The worker process, its machine or its code server went away: out of memory, a kill or a restart are the usual "
    "causes. Give the run the tag dagwright/max_retries to have it retried."
)


def _lost(run: Run, what: str, now: datetime, hint: str) -> Fail:
    since = run.started_at or run.claimed_at
    facts = [f"code server {run.server_id}" if run.server_id else "", f"attempt {run.epoch}", f"{run.last_seq} events"]
    if since is not None:
        facts.append(f"{max(0.0, (now - since).total_seconds()):.0f} s after {'its start' if run.started_at else 'the claim'}")
    message = f"Worker lost: {what} ({', '.join(fact for fact in facts if fact)})."
    return Fail(error=ErrorInfo(class_name="WorkerLost", message=message, hint=hint), reason=message)
