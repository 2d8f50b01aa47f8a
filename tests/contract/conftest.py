"""A small code server behind a real channel, a client of ours and a generated one."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from tests.contract.wire_backend import Backend

from dagwright_api.v1.code_server_service_pb2_grpc import CodeServerServiceStub
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
    with LocationClient(address, timeouts=Timeouts(read=20, ask=20)) as made:
        yield made


@pytest.fixture
def stub(address: str) -> Iterator[CodeServerServiceStub]:
    """The generated stub: what a client in another language has."""
    with grpc.insecure_channel(address) as channel:
        yield CodeServerServiceStub(channel)
