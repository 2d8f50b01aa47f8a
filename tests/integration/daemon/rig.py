"""A code server for tests of the daemon: real gRPC, a backend that answers what the test told it to."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Engine

from dagwright_daemon import main
from dagwright_daemon.runner import Runner, identity
from dagwright_daemon.servers import CodeServers
from dagwright_shared.model.errors import ConflictError, DagwrightError, ErrorInfo
from dagwright_shared.model.events import EventBatch, Payload, RunCanceled, RunEvent, RunFailed, RunStarted, RunSucceeded
from dagwright_shared.model.keys import Digest, LocationName, RunId
from dagwright_shared.model.runs import ActiveRun, LaunchSpec
from dagwright_shared.model.snapshot import LocationSnapshot, LocationState, LocationStatus
from dagwright_shared.model.ticks import Evaluation, ScheduleQuestion, SensorQuestion
from dagwright_shared.runtime.settings import Settings
from dagwright_shared.store import engine as store_engine
from dagwright_shared.store import events, locations
from dagwright_shared.wire import evaluation as wire
from dagwright_shared.wire.serving import Answers, Ask, Asked, bind
from dagwright_shared.wire.snapshot import digest_of, encode_snapshot

HERE = LocationName("here")
SECONDS = 60.0
"""How long a busy machine may take for what is done in milliseconds."""


def until(condition: Callable[[], object], *, seconds: float = SECONDS, what: str = "") -> None:
    """Wait for a condition, for so many seconds or `SECONDS`."""
    seconds = max(seconds, SECONDS)
    deadline = time.monotonic() + seconds
    signal = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        signal.wait(0.005)


@dataclass
class Backend:
    """Implements `wire.serving.CodeServerBackend`."""

    engine: Engine
    snapshot_value: LocationSnapshot
    server_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    schedule: Callable[[ScheduleQuestion], Evaluation] = lambda _: Evaluation()
    sensor: Callable[[SensorQuestion], Evaluation] = lambda _: Evaluation()
    work: Callable[[LaunchSpec], list[Payload]] = lambda _: [RunSucceeded()]
    refuse: Callable[[LaunchSpec], DagwrightError | None] = lambda _: None
    error: ErrorInfo | None = None
    launched: list[LaunchSpec] = field(default_factory=list)
    launched_at: dict[RunId, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    workers: dict[RunId, LaunchSpec] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def status(self) -> LocationStatus:
        state = LocationState.ERROR if self.error else LocationState.LOADED
        return LocationStatus(location=HERE, server_id=self.server_id, state=state, digest=self.digest, error=self.error)

    @property
    def digest(self) -> Digest:
        return digest_of(encode_snapshot(self.snapshot_value))

    def become(self, snapshot: LocationSnapshot | None = None, error: ErrorInfo | None = None) -> None:
        """Reload."""
        with self.changed:
            self.snapshot_value, self.error = snapshot or self.snapshot_value, error
            self.changed.notify_all()

    def location(self) -> LocationStatus:
        return self.status

    def snapshot(self) -> tuple[Digest, bytes]:
        encoded = encode_snapshot(self.snapshot_value)
        return digest_of(encoded), encoded

    def watch(self, stop: Callable[[], bool]) -> Iterator[LocationStatus]:
        told = None
        while not stop():
            with self.changed:
                self.changed.wait_for(lambda: self.status != told or stop(), 0.5)  # noqa: B023
                now = self.status
            if now != told:
                told = now
                yield now

    def ask(self, method: Ask, request: bytes, timeout: float) -> bytes:
        if method is Ask.EVALUATE_SCHEDULE:
            schedule = wire.decode_evaluate_schedule_request(request)
            self.asked.append(schedule.name)
            return wire.encode_evaluate_schedule_response(self.schedule(schedule))
        sensor = wire.decode_evaluate_sensor_request(request)
        self.asked.append(sensor.name)
        return wire.encode_evaluate_sensor_response(self.sensor(sensor))

    def ask_all(self, asked: Sequence[Asked], timeout: float, stop: Callable[[], bool]) -> Iterator[Answers]:
        answers: queue.SimpleQueue[tuple[int, bytes | DagwrightError]] = queue.SimpleQueue()

        def put(index: int, one: Asked) -> None:
            try:
                answers.put((index, self.ask(one.method, one.request, timeout)))
            except DagwrightError as error:
                answers.put((index, error))

        for index, one in enumerate(asked):
            threading.Thread(target=put, args=(index, one), daemon=True).start()
        left = len(asked)
        while left and not stop():
            with contextlib.suppress(queue.Empty):
                yield [answers.get(timeout=0.2)]
                left -= 1

    def launch(self, spec: LaunchSpec) -> None:
        if (error := self.refuse(spec)) is not None:
            raise error
        self.launched_at[spec.run_id] = time.monotonic()
        self.launched.append(spec)
        self.workers[spec.run_id] = spec
        self.tell(spec, *self.work(spec))

    def tell(self, spec: LaunchSpec, *payloads: Payload) -> None:
        """What a worker reports: its start, and these."""
        now = datetime.now(UTC)
        told = [RunStarted(pid=1, host="h", executor="e", steps=()), *payloads]
        numbered = tuple(RunEvent(seq=spec.first_seq + at, time=now, payload=payload) for at, payload in enumerate(told))
        with self.engine.begin() as conn:
            events.append(conn, [EventBatch(run_id=spec.run_id, epoch=spec.epoch, events=numbered)])
        if any(isinstance(payload, RunSucceeded | RunFailed | RunCanceled) for payload in payloads):
            self.workers.pop(spec.run_id, None)

    def tell_end(self, spec: LaunchSpec) -> None:
        """What a worker reports that has told its start: its success."""
        event = RunEvent(seq=spec.first_seq + 1, time=datetime.now(UTC), payload=RunSucceeded())
        with self.engine.begin() as conn:
            events.append(conn, [EventBatch(run_id=spec.run_id, epoch=spec.epoch, events=(event,))])

    def cancel(self, run_id: RunId, epoch: int, *, hard: bool) -> bool:
        spec = self.workers.pop(run_id, None)
        if spec is None:
            return False
        seq = spec.first_seq + 1
        with self.engine.begin() as conn:
            event = RunEvent(seq=seq, time=datetime.now(UTC), payload=RunCanceled())
            events.append(conn, [EventBatch(run_id=run_id, epoch=epoch, events=(event,))])
        return True

    def active_runs(self) -> list[ActiveRun]:
        return []

    def report(self, batch: EventBatch) -> int | None:
        raise ConflictError("no remote workers here")

    def reload(self) -> LocationStatus:
        return self.status


class CodeServer:
    """A backend on a port, registered in the store, with a sign of life now and then: without one it counts as lost after some seconds."""

    def __init__(self, engine: Engine, backend: Backend) -> None:
        self.engine, self.backend = engine, backend
        self.server, port = bind(backend, "127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        self._stopped = threading.Event()
        self._heart = threading.Thread(target=self._beat)

    def start(self, *, register: bool = True) -> CodeServer:
        self.server.start()
        self._heart.start()
        if register:
            self.register()
        return self

    def register(self) -> None:
        with self.engine.begin() as conn:
            locations.register_server(conn, self.backend.status, address=self.address)

    def publish(self) -> None:
        """Store the snapshot as the locations loop would."""
        digest, payload = self.backend.snapshot()
        with self.engine.begin() as conn:
            snapshot = self.backend.snapshot_value
            locations.publish_snapshot(conn, location=HERE, digest=digest, payload=payload, snapshot=snapshot)

    def stop(self) -> None:
        self._stopped.set()
        self._heart.join()
        self.server.stop(0).wait()

    def _beat(self) -> None:
        # By an engine of its own: tests let statements of the other one fail.
        engine = store_engine.create(self.engine.url.render_as_string(hide_password=False), name="tests")
        while not self._stopped.wait(2.0):
            with engine.begin() as conn:
                locations.heartbeat_server(conn, self.backend.server_id)
        engine.dispose()


def runner(engine: Engine, url: str, **settings: object) -> Runner:
    """A whole daemon inside this process, made as main.py makes it."""
    config = Settings(**settings)  # type: ignore[arg-type]
    servers = CodeServers(engine, main.connect(config))
    return Runner(engine, url, identity(), lambda outage, trusts: main.loops(config, engine, servers, outage, trusts))
