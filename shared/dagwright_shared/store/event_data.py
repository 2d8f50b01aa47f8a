"""The payload of an event as columns of the `events` table, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, assert_never

from dagwright_shared.model import events as e
from dagwright_shared.model.errors import ErrorInfo, error_from_json, error_to_json
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, PartitionKey, StepKey
from dagwright_shared.model.metadata_json import metadata_from_json, metadata_to_json

_INFO, _WARNING, _ERROR = int(e.LogLevel.INFO), int(e.LogLevel.WARNING), int(e.LogLevel.ERROR)
_NO_DATA: Mapping[str, Any] = {}


class Columns(NamedTuple):
    """What of a payload has a column of its own; the rest is `data`. Hot: one for each event, so a tuple."""

    message: str
    level: int = _INFO
    asset_key: AssetKey | None = None
    check_name: str | None = None
    partition: PartitionKey = UNPARTITIONED
    data: Mapping[str, Any] = _NO_DATA


def columns(payload: e.Payload) -> Columns:
    """The row of a payload: a sentence for people, and everything that `payload` needs to read it back."""
    if isinstance(payload, e.LogMessage):
        return _log(payload)
    if isinstance(payload, e.AssetMaterialized | e.AssetObserved | e.AssetFailed | e.FreshnessChanged | e.CheckEvaluated):
        return _asset(payload)
    if isinstance(payload, e.RunStarted | e.StepsPlanned | e.RunSucceeded | e.RunFailed | e.RunCanceled):
        return _run(payload)
    return _step(payload)


def _log(payload: e.LogMessage) -> Columns:
    if payload.error is None and payload.logger == "dagwright":
        return Columns(payload.message, int(payload.level), data=_NO_DATA)
    return Columns(payload.message, int(payload.level), data={"logger": payload.logger, **_error(payload.error)})


def _run(payload: e.RunStarted | e.StepsPlanned | e.RunSucceeded | e.RunFailed | e.RunCanceled) -> Columns:
    match payload:
        case e.RunStarted():
            count = len(payload.steps)
            where = f"{payload.executor} executor, process {payload.pid} on {payload.host}"
            message = f"Run started: {count} step{'' if count == 1 else 's'}, {where}"
            steps = [_planned(step) for step in payload.steps]
            return Columns(message, data={"pid": payload.pid, "host": payload.host, "executor": payload.executor, "steps": steps})
        case e.StepsPlanned():
            count = len(payload.steps)
            data = {
                "steps": [_planned(step) for step in payload.steps],
                "gone": list(payload.gone),
                "first_ordinal": payload.first_ordinal,
            }
            return Columns(f"{count} step{'' if count == 1 else 's'} planned", data=data)
        case e.RunSucceeded():
            return Columns("Run succeeded")
        case e.RunFailed():
            because = payload.reason or (str(payload.error) if payload.error else "")
            if not because and payload.failed_steps:
                because = f"{len(payload.failed_steps)} failed: {', '.join(payload.failed_steps[:10])}"
            data = {"failed_steps": list(payload.failed_steps), "reason": payload.reason, **_error(payload.error)}
            return Columns(f"Run failed: {because}" if because else "Run failed", _ERROR, data=data)
        case e.RunCanceled():
            return Columns(
                f"Run canceled: {payload.reason}" if payload.reason else "Run canceled", _WARNING, data={"reason": payload.reason}
            )
        case _:
            assert_never(payload)


def _asset(payload: e.AssetMaterialized | e.AssetObserved | e.AssetFailed | e.FreshnessChanged | e.CheckEvaluated) -> Columns:
    match payload:
        case e.AssetMaterialized():
            data = {
                "metadata": metadata_to_json(payload.metadata),
                "description": payload.description,
                "tags": dict(payload.tags),
                "data_version": payload.data_version,
                "code_version": payload.code_version,
                "input_data_versions": dict(payload.input_data_versions),
            }
            return Columns(
                f"Materialized {payload.asset_key.to_user_string()}", asset_key=payload.asset_key, partition=payload.partition, data=data
            )
        case e.AssetObserved():
            data = {
                "metadata": metadata_to_json(payload.metadata),
                "description": payload.description,
                "tags": dict(payload.tags),
                "data_version": payload.data_version,
            }
            return Columns(
                f"Observed {payload.asset_key.to_user_string()}", asset_key=payload.asset_key, partition=payload.partition, data=data
            )
        case e.AssetFailed():
            message = f"{payload.asset_key.to_user_string()} was not materialized" + (f": {payload.reason}" if payload.reason else "")
            return Columns(message, _ERROR, payload.asset_key, partition=payload.partition, data={"reason": payload.reason})
        case e.FreshnessChanged():
            level = {FreshnessState.FAIL: _ERROR, FreshnessState.WARN: _WARNING}.get(payload.state, _INFO)
            message = f"Freshness of {payload.asset_key.to_user_string()}: {payload.state}, was {payload.previous}"
            return Columns(message, level, payload.asset_key, data={"state": payload.state, "previous": payload.previous})
        case e.CheckEvaluated():
            return _check(payload)
        case _:
            assert_never(payload)


def _check(payload: e.CheckEvaluated) -> Columns:
    bad = _ERROR if payload.severity is e.Severity.ERROR else _WARNING
    data = {
        "passed": payload.passed,
        "severity": str(payload.severity),
        "blocking": payload.blocking,
        "description": payload.description,
        "metadata": metadata_to_json(payload.metadata),
    }
    key = payload.check_key
    message = f"Check {key.name} of {key.asset_key.to_user_string()} {'passed' if payload.passed else 'failed'}"
    return Columns(message, _INFO if payload.passed else bad, key.asset_key, key.name, payload.partition, data)


_StepLike = (
    e.StepStarted
    | e.StepSucceeded
    | e.StepFailed
    | e.StepRetrying
    | e.StepSkipped
    | e.StepCanceled
    | e.InputLoaded
    | e.OutputStored
    | e.EngineMessage
)


def _step(payload: _StepLike) -> Columns:
    match payload:
        case e.StepStarted():
            return Columns(
                f"Attempt {payload.attempt} started in process {payload.pid}", data={"attempt": payload.attempt, "pid": payload.pid}
            )
        case e.StepSucceeded():
            return Columns("Step succeeded", data={"attempt": payload.attempt, **_usage(payload.usage)})
        case e.StepFailed():
            return Columns(str(payload.error), _ERROR, data={"attempt": payload.attempt, **_error(payload.error), **_usage(payload.usage)})
        case e.StepRetrying():
            data = {"attempt": payload.attempt, "delay_seconds": payload.delay_seconds, **_error(payload.error), **_usage(payload.usage)}
            return Columns(f"Attempt {payload.attempt} failed, next in {payload.delay_seconds:g} s: {payload.error}", _WARNING, data=data)
        case e.StepSkipped():
            return Columns(f"Step skipped: {payload.reason}", data={"reason": payload.reason})
        case e.StepCanceled():
            return Columns("Step canceled", _WARNING, data={"attempt": payload.attempt})
        case e.InputLoaded():
            data = {"input_name": payload.input_name, "io_manager_key": payload.io_manager_key, "source": payload.source}
            return Columns(
                f"Loaded input {payload.input_name} from {payload.source} by {payload.io_manager_key}",
                data={**data, "metadata": metadata_to_json(payload.metadata)},
            )
        case e.OutputStored():
            data = {
                "output_name": payload.output_name,
                "io_manager_key": payload.io_manager_key,
                "mapping_key": payload.mapping_key or None,
            }
            return Columns(
                f"Stored output {payload.output_name} by {payload.io_manager_key}",
                data={**data, "metadata": metadata_to_json(payload.metadata)},
            )
        case e.EngineMessage():
            return Columns(
                payload.message, int(payload.level), data={"metadata": metadata_to_json(payload.metadata), **_error(payload.error)}
            )
        case _:
            assert_never(payload)


def payload(
    event_type: str,
    message: str,
    level: int,
    asset_key: str | None,
    check_name: str | None,
    partition: PartitionKey,
    data: Mapping[str, Any],
) -> e.Payload:
    """The payload that `columns` made these of.

    Raises:
        ValueError: an event type that this version does not know.
    """
    error = error_from_json(data["error"]) if data.get("error") else None
    match event_type:
        case "LOG_MESSAGE":
            return e.LogMessage(level=e.LogLevel(level), message=message, logger=data.get("logger", "dagwright"), error=error)
        case "ENGINE_MESSAGE":
            return e.EngineMessage(message=message, level=e.LogLevel(level), metadata=metadata_from_json(data["metadata"]), error=error)
        case "RUN_STARTED" | "STEPS_PLANNED" | "RUN_SUCCEEDED" | "RUN_FAILED" | "RUN_CANCELED":
            return _run_payload(event_type, data, error)
        case "ASSET_MATERIALIZED" | "ASSET_OBSERVED" | "ASSET_FAILED" | "FRESHNESS_CHANGED" | "CHECK_EVALUATED":
            return _asset_payload(event_type, AssetKey.from_user_string(asset_key or ""), check_name or "", partition, data)
        case _:
            return _step_payload(event_type, data, error)


def _run_payload(event_type: str, data: Mapping[str, Any], error: ErrorInfo | None) -> e.Payload:
    match event_type:
        case "RUN_STARTED":
            steps = tuple(_planned_from(step) for step in data["steps"])
            return e.RunStarted(pid=data["pid"], host=data["host"], executor=data["executor"], steps=steps)
        case "STEPS_PLANNED":
            steps = tuple(_planned_from(step) for step in data["steps"])
            return e.StepsPlanned(steps=steps, gone=tuple(map(StepKey, data["gone"])), first_ordinal=data["first_ordinal"])
        case "RUN_SUCCEEDED":
            return e.RunSucceeded()
        case "RUN_FAILED":
            return e.RunFailed(error=error, failed_steps=tuple(map(StepKey, data["failed_steps"])), reason=data["reason"])
        case _:
            return e.RunCanceled(reason=data["reason"])


def _asset_payload(event_type: str, key: AssetKey, check_name: str, partition: PartitionKey, data: Mapping[str, Any]) -> e.Payload:
    if event_type == "ASSET_FAILED":
        return e.AssetFailed(asset_key=key, partition=partition, reason=data["reason"])
    if event_type == "FRESHNESS_CHANGED":
        return e.FreshnessChanged(asset_key=key, state=FreshnessState(data["state"]), previous=FreshnessState(data["previous"]))
    common = {"partition": partition, "metadata": metadata_from_json(data["metadata"]), "description": data["description"]}
    if event_type == "CHECK_EVALUATED":
        severity = e.Severity(data["severity"])
        check = AssetCheckKey(key, check_name)
        return e.CheckEvaluated(check_key=check, passed=data["passed"], severity=severity, blocking=data["blocking"], **common)
    if event_type == "ASSET_OBSERVED":
        return e.AssetObserved(asset_key=key, tags=data["tags"], data_version=data["data_version"], **common)
    return e.AssetMaterialized(
        asset_key=key,
        tags=data["tags"],
        data_version=data["data_version"],
        code_version=data["code_version"],
        input_data_versions=data["input_data_versions"],
        **common,
    )


def _step_payload(event_type: str, data: Mapping[str, Any], error: ErrorInfo | None) -> e.Payload:
    usage = e.Usage(**data["usage"]) if data.get("usage") else None
    failure = error or ErrorInfo(class_name="Error", message="")
    match event_type:
        case "STEP_STARTED":
            return e.StepStarted(attempt=data["attempt"], pid=data["pid"])
        case "STEP_SUCCEEDED":
            return e.StepSucceeded(attempt=data["attempt"], usage=usage or e.Usage(cpu_seconds=0.0, peak_memory_bytes=0))
        case "STEP_FAILED":
            return e.StepFailed(attempt=data["attempt"], error=failure, usage=usage)
        case "STEP_RETRYING":
            return e.StepRetrying(attempt=data["attempt"], error=failure, delay_seconds=data["delay_seconds"], usage=usage)
        case "STEP_SKIPPED":
            return e.StepSkipped(reason=data["reason"])
        case "STEP_CANCELED":
            return e.StepCanceled(attempt=data["attempt"])
        case "INPUT_LOADED" | "OUTPUT_STORED":
            kind = e.InputLoaded if event_type == "INPUT_LOADED" else e.OutputStored
            return kind(**{**data, "metadata": metadata_from_json(data["metadata"])})
        case _:
            raise ValueError(f"{event_type!r} is not an event type that this version of dagwright knows")


def _error(error: ErrorInfo | None) -> dict[str, Any]:
    return {"error": error_to_json(error)} if error else {}


def _usage(usage: e.Usage | None) -> dict[str, Any]:
    return {"usage": {"cpu_seconds": usage.cpu_seconds, "peak_memory_bytes": usage.peak_memory_bytes}} if usage else {}


def _planned(step: e.PlannedStep) -> dict[str, Any]:
    return {
        "key": step.key,
        "op_name": step.op_name,
        "kind": step.kind,
        "depends_on": list(step.depends_on),
        "asset_keys": [key.to_user_string() for key in step.asset_keys],
        "check_keys": [key.to_user_string() for key in step.check_keys],
        **({"executor": step.executor} if step.executor is not None else {}),
        **({"step_group": step.step_group} if step.step_group is not None else {}),
    }


def _planned_from(data: Mapping[str, Any]) -> e.PlannedStep:
    return e.PlannedStep(
        key=StepKey(data["key"]),
        op_name=data["op_name"],
        kind=data["kind"],
        depends_on=tuple(map(StepKey, data["depends_on"])),
        asset_keys=tuple(AssetKey.from_user_string(key) for key in data["asset_keys"]),
        check_keys=tuple(AssetCheckKey.from_user_string(key) for key in data["check_keys"]),
        executor=data.get("executor"),
        step_group=data.get("step_group"),
    )
