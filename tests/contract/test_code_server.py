"""Each method of the service against a real code server: its location, its questions to user code, health and reflection."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.contract.code_server import CodeServer, alive, until
from tests.contract.wire_backend import code_of

from dagwright_api.v1 import code_server_service_pb2 as pb
from dagwright_api.v1 import errors_pb2, evaluation_pb2
from dagwright_shared.model.errors import InvalidRequestError, Problem, UserCodeError
from dagwright_shared.model.keys import AssetKey, Digest
from dagwright_shared.model.snapshot import LocationState, LocationStatus
from dagwright_shared.model.ticks import PlanQuestion, ScheduleQuestion, SensorQuestion
from dagwright_shared.wire.evaluation import encode_evaluate_schedule_request, encode_plan_run_request
from dagwright_shared.wire.serving import SERVICE
from dagwright_shared.wire.snapshot import decode_snapshot, digest_of

pytestmark = [pytest.mark.contract, pytest.mark.xdist_group("code-server")]
Code = grpc.StatusCode
NOON = datetime(2026, 3, 29, 4, 0, tzinfo=UTC)
SOURCE = (Path(__file__).parents[1] / "locations" / "service.py").read_text()


@pytest.fixture
def edited(server: CodeServer) -> Iterator[Path]:
    """The user's file, put back and loaded again at the end."""
    yield server.file
    server.file.write_text(SOURCE)
    assert server.client.reload().state is LocationState.LOADED


class TestGetLocation:
    def test_loaded(self, server: CodeServer) -> None:
        status = server.client.location()
        assert (status.state, status.location, status.error, status.spawn_reason) == (LocationState.LOADED, "service", None, None)
        assert status.digest is not None
        assert status.load_seconds is not None
        assert status.server_id

    def test_bytes_that_are_no_request(self, server: CodeServer) -> None:
        call = server.channel.unary_unary(f"/{SERVICE}/GetLocation")
        code, detail = code_of(lambda: call(b"\xff\xff\xff", timeout=60))
        assert (code, detail.kind) == (Code.INVALID_ARGUMENT, errors_pb2.ERROR_KIND_INVALID_REQUEST)

    def test_a_method_that_does_not_exist(self, server: CodeServer) -> None:
        with pytest.raises(grpc.RpcError) as caught:
            server.channel.unary_unary(f"/{SERVICE}/GetNothing")(b"", timeout=60)
        assert caught.value.code() is Code.UNIMPLEMENTED


class TestGetSnapshot:
    def test_whole(self, server: CodeServer) -> None:
        got = server.client.snapshot()
        assert got is not None
        digest, data = got
        assert digest == digest_of(data) == server.client.location().digest
        snapshot = decode_snapshot(data)
        assert {asset.key.to_user_string() for asset in snapshot.assets} == {
            AssetKey("daily").to_user_string(),
            AssetKey("plain").to_user_string(),
        }
        assert {job.name for job in snapshot.jobs} >= {"small", "held_job", "configured_job"}
        assert {sensor.name for sensor in snapshot.sensors} == {"counts", "tells_process", "breaks", "exits"}

    def test_if_digest_differs(self, server: CodeServer) -> None:
        digest = server.client.location().digest
        assert digest is not None
        assert server.client.snapshot(if_digest_differs=digest) is None
        (only,) = server.stub.GetSnapshot(pb.GetSnapshotRequest(if_digest_differs=digest), timeout=60)
        assert (only.header.unchanged, only.header.total_bytes) == (True, 0)
        assert server.client.snapshot(if_digest_differs=Digest("no digest at all")) is not None


