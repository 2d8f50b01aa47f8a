"""The queue: how many runs may start, which first, when a failed launch is tried again, and why a run waits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.runs import PRIORITY_TAG, Run, RunStatus

_FIRST_DELAY = timedelta(milliseconds=500)
_LONGEST_DELAY = timedelta(seconds=30)
_MAX_PRIORITY = 2**31 - 1
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def room(*, limit: int, active: int) -> int:
    """How many more runs may start: `limit` runs at once, over all locations."""
    return max(0, limit - active)


def order(runs: Iterable[Run]) -> list[Run]:
    """Queued runs in the order of starting: higher priority first, then older first."""
    return sorted(runs, key=lambda run: (-run.priority, run.created_at, run.run_id))


def startable(runs: Iterable[Run], *, now: datetime, room: int, locations: Collection[LocationName] | None = None) -> list[Run]:
    """The runs that may start now, in order. `locations` are those with a code server that answers; None means all."""
    ready = (run for run in runs if run.status is RunStatus.QUEUED and (run.not_before or _LONG_AGO) <= now)
    reachable = (run for run in ready if locations is None or run.location in locations)
    return order(reachable)[: max(0, room)]


def launch_delay(attempts: int) -> timedelta:
    """How long a run stays queued after its launch failed for the `attempts`-th time: 0.5 s, doubling, at most 30 s."""
    if attempts <= 0:
        return timedelta(0)
    return min(_LONGEST_DELAY, _FIRST_DELAY * float(2 ** min(attempts - 1, 16)))


def waits_because(run: Run, *, now: datetime, limit: int, active: int, locations: Collection[LocationName]) -> str | None:
    """Why a queued run has not started, as a sentence; None when it is about to."""
    if run.status is not RunStatus.QUEUED:
        return None
    if run.not_before is not None and run.not_before > now:
        seconds = (run.not_before - now).total_seconds()
        return run.status_reason or f"Starts in {seconds:.0f} s."
    if run.location not in locations:
        return f"No code server of location {run.location!r} answers; start one with: dagwright code-server --location {run.location}"
    if room(limit=limit, active=active) == 0:
        return f"{active} runs are active, and at most {limit} may be (DAGWRIGHT_MAX_CONCURRENT_RUNS)."
    return None


def priority(tags: Mapping[str, str]) -> int:
    """The priority that a run's tags ask for: an integer, higher starts first; 0 when unset or not a number."""
    try:
        asked = int(tags.get(PRIORITY_TAG, "0"))
    except ValueError:
        return 0
    return max(-_MAX_PRIORITY, min(_MAX_PRIORITY, asked))
