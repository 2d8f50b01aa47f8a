"""What user code may ask of the past while it runs, and may add to it: questions and answers as data.

A worker has no database. It asks the process above it, or, in a test, a store in memory; both answer `HistoryPort`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Protocol, TypeAlias

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import AssetMaterialized, AssetObserved, CheckEvaluated, RunEvent
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, PartitionKey, RunId
from dagwright_shared.model.runs import Run, RunStatus, StepRecord

MAX_LIMIT = 10_000
"""How many events or runs one answer may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVersion:
    """The newest data of an asset partition, as far as is known."""

    data_version: str
    run_id: str | None = None
    time: datetime | None = None
    code_version: str | None = None
    input_data_versions: Mapping[str, str] = field(default_factory=dict)
    """Upstream key, as text, to the version that it was made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event with its place among all events."""

    event_id: int
    """Grows with the order of storing; what a cursor holds."""
    run_id: RunId | None
    """None for what was reported outside of any run."""
    job_name: str | None = None
    event: RunEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events; each condition narrows."""

    types: tuple[str, ...] = ()
    """Names of `EVENT_TYPES`; empty means any."""
    asset_keys: tuple[AssetKey, ...] = ()
    run_ids: tuple[RunId, ...] = ()
    partitions: tuple[PartitionKey, ...] = ()
    after_id: int | None = None
    before_id: int | None = None
    after: datetime | None = None
    before: datetime | None = None
    limit: int = 1000
    ascending: bool = False
    """Oldest first."""
    settled: bool = False
    """Only events that no transaction which is still open can come before: a cursor that is set to what was read misses nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs; each condition narrows. Newest first."""

    run_ids: tuple[RunId, ...] = ()
    statuses: tuple[RunStatus, ...] = ()
    job_name: str | None = None
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Each tag has one of its values."""
    created_after: datetime | None = None
    created_before: datetime | None = None
    before_run: RunId | None = None
    """Only runs older than this one."""
    limit: int = 1000
    ascending: bool = False


ReportableEvent: TypeAlias = AssetMaterialized | AssetObserved | CheckEvaluated
"""What may be told of an asset outside of any run."""


class HistoryPort(Protocol):
    """What happened before, or elsewhere."""

    def latest(self, asset_key: AssetKey, partition: PartitionKey = UNPARTITIONED) -> KnownVersion | None:
        """The newest materialization or observation of an asset partition."""

    def dynamic_keys(self, name: str) -> tuple[str, ...]:
        """The keys of a dynamic partitions definition, in the order of adding."""

    def change_dynamic_keys(self, name: str, add: tuple[str, ...] = (), delete: tuple[str, ...] = ()) -> None:
        """Add and take away keys; what is there, or not there, already is passed over."""

    def events(self, wanted: EventFilter) -> tuple[StoredEvent, ...]:
        """Events, newest first unless asked otherwise."""

    def runs(self, wanted: RunFilter) -> tuple[Run, ...]:
        """Runs, newest first unless asked otherwise."""

    def steps(self, run_id: RunId) -> tuple[StepRecord, ...]:
        """The steps of a run."""

    def report(self, payload: ReportableEvent) -> None:
        """Tell of an asset what happened outside of any run."""

    def tag_run(self, run_id: RunId, tags: Mapping[str, str]) -> None:
        """Add tags to a run."""

    def materialized(self, asset_key: AssetKey) -> tuple[PartitionKey, ...]:
        """The partitions of an asset that have been materialized."""

    def asset_keys(self) -> tuple[AssetKey, ...]:
        """Every asset that something is known of."""

    def wipe(self, asset_key: AssetKey, partitions: tuple[PartitionKey, ...] = ()) -> None:
        """Forget what was made of an asset, or of some of its partitions."""

    def delete_run(self, run_id: RunId) -> None:
        """Delete an ended run with its events."""


# ---- questions, for those who send them to another process


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestQuestion:
    asset_key: AssetKey
    partition: PartitionKey = UNPARTITIONED


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicKeysQuestion:
    name: str
    add: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsQuestion:
    run_id: RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuestion:
    event: RunEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class TagQuestion:
    run_id: RunId
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterializedQuestion:
    asset_key: AssetKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetKeysQuestion:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class WipeQuestion:
    asset_key: AssetKey
    partitions: tuple[PartitionKey, ...] = ()
    """Only of these; empty means everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRunQuestion:
    run_id: RunId


HistoryQuestion: TypeAlias = (
    LatestQuestion
    | DynamicKeysQuestion
    | EventFilter
    | RunFilter
    | StepsQuestion
    | ReportQuestion
    | TagQuestion
    | MaterializedQuestion
    | AssetKeysQuestion
    | WipeQuestion
    | DeleteRunQuestion
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryAnswer:
    """Only what was asked for is filled in."""

    latest: KnownVersion | None = None
    keys: tuple[str, ...] = ()
    events: tuple[StoredEvent, ...] = ()
    runs: tuple[Run, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    partitions: tuple[PartitionKey, ...] = ()
    asset_keys: tuple[AssetKey, ...] = ()


def answer(port: HistoryPort, question: HistoryQuestion) -> HistoryAnswer:
    """Put a question to a port."""
    match question:
        case LatestQuestion():
            return HistoryAnswer(latest=port.latest(question.asset_key, question.partition))
        case DynamicKeysQuestion():
            if question.add or question.delete:
                port.change_dynamic_keys(question.name, question.add, question.delete)
            return HistoryAnswer(keys=port.dynamic_keys(question.name))
        case EventFilter():
            return HistoryAnswer(events=port.events(question))
        case RunFilter():
            return HistoryAnswer(runs=port.runs(question))
        case StepsQuestion():
            return HistoryAnswer(steps=port.steps(question.run_id))
        case MaterializedQuestion():
            return HistoryAnswer(partitions=port.materialized(question.asset_key))
        case AssetKeysQuestion():
            return HistoryAnswer(asset_keys=port.asset_keys())
        case ReportQuestion() | TagQuestion() | WipeQuestion() | DeleteRunQuestion():
            _change(port, question)
            return HistoryAnswer()


def _change(port: HistoryPort, question: ReportQuestion | TagQuestion | WipeQuestion | DeleteRunQuestion) -> None:
    match question:
        case ReportQuestion():
            if isinstance(question.event.payload, AssetMaterialized | AssetObserved | CheckEvaluated):
                port.report(question.event.payload)
        case TagQuestion():
            port.tag_run(question.run_id, question.tags)
        case WipeQuestion():
            port.wipe(question.asset_key, question.partitions)
        case DeleteRunQuestion():
            port.delete_run(question.run_id)
