"""What every step of a run shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from itertools import takewhile
from typing import Any

from dagwright.execution.cancellation import Cancellation
from dagwright.execution.ports import EventSink, History, KnownVersion, MemoryHistory
from dagwright.planning.steps import ExecutionPlan
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import AssetMaterialized, AssetObserved, Payload
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, PartitionKey
from dagwright_shared.model.runs import LaunchSpec


class RunHistory:
    """What happened before, and what this run has made since it began."""

    def __init__(self, earlier: History) -> None:
        self._earlier = earlier
        self._own = MemoryHistory()
        self.mark = 0
        """A point in time, for `since`."""
        self._notes: dict[tuple[AssetKey, PartitionKey], tuple[int, Payload, str]] = {}
        """The newest of each asset partition, the newest of all last: a step that says a million things takes no more memory for it."""

    def latest(self, asset_key: AssetKey, partition: PartitionKey = UNPARTITIONED) -> KnownVersion | None:
        return self._own.latest(asset_key, partition) or self._earlier.latest(asset_key, partition)

    def dynamic_keys(self, name: str) -> tuple[str, ...]:
        return self._earlier.dynamic_keys(name)

    def note(self, payload: Payload, run_id: str) -> None:
        if isinstance(payload, AssetMaterialized | AssetObserved) and payload.data_version is not None:
            self._own.note(payload, run_id)
            self.mark += 1
            place = payload.asset_key, payload.partition
            self._notes.pop(place, None)
            self._notes[place] = (self.mark, payload, run_id)

    def since(self, mark: int) -> list[tuple[Payload, str]]:
        """What was noted after a mark: what a process that was forked there has to catch up on."""
        newer = takewhile(lambda note: note[0] > mark, reversed(self._notes.values()))
        return [(payload, run_id) for _, payload, run_id in newer][::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What an in-process run keeps for whoever started it: values and exceptions themselves, not as data."""

    outputs: dict[tuple[str, str], Any] = field(default_factory=dict)
    """By step and output."""
    assets: dict[AssetKey, Any] = field(default_factory=dict)
    errors: dict[str, BaseException] = field(default_factory=dict)
    """By step; of its last attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScope:
    """The run, its plan and its ties to the process that it runs in."""

    plan: ExecutionPlan
    spec: LaunchSpec
    sink: EventSink
    cancellation: Cancellation
    history: RunHistory
    captures: bool = True
    """Whether output is captured; `materialize` in a test leaves it to the test runner."""
    instance: Any = None
    """What `context.instance` gives user code, where the process has something to give."""
    kept: Kept | None = None
    origin: Callable[[], Any] | None = None
    """Gives the definitions in another process that can reach the same code: a function that can be pickled."""

    def in_child(self, cancellation: Cancellation) -> RunScope:
        """The same run, seen from a step's process."""
        return replace(self, cancellation=cancellation)
