"""What follows from events: the state of steps, of asset partitions and checks, and captured output.

Each projection folds the events of a call in memory, so that one statement with one row for each thing is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg2 import Binary
from psycopg2.extras import execute_values
from sqlalchemy import Connection, text

from dagwright_shared.model import events as e
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import error_to_json
from dagwright_shared.model.keys import LocationName, RunId
from dagwright_shared.model.metadata_json import metadata_to_json
from dagwright_shared.model.runs import RunStatus, StepStatus
from dagwright_shared.store import json_rows
from dagwright_shared.store.tables import asset_partitions, check_results, steps

Ids = Mapping[tuple[LocationName, str], int]

_OF_STEPS = frozenset({e.StepStarted, e.StepSucceeded, e.StepFailed, e.StepRetrying, e.StepSkipped, e.StepCanceled})
"""What `_step_change` knows; most events are something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What of a batch is new and allowed."""

    run_id: RunId
    location: LocationName
    events: tuple[e.RunEvent, ...]
    chunks: tuple[e.LogChunk, ...]
    ended: RunStatus | None
    """The final status that this batch brought."""


def project(conn: Connection, accepted: Sequence[Accepted], ids: Ids) -> None:
    _plan_steps(conn, accepted)
    _update_steps(conn, accepted)
    _close_steps(conn, accepted)
    if ids:
        _update_partitions(conn, accepted, ids)
        _update_checks(conn, accepted, ids)
    _write_chunks(conn, accepted)


def _plan_steps(conn: Connection, accepted: Sequence[Accepted]) -> None:
    rows: dict[tuple[RunId, str], dict[str, Any]] = {}
    gone: list[dict[str, Any]] = []
    for batch, event in _events(accepted):
        payload = event.payload
        if not isinstance(payload, e.RunStarted | e.StepsPlanned):
            continue
        if isinstance(payload, e.StepsPlanned):
            for key in payload.gone:
                if rows.pop((batch.run_id, key), None) is None:
                    gone.append({"run_id": batch.run_id, "step_key": key})
        first = payload.first_ordinal if isinstance(payload, e.StepsPlanned) else 0
        for ordinal, step in enumerate(payload.steps, first):
            rows[(batch.run_id, step.key)] = {
                "run_id": batch.run_id,
                "step_key": step.key,
                "ordinal": ordinal,
                "op_name": step.op_name,
                "kind": step.kind,
                "depends_on": step.depends_on,
                "asset_keys": [key.to_user_string() for key in step.asset_keys],
                "executor": step.executor,
                "step_group": step.step_group,
            }
    if gone:
        conn.execute(_GONE, {"rows": json_rows.dumps(gone)})
    if rows:
        conn.execute(_PLAN, {"rows": json_rows.dumps(list(rows.values()))})


def _update_steps(conn: Connection, accepted: Sequence[Accepted]) -> None:
    rows: dict[tuple[RunId, str], dict[str, Any]] = {}
    for batch, event in _events(accepted):
        if event.step_key is None or type(event.payload) not in _OF_STEPS:
            continue
        changed = _step_change(event)
        if changed is None:
            continue
        row = rows.setdefault(
            (batch.run_id, event.step_key), {"run_id": batch.run_id, "step_key": event.step_key, "ordinal": 1_000_000 + event.seq}
        )
        row.update(changed)
    if rows:
        conn.execute(_STEP, {"rows": json_rows.dumps(list(rows.values()))})


def _step_change(event: e.RunEvent) -> dict[str, Any] | None:
    at = event.time.isoformat()
    match event.payload:
        case e.StepStarted(attempt=attempt):
            return {"status": StepStatus.STARTED, "attempt": attempt, "started_at": at, "ended_at": None, "error": None}
        case e.StepSucceeded(attempt=attempt, usage=usage):
            return {"status": StepStatus.SUCCESS, "attempt": attempt, "ended_at": at, "error": None, **_usage(usage)}
        case e.StepFailed(attempt=attempt, error=error, usage=usage):
            return {"status": StepStatus.FAILURE, "attempt": attempt, "ended_at": at, "error": error_to_json(error), **_usage(usage)}
        case e.StepRetrying(attempt=attempt, error=error, usage=usage):
            return {"status": StepStatus.RETRYING, "attempt": attempt, "ended_at": None, "error": error_to_json(error), **_usage(usage)}
        case e.StepSkipped():
            return {"status": StepStatus.SKIPPED, "ended_at": at}
        case e.StepCanceled(attempt=attempt):
            return {"status": StepStatus.CANCELED, "attempt": attempt, "ended_at": at}
        case _:
            return None


def _usage(usage: e.Usage | None) -> dict[str, Any]:
    return {} if usage is None else {"cpu_seconds": usage.cpu_seconds, "peak_memory_bytes": usage.peak_memory_bytes}


def _close_steps(conn: Connection, accepted: Sequence[Accepted]) -> None:
    ended = [{"run_id": batch.run_id, "status": str(batch.ended)} for batch in accepted if batch.ended]
    if ended:
        conn.execute(_CLOSE, {"rows": json_rows.dumps(ended)})


def _update_partitions(conn: Connection, accepted: Sequence[Accepted], ids: Ids) -> None:
    # Of many events of one partition the last of each kind counts, so the columns are made of that alone.
    last: dict[tuple[int, tuple[str, ...]], dict[type, tuple[Accepted, e.RunEvent]]] = {}
    for batch, event in _events(accepted):
        payload = event.payload
        if isinstance(payload, e.AssetMaterialized | e.AssetObserved | e.AssetFailed):
            asset_id = ids[(batch.location, payload.asset_key.to_user_string())]
            last.setdefault((asset_id, payload.partition), {})[type(payload)] = (batch, event)
    rows = []
    for (asset_id, partition), of_kind in sorted(last.items(), key=lambda item: item[0]):
        row: dict[str, Any] = {"asset_id": asset_id, "partition": partition}
        for batch, event in of_kind.values():
            row |= _partition_change(batch.run_id, event)
        rows.append(row)
    if rows:
        conn.execute(_PARTITION, {"rows": json_rows.dumps(rows)})


def _partition_change(run_id: RunId, event: e.RunEvent) -> dict[str, Any]:
    payload, at = event.payload, event.time.isoformat()
    match payload:
        case e.AssetMaterialized():
            return {
                "run_id": run_id,
                "seq": event.seq,
                "materialized_at": at,
                "data_version": payload.data_version,
                "code_version": payload.code_version,
                "metadata": metadata_to_json(payload.metadata),
                "input_data_versions": payload.input_data_versions,
            }
        case e.AssetObserved():
            return {"observed_run_id": run_id, "observed_at": at, "observed_data_version": payload.data_version}
        case _:
            return {"failed_run_id": run_id, "failed_at": at}


def _update_checks(conn: Connection, accepted: Sequence[Accepted], ids: Ids) -> None:
    rows = {}
    for batch, event in _events(accepted):
        payload = event.payload
        if not isinstance(payload, e.CheckEvaluated):
            continue
        asset_id = ids[(batch.location, payload.check_key.asset_key.to_user_string())]
        rows[(asset_id, payload.check_key.name, payload.partition)] = {
            "asset_id": asset_id,
            "name": payload.check_key.name,
            "partition": payload.partition,
            "run_id": batch.run_id,
            "seq": event.seq,
            "evaluated_at": event.time.isoformat(),
            "passed": payload.passed,
            "severity": str(payload.severity),
            "blocking": payload.blocking,
            "description": payload.description,
            "metadata": metadata_to_json(payload.metadata),
        }
    if rows:
        conn.execute(_CHECK, {"rows": json_rows.dumps([rows[key] for key in sorted(rows)])})


def _write_chunks(conn: Connection, accepted: Sequence[Accepted]) -> None:
    rows = [
        (batch.run_id, chunk.step_key, chunk.attempt, str(chunk.stream), chunk.offset, Binary(chunk.data), chunk.truncated)
        for batch in accepted
        for chunk in batch.chunks
    ]
    if not rows:
        return
    # Bytes have no place in JSON, so these go as literals.
    cursor = conn.connection.cursor()
    execute_values(cursor, _CHUNKS, rows, page_size=len(rows))
    cursor.close()


def _events(accepted: Iterable[Accepted]) -> Iterable[tuple[Accepted, e.RunEvent]]:
    return ((batch, event) for batch in accepted for event in batch.events)


def _list(columns: Iterable[str], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{column}" for column in columns)


_PLAN_COLUMNS = ("run_id", "step_key", "ordinal", "op_name", "kind", "depends_on", "asset_keys", "executor", "step_group")
# A second attempt of the run plans again: what the first one left of a step is forgotten.
_PLAN = text(f"""
INSERT INTO steps ({_list(_PLAN_COLUMNS)}) SELECT {_list(_PLAN_COLUMNS)} FROM {json_rows.source(steps, _PLAN_COLUMNS)}
ON CONFLICT (run_id, step_key) DO UPDATE SET
    ordinal = EXCLUDED.ordinal, op_name = EXCLUDED.op_name, kind = EXCLUDED.kind, depends_on = EXCLUDED.depends_on,
    asset_keys = EXCLUDED.asset_keys, executor = EXCLUDED.executor, step_group = EXCLUDED.step_group,
    status = 'PENDING', attempt = 1, started_at = NULL, ended_at = NULL, cpu_seconds = NULL, peak_memory_bytes = NULL, error = NULL
