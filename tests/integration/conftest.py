"""Everything on this floor has a real Postgres; `conn` is a transaction on an empty store, rolled back at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def conn(store_engine: Engine) -> Iterator[Connection]:
    with store_engine.connect() as connection:
        yield connection
