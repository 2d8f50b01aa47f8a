"""What the code server does when it is called: the methods behind the gRPC service. No protobuf, no user code."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from dagwright.server import frames
from dagwright.server.evaluations import Evaluations
from dagwright.server.frames import Kind
from dagwright.server.hub import Committed, Hub
from dagwright.server.location import Location
from dagwright.server.workers import Worker, Workers
from dagwright_shared.model.errors import InvalidRequestError, Problem, UnavailableError
from dagwright_shared.model.events import EventBatch
from dagwright_shared.model.keys import Digest, RunId
from dagwright_shared.model.runs import ActiveRun, LaunchSpec
from dagwright_shared.model.snapshot import LocationStatus
from dagwright_shared.wire.evaluation import encode_launch
from dagwright_shared.wire.serving import Answers, Ask, Asked

log = logging.getLogger("dagwright.service")

_LAUNCH_SECONDS = 20.0
_REPORT_SECONDS = 30.0
_RELOAD_SECONDS = 30.0


class Service:
    """Implements `wire.serving.CodeServerBackend`."""

    def __init__(self, location: Location, workers: Workers, hub: Hub) -> None:
        self._location, self._workers, self._hub = location, workers, hub
        self._evaluations = Evaluations(location, workers.exit_status)
        self._launching: dict[RunId, int] = {}
        self._lock = threading.Lock()

    def location(self) -> LocationStatus:
        return self._location.status

    def snapshot(self) -> tuple[Digest, bytes]:
        return self._location.snapshot()

    def watch(self, stop: Callable[[], bool]) -> Iterator[LocationStatus]:
        return self._location.watch(stop)

    def reload(self) -> LocationStatus:
        """Load the code again; answers with how that went, or after half a minute with what is known by then."""
        self._location.reload()
        return self._location.settled(_RELOAD_SECONDS)

    def ask(self, method: Ask, request: bytes, timeout: float) -> bytes:
        """Have a fork of the template answer; it is killed when it does not do so in time."""
        return self._evaluations.ask(method, request, timeout)

    def ask_all(self, asked: Sequence[Asked], timeout: float, stop: Callable[[], bool]) -> Iterator[Answers]:
        """Have forks answer many questions, none of which waits for a slow one."""
        return self._evaluations.ask_all(asked, timeout, stop)

    def launch(self, spec: LaunchSpec) -> None:
        """Start a worker for a claimed run. A repeated call for the same epoch is harmless; a newer epoch replaces the worker."""
        with self._lock:
            known, launching = self._workers.get(spec.run_id), self._launching.get(spec.run_id)
            if launching is not None and launching < spec.epoch:
                raise UnavailableError("an older attempt of the run is just being started; try again")
            if launching is not None or (known is not None and known.epoch >= spec.epoch):
                return
            self._launching[spec.run_id] = spec.epoch
        try:
            if known is not None:
                self._workers.fence(known)
            channel, pid = self._location.open(time.monotonic() + _LAUNCH_SECONDS)
            try:
                frames.send(channel, Kind.LAUNCH, encode_launch(spec))
            except frames.ChannelClosedError:
                channel.close()
                raise UnavailableError("the run worker ended before it took the run") from None
            self._workers.add(Worker(run_id=spec.run_id, epoch=spec.epoch, pid=pid, channel=channel))
        finally:
            with self._lock:
                del self._launching[spec.run_id]

    def cancel(self, run_id: RunId, epoch: int, *, hard: bool) -> bool:
        """Whether there is such a worker, which now has been told to stop."""
        worker = self._workers.get(run_id)
        if worker is None or worker.epoch != epoch:
            return False
        self._workers.cancel(worker, hard=hard)
        return True

    def active_runs(self) -> list[ActiveRun]:
        return self._workers.active_runs()

    def report(self, batch: EventBatch) -> Committed:
        """Commit what a remote worker sent.

        Raises:
            InvalidRequestError: events before these have not been sent; nothing was written.
        """
        committed = self._hub.submit_and_wait(batch, _REPORT_SECONDS)
        if committed is not None and batch.events and committed < batch.events[-1].seq:
            problem = Problem(
                path="batch.events", message="numbers are missing before it", value=batch.events[0].seq, expected=f"event {committed + 1}"
            )
            raise InvalidRequestError(f"The events have a gap after number {committed}; send them again from there", problems=[problem])
        return committed