""")

_STEP_COLUMNS = (
    "run_id",
    "step_key",
    "ordinal",
    "status",
    "attempt",
    "started_at",
    "ended_at",
    "cpu_seconds",
    "peak_memory_bytes",
    "error",
)
# Steps of a dynamic mapping are not in the plan: their first event makes them.
_STEP = text(f"""
INSERT INTO steps ({_list(_STEP_COLUMNS)})
SELECT run_id, step_key, ordinal, status, coalesce(attempt, 1), started_at, ended_at, cpu_seconds, peak_memory_bytes, error
FROM {json_rows.source(steps, _STEP_COLUMNS)}
ON CONFLICT (run_id, step_key) DO UPDATE SET
    status = EXCLUDED.status, attempt = greatest(EXCLUDED.attempt, steps.attempt),
    started_at = coalesce(EXCLUDED.started_at, steps.started_at), ended_at = EXCLUDED.ended_at,
    cpu_seconds = coalesce(EXCLUDED.cpu_seconds, steps.cpu_seconds),
    peak_memory_bytes = coalesce(EXCLUDED.peak_memory_bytes, steps.peak_memory_bytes), error = EXCLUDED.error
""")

# Before a step of a mapped output has its key, a placeholder stands for it.
_GONE = text("""
DELETE FROM steps USING json_to_recordset(CAST(:rows AS json)) AS r(run_id uuid, step_key text)
WHERE steps.run_id = r.run_id AND steps.step_key = r.step_key
""")

# A step that never began was skipped; one that began and was not heard of again shares the fate of its run.
_CLOSE = text("""
UPDATE steps SET ended_at = runs.ended_at, status = CASE
    WHEN steps.status = 'PENDING' THEN 'SKIPPED' WHEN r.status = 'CANCELED' THEN 'CANCELED' ELSE 'FAILURE' END,
    error = CASE WHEN steps.status <> 'PENDING' AND r.status = 'FAILURE' THEN coalesce(steps.error, runs.error) ELSE steps.error END
