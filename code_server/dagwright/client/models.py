"""What REST answers, as frozen structures. Written by `.ci/rest_client.py`; do not edit."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    AssetExecution = Literal["materialize", "observe", "external"]
    """How an asset comes to have new data."""
    AssetStatus = Literal["MATERIALIZING", "FAILED", "CHECK_FAILED", "MATERIALIZED", "MISSING", "EXTERNAL"]
    """The state of an asset in one word; with several partitions, the worst that needs attention."""
    AuditResult = Literal["done", "refused", "failed"]
    """What became of something that somebody asked for."""
    BackfillStatus = Literal["REQUESTED", "IN_PROGRESS", "CANCELING", "CANCELED", "COMPLETED", "FAILED"]
    CauseKind = Literal["CODE", "DATA", "DEPENDENCIES"]
    CellStatus = Literal["FAILED", "MATERIALIZING", "MATERIALIZED", "PARTIAL", "MISSING"]
    """The state of the partitions of a cell: the worst, or how far they are."""
    DeliveryStatus = Literal["RECEIVED", "HANDLED", "DUPLICATE", "REJECTED", "FAILED"]
    """What became of a request to a webhook."""
    FreshnessState = Literal["PASS", "WARN", "FAIL", "UNKNOWN"]
    """How an asset stands by its policy."""
    HistoryType = Literal["ASSET_MATERIALIZED", "ASSET_OBSERVED", "ASSET_FAILED", "FRESHNESS_CHANGED"]
    """What the history of an asset consists of."""
    InstigatorKind = Literal["schedule", "sensor"]
    Lanes = Literal["job", "group"]
    """What has a lane of its own."""
    LocationState = Literal["loading", "loaded", "error"]
    LogStream = Literal["stdout", "stderr"]
    PartitionStatus = Literal["MATERIALIZED", "FAILED", "MATERIALIZING", "MISSING"]
    PlotOver = Literal["partition", "time"]
    """What the points of plots are sorted by."""
    RetryStrategy = Literal["FROM_FAILURE", "ALL_STEPS"]
    Role = Literal["viewer", "launcher", "editor", "admin"]
    """What somebody may do; in rising order."""
    RunStatus = Literal["QUEUED", "STARTING", "STARTED", "SUCCESS", "FAILURE", "CANCELING", "CANCELED"]
    Severity = Literal["WARN", "ERROR"]
    """How bad a failed check is."""
    StaleStatus = Literal["FRESH", "STALE", "MISSING"]
    StepStatus = Literal["PENDING", "STARTED", "RETRYING", "SUCCESS", "FAILURE", "SKIPPED", "CANCELED"]
    TickStatus = Literal["STARTED", "SUCCESS", "SKIPPED", "FAILURE"]
    TriggerKind = Literal["user", "api", "cli", "schedule", "sensor", "automation", "backfill", "retry"]
    """Who or what asked for a run."""
else:  # a newer webserver may answer with values that are not known yet
    AssetExecution = str
    AssetStatus = str
    AuditResult = str
    BackfillStatus = str
    CauseKind = str
    CellStatus = str
    DeliveryStatus = str
    FreshnessState = str
    HistoryType = str
    InstigatorKind = str
    Lanes = str
    LocationState = str
    LogStream = str
    PartitionStatus = str
    PlotOver = str
    RetryStrategy = str
    Role = str
    RunStatus = str
    Severity = str
    StaleStatus = str
    StepStatus = str
    TickStatus = str
    TriggerKind = str


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What they all are: fields by name."""


class Alive(Model, frozen=True, kw_only=True):
    """This process answers."""

    status: str
    """Always ok."""


class AssetLink(Model, frozen=True, kw_only=True):
    """A neighbour of an asset."""

    key: str
    """Its key."""
    defined: bool
    """Whether some location defines it."""
    status: AssetStatus
    """Its state in one word."""
    input_name: str | None
    """Upstream only: the argument that receives its value."""


class AssetListView(Model, frozen=True, kw_only=True):
    """One page of the catalog, by key."""

    items: tuple[AssetSummary, ...]
    """The assets."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""
    groups: tuple[str, ...]
    """All groups that exist, for filters."""
    kinds: tuple[str, ...]
    """All kinds that exist, for filters."""
    owners: tuple[str, ...]
    """All owners that exist, for filters."""
    tags: tuple[str, ...]
    """The tags that exist, as `key=value`, for filters; at most 500."""
    locations: tuple[str, ...]
    """All locations that define assets, for filters."""
    total: int
    """How many assets fit the filter."""


class AssetSummary(Model, frozen=True, kw_only=True):
    """An asset as a row of the catalog."""

    key: str
    """Its key, such as `raw/flights`."""
    location: str
    """The code location that defines it."""
    group: str
    """Name of its group."""
    kinds: tuple[str, ...]
    """What it is made with or stored in, such as duckdb."""
    description: str | None
    """What it is, in Markdown."""
    owners: tuple[str, ...]
    """Who answers for it."""
    tags: dict[str, str]
    """Free labels."""
    execution: AssetExecution
    """materialize, observe or external."""
    status: AssetStatus
    """Its state in one word."""
    partitions: str | None
    """Its partitions definition in a few words; null when unpartitioned."""
    materialized_partitions: int
    """How many partitions have data; 0 or 1 when unpartitioned."""
    failed_partitions: int
    """Partitions whose newest try failed."""
    materialized_at: datetime | None
    """Newest materialization of any partition."""
    run_id: str | None
    """The run of that materialization; null when it was reported from outside, or the run is deleted."""
    active_run_id: str | None
    """A run that is making it now, or will."""
    checks: CheckCounts
    """How its checks stand."""
    freshness: FreshnessView | None
    """How it stands by its freshness policy; null when it has none."""
    staleness: StaleStatus | None
    """Whether its data is what its code would make of its upstreams now; null when it is not made here."""


class AssetView(Model, frozen=True, kw_only=True):
    """One asset."""

    key: str
    """Its key, such as `raw/flights`."""
    location: str
    """The code location that defines it."""
    defined: bool
    """Whether that location defines it now; if not, only what was recorded of it is known."""
    other_locations: tuple[str, ...]
    """Further locations that define the same key."""
    summary: AssetSummary
    """What the catalog says of it."""
    op: str | None
    """The op that computes it."""
    step_siblings: tuple[str, ...]
    """Other assets that the same op computes."""
    can_subset: bool
    """Whether it can be made without its siblings."""
    code_version: str | None
    """Version of its code, where the user gave one."""
    code_changed: bool
    """Whether the newest materialization was made by another code version."""
    type_name: str | None
    """The Python type of its value."""
    io_manager: str
    """Key of the IO manager that stores it."""
    resources: tuple[str, ...]
    """Resources that its op needs."""
    pool: str | None
    """Concurrency pool of its op."""
    max_retries: int
    """How often its op is tried again after a failure."""
    config_schema: dict[str, Any] | None
    """JSON Schema of its op's config; null when it takes none."""
    source: str | None
    """File and line of its definition."""
    code_references: tuple[CodeReferenceView, ...]
    """Where its code can be looked at, such as in a repository on the web."""
    metadata: dict[str, Any]
    """Metadata of the definition: label to `{"type", "raw_value"}`."""
    upstream: tuple[AssetLink, ...]
    """What it depends on."""
    downstream: tuple[AssetLink, ...]
    """What depends on it."""
    jobs: tuple[str, ...]
    """Jobs that materialize it."""
    schedules: tuple[str, ...]
    """Schedules of its location that launch it, or a job that materializes it."""
    sensors: tuple[str, ...]
    """Sensors of its location that launch it, or a job that materializes it."""
    partitions: PartitionsView | None
    """Status of its partitions as ranges; null when unpartitioned."""
    dynamic_partitions: tuple[str, ...]
    """Names under `/api/v1/dynamic-partitions` where keys of its partitions are added; empty where none are."""
    latest: MaterializationView | None
    """Newest materialization."""
    history: tuple[MaterializationView, ...]
    """The newest 20 events of it."""
    times: TimesView | None
    """How long it took in the runs of these; null where it did not succeed in any."""
    plots: tuple[PlotView, ...]
    """Its numeric metadata."""
    checks: tuple[CheckView, ...]
    """Its checks."""
    automated: bool
    """Whether it has an automation condition."""
    staleness: StalenessView
    """Whether its data is what its code would make of its upstreams now."""


class AuditEntryView(Model, frozen=True, kw_only=True):
    """Something that somebody changed, or was refused."""

    audit_id: int
    """Its number."""
    time: datetime
    """When."""
    actor: str | None
    """The user; null: nobody had logged in."""
    token: str | None
    """The beginning of the API token that was sent."""
    address: str | None
    """Where the request came from."""
    request_id: str | None
    """Its X-Request-Id."""
    action: str
    """The operation, by its id in this document; those of the command line begin with `cli_`."""
    target: str | None
    """What it was done to."""
    location: str | None
    """The code location."""
    result: AuditResult
    """done, refused or failed."""
    before: Any
    """What was changed."""
    after: Any
    """What it became."""


class AuditListView(Model, frozen=True, kw_only=True):
    """One page of the audit log, newest first."""

    items: tuple[AuditEntryView, ...]
    """The entries."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class AutomationView(Model, frozen=True, kw_only=True):
    """All that asks for runs."""

    schedules: tuple[ScheduleView, ...]
    """By name."""
    sensors: tuple[SensorView, ...]
    """By name."""
    conditions: tuple[ConditionView, ...]
    """The first 200 assets and checks that have one, by key."""
    condition_count: int
    """How many have one."""


class AxisView(Model, frozen=True, kw_only=True):
    """A dimension of partitions, or all of a definition that has one."""

    name: str | None
    """Of the dimension; null where there is one alone."""
    count: int
    """How many keys it has."""
    newest: tuple[str, ...]
    """Its newest 100 keys, newest first."""
    first: str | None
    """Its first key; null where it has none."""
    last: str | None
    """Its last key; null where it has none."""
    by_day: bool
    """Whether its keys are days, as `2013-01-31`: the start of a window of a day."""


class BackfillListView(Model, frozen=True, kw_only=True):
    """One page of backfills, newest first."""

    items: tuple[BackfillSummary, ...]
    """The backfills."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class BackfillMade(Model, frozen=True, kw_only=True):
    """A backfill that was asked for."""

    backfill_id: str
    """UUID."""
    status: BackfillStatus
    """REQUESTED, until its first step."""
    url: str
    """Its page."""


