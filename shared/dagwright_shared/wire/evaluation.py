"""What a code server is asked to do with its user code: questions and their answers, and launches.

The caller writes requests and reads responses; the process that has the user code does the inverse, as `decode_x_request` and
`encode_x_response`. The server between them passes the bytes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import cast

from dagwright_api.v1 import evaluation_pb2 as pb
from dagwright_api.v1 import events_pb2 as pb_events
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.events import PlannedStep, RunEvent
from dagwright_shared.model.history import ReportableEvent
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import Digest, RunId, StepKey
from dagwright_shared.model.runs import ActiveRun, LaunchSpec
from dagwright_shared.model.ticks import (
    Delivery,
    DynamicPartitionsRequest,
    Evaluation,
    PlanQuestion,
    Question,
    RunRequestData,
    ScheduleQuestion,
    SensorQuestion,
)
from dagwright_shared.wire.errors import decode_detail
from dagwright_shared.wire.events import decode_event, decode_planned_step, encode_event, encode_planned_step
from dagwright_shared.wire.partitions import decode_partition_end, encode_partition_end
from dagwright_shared.wire.values import (
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
    printable,
    reading,
    required,
)

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""An event of an asset gets its time when it is recorded."""


def encode_question(question: PlanQuestion) -> pb.PlanQuestion:
    return pb.PlanQuestion(
        job_name=question.job_name,
        asset_keys=map(encode_asset_key, question.asset_keys),
        check_keys=map(encode_check_key, question.check_keys),
        only_checks=question.only_checks,
        step_keys=question.step_keys,
        partition=question.partition,
        partition_end=encode_partition_end(question.partition_end),
        config=encode_struct(question.config),
    )


def decode_question(message: pb.PlanQuestion) -> PlanQuestion:
    with reading("the question about a run"):
        return PlanQuestion(
            job_name=required(message.job_name, "the name of the job") if message.HasField("job_name") else None,
            asset_keys=decode_asset_keys(message.asset_keys),
            check_keys=decode_check_keys(message.check_keys),
            only_checks=message.only_checks,
            step_keys=tuple(message.step_keys),
            partition=tuple(message.partition),
            partition_end=decode_partition_end(message),
            config=decode_struct(message.config),
        )


def encode_plan_run_request(question: PlanQuestion) -> bytes:
    return pb.PlanRunRequest(question=encode_question(question)).SerializeToString()


def decode_plan_run_request(data: bytes) -> PlanQuestion:
    return decode_question(parse(pb.PlanRunRequest, data).question)


def encode_plan_run_response(steps: Iterable[PlannedStep]) -> bytes:
    return pb.PlanRunResponse(steps=map(encode_planned_step, steps)).SerializeToString()


def decode_plan_run_response(data: bytes) -> tuple[PlannedStep, ...]:
    return tuple(map(decode_planned_step, parse(pb.PlanRunResponse, data).steps))


def encode_validate_run_config_request(question: PlanQuestion) -> bytes:
    return pb.ValidateRunConfigRequest(question=encode_question(question)).SerializeToString()


def decode_validate_run_config_request(data: bytes) -> PlanQuestion:
    return decode_question(parse(pb.ValidateRunConfigRequest, data).question)


def encode_validate_run_config_response(config: Mapping[str, JsonValue]) -> bytes:
    """
    Args:
        config: the whole config as the run would see it, defaults filled in.
    """
    return pb.ValidateRunConfigResponse(config=encode_struct(config)).SerializeToString()


def decode_validate_run_config_response(data: bytes) -> dict[str, JsonValue]:
    return decode_struct(parse(pb.ValidateRunConfigResponse, data).config)


def encode_evaluate_schedule_request(question: ScheduleQuestion) -> bytes:
    return pb.EvaluateScheduleRequest(name=question.name, scheduled_for=encode_time(question.scheduled_for)).SerializeToString()


def decode_evaluate_schedule_request(data: bytes) -> ScheduleQuestion:
    message = parse(pb.EvaluateScheduleRequest, data)
    with reading("the question to a schedule"):
        if not message.HasField("scheduled_for"):
            raise ValueError("scheduled_for, the time of the tick, is missing")
        return ScheduleQuestion(name=required(message.name, "the name of the schedule"), scheduled_for=decode_time(message.scheduled_for))


def encode_evaluate_schedule_response(evaluation: Evaluation) -> bytes:
    return pb.EvaluateScheduleResponse(evaluation=encode_evaluation(evaluation)).SerializeToString()


