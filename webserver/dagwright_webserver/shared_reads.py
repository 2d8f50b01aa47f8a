"""Reads that many streams want at the same moment are made once: a change wakes all who watch a run, and all look at the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

T = TypeVar("T")

_GATHER_SECONDS = 0.005


class SharedReads:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, asyncio.Task[Any]] = {}

    async def read(self, key: Hashable, question: Callable[[], T]) -> T:
        """The answer to a question that was read after it was asked.

        Args:
            key: questions with an equal key have the same answer, whoever asks.
        """
        task = self._waiting.get(key)
        if task is None:
            task = self._waiting[key] = asyncio.create_task(self._ask(key, question))
        # One who goes away takes the answer from nobody else.
        answer: T = await asyncio.shield(task)
        return answer

    async def _ask(self, key: Hashable, question: Callable[[], T]) -> T:
        await asyncio.sleep(_GATHER_SECONDS)
        # From here on the answer may be older than what the next one who asks has heard of.
        del self._waiting[key]
        return await run_in_threadpool(question)