class BackfillPreview(Model, frozen=True, kw_only=True):
    """What a backfill would take, if every run succeeded."""

    targeted: int
    """Partitions, counted once for each asset."""
    runs: int
    """Runs; see `complete`."""
    waves: int
    """How often runs have to be waited for before others can follow, plus one."""
    complete: bool
    """Whether all runs were counted; at most 20,000 are."""
    parts: tuple[PreviewedPart, ...]
    """Each asset, or the job."""
    first: tuple[PreviewedRun, ...]
    """The first 20 runs."""


class BackfillSummary(Model, frozen=True, kw_only=True):
    """A backfill as a row of a list. Partitions are counted once for each asset."""

    backfill_id: str
    """UUID."""
    status: BackfillStatus
    """Where it is in its life."""
    title: str
    """Its name, or what it makes in a few words."""
    location: str
    """The code location whose definitions it makes."""
    job: str | None
    """Name of the job; null for a backfill of assets."""
    assets: tuple[str, ...]
    """The first 20 assets that it makes."""
    asset_count: int
    """How many assets it makes."""
    trigger: str
    """What asked for it: user, api, cli, sensor, automation, backfill (a retry of another) or retry."""
    trigger_name: str | None
    """Name of the sensor or user."""
    targeted: int
    """Partitions that it is to make."""
    enqueued: int
    """Those for which a run was asked for, so far."""
    in_progress: int
    """Those whose run is queued or running."""
    succeeded: int
    """Those that were made."""
    failed: int
    """Those whose run failed."""
    canceled: int
    """Those whose run was canceled, or not asked for before the backfill was."""
    skipped: int
    """Those not asked for, as something upstream of them was not made."""
    created_at: datetime
    """When it was asked for."""
    ended_at: datetime | None
    """When it ended."""


class BackfillView(Model, frozen=True, kw_only=True):
    """A backfill, with the progress of each part."""

    backfill_id: str
    """UUID."""
    status: BackfillStatus
    """Where it is in its life."""
    title: str
    """Its name, or what it makes in a few words."""
    description: str | None
    """What it is for, in Markdown."""
    location: str
    """The code location whose definitions it makes."""
    locations: tuple[str, ...]
    """All code locations of which it makes assets, that one first."""
    job: str | None
    """Name of the job; null for a backfill of assets."""
    trigger: str
    """What asked for it: user, api, cli, sensor, automation, backfill (a retry of another) or retry."""
    trigger_name: str | None
    """Name of the sensor or user."""
    tags: dict[str, str]
    """Tags of its runs."""
    config: dict[str, Any]
    """Run config of its runs."""
    attempt: int
    """How often it was begun: once, and again by each resume."""
    parent_id: str | None
    """The backfill of which it makes what that one did not."""
    retried_by: tuple[str, ...]
    """The backfills that make what this one did not."""
    targeted: int
    """Partitions that it is to make, counted once for each asset."""
    enqueued: int
    """Those for which a run was asked for, so far."""
    in_progress: int
    """Those whose run is queued or running."""
    succeeded: int
    """Those that were made."""
    failed: int
    """Those whose run failed."""
    canceled: int
    """Those whose run was canceled, or not asked for before the backfill was."""
    skipped: int
    """Those not asked for, as something upstream of them was not made."""
    parts: tuple[PartProgress, ...]
    """Each asset, or the job."""
    runs: dict[str, int]
    """How many of its runs are in each status."""
    error: ErrorInfo | None
    """Why it could not go on."""
    can_cancel: bool
    """Whether it is under way."""
    can_resume: bool
    """Whether what it did not make can be asked for again."""
    created_at: datetime
    """When it was asked for."""
    ended_at: datetime | None
    """When it ended."""


class BulkItem(Model, frozen=True, kw_only=True):
    """What became of one run."""

    run_id: str
    """UUID."""
    ok: bool
    """Whether it was done."""
    status: RunStatus | None
    """Where the run is now; null where it is gone, or where nothing was done."""
    new_run_id: str | None
    """The run that repeats it."""
    problem: str | None
    """Why it was not done: a URN, as the `type` of a problem document."""
    message: str | None
    """The same in words."""


class BulkView(Model, frozen=True, kw_only=True):
    """What became of each run."""

    action: str
    """cancel, re-execute or delete."""
    items: tuple[BulkItem, ...]
    """In the order asked for, or newest first."""
    succeeded: int
    """For how many it was done."""
    failed: int
    """For how many it was not."""
    next_cursor: str | None
    """Give this as `cursor` to go on; null when all that fit have been looked at."""


class CancelAnswer(Model, frozen=True, kw_only=True):
    """A run that was asked to stop."""

    run_id: str
    """UUID."""
    status: RunStatus
    """CANCELED at once when it was queued, else CANCELING until its worker has stopped."""


class CauseView(Model, frozen=True, kw_only=True):
    """A reason why data is stale."""

    kind: CauseKind
    """CODE: another code version; DATA: an upstream has other data, or is stale; DEPENDENCIES: other upstreams than before."""
    reason: str
    """In words."""
    dependency: str | None
    """Key of the upstream that it lies with."""
    partition: str | None
    """Partition of that upstream."""


class CheckCounts(Model, frozen=True, kw_only=True):
    """How the checks of an asset stand."""

    total: int
    """Checks that are defined."""
    passed: int
    """Checks whose newest result passed."""
    warned: int
    """Checks whose newest result failed with severity WARN."""
    failed: int
    """Checks whose newest result failed with severity ERROR."""


class CheckEvaluationListView(Model, frozen=True, kw_only=True):
    """One page of the results of a check, newest first."""

    items: tuple[CheckEvaluationView, ...]
    """The results."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class CheckEvaluationView(Model, frozen=True, kw_only=True):
    """One result of a check."""

    time: datetime
    """When."""
    passed: bool
    """Whether the asset was as it should be."""
    severity: str
    """WARN or ERROR: how bad it is where it did not pass."""
    partition: str | None
    """The partition that was looked at, where it was one."""
    run_id: str | None
    """The run that evaluated it; null when its result was reported from outside, or the run is deleted."""
    description: str | None
    """What was found, in words."""
    metadata: dict[str, Any]
    """What user code attached: label to `{"type", "raw_value"}`."""


class CheckName(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A check of an asset."""

    asset: str
    """Key of the asset."""
    name: str
    """Name of the check."""


class CheckView(Model, frozen=True, kw_only=True):
    """A check with its newest result."""

    name: str
    """Its name."""
    asset: str
    """The asset that it judges."""
    description: str | None
    """What it looks at."""
    blocking: bool
    """Whether its failure keeps downstream assets from being made."""
    defined: bool
    """Whether it is in the current definitions."""
    separate: bool
    """Whether it can be evaluated without making the asset: it is not a part of what makes it."""
    passed: bool | None
    """Newest result; null when it was never evaluated."""
    severity: str | None
    """WARN or ERROR, of the newest result."""
    evaluated_at: datetime | None
    """When."""
    run_id: str | None
    """The run that evaluated it; null when its result was reported from outside, or the run is deleted."""
    partition: str | None
    """Partition key of the newest result."""
    result: str | None
    """What the result says, in words."""
    metadata: dict[str, Any]
    """What user code attached to the result."""


class CodeReferenceView(Model, frozen=True, kw_only=True):
    """A place where code is."""

    url: str | None
    """A page on the web that shows it; null for a file."""
    file: str | None
    """A file on the machine of the code server; null for a page."""
    line: int | None
    """The line in that file."""
    label: str | None
    """What it is called."""


class ColumnEdge(Model, frozen=True, kw_only=True):
    """A column is made of another one."""

    upstream: ColumnRef
    """What is read."""
    downstream: ColumnRef
    """What is made of it."""


class ColumnRef(Model, frozen=True, kw_only=True):
    """A column of an asset."""

    asset: str
    """Key of the asset."""
    column: str
    """Name of the column."""


class ColumnView(Model, frozen=True, kw_only=True):
    """A column as its asset's metadata describes it."""

    name: str
    """Its name."""
    type: str | None
    """Its type; null when only the lineage names the column."""
    description: str | None
    """What it holds."""
    constraints: tuple[str, ...]
    """Such as `not null` and `unique`."""
    tags: dict[str, str]
    """Free labels."""
    upstream: tuple[ColumnRef, ...]
    """What it is made of, as the asset said when it was last made."""


class ColumnsView(Model, frozen=True, kw_only=True):
    """The columns of an asset, and their lineage."""

    key: str
    """The asset."""
    columns: tuple[ColumnView, ...]
    """Its columns, in the order of its schema."""
    edges: tuple[ColumnEdge, ...]
    """All that is known within the depth that was asked for, up- and downstream."""
    cut: bool
    """Whether more assets could be followed than are."""


class ComparedAsset(Model, frozen=True, kw_only=True):
    """What became of an asset, by its newest materialization or observation in each run."""

    asset: str
    """Its key."""
    made_by: str
    """base, run or both."""
    code_versions: tuple[str | None, str | None]
    """In the run that is compared with, and in the run."""
    data_versions: tuple[str | None, str | None]
    """In the run that is compared with, and in the run; the same version means the same data."""
    metadata: tuple[ComparedValue, ...]
    """All labels, by name."""


