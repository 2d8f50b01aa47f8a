"""Runs coroutines of user code, also where the calling thread already has a running event loop, as a notebook's has."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


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
        return self._thread.submit(contextvars.copy_context().run, self._runner.run, coroutine).result()

    def __enter__(self) -> CoroutineRunner:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._thread is None:
            self._runner.close()
        else:
            self._thread.submit(self._runner.close).result()
            self._thread.shutdown()
