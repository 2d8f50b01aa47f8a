"""What would run, when, and how full the queue and the pools would be: the daemon's own decisions against a clock that jumps.

Schedules, conditions, limits and pools are simulated. Code of the user is not run: a schedule with a function asks for its target, and
sensors with a function are left out. Every run succeeds, takes as long as it is said to, and holds a slot of each of its pools from start
to end, the most that it can.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from dagwright_shared.decide import queue, requests, schedules
from dagwright_shared.decide.queue import Facts, PoolUse
from dagwright_shared.decide.requests import Asker, Definitions
from dagwright_shared.decide.simulated_world import World
from dagwright_shared.model import partitions
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.keys import LocationName, RunId
from dagwright_shared.model.limits import Granularity, Limits
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys
from dagwright_shared.model.runs import NewRun, Run, RunStatus, TriggerKind
from dagwright_shared.model.snapshot import ScheduleSnapshot, SensorKind
from dagwright_shared.model.ticks import RunRequestData

MOST_RUNS = 20_000
_Due: TypeAlias = tuple[datetime, Definitions, ScheduleSnapshot]
"""A tick of a schedule."""
_BACKGROUND = frozenset({TriggerKind.AUTOMATION, TriggerKind.BACKFILL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is simulated."""

    definitions: Mapping[LocationName, Definitions]
    now: datetime
    until: datetime
    limits: Limits = field(default_factory=Limits)
    pools: Mapping[str, int | None] = field(default_factory=dict)
    """Slots; one that is not named has the limits' default."""
    duration: Callable[[NewRun], timedelta] = lambda _: timedelta(minutes=1)
    runs_here: Callable[[LocationName, str], bool] = lambda _location, _schedule: True
    """Whether a schedule is switched on."""
    dynamic: DynamicKeys = field(default_factory=lambda: NO_DYNAMIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRun:
    run: Run
    """With the times at which it would be asked for, start and end."""
    waited_for: tuple[str, ...] = ()
    """The limits and pools that held it back, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """How much a pool, or the limit of all runs, would be used."""

    name: str
    slots: int | None
    peak: int = 0
    busy: float = 0.0
    """Slots in use on average, over the whole time."""
    waited: timedelta = timedelta(0)
    """How long runs waited for it, all together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    runs: tuple[SimulatedRun, ...]
    """In the order of being asked for."""
    pools: tuple[Pressure, ...]
    total: Pressure
    """All runs."""
    left_out: tuple[str, ...]
    """What was not simulated, and why."""
    cut: bool
    """There would be more than 20,000 runs; the rest was left out."""


def simulate(setting: Setting) -> Simulation:
    """Play the time from `now` to `until`."""
    return _Player(setting).play()


class _Player:
    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._ids = (RunId(f"00000000-0000-7000-8000-{number:012x}") for number in itertools.count(1))
        self._left_out: dict[str, None] = {}
        self._world = World.at([each.snapshot for each in setting.definitions.values()], setting.now, setting.dynamic)
        self._queued: dict[RunId, Run] = {}
        self._active: dict[RunId, Run] = {}
        self._ends: list[tuple[datetime, RunId]] = []
        self._deferred: dict[tuple[LocationName, str], deque[_Due]] = {}
        """Ticks that wait until the runs of their schedule have ended."""
        self._made: dict[RunId, SimulatedRun] = {}
        self._lengths: dict[RunId, timedelta] = {}
        self._pools_of: dict[RunId, frozenset[str]] = {}
        self._pressure: dict[str, Pressure] = {name: Pressure(name=name, slots=slots) for name, slots in setting.pools.items()}
        self._total = Pressure(name="", slots=setting.limits.max_concurrent_runs)

    def play(self) -> Simulation:
        setting, ticks = self._setting, self._schedules()
        next_tick, edge, at = next(ticks, None), self._world.edges(setting.now), setting.now
        while len(self._made) < MOST_RUNS:
            moments = [moment for moment in (next_tick and next_tick[0], edge, self._ends[0][0] if self._ends else None) if moment]
            following = min(moments, default=setting.until)
            self._pass(at, min(following, setting.until))
            if following >= setting.until:
                break
            at = following
            while self._ends and self._ends[0][0] <= at:
                run_id = heapq.heappop(self._ends)[1]
                if run_id in self._active:  # it was not canceled meanwhile
                    self._end(run_id, at)
            for waiting in self._deferred.values():
                if waiting and not self._open(waiting[0]):
                    self._ask_for(waiting.popleft(), at)
            while next_tick is not None and next_tick[0] <= at:
                self._tick(next_tick)
                next_tick = next(ticks, None)
            if edge is not None and edge <= at:
                edge = self._world.edges(at)
            self._conditions(at)
            self._start(at)
        return Simulation(
            runs=tuple(self._made.values()),
            pools=tuple(self._pressure[name] for name in sorted(self._pressure)),
            total=self._total,
            left_out=tuple(self._left_out),
            cut=len(self._made) >= MOST_RUNS,
        )

    def _schedules(self) -> Iterator[_Due]:
        found = []
        for location, known in self._setting.definitions.items():
            for sensor in known.snapshot.sensors:
                if sensor.kind is not SensorKind.AUTOMATION:
                    self._left_out[f"sensor {sensor.name}: its function is not run"] = None
            for schedule in known.snapshot.schedules:
                if not self._setting.runs_here(location, schedule.name):
                    self._left_out[f"schedule {schedule.name}: it is switched off"] = None
                    continue
                if schedule.evaluated:
                    self._left_out[f"schedule {schedule.name}: its function is not run; each tick asks for its target"] = None
                found.append(self._times(known, schedule))
        return heapq.merge(*found, key=lambda tick: tick[0])

    def _times(self, known: Definitions, schedule: ScheduleSnapshot) -> Iterator[_Due]:
        for moment in schedules.times(schedule.cron, self._setting.now, schedule.timezone):
            if moment >= self._setting.until:
                return
            yield moment, known, schedule

    def _tick(self, due: _Due) -> None:
        moment, known, schedule = due
        waiting = self._deferred.setdefault((known.snapshot.location, schedule.name), deque())
        earlier = [run.run_id for run in self._open(due)]
        match schedules.overlap(schedule.overlap, earlier):
            case schedules.Skip():
                return
            case schedules.Queue():
                waiting.append(due)
                return
            case schedules.CancelOld(run_ids=run_ids):
                for run_id in run_ids:
                    self._cancel(run_id, moment)
            case schedules.Allow():
                pass
        if waiting:
            waiting.append(due)
        else:
            self._ask_for(due, moment)

    def _open(self, due: _Due) -> list[Run]:
        """The schedule's earlier runs that have not ended."""
        _, known, schedule = due
        place = (known.snapshot.location, schedule.name)
        return [run for run in (*self._queued.values(), *self._active.values()) if (run.location, run.trigger.name) == place]

    def _ask_for(self, due: _Due, at: datetime) -> None:
        moment, known, schedule = due
        asker = Asker(
            kind=TriggerKind.SCHEDULE, name=schedule.name, tick_id=0, scheduled_for=moment, targets=(schedule.target,), tags=schedule.tags
        )
        definition = requests.partitions_of(known, schedule.target)
        if schedule.evaluated and definition is not None:
            # Which partition its function asks for is not known: the newest one, as most do.
            last = partitions.last_key(definition, moment, self._setting.dynamic)
            wanted: Sequence[RunRequestData] = (RunRequestData(partition=last),) if last is not None else ()
        else:
            wanted = schedules.requests(schedule, moment, definition, self._setting.dynamic).requests
        self._ask(known, asker, wanted, at)

    def _conditions(self, at: datetime) -> None:
        for request in self._world.evaluate(at):
            key = next(iter((*request.asset_keys, *(check.asset_key for check in request.check_keys))), None)
            location = self._world.graph[key].location if key is not None and key in self._world.graph else None
            if location is None or location not in self._setting.definitions:
                continue
            asker = Asker(kind=TriggerKind.AUTOMATION, name="automation", tick_id=0, scheduled_for=at, tags={})
            self._ask(self._setting.definitions[location], asker, [request], at)

    def _ask(self, known: Definitions, asker: Asker, wanted: Iterable[RunRequestData], at: datetime) -> None:
        try:
            made = requests.new_runs(known, asker, tuple(wanted), make_id=lambda: next(self._ids), now=at, dynamic=self._setting.dynamic)
        except DagwrightError as error:
            self._left_out[f"{asker.kind} {asker.name}: {error}"] = None
            return
        for new in made:
            run = _queued(new, at)
            self._queued[run.run_id] = run
            self._made[run.run_id] = SimulatedRun(run=run)
            self._lengths[run.run_id] = max(timedelta(seconds=1), self._setting.duration(new))
            self._pools_of[run.run_id] = queue.pools_of(known.snapshot, run)
            for name in self._pools_of[run.run_id]:
                self._pressure.setdefault(name, Pressure(name=name, slots=self._setting.limits.default_pool_slots))
            self._world.run_asked(run, at)

    def _start(self, at: datetime) -> None:
        used = {name: [run.run_id for run in self._active.values() if name in self._pools_of[run.run_id]] for name in self._pressure}
        facts = Facts(
            limits=replace(self._setting.limits, pool_granularity=Granularity.RUN),
            now=at,
            active=tuple(self._active.values()),
            pools={
                name: PoolUse(slots=self._pressure[name].slots, used=len(holders), holders=tuple(holders)) for name, holders in used.items()
            },
            wanted=self._pools_of,
        )
        choice = queue.choose(facts, self._queued.values())
        for run in choice.start:
            started = replace(self._queued.pop(run.run_id), status=RunStatus.STARTED, started_at=at)
            self._active[run.run_id] = started
            self._made[run.run_id] = replace(self._made[run.run_id], run=started)
            heapq.heappush(self._ends, (at + self._lengths[run.run_id], run.run_id))
        for run_id, waits in choice.waits.items():
            names = {wait.name or str(wait.kind): None for wait in waits}
            known = self._made[run_id]
            self._made[run_id] = replace(known, waited_for=tuple(dict.fromkeys((*known.waited_for, *names))))

    def _end(self, run_id: RunId, at: datetime) -> None:
        ended = replace(self._active.pop(run_id), status=RunStatus.SUCCESS, ended_at=at)
        self._made[run_id] = replace(self._made[run_id], run=ended)
        self._world.run_ended(ended, at)

    def _cancel(self, run_id: RunId, at: datetime) -> None:
        run = self._queued.pop(run_id, None) or self._active.pop(run_id)
        ended = replace(run, status=RunStatus.CANCELED, ended_at=at)
        self._made[run_id] = replace(self._made[run_id], run=ended)
        self._world.run_canceled(ended, at)

    def _pass(self, start: datetime, end: datetime) -> None:
        """Account for the time in which nothing changes."""
        share = (end - start) / (self._setting.until - self._setting.now)
        waiting = [(run, self._made[run.run_id].waited_for) for run in self._queued.values()]
        for name, pool in self._pressure.items():
            used = sum(1 for run in self._active.values() if name in self._pools_of[run.run_id])
            waited = sum(1 for _, names in waiting if name in names) * (end - start)
            self._pressure[name] = replace(pool, peak=max(pool.peak, used), busy=pool.busy + used * share, waited=pool.waited + waited)
        active, total = len(self._active), self._total
        waited = len(waiting) * (end - start)
        self._total = replace(total, peak=max(total.peak, active), busy=total.busy + active * share, waited=total.waited + waited)


def _queued(new: NewRun, at: datetime) -> Run:
    return Run(
        run_id=new.run_id,
        location=new.location,
        digest=new.digest,
        job_name=new.job_name,
        asset_keys=new.asset_keys,
        check_keys=new.check_keys,
        only_checks=new.only_checks,
        step_keys=new.step_keys,
        partition=new.partition,
        partition_end=new.partition_end,
        config=new.config,
        tags=new.tags,
        status=RunStatus.QUEUED,
        trigger=new.trigger,
        priority=new.priority,
        run_key=new.run_key,
        parent_run_id=None,
        root_run_id=None,
        inherited={},
        retry_number=0,
        not_before=None,
        epoch=0,
        server_id=None,
        last_seq=0,
        created_at=at,
        claimed_at=None,
        started_at=None,
        ended_at=None,
        error=None,
        status_reason=None,
        background=new.trigger.kind in _BACKGROUND,
    )