class ComparedCheck(Model, frozen=True, kw_only=True):
    """The result of a check in each run."""

    check: str
    """`asset/key:name`."""
    base: bool | None
    """Whether it passed in the run that is compared with; null: it was not evaluated."""
    run: bool | None
    """Whether it passed in the run."""


class ComparedRun(Model, frozen=True, kw_only=True):
    """One of the two runs."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    title: str
    """What it runs, in a few words."""
    location: str
    """The code location whose definitions it runs."""
    digest: str
    """Digest of the definitions that it was asked against."""
    partition: str | None
    """Partition key, or the first and the last of a range as `a...b`; null when unpartitioned."""
    trigger: str
    """What asked for it."""
    created_at: datetime
    """When it was asked for."""
    queued_seconds: float | None
    """From creation to start."""
    duration_seconds: float | None
    """From start to end; null while it is not over."""
    cpu_seconds: float | None
    """Of all steps."""
    peak_memory_bytes: int | None
    """The highest of all steps."""


class ComparedSide(Model, frozen=True, kw_only=True):
    """A step in one of the two runs."""

    status: StepStatus
    """Where it is in its life."""
    attempt: int
    """Number of its newest attempt."""
    duration_seconds: float | None
    """Of the newest attempt."""
    cpu_seconds: float | None
    """Of the newest attempt."""
    peak_memory_bytes: int | None
    """Of the newest attempt."""
    error_line: str | None
    """First line of its error, where it failed."""


class ComparedStep(Model, frozen=True, kw_only=True):
    """A step of one run or of both."""

    step_key: str
    """Name of the step."""
    base: ComparedSide | None
    """In the run that is compared with."""
    run: ComparedSide | None
    """In the run."""
    delta_seconds: float | None
    """By how much the run took longer; negative: it was faster."""


class ComparedValue(Model, frozen=True, kw_only=True):
    """A metadata label of an asset."""

    label: str
    """The label."""
    base: dict[str, Any] | None
    """`type` and `raw_value` in the run that is compared with."""
    run: dict[str, Any] | None
    """`type` and `raw_value` in the run."""
    delta: float | None
    """The difference of two numbers."""


class ComparisonView(Model, frozen=True, kw_only=True):
    """A run beside another one, which is the base of the comparison."""

    base: ComparedRun
    """The run that is compared with."""
    run: ComparedRun
    """The run."""
    same_definitions: bool
    """Whether both ran the very same definitions."""
    config: tuple[Difference, ...]
    """What differs in their run config; at most 1,000 places."""
    tags: tuple[Difference, ...]
    """What differs in their tags."""
    steps: tuple[ComparedStep, ...]
    """In the order of the run's plan, then those that only the base has."""
    assets: tuple[ComparedAsset, ...]
    """By key."""
    checks: tuple[ComparedCheck, ...]
    """By name."""


class ConditionEvaluationListView(Model, frozen=True, kw_only=True):
    """One page of evaluations, newest first. Those that asked for nothing are listed where something about them had changed."""

    items: tuple[ConditionEvaluationView, ...]
    """The evaluations."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class ConditionEvaluationView(Model, frozen=True, kw_only=True):
    """One evaluation of a condition."""

    evaluation_id: int
    """Its number."""
    location: str
    """The code location of the sensor."""
    sensor: str
    """The sensor that evaluated it."""
    time: datetime
    """When."""
    requested: int
    """How many partitions it asked for; 1 or 0 of an asset without partitions."""
    run_ids: tuple[str, ...]
    """The runs that the tick asked for."""
    tree: dict[str, Any]
    """The condition: `name`, `label`, `true` (partitions as ranges of keys, or true and false), `count`, `candidates`, `parts`."""


class ConditionView(Model, frozen=True, kw_only=True):
    """An asset or a check that asks for its own runs."""

    key: str
    """The asset, or `asset:check`."""
    asset: str
    """The asset."""
    location: str
    """The code location that defines it."""
    condition: str
    """Its condition, as its definition names it."""
    evaluated_at: datetime | None
    """The newest evaluation in which something about it had changed."""
    requested: int | None
    """How many partitions that one asked for; 1 or 0 of an asset without partitions."""


class ConfigurationView(Model, frozen=True, kw_only=True):
    """All settings of the webserver; other processes may have been started with others."""

    items: tuple[SettingView, ...]
    """By name."""
    next_cursor: str | None
    """Always null."""


class DaemonView(Model, frozen=True, kw_only=True):
    """A daemon process."""

    daemon_id: str
    """Fresh for each start of the process."""
    host: str
    """The machine that it runs on."""
    pid: int
    """Its process id there."""
    started_at: datetime
    """When it started."""
    heartbeat_at: datetime
    """When it last said that it lives."""
    heartbeat_age_seconds: float
    """How long ago that is."""
    alive: bool
    """Whether that is recent."""
    loops: dict[str, Any]
    """What it says of each of its loops."""


class DatabaseView(Model, frozen=True, kw_only=True):
    """The Postgres behind everything."""

    version: str
    """Its version."""
    size_bytes: int
    """Size of the database on disk."""
    revision: str | None
    """Revision of the schema."""
    connections: int
    """Open connections to this database."""


class DeliveryListView(Model, frozen=True, kw_only=True):
    """One page of deliveries, newest first."""

    items: tuple[DeliveryView, ...]
    """The deliveries."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class DeliveryView(Model, frozen=True, kw_only=True):
    """A request to a webhook."""

    delivery_id: int
    """Its number."""
    sensor: str
    """The webhook sensor."""
    id: str
    """As the sender named it, or the hash of its body."""
    status: DeliveryStatus
    """RECEIVED, HANDLED, DUPLICATE, REJECTED or FAILED."""
    reason: str | None
    """Why it was rejected, failed, or led to no run."""
    received_at: datetime
    """When it came."""
    handled_at: datetime | None
    """When that was done."""
    tick_id: int | None
    """The newest tick that took it."""
    run_ids: tuple[str, ...]
    """Runs that it led to."""
    replays: int
    """How often it was replayed."""
    headers: dict[str, str]
    """Its headers, without those that may hold credentials."""
    body: str
    """Its body as text, at most 64 KiB of it."""
    body_bytes: int
    """Size of its body."""


class DeploymentView(Model, frozen=True, kw_only=True):
    """Everything that serves this deployment."""

    version: str
    """Version of this webserver."""
    locations: tuple[LocationView, ...]
    """By name."""
    daemons: tuple[DaemonView, ...]
    """The newest heartbeat first."""
    loops: tuple[LoopView, ...]
    """By name."""
    queue: QueueView
    limits: LimitsView
    pools: tuple[PoolView, ...]
    """By name."""
    database: DatabaseView
    storage: StorageView
    """What history takes there."""
    problems: tuple[str, ...]
    """What is wrong now, each a sentence that says what to do; empty when all is well."""


class Difference(Model, frozen=True, kw_only=True):
    """A value that is not the same in both."""

    path: str
    """Where, dotted, such as `ops.load.config.limit`."""
    base: Any
    """In the run that is compared with; null when it is not there."""
    run: Any
    """In the run; null when it is not there."""
    kind: str
    """added, removed or changed, as seen from the run that is compared with."""


class Done(Model, frozen=True, kw_only=True):
    """It is recorded."""


class DynamicKeyListView(Model, frozen=True, kw_only=True):
    """One page of the keys of a name, newest first."""

    items: tuple[DynamicKeyView, ...]
    """The keys."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""
    total: int
    """How many keys there are."""


class DynamicKeyView(Model, frozen=True, kw_only=True):
    """A key."""

    key: str
    """The key."""
    created_at: datetime
    """When it was added."""


class DynamicPartitionsListView(Model, frozen=True, kw_only=True):
    """All names that definitions use."""

    items: tuple[DynamicPartitionsView, ...]
    """By name."""


class DynamicPartitionsView(Model, frozen=True, kw_only=True):
    """A name under which partition keys are added."""

    name: str
    """The name that definitions use."""
    count: int
    """How many keys there are."""
    assets: tuple[str, ...]
    """Assets that are partitioned by it, at most 100."""


class EdgeView(Model, frozen=True, kw_only=True):
    """An output of a node feeding an input of another."""

    from_node: str
    """Handle of the node that gives."""
    from_output: str
    """Its output."""
    to_node: str
    """Handle of the node that takes."""
    to_input: str
    """Its input."""


class ErrorInfo(Model, frozen=True, kw_only=True):
    """An exception as data: it can be stored, sent and shown, but not raised again."""

    class_name: str
    message: str
    frames: tuple[Frame, ...] = ()
    """Outermost first; frames inside dagwright and its libraries are left out when user frames exist."""
    cause: ErrorInfo | None = None
    """What `raise ... from` or an exception in a handler points at."""
    hint: str | None = None
    """What to do about it, where we know."""
    metadata: dict[str, Any] = {}
    """Metadata of a `Failure`, as `metadata.to_json` writes it."""


class EvaluationView(Model, frozen=True, kw_only=True):
    """What a schedule or sensor would do now."""

    requests: tuple[RequestView, ...]
    """The runs that it would ask for."""
    skip_reason: str | None
    """Why it would ask for none."""
    cursor: str | None
    """A sensor's new cursor; null keeps the old one."""
    added_partitions: dict[str, tuple[str, ...]]
    """Keys that it would add to dynamic partitions, by definition."""
    deleted_partitions: dict[str, tuple[str, ...]]
    """Keys that it would delete."""
    asset_events: tuple[str, ...]
    """What it would record of assets."""
    logs: tuple[str, ...]
    """What user code printed and logged."""


class EventListView(Model, frozen=True, kw_only=True):
    """One page of events, oldest first."""

    items: tuple[EventView, ...]
    """The events."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null when there are no more events yet."""


class EventNumbersView(Model, frozen=True, kw_only=True):
    """Which events of a run a filter finds, without the events."""

    ranges: tuple[tuple[int, ...], ...]
    """First and last number of each stretch without a gap, ascending."""
    count: int
    """How many events those are."""
    last_seq: int
    """Number of the run's newest event; ask again with it as `after_seq` for what has come since."""