FROM json_to_recordset(CAST(:rows AS json)) AS r(run_id uuid, status text) JOIN runs ON runs.run_id = r.run_id
WHERE steps.run_id = r.run_id AND steps.status IN ('PENDING', 'STARTED', 'RETRYING')
""")

_GROUPS = {
    "materialized_at": ("run_id", "seq", "data_version", "code_version", "metadata", "input_data_versions", "materialized_at"),
    "failed_at": ("failed_run_id", "failed_at"),
    "observed_at": ("observed_run_id", "observed_data_version", "observed_at"),
}


def _newest(clock: str, columns: Iterable[str]) -> str:
    """Each group of columns is set by its own kind of event, and only by one that is not older than the last."""
    newer = f"EXCLUDED.{clock} >= coalesce(asset_partitions.{clock}, '-infinity')"
    return ", ".join(f"{column} = CASE WHEN {newer} THEN EXCLUDED.{column} ELSE asset_partitions.{column} END" for column in columns)


_PARTITION_COLUMNS = ("asset_id", "partition", *(column for group in _GROUPS.values() for column in group))
_NEW_MATERIALIZATION, _NEW_OBSERVATION = (
    f"EXCLUDED.{clock} >= coalesce(asset_partitions.{clock}, '-infinity')" for clock in ("materialized_at", "observed_at")
)
# What is new for a reader is told by the transaction, not by the time: a worker's clock says nothing of when its events were committed.
_PARTITION = text(f"""
INSERT INTO asset_partitions ({_list(_PARTITION_COLUMNS)}, materialized_xid, observed_xid, version_xid)
SELECT {", ".join(f"coalesce({c}, '{{}}')" if c in ("metadata", "input_data_versions") else c for c in _PARTITION_COLUMNS)},
    CASE WHEN materialized_at IS NOT NULL THEN pg_current_xact_id() END,
    CASE WHEN observed_at IS NOT NULL THEN pg_current_xact_id() END,
    CASE WHEN data_version IS NOT NULL OR observed_data_version IS NOT NULL THEN pg_current_xact_id() END
