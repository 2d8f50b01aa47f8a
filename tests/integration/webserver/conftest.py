"""A webserver that answers over HTTP on a real database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import places

from dagwright_shared.runtime import settings
from dagwright_shared.store import locations
from dagwright_shared.wire.snapshot import digest_of, encode_snapshot
from dagwright_webserver import main


def publish(engine: Engine, *snapshots: Any) -> None:
    """What a code server does once its location has loaded."""
    with engine.begin() as conn:
        for snapshot in snapshots:
            payload = encode_snapshot(snapshot)
            locations.publish_snapshot(conn, location=snapshot.location, digest=digest_of(payload), payload=payload, snapshot=snapshot)


class Running:
    """A server in a thread of this process."""

    def __init__(self, **overrides: Any) -> None:
        self.settings = settings.load(port=0, **overrides)
        self.app = main.create_app(self.settings)
        self._socket = main.bind(self.settings)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = main.Server(self.app)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])))

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(60)
        self._socket.close()
        assert not self._thread.is_alive()


@pytest.fixture
def store(store_engine: Engine) -> Engine:
    """A store with the locations of `places`."""
    publish(store_engine, places.flights(), places.twin())
    return store_engine


@pytest.fixture
def server(store: Engine, database_url: str) -> Iterator[Running]:
    with Running(database_url=database_url) as running:
        yield running


@pytest.fixture
def api(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", timeout=60, trust_env=False) as client:
        yield client


def problems(answer: httpx.Response, status: int = 422) -> dict[str, Any]:
    """The problems of a problem document by path."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance", "problems"} <= body.keys()
    assert body["status"] == status
    return {problem["path"]: problem for problem in body["problems"]}
