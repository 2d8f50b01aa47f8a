"""The run workers that this code server has: their channels, their leases, their end."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import field
from datetime import UTC, datetime

from dagwright.server import frames
from dagwright.server.frames import FrameBuffer, Kind
from dagwright.server.hub import Committed, Hub
from dagwright.server.slots import Slots
from dagwright.server.template import describe_exit
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import EventBatch, RunCanceled, RunFailed, RunSucceeded
from dagwright_shared.model.keys import RunId
from dagwright_shared.model.runs import ActiveRun
from dagwright_shared.runtime.process import kill_session
from dagwright_shared.wire.events import decode_batch

log = logging.getLogger("dagwright.workers")

_UNCOMMITTED_LIMIT = 64
"""Batches of one worker that may wait for a commit before we stop reading from it."""
_EXIT_STATUS_WAIT = 0.5


@dataclass(slots=True, eq=False)
class Worker:
    """A run worker, from the hand-over of its run until its channel has closed and all its events are committed."""

    run_id: RunId
    epoch: int
    pid: int
    channel: socket.socket
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    buffer: FrameBuffer = field(default_factory=FrameBuffer)
    uncommitted: int = 0
    paused: bool = False
    closed: bool = False
    finished: bool = False
    """Its final status is committed."""
    fenced: bool = False
    canceled: bool = False
    trouble: str | None = None
    """Why we ended it, if we did."""


class Workers:
    """Reads all workers' channels on one thread and hands their batches to the hub."""

    def __init__(self, hub: Hub, slots: Slots, *, cancel_grace: float, lost: Callable[[Worker, str], None]) -> None:
        """
        Args:
            lost: called, from any thread, for a worker that ended without a final status, with the reason in words.
        """
        self._hub, self._slots, self._cancel_grace, self._lost = hub, slots, cancel_grace, lost
        self._by_run: dict[RunId, Worker] = {}
        self._exits: dict[int, int] = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        self._todo: list[Callable[[], None]] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="workers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; the workers see their channels close and end themselves."""
        self._stopping = True
        self._call_soon(lambda: None)
        self._thread.join(5)
        for worker in self.active():
            kill_session(worker.pid, signal.SIGKILL)

    def active(self) -> list[Worker]:
        with self._lock:
            return list(self._by_run.values())

    def active_runs(self) -> list[ActiveRun]:
        return [ActiveRun(run_id=w.run_id, epoch=w.epoch, pid=w.pid, started_at=w.started_at) for w in self.active()]

    def get(self, run_id: RunId) -> Worker | None:
        with self._lock:
            return self._by_run.get(run_id)

    def add(self, worker: Worker) -> None:
        """Take over a worker whose channel has been opened."""
        worker.channel.setblocking(False)
        with self._lock:
            self._by_run[worker.run_id] = worker
        self._call_soon(lambda: self._watch(worker))

    def exited(self, pid: int, status: int) -> None:
        """Remember how a fork ended, for the message about its run."""
        with self._lock:
            self._exits[pid] = status
            while len(self._exits) > 1000:
                del self._exits[next(iter(self._exits))]

    def cancel(self, worker: Worker, *, hard: bool) -> None:
        """Ask a worker to stop; after the grace time, or at once when `hard`, kill all its processes."""
        if hard:
            worker.trouble = "it was canceled and killed"
            kill_session(worker.pid)
            return
        if worker.canceled:
            return
        worker.canceled = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGTERM)
        # The worker's own grace for its steps is the same, so give it a little more.
        timer = threading.Timer(self._cancel_grace + 2.0, self._escalate, (worker,))
        timer.daemon = True
        timer.start()

    def fence(self, worker: Worker) -> None:
        """A newer attempt owns the run: this worker's processes must end, whatever they do."""
        if worker.fenced:
            return
        worker.fenced = True
        log.warning("fenced a worker", extra={"run": worker.run_id, "epoch": worker.epoch, "pid": worker.pid})
        kill_session(worker.pid)

    def _escalate(self, worker: Worker) -> None:
        if not worker.closed:
            log.warning("killing a run that did not stop in time", extra={"run": worker.run_id, "pid": worker.pid})
            worker.trouble = f"it did not stop within {self._cancel_grace:g} s of being asked and was killed"
            kill_session(worker.pid)

    # The rest runs on the reader thread, but for `_committed`, which runs on the hub's.

    def _call_soon(self, function: Callable[[], None]) -> None:
        with self._lock:
            self._todo.append(function)
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")

    def _loop(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select():
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        self._wake_in.recv(4096)
                    with self._lock:
                        todo, self._todo = self._todo, []
                    for function in todo:
                        function()
                else:
                    self._read(key.data)

    def _watch(self, worker: Worker) -> None:
        if not worker.closed:
            self._selector.register(worker.channel, selectors.EVENT_READ, worker)

    def _read(self, worker: Worker) -> None:
        try:
            data = worker.channel.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(worker)
            return
        for frame in worker.buffer.feed(data):
            match frame.kind:
                case Kind.EVENTS:
                    self._submit(worker, frame.body)
                case Kind.SLOT_WANTED:
                    self._slots.ask(worker, frame.body)
                case Kind.SLOT_UNWANTED:
                    self._slots.withdraw(worker, frame.body)
                case _:
                    pass
        if worker.uncommitted > _UNCOMMITTED_LIMIT and not worker.paused:
            worker.paused = True
            self._selector.unregister(worker.channel)

    def _submit(self, worker: Worker, body: bytes) -> None:
        batch = decode_batch(body)
        with self._lock:
            worker.uncommitted += 1
        self._hub.submit(batch, lambda result: self._committed(worker, batch, result))

    def _committed(self, worker: Worker, batch: EventBatch, result: Committed | Exception) -> None:
        if isinstance(result, Exception):
            worker.trouble = f"its events could not be stored: {result}"
            kill_session(worker.pid)
        elif result is None:
            self.fence(worker)
        elif batch.events and result < batch.events[-1].seq:
            worker.trouble = f"its events have a gap after number {result}"
            kill_session(worker.pid)
        else:
            if any(isinstance(event.payload, RunSucceeded | RunFailed | RunCanceled) for event in batch.events):
                worker.finished = True
            with contextlib.suppress(OSError):  # a worker that has gone needs no answer; acks are cumulative
                worker.channel.send(frames.pack(Kind.ACK, str(result).encode()))
        with self._lock:
            worker.uncommitted -= 1
            ended = worker.closed and worker.uncommitted == 0
            resume = worker.paused and worker.uncommitted <= _UNCOMMITTED_LIMIT // 2
        if ended:
            self._end(worker)
        elif resume:
            self._call_soon(lambda: self._resume(worker))

    def _resume(self, worker: Worker) -> None:
        if worker.paused and not worker.closed:
            worker.paused = False
            self._watch(worker)

    def _close(self, worker: Worker) -> None:
        self._selector.unregister(worker.channel)
        worker.channel.close()
        with self._lock:
            worker.closed = True
            ended = worker.uncommitted == 0
        if ended:
            self._end(worker)

    def _end(self, worker: Worker) -> None:
        with self._lock:
            if self._by_run.get(worker.run_id) is worker:
                del self._by_run[worker.run_id]
        if not worker.finished and not self._stopping:
            # Finding the exit status may take a moment: not on the reader's or the hub's time.
            threading.Thread(target=self._report_lost, args=(worker,), name="lost-worker", daemon=True).start()

    def _report_lost(self, worker: Worker) -> None:
        kill_session(worker.pid)  # its steps must not outlive it
        status = self.exit_status(worker.pid)
        if not worker.fenced:
            self._lost(worker, worker.trouble or describe_exit(status))

    def exit_status(self, pid: int) -> int | None:
        """How a fork ended, when that becomes known within a moment."""
        deadline = time.monotonic() + _EXIT_STATUS_WAIT
        while True:
            with self._lock:
                status = self._exits.pop(pid, None)
            if status is not None or time.monotonic() >= deadline:
                return status
            time.sleep(0.01)