class TestWatchAndReload:
    def test_changes_and_load_errors_arrive_at_once(self, server: CodeServer, edited: Path) -> None:
        seen: queue.Queue[LocationStatus] = queue.Queue()
        call = server.stub.WatchLocation(pb.WatchLocationRequest(), timeout=120)

        def read() -> None:
            try:
                for message in call:
                    seen.put(message.status)
            except grpc.RpcError:
                pass  # canceled below

        thread = threading.Thread(target=read)
        thread.start()
        try:
            first = seen.get(timeout=60)
            edited.write_text(SOURCE.replace("def plain()", "def renamed()").replace("daily, plain", "daily, renamed"))
            assert server.client.reload().digest != first.digest
            second = seen.get(timeout=60)
            assert second.digest not in ("", first.digest)
            edited.write_text(SOURCE + "\nraise RuntimeError('not today')\n")
            server.client.reload()
            third = seen.get(timeout=60)
            assert third.error.message == "not today"
            assert third.digest == second.digest, "what loaded last is still served"
        finally:
            call.cancel()
            thread.join(60)

    def test_a_broken_file_is_told_with_file_and_line_and_the_old_code_serves_on(self, server: CodeServer, edited: Path) -> None:
        before = server.client.location().digest
        edited.write_text(SOURCE + "\n\ndef broken(:\n    pass\n")
        status = server.client.reload()
        assert (status.state, status.digest) == (LocationState.ERROR, before)
        assert status.error is not None
        assert status.error.class_name == "SyntaxError"
        frame = status.error.frames[-1]
        assert (frame.file, frame.line) == (str(edited), len(SOURCE.splitlines()) + 3)
        got = server.client.snapshot()
        assert got is not None
        assert got[0] == before
        assert [step.key for step in server.client.plan_run(PlanQuestion(job_name="small"))] == ["one", "two"]

        edited.write_text(SOURCE)
        mended = server.client.reload()
        assert (mended.state, mended.error, mended.digest) == (LocationState.LOADED, None, before)

    def test_a_definition_error_names_the_object_and_the_mend(self, server: CodeServer, edited: Path) -> None:
        edited.write_text(SOURCE.replace("assets=[daily, plain]", "assets=[daily, plain, plain_again]").replace(
            "@dg.schedule", "@dg.asset(name='plain')\ndef plain_again() -> int:\n    return 2\n\n\n@dg.schedule", 1))  # fmt: skip
        status = server.client.reload()
        assert status.state is LocationState.ERROR
        assert status.error is not None
        assert "plain" in status.error.message
        assert str(edited) in status.error.message
        assert status.error.hint

    def test_code_that_ends_the_process_while_it_is_imported(self, server: CodeServer, edited: Path) -> None:
        before = server.client.location().digest
        edited.write_text("import os\nos._exit(7)\n")
        status = server.client.reload()
        assert (status.state, status.digest) == (LocationState.ERROR, before)
        assert status.error is not None
        assert "ended while it was importing" in status.error.message
        assert server.client.plan_run(PlanQuestion(job_name="small")), "the old code serves on"


class TestPlanRun:
    def test_steps_of_a_job(self, server: CodeServer) -> None:
        first, second = server.client.plan_run(PlanQuestion(job_name="small"))
        assert (first.key, first.depends_on) == ("one", ())
        assert (second.key, second.depends_on) == ("two", ("one",))

    def test_steps_of_assets(self, server: CodeServer) -> None:
        (step,) = server.client.plan_run(PlanQuestion(asset_keys=(AssetKey("daily"),), partition=("2024-01-05",)))
        assert step.asset_keys == (AssetKey("daily"),)

    def test_unknown_job(self, server: CodeServer) -> None:
        code, detail = code_of(lambda: server.stub.PlanRun(plan_message(PlanQuestion(job_name="smal")), timeout=60))
        assert (code, detail.kind) == (Code.NOT_FOUND, errors_pb2.ERROR_KIND_NOT_FOUND)
        assert (detail.missing.kind, detail.missing.name, detail.missing.suggestion) == ("job", "smal", "small")

    def test_unknown_asset(self, server: CodeServer) -> None:
        question = PlanQuestion(asset_keys=(AssetKey("plane"),))
        code, detail = code_of(lambda: server.stub.PlanRun(plan_message(question), timeout=60))
        assert code is Code.INVALID_ARGUMENT
        (problem,) = detail.problems
        assert (problem.path, problem.suggestion) == ("assets", "plain")

    def test_bad_config(self, server: CodeServer) -> None:
        config = {"ops": {"configured": {"config": {"limit": "many", "labell": "x"}}}}
        question = PlanQuestion(job_name="configured_job", config=config)
        code, detail = code_of(lambda: server.stub.PlanRun(plan_message(question), timeout=60))
        assert (code, detail.kind) == (Code.INVALID_ARGUMENT, errors_pb2.ERROR_KIND_INVALID_REQUEST)
        with pytest.raises(InvalidRequestError) as caught:
            server.client.plan_run(question)
        check_config_problems(caught.value.problems)

    @pytest.mark.parametrize("partition", [(), ("2024-13-01",), ("2025-01-01",), ("2024-01-05", "x")])
    def test_a_partition_that_does_not_fit(self, server: CodeServer, partition: tuple[str, ...]) -> None:
        question = PlanQuestion(asset_keys=(AssetKey("daily"),), partition=partition)
        code, detail = code_of(lambda: server.stub.PlanRun(plan_message(question), timeout=60))
        assert code is Code.INVALID_ARGUMENT
        assert [problem.path for problem in detail.problems] == ["partition"]
        assert detail.problems[0].expected

    def test_a_partition_for_what_has_none(self, server: CodeServer) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            server.client.plan_run(PlanQuestion(job_name="small", partition=("2024-01-05",)))
        assert caught.value.problems[0].path == "partition"

    def test_nothing_asked_for(self, server: CodeServer) -> None:
        code, _ = code_of(lambda: server.stub.PlanRun(evaluation_pb2.PlanRunRequest(), timeout=60))
        assert code is Code.INVALID_ARGUMENT


