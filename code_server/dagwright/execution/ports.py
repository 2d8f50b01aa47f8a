"""What the engine needs from the process that it runs in: somewhere to put events, and what happened before.

The worker of a code server gives a sink that streams to its parent; tests and `materialize` use the in-memory ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Protocol, TypeVar, runtime_checkable

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import AssetMaterialized, AssetObserved, LogChunk, LogStream, Payload, RunEvent
from dagwright_shared.model.history import KnownVersion
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, PartitionKey, StepKey

P = TypeVar("P")


class EventSink(Protocol):
    """Takes what a run has to say, in order. Only the process that owns the run has one."""

    def emit(self, payload: Payload, step_key: StepKey | None = None) -> None:
        """Number, stamp and keep or send one event."""

    def chunk(self, chunk: LogChunk) -> None:
        """Keep or send a piece of captured output."""

    def flush(self) -> None:
        """Return once all that was emitted is on its way (not: is stored)."""

    def after_fork(self) -> None:
        """Called in a forked step process, which must not use the sink: close the descriptors that it inherited."""


@runtime_checkable
class PumpedSink(Protocol):
    """What a sink that streams to another process offers besides: it can be waited on, and it can pump by itself."""

    def fileno(self) -> int:
        """Readable when the other side has something to say."""

    def on_readable(self) -> None:
        """Take in what the other side says."""

    def start_pump(self, poll: Callable[[], None]) -> None:
        """Send from a thread while user code keeps this one busy; `poll`, called before each send, reads captured output."""


@runtime_checkable
class SlotSource(Protocol):
    """What a sink offers besides where slots of pools are shared with other runs. Without one a step with a pool just starts."""

    def want_slot(self, step_key: StepKey, attempt: int, pool: str) -> None:
        """Ask for a slot; `slot_news` tells when the step has it. It is freed by the event that ends the attempt."""

    def unwant_slot(self, step_key: StepKey, attempt: int, pool: str) -> None:
        """The step will not start: give back its slot, or its place among those that wait."""

    def slot_news(self) -> list[tuple[StepKey, bool]]:
        """What has been heard since the last call: True, the step holds its slot; False, it has to wait."""

    def bell(self) -> int:
        """A descriptor that is readable once there may be news that another thread has taken in."""


class History(Protocol):
    """What happened before, or in other runs."""

    def latest(self, asset_key: AssetKey, partition: PartitionKey = UNPARTITIONED) -> KnownVersion | None:
        """The newest materialization or observation of an asset partition."""

    def dynamic_keys(self, name: str) -> tuple[str, ...]:
        """The keys of a dynamic partitions definition, in the order of adding."""


class AskedKeys(Mapping[str, Sequence[str]]):
    """Keys of dynamic partitions by the name of their definition, asked for when they are needed."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, name: str) -> tuple[str, ...]:
        if name not in self._known:
            self._known[name] = self._history.dynamic_keys(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


@dataclass(slots=True)
class MemoryHistory:
    """History as values, for tests and for runs without a store."""

    versions: dict[tuple[AssetKey, PartitionKey], KnownVersion] = field(default_factory=dict)
    dynamic: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def latest(self, asset_key: AssetKey, partition: PartitionKey = UNPARTITIONED) -> KnownVersion | None:
        return self.versions.get((asset_key, partition))

    def dynamic_keys(self, name: str) -> tuple[str, ...]:
        return self.dynamic.get(name, ())

    def note(self, payload: Payload, run_id: str | None = None) -> None:
        """Remember a materialization or an observation."""
        if isinstance(payload, AssetMaterialized | AssetObserved) and payload.data_version is not None:
            code_version = payload.code_version if isinstance(payload, AssetMaterialized) else None
            inputs = payload.input_data_versions if isinstance(payload, AssetMaterialized) else {}
            self.versions[payload.asset_key, payload.partition] = KnownVersion(
                data_version=payload.data_version,
                run_id=run_id,
                time=datetime.now(UTC),
                code_version=code_version,
                input_data_versions=inputs,
            )


class MemorySink:
    """Keeps the events and the output of one run in memory. Safe to use from several threads."""

    def __init__(self, first_seq: int = 1) -> None:
        self.events: list[RunEvent] = []
        self.chunks: list[LogChunk] = []
        self._next_seq = first_seq
        self._lock = threading.Lock()

    def emit(self, payload: Payload, step_key: StepKey | None = None) -> None:
        with self._lock:
            self.events.append(RunEvent(seq=self._next_seq, time=datetime.now(UTC), step_key=step_key, payload=payload))
            self._next_seq += 1

    def chunk(self, chunk: LogChunk) -> None:
        with self._lock:
            self.chunks.append(chunk)

    def flush(self) -> None:
        """Nothing is ever waiting here."""

    def after_fork(self) -> None:
        """Nothing to close."""

    def of(self, kind: type[P], step_key: str | None = None) -> list[P]:
        """The payloads of one kind, in order."""
        return list(self._of(kind, step_key))

    def _of(self, kind: type[P], step_key: str | None) -> Iterator[P]:
        for event in self.events:
            if isinstance(event.payload, kind) and (step_key is None or event.step_key == step_key):
                yield event.payload

    def output(self, step_key: str, stream: LogStream = LogStream.STDOUT, attempt: int | None = None) -> bytes:
        """The captured output of a step, put together."""
        parts = (c for c in self.chunks if c.step_key == step_key and c.stream is stream and attempt in (None, c.attempt))
        return b"".join(part.data for part in parts)


NO_HISTORY: History = MemoryHistory()

__all__ = ["NO_HISTORY", "AskedKeys", "EventSink", "History", "KnownVersion", "MemoryHistory", "MemorySink", "PumpedSink", "SlotSource"]
