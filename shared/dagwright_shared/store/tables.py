"""Every table, index and CHECK constraint. The only module that names a column's type.

Conventions: a partition key is `text[]`, `{}` when unpartitioned; an error is the JSON of `model.errors`; a column
named `xid` holds the writing transaction, for readers that follow a table by commit horizon.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    desc,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import UserDefinedType

from dagwright_shared.model import backfills as backfill_model
from dagwright_shared.model.access import AuditResult, Role
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.runs import ACTIVE, FINAL, RunStatus, StepStatus
from dagwright_shared.model.ticks import DeliveryStatus, InstigatorKind, TickStatus

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Xid8(UserDefinedType[int]):
    """Postgres' 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


def _moment(name: str, *, null: bool = True, now: bool = False) -> Column[object]:
    default = text("clock_timestamp()") if now else None
    return Column(name, DateTime(timezone=True), nullable=null, server_default=default)


def _json(name: str, *, null: bool = False, default: str | None = None) -> Column[object]:
    return Column(name, JSONB(none_as_null=True), nullable=null, server_default=default)


def _partition(name: str = "partition", *, primary: bool = False) -> Column[object]:
    return Column(name, ARRAY(Text), nullable=False, server_default=text("'{}'"), primary_key=primary)


def _xid() -> Column[object]:
    return Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()"))


def _run_id(*, primary: bool = False) -> Column[object]:
    return Column("run_id", Uuid(as_uuid=False), nullable=False, primary_key=primary)


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({_quoted(values)})", name=f"{column}_known")


def _quoted(values: object) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))  # type: ignore[call-overload]


# ---------------------------------------------------------------------------------------------- definitions

snapshots = Table(
    "snapshots",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("location", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False, comment="LocationSnapshot as wire encodes it, gzipped"),
    _moment("created_at", null=False, now=True),
)

locations = Table(
    "locations",
    metadata,
    Column("location", Text, primary_key=True),
    Column("digest", Text, ForeignKey("snapshots.digest"), comment="the newest snapshot that loaded"),
    Column("state", Text, nullable=False),
    _json("error", null=True),
    Column("code_version", Text),
    Column("spawn_reason", Text),
    Column("load_seconds", Double),
    _moment("updated_at", null=False, now=True),
    CheckConstraint("state IN ('loading', 'loaded', 'error')", name="state_known"),
)

code_servers = Table(
    "code_servers",
    metadata,
    Column("server_id", Text, primary_key=True),
    Column("location", Text, nullable=False),
    Column("address", Text, nullable=False, comment="host:port that clients dial"),
    Column("state", Text, nullable=False),
    Column("digest", Text),
    _json("error", null=True),
    _moment("started_at", null=False, now=True),
    _moment("heartbeat_at", null=False, now=True),
    Index("ix_code_servers_location", "location", desc("heartbeat_at")),
)