class TestValidateRunConfig:
    def test_defaults_are_filled_in(self, server: CodeServer) -> None:
        config = {"ops": {"configured": {"config": {"label": "x"}}}}
        whole = server.client.validate_run_config(PlanQuestion(job_name="configured_job", config=config))
        assert whole["ops"] == {"configured": {"config": {"limit": 5, "label": "x"}}}

    def test_each_problem(self, server: CodeServer) -> None:
        config = {"ops": {"configured": {"config": {"limit": "many", "labell": "x"}}}}
        with pytest.raises(InvalidRequestError) as caught:
            server.client.validate_run_config(PlanQuestion(job_name="configured_job", config=config))
        check_config_problems(caught.value.problems)

    def test_unknown_op(self, server: CodeServer) -> None:
        config = {"ops": {"configurd": {"config": {"label": "x"}}}}
        with pytest.raises(InvalidRequestError) as caught:
            server.client.validate_run_config(PlanQuestion(job_name="configured_job", config=config))
        by_path = {problem.path: problem for problem in caught.value.problems}
        assert by_path["config.ops.configurd"].suggestion == "configured"


class TestEvaluateSchedule:
    def test_requests(self, server: CodeServer) -> None:
        evaluation = server.client.evaluate_schedule(ScheduleQuestion(name="morning", scheduled_for=NOON))
        (request,) = evaluation.requests
        assert request.run_key == "2026-03-29 06:00", "in the time zone of the schedule, an hour after its clocks changed"
        assert request.tags["who"] == "morning"
        assert request.config == {"ops": {"configured": {"config": {"limit": 7, "label": "x"}}}}
        assert any("it is 2026-03-29" in line for line in evaluation.logs)

    def test_it_raises(self, server: CodeServer) -> None:
        code, detail = code_of(lambda: server.stub.EvaluateSchedule(schedule_message("raises"), timeout=60))
        assert (code, detail.kind) == (Code.UNKNOWN, errors_pb2.ERROR_KIND_USER_CODE)
        assert (detail.error.class_name, detail.error.message) == ("RuntimeError", "no such thing")
        assert detail.error.cause.class_name == "KeyError"
        frame = detail.error.frames[-1]
        assert (frame.file, frame.function) == (str(server.file), "raises")
        assert SOURCE.splitlines()[frame.line - 1].strip() == frame.source

    def test_unknown(self, server: CodeServer) -> None:
        code, detail = code_of(lambda: server.stub.EvaluateSchedule(schedule_message("mornin"), timeout=60))
        assert (code, detail.missing.kind, detail.missing.suggestion) == (Code.NOT_FOUND, "schedule", "morning")

    def test_one_that_hangs_is_killed_with_all_that_it_started(self, server: CodeServer) -> None:
        question = schedule_message("hangs")
        answers: queue.Queue[tuple[grpc.StatusCode, errors_pb2.ErrorDetail]] = queue.Queue()
        thread = threading.Thread(target=lambda: answers.put(code_of(lambda: server.stub.EvaluateSchedule(question, timeout=5))))
        thread.start()
        pid, sleeper = server.announced("hangs"), server.announced("sleeper")
        code, detail = answers.get(timeout=60)
        thread.join()
        assert (code, detail.kind) == (Code.DEADLINE_EXCEEDED, errors_pb2.ERROR_KIND_DEADLINE)
        assert "killed" in detail.message
        until(lambda: not alive(pid) and not alive(sleeper), "the processes to end", 5)
        assert server.client.evaluate_schedule(ScheduleQuestion(name="morning", scheduled_for=NOON)).requests

    def test_one_that_ends_its_process(self, server: CodeServer) -> None:
        code, detail = code_of(lambda: server.stub.EvaluateSchedule(schedule_message("leaves"), timeout=60))
        assert (code, detail.kind) == (Code.UNKNOWN, errors_pb2.ERROR_KIND_USER_CODE)
        assert detail.error.class_name == "ProcessDied"
        assert server.client.location().spawn_reason is None

    def test_what_it_prints_is_kept_up_to_a_limit(self, server: CodeServer) -> None:
        evaluation = server.client.evaluate_schedule(ScheduleQuestion(name="talks", scheduled_for=NOON))
        assert evaluation.skip_reason == "talked enough"
        assert evaluation.logs[0] == "line 0 of very many"
        assert "dropped" in evaluation.logs[-1]
        assert sum(map(len, evaluation.logs)) < 80_000


