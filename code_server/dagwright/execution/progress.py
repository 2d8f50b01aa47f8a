"""Turns what happens to steps into the run's events, and decides what follows: success, a retry, failure, skipping."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from dagwright.execution.outcome import Outcome, StepBroke, StepDone, StepStopped
from dagwright.execution.ports import SlotSource
from dagwright.execution.scope import RunScope
from dagwright.planning.dynamic import Change, Growth, key_at, placeholder
from dagwright.planning.state import Phase, PlanState, Skip, may_retry, retry_delay
from dagwright.planning.steps import FromMany, FromOutput, Path, PlannedInput, Step, node, planned_step, upstream
from dagwright_shared.model.events import (
    AssetFailed,
    AssetMaterialized,
    LogChunk,
    Payload,
    StepCanceled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepsPlanned,
    StepStarted,
    StepSucceeded,
    Usage,
)
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, PartitionKey, StepKey

_STEPS_AN_EVENT = 500


class Progress:
    """The state of a run while it goes on, and the only writer of its step events."""

    def __init__(self, scope: RunScope, *, clock: Callable[[], float] = time.monotonic, rng: Callable[[], float] = random.random) -> None:
        self.scope = scope
        self.clock = clock
        self._rng = rng
        self._steps: dict[StepKey, Step] = {}
        plan = scope.plan
        self.growth = Growth(plan.steps, plan.chosen, plan.inherited)
        self._ordinal = len(plan.steps)
        self.state = PlanState(())
        self.stopping = False
        self._settled: set[tuple[AssetKey, PartitionKey]] = set()
        """Asset partitions that were made, or of which it was told that they were not."""
        self._groups: dict[tuple[str, Path], deque[StepKey]] = {}
        """Steps of each step group, without those at the front that have come to an end."""

    def begin(self) -> None:
        """Lay out the plan: call it once, after the run's first event."""
        self._grow(self.growth.start())

    @property
    def slots(self) -> SlotSource | None:
        """Where steps with a pool get its slots."""
        return self.scope.sink if isinstance(self.scope.sink, SlotSource) else None

    @property
    def finished(self) -> bool:
        return self.state.finished

    @property
    def left_to_start(self) -> int:
        """How many steps may still have to be started, now or later."""
        return self.state.open - self.state.in_flight

    def take(self) -> Step | None:
        """The next step to start now, if any."""
        key = None if self.stopping else self.state.take(self.clock())
        return self._known(self._steps[key]) if key is not None else None

    def _known(self, step: Step) -> Step:
        """The step without what is missing of the lists that it takes: outputs that were left out on purpose."""
        if not any(isinstance(planned.source, FromMany) for planned in step.inputs):
            return step
        return replace(step, inputs=tuple(self._there(planned) for planned in step.inputs))

    def _there(self, planned: PlannedInput) -> PlannedInput:
        if not isinstance(planned.source, FromMany):
            return planned
        sources = planned.source.sources
        kept = tuple(s for s in sources if not isinstance(s, FromOutput) or self.state.produced(s.step, s.output))
        return planned if len(kept) == len(sources) else replace(planned, source=FromMany(sources=kept))

    def put_back(self, step: Step) -> None:
        """A step that was taken has not been started after all."""
        self.state.put_back(step.key)

    def attempt(self, step: Step) -> int:
        return self.state.attempt(step.key)

    def seconds_to_retry(self) -> float | None:
        """How long until a retry is due; None when none waits."""
        due = self.state.next_retry()
        return None if due is None else max(0.0, due - self.clock())

    def goes_on(self, group: tuple[str, Path]) -> bool:
        """Whether a step group has steps that have not come to an end."""
        members = self._groups.get(group, deque())
        while members and self.state.is_over(members[0]):
            members.popleft()
        return bool(members)

    def began(self, step: Step, pid: int) -> None:
        self.scope.sink.emit(StepStarted(attempt=self.attempt(step), pid=pid), step.key)

    def relay(self, step: Step, payload: Payload) -> None:
        """Take in what a running step has to say."""
        if isinstance(payload, AssetMaterialized):
            self._settled.add((payload.asset_key, payload.partition))
        self.scope.history.note(payload, self.scope.spec.run_id)
        self.scope.sink.emit(payload, step.key)

    def output(self, chunks: Iterable[LogChunk]) -> None:
        for chunk in chunks:
            self.scope.sink.chunk(chunk)

    def ended(self, step: Step, outcome: Outcome, usage: Usage) -> None:
        """A step attempt is over: emit its end and release, retry or skip."""
        match outcome:
            case StepDone():
                if self.growth.makes_levels(step):
                    # First, or a retry of the run after a crash in between would miss the new steps.
                    self._grow(self.growth.landed(step, outcome.mapping_keys))
                self.scope.sink.emit(StepSucceeded(attempt=self.attempt(step), usage=usage), step.key)
                self._skip(self.state.done(step.key, outcome.outputs))
            case StepStopped():
                self._canceled(step)
            case StepBroke():
                self._broke(step, outcome, usage)

    def _grow(self, change: Change) -> None:
        """Take in what the plan has gained, and tell of it."""
        for step in (*change.added, *change.filled):
            self._steps[step.key] = step
        for step in change.added:
            if step.group is not None:
                self._groups.setdefault(step.group, deque()).append(step.key)
        self._tell(change)
        skips = self.state.grow(node(step) for step in change.added)
        for key, need in change.needs:
            skips += self.state.extend(key, needs=(need,), release=False)
        for step in change.filled:
            full = node(step)
            skips += self.state.extend(step.key, needs=full.needs, any_of=full.any_of, release=True)
        self._skip(skips)

    def _tell(self, change: Change) -> None:
        # What there is from the start is in the run's first event.
        fresh = (*(step for step in change.added if step.pattern is not None), *change.filled)
        shown = [planned_step(step, step.key, upstream(step)) for step in fresh]
        gone = frozenset(change.gone)
        for pattern, path in change.placeholders:
            key = placeholder(pattern, path)
            if path and key not in gone:
                levels = enumerate(pattern.scope[: len(path) + 1])
                shown.append(planned_step(pattern, key, [key_at(level.step, path[:depth]) for depth, level in levels]))
        for start in range(0, max(len(shown), 1), _STEPS_AN_EVENT):
            some = tuple(shown[start : start + _STEPS_AN_EVENT])
            replaced = tuple(change.gone) if start == 0 else ()
            if some or replaced:
                self.scope.sink.emit(StepsPlanned(steps=some, gone=replaced, first_ordinal=self._ordinal))
            self._ordinal += len(some)

    def stop(self) -> None:
        """The run is being canceled: start nothing any more."""
        self.stopping = True
        for key in self.state.drop_waiting():
            step = self._steps[key]
            if self.state.attempt(key):  # it was waiting for a retry
                self.scope.sink.emit(StepCanceled(attempt=self.state.attempt(key)), key)
            self._lose(step, "the run was canceled")

    def give_up(self, reason: str) -> None:
        """A fault of dagwright: nothing more happens, and every planned asset that was not made is lost."""
        self.stopping = True
        self.state.drop_waiting()
        for step in self._steps.values():
            if self.state.phase(step.key) is not Phase.DONE:
                self._lose(step, reason)

    def _broke(self, step: Step, broke: StepBroke, usage: Usage) -> None:
        attempt, policy = self.attempt(step), step.retry_policy
        retries = broke.allow_retries and may_retry(policy, attempt, broke.requested_retries)
        if retries and not self.stopping:
            delay = broke.requested_delay
            if delay is None:
                asked = broke.requested_retries is not None
                delay = 0.0 if policy is None or asked else retry_delay(policy, attempt, self._rng())
            self.scope.sink.emit(StepRetrying(attempt=attempt, error=broke.error, delay_seconds=delay, usage=usage), step.key)
            self.state.retry(step.key, self.clock() + delay)
            return
        self.scope.sink.emit(StepFailed(attempt=attempt, error=broke.error, usage=usage), step.key)
        self._lose(step, f"step {step.key!r} failed")
        self._skip(self.state.fail(step.key))
        self._forgo(step, "failed")

    def _canceled(self, step: Step) -> None:
        self.scope.sink.emit(StepCanceled(attempt=self.attempt(step)), step.key)
        self.state.cancel(step.key)
        self._lose(step, "the run was canceled")

    def _skip(self, skips: Iterable[Skip]) -> None:
        for skip in skips:
            self.scope.sink.emit(StepSkipped(reason=skip.reason), skip.key)
            if self.state.phase(skip.key) is Phase.SKIPPED and self.state.skipped_by_failure(skip.key):
                self._lose(self._steps[skip.key], skip.reason)
            self._forgo(self._steps[skip.key], "was skipped")

    def _forgo(self, step: Step, what: str) -> None:
        """Steps that are mapped over an output of this one will never be made."""
        if self.growth.makes_levels(step):
            for key in self.growth.lost(step):
                self.scope.sink.emit(StepSkipped(reason=f"upstream step {step.key!r} {what}"), key)

    def _lose(self, step: Step, reason: str) -> None:
        for key in step.asset_keys:
            for partition in step.partition_keys or (UNPARTITIONED,):
                if (key, partition) not in self._settled:
                    self._settled.add((key, partition))
                    self.scope.sink.emit(AssetFailed(asset_key=key, partition=partition, reason=reason), step.key)

    def failed_steps(self) -> tuple[StepKey, ...]:
        return self.state.failed
