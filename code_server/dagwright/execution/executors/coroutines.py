"""`async def` steps on one event loop, the others in threads: a step that waits costs a task, not a thread.

The event loop has a thread of its own, so that a step which blocks it holds up the other steps but neither the run's events
nor its cancellation. Setting up resources and loading and storing values, which may block, happen in the pool's threads.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from dagwright.execution import step as steps
from dagwright.execution.executors import limits, printing
from dagwright.execution.executors.concurrent import Loop, Running
from dagwright.execution.executors.gate import Gate
from dagwright.execution.executors.threads import MAX_CONCURRENT, Pool, ThreadLane, usage
from dagwright.execution.executors.work import Work
from dagwright.execution.scope import RunScope
from dagwright.planning.executor_config import TagLimit

MAX_THREADS = 32
_JOIN_SECONDS = 1.0


class AsyncioExecutor:
    """Runs up to `max_concurrent` steps at once: coroutine functions on an event loop, the others in threads.

    Args:
        max_concurrent: steps at once; None or 0: 1,000.
        max_threads: threads for steps that are not `async def`, and for values and resources.
        cancel_grace: seconds between asking a step to stop and leaving it behind.
        tag_limits: how many steps with a tag may run at once.
    """

    name = "asyncio"

    def __init__(
        self,
        max_concurrent: int | None = None,
        *,
        max_threads: int = MAX_THREADS,
        cancel_grace: float = limits.GRACE_SECONDS,
        tag_limits: Sequence[TagLimit] = (),
    ) -> None:
        self._max_concurrent, self._max_threads = max_concurrent or MAX_CONCURRENT, max_threads
        self._cancel_grace, self._tag_limits = cancel_grace, tag_limits

    def run(self, scope: RunScope, progress: Work) -> None:
        environment = steps.Environment(scope)
        lane = AsyncLane(environment, Pool(self._max_threads, "step"))
        gate = Gate(progress, self._max_concurrent, self._tag_limits)
        try:
            with printing.routed() if scope.captures else nullcontext():
                Loop(scope, progress, gate, lane, grace=self._cancel_grace).run()
        finally:
            environment.close()


class AsyncLane(ThreadLane):
    """Runs coroutine functions as tasks of one loop."""

    def __init__(self, environment: steps.Environment, pool: Pool) -> None:
        super().__init__(environment, pool)
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[Running, asyncio.Task[None]] = {}
        self._thread = threading.Thread(target=self._serve, name="steps", daemon=True)
        self._thread.start()

    def start(self, running: Running) -> None:
        if is_async(running.step.op.fn):
            self._loop.call_soon_threadsafe(self._launch, running, context=self._variables.copy())
        else:
            super().start(running)

    def interrupt(self, running: Running) -> None:
        self._loop.call_soon_threadsafe(self._cancel, running)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_JOIN_SECONDS)
        super().close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        with suppress(RuntimeError):  # a step that was left behind
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    # ---- on the loop

    def _launch(self, running: Running) -> None:
        printing.current.set(running.output)
        self._tasks[running] = self._loop.create_task(self._follow(running), name=running.step.key)

    def _cancel(self, running: Running) -> None:
        task = self._tasks.get(running)
        if task is not None:
            task.cancel()

    async def _follow(self, running: Running) -> None:
        clock = Clock()
        running.began(os.getpid())
        if running.concluded:
            return
        environment = self._environment.of_step(running.interruption)
        attempt = steps.attempt_async(environment, running.step, running.attempt, running.relay, lambda work: self._elsewhere(work, clock))
        try:
            outcome = await Timed(attempt, clock)
        finally:
            self._tasks.pop(running, None)
        running.ended(outcome, usage(clock.seconds))

    async def _elsewhere(self, work: Callable[[], Any], clock: Clock) -> Any:
        """Call something that may block in a thread. It is stopped by the step's interruption, never abandoned half-way."""
        done = self._loop.create_future()
        variables = contextvars.copy_context()

        def attempt() -> None:
            before = time.thread_time()
            result: Any = None
            failure: BaseException | None = None
            try:
                result = variables.run(work)
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                failure = error
            clock.seconds += time.thread_time() - before
            with suppress(RuntimeError):  # the loop has gone
                self._loop.call_soon_threadsafe(_settle, done, result, failure)

        self._pool.submit(attempt)
        canceled: asyncio.CancelledError | None = None
        while not done.done():
            try:
                await asyncio.shield(done)
            except asyncio.CancelledError as error:  # the work itself sees the interruption
                canceled = error
        outcome = done.result()
        if isinstance(outcome, _Raised):
            raise outcome.error
        if canceled is not None:
            raise canceled
        return outcome


class _Raised:
    """An exception that a future cannot hold, or must not turn into another."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _settle(done: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if not done.done():
        done.set_result(result if failure is None else _Raised(failure))


class Clock:
    """CPU seconds of one step."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0


class Timed(Coroutine[Any, Any, Any]):
    """A coroutine, with the CPU time that it takes on the loop counted: between two waits it has the thread to itself."""

    def __init__(self, inner: Coroutine[Any, Any, Any], clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def send(self, value: Any) -> Any:
        before = time.thread_time()
        try:
            return self._inner.send(value)
        finally:
            self._clock.seconds += time.thread_time() - before

    def throw(self, *error: Any) -> Any:
        before = time.thread_time()
        try:
            return self._inner.throw(*error)
        finally:
            self._clock.seconds += time.thread_time() - before

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return _Steps(self)


class _Steps(Generator[Any, Any, Any]):
    """What `await` iterates over."""

    def __init__(self, inner: Timed) -> None:
        self._inner = inner

    def send(self, value: Any) -> Any:
        return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        return self._inner.throw(*error)

    def close(self) -> None:
        self._inner.close()


def is_async(fn: Any) -> bool:
    """Whether a function runs on the loop."""
    return inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn)
