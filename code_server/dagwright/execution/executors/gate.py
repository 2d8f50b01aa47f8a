"""Which of the steps that are ready may start now: so many at once, so many with a tag, one of a step group, with a slot of their pool."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from dagwright.execution.executors.work import Work
from dagwright.execution.ports import SlotSource
from dagwright.planning.executor_config import TagLimit
from dagwright.planning.steps import Step
from dagwright_shared.model.events import EngineMessage
from dagwright_shared.model.keys import StepKey

_Slot = tuple[int, str]
"""A limit (by its place), and the tag value that it counts; "" where it does not tell values apart."""
_POOL = -1
"""In place of a limit: the pool of this name. No more steps than can run at once ask for its slots."""
_GROUP = -2
"""In place of a limit: the step group of this name, whose steps run one after another."""


class Gate:
    """Takes steps from the progress of a run and holds back those that a limit does not let start.

    A step with a pool asks for a slot when its turn has come, and starts once it has it; meanwhile others go ahead.

    Args:
        max_concurrent: steps at once.
        limits: of the executor's config.
    """

    def __init__(self, progress: Work, max_concurrent: int, limits: Sequence[TagLimit] = ()) -> None:
        self._progress, self._max, self._limits = progress, max_concurrent, tuple(limits)
        self._source = progress.slots
        self._running: set[StepKey] = set()
        self._counted: dict[StepKey, tuple[_Slot, ...]] = {}
        self._used: dict[_Slot, int] = {}
        self._held: dict[_Slot, deque[Step]] = {}
        self._asking: dict[StepKey, Step] = {}
        self._granted: deque[Step] = deque()

    @property
    def full(self) -> bool:
        return len(self._running) >= self._max

    @property
    def left_to_start(self) -> int:
        """How many steps may still have to be started, now or later."""
        held = sum(len(steps) for steps in self._held.values())
        return self._progress.left_to_start + held + len(self._asking) + len(self._granted)

    def take(self) -> Step | None:
        """The next step to start now, if any; it counts until `leave`."""
        if self._source is not None and self._asking:
            self._hear(self._source)
        if self.full:
            return None
        if self._granted:
            return self._start(self._granted.popleft())
        for slot in list(self._held):
            while self._held.get(slot) and self._room(slot):
                step = self._held[slot].popleft()
                if not self._held[slot]:
                    del self._held[slot]
                if self._enter(step):
                    return self._start(step)
        while (ready := self._progress.take()) is not None:
            if self._enter(ready):
                return self._start(ready)
        return None

    def leave(self, key: StepKey) -> None:
        """A step has ended, or has not begun after all."""
        self._running.discard(key)
        for slot in self._counted.pop(key):
            self._used[slot] -= 1

    def give_back(self, step: Step) -> None:
        """A step that was taken has not begun, and is not going to for now."""
        if self._source is not None and step.pool is not None:
            self._source.unwant_slot(step.key, self._progress.attempt(step), step.pool)
        self.leave(step.key)
        self._progress.put_back(step)

    def let_go(self) -> None:
        """Before the run is stopped: what was held back has never started."""
        for held in self._held.values():
            for step in held:
                self._progress.put_back(step)
        self._held.clear()
        for step in (*self._asking.values(), *self._granted):
            self.give_back(step)
        self._asking.clear()
        self._granted.clear()

    def _start(self, step: Step) -> Step:
        self._running.add(step.key)
        return step

    def _enter(self, step: Step) -> bool:
        """Count a step, or hold it back. Whether it may start at once: one with a pool has to ask first."""
        slots = slots_of(step.tags, self._limits) if self._limits else ()
        if self._source is not None and step.pool is not None:
            slots = (*slots, (_POOL, step.pool))
        if step.group is not None:
            slots = (*slots, (_GROUP, repr(step.group)))
        for slot in slots:
            if not self._room(slot):
                self._held.setdefault(slot, deque()).append(step)
                return False
        for slot in slots:
            self._used[slot] = self._used.get(slot, 0) + 1
        self._counted[step.key] = slots
        if self._source is None or step.pool is None:
            return True
        self._asking[step.key] = step
        self._source.want_slot(step.key, self._progress.attempt(step), step.pool)
        return False

    def _hear(self, source: SlotSource) -> None:
        for key, granted in source.slot_news():
            step = self._asking.get(key)
            if step is None:
                continue
            if granted:
                del self._asking[key]
                self._granted.append(step)
            else:
                self._progress.relay(step, EngineMessage(message=f"The step waits for a slot of pool {step.pool!r}."))

    def _room(self, slot: _Slot) -> bool:
        place, _ = slot
        most = self._max if place == _POOL else 1 if place == _GROUP else self._limits[place].limit
        return self._used.get(slot, 0) < most


def slots_of(tags: Mapping[str, str], limits: Sequence[TagLimit]) -> tuple[_Slot, ...]:
    """The limits that a step with these tags comes under."""
    found = []
    for place, limit in enumerate(limits):
        if limit.key not in tags:
            continue
        value = tags[limit.key]
        if limit.value is None:
            found.append((place, ""))
        elif isinstance(limit.value, str):
            if limit.value == value:
                found.append((place, ""))
        else:
            found.append((place, value))
    return tuple(found)
