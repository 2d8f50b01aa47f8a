"""Async user code runs with and without an event loop around it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import dagwright as dg
from dagwright.execution.event_loop import CoroutineRunner


@dg.asset
async def numbers() -> int:
    await asyncio.sleep(0)
    return 3


@dg.op
async def broken() -> None:
    await asyncio.sleep(0)
    raise ValueError("not today")


def in_a_fresh_thread(function):
    """Other tests may have left an event loop running in this thread, as Playwright does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_an_async_asset_runs_by_itself():
    assert dg.materialize([numbers]).output_for_node("numbers") == 3


def test_an_async_asset_runs_inside_a_running_loop():
    async def notebook():
        return dg.materialize([numbers]).output_for_node("numbers")

    assert in_a_fresh_thread(lambda: asyncio.run(notebook())) == 3


def test_its_exception_arrives_from_inside_a_running_loop():
    @dg.job
    def fails():
        broken()

    async def notebook():
        fails.execute_in_process()

    with pytest.raises(ValueError, match="not today"):
        in_a_fresh_thread(lambda: asyncio.run(notebook()))


def test_an_interruption_cancels_the_coroutine_in_the_other_thread():
    ended = []

    async def sleeps() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cleaned up")

    async def notebook() -> None:
        with CoroutineRunner() as runner:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            runner.run(sleeps())

    def interrupt(_number: int, _frame: object) -> None:
        raise TimeoutError("time is up")

    before = signal.signal(signal.SIGALRM, interrupt)
    began = time.monotonic()
    try:
        with pytest.raises(TimeoutError, match="time is up"):
            _drive(notebook())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended == ["cleaned up"]
    assert time.monotonic() - began < 30


def _drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop of this, the main, thread, whatever loop is noted as running here."""
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        asyncio.run(coroutine)
    finally:
        asyncio._set_running_loop(running)