def decode_evaluate_schedule_response(data: bytes) -> Evaluation:
    return decode_evaluation(parse(pb.EvaluateScheduleResponse, data).evaluation)


def encode_evaluate_sensor_request(question: SensorQuestion) -> bytes:
    message = pb.EvaluateSensorRequest(
        name=question.name,
        cursor=question.cursor,
        last_tick_at=encode_time(question.last_tick_at) if question.last_tick_at else None,
        last_run_key=question.last_run_key,
        delivery=encode_delivery(question.delivery) if question.delivery else None,
    )
    return message.SerializeToString()


def decode_evaluate_sensor_request(data: bytes) -> SensorQuestion:
    message = parse(pb.EvaluateSensorRequest, data)
    with reading("the question to a sensor"):
        return SensorQuestion(
            name=required(message.name, "the name of the sensor"),
            cursor=optional(message, "cursor"),
            last_tick_at=decode_time(message.last_tick_at) if message.HasField("last_tick_at") else None,
            last_run_key=optional(message, "last_run_key"),
            delivery=decode_delivery(message.delivery) if message.HasField("delivery") else None,
        )


def encode_delivery(delivery: Delivery) -> pb.Delivery:
    return pb.Delivery(
        delivery_id=delivery.delivery_id,
        external_id=delivery.external_id,
        headers=delivery.headers,
        body=delivery.body,
        received_at=encode_time(delivery.received_at),
    )


def decode_delivery(message: pb.Delivery) -> Delivery:
    return Delivery(
        delivery_id=message.delivery_id,
        external_id=message.external_id,
        headers=dict(message.headers),
        body=message.body,
        received_at=decode_time(message.received_at),
    )


def encode_verify_delivery_request(name: str, delivery: Delivery) -> bytes:
    return pb.VerifyDeliveryRequest(name=name, delivery=encode_delivery(delivery)).SerializeToString()


def decode_verify_delivery_request(data: bytes) -> tuple[str, Delivery]:
    message = parse(pb.VerifyDeliveryRequest, data)
    return required(message.name, "the name of the sensor"), decode_delivery(message.delivery)


def encode_verify_delivery_response(refused: str | None) -> bytes:
    """
    Args:
        refused: why; None when the request is signed as it must be.
    """
    return pb.VerifyDeliveryResponse(refused=refused).SerializeToString()


def decode_verify_delivery_response(data: bytes) -> str | None:
    refused: str | None = optional(parse(pb.VerifyDeliveryResponse, data), "refused")
    return refused


def encode_evaluate_request(questions: Iterable[Question], timeout: float) -> bytes:
    """
    Args:
        timeout: seconds that each question may take.
    """
    message = pb.EvaluateRequest(timeout_seconds=timeout)
    for question in questions:
        # Each is written by the encoder of its kind, and taken over as it is.
        if isinstance(question, ScheduleQuestion):
            message.questions.add().schedule.MergeFromString(encode_evaluate_schedule_request(question))
        else:
            message.questions.add().sensor.MergeFromString(encode_evaluate_sensor_request(question))
    return message.SerializeToString()


def decode_evaluate_response(data: bytes) -> list[tuple[int, Evaluation | DagwrightError]]:
    """The answers by number of the question."""
    return [
        (answer.index, decode_evaluation(answer.evaluation) if answer.HasField("evaluation") else decode_detail(answer.error))
        for answer in parse(pb.EvaluateResponse, data).answers
    ]


def encode_evaluate_sensor_response(evaluation: Evaluation) -> bytes:
    return pb.EvaluateSensorResponse(evaluation=encode_evaluation(evaluation)).SerializeToString()


def decode_evaluate_sensor_response(data: bytes) -> Evaluation:
    return decode_evaluation(parse(pb.EvaluateSensorResponse, data).evaluation)


def encode_evaluation(evaluation: Evaluation) -> pb.Evaluation:
    return pb.Evaluation(
        requests=map(encode_run_request, evaluation.requests),
        skip_reason=evaluation.skip_reason,
        cursor=evaluation.cursor,
        dynamic_partitions=[
            pb.DynamicPartitionsRequest(name=request.name, add=request.add, delete=request.delete)
            for request in evaluation.dynamic_partitions
        ],
        # What user code printed may hold anything; a run request may not, and fails with the text in the message.
        logs=printable(evaluation.logs),
        asset_events=map(_encode_reported, evaluation.asset_events),
        more=evaluation.more,
        rejected=evaluation.rejected,
    )


def _encode_reported(payload: ReportableEvent) -> pb_events.RunEvent:
    return encode_event(RunEvent(seq=1, time=_NO_TIME, payload=payload))


