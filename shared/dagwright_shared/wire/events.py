"""Run events and captured output. Hot: a run worker encodes each of its events here, and the hub decodes them.

Messages are filled in place, as protobuf copies each message that is passed to a constructor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, cast

from dagwright_api.v1 import events_pb2 as pb
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.events import (
    EVENT_TYPES,
    AssetFailed,
    AssetMaterialized,
    AssetObserved,
    CheckEvaluated,
    EngineMessage,
    EventBatch,
    FreshnessChanged,
    InputLoaded,
    LogChunk,
    LogLevel,
    LogMessage,
    LogStream,
    OutputStored,
    Payload,
    PlannedStep,
    RunCanceled,
    RunEvent,
    RunFailed,
    RunStarted,
    RunSucceeded,
    Severity,
    StepCanceled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepsPlanned,
    StepStarted,
    StepSucceeded,
    Usage,
)
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.keys import UNPARTITIONED, RunId, StepKey
from dagwright_shared.wire.errors import decode_error, encode_error
from dagwright_shared.wire.values import (
    decode_asset_key,
    decode_asset_keys,
    decode_check_key,
    decode_check_keys,
    decode_metadata,
    encode_asset_key,
    encode_check_key,
    encode_metadata,
    enum_codec,
    optional,
    parse,
    printable,
    reading,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode_stream, _decode_stream = enum_codec(LogStream, pb.LogStream, "LOG_STREAM")
_encode_severity, _ = enum_codec(Severity, pb.Severity, "SEVERITY")
_HasError: TypeAlias = pb.RunFailed | pb.LogMessage | pb.EngineMessage
_HasUsage: TypeAlias = pb.StepFailed | pb.StepRetrying
_LEVELS = {level.value: level for level in LogLevel}


def encode_batch(batch: EventBatch) -> bytes:
    """Text that UTF-8 cannot carry (lone surrogates) arrives with a replacement character."""
    try:
        return encode_batch_message(batch).SerializeToString()
    except UnicodeEncodeError:
        return encode_batch_message(printable(batch)).SerializeToString()


def decode_batch(data: bytes) -> EventBatch:
    return decode_batch_message(parse(pb.EventBatch, data))


def encode_batch_message(batch: EventBatch) -> pb.EventBatch:
    message = pb.EventBatch(run_id=batch.run_id, epoch=batch.epoch)
    add = message.events.add
    for event in batch.events:
        _fill(add(), event)
    for chunk in batch.chunks:
        message.chunks.add(
            step_key=chunk.step_key,
            attempt=chunk.attempt,
            stream=_encode_stream(chunk.stream),
            offset=chunk.offset,
            data=chunk.data,
            truncated=chunk.truncated,
        )
    return message


def decode_batch_message(message: pb.EventBatch) -> EventBatch:
    with reading("a batch of events"):
        return EventBatch(
            run_id=RunId(message.run_id),
            epoch=message.epoch,
            events=tuple([_event(event) for event in message.events]),
            chunks=tuple([_chunk(chunk) for chunk in message.chunks]),
        )


def encode_event(event: RunEvent) -> pb.RunEvent:
    message = pb.RunEvent()
    _fill(message, event)
    return message


def decode_event(message: pb.RunEvent) -> RunEvent:
    with reading("an event"):
        return _event(message)


def encode_planned_step(step: PlannedStep) -> pb.PlannedStep:
    return pb.PlannedStep(
        key=step.key,
        op_name=step.op_name,
        kind=step.kind,
        depends_on=step.depends_on,
        asset_keys=map(encode_asset_key, step.asset_keys),
        check_keys=map(encode_check_key, step.check_keys),
        executor=step.executor,
        step_group=step.step_group,
    )


def decode_planned_step(message: pb.PlannedStep) -> PlannedStep:
    return PlannedStep(
        key=StepKey(message.key),
        op_name=message.op_name,
        kind=message.kind,
        depends_on=cast("tuple[StepKey, ...]", tuple(message.depends_on)),
        asset_keys=decode_asset_keys(message.asset_keys),
        check_keys=decode_check_keys(message.check_keys),
        executor=message.executor if message.HasField("executor") else None,
        step_group=message.step_group if message.HasField("step_group") else None,
    )


def _fill(message: pb.RunEvent, event: RunEvent) -> None:
    message.seq = event.seq
    since = event.time - _EPOCH
    time = message.time
    time.seconds = since.days * 86400 + since.seconds
    time.nanos = since.microseconds * 1000
    if event.step_key is not None:
        message.step_key = event.step_key
    field, encode = _ENCODERS[type(event.payload)]
    body = getattr(message, field)
    body.SetInParent()
    encode(body, event.payload)


def _event(message: pb.RunEvent) -> RunEvent:
    kind = message.WhichOneof("payload")
    time = message.time
    if kind is None:
        payload: Payload = EngineMessage(message="An event of a kind that needs a newer dagwright to show", level=LogLevel.WARNING)
    else:
        payload = _DECODERS[kind](getattr(message, kind))
    return RunEvent(
        seq=message.seq,
        time=_EPOCH + timedelta(seconds=time.seconds, microseconds=time.nanos // 1000),
        step_key=StepKey(message.step_key) if message.HasField("step_key") else None,
        payload=payload,
    )


def _chunk(message: pb.LogChunk) -> LogChunk:
    return LogChunk(
        step_key=StepKey(message.step_key),
        attempt=message.attempt,
        stream=_decode_stream(message.stream),
        offset=message.offset,
        data=message.data,
        truncated=message.truncated,
    )


def _run_started(m: pb.RunStarted, p: RunStarted) -> None:
    m.pid, m.host, m.executor = p.pid, p.host, p.executor
    m.steps.extend(map(encode_planned_step, p.steps))


def _steps_planned(m: pb.StepsPlanned, p: StepsPlanned) -> None:
    m.first_ordinal = p.first_ordinal
    m.steps.extend(map(encode_planned_step, p.steps))
    m.gone.extend(p.gone)


def _run_failed(m: pb.RunFailed, p: RunFailed) -> None:
    if p.error is not None:
        m.error.CopyFrom(encode_error(p.error))
    m.failed_steps.extend(p.failed_steps)
    if p.reason is not None:
        m.reason = p.reason


def _run_canceled(m: pb.RunCanceled, p: RunCanceled) -> None:
    if p.reason is not None:
        m.reason = p.reason


def _step_started(m: pb.StepStarted, p: StepStarted) -> None:
    m.attempt, m.pid = p.attempt, p.pid


def _step_succeeded(m: pb.StepSucceeded, p: StepSucceeded) -> None:
    m.attempt = p.attempt
    _put_usage(m, p.usage)


def _step_failed(m: pb.StepFailed, p: StepFailed) -> None:
    m.attempt = p.attempt
    if p.error is not None:
        m.error.CopyFrom(encode_error(p.error))
    _put_usage(m, p.usage)


def _step_retrying(m: pb.StepRetrying, p: StepRetrying) -> None:
    m.attempt, m.delay_seconds = p.attempt, p.delay_seconds
    if p.error is not None:
        m.error.CopyFrom(encode_error(p.error))
    _put_usage(m, p.usage)


def _step_skipped(m: pb.StepSkipped, p: StepSkipped) -> None:
    m.reason = p.reason


def _step_canceled(m: pb.StepCanceled, p: StepCanceled) -> None:
    m.attempt = p.attempt


def _input_loaded(m: pb.InputLoaded, p: InputLoaded) -> None:
    m.input_name, m.io_manager_key, m.source = p.input_name, p.io_manager_key, p.source
    m.metadata.extend(encode_metadata(p.metadata))


def _output_stored(m: pb.OutputStored, p: OutputStored) -> None:
    m.output_name, m.io_manager_key = p.output_name, p.io_manager_key
    if p.mapping_key is not None:
        m.mapping_key = p.mapping_key
    m.metadata.extend(encode_metadata(p.metadata))


def _asset_observed(m: pb.AssetObserved | pb.AssetMaterialized, p: AssetObserved | AssetMaterialized) -> None:
    m.asset_key.path.extend(p.asset_key.parts)
    if p.partition:
        m.partition.extend(p.partition)
    if p.metadata:
        m.metadata.extend(encode_metadata(p.metadata))
    if p.tags:
        m.tags.update(p.tags)
    if p.description is not None:
        m.description = p.description
    if p.data_version is not None:
        m.data_version = p.data_version


def _asset_materialized(m: pb.AssetMaterialized, p: AssetMaterialized) -> None:
    _asset_observed(m, p)
    if p.code_version is not None:
        m.code_version = p.code_version
    if p.input_data_versions:
        m.input_data_versions.update(p.input_data_versions)


def _asset_failed(m: pb.AssetFailed, p: AssetFailed) -> None:
    m.asset_key.path.extend(p.asset_key.path)
    m.partition.extend(p.partition)
    m.reason = p.reason


def _freshness_changed(m: pb.FreshnessChanged, p: FreshnessChanged) -> None:
    m.asset_key.path.extend(p.asset_key.path)
    m.state, m.previous = p.state, p.previous


def _check_evaluated(m: pb.CheckEvaluated, p: CheckEvaluated) -> None:
    m.check_key.CopyFrom(encode_check_key(p.check_key))
    m.passed, m.blocking, m.severity = p.passed, p.blocking, _encode_severity(p.severity)
    m.partition.extend(p.partition)
    m.metadata.extend(encode_metadata(p.metadata))
    if p.description is not None:
        m.description = p.description


def _log_message(m: pb.LogMessage, p: LogMessage) -> None:
    m.level, m.message, m.logger = cast("pb.LogLevel.ValueType", p.level.value), p.message, p.logger
    if p.error is not None:
        m.error.CopyFrom(encode_error(p.error))


def _engine_message(m: pb.EngineMessage, p: EngineMessage) -> None:
    m.level, m.message = cast("pb.LogLevel.ValueType", p.level.value), p.message
    m.metadata.extend(encode_metadata(p.metadata))
    if p.error is not None:
        m.error.CopyFrom(encode_error(p.error))


def _put_usage(m: pb.StepSucceeded | pb.StepFailed | pb.StepRetrying, usage: Usage | None) -> None:
    if usage is not None:
        m.usage.cpu_seconds, m.usage.peak_memory_bytes = usage.cpu_seconds, usage.peak_memory_bytes


def _nothing(_message: object, _payload: object) -> None:
    """For payloads without fields."""


_FILLERS: Mapping[type, Callable[[Any, Any], None]] = {
    RunStarted: _run_started,
    StepsPlanned: _steps_planned,
    RunSucceeded: _nothing,
    RunFailed: _run_failed,
    RunCanceled: _run_canceled,
    StepStarted: _step_started,
    StepSucceeded: _step_succeeded,
    StepFailed: _step_failed,
    StepRetrying: _step_retrying,
    StepSkipped: _step_skipped,
    StepCanceled: _step_canceled,
    InputLoaded: _input_loaded,
    OutputStored: _output_stored,
    AssetMaterialized: _asset_materialized,
    AssetObserved: _asset_observed,
    AssetFailed: _asset_failed,
    FreshnessChanged: _freshness_changed,
    CheckEvaluated: _check_evaluated,
    LogMessage: _log_message,
    EngineMessage: _engine_message,
}
# The fields of the oneof are named as the event types are, in small letters.
_ENCODERS = {kind: (EVENT_TYPES[kind].lower(), fill) for kind, fill in _FILLERS.items()}


def _error(message: _HasError) -> ErrorInfo | None:
    return decode_error(message.error) if message.HasField("error") else None


def _usage(message: _HasUsage) -> Usage | None:
    if not message.HasField("usage"):
        return None
    return Usage(cpu_seconds=message.usage.cpu_seconds, peak_memory_bytes=message.usage.peak_memory_bytes)


def _level(number: int) -> LogLevel:
    return _LEVELS.get(number, LogLevel.INFO)


def _read_run_started(m: pb.RunStarted) -> Payload:
    return RunStarted(pid=m.pid, host=m.host, executor=m.executor, steps=tuple(map(decode_planned_step, m.steps)))


def _read_steps_planned(m: pb.StepsPlanned) -> Payload:
    gone = cast("tuple[StepKey, ...]", tuple(m.gone))
    return StepsPlanned(steps=tuple(map(decode_planned_step, m.steps)), gone=gone, first_ordinal=m.first_ordinal)


def _read_run_failed(m: pb.RunFailed) -> Payload:
    steps = cast("tuple[StepKey, ...]", tuple(m.failed_steps))
    return RunFailed(error=_error(m), failed_steps=steps, reason=optional(m, "reason"))


def _read_step_succeeded(m: pb.StepSucceeded) -> Payload:
    usage = Usage(cpu_seconds=m.usage.cpu_seconds, peak_memory_bytes=m.usage.peak_memory_bytes)
    return StepSucceeded(attempt=m.attempt, usage=usage)


def _read_step_failed(m: pb.StepFailed) -> Payload:
    return StepFailed(attempt=m.attempt, error=decode_error(m.error), usage=_usage(m))


def _read_step_retrying(m: pb.StepRetrying) -> Payload:
    return StepRetrying(attempt=m.attempt, error=decode_error(m.error), delay_seconds=m.delay_seconds, usage=_usage(m))


def _read_input_loaded(m: pb.InputLoaded) -> Payload:
    metadata = decode_metadata(m.metadata)
    return InputLoaded(input_name=m.input_name, io_manager_key=m.io_manager_key, source=m.source, metadata=metadata)


def _read_output_stored(m: pb.OutputStored) -> Payload:
    return OutputStored(
        output_name=m.output_name,
        io_manager_key=m.io_manager_key,
        mapping_key=optional(m, "mapping_key"),
        metadata=decode_metadata(m.metadata),
    )


def _strings(strings: Mapping[str, str]) -> dict[str, str]:
    # Most are empty, and to ask for that costs a twentieth of copying.
    return dict(strings) if strings else {}


def _read_asset_materialized(m: pb.AssetMaterialized) -> Payload:
    return AssetMaterialized(
        asset_key=decode_asset_key(m.asset_key),
        partition=tuple(m.partition) if m.partition else UNPARTITIONED,
        metadata=decode_metadata(m.metadata),
        description=optional(m, "description"),
        tags=_strings(m.tags),
        data_version=optional(m, "data_version"),
        code_version=optional(m, "code_version"),
        input_data_versions=_strings(m.input_data_versions),
    )


def _read_asset_observed(m: pb.AssetObserved) -> Payload:
    return AssetObserved(
        asset_key=decode_asset_key(m.asset_key),
        partition=tuple(m.partition) if m.partition else UNPARTITIONED,
        metadata=decode_metadata(m.metadata),
        description=optional(m, "description"),
        tags=_strings(m.tags),
        data_version=optional(m, "data_version"),
    )


def _read_check_evaluated(m: pb.CheckEvaluated) -> Payload:
    return CheckEvaluated(
        check_key=decode_check_key(m.check_key),
        passed=m.passed,
        partition=tuple(m.partition),
        severity=Severity.WARN if m.severity == pb.SEVERITY_WARN else Severity.ERROR,
        blocking=m.blocking,
        description=optional(m, "description"),
        metadata=decode_metadata(m.metadata),
    )


def _read_engine_message(m: pb.EngineMessage) -> Payload:
    return EngineMessage(message=m.message, level=_level(m.level), metadata=decode_metadata(m.metadata), error=_error(m))


_DECODERS: Mapping[str, Callable[[Any], Payload]] = {
    "run_started": _read_run_started,
    "run_succeeded": lambda _: RunSucceeded(),
    "steps_planned": _read_steps_planned,
    "run_failed": _read_run_failed,
    "run_canceled": lambda m: RunCanceled(reason=optional(m, "reason")),
    "step_started": lambda m: StepStarted(attempt=m.attempt, pid=m.pid),
    "step_succeeded": _read_step_succeeded,
    "step_failed": _read_step_failed,
    "step_retrying": _read_step_retrying,
    "step_skipped": lambda m: StepSkipped(reason=m.reason),
    "step_canceled": lambda m: StepCanceled(attempt=m.attempt),
    "input_loaded": _read_input_loaded,
    "output_stored": _read_output_stored,
    "asset_materialized": _read_asset_materialized,
    "asset_observed": _read_asset_observed,
    "asset_failed": lambda m: AssetFailed(asset_key=decode_asset_key(m.asset_key), partition=tuple(m.partition), reason=m.reason),
    "freshness_changed": lambda m: FreshnessChanged(
        asset_key=decode_asset_key(m.asset_key), state=FreshnessState(m.state), previous=FreshnessState(m.previous)
    ),
    "check_evaluated": _read_check_evaluated,
    "log_message": lambda m: LogMessage(level=_level(m.level), message=m.message, logger=m.logger, error=_error(m)),
    "engine_message": _read_engine_message,
}
