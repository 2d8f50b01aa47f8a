"""Two daemons as processes: one is killed, or put to sleep, and the other leads; one that wakes up does not act as if it still did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text
from tests import build
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

from dagwright_daemon import leadership
from dagwright_shared.store import leases

SECONDS = 120.0
"""New processes have to import all that a daemon is made of."""


@pytest.fixture
def daemon(database_url: str, store_engine: Engine) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `python -m dagwright_daemon`."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**environment: str) -> subprocess.Popen[bytes]:
        variables = {**os.environ, "DAGWRIGHT_DATABASE_URL": database_url, **environment}
        process = subprocess.Popen([sys.executable, "-m", "dagwright_daemon"], env=variables, stderr=subprocess.DEVNULL)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def leaders(engine: Engine) -> dict[str, tuple[int, int]]:
    """For each loop the pid of who leads it now, and the term."""
    with engine.connect() as conn:
        pids = {row.daemon_id: row.pid for row in leases.daemons(conn)}
        return {row.name: (pids.get(row.holder, 0), row.term) for row in leases.leases(conn) if not row.expired}


def leads(engine: Engine, pid: int) -> bool:
    found = leaders(engine)
    return len(found) >= 6 and {leader for leader, _ in found.values()} == {pid}


def test_a_lease_and_the_next_look_fit_into_five_seconds() -> None:
    assert leadership.LEASE_SECONDS + leadership.RENEW_SECONDS < 5.0


def test_a_killed_daemon_is_replaced(
    store_engine: Engine, code_server: rig.CodeServer, daemon: Callable[..., subprocess.Popen[bytes]]
) -> None:
    first = daemon()
    until(lambda: leads(store_engine, first.pid), seconds=SECONDS)
    second = daemon()
    until(lambda: _lives(store_engine, second.pid), seconds=SECONDS)
    terms = {name: term for name, (_, term) in leaders(store_engine).items()}
    first.kill()
    until(lambda: leads(store_engine, second.pid), seconds=SECONDS)
    assert all(term == terms[name] + 1 for name, (_, term) in leaders(store_engine).items())
    with store_engine.begin() as conn:
        run_id = build.queued(conn)
    until(lambda: run_id in code_server.backend.launched_at, seconds=SECONDS, what="the second to launch")


def test_a_daemon_that_slept_does_not_act_any_more(
    store_engine: Engine, code_server: rig.CodeServer, daemon: Callable[..., subprocess.Popen[bytes]]
) -> None:
    first = daemon()
    until(lambda: leads(store_engine, first.pid), seconds=SECONDS)
    second = daemon()
    until(lambda: _lives(store_engine, second.pid), seconds=SECONDS)
    first.send_signal(signal.SIGSTOP)
    until(lambda: leads(store_engine, second.pid), seconds=SECONDS)
    first.send_signal(signal.SIGCONT)
    with store_engine.begin() as conn:
        wanted = [build.queued(conn) for _ in range(20)]
    until(lambda: set(wanted) <= set(code_server.backend.launched_at), seconds=SECONDS, what="all runs to be launched")
    until(lambda: _beats_after(store_engine, first.pid), seconds=SECONDS, what="the first to wake up")
    assert leads(store_engine, second.pid)
    launches = [(spec.run_id, spec.epoch) for spec in code_server.backend.launched]
    assert sorted(launches) == sorted((run_id, 1) for run_id in wanted), "each was launched once"


@pytest.mark.parametrize("point", ["before runs are claimed", "after runs were claimed"])
def test_a_daemon_that_dies_around_a_claim_loses_no_run(
    store_engine: Engine, code_server: rig.CodeServer, daemon: Callable[..., subprocess.Popen[bytes]], point: str
) -> None:
    with store_engine.begin() as conn:
        run_id = build.queued(conn)
    victim = daemon(DAGWRIGHT_CRASH=f"{point}")
    assert victim.wait(SECONDS) == -signal.SIGKILL
    daemon(DAGWRIGHT_LEASE_SECONDS="3")
    until(lambda: run_id in code_server.backend.launched_at, seconds=SECONDS, what="the run to be launched after all")
    until(lambda: _status(store_engine) == ["SUCCESS"], seconds=SECONDS)
    assert len({(spec.run_id, spec.epoch) for spec in code_server.backend.launched}) == len(code_server.backend.launched) == 1


def _lives(engine: Engine, pid: int) -> bool:
    with engine.connect() as conn:
        return any(row.pid == pid for row in leases.daemons(conn))


def _beats_after(engine: Engine, pid: int) -> bool:
    with engine.connect() as conn:
        return any(row.pid == pid and row.heartbeat_age < 2.0 for row in leases.daemons(conn))


def _status(engine: Engine) -> list[str]:
    with engine.connect() as conn:
        return list(conn.execute(text("SELECT status FROM runs")).scalars())
