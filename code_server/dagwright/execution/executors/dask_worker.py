"""What runs in a Dask worker: one attempt of one step. It says what happens through a queue of the cluster.

The worker imports the location's code by the same target as the code server and plans the run again, which gives the same steps;
what it cannot know (the plan's growth, what the run has made so far) comes with the order.

Nothing of the step runs before the run worker has said so: a step that Dask itself has started again, after a worker died,
announces itself a second time and is refused, so that the run worker can count a new attempt.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import distributed

from dagwright.execution import step as steps
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors import printing
from dagwright.execution.executors.interruption import Interruption
from dagwright.execution.executors.threads import usage
from dagwright.execution.ports import NO_HISTORY, MemorySink
from dagwright.execution.scope import RunHistory, RunScope
from dagwright.planning.dynamic import Packed, unpack
from dagwright.planning.plan import plan_run
from dagwright.planning.steps import ExecutionPlan, Step
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import LogChunk, Payload
from dagwright_shared.model.keys import StepKey
from dagwright_shared.model.runs import LaunchSpec

log = logging.getLogger("dagwright.dask")
GO_SECONDS = 60.0
"""How long a worker waits to be told to go; the run worker has ended, or is very busy, after that."""
_LOOK_SECONDS = 0.2
_SEND_SECONDS = 0.05
_BATCH = 500
_BATCH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One attempt of one step, for a worker."""

    name: str
    """Of the order, unique in the cluster."""
    queue: str
    origin: bytes
    """Pickled: a function that gives the definitions, as they are loaded in the worker."""
    spec: LaunchSpec
    step: bytes
    """Pickled `Packed`: it may hold classes of the user's."""
    attempt: int
    news: bytes
    """Pickled: what the run has made of the assets that the step reads."""
    captures: bool
    group: str | None
    """Of a step group: its steps share what they set up."""
    dynamic: Mapping[str, tuple[str, ...]] | None = None
    """Keys of dynamic partitions that planning a range needs."""


