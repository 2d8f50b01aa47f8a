"""Schedules: which ticks are due, what an earlier run still going means, and what a tick without user code asks for."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from dagwright_shared.model import cron, partitions
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import PartitionKey, RunId
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys, MultiPartitions, Partitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import MissedTicks, Overlap, ScheduleSnapshot
from dagwright_shared.model.ticks import Evaluation, RunRequestData

GRACE = timedelta(seconds=30)
"""A tick no older than this is late, not missed: a restart or a fail-over of daemons fits in."""
_MAX_LOOKED_AT = 1_000
_MAX_RECORDED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedTick:
    """A scheduled time that passed while nothing ran, and why it is not made up for."""

    scheduled_for: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a schedule owes at some moment."""

    take: tuple[datetime, ...] = ()
    """Evaluate these, oldest first."""
    missed: tuple[MissedTick, ...] = ()
    """Record these as skipped, oldest first; the newest 100 when there are more."""


def times(expressions: Sequence[str], moment: datetime, timezone: str) -> Iterator[datetime]:
    """The times strictly after `moment` at which any of the expressions fires, each once, without end."""
    merged = heapq.merge(*(cron.after(expression, moment, timezone) for expression in expressions))
    return (tick for tick, _ in itertools.groupby(merged))


def next_time(expressions: Sequence[str], timezone: str, moment: datetime) -> datetime | None:
    """When a schedule fires next; None when it has no expression."""
    return next(times(expressions, moment, timezone), None)


def due(
    expressions: Sequence[str],
    timezone: str,
    *,
    since: datetime,
    now: datetime,
    missed: MissedTicks,
    max_missed: int,
    grace: timedelta = GRACE,
) -> Due:
    """The ticks with `since < time <= now`, split into those to take and those that were missed.

    A tick within `grace` of now is always taken. Of the older ones SKIP takes none, ALL the newest `max_missed`, and
    ONCE the newest one, unless a tick within the grace already stands for them.

    Args:
        since: the newest scheduled time that has a tick, or when the schedule was switched on.
        max_missed: with ALL, how many missed ticks are made up for.
    """
    passed, more = _passed(expressions, timezone, since, now)
    fresh = [tick for tick in passed if now - tick <= grace]
    old = passed[: len(passed) - len(fresh)]
    made_up = {MissedTicks.SKIP: 0, MissedTicks.ONCE: 0 if fresh else 1, MissedTicks.ALL: max(0, max_missed)}[missed]
    kept = max(0, len(old) - made_up)
    return Due(take=(*old[kept:], *fresh), missed=_missed(old[:kept], missed, max_missed, unlisted=more))


def _passed(expressions: Sequence[str], timezone: str, since: datetime, now: datetime) -> tuple[list[datetime], bool]:
    """The ticks in (since, now], or the newest ones of very many; and whether some were left out.

    After a long absence the interval is halved until it holds few enough: counting forwards keeps the rules for
    daylight saving those of the timer.
    """
    start, cut = since, False
    while True:
        until_now = itertools.takewhile(lambda tick: tick <= now, times(expressions, start, timezone))
        found = list(itertools.islice(until_now, _MAX_LOOKED_AT + 1))
        if len(found) <= _MAX_LOOKED_AT:
            return found, cut
        start, cut = start + (now - start) / 2, True