class EventView(Model, frozen=True, kw_only=True):
    """One event of a run."""

    seq: int
    """Its number in the run, from 1, without gaps."""
    time: datetime
    """When it happened, by the worker's clock."""
    type: str
    """Such as STEP_STARTED."""
    step_key: str | None
    """The step that it is about; null for the run itself."""
    level: str
    """DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    message: str
    """What happened, in words."""
    asset: str | None
    """The asset that it is about."""
    check: str | None
    """Name of the check that it is about."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    data: dict[str, Any]
    """The rest of the event; its fields depend on the type."""


class Frame(Model, frozen=True, kw_only=True):
    """One line of a traceback."""

    file: str
    line: int
    function: str
    source: str | None = None
    """The text of the line, where it could be read."""


class FreshnessView(Model, frozen=True, kw_only=True):
    """A freshness policy and how the asset stands by it."""

    state: FreshnessState
    """PASS, WARN, FAIL, or UNKNOWN: never materialized, or not judged yet."""
    since: datetime | None
    """The state has been this one since then."""
    policy: str
    """The policy in words."""


class HeatCell(Model, frozen=True, kw_only=True):
    """Neighbours, of one dimension or of two."""

    first: str
    """Key of the first partition."""
    last: str
    """Key of the last one; with several dimensions, the opposite corner."""
    count: int
    """How many partitions it stands for."""
    counts: dict[str, int]
    """Of them, by status; what is missing has none."""
    status: CellStatus
    """FAILED if any is, else MATERIALIZING if any is; PARTIAL: some of them are materialized."""


class HeatRow(Model, frozen=True, kw_only=True):
    """A row of cells; with one dimension there is only one."""

    label: str | None
    """Key of its first partition in the first dimension."""
    cells: tuple[HeatCell, ...]
    """From first to last."""


class HolderView(Model, frozen=True, kw_only=True):
    """A run that has what another waits for."""

    run_id: str
    """UUID."""
    job: str | None
    """Its job; null when assets were picked freely."""
    step_key: str | None
    """The step that holds the slot, where steps claim them."""
    since: datetime | None
    """Since when it has its place or slot."""


class JobListView(Model, frozen=True, kw_only=True):
    """One page of jobs, by name."""

    items: tuple[JobSummary, ...]
    """The jobs."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class JobSummary(Model, frozen=True, kw_only=True):
    """A job as a row of the list."""

    name: str
    """Its name."""
    location: str
    """The code location that defines it."""
    description: str | None
    """What it does, in Markdown."""
    kind: str
    """assets or ops: what it is made of."""
    steps: int
    """Number of ops in its graph."""
    assets: int
    """Number of assets that it materializes."""
    partitions: str | None
    """Its partitions definition in a few words; null when unpartitioned."""
    tags: dict[str, str]
    """Labels of the definition."""
    schedules: tuple[str, ...]
    """Schedules that launch it."""
    sensors: tuple[str, ...]
    """Sensors that launch it."""
    latest_run: RunSummary | None
    """Its newest run."""


class JobView(Model, frozen=True, kw_only=True):
    """One job."""

    name: str
    """Its name."""
    location: str
    """The code location that defines it."""
    other_locations: tuple[str, ...]
    """Further locations that define a job of this name."""
    description: str | None
    """What it does, in Markdown."""
    kind: str
    """assets or ops: what it is made of."""
    nodes: tuple[NodeView, ...]
    """Its ops."""
    edges: tuple[EdgeView, ...]
    """Data that flows between them."""
    assets: tuple[str, ...]
    """Assets that it materializes."""
    checks: tuple[str, ...]
    """Checks that it evaluates, as `asset/key:name`."""
    partitions: str | None
    """Its partitions definition in a few words; null when unpartitioned."""
    partition_dimensions: tuple[str, ...]
    """Names of the dimensions; empty for a definition of one dimension without a name."""
    partition_axes: tuple[AxisView, ...]
    """What a partition is chosen by: each dimension, or the only one."""
    partition_count: int
    """How many partitions exist; 0 when unpartitioned."""
    newest_partitions: tuple[str, ...]
    """The newest 100 partition keys, newest first."""
    config_schema: dict[str, Any]
    """JSON Schema of the whole run config."""
    default_config: dict[str, Any]
    """What is used where a run gives no config."""
    tags: dict[str, str]
    """Labels of the definition."""
    run_tags: dict[str, str]
    """Labels that its runs get."""
    metadata: dict[str, Any]
    """Metadata of the definition: label to `{"type", "raw_value"}`."""
    owners: tuple[str, ...]
    """Who answers for it: e-mail addresses, or `team:name`."""
    executor: str
    """in_process or multiprocess."""
    resources: tuple[str, ...]
    """Resources that its ops need."""
    source: str | None
    """File and line of its definition."""
    schedules: tuple[str, ...]
    """Schedules that launch it."""
    sensors: tuple[str, ...]
    """Sensors that launch it."""
    recent_runs: tuple[RunSummary, ...]
    """Its newest 20 runs."""


class KeysAdded(Model, frozen=True, kw_only=True):
    """What came of it."""

    name: str
    """The name that they were added to."""
    added: tuple[str, ...]
    """The keys that were new."""


class KeysDeleted(Model, frozen=True, kw_only=True):
    """What came of it."""

    name: str
    """The name that they were deleted from."""
    deleted: int
    """How many of the keys there were."""


class Launched(Model, frozen=True, kw_only=True):
    """A run that was made."""

    run_id: str
    """UUID."""
    status: RunStatus
    """QUEUED."""
    url: str
    """Its page."""


class LimitsView(Model, frozen=True, kw_only=True):
    """What may run at once."""

    max_concurrent_runs: int
    """Active runs, over all locations."""
    reserved_runs: int | None
    """Places of these that runs of backfills and automation leave free; null: a fifth, at least one."""
    background_runs: int
    """How many runs of backfills and automation may be active, as it follows from these two."""
    tag_concurrency_limits: tuple[dict[str, Any], ...]
    """Runs with a tag: `key`, `value` (a value, or `{"applyLimitPerUniqueValue": true}`, or left out) and `limit`."""
    location_limits: dict[str, int]
    """Active runs of a location, by its name."""
    default_pool_slots: int | None
    """Slots of a pool that has none set; null: any number."""
    pool_granularity: str
    """Whether each `step` claims slots, or a `run` as a whole."""
    changed: tuple[str, ...]
    """Which of these were changed by REST, and so differ from the settings."""
    etag: str
    """Of all of these, for `If-Match` of a change."""


class LineageEdge(Model, frozen=True, kw_only=True):
    """A dependency."""

    upstream: str
    """Key of the asset that is read or waited for."""
    downstream: str
    """Key of the asset that depends on it."""


class LineageNode(Model, frozen=True, kw_only=True):
    """An asset in the graph."""

    key: str
    """Its key."""
    location: str
    """The location whose definition of it counts."""
    group: str
    """Name of its group."""
    kinds: tuple[str, ...]
    """What it is made with or stored in."""
    execution: AssetExecution
    """materialize, observe or external."""
    status: AssetStatus
    """Its state in one word."""
    layer: int
    """Distance from the first column when drawn left to right: more than that of all it depends on."""
    partitioned: bool
    """Whether it has partitions."""
    materialized_at: datetime | None
    """Newest materialization."""
    checks_failed: int
    """Checks whose newest result failed with severity ERROR."""


class LineageStatusesView(Model, frozen=True, kw_only=True):
    """The states of assets in the lineage graph, and nothing else of them."""

    keys: dict[str, tuple[str, ...]]
    """Status to the keys of the assets that are in it; a status that none is in is left out."""


class LineageView(Model, frozen=True, kw_only=True):
    """Assets and dependencies between them."""

    nodes: tuple[LineageNode, ...]
    """Sorted by layer, group and key."""
    edges: tuple[LineageEdge, ...]
    """Only between assets that are among the nodes."""
    groups: tuple[str, ...]
    """All groups that exist, for filters."""


class LoadWarningView(Model, frozen=True, kw_only=True):
    """Something in definitions that loads, and will go wrong."""

    message: str
    """What, and how to mend it."""
    at: str | None
    """The file and line of what it is about, on the code server."""


class LocationListView(Model, frozen=True, kw_only=True):
    """All locations; there is never a second page."""

    items: tuple[LocationView, ...]
    """By name."""
    next_cursor: str | None
    """Always null."""


class LocationView(Model, frozen=True, kw_only=True):
    """A code location."""

    name: str
    """Its name."""
    state: LocationState
    """loading, loaded or error."""
    error: ErrorInfo | None
    """Why it does not load; the definitions that loaded last stay in use."""
    digest: str | None
    """Digest of the definitions that loaded last."""
    code_version: str | None
    """What the project says of its version."""
    spawn_reason: str | None
    """Why workers start afresh rather than by fork, if they do."""
    load_seconds: float | None
    """How long the last load took."""
    updated_at: datetime
    """When any of this changed."""
    assets: int
    """Number of assets."""
    jobs: int
    """Number of jobs."""
    schedules: int
    """Number of schedules."""
    sensors: int
    """Number of sensors."""
    python_version: str | None
    """The Python that its code runs in."""
    dagwright_version: str | None
    """The dagwright that its code runs with."""
    warnings: tuple[LoadWarningView, ...]
    """What loads in its definitions, and will go wrong."""
    servers: tuple[ServerView, ...]
    """Its code servers, the newest heartbeat first."""
    alive: bool
    """Whether some code server of it lives."""


class LogFile(Model, frozen=True, kw_only=True):
    """One captured stream of a step attempt."""

    step_key: str
    """The step."""
    attempt: int
    """Number of the attempt, from 1."""
    stream: LogStream
    """stdout or stderr."""
    size: int
    """Bytes captured so far."""
    truncated: bool
    """Whether the cap was reached."""


class LogListView(Model, frozen=True, kw_only=True):
    """Everything that was captured of a run; there is never a second page."""

    items: tuple[LogFile, ...]
    """By step, attempt and stream."""
    next_cursor: str | None
    """Always null."""


class LogView(Model, frozen=True, kw_only=True):
    """A piece of what a step attempt wrote."""

    step_key: str
    """The step."""
    attempt: int | None
    """Number of the attempt, from 1; null for all of them, one after the other."""
    stream: LogStream
    """stdout or stderr."""
    offset: int
    """Byte offset of the first byte of `text`."""
    next_offset: int
    """Where to read on."""
    size: int
    """Bytes captured so far."""
    text: str
    """The bytes as UTF-8; what is not UTF-8 is shown as the replacement character."""
    truncated: bool
    """Whether the cap was reached, so that later output was dropped."""


class LoopView(Model, frozen=True, kw_only=True):
    """A loop of the daemon, over all daemons."""

    name: str
    """Its name."""
    holder: str | None
    """The daemon that leads it."""
    term: int
    """Raised at each change of the leader."""
    expires_at: datetime | None
    """When the lead ends unless it is renewed."""
    held: bool
    """Whether somebody leads it now."""
    report: dict[str, Any]
    """What the leading daemon says of its last round."""


class MaterializationListView(Model, frozen=True, kw_only=True):
    """One page of the history, newest first."""

    items: tuple[MaterializationView, ...]
    """The events."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class MaterializationView(Model, frozen=True, kw_only=True):
    """One materialization or observation."""

    type: HistoryType
    """What happened: it was materialized, observed, failed, or its freshness is another one."""
    time: datetime
    """When it happened."""
    run_id: str | None
    """The run that did it; null when it was reported from outside of any run, or the run is deleted."""
    seq: int
    """Number of the event in that run."""
    step_key: str | None
    """The step that did it."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    message: str
    """What happened, in words."""
    description: str | None
    """What user code said of it."""
    metadata: dict[str, Any]
    """What user code attached: label to `{"type", "raw_value"}`."""
    tags: dict[str, str]
    """Free labels that user code attached."""
    data_version: str | None
    """Version of the data that was made."""
    code_version: str | None
    """Version of the code that made it."""
    input_data_versions: dict[str, str]
    """Of a materialization: key of each upstream asset to the version of its data that was read."""


class MeView(Model, frozen=True, kw_only=True):
    """Who asks."""

    name: str | None
    """The user; null where there is no log-in."""
    auth: str
    """How people log in: none, local or oidc."""
    role: Role | None
    """What they may do, with the deployment and at locations that are not named; null: nothing."""
    location_roles: dict[str, Role | None]
    """Another role in its place, by location."""
    token: str | None
    """The beginning of the API token that was sent."""
    csrf_token: str | None
    """What changes send as X-CSRF-Token, where a session cookie says who asks."""
    time_zone: str | None
    """Name of the time zone in which pages tell moments; null: as the browser does."""


class NodeView(Model, frozen=True, kw_only=True):
    """An op inside a job."""

    handle: str
    """Its dotted path through nested graphs: the step key."""
    op: str
    """Name of the op."""
    description: str | None
    """What it does."""
    inputs: tuple[PortView, ...]
    """What it takes."""
    outputs: tuple[PortView, ...]
    """What it gives."""
    resources: tuple[str, ...]
    """Resources that it needs."""
    tags: dict[str, str]
    """Labels of the definition."""
    assets: tuple[str, ...]
    """Assets that it materializes."""
    checks: tuple[str, ...]
    """Checks that it evaluates."""
    max_retries: int
    """How often it is tried again after a failure."""
    takes_config: bool
    """Whether it has a config schema."""
    source: str | None
    """File and line of its definition."""


class OverviewView(Model, frozen=True, kw_only=True):
    """The first page."""

    timeline: TimelineView
    """Runs over time, and the ticks to come."""
    counts: dict[str, int]
    """Runs asked for within the window, by status; the newest 10,000 are counted."""
    active: tuple[RunSummary, ...]
    """Runs that wait or run, newest first; at most 20."""
    failures: tuple[RunSummary, ...]
    """Runs that failed within the window and were not tried again with success, newest first; at most 10."""
    recent: tuple[RunSummary, ...]
    """The newest 10 runs."""
    upcoming: tuple[UpcomingTick, ...]
    """The next 10 ticks of schedules that are switched on."""
    asset_counts: dict[str, int]
    """Number of assets by status."""
    freshness: dict[str, int]
    """Number of assets with a freshness policy by its state: PASS, WARN, FAIL or UNKNOWN."""
    parts: tuple[PartHealth, ...]
    """How the deployment itself fares."""
    queue: QueueView
    """Runs that wait or run, in numbers."""
    problems: tuple[str, ...]
    """What is wrong now, each a sentence that says what to do; empty when all is well."""
    locations: int
    """Number of code locations."""
    jobs: int
    """Number of jobs."""
    schedules_on: int
    """Schedules that are switched on."""


class Part(Model, frozen=True, kw_only=True):
    """One part of the deployment, as `/readyz` sees it."""

    ok: bool
    """Whether it is well."""
    detail: str
    """What there is, or what is missing."""


class PartHealth(Model, frozen=True, kw_only=True):
    """A part of the deployment, and how it fares."""

    name: str
    """Daemons, Code locations, Queue, Pools or Database."""
    ok: bool
    """Whether nothing has to be done about it."""
    words: str
    """How it fares, in a sentence."""


class PartProgress(Model, frozen=True, kw_only=True):
    """How far an asset of a backfill, or its job, is."""

    name: str
    """Key of the asset, or name of the job."""
    targeted: int
    """Partitions that are to be made; 1 for an unpartitioned asset."""
    enqueued: int
    """Those for which a run was asked for, so far."""
    in_progress: int
    """Those whose run is queued or running."""
    succeeded: int
    """Those that were made."""
    failed: int
    """Those whose run failed."""
    canceled: int
    """Those whose run was canceled, or not asked for before the backfill was."""
    skipped: int
    """Those not asked for, as something upstream of them was not made."""


class PartitionHeatView(Model, frozen=True, kw_only=True):
    """Partitions of an asset as cells."""

    dimensions: tuple[str, ...]
    """Names of the dimensions: down, and across; empty with one."""
    total: int
    """How many partitions there are."""
    shown: int
    """How many the cells stand for."""
    first: str | None
    """Key of the first one shown."""
    last: str | None
    """Key of the last one shown."""
    zoomed: bool
    """Whether it is only a part."""
    rows: tuple[HeatRow, ...]
    """The cells."""


class PartitionRange(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Neighbouring partitions, in the order of their definition; with several dimensions, of each of them."""

    start: str
    """Key of the first partition."""
    end: str
    """Key of the last partition, which is included."""


