"""The typed client of a code server. Each call has a deadline and raises errors of `model.errors`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import grpc

from dagwright_api.v1 import code_server_service_pb2 as pb
from dagwright_shared.model.channels import OPEN, ChannelSecurity
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DagwrightError, DeadlineError, UnavailableError
from dagwright_shared.model.events import EventBatch, PlannedStep
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import Digest, RunId
from dagwright_shared.model.runs import ActiveRun, LaunchSpec
from dagwright_shared.model.snapshot import LocationStatus
from dagwright_shared.model.ticks import Delivery, Evaluation, PlanQuestion, Question, ScheduleQuestion, SensorQuestion
from dagwright_shared.wire import evaluation
from dagwright_shared.wire.events import encode_batch_message
from dagwright_shared.wire.snapshot import decode_status, digest_of
from dagwright_shared.wire.status import METADATA_OPTIONS, from_rpc_error
from dagwright_shared.wire.values import parse, printable

_SERVICE = pb.DESCRIPTOR.services_by_name["CodeServerService"].full_name
_READS = ("GetLocation", "GetSnapshot", "ListActiveRuns")
_RETRY = {"maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 3, "retryableStatusCodes": ["UNAVAILABLE"]}
# Serializer and deserializer: grpc passes bytes on as they are.
_BYTES = (None, None)
_OPTIONS = (
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.max_receive_message_length", 64 << 20),
    # A server that vanished without a word is found within 30 s, while a call or a watch is open.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A restarted server is found again within a second or two, not after gRPC's usual two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    # ... which has this long to take a connection: a loaded machine is slow, not gone.
    ("grpc.min_reconnect_backoff_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 1),
    (
        "grpc.service_config",
        json.dumps({"methodConfig": [{"name": [{"service": _SERVICE, "method": name} for name in _READS], "retryPolicy": _RETRY}]}),
    ),
    *METADATA_OPTIONS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds until a call fails with DeadlineError."""

    read: float = 5.0
    """State of the location, list of workers."""
    snapshot: float = 60.0
    ask: float = 60.0
    """Plans, config checks, evaluations: user code runs. Each call can say otherwise."""
    launch: float = 30.0
    cancel: float = 10.0
    reload: float = 300.0
    """User code is imported."""
    report: float = 600.0
    """A whole stream of event batches."""
    watch: float = 3600.0
    """After this the stream is opened anew, unseen by who iterates."""


_TIMEOUTS = Timeouts()


