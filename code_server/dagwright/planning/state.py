"""How far a run has come: which steps wait, may start, run, are done, failed, skipped or wait for a retry.

Pure: no clock, no processes. The executor owns one `PlanState`, tells it what happened, and asks what may start.
Cost is constant for each edge of the plan over the whole run, so thousands of steps are fine. `grow` adds steps while
the run goes on, which is what a mapped (dynamic) output needs.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from dataclasses import field, replace
from enum import StrEnum

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import StepKey
from dagwright_shared.model.snapshot import Backoff, Jitter, RetryPolicyData


class Phase(StrEnum):
    PENDING = "pending"
    READY = "ready"
    IN_FLIGHT = "in_flight"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"


_FINAL = frozenset({Phase.DONE, Phase.FAILED, Phase.SKIPPED, Phase.CANCELED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a step waits for: a step, and one of its outputs where the value or the asset matters."""

    step: StepKey
    output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step, as far as order is concerned."""

    key: StepKey
    needs: tuple[Need, ...] = ()
    """All of these must exist."""
    any_of: tuple[tuple[Need, ...], ...] = ()
    """Of each group at least one must exist: inputs that collect several outputs."""
    retry_policy: RetryPolicyData | None = None
    priority: int = 0
    """Of the steps that may start, higher goes first; then the order of the plan."""
    held: bool = False
    """More needs will follow (`extend`), the last of which lets it go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A step that will never start, and why."""

    key: StepKey
    reason: str


@dataclass(slots=True)
class _Entry:
    node: Node
    order: int
    waiting: int
    phase: Phase = Phase.PENDING
    attempt: int = 0
    outputs: frozenset[str] | None = None
    """What a done step produced; None: everything."""
    failed_root: StepKey | None = None
    """The failed step that is the reason that this one was skipped."""
    downstream: list[StepKey] = field(default_factory=list)


class PlanState:
    """The progress of one run."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._entries: dict[StepKey, _Entry] = {}
        self._ready: list[tuple[int, int, StepKey]] = []
        self._delayed: list[tuple[float, int, StepKey]] = []
        self._open = 0
        self._in_flight = 0
        self.grow(nodes)

    def grow(self, nodes: Iterable[Node]) -> list[Skip]:
        """Add steps. A need of a step that is not in the plan is met: an earlier run did it."""
        fresh = list(nodes)
        for node in fresh:
            if node.key in self._entries:
                raise ValueError(f"step {node.key!r} is in the plan already")
            self._entries[node.key] = _Entry(node=node, order=len(self._entries), waiting=int(node.held))
            self._open += 1
        skips: list[Skip] = []
        for node in fresh:
            entry = self._entries[node.key]
            for upstream in upstream_keys(node):
                source = self._entries.get(upstream)
                if source is not None and source.phase not in _FINAL:
                    source.downstream.append(node.key)
                    entry.waiting += 1
        for node in fresh:
            entry = self._entries[node.key]
            if entry.phase is Phase.PENDING and (entry.waiting == 0 or self._failed_upstream(node)):
                resolved = self._resolve(entry)
                skips += resolved + self._release(entry) if resolved else []
        return skips

    def extend(self, key: StepKey, *, needs: Iterable[Need] = (), any_of: Iterable[tuple[Need, ...]] = (), release: bool) -> list[Skip]:
        """Add needs to a step that is held.

        Args:
            key: of the step.
            needs, any_of: as of a `Node`.
            release: these are the last ones.
        """
        entry = self._entries[key]
        if entry.phase is not Phase.PENDING:
            return []
        fresh = Node(key=key, needs=tuple(needs), any_of=tuple(any_of))
        entry.node = replace(entry.node, needs=(*entry.node.needs, *fresh.needs), any_of=(*entry.node.any_of, *fresh.any_of))
        for upstream in upstream_keys(fresh):
            source = self._entries.get(upstream)
            if source is not None and source.phase not in _FINAL:
                source.downstream.append(key)
                entry.waiting += 1
        if release:
            entry.waiting -= 1
        if entry.waiting and not self._failed_upstream(fresh):
            return []
        skips = self._resolve(entry)
        return skips + self._release(entry) if skips else []

    def _failed_upstream(self, node: Node) -> bool:
        return any((source := self._entries.get(key)) is not None and source.failed_root is not None for key in upstream_keys(node))

    @property
    def finished(self) -> bool:
        """Whether nothing waits, runs or may start any more."""
        return self._open == 0

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def open(self) -> int:
        """How many steps have not come to an end, those in flight included."""
        return self._open

    @property
    def failed(self) -> tuple[StepKey, ...]:
        return self.in_phase(Phase.FAILED)

    def in_phase(self, phase: Phase) -> tuple[StepKey, ...]:
        return tuple(key for key, entry in self._entries.items() if entry.phase is phase)

    def phase(self, key: StepKey) -> Phase:
        return self._entries[key].phase

    def is_over(self, key: StepKey) -> bool:
        """Whether the step has come to an end, whichever."""
        return self._entries[key].phase in _FINAL

    def attempt(self, key: StepKey) -> int:
        """The attempt that runs or ran last, from 1 on; 0 before the first."""
        return self._entries[key].attempt

    def skipped_by_failure(self, key: StepKey) -> bool:
        """Whether a failed step is why this one was skipped, and not an output that was left out on purpose."""
        return self._entries[key].failed_root is not None

    def produced(self, key: StepKey, output: str) -> bool:
        """Whether a step (of this run, or an earlier one that it stands on) has made an output."""
        entry = self._entries.get(key)
        return entry is None or (entry.phase is Phase.DONE and (entry.outputs is None or output in entry.outputs))

    def take(self, now: float) -> StepKey | None:
        """Start the next step that may start: it is in flight from here on. None when none may."""
        while self._delayed and self._delayed[0][0] <= now:
            _, order, key = heapq.heappop(self._delayed)
            entry = self._entries[key]
            if entry.phase is Phase.RETRYING:
                entry.phase = Phase.READY
                heapq.heappush(self._ready, (-entry.node.priority, order, key))
        while self._ready:
            _, _, key = heapq.heappop(self._ready)
            entry = self._entries[key]
            if entry.phase is Phase.READY:
                entry.phase = Phase.IN_FLIGHT
                entry.attempt += 1
                self._in_flight += 1
                return key
        return None

    def put_back(self, key: StepKey) -> None:
        """A step that was taken has not been started after all."""
        entry = self._entries[key]
        if entry.phase is not Phase.IN_FLIGHT:
            raise ValueError(f"step {key!r} is {entry.phase}, not in flight")
        entry.phase = Phase.READY
        entry.attempt -= 1
        self._in_flight -= 1
        heapq.heappush(self._ready, (-entry.node.priority, entry.order, key))

    def next_retry(self) -> float | None:
        """When the next retry is due, on the clock that `retry` was given."""
        return self._delayed[0][0] if self._delayed else None

    def done(self, key: StepKey, outputs: Collection[str] | None = None) -> list[Skip]:
        """A step succeeded and made these outputs (None: all). Returns the steps that will never start because of it."""
        entry = self._land(key, Phase.DONE)
        entry.outputs = None if outputs is None else frozenset(outputs)
        return self._release(entry)

    def fail(self, key: StepKey) -> list[Skip]:
        """A step failed for good. Returns everything downstream, which is skipped."""
        entry = self._land(key, Phase.FAILED)
        entry.failed_root = key
        return self._release(entry)

    def retry(self, key: StepKey, due: float) -> None:
        """A step failed and is to be tried again at `due`."""
        entry = self._entries[key]
        if entry.phase is not Phase.IN_FLIGHT:
            raise ValueError(f"step {key!r} is {entry.phase}, so it cannot be retried")
        entry.phase = Phase.RETRYING
        self._in_flight -= 1
        heapq.heappush(self._delayed, (due, entry.order, key))

    def cancel(self, key: StepKey) -> None:
        """A step in flight was stopped."""
        self._land(key, Phase.CANCELED)

    def drop_waiting(self) -> tuple[StepKey, ...]:
        """Start nothing any more: everything that is not in flight is canceled. Returns it."""
        dropped = []
        for key, entry in self._entries.items():
            if entry.phase in (Phase.PENDING, Phase.READY, Phase.RETRYING):
                entry.phase = Phase.CANCELED
                self._open -= 1
                dropped.append(key)
        self._ready.clear()
        self._delayed.clear()
        return tuple(dropped)

    def _land(self, key: StepKey, phase: Phase) -> _Entry:
        entry = self._entries[key]
        if entry.phase is not Phase.IN_FLIGHT:
            raise ValueError(f"step {key!r} is {entry.phase}, not in flight")
        entry.phase = phase
        self._open -= 1
        self._in_flight -= 1
        return entry

    def _release(self, entry: _Entry) -> list[Skip]:
        skips: list[Skip] = []
        stack = [entry]
        while stack:
            landed = stack.pop()
            for key in landed.downstream:
                below = self._entries[key]
                if below.phase is not Phase.PENDING:
                    continue
                below.waiting -= 1
                if landed.failed_root is not None or below.waiting == 0:
                    fresh = self._resolve(below)
                    if fresh:
                        skips += fresh
                        stack.append(below)
        return skips

    def _resolve(self, entry: _Entry) -> list[Skip]:
        """Make a step ready, or skip it. Called once nothing is left to wait for, or as soon as an upstream failed."""
        reason = self._obstacle(entry)
        if reason is None:
            if entry.waiting == 0:
                entry.phase = Phase.READY
                heapq.heappush(self._ready, (-entry.node.priority, entry.order, entry.node.key))
            return []
        entry.phase = Phase.SKIPPED
        self._open -= 1
        return [Skip(key=entry.node.key, reason=reason)]

    def _obstacle(self, entry: _Entry) -> str | None:
        for upstream in upstream_keys(entry.node):
            source = self._entries.get(upstream)
            if source is not None and source.failed_root is not None:
                entry.failed_root = source.failed_root
                via = "" if source.failed_root == upstream else f" (by way of {upstream!r})"
                return f"upstream step {source.failed_root!r} failed{via}"
        if entry.waiting:
            return None
        for need in entry.node.needs:
            if not self._met(need):
                return self._absence(need)
        for group in entry.node.any_of:
            if group and not any(self._met(need) for need in group):
                return f"none of the outputs that it collects was produced: {self._absence(group[0])}"
        return None

    def _met(self, need: Need) -> bool:
        source = self._entries.get(need.step)
        if source is None:
            return True
        if source.phase is not Phase.DONE:
            return False
        return need.output is None or source.outputs is None or need.output in source.outputs

    def _absence(self, need: Need) -> str:
        source = self._entries[need.step]
        if source.phase is Phase.SKIPPED:
            return f"upstream step {need.step!r} was skipped"
        return f"upstream step {need.step!r} did not produce its output {need.output!r}"


