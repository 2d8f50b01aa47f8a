"""Client and server over a real channel, one group of tests for each method, with good and bad input."""

from __future__ import annotations

import queue
import random
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.contract.wire_backend import (
    INFO,
    NOW,
    OTHER_RUN,
    RUN,
    STATUS,
    STEPS,
    Backend,
    a_batch,
    a_launch,
    code_of,
)

from dagwright_api.v1 import code_server_service_pb2 as pb
from dagwright_api.v1 import evaluation_pb2, events_pb2
from dagwright_api.v1.code_server_service_pb2_grpc import CodeServerServiceStub
from dagwright_shared.model.errors import (
    ConflictError,
    FencedError,
    InvalidRequestError,
    NotFoundError,
    Problem,
    UnavailableError,
    UserCodeError,
)
from dagwright_shared.model.events import EventBatch, RunEvent, RunSucceeded
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import AssetKey, Digest, RunId
from dagwright_shared.model.runs import ActiveRun
from dagwright_shared.model.snapshot import AssetSnapshot, LocationSnapshot, LocationState, LocationStatus
from dagwright_shared.model.ticks import Evaluation, PlanQuestion, RunRequestData, ScheduleQuestion, SensorQuestion
from dagwright_shared.wire.client import LocationClient, Timeouts
from dagwright_shared.wire.serving import SERVICE, bind
from dagwright_shared.wire.snapshot import decode_snapshot, digest_of, encode_snapshot

pytestmark = pytest.mark.contract


class TestGetLocation:
    def test_state(self, client: LocationClient) -> None:
        assert client.location() == STATUS

    def test_generated_stub(self, stub: CodeServerServiceStub) -> None:
        assert stub.GetLocation(pb.GetLocationRequest(), timeout=60).status.location == "flights"


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
        parts = list(stub.GetSnapshot(pb.GetSnapshotRequest(), timeout=60))
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
        assert seen.get(timeout=60) == STATUS
        changed = LocationStatus(location=STATUS.location, server_id="s1", state=LocationState.ERROR, error=INFO)
        backend.changes.put(changed)
        assert seen.get(timeout=60) == changed
        client.close()
        assert seen.get(timeout=60) is None
        thread.join(60)
        assert backend.stopped_watching.wait(60)

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
                assert backend.watching.acquire(timeout=60)
            assert client.location() == STATUS
            for watch in watches:
                watch.close()


class TestPlanRun:
    def test_steps(self, client: LocationClient, backend: Backend) -> None:
        assert client.plan_run(PlanQuestion(job_name="nightly")) == STEPS
        client.plan_run(PlanQuestion(job_name="nightly"), timeout=20)
        # The server stops a little before the caller does, so that the caller learns why.
        assert 10 < backend.timeouts[-1] < 20

    def test_unknown_job(self, client: LocationClient) -> None:
        with pytest.raises(NotFoundError, match="There is no job 'nightley'; did you mean 'nightly'\\?") as caught:
            client.plan_run(PlanQuestion(job_name="nightley"))
        assert (caught.value.kind, caught.value.name, caught.value.suggestion) == ("job", "nightley", "nightly")

    def test_malformed(self, stub: CodeServerServiceStub) -> None:
        question = evaluation_pb2.PlanQuestion(asset_keys=[{"path": ["a/b"]}])
        code, detail = code_of(lambda: stub.PlanRun(evaluation_pb2.PlanRunRequest(question=question), timeout=60))
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
        assert code_of(lambda: stub.ValidateRunConfig(request, timeout=60))[0] is grpc.StatusCode.INVALID_ARGUMENT


class TestEvaluateSchedule:
    def test_requests(self, client: LocationClient) -> None:
        answer = client.evaluate_schedule(ScheduleQuestion(name="daily", scheduled_for=NOW))
        assert answer == Evaluation(requests=(RunRequestData(run_key=NOW.isoformat()),), logs=("daily",))

    def test_bad_requests(self, stub: CodeServerServiceStub) -> None:
        for request in (
            evaluation_pb2.EvaluateScheduleRequest(name="daily"),
            evaluation_pb2.EvaluateScheduleRequest(scheduled_for={"seconds": 1}),
        ):
            assert code_of(lambda request=request: stub.EvaluateSchedule(request, timeout=60))[0] is grpc.StatusCode.INVALID_ARGUMENT

    def test_user_code_raises(self, client: LocationClient, backend: Backend, stub: CodeServerServiceStub) -> None:
        backend.failure = UserCodeError(INFO, doing="evaluating schedule daily")
        with pytest.raises(UserCodeError, match="evaluating schedule daily: ValueError: boom") as caught:
            client.evaluate_schedule(ScheduleQuestion(name="daily", scheduled_for=NOW))
        assert caught.value.info == INFO
        request = evaluation_pb2.EvaluateScheduleRequest(name="daily", scheduled_for={"seconds": 1})
        code, detail = code_of(lambda: stub.EvaluateSchedule(request, timeout=60))
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
            assert code_of(lambda: call(b"\xff\xff", timeout=60))[0] is grpc.StatusCode.INVALID_ARGUMENT


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
            code_of(lambda: stub.ReportEvents(iter([pb.ReportEventsRequest(batch=broken)]), timeout=60))[0]
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


def test_health(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", SERVICE):
            assert stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=60).status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_service(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=60)
        assert SERVICE in {service.name for service in answer.list_services_response.service}
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)
        (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=60)
        assert len(answer.file_descriptor_response.file_descriptor_proto) >= 1


def test_every_method_is_served(address: str) -> None:
    """A method of the contract without a handler would answer UNIMPLEMENTED."""
    service = pb.DESCRIPTOR.services_by_name["CodeServerService"]
    with grpc.insecure_channel(address) as channel:
        for method in service.methods:
            call = channel.stream_stream(f"/{SERVICE}/{method.name}", None, None)(iter([b"\xff"]), timeout=60)
            with pytest.raises(grpc.RpcError) as caught:
                list(call)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, method.name


def test_events_of_a_finished_run(client: LocationClient, backend: Backend) -> None:
    last = RunEvent(seq=9, time=NOW, payload=RunSucceeded())
    assert client.report_events([a_batch(8), EventBatch(run_id=RUN, epoch=2, events=(last,))]) == 9
    assert backend.batches[-1].events == (last,)