assets = Table(
    "assets",
    metadata,
    Column("asset_id", BigInteger, Identity(), primary_key=True),
    Column("location", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("defined", Boolean, nullable=False, server_default=text("true"), comment="in the current snapshot"),
    _moment("created_at", null=False, now=True),
    UniqueConstraint("key", "location"),
)

dynamic_partitions = Table(
    "dynamic_partitions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("ordinal", BigInteger, Identity(), nullable=False),
    _moment("created_at", null=False, now=True),
    Index(None, "name", "ordinal"),
)

# ---------------------------------------------------------------------------------------------------- runs

TO_SETTLE = """backfill_id IS NOT NULL AND NOT settled
    AND (status IN ('CANCELED', 'SUCCESS') OR (status = 'FAILURE' AND retried))"""
"""Runs whose end their backfill has yet to take into account; of a failed one it must be known first whether it is tried again."""

runs = Table(
    "runs",
    metadata,
    _run_id(primary=True),
    Column("location", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("job_name", Text),
    Column("asset_keys", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("check_keys", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("only_checks", Boolean, nullable=False, server_default=text("false"), comment="of the checks, those named and no others"),
    Column("step_keys", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _partition(),
    Column("partition_end", ARRAY(Text), comment="the last one of a range of partitions; NULL: not a range"),
    _json("config", default="{}"),
    _json("tags", default="{}"),
    Column("status", Text, nullable=False, server_default="QUEUED"),
    Column("trigger_kind", Text, nullable=False),
    Column("trigger_name", Text),
    Column("tick_id", BigInteger),
    Column("backfill_id", Uuid(as_uuid=False)),
    Column("backfill_first", BigInteger, comment="the first ordinal of the backfill's target that it makes"),
    Column("backfill_last", BigInteger),
    Column("settled", Boolean, nullable=False, server_default=text("false"), comment="its backfill has taken its end into account"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column(
        "background",
        Boolean,
        Computed("trigger_kind IN ('automation', 'backfill') OR backfill_id IS NOT NULL OR tags ? 'dagster/backfill'", persisted=True),
        nullable=False,
        comment="takes the places that others leave",
    ),
    Column("run_key", Text),
    Column("parent_run_id", Uuid(as_uuid=False)),
    Column("root_run_id", Uuid(as_uuid=False)),
    _json("inherited", default="{}"),
    Column("retry_number", Integer, nullable=False, server_default="0"),
    Column("retried", Boolean, nullable=False, server_default=text("false"), comment="recovery has decided on its retry"),
    _moment("not_before"),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("server_id", Text),
    _moment("lease_expires_at"),
    Column("launch_attempts", Integer, nullable=False, server_default="0"),
    Column("resumes", Integer, nullable=False, server_default="0", comment="how often it went on with a new worker"),
    Column("pooled", Boolean, nullable=False, server_default=text("false"), comment="this attempt has asked for slots of pools"),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    _moment("created_at", null=False, now=True),
    _moment("claimed_at"),
    _moment("started_at"),
    _moment("ended_at"),
    _moment("canceling_at"),
    _json("error", null=True),
    Column("status_reason", Text),
    _xid(),
    _one_of("status", RunStatus),
    CheckConstraint(f"(status IN ({_quoted(FINAL)})) = (ended_at IS NOT NULL)", name="ended_when_final"),
    CheckConstraint(f"status NOT IN ({_quoted(ACTIVE)}) OR epoch > 0", name="claimed_when_active"),
    CheckConstraint("status <> 'STARTED' OR started_at IS NOT NULL", name="started_at_known"),
    CheckConstraint(
        "partition_end IS NULL OR (cardinality(partition) > 0 AND cardinality(partition_end) = cardinality(partition))",
        name="range_has_both_ends",
    ),
    CheckConstraint(
        "(backfill_id IS NULL) = (backfill_first IS NULL) AND (backfill_id IS NULL) = (backfill_last IS NULL)", name="part_of_backfill"
    ),
    Index("uq_runs_run_key", "run_key", unique=True, postgresql_where=text("run_key IS NOT NULL")),
    Index("ix_runs_newest", desc("created_at"), desc("run_id")),
    Index("ix_runs_outside_backfills", desc("created_at"), desc("run_id"), postgresql_where=text("backfill_id IS NULL")),
    Index("ix_runs_status", "status", desc("created_at"), desc("run_id")),
    Index("ix_runs_job", "job_name", desc("created_at"), desc("run_id")),
    Index("ix_runs_trigger", "trigger_kind", "trigger_name", desc("created_at"), desc("run_id")),
    Index("ix_runs_partition", "partition", desc("created_at"), desc("run_id"), postgresql_where=text("partition <> '{}'")),
    Index("ix_runs_queued", "background", desc("priority"), "created_at", "run_id", postgresql_where=text("status = 'QUEUED'")),
    Index("ix_runs_active", "run_id", postgresql_where=text(f"status IN ({_quoted(ACTIVE)})")),
    Index("ix_runs_retryable", "run_id", postgresql_where=text("status = 'FAILURE' AND NOT retried")),
    Index("ix_runs_root", "root_run_id", postgresql_where=text("root_run_id IS NOT NULL")),
    Index("ix_runs_tick", "tick_id", postgresql_where=text("tick_id IS NOT NULL")),
    Index("ix_runs_backfill", "backfill_id", desc("created_at"), desc("run_id"), postgresql_where=text("backfill_id IS NOT NULL")),
    Index("ix_runs_to_settle", "backfill_id", "run_id", postgresql_where=text(TO_SETTLE)),
    Index("ix_runs_xid", "xid"),
    Index("ix_runs_short_id", func.right(text("run_id::text"), 8).label("short_id"), postgresql_ops={"short_id": "text_pattern_ops"}),
    Index("ix_runs_tags", "tags", postgresql_using="gin", postgresql_ops={"tags": "jsonb_path_ops"}),
)

run_assets = Table(
    "run_assets",
    metadata,
    Column("asset_id", BigInteger, ForeignKey("assets.asset_id"), primary_key=True),
    Column("run_id", Uuid(as_uuid=False), ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    _partition(),
    Index("ix_run_assets_run", "run_id"),
)

steps = Table(
    "steps",
    metadata,
    Column("run_id", Uuid(as_uuid=False), ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("step_key", Text, primary_key=True),
    Column("ordinal", Integer, nullable=False, comment="place in the plan"),
    Column("status", Text, nullable=False, server_default="PENDING"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("op_name", Text),
    Column("kind", Text, nullable=False, server_default="op"),
    Column("depends_on", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("asset_keys", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _moment("started_at"),
    _moment("ended_at"),
    Column("cpu_seconds", Double),
    Column("peak_memory_bytes", BigInteger),
    _json("error", null=True),
    Column("executor", Text, comment="where it is not the run's"),
    Column("step_group", Text),
    _one_of("status", StepStatus),
)

RUN_STATUS_EVENTS = "type IN ('RUN_CANCELED', 'RUN_FAILED', 'RUN_STARTED', 'RUN_SUCCEEDED')"
"""The events that sensors of runs read forward, over all runs."""

events = Table(
    "events",
    metadata,
    _run_id(primary=True),
    Column("seq", BigInteger, primary_key=True),
    Column("time", DateTime(timezone=True), primary_key=True),
    Column("type", Text, nullable=False),
    Column("step_key", Text),
    Column("level", SmallInteger, nullable=False, server_default="20"),
    Column("message", Text, nullable=False, server_default=""),
    Column("asset_id", BigInteger),
    Column("check_name", Text),
    _partition(),
    _json("data", default="{}"),
    _xid(),
    Index("ix_events_asset", "asset_id", desc("time"), postgresql_where=text("asset_id IS NOT NULL")),
    Index("ix_events_asset_xid", "asset_id", "xid", "seq", postgresql_where=text("asset_id IS NOT NULL")),
    Index("ix_events_run_status", "type", "xid", "seq", postgresql_where=text(RUN_STATUS_EVENTS)),
    postgresql_partition_by="RANGE (time)",
)

log_chunks = Table(
    "log_chunks",
    metadata,
    Column("run_id", Uuid(as_uuid=False), ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("step_key", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("byte_offset", BigInteger, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("truncated", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("stream IN ('stdout', 'stderr')", name="stream_known"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("status_code", Integer, nullable=False),
    _json("response"),
    _moment("created_at", null=False, now=True),
    Index(None, "created_at"),
)

# ------------------------------------------------------------------------------------------ state of assets

asset_partitions = Table(
    "asset_partitions",
    metadata,
    Column("asset_id", BigInteger, ForeignKey("assets.asset_id"), primary_key=True),
    _partition(primary=True),
    Column("run_id", Uuid(as_uuid=False), comment="of the newest materialization"),
    Column("seq", BigInteger),
    _moment("materialized_at"),
    Column("data_version", Text),
    Column("code_version", Text),
    _json("metadata", default="{}"),
    _json("input_data_versions", default="{}"),
    Column("failed_run_id", Uuid(as_uuid=False), comment="of the newest failure"),
    _moment("failed_at"),
    Column("observed_run_id", Uuid(as_uuid=False)),
    _moment("observed_at"),
    Column("observed_data_version", Text),
    _xid(),
    Column("materialized_xid", Xid8, comment="of the newest materialization, whatever else has changed since"),
    Column("observed_xid", Xid8),
    Column("version_xid", Xid8, comment="the data version became another one"),
    Column("wiped_at", DateTime(timezone=True), comment="events up to then are no longer its history"),
    Index("ix_asset_partitions_newest", "asset_id", text("materialized_at DESC NULLS LAST")),
    Index("ix_asset_partitions_xid", "xid"),
    Index("ix_asset_partitions_changed", "asset_id", "xid"),
)

asset_totals = Table(
    "asset_totals",
    metadata,
    Column("asset_id", BigInteger, ForeignKey("assets.asset_id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("materialized", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False, comment="of which the newest try failed"),
)
"""How many partitions are in which state. Triggers of `asset_partitions` keep it."""

partition_sets = Table(
    "partition_sets",
    metadata,
    Column("asset_id", BigInteger, ForeignKey("assets.asset_id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("mark", Text, nullable=False, comment="of the definition that the ordinals belong to"),
    Column("horizon", Xid8, nullable=False, comment="all transactions before it are taken in"),
    Column("materialized", LargeBinary, nullable=False),
    Column("failed", LargeBinary, nullable=False),
    Column("strays", JSONB, nullable=False, comment="partitions that do not exist, or not yet, and whether the newest try failed"),
    _moment("saved_at", null=False, now=True),
)
"""Of assets with very many partitions, which are in which state, as ranges of ordinals. Only ever a saving: see `partition_states`."""

check_results = Table(
    "check_results",
    metadata,
    Column("asset_id", BigInteger, ForeignKey("assets.asset_id"), primary_key=True),
    Column("name", Text, primary_key=True),
    _partition(primary=True),
    _run_id(),
    Column("seq", BigInteger, nullable=False),
    _moment("evaluated_at", null=False),
    Column("passed", Boolean, nullable=False),
    Column("severity", Text, nullable=False),
    Column("blocking", Boolean, nullable=False),
    Column("description", Text),
    _json("metadata", default="{}"),
    _xid(),
    Index("ix_check_results_newest", "asset_id", "name", desc("evaluated_at")),
    Index("ix_check_results_xid", "xid"),
)

freshness_states = Table(
    "freshness_states",
    metadata,
    Column("asset_id", BigInteger, ForeignKey("assets.asset_id"), primary_key=True),
    Column("state", Text, nullable=False),
    _moment("since", null=False),
    _moment("materialized_at"),
    _xid(),
    _one_of("state", FreshnessState),
    Index("ix_freshness_states_xid", "xid"),
)

# ----------------------------------------------------------------------------------------------- automation

instigators = Table(
    "instigators",
    metadata,
    Column("instigator_id", BigInteger, Identity(), primary_key=True),
    Column("location", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("defined", Boolean, nullable=False, server_default=text("true")),
    Column("default_running", Boolean, nullable=False, server_default=text("false")),
    Column("switch", Boolean, comment="what a person chose; NULL means the default"),
    Column("cursor", Text),
    _moment("running_since"),
    _moment("last_tick_at"),
    UniqueConstraint("location", "kind", "name"),
    _one_of("kind", InstigatorKind),
)

ticks = Table(
    "ticks",
    metadata,
    Column("tick_id", BigInteger, Identity(), primary_key=True),
    Column("instigator_id", BigInteger, ForeignKey("instigators.instigator_id", ondelete="CASCADE"), nullable=False),
    _moment("scheduled_for", null=False),
    Column("status", Text, nullable=False, server_default="STARTED"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    _moment("started_at", null=False, now=True),
    _moment("ended_at"),
    Column("skip_reason", Text),
    _json("error", null=True),
    Column("cursor", Text),
    _json("logs", default="[]"),
    UniqueConstraint("instigator_id", "scheduled_for"),
    _one_of("status", TickStatus),
    CheckConstraint("(status = 'STARTED') = (ended_at IS NULL)", name="ended_when_final"),
    Index("ix_ticks_newest", desc("scheduled_for"), desc("tick_id")),
    Index("ix_ticks_started", "tick_id", postgresql_where=text("status = 'STARTED'")),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("delivery_id", BigInteger, Identity(), primary_key=True),
    Column("instigator_id", BigInteger, ForeignKey("instigators.instigator_id", ondelete="CASCADE"), nullable=False),
    Column("external_id", Text, nullable=False, comment="as the sender named it, or the hash of its body"),
    Column("fingerprint", Text, nullable=False, comment="of id, signature and body: the same request again is no other delivery"),
    Column("status", Text, nullable=False, server_default="RECEIVED"),
    Column("verified", Boolean, nullable=False, server_default=text("false")),
    _json("headers", default="{}"),
    Column("body", LargeBinary, nullable=False),
    _moment("received_at", null=False, now=True),
    _moment("handled_at"),
    Column("tick_id", BigInteger, comment="the newest tick that took it"),
    Column("replays", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    _one_of("status", DeliveryStatus),
    UniqueConstraint("instigator_id", "fingerprint"),
    Index("ix_webhook_deliveries_newest", "instigator_id", desc("delivery_id")),
    Index("ix_webhook_deliveries_waiting", "instigator_id", "delivery_id", postgresql_where=text("status = 'RECEIVED'")),
    Index("ix_webhook_deliveries_same", "instigator_id", "external_id"),
    Index("ix_webhook_deliveries_received", "received_at"),
)

automation_sensors = Table(
    "automation_sensors",
    metadata,
    Column("instigator_id", BigInteger, ForeignKey("instigators.instigator_id", ondelete="CASCADE"), primary_key=True),
    Column("tick", BigInteger, nullable=False, server_default="0", comment="raised by each; two daemons never take the same"),
    Column("snapshot", Text, comment="which transactions the newest tick has seen"),
    _moment("ticked_at", null=False, now=True),
)

automation_cursors = Table(
    "automation_cursors",
    metadata,
    Column("instigator_id", BigInteger, ForeignKey("instigators.instigator_id", ondelete="CASCADE"), primary_key=True),
    Column("asset_key", Text, primary_key=True),
    Column("check_name", Text, primary_key=True, server_default=""),
    _json("cursor"),
)

automation_evaluations = Table(
    "automation_evaluations",
    metadata,
    Column("evaluation_id", BigInteger, Identity(), primary_key=True),
    Column("instigator_id", BigInteger, ForeignKey("instigators.instigator_id", ondelete="CASCADE"), nullable=False),
    Column("tick", BigInteger, nullable=False),
    Column("tick_id", BigInteger, comment="of ticks, where anything was requested"),
    _moment("time", null=False),
    Column("asset_key", Text, nullable=False),
    Column("check_name", Text, nullable=False, server_default=""),
    Column("requested", Integer, nullable=False),
    _json("tree"),
    UniqueConstraint("instigator_id", "tick", "asset_key", "check_name", name="uq_automation_evaluations_tick"),
    Index("ix_automation_evaluations_entity", "asset_key", "check_name", desc("evaluation_id")),
    Index("ix_automation_evaluations_time", "time"),
)

backfills = Table(
    "backfills",
    metadata,
    Column("backfill_id", Uuid(as_uuid=False), primary_key=True),
    Column("location", Text, nullable=False),
    Column("locations", ARRAY(Text), nullable=False, comment="all that define a part of it: who may not see one does not see it"),
    Column("digest", Text, nullable=False),
    Column("job_name", Text),
    Column("asset_keys", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("status", Text, nullable=False, server_default="REQUESTED"),
    Column("target", LargeBinary, nullable=False, comment="partition subsets, as ranges of ordinals"),
    Column("progress", LargeBinary, nullable=False, server_default=text("''"), comment="what became of the target, as ranges too"),
    Column("due", Boolean, nullable=False, server_default=text("true"), comment="a step can do something though no run has ended"),
    Column("attempt", Integer, nullable=False, server_default="1", comment="raised by each resume"),
    Column("parent_id", Uuid(as_uuid=False), comment="the backfill of which it makes the part that failed"),
    Column("trigger_kind", Text, nullable=False, server_default="api"),
    Column("trigger_name", Text),
    Column("title", Text),
    Column("description", Text),
    _json("config", default="{}"),
    _json("tags", default="{}"),
    _json("error", null=True),
    _moment("created_at", null=False, now=True),
    _moment("ended_at"),
    _one_of("status", backfill_model.BackfillStatus),
    CheckConstraint(f"(status IN ({_quoted(backfill_model.FINAL)})) = (ended_at IS NOT NULL)", name="ended_when_final"),
    Index("ix_backfills_newest", desc("created_at"), desc("backfill_id")),
    Index("ix_backfills_live", "created_at", postgresql_where=text(f"status IN ({_quoted(backfill_model.LIVE)})")),
    Index("ix_backfills_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
)

# ------------------------------------------------------------------------------------------ who does what

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True, comment="a daemon loop"),
    Column("holder", Text, nullable=False),
    Column("term", BigInteger, nullable=False, comment="raised at each change of holder"),
    _moment("expires_at", null=False),
)

daemons = Table(
    "daemons",
    metadata,
    Column("daemon_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    _moment("started_at", null=False, now=True),
    _moment("heartbeat_at", null=False, now=True),
    _json("loops", default="{}"),
)

pools = Table(
    "pools",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slots", Integer, nullable=False),
    CheckConstraint("slots >= 0", name="slots_not_negative"),
)

pool_slots = Table(
    "pool_slots",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("run_id", Uuid(as_uuid=False), ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("step_key", Text, primary_key=True, server_default="", comment="empty: the whole run holds it"),
    Column("epoch", Integer, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("background", Boolean, nullable=False, server_default=text("false")),
    Column("priority", Integer, nullable=False, server_default="0"),
    _moment("requested_at", null=False, now=True),
    Column("acquired_at", DateTime(timezone=True), comment="NULL: it waits"),
    Index("ix_pool_slots_run", "run_id"),
    Index(
        "ix_pool_slots_waiting",
        "pool",
        "background",
        desc("priority"),
        "requested_at",
        postgresql_where=text("acquired_at IS NULL"),
    ),
)

deployment_settings = Table(
    "deployment_settings",
    metadata,
    Column("name", Text, primary_key=True),
    _json("value"),
    _moment("updated_at", null=False, now=True),
)

# ------------------------------------------------------------------------------------------ who may do what

users = Table(
    "users",
    metadata,
    Column("user_id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, comment="argon2id; NULL: logs in elsewhere, or has API tokens alone"),
    Column("role", Text, comment="NULL: none, but where location_roles says otherwise"),
    _json("location_roles", default="{}"),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("issuer", Text, comment="of OpenID Connect"),
    Column("subject", Text, comment="who it is there"),
    Column("time_zone", Text),
    _moment("created_at", null=False, now=True),
    _moment("signed_in_at"),
    CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name="issuer_has_subject"),
    _one_of("role", Role),
    Index("uq_users_name", text("lower(name)"), unique=True),
    Index("uq_users_subject", "issuer", "subject", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_hash", Text, primary_key=True, comment="SHA-256 of what the cookie holds"),
    Column("user_id", BigInteger, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    _moment("created_at", null=False, now=True),
    _moment("seen_at", null=False, now=True),
    _moment("expires_at", null=False),
    Column("address", Text),
    Column("user_agent", Text),
    Index("ix_sessions_user_id", "user_id"),
    Index("ix_sessions_expires_at", "expires_at"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_id", BigInteger, Identity(), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("token_hash", Text, nullable=False, unique=True, comment="SHA-256"),
    Column("prefix", Text, nullable=False, comment="its first characters, by which people recognize it"),
    Column("role", Text, nullable=False),
    Column("locations", ARRAY(Text), comment="NULL: all that its user may see"),
    _moment("created_at", null=False, now=True),
    _moment("expires_at"),
    _moment("used_at"),
    _one_of("role", Role),
    Index("ix_api_tokens_user_id", "user_id", desc("token_id")),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("attempt_id", BigInteger, Identity(), primary_key=True),
    Column("account", Text, nullable=False, comment="in lower case, whether there is such a user or not"),
    Column("address", Text, nullable=False),
    _moment("time", null=False, now=True),
    Index("ix_sign_in_attempts_account", "account", "time"),
    Index("ix_sign_in_attempts_address", "address", "time"),
    Index("ix_sign_in_attempts_time", "time"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("audit_id", BigInteger, Identity(), primary_key=True),
    _moment("time", null=False, now=True),
    Column("actor", Text, comment="name of a user; NULL: nobody had logged in"),
    Column("token", Text, comment="the first characters of the API token that was sent"),
    Column("address", Text),
    Column("request_id", Text),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("location", Text),
    Column("result", Text, nullable=False),
    _json("before", null=True),
    _json("after", null=True),
    _one_of("result", AuditResult),
    Index("ix_audit_log_actor", "actor", desc("audit_id")),
    Index("ix_audit_log_action", "action", desc("audit_id")),
    Index("ix_audit_log_target", "target", desc("audit_id")),
    Index("ix_audit_log_time", "time"),
)

presets = Table(
    "presets",
    metadata,
    Column("location", Text, primary_key=True),
    Column("job_name", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    _json("config", default="{}"),
    _json("tags", default="{}"),
    Column("updated_by", Text, comment="name of a user; NULL: nobody had logged in"),
    _moment("updated_at", null=False, now=True),
    comment="config of a job that somebody has saved under a name",
)
saved_views = Table(
    "saved_views",
    metadata,
    Column("view_id", BigInteger, Identity(), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.user_id", ondelete="CASCADE"), comment="whose it is; NULL: nobody had logged in"),
    Column("page", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    _moment("updated_at", null=False, now=True),
    Index("uq_saved_views_name", text("coalesce(user_id, 0)"), "page", "name", unique=True),
    comment="filters of a page that somebody has given a name",
)
