"""A code server in this process, and daemons that are stopped at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine
from tests.integration.daemon import rig

from dagwright_daemon.runner import Runner
from dagwright_daemon.servers import CodeServers
from dagwright_shared.model.snapshot import JobSnapshot, LocationSnapshot

SNAPSHOT = LocationSnapshot(location=rig.HERE, dagwright_version="0", python_version="3", jobs=(JobSnapshot(name="job"),))


@pytest.fixture
def backend(store_engine: Engine) -> rig.Backend:
    return rig.Backend(engine=store_engine, snapshot_value=SNAPSHOT)


@pytest.fixture
def code_server(store_engine: Engine, backend: rig.Backend) -> Iterator[rig.CodeServer]:
    """Serving and registered; its snapshot is not published."""
    server = rig.CodeServer(store_engine, backend).start()
    yield server
    server.stop()


@pytest.fixture
def servers(store_engine: Engine) -> Iterator[CodeServers]:
    made = CodeServers(store_engine)
    yield made
    made.close()


@pytest.fixture
def daemons(store_engine: Engine, database_url: str) -> Iterator[Callable[..., Runner]]:
    """Starts whole daemons."""
    started: list[Runner] = []

    def start(**settings: object) -> Runner:
        made = rig.runner(store_engine, database_url, **settings)
        started.append(made)
        made.start()
        return made

    yield start
    for made in started:
        made.stop()
