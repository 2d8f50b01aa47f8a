"""Runs and their steps: statuses, what may follow what, what is asked for and what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, Digest, LocationName, PartitionKey, RunId, StepKey


class RunStatus(StrEnum):
    QUEUED = "QUEUED"
    NOT_STARTED = "QUEUED"
    STARTING = "STARTING"
    """Claimed by the queue; no worker has reported yet."""
    STARTED = "STARTED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELED})
ACTIVE = frozenset({RunStatus.STARTING, RunStatus.STARTED, RunStatus.CANCELING})
"""Statuses in which a worker owns, or is about to own, the run."""

TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    # Back to QUEUED: the code server could not be reached, or the worker was lost and the run is to be tried again.
    RunStatus.QUEUED: frozenset({RunStatus.STARTING, RunStatus.CANCELED, RunStatus.FAILURE}),
    RunStatus.STARTING: frozenset({RunStatus.STARTED, RunStatus.QUEUED, RunStatus.FAILURE, RunStatus.CANCELING, RunStatus.CANCELED}),
    RunStatus.STARTED: frozenset({RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELING, RunStatus.CANCELED, RunStatus.QUEUED}),
    RunStatus.CANCELING: frozenset({RunStatus.CANCELED, RunStatus.SUCCESS, RunStatus.FAILURE}),
    RunStatus.SUCCESS: frozenset(),
    RunStatus.FAILURE: frozenset(),
    RunStatus.CANCELED: frozenset(),
}


def sources(target: RunStatus) -> frozenset[RunStatus]:
    """The statuses from which `target` may be reached: the guard of every UPDATE that sets it."""
    return frozenset(status for status, targets in TRANSITIONS.items() if target in targets)


class StepStatus(StrEnum):
    PENDING = "PENDING"
    STARTED = "STARTED"
    RETRYING = "RETRYING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    SKIPPED = "SKIPPED"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        return self in {StepStatus.SUCCESS, StepStatus.FAILURE, StepStatus.SKIPPED, StepStatus.CANCELED}


class TriggerKind(StrEnum):
    """Who or what asked for a run."""

    USER = "user"
    """A person in the browser."""
    API = "api"
    CLI = "cli"
    SCHEDULE = "schedule"
    SENSOR = "sensor"
    AUTOMATION = "automation"
    BACKFILL = "backfill"
    RETRY = "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    kind: TriggerKind
    name: str | None = None
    """The schedule, sensor, user or backfill."""
    tick_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPart:
    """What of a backfill a run makes: the ordinals from `first` to `last`, both included, of each of its assets."""

    backfill_id: str
    first: int
    last: int


SYSTEM_TAG_PREFIXES = ("dagwright/", "dagster/")
"""What begins the names of tags that mean something to dagwright; the first that is there counts."""


def system_tag(tags: Mapping[str, str], name: str) -> str | None:
    """The value of `dagwright/NAME`, or else of `dagster/NAME`, which projects that came from there carry."""
    return next((tags[prefix + name] for prefix in SYSTEM_TAG_PREFIXES if prefix + name in tags), None)


class RetryStrategy(StrEnum):
    FROM_FAILURE = "FROM_FAILURE"
    ALL_STEPS = "ALL_STEPS"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What `store.runs.enqueue` takes: the one door into execution."""

    run_id: RunId
    location: LocationName
    digest: Digest
    """The definitions that the request was checked against."""
    job_name: str | None = None
    """None: the run is of `asset_keys` and `check_keys`, picked freely."""
    asset_keys: tuple[AssetKey, ...] = ()
    """The assets that it will materialize, also for a job of assets."""
    check_keys: tuple[AssetCheckKey, ...] = ()
    step_keys: tuple[StepKey, ...] = ()
    """Only these steps; empty means all."""
    partition: PartitionKey = UNPARTITIONED
    """The one partition, or the first one of a range."""
    partition_end: PartitionKey | None = None
    """The last partition of a range, included; None: the run is not of a range."""
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    trigger: Trigger = Trigger(kind=TriggerKind.API)
    priority: int = 0
    """Higher starts first."""
    run_key: str | None = None
    """Unique in the deployment: a second run with the same key is not made."""
    parent_run_id: RunId | None = None
    root_run_id: RunId | None = None
    inherited: Mapping[StepKey, RunId] = field(default_factory=dict)
    """Steps that are not executed again, and the run whose stored outputs stand in for them."""
    retry_number: int = 0
    not_before: datetime | None = None
    """Stay queued until then."""
    backfill: BackfillPart | None = None
    only_checks: bool = False
    """Of the checks, those in `check_keys` and no others; else those of its assets too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    step_key: StepKey
    status: StepStatus
    attempt: int = 1
    op_name: str | None = None
    kind: str = "op"
    depends_on: tuple[StepKey, ...] = ()
    asset_keys: tuple[AssetKey, ...] = ()
    executor: str | None = None
    """Where it is not the run's."""
    step_group: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True)
class RunSignal:
    """A run of this job came to this status."""

    location: LocationName
    job_name: str | None
    status: RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the store has it."""

    run_id: RunId
    location: LocationName
    digest: Digest
    job_name: str | None
    asset_keys: tuple[AssetKey, ...]
    check_keys: tuple[AssetCheckKey, ...]
    step_keys: tuple[StepKey, ...]
    partition: PartitionKey
    config: Mapping[str, JsonValue]
    tags: Mapping[str, str]
    status: RunStatus
    trigger: Trigger
    priority: int
    run_key: str | None
    parent_run_id: RunId | None
    root_run_id: RunId | None
    inherited: Mapping[StepKey, RunId]
    retry_number: int
    not_before: datetime | None
    epoch: int
    """Raised by each claim; a writer with an older epoch is refused."""
    server_id: str | None
    """The code server whose worker has, or had, the run."""
    last_seq: int
    created_at: datetime
    claimed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    error: ErrorInfo | None
    status_reason: str | None
    """Why it waits, was requeued or failed, in words, where there is something to say."""
    launch_attempts: int = 0
    """How often it was claimed."""
    background: bool = False
    """Of a backfill or of automation: it takes the places that others leave."""
    resumes: int = 0
    """How often it went on with a new worker after one was lost."""
    canceling_at: datetime | None = None
    """When it was asked to stop."""
    partition_end: PartitionKey | None = None
    backfill: BackfillPart | None = None
    only_checks: bool = False
    """Of the checks, those in `check_keys` and no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """What a code server needs to start a worker for a run that has been claimed."""

    run_id: RunId
    epoch: int
    digest: Digest
    job_name: str | None
    asset_keys: tuple[AssetKey, ...]
    check_keys: tuple[AssetCheckKey, ...]
    step_keys: tuple[StepKey, ...]
    partition: PartitionKey
    config: Mapping[str, JsonValue]
    tags: Mapping[str, str]
    parent_run_id: RunId | None
    root_run_id: RunId | None
    inherited: Mapping[StepKey, RunId]
    retry_number: int
    first_seq: int
    """The number that the worker gives its first event."""
    log_limit_bytes: int
    """Cap on captured output for each step and stream."""
    partition_end: PartitionKey | None = None
    only_checks: bool = False
    """Of the checks, those in `check_keys` and no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRun:
    """A worker that a code server has."""

    run_id: RunId
    epoch: int
    pid: int
    started_at: datetime
