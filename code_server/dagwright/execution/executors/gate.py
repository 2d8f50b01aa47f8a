"""Which of the steps that are ready may start now: at most so many at once, and at most so many with a tag."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from dagwright.execution.progress import Progress
from dagwright.planning.executor_config import TagLimit
from dagwright.planning.steps import Step
from dagwright_shared.model.keys import StepKey

_Slot = tuple[int, str]
"""A limit (by its place), and the tag value that it counts; "" where it does not tell values apart."""


class Gate:
    """Takes steps from the progress of a run and holds back those that a limit does not let start.

    Args:
        max_concurrent: steps at once.
        limits: of the executor's config.
    """

    def __init__(self, progress: Progress, max_concurrent: int, limits: Sequence[TagLimit] = ()) -> None:
        self._progress, self._max, self._limits = progress, max_concurrent, tuple(limits)
        self._running: dict[StepKey, tuple[_Slot, ...]] = {}
        self._used: dict[_Slot, int] = {}
        self._held: dict[_Slot, deque[Step]] = {}

    @property
    def full(self) -> bool:
        return len(self._running) >= self._max

    @property
    def more_to_start(self) -> bool:
        """Whether steps may still have to be started, now or later."""
        return self._progress.more_to_start or bool(self._held)

    def take(self) -> Step | None:
        """The next step to start now, if any; it counts until `leave`."""
        if self.full:
            return None
        for slot in list(self._held):
            while self._held.get(slot) and self._room(slot):
                step = self._held[slot].popleft()
                if not self._held[slot]:
                    del self._held[slot]
                if self._enter(step):
                    return step
        while (ready := self._progress.take()) is not None:
            if self._enter(ready):
                return ready
        return None

    def leave(self, key: StepKey) -> None:
        """A step has ended."""
        for slot in self._running.pop(key):
            self._used[slot] -= 1

    def let_go(self) -> None:
        """Before the run is stopped: what was held back has never started."""
        for held in self._held.values():
            for step in held:
                self._progress.put_back(step)
        self._held.clear()

    def _enter(self, step: Step) -> bool:
        slots = slots_of(step.tags, self._limits) if self._limits else ()
        for slot in slots:
            if not self._room(slot):
                self._held.setdefault(slot, deque()).append(step)
                return False
        for slot in slots:
            self._used[slot] = self._used.get(slot, 0) + 1
        self._running[step.key] = slots
        return True

    def _room(self, slot: _Slot) -> bool:
        return self._used.get(slot, 0) < self._limits[slot[0]].limit


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
