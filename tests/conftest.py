"""Fixtures of more than one floor: a real Postgres, one for the whole test run, and a database for each worker."""

from __future__ import annotations

import asyncio
import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, text

from dagwright_shared.store import embedded, engine, schema, tables

# How long an example takes says more of the machine than of the code.
settings.register_profile("dagwright", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("dagwright")

CLEAN = "; ".join(f"DELETE FROM {table.name}" for table in reversed(tables.metadata.sorted_tables))


_THROWN_AWAY = {"fsync": "off", "full_page_writes": "off"}
"""What is written need not outlive the machine."""


@pytest.fixture(autouse=True)
def _no_loop_of_others(request: pytest.FixtureRequest) -> Iterator[None]:
    """Playwright leaves its loop running in the thread of browser tests, which may have come before in this process."""
    if request.path.parent.name == "browser":
        yield
        return
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


@pytest.fixture(scope="session")
def postgres_home(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The home of the cluster that all workers of this test run share: the first starts it, the last stops it."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if hasattr(request.config, "workerinput") else base
    home, users = root / "postgres-home", root / "postgres-users"
    with _alone(root):
        home.mkdir(exist_ok=True)
        url = embedded.start_cluster(home, options=_THROWN_AWAY)
        template = engine.create(url, name="tests")
        schema.upgrade(template)
        template.dispose()
        users.write_text(str(int(users.read_text() or 0) + 1 if users.exists() else 1))
    yield home
    with _alone(root):
        left = int(users.read_text()) - 1
        users.write_text(str(left))
        if left == 0:
            embedded.stop_cluster(home, how=signal.SIGQUIT)


@pytest.fixture(scope="session")
def database_url(postgres_home: Path, request: pytest.FixtureRequest) -> str:
    """A migrated database for this worker alone; `engine` empties it for each test."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    return clone_database(postgres_home, f"tests_{worker}")


@pytest.fixture(scope="session")
def _session_engine(database_url: str) -> Iterator[Engine]:
    made = engine.create(database_url, name="tests")
    yield made
    made.dispose()


@pytest.fixture
def store_engine(_session_engine: Engine) -> Engine:
    """An engine on an empty store."""
    with _session_engine.begin() as conn:
        conn.execute(text(CLEAN))
    return _session_engine


@pytest.fixture
def busy_elsewhere(_session_engine: Engine) -> Iterator[None]:
    """Meanwhile a transaction that writes is open in another database of the cluster, as it may be at any time."""
    url = _session_engine.url.set(database="postgres")
    other = engine.create(url.render_as_string(hide_password=False), name="tests")
    try:
        with other.connect() as conn:
            conn.execute(text("SELECT pg_current_xact_id()"))
            yield
    finally:
        other.dispose()


def clone_database(home: Path, name: str) -> str:
    """Make a database with the schema, and nothing in it, in the cluster of a home; returns its URL."""
    url = embedded.start_cluster(home)
    admin = engine.create(url.replace("/dagwright?", "/postgres?"), name="tests")
    try:
        with _alone(home.parent), admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text(f"CREATE DATABASE {name} TEMPLATE dagwright"))
    finally:
        admin.dispose()
    return url.replace("/dagwright?", f"/{name}?")


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    with (root / "postgres-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
