"""A code server on a gRPC server: the service, health and reflection. The backend knows no protobuf and no gRPC."""

from __future__ import annotations

import logging
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NoReturn, Protocol, TypeAlias

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from dagwright_api.v1 import code_server_service_pb2 as pb
from dagwright_api.v1 import evaluation_pb2 as pb_evaluation
from dagwright_shared.model.channels import OPEN, ChannelSecurity
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DagwrightError, FencedError, InvalidRequestError, Problem, SettingsError, UnavailableError
from dagwright_shared.model.events import EventBatch
from dagwright_shared.model.keys import Digest, RunId
from dagwright_shared.model.runs import ActiveRun, LaunchSpec
from dagwright_shared.model.snapshot import LocationStatus
from dagwright_shared.wire.errors import encode_detail
from dagwright_shared.wire.evaluation import decode_launch_spec, encode_active_run
from dagwright_shared.wire.events import decode_batch_message
from dagwright_shared.wire.snapshot import encode_status
from dagwright_shared.wire.status import METADATA_OPTIONS, to_status
from dagwright_shared.wire.values import parse

log = logging.getLogger("dagwright.wire")

SERVICE = pb.DESCRIPTOR.services_by_name["CodeServerService"].full_name
_CHUNK_BYTES = 1 << 20
_MAX_STREAMS = 128
_DEFAULT_SECONDS = 60.0

_OPTIONS = (
    # A second server on the port is to fail, not to share it.
    ("grpc.so_reuseport", 0),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.max_receive_message_length", 64 << 20),
    # Watchers that vanished without a word are found within 40 s; clients may ask as often.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    *METADATA_OPTIONS,
)


class Ask(StrEnum):
    """The questions that user code answers."""

    PLAN_RUN = "plan_run"
    VALIDATE_RUN_CONFIG = "validate_run_config"
    EVALUATE_SCHEDULE = "evaluate_schedule"
    EVALUATE_SENSOR = "evaluate_sensor"
    VERIFY_DELIVERY = "verify_delivery"


@dataclass(frozen=True, slots=True)
class Asked:
    """One of many questions."""

    method: Ask
    name: str
    """The schedule or sensor."""
    request: bytes


Answers: TypeAlias = Sequence[tuple[int, bytes | DagwrightError]]
"""By number of the question: the response message, or what went wrong."""


class CodeServerBackend(Protocol):
    """What is behind the service. Methods are called from many threads, and raise errors of `model.errors`."""

    def location(self) -> LocationStatus:
        """The state now."""

    def snapshot(self) -> tuple[Digest, bytes]:
        """The newest snapshot that loaded, as `wire.snapshot` encodes it. ConflictError while there is none."""

    def watch(self, stop: Callable[[], bool]) -> Iterator[LocationStatus]:
        """The state now and after each change, until `stop()`; it must look at `stop` every few seconds."""

    def ask(self, method: Ask, request: bytes, timeout: float) -> bytes:
        """Let user code answer: the request message as it came, to the response message as it goes."""

    def ask_all(self, asked: Sequence[Asked], timeout: float, stop: Callable[[], bool]) -> Iterator[Answers]:
        """Let user code answer many questions, each within `timeout` seconds, until `stop()`; tell what is known as soon as it is."""

    def launch(self, spec: LaunchSpec) -> None:
        """Start a worker. The same epoch again changes nothing."""

    def cancel(self, run_id: RunId, epoch: int, *, hard: bool) -> bool:
        """Stop a worker; whether there was one of that epoch."""

    def active_runs(self) -> list[ActiveRun]:
        """The workers."""

    def report(self, batch: EventBatch) -> int | None:
        """Commit events of a remote worker: the number of the last committed one, None when a newer attempt owns the run."""

    def reload(self) -> LocationStatus:
        """Load the definitions again; the state after it."""


