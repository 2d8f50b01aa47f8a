"""Client and server over a real channel, one group of tests for each method, with good and bad input."""

from __future__ import annotations

import logging
import os
import queue
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from dagwright_api.v1 import code_server_service_pb2 as pb
from dagwright_api.v1 import errors_pb2, evaluation_pb2, events_pb2
from dagwright_api.v1.code_server_service_pb2_grpc import CodeServerServiceStub
from dagwright_shared.model.errors import (
    ConflictError,
    DagwrightError,
    DeadlineError,
    DefinitionError,
    ErrorInfo,
    FencedError,
    Frame,
    InvalidRequestError,
    NotFoundError,
    Problem,
    SettingsError,
    SourceRef,
    UnavailableError,
    UserCodeError,
)
from dagwright_shared.model.events import EventBatch, LogLevel, LogMessage, PlannedStep, RunEvent, RunSucceeded
from dagwright_shared.model.keys import AssetKey, Digest, LocationName, RunId, StepKey
from dagwright_shared.model.metadata import JsonValue
from dagwright_shared.model.runs import ActiveRun, LaunchSpec
from dagwright_shared.model.snapshot import AssetSnapshot, LocationSnapshot, LocationState, LocationStatus
from dagwright_shared.model.ticks import Evaluation, PlanQuestion, RunRequestData, ScheduleQuestion, SensorQuestion
from dagwright_shared.wire import evaluation as wire
from dagwright_shared.wire.client import LocationClient, Timeouts
from dagwright_shared.wire.errors import error_from_bytes, error_to_bytes
from dagwright_shared.wire.serving import SERVICE, Ask, bind, serve
from dagwright_shared.wire.snapshot import decode_snapshot, digest_of, encode_snapshot

pytestmark = pytest.mark.contract

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


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def address(backend: Backend) -> Iterator[str]:
    server, port = bind(backend, "127.0.0.1:0", max_workers=4)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(grace=None).wait()


@pytest.fixture
def client(address: str) -> Iterator[LocationClient]:
    with LocationClient(address, timeouts=Timeouts(read=20, ask=20)) as made:
        yield made


@pytest.fixture
def stub(address: str) -> Iterator[CodeServerServiceStub]:
    """The generated stub: what a client in another language has."""
    with grpc.insecure_channel(address) as channel:
        yield CodeServerServiceStub(channel)


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


class TestGetLocation:
    def test_state(self, client: LocationClient) -> None:
        assert client.location() == STATUS

    def test_generated_stub(self, stub: CodeServerServiceStub) -> None:
        assert stub.GetLocation(pb.GetLocationRequest(), timeout=20).status.location == "flights"


class TestGetSnapshot:
    def test_large_one_in_chunks(self, client: LocationClient, backend: Backend, stub: CodeServerServiceStub) -> None:
        noise = random.Random(1)
        assets = tuple(AssetSnapshot(key=AssetKey(f"a{i}"), description=f"{noise.getrandbits(4000):x}") for i in range(5000))
        snapshot = LocationSnapshot(location=STATUS.location, dagwright_version="0", python_version="3", assets=assets)
        backend.encoded = encode_snapshot(snapshot)
        assert len(backend.encoded) > 5_000_000
        got = client.snapshot()
        assert got is not None
        assert got[0] == digest_of(backend.encoded)
        assert decode_snapshot(got[1]) == snapshot
        parts = list(stub.GetSnapshot(pb.GetSnapshotRequest(), timeout=20))
        assert parts[0].header.total_bytes == len(backend.encoded)
        # Each message stays below the 4 MB that gRPC clients accept by default.
        assert len(parts) > 5
        assert b"".join(part.chunk for part in parts[1:]) == backend.encoded

    def test_nothing_when_the_caller_has_it(self, client: LocationClient, backend: Backend) -> None:
        assert client.snapshot(if_digest_differs=digest_of(backend.encoded)) is None
        assert client.snapshot(if_digest_differs=Digest("0" * 64)) is not None

    def test_none_has_loaded(self, client: LocationClient, backend: Backend) -> None:
        backend.failure = ConflictError("The location has not loaded yet")
        with pytest.raises(ConflictError, match="not loaded yet"):
            client.snapshot()


