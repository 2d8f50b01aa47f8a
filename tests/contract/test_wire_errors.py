"""Errors over a real channel and over a pipe; connections that do not come about, break, and come back."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable

import grpc
import pytest
from tests.contract.wire_backend import (
    INFO,
    NOW,
    RUN,
    STATUS,
    Backend,
    a_batch,
    a_launch,
    code_of,
)
from tests.ports import free_port

from dagwright_api.v1 import code_server_service_pb2 as pb
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
from dagwright_shared.model.ticks import PlanQuestion, ScheduleQuestion, SensorQuestion
from dagwright_shared.wire.client import LocationClient, Timeouts
from dagwright_shared.wire.errors import error_from_bytes, error_to_bytes
from dagwright_shared.wire.serving import serve

pytestmark = pytest.mark.contract

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
        assert code_of(lambda: stub.Reload(pb.ReloadRequest(), timeout=60))[0] is code

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


class TestConnections:
    def test_nobody_there(self) -> None:
        port = free_port()
        with LocationClient(f"127.0.0.1:{port}") as client:
            started = time.monotonic()
            with pytest.raises(UnavailableError, match=f"code server at 127.0.0.1:{port} does not answer.*check that it runs") as caught:
                client.location()
            assert time.monotonic() - started < 30, "it does not wait for the deadline of the call"
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
            deadline = time.monotonic() + 60
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