FROM {json_rows.source(asset_partitions, _PARTITION_COLUMNS)}
ON CONFLICT (asset_id, partition) DO UPDATE SET xid = pg_current_xact_id(), {", ".join(_newest(*group) for group in _GROUPS.items())},
    materialized_xid = CASE WHEN {_NEW_MATERIALIZATION} THEN pg_current_xact_id() ELSE asset_partitions.materialized_xid END,
    observed_xid = CASE WHEN {_NEW_OBSERVATION} THEN pg_current_xact_id() ELSE asset_partitions.observed_xid END,
    version_xid = CASE
        WHEN ({_NEW_MATERIALIZATION} AND EXCLUDED.data_version IS DISTINCT FROM asset_partitions.data_version)
            OR ({_NEW_OBSERVATION} AND EXCLUDED.observed_data_version IS DISTINCT FROM asset_partitions.observed_data_version)
        THEN pg_current_xact_id() ELSE asset_partitions.version_xid END
""")

_CHECK_COLUMNS = (
    "asset_id", "name", "partition", "run_id", "seq", "evaluated_at", "passed", "severity", "blocking", "description", "metadata",
)  # fmt: skip
_CHECK = text(f"""
INSERT INTO check_results ({_list(_CHECK_COLUMNS)}) SELECT {_list(_CHECK_COLUMNS)} FROM {json_rows.source(check_results, _CHECK_COLUMNS)}
ON CONFLICT (asset_id, name, partition) DO UPDATE SET
    xid = pg_current_xact_id(), {", ".join(f"{column} = EXCLUDED.{column}" for column in _CHECK_COLUMNS[3:])}
WHERE EXCLUDED.evaluated_at >= check_results.evaluated_at
""")

_CHUNKS = """
INSERT INTO log_chunks (run_id, step_key, attempt, stream, byte_offset, data, truncated) VALUES %s
ON CONFLICT (run_id, step_key, attempt, stream, byte_offset) DO NOTHING
"""