class TestWatchLocation:
    def test_changes_arrive_and_close_ends_it(self, client: LocationClient, backend: Backend) -> None:
        seen: queue.Queue[LocationStatus | None] = queue.Queue()

        def watch() -> None:
            for status in client.watch():
                seen.put(status)
            seen.put(None)

        thread = threading.Thread(target=watch)
        thread.start()
        assert seen.get(timeout=20) == STATUS
        changed = LocationStatus(location=STATUS.location, server_id="s1", state=LocationState.ERROR, error=INFO)
        backend.changes.put(changed)
        assert seen.get(timeout=20) == changed
        client.close()
        assert seen.get(timeout=20) is None
        thread.join(20)
        assert backend.stopped_watching.wait(20)

    def test_it_survives_its_own_deadline(self, address: str, backend: Backend) -> None:
        with LocationClient(address, timeouts=Timeouts(watch=0.3)) as client:
            watch = client.watch()
            for _ in range(3):
                assert next(watch) == STATUS
            watch.close()

    def test_a_server_that_stops_is_told(self, backend: Backend) -> None:
        server, port = bind(backend, "127.0.0.1:0")
        server.start()
        with LocationClient(f"127.0.0.1:{port}") as client:
            watch = client.watch()
            next(watch)
            server.stop(grace=None)
            with pytest.raises(UnavailableError):
                next(watch)

    def test_watchers_take_no_threads_of_calls(self, address: str, client: LocationClient, backend: Backend) -> None:
        with LocationClient(address) as other:
            watches = [other.watch() for _ in range(10)]
            for watch in watches:
                next(watch)
            for _ in watches:
                assert backend.watching.acquire(timeout=20)
            assert client.location() == STATUS
            for watch in watches:
                watch.close()


class TestPlanRun:
    def test_steps(self, client: LocationClient, backend: Backend) -> None:
        assert client.plan_run(PlanQuestion(job_name="nightly")) == STEPS
        client.plan_run(PlanQuestion(job_name="nightly"), timeout=10)
        # The server stops a little before the caller does, so that the caller learns why.
        assert 8 < backend.timeouts[-1] < 10

    def test_unknown_job(self, client: LocationClient) -> None:
        with pytest.raises(NotFoundError, match="There is no job 'nightley'; did you mean 'nightly'\\?") as caught:
            client.plan_run(PlanQuestion(job_name="nightley"))
        assert (caught.value.kind, caught.value.name, caught.value.suggestion) == ("job", "nightley", "nightly")

    def test_malformed(self, stub: CodeServerServiceStub) -> None:
        question = evaluation_pb2.PlanQuestion(asset_keys=[{"path": ["a/b"]}])
        code, detail = code_of(lambda: stub.PlanRun(evaluation_pb2.PlanRunRequest(question=question), timeout=20))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "not an asset key" in detail.message


class TestValidateRunConfig:
    def test_defaults_are_filled_in(self, client: LocationClient) -> None:
        config: dict[str, JsonValue] = {"ops": {"a": {"config": {"n": 1, "x": 1.0}}}}
        assert client.validate_run_config(PlanQuestion(job_name="nightly", config=config)) == {**config, "resources": {}}

    def test_problems(self, client: LocationClient, stub: CodeServerServiceStub) -> None:
        with pytest.raises(InvalidRequestError, match="does not fit") as caught:
            client.validate_run_config(PlanQuestion(config={"opps": {"x": [1]}}))
        expected = Problem(path="config.opps", message="unknown", value={"opps": {"x": [1]}}, expected="ops", suggestion="ops")
        assert caught.value.problems == (expected,)
        request = evaluation_pb2.ValidateRunConfigRequest(question={"config": {"names": ["a"], "values": []}})
        assert code_of(lambda: stub.ValidateRunConfig(request, timeout=20))[0] is grpc.StatusCode.INVALID_ARGUMENT


