"""Schedules and sensors at run time: switches, ticks, and what an evaluation answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.history import ReportableEvent
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, LocationName, PartitionKey, RunId


class InstigatorKind(StrEnum):
    SCHEDULE = "schedule"
    SENSOR = "sensor"


class TickStatus(StrEnum):
    STARTED = "STARTED"
    SUCCESS = "SUCCESS"
    SKIPPED = "SKIPPED"
    FAILURE = "FAILURE"


class DeliveryStatus(StrEnum):
    """What became of a request to a webhook."""

    RECEIVED = "RECEIVED"
    """It waits for its sensor."""
    HANDLED = "HANDLED"
    DUPLICATE = "DUPLICATE"
    """A delivery of the same id had been handled before."""
    REJECTED = "REJECTED"
    """Its signature, or its age, is wrong."""
    FAILED = "FAILED"
    """The sensor's function raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instigator:
    """A schedule or sensor as the store has it: its switch and its memory."""

    instigator_id: int
    location: LocationName
    kind: InstigatorKind
    name: str
    running: bool
    """The switch, or the definition's default while nobody has touched it."""
    switched: bool
    """Whether somebody has touched it."""
    cursor: str | None
    running_since: datetime | None
    """Ticks before this are not due."""
    last_tick_at: datetime | None
    """The newest `scheduled_for` that has a tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    tick_id: int
    instigator_id: int
    scheduled_for: datetime
    status: TickStatus
    started_at: datetime
    ended_at: datetime | None = None
    run_ids: tuple[RunId, ...] = ()
    skip_reason: str | None = None
    error: ErrorInfo | None = None
    cursor: str | None = None
    attempt: int = 1
    logs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequestData:
    """A run that user code asked for."""

    run_key: str | None = None
    job_name: str | None = None
    """None: the target of the schedule or sensor."""
    asset_keys: tuple[AssetKey, ...] = ()
    check_keys: tuple[AssetCheckKey, ...] = ()
    partition: PartitionKey = UNPARTITIONED
    partition_end: PartitionKey | None = None
    """The last partition of a range that begins with `partition`; None: one partition."""
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    only_checks: bool = False
    """Of the checks, those in `check_keys` and no others; else those of its assets too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleQuestion:
    name: str
    scheduled_for: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A request to a webhook."""

    delivery_id: int
    external_id: str
    """As the sender named it, or the hash of its body."""
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorQuestion:
    name: str
    cursor: str | None = None
    last_tick_at: datetime | None = None
    last_run_key: str | None = None
    delivery: Delivery | None = None
    """What a webhook sensor is to handle."""


Question: TypeAlias = ScheduleQuestion | SensorQuestion


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicPartitionsRequest:
    name: str
    add: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The answer of a schedule or a sensor: requests, or why there are none."""

    requests: tuple[RunRequestData, ...] = ()
    skip_reason: str | None = None
    cursor: str | None = None
    """A sensor's new cursor; None keeps the old one."""
    dynamic_partitions: tuple[DynamicPartitionsRequest, ...] = ()
    logs: tuple[str, ...] = ()
    """Lines of `context.log` and of standard output."""
    asset_events: tuple[ReportableEvent, ...] = ()
    """To be recorded with the tick, outside of any run."""
    more: bool = False
    """The sensor did not get to the end of what has happened, and wants to be asked again."""
    rejected: str | None = None
    """Why a webhook sensor refuses the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanQuestion:
    """Which steps would this run have?"""

    job_name: str | None = None
    asset_keys: tuple[AssetKey, ...] = ()
    check_keys: tuple[AssetCheckKey, ...] = ()
    only_checks: bool = False
    """Of the checks, those in `check_keys` and no others."""
    step_keys: tuple[str, ...] = ()
    partition: PartitionKey = UNPARTITIONED
    partition_end: PartitionKey | None = None
    config: Mapping[str, JsonValue] = field(default_factory=dict)