class PartitionStretch(Model, frozen=True, kw_only=True):
    """Neighbours with the same status."""

    first: str
    """Key of the first partition."""
    last: str
    """Key of the last partition."""
    count: int
    """How many there are."""
    status: PartitionStatus
    """The status of all of them."""


class PartitionsView(Model, frozen=True, kw_only=True):
    """The partitions of an asset or a job."""

    description: str
    """The definition in a few words."""
    dimensions: tuple[str, ...]
    """Names of the dimensions; empty for a definition of one dimension without a name."""
    axes: tuple[AxisView, ...]
    """What a partition is chosen by: each dimension, or the only one."""
    total: int
    """How many partitions exist."""
    counts: dict[str, int]
    """Number of partitions by status."""
    ranges: tuple[PartitionStretch, ...]
    """All partitions in order; at most 2,000 ranges, newest first to be kept."""
    cut: bool
    """Whether there are more ranges than shown."""
    newest: tuple[str, ...]
    """The newest 100 keys, newest first, for choosing one."""
    newest_statuses: tuple[PartitionStatus, ...]
    """The status of each of them."""


class PlotListView(Model, frozen=True, kw_only=True):
    """The numeric metadata of an asset."""

    items: tuple[PlotView, ...]
    """A plot for each label."""


class PlotPoint(Model, frozen=True, kw_only=True):
    """One point of a plot."""

    value: float
    """The number."""
    time: datetime
    """When it was materialized."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    run_id: str | None
    """The run that attached it; null when it was reported from outside of any run, or the run is deleted."""


class PlotView(Model, frozen=True, kw_only=True):
    """A numeric metadata label over partitions, or over time when unpartitioned."""

    label: str
    """The metadata label."""
    over: str
    """partition or time: what the points are sorted by."""
    points: tuple[PlotPoint, ...]
    """At most 400, oldest first."""


class PoolListView(Model, frozen=True, kw_only=True):
    """All pools that have a limit, are in use or are waited for."""

    items: tuple[PoolView, ...]
    """By name."""
    next_cursor: str | None
    """Always null: all are listed."""


class PoolView(Model, frozen=True, kw_only=True):
    """A concurrency pool."""

    name: str
    """Its name."""
    slots: int | None
    """How many may hold it at a time; null: any number."""
    used: int
    """How many do."""
    waiting: int
    """How many wait for one."""
    defined: bool
    """Whether its slots have been set; else the default of the deployment holds."""
    holders: tuple[SlotView, ...]
    """Who holds slots, the longest first; the first two hundred."""
    waiters: tuple[SlotView, ...]
    """Who waits, the next at the top; the first two hundred."""
    etag: str
    """Of its slots, for `If-Match` of a change."""


class PortView(Model, frozen=True, kw_only=True):
    """An input or an output of a node."""

    name: str
    """Its name."""
    type_name: str
    """Its type, as the user wrote it."""
    description: str | None
    """What it carries."""
    required: bool
    """Whether it must be given."""


class PredictionView(Model, frozen=True, kw_only=True):
    """How long a run will take."""

    samples: int
    """Earlier runs that it is drawn from."""
    p50_seconds: float
    """Half of such runs take at most this."""
    p90_seconds: float
    """Nine of ten take at most this."""
    steps: tuple[StepPredictionView, ...]
    """Its steps that have been seen."""
    critical_path: tuple[str, ...]
    """Steps that it will wait for, one after the other."""
    unknown_steps: tuple[str, ...]
    """Steps that have not succeeded lately; they count as nothing."""


class PresetListView(Model, frozen=True, kw_only=True):
    """All presets of a job; there is never a second page."""

    items: tuple[PresetView, ...]
    """That of the code first, then by name."""
    next_cursor: str | None
    """Always null."""


class PresetView(Model, frozen=True, kw_only=True):
    """Config of a job, under a name."""

    name: str
    """Its name."""
    job: str
    """The job."""
    location: str
    """The code location that defines the job."""
    config: dict[str, Any]
    """Run config."""
    tags: dict[str, str]
    """Tags that a run gets beside those of the job."""
    from_code: bool
    """Whether it is the `config=` of the definition, which a run without config uses; it cannot be changed here."""
    updated_by: str | None
    """Who saved it; null where there is no log-in."""
    updated_at: datetime | None
    """When it was saved; null for the one from code."""


class PressureView(Model, frozen=True, kw_only=True):
    """How much a pool, or the limit of all runs, would be used."""

    name: str
    """Name of the pool; empty for all runs."""
    slots: int | None
    """How many there are; null: any number."""
    peak: int
    """The most that are in use at once."""
    busy: float
    """Slots in use on average."""
    waited_seconds: float
    """How long runs would wait for it, all together."""


class PreviewProblem(Model, frozen=True, kw_only=True):
    """One thing that is wrong, at one place in the request."""

    path: str
    """Where, dotted, such as `config.ops.load.config.limit`."""
    message: str
    """What is wrong, and how to mend it."""
    expected: str | None
    """What would have fit."""
    suggestion: str | None
    """The nearest name that would have been right."""


class PreviewView(Model, frozen=True, kw_only=True):
    """What a run would be."""

    valid: bool
    """Whether the request would be taken."""
    problems: tuple[PreviewProblem, ...]
    """What is wrong with it."""
    checked_by_code: bool
    """Whether the code of the location has checked the config too, beyond its schema."""
    config: dict[str, Any] | None
    """The whole config as the run would see it, defaults filled in; null unless the code was asked and takes it."""
    prediction: PredictionView | None
    """How long it will take; null for a job that has not succeeded lately, and for assets picked without a job."""


class PreviewedPart(Model, frozen=True, kw_only=True):
    """What a backfill would make of an asset, or of its job."""

    name: str
    """Key of the asset, or name of the job."""
    partitions: int
    """How many partitions; 1 for an unpartitioned asset."""
    runs: int
    """Runs that would make them; a run may make several assets."""
    first: tuple[str, ...]
    """Keys of the first 10 partitions."""


class PreviewedRun(Model, frozen=True, kw_only=True):
    """A run that a backfill would ask for."""

    assets: tuple[str, ...]
    """What it would make; empty for a job."""
    partition: str | None
    """Its partition, or the first one of a range."""
    partition_end: str | None
    """The last partition of its range; null when it is of one."""


class QueueView(Model, frozen=True, kw_only=True):
    """Runs that wait or run."""

    queued: int
    """Runs that wait."""
    active: dict[str, int]
    """STARTING, STARTED and CANCELING: number of runs in each."""
    oldest_queued_at: datetime | None
    """When the run that waits longest was asked for."""
    limit: int
    """Most runs that may be active at a time; 0 means any number."""


class Readiness(Model, frozen=True, kw_only=True):
    """Whether the deployment can take work."""

    ready: bool
    """The database answers and the first location has loaded."""
    parts: dict[str, Part]
    """database, locations, daemon and code_servers."""


class ReasonView(Model, frozen=True, kw_only=True):
    """One thing that a run, or a step of it, waits for."""

    kind: str
    """not_before, location, limit, reserved, location_limit, tag_limit, pool, backfill, daemon or turn."""
    message: str
    """In a sentence."""
    name: str | None
    """The location, tag or pool."""
    limit: int | None
    """How many may have it at once."""
    used: int | None
    """How many do."""
    holders: tuple[HolderView, ...]
    """Who has it, the longest first; the first fifty."""
    until: datetime | None
    """When it is over, where that is known."""


class Received(Model, frozen=True, kw_only=True):
    """A request to a webhook that is stored."""

    delivery_id: int
    """Its number here."""
    id: str
    """As the sender named it, or the hash of its body."""
    duplicate: bool
    """Whether the same request had been stored before; that one is meant then."""
    verified: bool
    """Whether its signature was found right; else that is looked at before it is handled."""
    url: str
    """Where to see what became of it."""


class RelatedRun(Model, frozen=True, kw_only=True):
    """Another run of the same chain of re-executions."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    created_at: datetime
    """When it was asked for."""
    relation: str
    """parent, child, root or sibling."""