def serve(backend: CodeServerBackend, address: str, *, max_workers: int = 32) -> grpc.Server:
    """Bind, start and return the server.

    Args:
        address: `host:port` or `unix:path`.
        max_workers: threads for calls that are answered at once. Streams have threads of their own.

    Raises:
        SettingsError: the address cannot be bound, such as a port in use.
    """
    server, _ = bind(backend, address, max_workers=max_workers)
    server.start()
    return server


def bind(backend: CodeServerBackend, address: str, *, max_workers: int = 32, security: ChannelSecurity = OPEN) -> tuple[grpc.Server, int]:
    """As `serve`, without starting it; with the port, which the system picks for `host:0`.

    Args:
        security: what callers must show, and what is shown to them.
    """
    gate: list[Any] = [_Gate(security)] if security.token is not None else []
    server = grpc.server(ThreadPoolExecutor(max_workers, thread_name_prefix="call"), options=_OPTIONS, interceptors=gate)
    handlers = _Handlers(backend).by_method()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    checks = health.HealthServicer(experimental_non_blocking=True, experimental_thread_pool=ThreadPoolExecutor(1))
    for name in ("", SERVICE):
        checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    _check_free(address)
    try:
        port = _add_port(server, address, security)
    except RuntimeError as error:
        raise _cannot_bind(address) from error
    if port == 0:
        raise _cannot_bind(address)
    return server, port


def _add_port(server: grpc.Server, address: str, security: ChannelSecurity) -> int:
    if security.cert is None or security.key is None:
        return server.add_insecure_port(address)
    credentials = grpc.ssl_server_credentials(
        [(security.key, security.cert)], root_certificates=security.ca, require_client_auth=security.ca is not None
    )
    return server.add_secure_port(address, credentials)


class _Gate(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """Lets only calls with the shared token pass, health and reflection included."""

    def __init__(self, security: ChannelSecurity) -> None:
        self._security = security

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        given = dict(details.invocation_metadata or ()).get("authorization", "")
        found = continuation(details)
        if found is None or self._security.admits(str(given)):
            return found

        def refuse(_request: Any, context: grpc.ServicerContext) -> NoReturn:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "This code server demands the token that all services share")
            raise AssertionError("abort raises")

        if found.request_streaming:
            make = grpc.stream_stream_rpc_method_handler if found.response_streaming else grpc.stream_unary_rpc_method_handler
        else:
            make = grpc.unary_stream_rpc_method_handler if found.response_streaming else grpc.unary_unary_rpc_method_handler
        return make(refuse)


def _check_free(address: str) -> None:
    """Find a port in use before gRPC does, which would print its own account of it."""
    host, _, port = address.rpartition(":")
    if address.startswith("unix:") or not port.isdecimal() or port == "0":
        return
    try:
        family, kind, number, _, where = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        raise _cannot_bind(address) from error


def _cannot_bind(address: str) -> SettingsError:
    return SettingsError(
        f"The code server cannot listen on {address}: another process has the port, or the address is not this machine's. "
        "Stop that process, or choose another port with --port or DAGWRIGHT_CODE_SERVER_PORT"
    )


