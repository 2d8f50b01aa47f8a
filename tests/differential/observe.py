"""Turns what a run did into plain data, the same words for Dagster and for dagwright. Imports neither."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

_STEP_ENDS = {"STEP_SUCCESS": "success", "STEP_FAILURE": "failure", "STEP_SKIPPED": "skipped"}
_PAYLOAD_ENDS = {"StepSucceeded": "success", "StepFailed": "failure", "StepSkipped": "skipped"}


def told(result: Any) -> dict[str, Any]:
    """Everything that both orchestrators say about a run in this process."""
    steps: dict[str, list[str]] = {}
    records: list[dict[str, Any]] = []
    for event in result.all_events:
        if hasattr(event, "payload"):
            _tell_ours(event, steps, records)
        else:
            _tell_theirs(event, steps, records)
    if not result.success:
        # Dagster says nothing of steps behind a failed one; dagwright says that they were skipped.
        steps = {key: ends for key, ends in steps.items() if ends != ["skipped"]}
    return {"success": result.success, "steps": {key: steps[key] for key in sorted(steps)}, "records": sorted(records, key=repr)}


def _tell_theirs(event: Any, steps: dict[str, list[str]], records: list[dict[str, Any]]) -> None:
    kind = event.event_type_value
    if kind in _STEP_ENDS:
        steps.setdefault(event.step_key, []).append(_STEP_ENDS[kind])
    elif kind == "STEP_UP_FOR_RETRY":
        steps.setdefault(event.step_key, []).append("retry")
    elif kind == "ASSET_MATERIALIZATION":
        records.append(_record("materialized", event.event_specific_data.materialization))
    elif kind == "ASSET_OBSERVATION":
        records.append(_record("observed", event.event_specific_data.asset_observation))
    elif kind == "ASSET_CHECK_EVALUATION":
        found = event.event_specific_data
        records.append(_check(found.asset_key, found.check_name, found))


def _tell_ours(event: Any, steps: dict[str, list[str]], records: list[dict[str, Any]]) -> None:
    payload, kind = event.payload, type(event.payload).__name__
    if kind in _PAYLOAD_ENDS:
        steps.setdefault(event.step_key, []).append(_PAYLOAD_ENDS[kind])
    elif kind == "StepRetrying":
        steps.setdefault(event.step_key, []).append("retry")
    elif kind == "AssetMaterialized":
        records.append(_record("materialized", payload))
    elif kind == "AssetObserved":
        records.append(_record("observed", payload))
    elif kind == "CheckEvaluated":
        records.append(_check(payload.check_key.asset_key, payload.check_key.name, payload))


def _record(what: str, found: Any) -> dict[str, Any]:
    partition = found.partition
    if isinstance(partition, tuple):
        partition = "|".join(partition) or None
    tags = {key: value for key, value in (found.tags or {}).items() if not key.startswith(("dagster/", "dagwright/"))}
    return {
        what: "/".join(found.asset_key.path),
        "partition": str(partition) if partition is not None else None,
        "metadata": metadata(found.metadata),
        "description": found.description,
        "tags": tags,
    }


def _check(asset_key: Any, name: str, found: Any) -> dict[str, Any]:
    return {
        "checked": "/".join(asset_key.path),
        "check": name,
        "passed": found.passed,
        "severity": found.severity.value,
        "blocking": found.blocking,
        "description": found.description,
        "metadata": metadata(found.metadata),
    }


def metadata(found: Mapping[str, Any]) -> dict[str, Any]:
    """Kind and value of each entry; of places on this machine only that they are there."""
    return {key: "a path" if type(value).__name__ == "PathMetadataValue" else plain(value) for key, value in sorted(found.items())}


def plain(value: Any) -> Any:  # noqa: C901, PLR0912 - one case for each kind of value
    """JSON that says the same for values of either package."""
    kind = type(value).__name__
    if value is None or isinstance(value, bool | int | float):
        return value
    if kind in ("TableColumnLineageMetadataValue", "TableSchemaMetadataValue", "TableMetadataValue"):
        return "a table"
    if kind == "PythonArtifactMetadataValue":
        return [kind, f"{value.module}.{value.name}"]
    if kind.endswith("MetadataValue"):
        return [kind.replace("Dagster", ""), plain(getattr(value, "value", None))]
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if kind in ("AssetKey", "AssetCheckKey"):
        return value.to_user_string()
    if isinstance(value, Mapping):
        return {plain(key) if type(key).__name__ == "AssetKey" else str(key): plain(one) for key, one in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((plain(one) for one in value), key=repr)
    if kind == "TimeWindow":
        return [value.start.isoformat(), value.end.isoformat()]
    if kind == "ExecuteInProcessResult":
        return told(value)
    if hasattr(value, "_asdict"):
        return {kind: plain(value._asdict())}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {kind: {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return f"<{kind}>"


def raised(call: Any, *kinds: type[BaseException]) -> str:
    """Which of these classes a call raises, by place: the names differ from package to package."""
    try:
        call()
    except kinds as error:
        return next(f"raises {index}" for index, kind in enumerate(kinds) if isinstance(error, kind))
    return "no error"
