"""Questions of user code about the past, and their answers, between a worker and its code server."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from dagwright_api.v1 import history_pb2 as pb
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.history import (
    AssetKeysQuestion,
    DeleteRunQuestion,
    DynamicKeysQuestion,
    EventFilter,
    HistoryAnswer,
    HistoryQuestion,
    KnownVersion,
    LatestQuestion,
    MaterializedQuestion,
    ReportQuestion,
    RunFilter,
    StepsQuestion,
    StoredEvent,
    TagQuestion,
    WipeQuestion,
)
from dagwright_shared.model.keys import (
    Digest,
    LocationName,
    RunId,
    StepKey,
)
from dagwright_shared.model.runs import (
    BackfillPart,
    Run,
    StepRecord,
    StepStatus,
    Trigger,
    TriggerKind,
)
from dagwright_shared.wire.errors import decode_error, encode_error
from dagwright_shared.wire.events import decode_event, encode_event
from dagwright_shared.wire.partitions import decode_partition_end, encode_key, encode_partition_end
from dagwright_shared.wire.snapshot import decode_run_status, encode_run_status
from dagwright_shared.wire.values import (
    decode_asset_key,
    decode_asset_keys,
    decode_check_keys,
    decode_struct,
    decode_time,
    encode_asset_key,
    encode_check_key,
    encode_struct,
    encode_time,
    optional,
    parse,
    reading,
)


def encode_question(question: HistoryQuestion) -> bytes:
    return _question(question).SerializeToString()


def _question(question: HistoryQuestion) -> pb.HistoryQuestion:
    match question:
        case LatestQuestion():
            latest = pb.LatestQuestion(
                asset_key=encode_asset_key(question.asset_key),
                partition=encode_key(question.partition),
            )
            return pb.HistoryQuestion(latest=latest)
        case DynamicKeysQuestion():
            return pb.HistoryQuestion(dynamic_keys=pb.DynamicKeysQuestion(name=question.name, add=question.add, delete=question.delete))
        case EventFilter():
            events = pb.EventFilter(
                types=question.types,
                asset_keys=map(encode_asset_key, question.asset_keys),
                run_ids=question.run_ids,
                partitions=map(encode_key, question.partitions),
                after_id=question.after_id,
                before_id=question.before_id,
                after=_time(question.after),
                before=_time(question.before),
                limit=question.limit,
                ascending=question.ascending,
                settled=question.settled,
            )
            return pb.HistoryQuestion(events=events)
        case RunFilter():
            runs = pb.RunFilter(
                run_ids=question.run_ids,
                statuses=map(encode_run_status, question.statuses),
                job_name=question.job_name,
                tags=[pb.TagValues(key=key, values=values) for key, values in question.tags.items()],
                created_after=_time(question.created_after),
                created_before=_time(question.created_before),
                before_run=question.before_run,
                limit=question.limit,
                ascending=question.ascending,
            )
            return pb.HistoryQuestion(runs=runs)
        case StepsQuestion():
            return pb.HistoryQuestion(steps=pb.StepsQuestion(run_id=question.run_id))
        case ReportQuestion():
            return pb.HistoryQuestion(report=pb.ReportQuestion(event=encode_event(question.event)))
        case TagQuestion():
            return pb.HistoryQuestion(tag=pb.TagQuestion(run_id=question.run_id, tags=question.tags))
        case MaterializedQuestion():
            return pb.HistoryQuestion(materialized=pb.MaterializedQuestion(asset_key=encode_asset_key(question.asset_key)))
        case AssetKeysQuestion():
            return pb.HistoryQuestion(asset_keys=pb.AssetKeysQuestion())
        case WipeQuestion():
            wiped = pb.WipeQuestion(asset_key=encode_asset_key(question.asset_key), partitions=map(encode_key, question.partitions))
            return pb.HistoryQuestion(wipe=wiped)
        case DeleteRunQuestion():
            return pb.HistoryQuestion(delete_run=pb.DeleteRunQuestion(run_id=question.run_id))


def decode_question(data: bytes) -> HistoryQuestion:
    """
    Raises:
        InvalidRequestError: the bytes are no question.
        DagwrightError: it is one that this version does not know.
    """
    with reading("a question about the past"):
        message = parse(pb.HistoryQuestion, data)
        match message.WhichOneof("kind"):
            case "latest":
                latest = message.latest
                return LatestQuestion(
                    asset_key=decode_asset_key(latest.asset_key),
                    partition=tuple(latest.partition.components),
                )
            case "dynamic_keys":
                dynamic = message.dynamic_keys
                return DynamicKeysQuestion(
                    name=dynamic.name,
                    add=tuple(dynamic.add),
                    delete=tuple(dynamic.delete),
                )
            case "events":
                return _event_filter(message.events)
            case "runs":
                return _run_filter(message.runs)
            case "steps":
                return StepsQuestion(run_id=RunId(message.steps.run_id))
            case "report":
                return ReportQuestion(event=decode_event(message.report.event))
            case "tag":
                return TagQuestion(run_id=RunId(message.tag.run_id), tags=dict(message.tag.tags))
            case "materialized":
                return MaterializedQuestion(asset_key=decode_asset_key(message.materialized.asset_key))
            case "asset_keys":
                return AssetKeysQuestion()
            case "wipe":
                partitions = tuple(tuple(key.components) for key in message.wipe.partitions)
                return WipeQuestion(asset_key=decode_asset_key(message.wipe.asset_key), partitions=partitions)
            case "delete_run":
                return DeleteRunQuestion(run_id=RunId(message.delete_run.run_id))
    raise DagwrightError("A worker asks something about the past that this code server does not know; a newer dagwright wrote it")


def encode_answer(answer: HistoryAnswer) -> bytes:
    return pb.HistoryAnswer(
        latest=_version(answer.latest) if answer.latest is not None else None,
        keys=answer.keys,
        events=map(_stored, answer.events),
        runs=map(encode_run, answer.runs),
        steps=map(_step, answer.steps),
        partitions=map(encode_key, answer.partitions),
        asset_keys=map(encode_asset_key, answer.asset_keys),
    ).SerializeToString()


def decode_answer(data: bytes) -> HistoryAnswer:
    """
    Raises:
        InvalidRequestError: the bytes are no answer.
    """
    with reading("an answer about the past"):
        message = parse(pb.HistoryAnswer, data)
        return HistoryAnswer(
            latest=_read_version(message.latest) if message.HasField("latest") else None,
            keys=tuple(message.keys),
            events=tuple(map(_read_stored, message.events)),
            runs=tuple(map(decode_run, message.runs)),
            steps=tuple(map(_read_step, message.steps)),
            partitions=tuple(tuple(key.components) for key in message.partitions),
            asset_keys=decode_asset_keys(message.asset_keys),
        )


def encode_run(run: Run) -> pb.RunRecord:
    return pb.RunRecord(
        run_id=run.run_id,
        location=run.location,
        digest=run.digest,
        job_name=run.job_name,
        asset_keys=map(encode_asset_key, run.asset_keys),
        check_keys=map(encode_check_key, run.check_keys),
        only_checks=run.only_checks,
        step_keys=run.step_keys,
        partition=encode_key(run.partition),
        partition_end=encode_partition_end(run.partition_end),
        config=encode_struct(run.config),
        tags=run.tags,
        status=encode_run_status(run.status),
        trigger_kind=str(run.trigger.kind),
        trigger_name=run.trigger.name,
        tick_id=run.trigger.tick_id,
        priority=run.priority,
        run_key=run.run_key,
        parent_run_id=run.parent_run_id,
        root_run_id=run.root_run_id,
        inherited=dict(run.inherited.items()),
        retry_number=run.retry_number,
        not_before=_time(run.not_before),
        epoch=run.epoch,
        server_id=run.server_id,
        last_seq=run.last_seq,
        created_at=_time(run.created_at),
        claimed_at=_time(run.claimed_at),
        started_at=_time(run.started_at),
        ended_at=_time(run.ended_at),
        error=encode_error(run.error) if run.error else None,
        status_reason=run.status_reason,
        launch_attempts=run.launch_attempts,
        background=run.background,
        resumes=run.resumes,
        canceling_at=_time(run.canceling_at),
        backfill=_encode_part(run.backfill),
    )


def decode_run(message: pb.RunRecord) -> Run:
    return Run(
        run_id=RunId(message.run_id),
        location=LocationName(message.location),
        digest=Digest(message.digest),
        job_name=optional(message, "job_name"),
        asset_keys=decode_asset_keys(message.asset_keys),
        check_keys=decode_check_keys(message.check_keys),
        only_checks=message.only_checks,
        step_keys=tuple(map(StepKey, message.step_keys)),
        partition=tuple(message.partition.components),
        partition_end=decode_partition_end(message),
        config=decode_struct(message.config),
        tags=dict(message.tags),
        status=decode_run_status(message.status),
        trigger=Trigger(
            kind=TriggerKind(message.trigger_kind),
            name=optional(message, "trigger_name"),
            tick_id=optional(message, "tick_id"),
        ),
        priority=message.priority,
        run_key=optional(message, "run_key"),
        parent_run_id=optional(message, "parent_run_id"),
        root_run_id=optional(message, "root_run_id"),
        inherited={StepKey(key): RunId(value) for key, value in message.inherited.items()},
        retry_number=message.retry_number,
        not_before=decode_time(message.not_before) if message.HasField("not_before") else None,
        epoch=message.epoch,
        server_id=optional(message, "server_id"),
        last_seq=message.last_seq,
        created_at=decode_time(message.created_at),
        claimed_at=decode_time(message.claimed_at) if message.HasField("claimed_at") else None,
        started_at=decode_time(message.started_at) if message.HasField("started_at") else None,
        ended_at=decode_time(message.ended_at) if message.HasField("ended_at") else None,
        error=decode_error(message.error) if message.HasField("error") else None,
        status_reason=optional(message, "status_reason"),
        launch_attempts=message.launch_attempts,
        background=message.background,
        resumes=message.resumes,
        canceling_at=decode_time(message.canceling_at) if message.HasField("canceling_at") else None,
        backfill=_decode_part(message),
    )


def _encode_part(part: BackfillPart | None) -> pb.BackfillPart | None:
    return None if part is None else pb.BackfillPart(backfill_id=part.backfill_id, first=part.first, last=part.last)


def _decode_part(message: pb.RunRecord) -> BackfillPart | None:
    if not message.HasField("backfill"):
        return None
    return BackfillPart(backfill_id=message.backfill.backfill_id, first=message.backfill.first, last=message.backfill.last)


def _event_filter(message: pb.EventFilter) -> EventFilter:
    return EventFilter(
        types=tuple(message.types),
        asset_keys=decode_asset_keys(message.asset_keys),
        run_ids=tuple(map(RunId, message.run_ids)),
        partitions=tuple(tuple(key.components) for key in message.partitions),
        after_id=optional(message, "after_id"),
        before_id=optional(message, "before_id"),
        after=decode_time(message.after) if message.HasField("after") else None,
        before=decode_time(message.before) if message.HasField("before") else None,
        limit=message.limit,
        ascending=message.ascending,
        settled=message.settled,
    )


def _run_filter(message: pb.RunFilter) -> RunFilter:
    return RunFilter(
        run_ids=tuple(map(RunId, message.run_ids)),
        statuses=tuple(map(decode_run_status, message.statuses)),
        job_name=optional(message, "job_name"),
        tags={tag.key: tuple(tag.values) for tag in message.tags},
        created_after=decode_time(message.created_after) if message.HasField("created_after") else None,
        created_before=decode_time(message.created_before) if message.HasField("created_before") else None,
        before_run=optional(message, "before_run"),
        limit=message.limit,
        ascending=message.ascending,
    )


def _version(version: KnownVersion) -> pb.KnownVersion:
    return pb.KnownVersion(
        data_version=version.data_version,
        run_id=version.run_id,
        time=_time(version.time),
        code_version=version.code_version,
        input_data_versions=dict(version.input_data_versions),
    )


def _read_version(message: pb.KnownVersion) -> KnownVersion:
    return KnownVersion(
        data_version=message.data_version,
        run_id=optional(message, "run_id"),
        time=decode_time(message.time) if message.HasField("time") else None,
        code_version=optional(message, "code_version"),
        input_data_versions=dict(message.input_data_versions),
    )


def _stored(stored: StoredEvent) -> pb.StoredEvent:
    return pb.StoredEvent(
        event_id=stored.event_id,
        run_id=stored.run_id,
        job_name=stored.job_name,
        event=encode_event(stored.event),
    )


def _read_stored(message: pb.StoredEvent) -> StoredEvent:
    return StoredEvent(
        event_id=message.event_id,
        run_id=optional(message, "run_id"),
        job_name=optional(message, "job_name"),
        event=decode_event(message.event),
    )


def _step(step: StepRecord) -> pb.StepRecord:
    return pb.StepRecord(
        step_key=step.step_key,
        status=str(step.status),
        attempt=step.attempt,
        op_name=step.op_name,
        kind=step.kind,
        depends_on=step.depends_on,
        asset_keys=map(encode_asset_key, step.asset_keys),
        started_at=_time(step.started_at),
        ended_at=_time(step.ended_at),
        cpu_seconds=step.cpu_seconds,
        peak_memory_bytes=step.peak_memory_bytes,
        error=encode_error(step.error) if step.error else None,
        executor=step.executor,
        step_group=step.step_group,
    )


def _read_step(message: pb.StepRecord) -> StepRecord:
    return StepRecord(
        step_key=StepKey(message.step_key),
        status=StepStatus(message.status),
        attempt=message.attempt,
        op_name=optional(message, "op_name"),
        kind=message.kind,
        depends_on=tuple(map(StepKey, message.depends_on)),
        asset_keys=decode_asset_keys(message.asset_keys),
        started_at=decode_time(message.started_at) if message.HasField("started_at") else None,
        ended_at=decode_time(message.ended_at) if message.HasField("ended_at") else None,
        cpu_seconds=optional(message, "cpu_seconds"),
        peak_memory_bytes=optional(message, "peak_memory_bytes"),
        error=decode_error(message.error) if message.HasField("error") else None,
        executor=optional(message, "executor"),
        step_group=optional(message, "step_group"),
    )


def _time(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else encode_time(moment)