class TestEvaluateSensor:
    def test_cursor_and_run_keys(self, server: CodeServer) -> None:
        first = server.client.evaluate_sensor(SensorQuestion(name="counts"))
        assert first.cursor == "1"
        assert [(request.run_key, request.tags["letter"]) for request in first.requests] == [("file-0-a", "a"), ("file-0-b", "b")]
        second = server.client.evaluate_sensor(SensorQuestion(name="counts", cursor=first.cursor))
        assert [request.run_key for request in second.requests] == ["file-1-a", "file-1-b"]
        third = server.client.evaluate_sensor(SensorQuestion(name="counts", cursor=second.cursor))
        assert (third.requests, third.skip_reason) == ((), "nothing after 2")

    @pytest.mark.parametrize(("name", "kind"), [("breaks", "ZeroDivisionError"), ("exits", "SystemExit")])
    def test_it_raises(self, server: CodeServer, name: str, kind: str) -> None:
        with pytest.raises(UserCodeError) as caught:
            server.client.evaluate_sensor(SensorQuestion(name=name))
        assert caught.value.info.class_name == kind

    def test_a_cursor_that_it_cannot_read(self, server: CodeServer) -> None:
        with pytest.raises(UserCodeError, match="invalid literal for int"):
            server.client.evaluate_sensor(SensorQuestion(name="counts", cursor="not a number"))

    def test_unknown(self, server: CodeServer) -> None:
        message = evaluation_pb2.EvaluateSensorRequest(name="count")
        code, detail = code_of(lambda: server.stub.EvaluateSensor(message, timeout=60))
        assert (code, detail.missing.kind, detail.missing.suggestion) == (Code.NOT_FOUND, "sensor", "counts")


class TestHealthAndReflection:
    @pytest.mark.parametrize("name", ["", SERVICE])
    def test_health(self, server: CodeServer, name: str) -> None:
        answer = health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    def test_health_of_an_unknown_service(self, server: CodeServer) -> None:
        with pytest.raises(grpc.RpcError) as caught:
            health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest(service="x"), timeout=60)
        assert caught.value.code() is Code.NOT_FOUND

    def test_reflection(self, server: CodeServer) -> None:
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = reflection_pb2_grpc.ServerReflectionStub(server.channel).ServerReflectionInfo(iter([request]), timeout=60)
        assert SERVICE in {service.name for service in answer.list_services_response.service}


def plan_message(question: PlanQuestion) -> evaluation_pb2.PlanRunRequest:
    return evaluation_pb2.PlanRunRequest.FromString(encode_plan_run_request(question))


def schedule_message(name: str) -> evaluation_pb2.EvaluateScheduleRequest:
    encoded = encode_evaluate_schedule_request(ScheduleQuestion(name=name, scheduled_for=NOON))
    return evaluation_pb2.EvaluateScheduleRequest.FromString(encoded)


def check_config_problems(problems: tuple[Problem, ...]) -> None:
    """Of a limit that is no number and a label that is misspelt."""
    by_path = {problem.path: problem for problem in problems}
    limit = by_path["config.ops.configured.config.limit"]
    assert limit.value == "many"
    assert limit.expected is not None
    assert "integer" in limit.expected
    assert by_path["config.ops.configured.config.labell"].suggestion == "label"
