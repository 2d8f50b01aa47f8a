"""The queue: which runs may start, in which order, when a failed launch is tried again, and why a run waits.

Order: runs of backfills and automation come after all others, as they take the places that are left; then higher priority, then age.
Such background runs also leave some places free (`Limits.background_runs`), so that a person's run finds one at once however long a
backfill is. A run that a limit holds back holds back nobody else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import LocationName, RunId
from dagwright_shared.model.limits import Limits, TagLimit
from dagwright_shared.model.runs import Run, RunStatus, system_tag
from dagwright_shared.model.snapshot import LocationSnapshot

_FIRST_DELAY = timedelta(milliseconds=500)
_LONGEST_DELAY = timedelta(seconds=30)
_MAX_PRIORITY = 2**31 - 1
_NO_POOLS: frozenset[str] = frozenset()


class WaitKind(StrEnum):
    """What a run waits for."""

    NOT_BEFORE = "not_before"
    """A time: a retry's delay, or a launch that is tried again."""
    LOCATION = "location"
    """A code server of its location."""
    LIMIT = "limit"
    """A place among all active runs."""
    RESERVED = "reserved"
    """A place that background runs may have."""
    LOCATION_LIMIT = "location_limit"
    TAG_LIMIT = "tag_limit"
    POOL = "pool"
    TURN = "turn"
    """Nothing but those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One thing that keeps a run from starting."""

    kind: WaitKind
    message: str
    name: str | None = None
    """The location, the tag or the pool."""
    limit: int | None = None
    used: int | None = None
    holders: tuple[RunId, ...] = ()
    """The runs whose end may let it start, the one that has run longest first."""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """A pool, as far as whole runs claim its slots."""

    slots: int | None
    used: int = 0
    holders: tuple[RunId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides who may start."""

    limits: Limits
    now: datetime
    active: tuple[Run, ...] = ()
    """Runs that have a place; the oldest first."""
    locations: Collection[LocationName] | None = None
    """Those with a code server that answers; None: all."""
    pools: Mapping[str, PoolUse] = field(default_factory=dict)
    wanted: Mapping[RunId, frozenset[str]] = field(default_factory=dict)
    """The pools that a run needs a slot of to start, where runs claim them as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What becomes of queued runs now."""

    start: tuple[Run, ...]
    waits: Mapping[RunId, tuple[Wait, ...]]
    """For each of the others, all that holds it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many more runs may start."""

    runs: int
    background: int
    """Of these, runs of backfills and automation."""


def room(limits: Limits, *, active: int, background: int) -> Room:
    """How many more runs may start, over all locations.

    Args:
        active: runs that have a place.
        background: those of them that are of backfills and automation.
    """
    free = max(0, limits.max_concurrent_runs - active)
    return Room(runs=free, background=max(0, min(free, limits.background_runs - background)))


def order(runs: Iterable[Run]) -> list[Run]:
    """Queued runs in the order of starting: background runs last, then higher priority first, then older first."""
    return sorted(runs, key=lambda run: (run.background, -run.priority, run.created_at, run.run_id))


def choose(facts: Facts, queued: Iterable[Run], *, most: int | None = None) -> Choice:
    """Which queued runs start now, and why the others do not.

    Args:
        queued: candidates, in any order.
        most: start no more than so many.
    """
    places = _Places(facts)
    start: list[Run] = []
    waits: dict[RunId, tuple[Wait, ...]] = {}
    for run in order(run for run in queued if run.status is RunStatus.QUEUED):
        reasons = places.reasons(run)
        if not reasons and most is not None and len(start) >= most:
            reasons = (Wait(kind=WaitKind.TURN, message="It starts once those before it have been launched."),)
        if reasons:
            waits[run.run_id] = reasons
        else:
            places.take(run)
            start.append(run)
    return Choice(start=tuple(start), waits=waits)


def reasons(run: Run, facts: Facts) -> tuple[Wait, ...]:
    """All that keeps a queued run from starting now; nothing when it is about to, or is not queued."""
    return _Places(facts).reasons(run) if run.status is RunStatus.QUEUED else ()


def exhausted(facts: Facts) -> list[TagLimit]:
    """Tag limits that are used up, those that count each value as one for each value: no run that they concern can start."""
    places = _Places(facts)
    return [
        TagLimit(key=limit.key, value=group or limit.value, limit=limit.limit)
        for (limit, group), runs in places.by_tag.items()
        if len(runs) >= limit.limit
    ] + [limit for limit in facts.limits.tag_concurrency_limits if limit.limit == 0 and not limit.per_value]


class _Places:
    """The places that are taken: by active runs, and by those that are chosen."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._runs: list[Run] = list(facts.active)
        self._background = sum(run.background for run in facts.active)
        self._by_location = Counter(run.location for run in facts.active)
        self._in_pool = {name: pool.used for name, pool in facts.pools.items()}
        self.by_tag: dict[tuple[TagLimit, str], list[Run]] = {}
        for run in facts.active:
            self._count_tags(run)

    def take(self, run: Run) -> None:
        self._runs.append(run)
        self._background += run.background
        self._by_location[run.location] += 1
        for pool in self._facts.wanted.get(run.run_id, _NO_POOLS):
            self._in_pool[pool] = self._in_pool.get(pool, 0) + 1
        self._count_tags(run)

    def reasons(self, run: Run) -> tuple[Wait, ...]:
        found = (*self._elsewhere(run), *self._numbers(run), *self._tags(run), *self._pools(run))
        return tuple(found)

    def _count_tags(self, run: Run) -> None:
        for limit in self._facts.limits.tag_concurrency_limits:
            group = limit.group(run.tags)
            if group is not None:
                self.by_tag.setdefault((limit, group), []).append(run)

    def _elsewhere(self, run: Run) -> Iterable[Wait]:
        facts = self._facts
        if run.not_before is not None and run.not_before > facts.now:
            seconds = (run.not_before - facts.now).total_seconds()
            yield Wait(kind=WaitKind.NOT_BEFORE, message=run.status_reason or f"Starts in {seconds:.0f} s.", until=run.not_before)
        if facts.locations is not None and run.location not in facts.locations:
            message = (
                f"No code server of location {run.location!r} answers; start one with: dagwright code-server --location {run.location}"
            )
            yield Wait(kind=WaitKind.LOCATION, message=message, name=run.location)

    def _numbers(self, run: Run) -> Iterable[Wait]:
        limits, active = self._facts.limits, len(self._runs)
        if active >= limits.max_concurrent_runs:
            message = f"{_runs(active)} active, and at most {limits.max_concurrent_runs} may be (max_concurrent_runs)."
            yield self._wait(WaitKind.LIMIT, message, limits.max_concurrent_runs, self._runs)
        elif run.background and self._background >= limits.background_runs:
            message = (
                f"{_runs(self._background)} of backfills and automation active, and at most {limits.background_runs} may be: "
                f"the other {limits.max_concurrent_runs - limits.background_runs} places are kept for other runs (reserved_runs)."
            )
            yield self._wait(WaitKind.RESERVED, message, limits.background_runs, [each for each in self._runs if each.background])
        limit = limits.location_limits.get(run.location)
        if limit is not None and self._by_location[run.location] >= limit:
            message = f"{_runs(self._by_location[run.location])} of location {run.location!r} active, and at most {limit} may be."
            holders = [each for each in self._runs if each.location == run.location]
            yield self._wait(WaitKind.LOCATION_LIMIT, message, limit, holders, run.location)

    def _tags(self, run: Run) -> Iterable[Wait]:
        for limit in self._facts.limits.tag_concurrency_limits:
            group = limit.group(run.tags)
            if group is None:
                continue
            holders = self.by_tag.get((limit, group), [])
            if len(holders) >= limit.limit:
                name = f"{limit.key}={group}" if group else str(limit)
                message = f"{_runs(len(holders))} with the tag {name} active, and at most {limit.limit} may be (tag_concurrency_limits)."
                yield self._wait(WaitKind.TAG_LIMIT, message, limit.limit, holders, name)

    def _pools(self, run: Run) -> Iterable[Wait]:
        for name in sorted(self._facts.wanted.get(run.run_id, _NO_POOLS)):
            pool = self._facts.pools.get(name, PoolUse(slots=self._facts.limits.default_pool_slots))
            used = self._in_pool.get(name, 0)
            if pool.slots is not None and used >= pool.slots:
                message = f"All slots of pool {name!r} are in use ({used} of {pool.slots})."
                yield Wait(kind=WaitKind.POOL, message=message, name=name, limit=pool.slots, used=used, holders=pool.holders)

    @staticmethod
    def _wait(kind: WaitKind, message: str, limit: int, holders: Iterable[Run], name: str | None = None) -> Wait:
        ids = tuple(run.run_id for run in holders)
        return Wait(kind=kind, message=message, name=name, limit=limit, used=len(ids), holders=ids)


def _runs(count: int) -> str:
    return "1 run is" if count == 1 else f"{count} runs are"


def pools_of(snapshot: LocationSnapshot, run: Run) -> frozenset[str]:
    """The pools of the steps of a run, by the definitions of its location."""
    job = next((job for job in snapshot.jobs if job.name == run.job_name), None)
    if job is None:
        chosen = {*run.asset_keys, *(check.asset_key for check in run.check_keys)}
        return frozenset(asset.pool for asset in snapshot.assets if asset.key in chosen and asset.pool is not None)
    found = set()
    for node in job.nodes:
        of_assets = bool(node.asset_keys) and bool(run.asset_keys)
        left_out = (of_assets and not set(node.asset_keys) & set(run.asset_keys)) or (run.step_keys and node.handle not in run.step_keys)
        if node.pool is not None and not left_out:
            found.add(node.pool)
    return frozenset(found)


def launch_delay(attempts: int) -> timedelta:
    """How long a run stays queued after its launch failed for the `attempts`-th time: 0.5 s, doubling, at most 30 s."""
    if attempts <= 0:
        return timedelta(0)
    return min(_LONGEST_DELAY, _FIRST_DELAY * float(2 ** min(attempts - 1, 16)))


def priority(tags: Mapping[str, str]) -> int:
    """The priority that a run's tags ask for: an integer, higher starts first; 0 when unset or not a number."""
    try:
        asked = int(system_tag(tags, "priority") or "0")
    except ValueError:
        return 0
    return max(-_MAX_PRIORITY, min(_MAX_PRIORITY, asked))
