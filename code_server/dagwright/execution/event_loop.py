"""Runs coroutines of user code, also where the calling thread already has a running event loop, as a notebook's has."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
_LOOK_SECONDS = 0.1


class CoroutineRunner:
    """One event loop for the coroutines of one step: in this thread, or, when that is taken, in one of its own."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._thread = None
        else:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="coroutines")

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._thread is None:
            return self._runner.run(coroutine)
        started: Future[asyncio.Task[T]] = Future()

        async def announced() -> T:
            task = asyncio.current_task()
            assert task is not None
            started.set_result(task)
            return await coroutine

        result = self._thread.submit(contextvars.copy_context().run, self._runner.run, announced())
        try:
            # Looked at again and again, since a signal that another thread received wakes nobody who waits for a lock.
            while not wait([result], _LOOK_SECONDS).done:
                pass
        except BaseException:
            # A time-out or a request to stop reached this thread, not the one that the coroutine is in.
            if not result.done():
                task = started.result()
                task.get_loop().call_soon_threadsafe(task.cancel)
            raise
        return result.result()

    def __enter__(self) -> CoroutineRunner:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._thread is None:
            self._runner.close()
        else:
            self._thread.submit(self._runner.close).result()
            self._thread.shutdown()