@dataclass(frozen=True, slots=True)
class Hello:
    """A worker is ready to begin."""

    order: str
    token: str
    worker: str
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class Said:
    """What a step had to say and what it printed, in order."""

    order: str
    token: str
    payloads: tuple[Payload, ...]
    chunks: tuple[LogChunk, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt is over, and this is the last message."""

    order: str
    token: str
    outcome: Any
    usage: Any


@dataclass(slots=True, eq=False)
class _Attempt:
    interruption: Interruption = field(default_factory=Interruption)
    answered: threading.Event = field(default_factory=threading.Event)
    may_begin: bool = False


_attempts: dict[str, _Attempt] = {}
_loaded: dict[tuple[bytes, str, int], tuple[Any, ExecutionPlan]] = {}
_loading = threading.Lock()
_shared: dict[tuple[str, str], steps.Environment] = {}
"""What the steps of each step group of a run have set up, by the run's queue and the group."""


# ---- called on the worker's event loop by the run worker


def answer(token: str, *, go: bool) -> None:
    """Let an attempt begin, or not."""
    attempt = _attempts.get(token)
    if attempt is not None:
        attempt.may_begin = go
        attempt.answered.set()


def stop(token: str, reason: str | None) -> None:
    """Interrupt an attempt."""
    attempt = _attempts.get(token)
    if attempt is not None:
        attempt.interruption.request(reason)
        attempt.answered.set()


def end_group(run: str, group: str) -> None:
    """Take down what the steps of a group have set up."""
    environment = _shared.pop((run, group), None)
    if environment is not None:  # not here: this is the thread that keeps the worker alive
        threading.Thread(target=_close, args=(environment,), name="step-group", daemon=True).start()


def _close(environment: steps.Environment) -> None:
    for error in environment.resources.close(environment.scope.cancellation):
        log.error("a resource of a step group could not be torn down", exc_info=error)


# ---- the task


def work(order: Order) -> str:
    """Run the attempt; returns a word about it. What matters has gone through the queue by then."""
    token, attempt = uuid.uuid4().hex, _Attempt()
    _attempts[token] = attempt
    worker = distributed.get_worker()
    queue = distributed.Queue(order.queue)
    try:
        scope, step = _prepare(order, attempt.interruption)
        queue.put(pickle.dumps(Hello(order.name, token, worker.address, socket.gethostname(), os.getpid())))
        if not _is_let_go(order, attempt, worker):
            return "refused"
        _attempt(order, token, scope, step, queue)
    finally:
        _attempts.pop(token, None)
        queue.close()
    return "done"


def _is_let_go(order: Order, attempt: _Attempt, worker: Any) -> bool:
    deadline = time.monotonic() + GO_SECONDS
    while not attempt.answered.wait(_LOOK_SECONDS):
        task = worker.state.tasks.get(order.name)
        # Taken back meanwhile: nobody is left to answer.
        if task is None or task.state == "cancelled" or time.monotonic() > deadline:
            return False
    return attempt.may_begin


def _prepare(order: Order, cancellation: Cancellation) -> tuple[RunScope, Step]:
    spec = order.spec
    name = (order.origin, spec.run_id, spec.epoch)
    with _loading:
        if name not in _loaded:
            definitions = next((known for (origin, _, _), (known, _) in _loaded.items() if origin == order.origin), None)
            if definitions is None:
                definitions = pickle.loads(order.origin)()
            plan = plan_run(
                definitions,
                job_name=spec.job_name,
                asset_keys=spec.asset_keys,
                check_keys=spec.check_keys,
                only_checks=spec.only_checks,
                step_keys=spec.step_keys,
                partition=spec.partition,
                partition_end=spec.partition_end,
                dynamic=order.dynamic,
                config=spec.config,
                inherited=spec.inherited,
            )
            for old in [old for old in _loaded if old[0] == order.origin][:-3]:
                del _loaded[old]
            _loaded[name] = (definitions, plan)
    _, plan = _loaded[name]
    # Only now: the step may hold values of classes that the location's code defines.
    packed: Packed = pickle.loads(order.step)
    history = RunHistory(NO_HISTORY)
    for payload, run_id in pickle.loads(order.news):
        history.note(payload, run_id)
    scope = RunScope(plan=plan, spec=spec, sink=MemorySink(), cancellation=cancellation, history=history, captures=order.captures)
    return scope, unpack(packed, {step.key: step for step in plan.steps})


def _attempt(order: Order, token: str, scope: RunScope, step: Step, queue: Any) -> None:
    reporter = _Reporter(order, token, queue)
    output = printing.StepOutput(StepKey(step.key), order.attempt, scope.spec.log_limit_bytes, reporter.chunk) if scope.captures else None
    reporter.start(output)
    environment = _environment(order, scope)
    before = time.thread_time()
    undo = printing.current.set(output)
    try:
        printing.route_for_good()
        outcome = steps.attempt(environment, step, order.attempt, reporter.say)
        if order.group is None:
            environment.close_into(reporter.say)
    finally:
        printing.current.reset(undo)
        reporter.stop()
    queue.put(pickle.dumps(Ended(order.name, token, outcome, usage(time.thread_time() - before))))


def _environment(order: Order, scope: RunScope) -> steps.Environment:
    if order.group is None:
        return steps.Environment(scope)
    shared = _shared.setdefault((order.queue, order.group), steps.Environment(scope))
    return shared.within(scope)


class _Reporter:
    """Sends what a step says, in batches, from a thread of its own; a step that says much waits while the queue is full."""

    def __init__(self, order: Order, token: str, queue: Any) -> None:
        self._order, self._token, self._queue = order, token, queue
        self._room = threading.Condition()
        self._payloads: list[Payload] = []
        self._chunks: list[LogChunk] = []
        self._bytes = 0
        self._over = False
        self._output: printing.StepOutput | None = None
        self._thread = threading.Thread(target=self._serve, name="step-reporter", daemon=True)

    def start(self, output: printing.StepOutput | None) -> None:
        self._output = output
        self._thread.start()

    def say(self, payload: Payload) -> None:
        with self._room:
            self._payloads.append(payload)
            self._wait_while_full()

    def chunk(self, chunk: LogChunk) -> None:
        with self._room:
            self._chunks.append(chunk)
            self._bytes += len(chunk.data)

    def stop(self) -> None:
        """Return once all has been sent."""
        with self._room:
            self._over = True
            self._room.notify_all()
        self._thread.join()

    def _wait_while_full(self) -> None:
        if len(self._payloads) >= _BATCH:
            self._room.notify_all()
        while len(self._payloads) >= 2 * _BATCH and self._thread.is_alive():
            self._room.wait(1.0)

    def _serve(self) -> None:
        while True:
            with self._room:
                if not self._over and len(self._payloads) < _BATCH and self._bytes < _BATCH_BYTES:
                    self._room.wait(_SEND_SECONDS)
                over = self._over
            if self._output is not None:
                self._output.flush()
            with self._room:
                said = Said(self._order.name, self._token, tuple(self._payloads[:_BATCH]), tuple(self._chunks))
                del self._payloads[:_BATCH]
                self._chunks.clear()
                self._bytes = 0
                more = bool(self._payloads)
                self._room.notify_all()
            if said.payloads or said.chunks:
                self._queue.put(pickle.dumps(said))
            if over and not more:
                return