class _Handlers:
    """The methods of the service: bytes to dataclasses, to the backend, and back."""

    def __init__(self, backend: CodeServerBackend) -> None:
        self._backend = backend
        self._stream_places = threading.Semaphore(_MAX_STREAMS)
        # A few more threads than places, so that a refusal finds one.
        self._stream_threads = ThreadPoolExecutor(_MAX_STREAMS + 4, thread_name_prefix="stream")

    def by_method(self) -> dict[str, grpc.RpcMethodHandler[bytes, bytes]]:
        unary = {
            "GetLocation": self._get_location,
            "PlanRun": self._relay(Ask.PLAN_RUN),
            "ValidateRunConfig": self._relay(Ask.VALIDATE_RUN_CONFIG),
            "EvaluateSchedule": self._relay(Ask.EVALUATE_SCHEDULE),
            "EvaluateSensor": self._relay(Ask.EVALUATE_SENSOR),
            "VerifyDelivery": self._relay(Ask.VERIFY_DELIVERY),
            "LaunchRun": self._launch_run,
            "CancelRun": self._cancel_run,
            "ListActiveRuns": self._list_active_runs,
            "Reload": self._reload,
        }
        handlers = {name: grpc.unary_unary_rpc_method_handler(_translating(name, method)) for name, method in unary.items()}
        handlers["GetSnapshot"] = grpc.unary_stream_rpc_method_handler(_translating_stream("GetSnapshot", self._get_snapshot))
        watch = _translating_stream("WatchLocation", self._watch_location)
        report = _translating("ReportEvents", self._report_events)
        evaluate = _translating_stream("Evaluate", self._evaluate)
        for method in (watch, report, evaluate):
            # Read by grpc: streams live long, and must not take the threads of short calls.
            method.experimental_thread_pool = self._stream_threads  # type: ignore[union-attr]
        handlers["WatchLocation"] = grpc.unary_stream_rpc_method_handler(watch)
        handlers["Evaluate"] = grpc.unary_stream_rpc_method_handler(evaluate)
        handlers["ReportEvents"] = grpc.stream_unary_rpc_method_handler(report)
        return handlers

    def _get_location(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        parse(pb.GetLocationRequest, request)
        return pb.GetLocationResponse(status=encode_status(self._backend.location())).SerializeToString()

    def _get_snapshot(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        asked = parse(pb.GetSnapshotRequest, request)
        digest, data = self._backend.snapshot()
        unchanged = asked.HasField("if_digest_differs") and asked.if_digest_differs == digest
        header = pb.SnapshotHeader(digest=digest, total_bytes=0 if unchanged else len(data), unchanged=unchanged)
        context.set_compression(grpc.Compression.Gzip)
        yield pb.GetSnapshotResponse(header=header).SerializeToString()
        for start in range(0, header.total_bytes, _CHUNK_BYTES):
            yield pb.GetSnapshotResponse(chunk=data[start : start + _CHUNK_BYTES]).SerializeToString()

    def _watch_location(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        parse(pb.WatchLocationRequest, request)
        with self._stream_place():
            for status in self._backend.watch(lambda: not context.is_active()):
                yield pb.WatchLocationResponse(status=encode_status(status)).SerializeToString()

    def _relay(self, method: Ask) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def ask(request: bytes, context: grpc.ServicerContext) -> bytes:
            left = context.time_remaining()
            # The server gives up a little before the caller, so that the caller learns why.
            seconds = _DEFAULT_SECONDS if left is None else max(0.05, left - min(0.5, left * 0.1))
            return self._backend.ask(method, request, seconds)

        return ask

    def _evaluate(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        asked = parse(pb_evaluation.EvaluateRequest, request)
        timeout = asked.timeout_seconds if asked.timeout_seconds > 0 else _DEFAULT_SECONDS
        with self._stream_place():
            for answers in self._backend.ask_all(list(map(_asked, asked.questions)), timeout, lambda: not context.is_active()):
                yield pb_evaluation.EvaluateResponse(answers=(_answer(*answer) for answer in answers)).SerializeToString()

    def _launch_run(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        spec = decode_launch_spec(parse(pb.LaunchRunRequest, request).spec)
        _check_attempt(spec.run_id, spec.epoch)
        self._backend.launch(spec)
        return pb.LaunchRunResponse().SerializeToString()

    def _cancel_run(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        asked = parse(pb.CancelRunRequest, request)
        _check_attempt(asked.run_id, asked.epoch)
        found = self._backend.cancel(RunId(asked.run_id), asked.epoch, hard=asked.hard)
        return pb.CancelRunResponse(found=found).SerializeToString()

    def _list_active_runs(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        parse(pb.ListActiveRunsRequest, request)
        return pb.ListActiveRunsResponse(runs=map(encode_active_run, self._backend.active_runs())).SerializeToString()

    def _report_events(self, requests: Iterator[bytes], _: grpc.ServicerContext) -> bytes:
        response = pb.ReportEventsResponse()
        reporter: tuple[str, int] | None = None
        with self._stream_place():
            for request in requests:
                batch = decode_batch_message(parse(pb.ReportEventsRequest, request).batch)
                _check_attempt(batch.run_id, batch.epoch)
                reporter = reporter or (batch.run_id, batch.epoch)
                if reporter != (batch.run_id, batch.epoch):
                    raise InvalidRequestError("All batches of one stream must be of one attempt of one run; open a stream for each")
                acked = self._backend.report(batch)
                if acked is None:
                    raise FencedError
                response.acked_seq = acked
        return response.SerializeToString()

    def _reload(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        parse(pb.ReloadRequest, request)
        return pb.ReloadResponse(status=encode_status(self._backend.reload())).SerializeToString()

    @contextmanager
    def _stream_place(self) -> Iterator[None]:
        if not self._stream_places.acquire(blocking=False):
            raise UnavailableError(f"The code server serves {_MAX_STREAMS} streams already; close some and try again")
        try:
            yield
        finally:
            self._stream_places.release()


def _asked(question: pb_evaluation.EvaluateQuestion) -> Asked:
    match question.WhichOneof("kind"):
        case "schedule":
            return Asked(Ask.EVALUATE_SCHEDULE, question.schedule.name, question.schedule.SerializeToString())
        case "sensor":
            return Asked(Ask.EVALUATE_SENSOR, question.sensor.name, question.sensor.SerializeToString())
    raise InvalidRequestError("A question is neither to a schedule nor to a sensor; a newer dagwright asked it")


def _answer(index: int, outcome: bytes | DagwrightError) -> pb_evaluation.EvaluateAnswer:
    if isinstance(outcome, DagwrightError):
        return pb_evaluation.EvaluateAnswer(index=index, error=encode_detail(outcome))
    # The responses to both kinds of question have the one form.
    return pb_evaluation.EvaluateAnswer(index=index, evaluation=parse(pb_evaluation.EvaluateSensorResponse, outcome).evaluation)


def _check_attempt(run_id: str, epoch: int) -> None:
    problems = []
    try:
        wrong = str(uuid.UUID(run_id)) != run_id
    except ValueError:
        wrong = True
    if wrong:
        expected = "a UUID such as 0199a5c2-7b1e-7cc3-9f5e-0c8f4a1d2b3e"
        problems.append(Problem(path="run_id", message="this is not the id of a run", value=run_id, expected=expected))
    if epoch < 1:
        problems.append(Problem(path="epoch", message="this is not an attempt of a run", value=epoch, expected="a number from 1"))
    if problems:
        names = " and ".join(problem.path for problem in problems)
        raise InvalidRequestError(f"The request has a malformed {names}", problems=problems)


def _translating(name: str, method: Callable[[Any, grpc.ServicerContext], bytes]) -> Callable[[Any, grpc.ServicerContext], bytes]:
    def handle(request: Any, context: grpc.ServicerContext) -> bytes:
        try:
            return method(request, context)
        except Exception as error:  # noqa: BLE001 - the edge: everything becomes a status
            failure = error
        _abort(name, context, failure)

    return handle


def _translating_stream(
    name: str, method: Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]
) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
    def handle(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            yield from method(request, context)
        except Exception as error:  # noqa: BLE001 - the edge: everything becomes a status
            failure = error
        else:
            return
        _abort(name, context, failure)

    return handle


def _abort(name: str, context: grpc.ServicerContext, error: Exception) -> NoReturn:
    if not isinstance(error, DagwrightError) and context.is_active():
        log.error("call failed", exc_info=error, extra={"method": name})
    context.abort_with_status(to_status(error))
    raise AssertionError("abort_with_status raises")