class TestEvaluateSchedule:
    def test_requests(self, client: LocationClient) -> None:
        answer = client.evaluate_schedule(ScheduleQuestion(name="daily", scheduled_for=NOW))
        assert answer == Evaluation(requests=(RunRequestData(run_key=NOW.isoformat()),), logs=("daily",))

    def test_bad_requests(self, stub: CodeServerServiceStub) -> None:
        for request in (
            evaluation_pb2.EvaluateScheduleRequest(name="daily"),
            evaluation_pb2.EvaluateScheduleRequest(scheduled_for={"seconds": 1}),
        ):
            assert code_of(lambda request=request: stub.EvaluateSchedule(request, timeout=20))[0] is grpc.StatusCode.INVALID_ARGUMENT

    def test_user_code_raises(self, client: LocationClient, backend: Backend, stub: CodeServerServiceStub) -> None:
        backend.failure = UserCodeError(INFO, doing="evaluating schedule daily")
        with pytest.raises(UserCodeError, match="evaluating schedule daily: ValueError: boom") as caught:
            client.evaluate_schedule(ScheduleQuestion(name="daily", scheduled_for=NOW))
        assert caught.value.info == INFO
        request = evaluation_pb2.EvaluateScheduleRequest(name="daily", scheduled_for={"seconds": 1})
        code, detail = code_of(lambda: stub.EvaluateSchedule(request, timeout=20))
        assert code is grpc.StatusCode.UNKNOWN
        assert detail.error.class_name == "ValueError"


class TestEvaluateSensor:
    def test_cursor(self, client: LocationClient) -> None:
        question = SensorQuestion(name="watch", cursor="c", last_tick_at=NOW, last_run_key="k")
        assert client.evaluate_sensor(question) == Evaluation(skip_reason="watch", cursor="c+")

    def test_empty_name(self, client: LocationClient) -> None:
        with pytest.raises(InvalidRequestError, match="name of the sensor"):
            client.evaluate_sensor(SensorQuestion(name=""))


class TestLaunchRun:
    def test_the_spec_arrives(self, client: LocationClient, backend: Backend) -> None:
        client.launch_run(a_launch())
        assert backend.launched == [a_launch()]

    @pytest.mark.parametrize(
        ("changes", "paths"),
        [({"run_id": "x"}, ["run_id"]), ({"run_id": RUN.upper(), "epoch": 0}, ["run_id", "epoch"]), ({"run_id": ""}, [])],
    )
    def test_malformed(self, client: LocationClient, backend: Backend, changes: dict[str, object], paths: list[str]) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            client.launch_run(a_launch(**changes))
        if paths:
            assert [problem.path for problem in caught.value.problems] == [
                path for path in paths if path != "run_id" or changes["run_id"] != RUN
            ]
        assert backend.launched == []


class TestCancelRun:
    def test_found_or_not(self, client: LocationClient) -> None:
        assert client.cancel_run(RUN, 2) is True
        assert client.cancel_run(RUN, 1) is False
        assert client.cancel_run(RUN, 2, hard=True) is False
        assert client.cancel_run(OTHER_RUN, 2) is False

    def test_malformed(self, client: LocationClient) -> None:
        with pytest.raises(InvalidRequestError, match="malformed run_id and epoch"):
            client.cancel_run(RunId("nonsense"), 0)