class Reported(Model, frozen=True, kw_only=True):
    """An event that is recorded."""

    event_id: str
    """UUID of the report."""
    type: str
    """ASSET_MATERIALIZED, ASSET_OBSERVED or CHECK_EVALUATED."""
    time: str
    """When it was recorded."""


class RequestView(Model, frozen=True, kw_only=True):
    """A run that a schedule or sensor would ask for."""

    run_key: str | None
    """A run with the same key is made once only."""
    job: str | None
    """The job; null for assets picked freely."""
    assets: tuple[str, ...]
    """Its assets; none: all of the job."""
    partition: str | None
    """Its partition."""
    config: dict[str, Any]
    """Its run config."""
    tags: dict[str, str]
    """Its tags."""


class ResourceListView(Model, frozen=True, kw_only=True):
    """All resources; there is never a second page."""

    items: tuple[ResourceView, ...]
    """By key, then location."""
    next_cursor: str | None
    """Always null."""


class ResourceView(Model, frozen=True, kw_only=True):
    """A resource of a code location."""

    key: str
    """The name that functions ask for it by."""
    location: str
    """The code location that defines it."""
    type_name: str
    """Its class."""
    description: str | None
    """What it is for."""
    config: dict[str, Any]
    """As configured in code. What looks like a secret is masked; `{"env": "NAME"}` is read where the code runs."""
    environment: tuple[str, ...]
    """Environment variables that it reads."""
    nested: dict[str, str]
    """Its fields that are resources, with their keys."""
    assets: tuple[str, ...]
    """Assets whose functions ask for it."""
    jobs: tuple[str, ...]
    """Jobs of ops that ask for it."""
    schedules: tuple[str, ...]
    """Schedules whose functions ask for it."""
    sensors: tuple[str, ...]
    """Sensors whose functions ask for it."""
    resources: tuple[str, ...]
    """Resources that hold it."""
    source: str | None
    """File and line of its definition."""