def _decode_reported(message: pb_events.RunEvent) -> ReportableEvent:
    payload = decode_event(message).payload
    if not isinstance(payload, ReportableEvent):
        raise ValueError(f"an event {type(payload).__name__} is none of an asset")
    return payload


def decode_evaluation(message: pb.Evaluation) -> Evaluation:
    return Evaluation(
        requests=tuple(map(decode_run_request, message.requests)),
        skip_reason=optional(message, "skip_reason"),
        cursor=optional(message, "cursor"),
        dynamic_partitions=tuple(
            DynamicPartitionsRequest(name=request.name, add=tuple(request.add), delete=tuple(request.delete))
            for request in message.dynamic_partitions
        ),
        logs=tuple(message.logs),
        asset_events=tuple(map(_decode_reported, message.asset_events)),
        more=message.more,
        rejected=optional(message, "rejected"),
    )


def encode_run_request(request: RunRequestData) -> pb.RunRequest:
    return pb.RunRequest(
        run_key=request.run_key,
        job_name=request.job_name,
        asset_keys=map(encode_asset_key, request.asset_keys),
        check_keys=map(encode_check_key, request.check_keys),
        only_checks=request.only_checks,
        partition=request.partition,
        partition_end=encode_partition_end(request.partition_end),
        config=encode_struct(request.config),
        tags=request.tags,
    )


def decode_run_request(message: pb.RunRequest) -> RunRequestData:
    return RunRequestData(
        run_key=optional(message, "run_key"),
        job_name=optional(message, "job_name"),
        asset_keys=decode_asset_keys(message.asset_keys),
        check_keys=decode_check_keys(message.check_keys),
        only_checks=message.only_checks,
        partition=tuple(message.partition),
        partition_end=decode_partition_end(message),
        config=decode_struct(message.config),
        tags=dict(message.tags),
    )


def encode_launch(spec: LaunchSpec) -> bytes:
    return encode_launch_spec(spec).SerializeToString()


def decode_launch(data: bytes) -> LaunchSpec:
    return decode_launch_spec(parse(pb.LaunchSpec, data))


def encode_launch_spec(spec: LaunchSpec) -> pb.LaunchSpec:
    return pb.LaunchSpec(
        run_id=spec.run_id,
        epoch=spec.epoch,
        digest=spec.digest,
        job_name=spec.job_name,
        asset_keys=map(encode_asset_key, spec.asset_keys),
        check_keys=map(encode_check_key, spec.check_keys),
        only_checks=spec.only_checks,
        step_keys=spec.step_keys,
        partition=spec.partition,
        partition_end=encode_partition_end(spec.partition_end),
        config=encode_struct(spec.config),
        tags=spec.tags,
        parent_run_id=spec.parent_run_id,
        root_run_id=spec.root_run_id,
        inherited=cast("Mapping[str, str]", spec.inherited),
        retry_number=spec.retry_number,
        first_seq=spec.first_seq,
        log_limit_bytes=spec.log_limit_bytes,
    )


def decode_launch_spec(message: pb.LaunchSpec) -> LaunchSpec:
    with reading("a launch"):
        return LaunchSpec(
            run_id=RunId(required(message.run_id, "the id of the run")),
            epoch=message.epoch,
            digest=Digest(message.digest),
            job_name=optional(message, "job_name"),
            asset_keys=decode_asset_keys(message.asset_keys),
            check_keys=decode_check_keys(message.check_keys),
            only_checks=message.only_checks,
            step_keys=cast("tuple[StepKey, ...]", tuple(message.step_keys)),
            partition=tuple(message.partition),
            partition_end=decode_partition_end(message),
            config=decode_struct(message.config),
            tags=dict(message.tags),
            parent_run_id=optional(message, "parent_run_id"),
            root_run_id=optional(message, "root_run_id"),
            inherited=cast("dict[StepKey, RunId]", dict(message.inherited)),
            retry_number=message.retry_number,
            first_seq=message.first_seq,
            log_limit_bytes=message.log_limit_bytes,
        )


def encode_active_run(run: ActiveRun) -> pb.ActiveRun:
    return pb.ActiveRun(run_id=run.run_id, epoch=run.epoch, pid=run.pid, started_at=encode_time(run.started_at))


def decode_active_run(message: pb.ActiveRun) -> ActiveRun:
    return ActiveRun(run_id=RunId(message.run_id), epoch=message.epoch, pid=message.pid, started_at=decode_time(message.started_at))