class TestListActiveRuns:
    def test_workers(self, client: LocationClient) -> None:
        assert client.active_runs() == (ActiveRun(run_id=RUN, epoch=2, pid=77, started_at=NOW),)

    def test_bytes_that_are_no_message(self, address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(f"/{SERVICE}/ListActiveRuns", None, None)
            assert code_of(lambda: call(b"\xff\xff", timeout=20))[0] is grpc.StatusCode.INVALID_ARGUMENT


class TestReportEvents:
    def test_batches_are_committed(self, client: LocationClient, backend: Backend) -> None:
        assert client.report_events(a_batch(seq) for seq in range(1, 6)) == 5
        assert [batch.events[0].seq for batch in backend.batches] == [1, 2, 3, 4, 5]
        assert backend.batches[0].events[0].payload.message == "event 1 ?"  # type: ignore[union-attr]
        assert client.report_events([]) is None

    def test_a_newer_attempt_owns_the_run(self, client: LocationClient, backend: Backend) -> None:
        with pytest.raises(FencedError):
            client.report_events([a_batch(1, epoch=1)])
        assert backend.batches == []

    def test_bad_batches(self, client: LocationClient, stub: CodeServerServiceStub) -> None:
        with pytest.raises(InvalidRequestError, match="malformed run_id"):
            client.report_events([a_batch(1, run_id="x")])
        with pytest.raises(InvalidRequestError, match="one attempt of one run"):
            client.report_events([a_batch(1), a_batch(2, epoch=3)])
        broken = events_pb2.EventBatch(run_id=RUN, epoch=2, events=[{"seq": 1, "asset_failed": {}}])
        assert (
            code_of(lambda: stub.ReportEvents(iter([pb.ReportEventsRequest(batch=broken)]), timeout=20))[0]
            is grpc.StatusCode.INVALID_ARGUMENT
        )


class TestReload:
    def test_a_load_error_is_data(self, client: LocationClient) -> None:
        status = client.reload()
        assert (status.state, status.error, status.digest) == (LocationState.ERROR, INFO, STATUS.digest)

    def test_it_may_be_refused(self, client: LocationClient, backend: Backend) -> None:
        backend.failure = ConflictError("A reload is under way")
        with pytest.raises(ConflictError, match="under way"):
            client.reload()


ERRORS: list[tuple[BaseException, grpc.StatusCode]] = [
    (NotFoundError("job", "x", known=["xy"], where="flights"), grpc.StatusCode.NOT_FOUND),
    (InvalidRequestError("no", problems=[Problem(path="p", message="m", value={"a": object()})]), grpc.StatusCode.INVALID_ARGUMENT),
    (ConflictError("no"), grpc.StatusCode.FAILED_PRECONDITION),
    (DefinitionError("no", source=SourceRef(file="f.py", line=3), mend="do it"), grpc.StatusCode.FAILED_PRECONDITION),
    (UnavailableError("no"), grpc.StatusCode.UNAVAILABLE),
    (DeadlineError("no"), grpc.StatusCode.DEADLINE_EXCEEDED),
    (FencedError(), grpc.StatusCode.ABORTED),
    (UserCodeError(INFO, doing="x"), grpc.StatusCode.UNKNOWN),
    (SettingsError("no"), grpc.StatusCode.INTERNAL),
    (DagwrightError("nø\n☃"), grpc.StatusCode.INTERNAL),
]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "")
class TestErrors:
    def test_over_a_channel(
        self, client: LocationClient, stub: CodeServerServiceStub, backend: Backend, error: DagwrightError, code: grpc.StatusCode
    ) -> None:
        backend.failure = error
        with pytest.raises(type(error)) as caught:
            client.reload()
        assert type(caught.value) is type(error)
        assert caught.value.message == error.message
        assert code_of(lambda: stub.Reload(pb.ReloadRequest(), timeout=20))[0] is code

    def test_over_a_pipe(self, error: DagwrightError, code: grpc.StatusCode) -> None:
        got = error_from_bytes(error_to_bytes(error))
        assert type(got) is type(error)
        assert got.message == error.message
        for field in ("kind", "name", "suggestion", "source", "mend", "info", "doing"):
            assert getattr(got, field, None) == getattr(error, field, None)


def test_an_exception_of_user_code_over_a_pipe() -> None:
    try:
        raise KeyError("caf\udce9")
    except KeyError as error:
        got = error_from_bytes(error_to_bytes(error))
    assert isinstance(got, UserCodeError)
    assert "KeyError" in got.info.class_name
    assert "damaged" in error_from_bytes(b"\xff").message


