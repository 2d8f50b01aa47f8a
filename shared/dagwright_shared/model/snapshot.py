"""Everything that the daemon, the webserver and other programs know of a code location.

The code server builds these values from user definitions; `wire` carries them; they are stored by digest, so that
pages render while the code server is down and a run's page shows the definitions that it was asked against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import TypeAlias

from dagwright_shared.model.automation import Condition
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo, SourceRef
from dagwright_shared.model.freshness import Freshness
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, Digest, LocationName
from dagwright_shared.model.metadata import Metadata
from dagwright_shared.model.partitions import Partitions
from dagwright_shared.model.runs import RunStatus

JsonSchema: TypeAlias = Mapping[str, JsonValue]
"""JSON Schema 2020-12, as pydantic writes it: `$defs` at the root of each schema."""


class AssetExecution(StrEnum):
    """How an asset comes to have new data."""

    MATERIALIZE = "materialize"
    OBSERVE = "observe"
    EXTERNAL = "external"


class Backoff(StrEnum):
    LINEAR = "LINEAR"
    EXPONENTIAL = "EXPONENTIAL"


class Jitter(StrEnum):
    FULL = "FULL"
    PLUS_MINUS = "PLUS_MINUS"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicyData:
    """When and how often a failed step is tried again."""

    max_retries: int = 1
    delay: float = 0.0
    """Seconds before the first retry."""
    backoff: Backoff | None = None
    jitter: Jitter | None = None


class MappingKind(StrEnum):
    """How partitions of an asset depend on those of its upstream."""

    IDENTITY = "identity"
    ALL = "all"
    LAST = "last"
    TIME_WINDOW = "time_window"
    STATIC = "static"
    SPECIFIC = "specific"
    MULTI = "multi"
    CUSTOM = "custom"
    """By a class of the user's, which steps ask. Whoever has the snapshot only takes it for the mapping of a dependency that names
    none: asking user code for each edge of each evaluation would put it into the daemon's way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionMappingData:
    kind: MappingKind
    start_offset: int = 0
    end_offset: int = 0
    allow_nonexistent_upstream_partitions: bool = False
    downstream_by_upstream: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For STATIC."""
    partition_keys: tuple[str, ...] = ()
    """For SPECIFIC."""
    dimensions: tuple[DimensionMappingData, ...] = ()
    """For MULTI; a dimension that is not named maps to all keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionMappingData:
    """How one dimension depends on one of the upstream's; a side without dimensions is taken whole."""

    upstream: str
    downstream: str
    mapping: PartitionMappingData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetDepSnapshot:
    key: AssetKey
    input_name: str | None = None
    """The argument that receives the loaded value; None for a dependency of order only."""
    mapping: PartitionMappingData | None = None
    """None: the default (identity where both sides have equal definitions, else time overlap, else all)."""
    type_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPolicyData:
    """How the partitions of a backfill are shared out among runs."""

    max_partitions_per_run: int | None = 1
    """Neighbours that one run covers as a range, at most; None: all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSnapshot:
    key: AssetKey
    execution: AssetExecution = AssetExecution.MATERIALIZE
    description: str | None = None
    group: str = "default"
    owners: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    code_version: str | None = None
    deps: tuple[AssetDepSnapshot, ...] = ()
    partitions: Partitions | None = None
    op_name: str | None = None
    """The op that computes it; assets of one multi-asset share it. None for an external asset."""
    output_name: str | None = None
    can_subset: bool = False
    """Whether the op can compute this asset without its siblings."""
    config_schema: JsonSchema | None = None
    """Schema of the op's `config`; None when it takes none."""
    resource_keys: tuple[str, ...] = ()
    io_manager_key: str = "io_manager"
    retry_policy: RetryPolicyData | None = None
    pool: str | None = None
    type_name: str | None = None
    source: SourceRef | None = None
    automation: Condition | None = None
    """When it is requested without anybody asking."""
    freshness: Freshness | None = None
    """Until when it must have been made anew."""
    backfill: BackfillPolicyData | None = None
    """How many partitions one run of a backfill covers; None: one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSnapshot:
    key: AssetCheckKey
    description: str | None = None
    blocking: bool = False
    metadata: Metadata = field(default_factory=dict)
    op_name: str | None = None
    """The op that evaluates it: its own, or that of its asset."""
    additional_deps: tuple[AssetKey, ...] = ()
    config_schema: JsonSchema | None = None
    source: SourceRef | None = None
    automation: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSnapshot:
    """An input or an output of a node."""

    name: str
    type_name: str = "Any"
    description: str | None = None
    required: bool = True
    dynamic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSnapshot:
    """An output of a node feeding an input of another; handles are dotted paths inside the job."""

    from_node: str
    from_output: str
    to_node: str
    to_input: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSnapshot:
    """An op inside a job, addressed by its dotted path through nested graphs."""

    handle: str
    op_name: str
    description: str | None = None
    inputs: tuple[PortSnapshot, ...] = ()
    outputs: tuple[PortSnapshot, ...] = ()
    config_schema: JsonSchema | None = None
    resource_keys: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    retry_policy: RetryPolicyData | None = None
    pool: str | None = None
    executor: str | None = None
    """None: that of the job."""
    step_group: str | None = None
    asset_keys: tuple[AssetKey, ...] = ()
    check_keys: tuple[AssetCheckKey, ...] = ()
    source: SourceRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    name: str
    description: str | None = None
    nodes: tuple[NodeSnapshot, ...] = ()
    edges: tuple[EdgeSnapshot, ...] = ()
    asset_keys: tuple[AssetKey, ...] = ()
    """The assets that it materializes; empty for a job of ops."""
    check_keys: tuple[AssetCheckKey, ...] = ()
    partitions: Partitions | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    config_schema: JsonSchema = field(default_factory=dict)
    """Schema of the whole run config: `ops`, `resources`, `execution`, `loggers`."""
    default_config: Mapping[str, JsonValue] = field(default_factory=dict)
    executor: str = "multiprocess"
    resource_keys: tuple[str, ...] = ()
    source: SourceRef | None = None


class MissedTicks(StrEnum):
    """What to do with ticks that came due while nothing ran: none of them, one for all, or each."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class Overlap(StrEnum):
    """What to do when the trigger's earlier run is still going."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_OLD = "cancel_old"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerTarget:
    """What a schedule or sensor launches."""

    job_name: str | None = None
    asset_keys: tuple[AssetKey, ...] = ()
    check_keys: tuple[AssetCheckKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSnapshot:
    name: str
    cron: tuple[str, ...]
    """One expression or several; a tick is due when any of them fires."""
    timezone: str = "UTC"
    target: TriggerTarget = TriggerTarget()
    description: str | None = None
    default_running: bool = False
    evaluated: bool = True
    """Whether user code decides at each tick; when False `config` and `tags` say all."""
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    missed_ticks: MissedTicks = MissedTicks.ONCE
    max_missed_ticks: int = 5
    """With ALL: how many of the newest missed ticks are caught up."""
    overlap: Overlap = Overlap.ALLOW
    partitioned: bool = False
    """Whether each tick launches the partition that ended at it."""
    metadata: Metadata = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    source: SourceRef | None = None
    resource_keys: tuple[str, ...] = ()
    """What its function asks for."""


class SensorKind(StrEnum):
    STANDARD = "standard"
    ASSET = "asset"
    MULTI_ASSET = "multi_asset"
    RUN_STATUS = "run_status"
    AUTOMATION = "automation"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoredJob:
    """Jobs whose runs a run-status sensor watches."""

    job_name: str | None = None
    """None: all of the location."""
    location: LocationName | None = None
    """None: the sensor's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSnapshot:
    """What the webserver needs to know of a webhook before user code has seen a request. The secret is not among it."""

    signed: bool
    """Whether requests must be signed."""
    signature_header: str
    id_headers: tuple[str, ...]
    """Headers that may have the sender's id of a delivery; the first that is there counts."""
    max_body_bytes: int
    max_per_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorSnapshot:
    name: str
    kind: SensorKind = SensorKind.STANDARD
    targets: tuple[TriggerTarget, ...] = ()
    description: str | None = None
    default_running: bool = False
    minimum_interval_seconds: int = 30
    asset_keys: tuple[AssetKey, ...] = ()
    """What an asset sensor watches, or an automation sensor evaluates."""
    tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    source: SourceRef | None = None
    check_keys: tuple[AssetCheckKey, ...] = ()
    """What an automation sensor evaluates."""
    run_statuses: tuple[RunStatus, ...] = ()
    """What a run-status sensor waits for."""
    monitored_jobs: tuple[MonitoredJob, ...] = ()
    """Whose runs a run-status sensor watches; empty means all of its location."""
    all_locations: bool = False
    """Whether a run-status sensor watches all locations."""
    run_tags: Mapping[str, str] = field(default_factory=dict)
    """Of the runs that an automation sensor asks for."""
    default_condition: Condition | None = None
    """Of an automation sensor, for assets that have none of their own."""
    emit_backfills: bool = False
    """Whether an automation sensor asks for backfills where many partitions are to be made."""
    webhook: WebhookSnapshot | None = None
    """What a webhook sensor takes."""
    overlap: Overlap = Overlap.ALLOW
    resource_keys: tuple[str, ...] = ()
    """What its function asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSnapshot:
    key: str
    type_name: str
    description: str | None = None
    config_schema: JsonSchema | None = None
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    """As configured in code; an `EnvVar` is `{"env": "NAME"}`, and its value never leaves the process."""
    nested: Mapping[str, str] = field(default_factory=dict)
    source: SourceRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadWarning:
    """Something in the definitions that loads, and will go wrong."""

    message: str
    """What, and how to mend it."""
    source: SourceRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationSnapshot:
    """All definitions of one location at one moment."""

    location: LocationName
    dagwright_version: str
    python_version: str
    assets: tuple[AssetSnapshot, ...] = ()
    checks: tuple[CheckSnapshot, ...] = ()
    jobs: tuple[JobSnapshot, ...] = ()
    schedules: tuple[ScheduleSnapshot, ...] = ()
    sensors: tuple[SensorSnapshot, ...] = ()
    resources: tuple[ResourceSnapshot, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    warnings: tuple[LoadWarning, ...] = ()


class LocationState(StrEnum):
    LOADING = "loading"
    LOADED = "loaded"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationStatus:
    """What a code server says of itself."""

    location: LocationName
    server_id: str
    """Fresh for each start of the parent process."""
    state: LocationState
    digest: Digest | None = None
    """Of the newest snapshot that loaded; still there while `state` is error, because the old code keeps serving."""
    error: ErrorInfo | None = None
    spawn_reason: str | None = None
    """Why workers of this location start afresh rather than by fork, if they do."""
    code_version: str | None = None
    load_seconds: float | None = None
