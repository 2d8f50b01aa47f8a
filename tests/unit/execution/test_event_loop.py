"""Async user code runs with and without an event loop around it."""

from __future__ import annotations

import asyncio

import pytest

import dagwright as dg


@dg.asset
async def numbers() -> int:
    await asyncio.sleep(0)
    return 3


@dg.op
async def broken() -> None:
    await asyncio.sleep(0)
    raise ValueError("not today")


def test_an_async_asset_runs_by_itself():
    assert dg.materialize([numbers]).output_for_node("numbers") == 3


def test_an_async_asset_runs_inside_a_running_loop():
    async def notebook():
        return dg.materialize([numbers]).output_for_node("numbers")

    assert asyncio.run(notebook()) == 3


def test_its_exception_arrives_from_inside_a_running_loop():
    @dg.job
    def fails():
        broken()

    async def notebook():
        fails.execute_in_process()

    with pytest.raises(ValueError, match="not today"):
        asyncio.run(notebook())