def test_a_fault_of_the_server_is_told_without_a_traceback(
    client: LocationClient, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.failure = ZeroDivisionError("division by zero")
    with (
        caplog.at_level(logging.ERROR, "dagwright.wire"),
        pytest.raises(DagwrightError, match="A fault in the code server: ZeroDivisionError") as caught,
    ):
        client.location()
    assert "Traceback" not in caught.value.message
    assert caplog.records[0].exc_info is not None


def test_a_huge_error_arrives_cut(client: LocationClient, backend: Backend) -> None:
    frames = tuple(Frame(file="f" * 1000, line=i, function="g") for i in range(50))
    info = ErrorInfo(class_name="E", message="m" * 20_000, frames=frames)
    backend.failure = UserCodeError(info)
    with pytest.raises(UserCodeError) as whole:
        client.reload()
    assert whole.value.info == info
    backend.failure = UserCodeError(ErrorInfo(class_name="E", message="m" * 20_000, frames=frames, metadata={"k": "x" * 2_000_000}))
    with pytest.raises(UserCodeError) as cut:
        client.reload()
    assert cut.value.info.class_name == "E"
    assert len(cut.value.info.frames) == 20


def test_text_that_cannot_be_encoded(client: LocationClient, backend: Backend) -> None:
    backend.failure = ConflictError("caf\udce9")
    with pytest.raises(DagwrightError, match="caf\\?"):
        client.reload()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class TestConnections:
    def test_nobody_there(self) -> None:
        port = free_port()
        with LocationClient(f"127.0.0.1:{port}") as client:
            started = time.monotonic()
            with pytest.raises(UnavailableError, match=f"code server at 127.0.0.1:{port} does not answer.*check that it runs") as caught:
                client.location()
            assert time.monotonic() - started < 5
            assert not isinstance(caught.value, DeadlineError)

    def test_a_deadline_on_every_call(self) -> None:
        """A listener that accepts and says nothing."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            short = Timeouts(read=0.2, snapshot=0.2, ask=0.2, launch=0.2, cancel=0.2, reload=0.2, report=0.2)
            with LocationClient(address, timeouts=short) as client:
                calls: list[Callable[[], object]] = [
                    client.location,
                    client.snapshot,
                    client.active_runs,
                    client.reload,
                    lambda: client.plan_run(PlanQuestion()),
                    lambda: client.validate_run_config(PlanQuestion()),
                    lambda: client.evaluate_schedule(ScheduleQuestion(name="s", scheduled_for=NOW)),
                    lambda: client.evaluate_sensor(SensorQuestion(name="s")),
                    lambda: client.launch_run(a_launch()),
                    lambda: client.cancel_run(RUN, 1),
                    lambda: client.report_events([a_batch(1)]),
                ]
                for call in calls:
                    with pytest.raises(DeadlineError):
                        call()

    def test_a_restarted_server_is_found_again(self, backend: Backend) -> None:
        address = f"127.0.0.1:{free_port()}"
        server = serve(backend, address)
        with LocationClient(address) as client:
            assert client.location() == STATUS
            server.stop(grace=None).wait()
            with pytest.raises(UnavailableError):
                client.location()
            server = serve(backend, address)
            deadline = time.monotonic() + 20
            while True:
                try:
                    assert client.location() == STATUS
                    break
                except UnavailableError:
                    assert time.monotonic() < deadline
        server.stop(grace=None).wait()

    def test_port_in_use(self, address: str, backend: Backend) -> None:
        with pytest.raises(SettingsError, match=f"cannot listen on {address}.*choose another port"):
            serve(backend, address)

    def test_no_such_address(self, backend: Backend) -> None:
        with pytest.raises(SettingsError, match="cannot listen"):
            serve(backend, "203.0.113.1:4000")

    def test_unix_socket(self, backend: Backend, tmp_path: os.PathLike[str]) -> None:
        address = f"unix:{tmp_path}/code.sock"
        server = serve(backend, address)
        with LocationClient(address) as client:
            assert client.location() == STATUS
        server.stop(grace=None).wait()

    def test_a_closed_client_says_so(self, client: LocationClient) -> None:
        client.close()
        with pytest.raises(UnavailableError, match="closed"):
            client.location()


def test_health(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", SERVICE):
            assert stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=20).status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_service(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=20)
        assert SERVICE in {service.name for service in answer.list_services_response.service}
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)
        (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=20)
        assert len(answer.file_descriptor_response.file_descriptor_proto) >= 1


def test_every_method_is_served(address: str) -> None:
    """A method of the contract without a handler would answer UNIMPLEMENTED."""
    service = pb.DESCRIPTOR.services_by_name["CodeServerService"]
    with grpc.insecure_channel(address) as channel:
        for method in service.methods:
            call = channel.stream_stream(f"/{SERVICE}/{method.name}", None, None)(iter([b"\xff"]), timeout=20)
            with pytest.raises(grpc.RpcError) as caught:
                list(call)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, method.name


def test_events_of_a_finished_run(client: LocationClient, backend: Backend) -> None:
    last = RunEvent(seq=9, time=NOW, payload=RunSucceeded())
    assert client.report_events([a_batch(8), EventBatch(run_id=RUN, epoch=2, events=(last,))]) == 9
    assert backend.batches[-1].events == (last,)
