"""What is made ready before somebody asks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine
from tests.integration.webserver import places
from tests.integration.webserver.conftest import Running, publish

from dagwright_shared.model.keys import LocationName
from dagwright_webserver import render, warm


@pytest.fixture
def collector() -> Iterator[None]:
    """Put Python's collector back as it was."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_definitions_are_decoded_before_somebody_asks(store: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_LONG_SECONDS", 0.05)  # a reload is noticed without its notification as well
    with Running(database_url=database_url) as running:
        web = running.app.state.web

        async def scenario() -> None:
            ready = asyncio.create_task(warm.keep_ready(web))
            try:
                await _until(lambda: set(_known(web)) == {"flights", "twin"})
                publish(store, dataclasses.replace(places.twin(), location=LocationName("third")))
                await _until(lambda: "third" in _known(web))
            finally:
                ready.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await ready

        asyncio.run(scenario())
    assert "run.html" in render.templates()


def _known(web: object) -> set[str]:
    # To ask for them would decode them.
    return set(web.definitions._current.locations)  # type: ignore[attr-defined]


async def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
