"""Steps on a Dask cluster; the run worker stays the only writer of the run's events.

Each step attempt is a task. What it says comes back through one queue of the cluster, which is bounded, so that a step that says
much waits for whoever stores it. Dask's own retries are not used: when a worker dies, Dask starts its tasks again somewhere
else, and such a task, which announces itself a second time, is refused; the run counts a new attempt instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import distributed

from dagwright.execution.executors import dask_worker
from dagwright.execution.executors.concurrent import Loop, Running
from dagwright.execution.executors.dask_worker import Ended, Hello, Order, Said
from dagwright.execution.executors.gate import Gate
from dagwright.execution.executors.work import Group, Work
from dagwright.execution.outcome import StepBroke
from dagwright.execution.ports import AskedKeys
from dagwright.execution.scope import RunScope
from dagwright.planning.dynamic import pack
from dagwright.planning.executor_config import DaskConfig
from dagwright.planning.steps import FromAsset, Step, flat
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DagwrightError, ErrorInfo, error_info
from dagwright_shared.model.events import AssetMaterialized, AssetObserved, Usage
from dagwright_shared.model.keys import StepKey
from dagwright_shared.model.partitions import dynamic_names

MAX_CONCURRENT = 1_000
"""Steps that are handed to the cluster at once, where the config says nothing; Dask queues what its workers cannot take yet."""
RESOURCES_TAGS = ("dagwright/dask_resources", "dagster-dask/resource_requirements")
"""Tags of a step: what a worker must offer, as JSON or an object of numbers by name."""
_QUEUE_LENGTH = 64
_LOOK_SECONDS = 0.5
_CLOSE_SECONDS = 10.0
_NO_USAGE = Usage(cpu_seconds=0.0, peak_memory_bytes=0)


class DaskError(DagwrightError):
    """The cluster cannot be used."""


class DaskExecutor:
    """Runs steps on the cluster of a scheduler, or on one that it starts for the run."""

    name = "dask"

    def __init__(self, config: DaskConfig) -> None:
        self._config = config

    def run(self, scope: RunScope, progress: Work) -> None:
        gate = Gate(progress, self._config.max_concurrent or MAX_CONCURRENT, self._config.tag_concurrency_limits or ())
        with Cluster(self._config) as cluster:
            lane = DaskLane(scope, self._config, cluster, progress.goes_on)
            Loop(scope, progress, gate, lane, grace=self._config.cancel_grace_seconds).run()


class Cluster:
    """A connection to a scheduler, and the event loop that serves it in a thread."""

    client: Any

    def __init__(self, config: DaskConfig) -> None:
        self._config = config
        self._started: Any = None
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="dask", daemon=True)

    def __enter__(self) -> Cluster:
        self._thread.start()
        seconds = self._config.connect_timeout_seconds
        try:
            self.do(self._open()).result(2 * seconds + _CLOSE_SECONDS)
        except BaseException as error:
            self.__exit__()
            if isinstance(error, OSError | TimeoutError):
                where = f"the Dask scheduler at {self._config.address}" if self._config.address else "the Dask cluster of the run"
                raise DaskError(
                    f"{where} does not answer, or has no workers, within {seconds:g} s ({error}); check the executor's `address`, "
                    "that the scheduler runs and that at least one worker has joined it"
                ) from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self.do(self._close()).result(_CLOSE_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_CLOSE_SECONDS)

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop; returns its future."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    async def _open(self) -> None:
        config, seconds = self._config, self._config.connect_timeout_seconds
        if config.address is None:
            self._started = await distributed.LocalCluster(
                n_workers=config.n_workers,
                threads_per_worker=config.threads_per_worker,
                resources=config.worker_resources,
                host="127.0.0.1",
                dashboard_address=None,
                asynchronous=True,
            )
        target = self._started or config.address
        self.client = await distributed.Client(target, asynchronous=True, set_as_default=False, timeout=seconds)
        await self.client.wait_for_workers(1, timeout=seconds)

    async def _close(self) -> None:
        if hasattr(self, "client"):
            await self.client.close()
        if self._started is not None:
            await self._started.close()


@dataclass(slots=True, eq=False)
class _Sent:
    """An order that the cluster has."""

    order: str
    running: Running
    future: Any
    token: str | None = None
    worker: str | None = None
    host: str = ""
    place: str | None = None
    """The worker that it must run on: that of its step group."""
    over: bool = False


class DaskLane:
    """Sends steps to a cluster. All but `start`, `interrupt` and `close` runs on the cluster's loop."""

    def __init__(self, scope: RunScope, config: DaskConfig, cluster: Cluster, goes_on: Callable[[Group], bool]) -> None:
        if scope.origin is None:
            raise DaskError(
                "the Dask executor works for runs of a code server, whose workers can import the same code; "
                "in a test, and for definitions made in memory, use in_process_executor"
            )
        self._scope, self._config, self._cluster, self._goes_on = scope, config, cluster, goes_on
        self._origin = pickle.dumps(scope.origin)
        plan, asked = scope.plan, AskedKeys(scope.history)
        self._dynamic = {name: asked[name] for name in dynamic_names(plan.partitions)} if plan.partition_end is not None else None
        self._sent: dict[str, _Sent] = {}
        self._losses: Counter[StepKey] = Counter()
        self._places: dict[Group, str] = {}
        """The worker of each step group."""
        self._name = f"dagwright-{scope.spec.run_id}-{scope.spec.epoch}"
        self._queue: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        cluster.do(self._open()).result(config.connect_timeout_seconds)

    def start(self, running: Running) -> None:
        order = self._order(running)
        self._cluster.loop.call_soon_threadsafe(self._submit, order, running)

    def interrupt(self, running: Running) -> None:
        self._cluster.loop.call_soon_threadsafe(self._stop, running)

    def close(self) -> None:
        with suppress(Exception):
            self._cluster.do(self._end()).result(_CLOSE_SECONDS)

    def _order(self, running: Running) -> Order:
        step, spec = running.step, self._scope.spec
        return Order(
            name=f"{self._name}-{step.key}-{running.attempt}",
            queue=self._name,
            origin=self._origin,
            spec=spec,
            step=pickle.dumps(pack(step)),
            attempt=running.attempt,
            news=pickle.dumps(_news(self._scope, step)),
            captures=self._scope.captures,
            group=repr(step.group) if step.group is not None else None,
            dynamic=self._dynamic,
        )

    # ---- on the loop

    async def _open(self) -> None:
        self._queue = await distributed.Queue(self._name, client=self._cluster.client, maxsize=_QUEUE_LENGTH)
        self._keep(self._read())
        self._keep(self._look())

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._cluster.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _submit(self, order: Order, running: Running) -> None:
        group = running.step.group
        place = self._places.get(group) if group is not None else None
        try:
            future = self._cluster.client.submit(
                dask_worker.work,
                order,
                key=order.name,
                pure=False,
                resources=resources_of(running.step) or None,
                workers=[place] if place is not None else None,
            )
        except Exception as error:  # noqa: BLE001 - tags may say what Dask does not take
            self._fail(running, error_info(error))
            return
        sent = _Sent(order.name, running, future, place=place)
        self._sent[order.name] = sent
        self._keep(self._follow(sent))

    async def _follow(self, sent: _Sent) -> None:
        """Notice the end of a task that did not come to its own."""
        try:
            await sent.future
        except asyncio.CancelledError:
            if not sent.over:
                self._lose(sent, "the scheduler dropped it")
        except distributed.KilledWorker as error:
            self._lose(sent, f"the Dask worker that ran it died ({error})")
        except Exception as error:  # noqa: BLE001 - the worker could not load the code, or plan the run
            if not sent.over:
                self._drop(sent)
                hint = (
                    "Dask workers import the location's code themselves: it must be installed, or its file be there, on their machines too."
                )
                self._fail(sent.running, error_info(error, hint=hint))

    async def _read(self) -> None:
        """Take in what the workers say."""
        while True:
            try:
                messages = [await self._queue.get(), *await self._queue.get(batch=True)]
            except (OSError, asyncio.CancelledError, RuntimeError) as error:
                for sent in list(self._sent.values()):
                    self._lose(sent, f"the connection to the scheduler was lost ({type(error).__name__})")
                return
            for data in messages:
                self._take(pickle.loads(data))  # written by our own function

    def _take(self, message: Hello | Said | Ended) -> None:
        sent = self._sent.get(message.order)
        if isinstance(message, Hello):
            self._greet(sent, message)
        elif sent is None or sent.over or sent.token != message.token:
            return  # of an attempt that no longer counts
        elif isinstance(message, Said):
            for payload in message.payloads:
                sent.running.relay(payload)
            for chunk in message.chunks:
                self._scope.sink.chunk(chunk)
        else:
            self._drop(sent)
            sent.running.ended(message.outcome, message.usage)

    def _end_groups(self) -> None:
        """Have workers take down what the steps of a group shared, once it is over."""
        for group, place in list(self._places.items()):
            if not self._goes_on(group):
                del self._places[group]
                self._call(dask_worker.end_group, place, self._name, repr(group))

    def _greet(self, sent: _Sent | None, hello: Hello) -> None:
        go = sent is not None and not sent.over and sent.token is None and not sent.running.concluded
        if sent is not None and go:
            sent.token, sent.worker, sent.host = hello.token, hello.worker, hello.host
            if sent.running.step.group is not None:
                self._places[sent.running.step.group] = hello.worker
            sent.running.began(hello.pid)
        self._call(dask_worker.answer, hello.worker, hello.token, go=go)
        if sent is not None and not go and sent.token is not None:
            self._lose(sent, f"the Dask worker {sent.worker} on {sent.host} that ran it died")

    async def _look(self) -> None:
        """Notice workers that have gone, also when no other is free to start their tasks again."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._end_groups()
            held = [sent for sent in self._sent.values() if (sent.worker or sent.place) is not None]
            if not held:
                continue
            with suppress(OSError):
                there = await self._cluster.client.nthreads()
                for sent in held:
                    if sent.worker is None and sent.place not in there:
                        self._lose(sent, f"the Dask worker {sent.place} of its step group died")
                    elif sent.worker is not None and sent.worker not in there:
                        self._lose(sent, f"the Dask worker {sent.worker} on {sent.host} that ran it died")

    def _stop(self, running: Running) -> None:
        sent = next((sent for sent in self._sent.values() if sent.running is running), None)
        if sent is None:
            return
        if sent.worker is None:
            self._drop(sent)
        else:
            self._call(dask_worker.stop, sent.worker, sent.token, running.interruption.reason)

    def _call(self, function: Any, worker: str, *arguments: Any, **options: Any) -> None:
        async def call() -> None:
            with suppress(Exception):  # it has gone, which is noticed elsewhere
                await self._cluster.client.run(function, *arguments, workers=[worker], **options)

        self._keep(call())

    def _drop(self, sent: _Sent) -> None:
        sent.over = True
        self._sent.pop(sent.order, None)
        if not sent.future.done():
            self._keep(self._forget(sent.future))

    async def _forget(self, future: Any) -> None:
        # A task that has said its last word ends by itself; only one that has not is taken away.
        with suppress(Exception):
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(_settled(future))), _LOOK_SECONDS)
        if not future.done():
            with suppress(Exception):
                await self._cluster.client.cancel([future], force=True)

    def _lose(self, sent: _Sent, why: str) -> None:
        """The attempt is lost with the worker: it is started again, whatever the step's retry policy, up to a limit."""
        if sent.over:
            return
        self._drop(sent)
        running = sent.running
        if running.step.group is not None:
            self._places.pop(running.step.group, None)
        self._losses[running.step.key] += 1
        again = self._losses[running.step.key] <= self._config.worker_failures
        error = ErrorInfo(
            class_name="WorkerLost",
            message=f"step {running.step.key!r} was lost: {why}",
            hint="Often it ran out of memory: look at the worker's log, and give it more or run fewer steps at once.",
        )
        self._fail(running, error, retries=running.attempt if again else None)

    @staticmethod
    def _fail(running: Running, error: ErrorInfo, retries: int | None = None) -> None:
        if not running.has_begun:
            running.began(os.getpid())
        delay = None if retries is None else 0.0
        running.ended(StepBroke(error=error, requested_retries=retries, requested_delay=delay), _NO_USAGE)

    async def _end(self) -> None:
        for sent in list(self._sent.values()):
            sent.over = True
            with suppress(Exception):
                await self._cluster.client.cancel([sent.future], force=True)
        self._sent.clear()
        for group, place in self._places.items():
            with suppress(Exception):
                await self._cluster.client.run(dask_worker.end_group, self._name, repr(group), workers=[place])
        self._queue.close()
        for task in list(self._tasks):
            task.cancel()


async def _settled(future: Any) -> None:
    with suppress(Exception):
        await future


def _news(scope: RunScope, step: Step) -> list[tuple[Any, str]]:
    """What the run has made of the assets that a step reads."""
    sources = [s for planned in step.inputs for s in flat(planned.source) if isinstance(s, FromAsset)]
    keys = {source.asset_key for source in (*sources, *step.order_only_assets)}
    return [
        (payload, run_id)
        for payload, run_id in scope.history.since(0)
        if isinstance(payload, AssetMaterialized | AssetObserved) and payload.asset_key in keys
    ]


def resources_of(step: Step) -> dict[str, float]:
    """What a worker must offer to run a step.

    Raises:
        DaskError: the tag is not an object of numbers.
    """
    for tag in RESOURCES_TAGS:
        if tag in step.tags:
            try:
                value = json.loads(step.tags[tag])
                return {str(name): float(amount) for name, amount in value.items()}
            except (ValueError, AttributeError, TypeError) as error:
                raise DaskError(
                    f'the tag {tag!r} of step {step.key!r} is {step.tags[tag]!r}; write an object of numbers, such as {{"GPU": 1}}'
                ) from error
    return {}