def _missed(ticks: Sequence[datetime], policy: MissedTicks, max_missed: int, *, unlisted: bool) -> tuple[MissedTick, ...]:
    if not ticks:
        return ()
    why = {
        MissedTicks.SKIP: "its policy for missed ticks is 'skip'",
        MissedTicks.ONCE: "its policy for missed ticks is 'once': the newest one stands for all",
        MissedTicks.ALL: f"its policy for missed ticks is 'all', for at most {max_missed}",
    }[policy]
    reason = f"No daemon took this tick in time, and {why}."
    recorded = ticks[-_MAX_RECORDED:]
    unrecorded = len(ticks) - len(recorded)
    first = reason
    if unlisted or unrecorded:
        count = f"more than {unrecorded}" if unlisted else str(unrecorded)
        first = f"{reason} So were {count} ticks before it, which are not listed."
    return tuple(MissedTick(scheduled_for=tick, reason=reason if at else first) for at, tick in enumerate(recorded))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Launch, whatever else is going on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Do not launch."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Enqueue, to start when these runs have ended."""

    after: tuple[RunId, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOld:
    """Launch, and cancel these runs."""

    run_ids: tuple[RunId, ...]


Verdict: TypeAlias = Allow | Skip | Queue | CancelOld


def overlap(policy: Overlap, active: Sequence[RunId], what: str = "schedule") -> Verdict:
    """What a due tick does about the own earlier runs of its schedule or sensor that have not ended (queued ones included)."""
    if not active or policy is Overlap.ALLOW:
        return Allow()
    more = f" and {len(active) - 1} more" if len(active) > 1 else ""
    match policy:
        case Overlap.SKIP:
            return Skip(reason=f"The {what}'s earlier run {active[0]}{more} has not ended, and its policy for overlap is 'skip'.")
        case Overlap.QUEUE:
            return Queue(after=tuple(active), reason=f"Waits for the {what}'s earlier run {active[0]}{more} to end.")
        case Overlap.CANCEL_OLD:
            return CancelOld(run_ids=tuple(active))


def requests(
    schedule: ScheduleSnapshot,
    scheduled_for: datetime,
    definition: Partitions | None = None,
    dynamic: DynamicKeys = NO_DYNAMIC,
) -> Evaluation:
    """What a tick of a schedule without user code asks for.

    Args:
        definition: the partitions of what it launches, when `schedule.partitioned`: the time window that ended last
            before the tick is launched, with every key of the other dimensions.
        dynamic: the keys of dynamic dimensions.
    """
    if not schedule.partitioned:
        return Evaluation(requests=(_request(schedule, ()),))
    if definition is None:
        return Evaluation(skip_reason="The schedule launches partitions, but what it launches is not partitioned any more.")
    keys = _ended_at(definition, schedule, scheduled_for, dynamic)
    if not keys:
        return Evaluation(skip_reason=f"No partition has ended at this tick ({partitions.describe(definition)}).")
    return Evaluation(requests=tuple(_request(schedule, key) for key in keys))


def _request(schedule: ScheduleSnapshot, partition: PartitionKey) -> RunRequestData:
    return RunRequestData(
        # One run per tick and partition, whoever evaluates it and however often.
        run_key="|".join(partition) or None,
        job_name=schedule.target.job_name,
        asset_keys=schedule.target.asset_keys,
        check_keys=schedule.target.check_keys,
        partition=partition,
        config=schedule.config,
        tags=schedule.tags,
    )


def _ended_at(definition: Partitions, schedule: ScheduleSnapshot, tick: datetime, dynamic: DynamicKeys) -> list[PartitionKey]:
    if isinstance(definition, MultiPartitions):
        axes = [_ended_in(axis, schedule, tick, dynamic) for _, axis in definition.dimensions]
        return list(itertools.product(*axes))
    return [(key,) for key in _ended_in(definition, schedule, tick, dynamic)]


def _ended_in(axis: partitions.SimplePartitions, schedule: ScheduleSnapshot, tick: datetime, dynamic: DynamicKeys) -> Sequence[str]:
    if not isinstance(axis, TimeWindowPartitions):
        return partitions.simple_keys(axis, tick, dynamic)
    newest = partitions.last_key(axis, tick)
    if newest is None:
        return ()
    if axis.end is not None and tick > axis.end:
        # The partitions have come to an end: the last one belongs to one tick, not to each later one.
        previous = max((next(cron.before(one, tick, schedule.timezone)) for one in schedule.cron), default=None)
        if previous is not None and partitions.last_key(axis, previous) == newest:
            return ()
    return newest