class LocationClient:
    """Calls one code server.

    Calls from several threads are fine. A connection is made when it is first needed, and again after it broke.

    Args:
        address: `host:port` or `unix:path`.
        security: what is shown to the server, and by which authority it must be known.

    Raises:
        UnavailableError: by any call: the server does not answer.
        DeadlineError: by any call: it did not answer in time.
    """

    def __init__(self, address: str, *, timeouts: Timeouts = _TIMEOUTS, security: ChannelSecurity = OPEN) -> None:
        self.address = address
        self._timeouts = timeouts
        self._closed = False
        self._metadata = None if security.token is None else (("authorization", f"Bearer {security.token}"),)
        if security.ca is None:
            self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(security.ca, security.key, security.cert)
            self._channel = grpc.secure_channel(address, credentials, options=_OPTIONS)

    def close(self) -> None:
        """End open calls and watches, and the connection."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> LocationClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def location(self) -> LocationStatus:
        """The state of the location."""
        data = self._call("GetLocation", pb.GetLocationRequest().SerializeToString(), self._timeouts.read)
        return decode_status(parse(pb.GetLocationResponse, data).status)

    def snapshot(self, *, if_digest_differs: Digest | None = None) -> tuple[Digest, bytes] | None:
        """The newest snapshot, for `wire.snapshot.decode_snapshot`; None when its digest is the one given.

        Raises:
            ConflictError: the location has never loaded.
            UnavailableError: also when it arrived damaged.
        """
        request = pb.GetSnapshotRequest(if_digest_differs=if_digest_differs).SerializeToString()
        header, data = pb.SnapshotHeader(), bytearray()
        for answer in self._stream("GetSnapshot", request, self._timeouts.snapshot):
            part = parse(pb.GetSnapshotResponse, answer)
            if part.HasField("header"):
                header = part.header
            else:
                data += part.chunk
        if header.unchanged:
            return None
        encoded = bytes(data)
        if len(encoded) != header.total_bytes or digest_of(encoded) != header.digest:
            raise UnavailableError(f"The snapshot from {self._where()} arrived damaged ({len(encoded)} of {header.total_bytes} bytes)")
        return Digest(header.digest), encoded

    def watch(self) -> Iterator[LocationStatus]:
        """The state now and at each change, until `close`.

        Raises:
            UnavailableError: the server went away.
        """
        while not self._closed:
            try:
                for answer in self._stream("WatchLocation", pb.WatchLocationRequest().SerializeToString(), self._timeouts.watch):
                    yield decode_status(parse(pb.WatchLocationResponse, answer).status)
            except DeadlineError:
                continue
            except UnavailableError:
                if self._closed:
                    return
                raise
            if not self._closed:
                raise UnavailableError(f"{self._where()} ended the watch: it is stopping")

    def plan_run(self, question: PlanQuestion, *, timeout: float | None = None) -> tuple[PlannedStep, ...]:
        """The steps that a run would have.

        Raises:
            InvalidRequestError: with problems: the run cannot be planned, such as for an unknown asset.
            NotFoundError: an unknown job.
        """
        return evaluation.decode_plan_run_response(self._ask("PlanRun", evaluation.encode_plan_run_request(question), timeout))

    def validate_run_config(self, question: PlanQuestion, *, timeout: float | None = None) -> dict[str, JsonValue]:
        """The whole config of a run, defaults filled in.

        Raises:
            InvalidRequestError: with a problem for each thing wrong in the config.
        """
        request = evaluation.encode_validate_run_config_request(question)
        return evaluation.decode_validate_run_config_response(self._ask("ValidateRunConfig", request, timeout))

    def evaluate_schedule(self, question: ScheduleQuestion, *, timeout: float | None = None) -> Evaluation:
        """What a schedule wants to launch at a tick.

        Raises:
            UserCodeError: its function raised.
        """
        request = evaluation.encode_evaluate_schedule_request(question)
        return evaluation.decode_evaluate_schedule_response(self._ask("EvaluateSchedule", request, timeout))

    def evaluate_sensor(self, question: SensorQuestion, *, timeout: float | None = None) -> Evaluation:
        """What a sensor wants to launch.

        Raises:
            UserCodeError: its function raised.
        """
        request = evaluation.encode_evaluate_sensor_request(question)
        return evaluation.decode_evaluate_sensor_response(self._ask("EvaluateSensor", request, timeout))

    def evaluate(
        self, questions: Sequence[Question], *, timeout: float | None = None
    ) -> Iterator[list[tuple[int, Evaluation | DagwrightError]]]:
        """What many schedules and sensors want, as soon as it is known, by number of the question; in any order.

        Args:
            timeout: seconds that each may take.

        Raises:
            UnavailableError: the server went away; what has not been told by then is to be asked again.
        """
        each = self._timeouts.ask if timeout is None else timeout
        # In the worst case all of them hang, and are killed some dozens at a time.
        whole = each * (1 + len(questions) / 32) + 10.0
        for data in self._stream("Evaluate", evaluation.encode_evaluate_request(questions, each), whole):
            yield evaluation.decode_evaluate_response(data)

    def verify_delivery(self, name: str, delivery: Delivery, *, timeout: float | None = None) -> str | None:
        """Why a request to a webhook sensor is refused; None when it is signed as it must be.

        Raises:
            NotFoundError: an unknown sensor.
        """
        request = evaluation.encode_verify_delivery_request(name, delivery)
        return evaluation.decode_verify_delivery_response(self._ask("VerifyDelivery", request, timeout))

    def launch_run(self, spec: LaunchSpec) -> None:
        """Start a worker for a claimed run. After a DeadlineError it may have started: repeat the call with the same epoch."""
        request = pb.LaunchRunRequest(spec=evaluation.encode_launch_spec(spec)).SerializeToString()
        self._call("LaunchRun", request, self._timeouts.launch)

    def cancel_run(self, run_id: RunId, epoch: int, *, hard: bool = False) -> bool:
        """Stop the worker of an attempt; whether there was one."""
        request = pb.CancelRunRequest(run_id=run_id, epoch=epoch, hard=hard).SerializeToString()
        return parse(pb.CancelRunResponse, self._call("CancelRun", request, self._timeouts.cancel)).found

    def active_runs(self) -> tuple[ActiveRun, ...]:
        """The workers that the server has."""
        data = self._call("ListActiveRuns", pb.ListActiveRunsRequest().SerializeToString(), self._timeouts.read)
        return tuple(map(evaluation.decode_active_run, parse(pb.ListActiveRunsResponse, data).runs))

    def report_events(self, batches: Iterable[EventBatch]) -> int | None:
        """Send events of one attempt of a run, from a remote worker; the number of the last committed one.

        Raises:
            FencedError: a newer attempt owns the run; the worker must stop.
        """
        stream = self._channel.stream_unary(f"/{_SERVICE}/ReportEvents", *_BYTES)
        with self._translated():
            answer = stream(map(_report, batches), timeout=self._timeouts.report, metadata=self._metadata)
        response = parse(pb.ReportEventsResponse, answer)
        return response.acked_seq if response.HasField("acked_seq") else None

    def reload(self) -> LocationStatus:
        """Load the definitions again; the state after it, in which a load error is told, not raised."""
        data = self._call("Reload", pb.ReloadRequest().SerializeToString(), self._timeouts.reload)
        return decode_status(parse(pb.ReloadResponse, data).status)

    def _ask(self, method: str, request: bytes, timeout: float | None) -> bytes:
        return self._call(method, request, self._timeouts.ask if timeout is None else timeout)

    def _call(self, method: str, request: bytes, timeout: float) -> bytes:
        call: Callable[..., bytes] = self._channel.unary_unary(f"/{_SERVICE}/{method}", *_BYTES)
        with self._translated():
            return call(request, timeout=timeout, metadata=self._metadata)

    def _stream(self, method: str, request: bytes, timeout: float) -> Iterator[bytes]:
        call = self._channel.unary_stream(f"/{_SERVICE}/{method}", *_BYTES)
        with self._translated():
            answers = call(request, timeout=timeout, metadata=self._metadata)
            try:
                yield from answers
            finally:
                answers.cancel()  # type: ignore[no-untyped-call]  # the stubs give it no types

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise from_rpc_error(error, self._where()) from None
        except ValueError as error:
            # grpc says so of a channel that was closed.
            if self._closed:
                raise UnavailableError(f"The connection to {self._where()} is closed") from error
            raise

    def _where(self) -> str:
        return f"the code server at {self.address}"


def _report(batch: EventBatch) -> bytes:
    try:
        return pb.ReportEventsRequest(batch=encode_batch_message(batch)).SerializeToString()
    except UnicodeEncodeError:
        return pb.ReportEventsRequest(batch=encode_batch_message(printable(batch))).SerializeToString()
