"""A small code server behind a real channel, and values to send to it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import grpc
import pytest
from grpc_status import rpc_status

from dagwright_api.v1 import errors_pb2
from dagwright_shared.model.errors import (
    ErrorInfo,
    Frame,
    InvalidRequestError,
    NotFoundError,
    Problem,
)
from dagwright_shared.model.events import EventBatch, LogLevel, LogMessage, PlannedStep, RunEvent
from dagwright_shared.model.keys import AssetKey, Digest, LocationName, RunId, StepKey
from dagwright_shared.model.runs import ActiveRun, LaunchSpec
from dagwright_shared.model.snapshot import LocationSnapshot, LocationState, LocationStatus
from dagwright_shared.model.ticks import Evaluation, RunRequestData
from dagwright_shared.wire import evaluation as wire
from dagwright_shared.wire.serving import Ask
from dagwright_shared.wire.snapshot import digest_of, encode_snapshot

RUN, OTHER_RUN = RunId("01890000-0000-7000-8000-000000000001"), RunId("01890000-0000-7000-8000-000000000002")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
STEPS = (PlannedStep(key=StepKey("a"), op_name="a"), PlannedStep(key=StepKey("b"), op_name="b", depends_on=(StepKey("a"),)))
INFO = ErrorInfo(
    class_name="ValueError",
    message="boom",
    frames=(Frame(file="x.py", line=3, function="f", source="raise"),),
    hint="mend",
    metadata={"k": [1]},
)
STATUS = LocationStatus(
    location=LocationName("flights"), server_id="s1", state=LocationState.LOADED, digest=Digest("d" * 64), load_seconds=0.5
)


class Backend:
    """A code server whose user code is a few functions: enough to answer every method for real."""

    def __init__(self) -> None:
        self.encoded = encode_snapshot(LocationSnapshot(location=STATUS.location, dagwright_version="0", python_version="3"))
        self.failure: BaseException | None = None
        self.launched: list[LaunchSpec] = []
        self.batches: list[EventBatch] = []
        self.epochs = {RUN: 2}
        self.changes: queue.Queue[LocationStatus] = queue.Queue()
        self.watching = threading.Semaphore(0)
        self.stopped_watching = threading.Event()
        self.timeouts: list[float] = []

    def location(self) -> LocationStatus:
        self._fail()
        return STATUS

    def snapshot(self) -> tuple[Digest, bytes]:
        self._fail()
        return digest_of(self.encoded), self.encoded

    def watch(self, stop: Callable[[], bool]) -> Iterator[LocationStatus]:
        self._fail()
        try:
            yield STATUS
            self.watching.release()
            while not stop():
                try:
                    yield self.changes.get(timeout=0.02)
                except queue.Empty:
                    continue
        finally:
            self.stopped_watching.set()

    def ask(self, method: Ask, request: bytes, timeout: float) -> bytes:
        self.timeouts.append(timeout)
        self._fail()
        match method:
            case Ask.PLAN_RUN:
                question = wire.decode_plan_run_request(request)
                if question.job_name != "nightly":
                    raise NotFoundError("job", str(question.job_name), known=["nightly"])
                return wire.encode_plan_run_response(STEPS)
            case Ask.VALIDATE_RUN_CONFIG:
                question = wire.decode_validate_run_config_request(request)
                if set(question.config) - {"ops"}:
                    problem = Problem(path="config.opps", message="unknown", value=question.config, expected="ops", suggestion="ops")
                    raise InvalidRequestError("The config does not fit", problems=[problem])
                return wire.encode_validate_run_config_response({**question.config, "resources": {}})
            case Ask.EVALUATE_SCHEDULE:
                schedule = wire.decode_evaluate_schedule_request(request)
                answer = Evaluation(requests=(RunRequestData(run_key=schedule.scheduled_for.isoformat()),), logs=(schedule.name,))
                return wire.encode_evaluate_schedule_response(answer)
            case Ask.EVALUATE_SENSOR:
                sensor = wire.decode_evaluate_sensor_request(request)
                return wire.encode_evaluate_sensor_response(Evaluation(skip_reason=sensor.name, cursor=f"{sensor.cursor}+"))

            case Ask.VERIFY_DELIVERY:
                name, delivery = wire.decode_verify_delivery_request(request)
                return wire.encode_verify_delivery_response(None if delivery.external_id == "signed" else name)

    def launch(self, spec: LaunchSpec) -> None:
        self._fail()
        self.launched.append(spec)

    def cancel(self, run_id: RunId, epoch: int, *, hard: bool) -> bool:
        self._fail()
        return self.epochs.get(run_id) == epoch and not hard

    def active_runs(self) -> list[ActiveRun]:
        self._fail()
        return [ActiveRun(run_id=RUN, epoch=2, pid=77, started_at=NOW)]

    def report(self, batch: EventBatch) -> int | None:
        self._fail()
        if batch.epoch < self.epochs[batch.run_id]:
            return None
        self.batches.append(batch)
        return batch.events[-1].seq

    def reload(self) -> LocationStatus:
        self._fail()
        return LocationStatus(location=STATUS.location, server_id="s1", state=LocationState.ERROR, digest=STATUS.digest, error=INFO)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def a_launch(**changes: object) -> LaunchSpec:
    fields: dict[str, object] = {
        "run_id": RUN,
        "epoch": 2,
        "digest": Digest("d" * 64),
        "job_name": "nightly",
        "asset_keys": (AssetKey(["a", "b"]),),
        "check_keys": (),
        "step_keys": (StepKey("a"),),
        "partition": ("2013-01-01", "eu"),
        "config": {"ops": {"a": {"config": {"n": 2**70, "x": [1, 1.0, None]}}}},
        "tags": {"k": "v"},
        "parent_run_id": OTHER_RUN,
        "root_run_id": None,
        "inherited": {StepKey("z"): OTHER_RUN},
        "retry_number": 1,
        "first_seq": 5,
        "log_limit_bytes": 1000,
    }
    return LaunchSpec(**(fields | changes))  # type: ignore[arg-type]


def a_batch(seq: int, **changes: object) -> EventBatch:
    event = RunEvent(seq=seq, time=NOW, payload=LogMessage(level=LogLevel.INFO, message=f"event {seq} \udce9"))
    fields: dict[str, object] = {"run_id": RUN, "epoch": 2, "events": (event,)}
    return EventBatch(**(fields | changes))  # type: ignore[arg-type]


def code_of(call: Callable[[], object]) -> tuple[grpc.StatusCode, errors_pb2.ErrorDetail]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    status = rpc_status.from_call(caught.value)
    detail = errors_pb2.ErrorDetail()
    assert status.details[0].Unpack(detail)
    return caught.value.code(), detail