def upstream_keys(node: Node) -> tuple[StepKey, ...]:
    """The steps that a step waits for, each once, in order."""
    seen: dict[StepKey, None] = {need.step: None for need in node.needs}
    for group in node.any_of:
        seen.update((need.step, None) for need in group)
    return tuple(seen)


def retry_delay(policy: RetryPolicyData, attempt: int, random: float) -> float:
    """Seconds to wait before the retry that follows a failed attempt.

    Args:
        policy: of the step.
        attempt: the attempt that failed, from 1 on.
        random: a number from 0 (inclusive) to 1 (exclusive), used when the policy asks for jitter.
    """
    delay = policy.delay
    match policy.backoff:
        case Backoff.LINEAR:
            delay = policy.delay * attempt
        case Backoff.EXPONENTIAL:
            delay = policy.delay * (2**attempt - 1)
    match policy.jitter:
        case Jitter.FULL:
            delay = random * delay
        case Jitter.PLUS_MINUS:
            delay += (2 * random - 1) * policy.delay
    return max(0.0, delay)


def may_retry(policy: RetryPolicyData | None, attempt: int, requested: int | None = None) -> bool:
    """Whether a failed attempt is followed by another.

    Args:
        policy: of the step.
        attempt: the attempt that failed, from 1 on.
        requested: the `max_retries` of a `RetryRequested` that user code raised, which takes the policy's place.
    """
    allowed = requested if requested is not None else policy.max_retries if policy else 0
    return attempt <= allowed
