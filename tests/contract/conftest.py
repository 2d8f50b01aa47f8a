"""A small code server behind a real channel, a client of ours and a generated one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests import ports
from tests.conftest import clone_database
from tests.contract import code_server
from tests.contract.code_server import CodeServer
from tests.contract.wire_backend import Backend

from dagwright_api.v1.code_server_service_pb2_grpc import CodeServerServiceStub
from dagwright_shared.model.snapshot import LocationState
from dagwright_shared.store import engine as store_engine
from dagwright_shared.wire.client import LocationClient, Timeouts
from dagwright_shared.wire.serving import bind


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def address(backend: Backend) -> Iterator[str]:
    server, port = bind(backend, "127.0.0.1:0", max_workers=4)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(grace=None).wait()


@pytest.fixture
def client(address: str) -> Iterator[LocationClient]:
    with LocationClient(address, timeouts=Timeouts(read=60, ask=60)) as made:
        yield made


@pytest.fixture
def stub(address: str) -> Iterator[CodeServerServiceStub]:
    """The generated stub: what a client in another language has."""
    with grpc.insecure_channel(address) as channel:
        yield CodeServerServiceStub(channel)


@pytest.fixture(scope="session")
def code_server_database(postgres_home: Path, request: pytest.FixtureRequest) -> str:
    """A migrated database of the code servers of this worker: nobody empties it under them."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    return clone_database(postgres_home, f"code_server_{worker}")


@pytest.fixture
def free_port() -> int:
    return ports.free_port()


@pytest.fixture(scope="module")
def server(code_server_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    """A real code server, one for the module, with `tests/locations/service.py` loaded."""
    source = (Path(__file__).parents[1] / "locations" / "service.py").read_text()
    engine = store_engine.create(code_server_database, name="tests")
    with code_server.start(tmp_path_factory.mktemp("code-server"), source, code_server_database, engine, ports.free_port()) as started:
        assert started.settled().state is LocationState.LOADED, started.log.read_text()
        yield started
    engine.dispose()