class RunFilterBody(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Which runs; everything given must hold, and nothing given means all of them."""

    status: tuple[RunStatus, ...] = ()
    """Any of these statuses."""
    job: str | None = None
    """Name of the job."""
    asset: str | None = None
    """Key of an asset that the run materializes."""
    location: str | None = None
    """The code location."""
    partition: str | None = None
    """Partition key; `|` between dimensions."""
    trigger: TriggerKind | None = None
    """What asked for the run."""
    trigger_name: str | None = None
    """The schedule, sensor or user."""
    tag: tuple[str, ...] = ()
    """Tags as `key=value`, all of which must hold."""
    backfill: str | None = None
    """Id of the backfill that asked for the run."""
    created_after: datetime | None = None
    """UTC unless it says otherwise."""
    created_before: datetime | None = None
    """UTC unless it says otherwise."""
    ended_after: datetime | None = None
    """Runs that have not ended are left out."""
    ended_before: datetime | None = None
    """Runs that have not ended are left out."""
    text: str | None = None
    """Start of the id, or a part of the job or an asset."""
    outside_backfills: bool = False
    """Only runs that no backfill asked for."""


class RunListView(Model, frozen=True, kw_only=True):
    """One page of runs, newest first."""

    items: tuple[RunSummary, ...]
    """The runs."""
    backfills: tuple[BackfillSummary, ...]
    """Where the list is `grouped`: the backfills of the same time, newest first, in place of their runs. They count as rows of the
    page.
    """
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class RunSummary(Model, frozen=True, kw_only=True):
    """A run as a row of a list."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    location: str
    """The code location whose definitions it runs."""
    job: str | None
    """Name of the job; null when assets were picked freely."""
    assets: tuple[str, ...]
    """The first 20 assets that it materializes."""
    asset_count: int
    """How many assets it materializes."""
    partition: str | None
    """Partition key, or the first and the last of a range as `a...b`; null when unpartitioned."""
    trigger: str
    """What asked for it: user, api, cli, schedule, sensor, automation, backfill or retry."""
    trigger_name: str | None
    """Name of the schedule, sensor or user."""
    tags: dict[str, str]
    """Free labels."""
    priority: int
    """Higher starts first."""
    created_at: datetime
    """When it was asked for."""
    started_at: datetime | None
    """When its worker reported."""
    ended_at: datetime | None
    """When it reached its final status."""
    duration_seconds: float | None
    """From start to end; null while it is not over."""
    error_line: str | None
    """First line of its error, where it failed."""
    status_reason: str | None
    """Why it waits, was requeued or failed, in words."""
    parent_run_id: str | None
    """The run that this one repeats."""
    retry_number: int
    """0 for a first attempt, 1 for its first retry."""


class RunView(Model, frozen=True, kw_only=True):
    """One run, with everything but its events and output."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    location: str
    """The code location whose definitions it runs."""
    digest: str
    """Digest of the definitions that it was asked against."""
    job: str | None
    """Name of the job; null when assets were picked freely."""
    assets: tuple[str, ...]
    """The assets that it materializes."""
    checks: tuple[str, ...]
    """The checks that it evaluates, as `asset/key:name`."""
    step_keys: tuple[str, ...]
    """The steps that were asked for; empty means all."""
    partition: str | None
    """Partition key, or the first and the last of a range as `a...b`; null when unpartitioned."""
    config: dict[str, Any]
    """Run config, as it was given."""
    tags: dict[str, str]
    """Free labels."""
    trigger: str
    """What asked for it: user, api, cli, schedule, sensor, automation, backfill or retry."""
    trigger_name: str | None
    """Name of the schedule, sensor or user."""
    tick_id: int | None
    """The tick that asked for it."""
    priority: int
    """Higher starts first."""
    run_key: str | None
    """Unique key that kept it from being made twice."""
    created_at: datetime
    """When it was asked for."""
    claimed_at: datetime | None
    """When the queue handed it to a code server."""
    started_at: datetime | None
    """When its worker reported."""
    ended_at: datetime | None
    """When it reached its final status."""
    not_before: datetime | None
    """It stays queued until then."""
    duration_seconds: float | None
    """From start to end; null while it is not over."""
    queued_seconds: float | None
    """From creation to start."""
    steps: tuple[StepView, ...]
    """Its steps in the order of the plan; empty until its worker has planned."""
    step_counts: dict[str, int]
    """Number of steps by status."""
    error: ErrorInfo | None
    """Why the run as a whole failed; steps carry their own errors."""
    status_reason: str | None
    """Why it waits, was requeued or failed, in words."""
    parent_run_id: str | None
    """The run that this one repeats."""
    root_run_id: str | None
    """The first run of the chain of re-executions."""
    related: tuple[RelatedRun, ...]
    """Other runs of the same chain, oldest first."""
    retry_number: int
    """0 for a first attempt, 1 for its first retry."""
    inherited: dict[str, str]
    """Steps that are not executed again, and the run whose outputs stand in for them."""
    epoch: int
    """How many times it has been claimed."""
    server_id: str | None
    """The code server that has, or had, its worker."""
    last_seq: int
    """Number of its newest event."""


class SavedViewListView(Model, frozen=True, kw_only=True):
    """All views of a page that one has saved; there is never a second page."""

    items: tuple[SavedViewView, ...]
    """By name."""
    next_cursor: str | None
    """Always null."""


class SavedViewView(Model, frozen=True, kw_only=True):
    """Filters of a page under a name."""

    page: str
    """The page."""
    name: str
    """Its name."""
    query: str
    """The part of the page's address after `?`."""
    url: str
    """The page with these filters."""
    updated_at: datetime
    """When it was saved."""


class ScheduleListView(Model, frozen=True, kw_only=True):
    """One page of schedules, by name."""

    items: tuple[ScheduleView, ...]
    """The schedules."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class ScheduleView(Model, frozen=True, kw_only=True):
    """A schedule with its switch."""

    name: str
    """Its name."""
    location: str
    """The code location that defines it."""
    description: str | None
    """What it is for."""
    cron: tuple[str, ...]
    """Its cron expressions; a tick is due when any of them fires."""
    cron_in_words: str
    """The same as a sentence."""
    timezone: str
    """The time zone that they are read in."""
    target: TargetView
    """What it launches."""
    running: bool
    """Whether it is switched on."""
    switched: bool
    """Whether somebody has touched the switch; else the definition says."""
    running_since: datetime | None
    """Ticks before this are not due."""
    partitioned: bool
    """Whether each tick launches the partition that ended at it."""
    evaluated: bool
    """Whether user code decides at each tick."""
    missed_ticks: str
    """skip, once or all: what happens with ticks that came due while nothing ran."""
    overlap: str
    """allow, skip, queue or cancel_old: what happens when an earlier run is still going."""
    next_ticks: tuple[datetime, ...]
    """The next five moments, as if it were switched on."""
    recent_ticks: tuple[TickView, ...]
    """The newest 30 ticks, in a list the newest 10; oldest of them first. The list of ticks has their logs and the frames of errors."""
    etag: str
    """Of its switch, for `If-Match` of a change."""
    tags: dict[str, str]
    """Labels that its runs get."""
    metadata: dict[str, Any]
    """Metadata of the definition: label to `{"type", "raw_value"}`."""
    owners: tuple[str, ...]
    """Who answers for it: e-mail addresses, or `team:name`."""
    source: str | None
    """File and line of its definition."""


class SearchHit(Model, frozen=True, kw_only=True):
    """Something that fits."""

    kind: str
    """asset, job, schedule, sensor, check, group, resource, location or run."""
    name: str
    """Its name; of a run the id."""
    about: str
    """A few words that tell it from others of the name."""
    location: str | None
    """The code location that defines it; null for what is in several."""
    url: str
    """Its page."""


class SearchView(Model, frozen=True, kw_only=True):
    """What fits the words, the best first; there is never a second page."""

    items: tuple[SearchHit, ...]
    """The hits."""
    next_cursor: str | None
    """Always null."""


class SensorListView(Model, frozen=True, kw_only=True):
    """One page of sensors, by name."""

    items: tuple[SensorView, ...]
    """The sensors."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class SensorView(Model, frozen=True, kw_only=True):
    """A sensor with its switch."""

    name: str
    """Its name."""
    location: str
    """The code location that defines it."""
    description: str | None
    """What it is for."""
    kind: str
    """standard, asset, multi_asset, run_status, webhook or automation."""
    hook: str | None
    """The path that a webhook sensor answers to."""
    targets: tuple[TargetView, ...]
    """What it may launch."""
    running: bool
    """Whether it is switched on."""
    switched: bool
    """Whether somebody has touched the switch; else the definition says."""
    running_since: datetime | None
    """When it was switched on."""
    minimum_interval_seconds: int
    """Least time between two evaluations."""
    watched_assets: tuple[str, ...]
    """Assets that an asset sensor watches."""
    cursor: str | None
    """What it remembers between ticks."""
    etag: str
    """Of its switch and its cursor, for `If-Match` of a change."""
    next_tick: datetime | None
    """When it is asked next; null while it is off, and for a sensor that waits for an event."""
    recent_ticks: tuple[TickView, ...]
    """The newest 30 ticks, in a list the newest 10; oldest of them first. The list of ticks has their logs and the frames of errors."""
    metadata: dict[str, Any]
    """Metadata of the definition: label to `{"type", "raw_value"}`."""
    owners: tuple[str, ...]
    """Who answers for it: e-mail addresses, or `team:name`."""
    source: str | None
    """File and line of its definition."""


class ServerView(Model, frozen=True, kw_only=True):
    """A code server process that has registered itself."""

    server_id: str
    """Fresh for each start of the process."""
    location: str
    """The location that it serves."""
    address: str
    """Host and port that others dial."""
    state: LocationState
    """loading, loaded or error."""
    digest: str | None
    """Digest of the definitions that it serves."""
    started_at: datetime
    """When it registered."""
    heartbeat_at: datetime
    """When it last said that it lives."""
    alive: bool
    """Whether that is recent."""


class SessionListView(Model, frozen=True, kw_only=True):
    """The sessions of who asks."""

    items: tuple[SessionView, ...]
    """The one used last first."""
    next_cursor: str | None
    """Always null."""


class SessionView(Model, frozen=True, kw_only=True):
    """A browser in which a user has logged in."""

    id: str
    """By which it is ended; not what the cookie holds."""
    current: bool
    """Whether it is the one that asks."""
    created_at: datetime
    """When they logged in."""
    seen_at: datetime
    """When it last asked for something, to the minute."""
    expires_at: datetime
    """When it ends at the latest."""
    address: str | None
    """Address that they logged in from."""
    user_agent: str | None
    """What the browser calls itself."""


class SettingView(Model, frozen=True, kw_only=True):
    """A setting."""

    name: str
    """Its name in `dagwright.toml`."""
    variable: str
    """The environment variable that sets it."""
    value: Any
    """What it is; a secret is masked, and null where it is not set."""
    source: str
    """default, file, environment or start: an argument of the command that started the process."""


class SimulatedRunView(Model, frozen=True, kw_only=True):
    """A run that would be."""

    location: str
    """The code location whose definitions it would run."""
    job: str | None
    """Name of the job; null when assets were picked."""
    assets: tuple[str, ...]
    """What it would materialize."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    trigger: str
    """schedule or automation."""
    trigger_name: str | None
    """Name of the schedule."""
    created_at: datetime
    """When it would be asked for."""
    started_at: datetime | None
    """When it would start; null when that is later than `until`."""
    ended_at: datetime | None
    """When it would end; null when that is later than `until`."""
    waited_seconds: float | None
    """From being asked for to its start."""
    waited_for: tuple[str, ...]
    """The limits and pools that would hold it back."""


class SimulationView(Model, frozen=True, kw_only=True):
    """What would run, and how full the queue and the pools would be."""

    start: datetime
    """Now."""
    until: datetime
    """The end of what was simulated."""
    run_count: int
    """How many runs there would be."""
    runs: tuple[SimulatedRunView, ...]
    """The first ones."""
    total: PressureView
    """All runs."""
    pools: tuple[PressureView, ...]
    """Each pool."""
    left_out: tuple[str, ...]
    """What was not simulated, and why."""
    cut: bool
    """Whether there would be more than 20,000 runs; the rest was left out."""


class SizeView(Model, frozen=True, kw_only=True):
    """What a part of the database takes."""

    name: str
    """Of the part; of events, the week that begins on that day."""
    size_bytes: int
    """With its indexes."""
    rows: int
    """An estimate of Postgres."""


class SlotView(Model, frozen=True, kw_only=True):
    """A slot that is held, or waited for."""

    run_id: str
    """UUID."""
    job: str | None
    """The run's job; null when assets were picked freely."""
    step_key: str | None
    """The step; null where the run as a whole claims it."""
    attempt: int
    """Attempt of the step."""
    requested_at: datetime
    """When it was asked for."""
    acquired_at: datetime | None
    """When it was had; null while it is waited for."""


class StaleAssetView(Model, frozen=True, kw_only=True):
    """An asset that should be made anew, or for the first time."""

    key: str
    """Its key."""
    status: StaleStatus
    """STALE, of a partitioned asset if one of its newest partitions is (`newest` says how many); or MISSING: nothing of it was made."""
    causes: tuple[CauseView, ...]
    """Why it is stale; of a partitioned asset the causes of its newest stale partition."""


class StaleListView(Model, frozen=True, kw_only=True):
    """What is stale or missing among some assets."""

    items: tuple[StaleAssetView, ...]
    """By key; only what can be materialized."""
    newest: int
    """So many partitions of each partitioned asset were judged, the newest ones: 100 unless very many assets are partitioned."""


class StalePartitionView(Model, frozen=True, kw_only=True):
    """A partition that is stale."""

    partition: str
    """Its key."""
    causes: tuple[CauseView, ...]
    """Why."""


class StalenessView(Model, frozen=True, kw_only=True):
    """How the data of an asset stands."""

    status: StaleStatus
    """FRESH, STALE or MISSING; of a partitioned asset STALE if any of the newest 100 partitions is, and MISSING if none was made."""
    causes: tuple[CauseView, ...]
    """Why it is stale; of a partitioned asset the causes of its newest stale partition."""
    stale_partitions: tuple[StalePartitionView, ...]
    """The newest 100 stale partitions; empty when unpartitioned."""


class StepPredictionView(Model, frozen=True, kw_only=True):
    """How long a step took lately."""

    step: str
    """Its key; copies of a dynamic step count as one, from the first start to the last end."""
    samples: int
    """Runs that it was seen in."""
    p50_seconds: float
    """Half of them took at most this."""
    p90_seconds: float
    """Nine of ten took at most this."""


class StepView(Model, frozen=True, kw_only=True):
    """A step of a run: one bar of its Gantt chart."""

    step_key: str
    """Name of the step inside the run."""
    status: StepStatus
    """Where it is in its life."""
    attempt: int
    """Number of the newest attempt, from 1."""
    op: str | None
    """Name of the op that it executes."""
    kind: str
    """op, asset or check."""
    depends_on: tuple[str, ...]
    """Steps that must succeed before it starts."""
    assets: tuple[str, ...]
    """Assets that it materializes."""
    executor: str | None
    """Its executor, where it is not the run's."""
    step_group: str | None
    """Steps of one group run in one process."""
    started_at: datetime | None
    """Start of the newest attempt."""
    ended_at: datetime | None
    """End of the newest attempt."""
    duration_seconds: float | None
    """From start to end; null while it runs."""
    cpu_seconds: float | None
    """User and system time of the newest attempt, children included."""
    peak_memory_bytes: int | None
    """Peak resident set of the newest attempt."""
    error: ErrorInfo | None
    """Why it failed."""


class StepWaitView(Model, frozen=True, kw_only=True):
    """A step of a run that has started, which waits for a slot of its pool."""

    step_key: str
    """The step."""
    pool: str
    """The pool."""
    since: datetime
    """When it asked."""
    position: int
    """How many steps are before it."""
    reason: ReasonView
    """What it waits for."""


class StorageView(Model, frozen=True, kw_only=True):
    """What history takes, and for how long it is kept."""

    parts: tuple[SizeView, ...]
    """The largest first."""
    event_weeks: tuple[SizeView, ...]
    """Events by week, oldest first: purging drops whole weeks."""
    retention_days: dict[str, float | None]
    """For how long each kind is kept, in days; null: for ever."""


class SwitchedItem(Model, frozen=True, kw_only=True):
    """A schedule or sensor that has been switched."""

    kind: InstigatorKind
    """schedule or sensor."""
    name: str
    """Its name."""
    location: str
    """The code location that defines it."""


class SwitchedView(Model, frozen=True, kw_only=True):
    """What has been switched."""

    on: bool
    """On or off."""
    items: tuple[SwitchedItem, ...]
    """Schedules, then sensors."""


class TargetView(Model, frozen=True, kw_only=True):
    """What a schedule or sensor launches."""

    job: str | None
    """A job, or null when it picks assets."""
    assets: tuple[str, ...]
    """The assets that it picks."""


class TickView(Model, frozen=True, kw_only=True):
    """One tick: a moment at which a schedule or sensor was asked."""

    tick_id: int
    """Its number."""
    name: str
    """The schedule or sensor."""
    kind: InstigatorKind
    """schedule or sensor."""
    location: str
    """The code location that defines it."""
    scheduled_for: datetime
    """The moment that it stands for."""
    status: TickStatus
    """STARTED, SUCCESS, SKIPPED or FAILURE."""
    started_at: datetime
    """When it was evaluated."""
    ended_at: datetime | None
    """When the evaluation was over."""
    duration_seconds: float | None
    """How long the evaluation took."""
    run_ids: tuple[str, ...]
    """Runs that it asked for."""
    skip_reason: str | None
    """Why it asked for none."""
    error: ErrorInfo | None
    """What user code raised."""
    attempt: int
    """How often it was evaluated."""
    logs: tuple[str, ...]
    """What user code printed and logged."""


class TicksView(Model, frozen=True, kw_only=True):
    """One page of ticks, newest first."""

    items: tuple[TickView, ...]
    """The ticks."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class TimelineRow(Model, frozen=True, kw_only=True):
    """A lane: the runs of one job, of assets picked freely, or of an asset group."""

    name: str
    """The job, the assets in a few words, or the group."""
    job: str | None
    """The job; null for assets picked freely, and for groups."""
    group: str | None
    """The asset group; null for jobs."""
    location: str
    """The code location."""
    runs: tuple[TimelineRun, ...]
    """Oldest first."""
    ticks: tuple[TimelineTick, ...]
    """What schedules will ask for before the timeline ends."""


class TimelineRun(Model, frozen=True, kw_only=True):
    """A run as a bar of the timeline."""

    run_id: str
    """UUID."""
    status: RunStatus
    """Where it is in its life."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    started_at: datetime
    """Start, or creation while it waits."""
    ended_at: datetime | None
    """End; null while it goes on."""


class TimelineTick(Model, frozen=True, kw_only=True):
    """A tick that is to come."""

    schedule: str
    """The schedule."""
    at: datetime
    """When."""


class TimelineView(Model, frozen=True, kw_only=True):
    """Runs over time."""

    now: datetime
    """The moment that everything is told for."""
    start: datetime
    """Where it begins."""
    end: datetime
    """Where it ends; after now, unless an earlier end was asked for."""
    by: Lanes
    """job or group."""
    rows: tuple[TimelineRow, ...]
    """The row with the newest run first, then those with ticks only."""
    complete: bool
    """Whether all runs of the time are shown; at most the newest 500 are."""


class TimesView(Model, frozen=True, kw_only=True):
    """How long something took lately."""

    samples: int
    """Runs that it was seen in."""
    p50_seconds: float
    """Half of them took at most this."""
    p90_seconds: float
    """Nine of ten took at most this."""


class TokenListView(Model, frozen=True, kw_only=True):
    """One page of API tokens, newest first."""

    items: tuple[TokenView, ...]
    """The tokens."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


class TokenMade(Model, frozen=True, kw_only=True):
    """An API token, the only time that it is told."""

    token: str
    """Send it as `Authorization: Bearer ...`; it cannot be looked up again."""
    details: TokenView
    """What is kept of it."""


class TokenView(Model, frozen=True, kw_only=True):
    """An API token, without the token itself."""

    token_id: int
    """Its number."""
    user: str
    """For whom it speaks."""
    name: str
    """What it is for."""
    prefix: str
    """Its first characters."""
    role: Role
    """The most that it may do; never more than its user."""
    locations: tuple[str, ...] | None
    """Where it may do so; null: wherever its user may."""
    created_at: datetime
    """When it was made."""
    expires_at: datetime | None
    """When it ends; null: never."""
    used_at: datetime | None
    """When it was last sent, to the minute."""


class UpcomingTick(Model, frozen=True, kw_only=True):
    """A moment at which a schedule that is switched on will fire."""

    schedule: str
    """Its name."""
    location: str
    """The code location that defines it."""
    at: datetime
    """When."""
    target: TargetView
    """What it launches."""


class UserListView(Model, frozen=True, kw_only=True):
    """All users."""

    items: tuple[UserView, ...]
    """By name."""
    next_cursor: str | None
    """Always null."""


class UserView(Model, frozen=True, kw_only=True):
    """A user."""

    name: str
    """By which they log in."""
    role: Role | None
    """What they may do, with the deployment and at locations that are not named; null: nothing."""
    location_roles: dict[str, Role | None]
    """Another role in its place, by location."""
    disabled: bool
    """Whether they cannot log in, nor use API tokens."""
    has_password: bool
    """Whether they can log in by a password."""
    provider: str | None
    """The OpenID provider that they log in by."""
    created_at: datetime
    """When they were added."""
    signed_in_at: datetime | None
    """When they last logged in."""
    etag: str
    """Of their roles and whether they are disabled, for `If-Match` of a change."""


class WaitingView(Model, frozen=True, kw_only=True):
    """Why a run waits."""

    run_id: str
    """UUID."""
    status: str
    """Where the run is in its life."""
    waiting: bool
    """Whether it, or one of its steps, waits for something."""
    message: str
    """The answer in one sentence."""
    since: datetime | None
    """Since when it waits."""
    position: int | None
    """How many queued runs are before it; null once it has left the queue."""
    reasons: tuple[ReasonView, ...]
    """All that holds the run in the queue."""
    steps: tuple[StepWaitView, ...]
    """Steps that wait for slots."""


class Wiped(Model, frozen=True, kw_only=True):
    """What was forgotten."""

    asset: str
    """Its key."""
    partitions: int
    """How many partitions there was something of; of an asset without partitions 1, or 0 if there was nothing."""
