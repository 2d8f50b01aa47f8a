"""The Postgres of `dagwright dev` and of the tests: binaries from a wheel, data under the project's home.

Files under home: `lock` (held while a process owns the cluster), `postgres/data`, `postgres/socket`, `postgres/log`.
Postgres refuses to run as root. Started by root, it runs as the `postgres` account, or `nobody`; where that account
cannot reach home (/root, say), `postgres` in home is a link to a directory of its own elsewhere (`embedded_account`).
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from pathlib import Path

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ConflictError, SettingsError, UnavailableError
from dagwright_shared.store import embedded_account
from dagwright_shared.store.embedded_account import Account

_USER = _DATABASE = "dagwright"
_PORT = 5432
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "max_connections": "120",
    "jit": "off",
    # One host, no replicas: less to write, and no helper processes that idle.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "io_method": "sync",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    # Connections to a database while it is cloned or moved are refused by Postgres itself; nothing else to say of them.
    "log_line_prefix": "%m [%p] %a ",
}
_logger = logging.getLogger(__name__)
_children: dict[int, subprocess.Popen[bytes]] = {}
"""Postmasters that this process started; they outlive it when it dies, so nothing but their exit takes them out."""


class AlreadyRunningError(ConflictError):
    """Another process runs in this home."""


@dataclass(slots=True)
class Embedded:
    """A running cluster that this process owns."""

    home: Path
    url: str
    _lock_fd: int = field(repr=False)

    @property
    def pid(self) -> int:
        """Of the postmaster; it changes when the cluster is restarted.

        Raises:
            UnavailableError: it is not running.
        """
        pid = running_pid(self.home)
        if pid is None:
            raise UnavailableError(f"The embedded Postgres of {self.home} is not running; its log is {self.home / 'postgres' / 'log'}")
        return pid

    def stop(self) -> None:
        """Shut the cluster down and let go of home. Safe to call twice."""
        if self._lock_fd < 0:
            return
        try:
            stop_cluster(self.home)
        finally:
            os.close(self._lock_fd)
            self._lock_fd = -1


def start(home: Path, *, options: dict[str, str] | None = None) -> Embedded:
    """Run a cluster in home, made at the first start; one that is still running there is taken over.

    Args:
        home: created when missing.
        options: more settings of postgresql.conf.

    Raises:
        AlreadyRunningError: another process owns this home.
        SettingsError: Postgres cannot be started here; the message has the end of its log.
    """
    home.mkdir(parents=True, exist_ok=True)
    home = home.resolve()
    lock_fd = _lock(home)
    try:
        return Embedded(home=home, url=start_cluster(home, options=options), _lock_fd=lock_fd)
    except BaseException:
        os.close(lock_fd)
        raise


def start_cluster(home: Path, *, options: dict[str, str] | None = None) -> str:
    """Run the cluster of a home without owning it, and return its URL: for tests of faults, from any process."""
    home = home.resolve()
    account = embedded_account.choose()
    root = embedded_account.reachable_directory(home, account)
    binaries = embedded_account.reachable_binaries(account)
    data = root / "data"
    if not (data / "PG_VERSION").exists():
        _initialize(root, binaries, account)
    socket = _socket_directory(root, account)
    url = f"postgresql://{_USER}@/{_DATABASE}?host={socket}&port={_PORT}"
    running = running_pid(home)
    # One whose owner has just gone may be on its way down: then it never becomes ready, and one is started behind it.
    if running is None or not _await_ready(root, socket, running, lambda: running_pid(home) == running):
        _discard_stale_pid(data)
        _launch(root, socket, binaries, account, options or {})
    # Also when the cluster is old: its first start may have been killed right here.
    _create_database(socket)
    return url


def stop_cluster(home: Path, *, how: signal.Signals = signal.SIGINT, timeout: float = 20.0) -> None:
    """Shut down the cluster of a home, from any process.

    Args:
        home: the home that it runs in.
        how: SIGINT closes connections and writes a checkpoint, SIGQUIT stops at once and recovers at the next start.
        timeout: seconds until it is stopped the hard way.
    """
    pid = running_pid(home)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    if not _await_exit(pid, timeout):
        _logger.warning("postgres did not stop in time", extra={"action": "stop", "pid": pid})
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        _await_exit(pid, timeout)


def restart(home: Path, *, how: signal.Signals = signal.SIGINT) -> None:
    """Stop and start the cluster of a home, from any process."""
    stop_cluster(home, how=how)
    start_cluster(home)


def running_pid(home: Path) -> int | None:
    """The postmaster of a home, or None; a pid file whose process is gone, or is another program, does not count."""
    data = (home / "postgres" / "data").resolve()
    pid = _recorded_pid(data)
    if pid is None or not _alive(pid):
        return None
    try:
        return pid if Path(f"/proc/{pid}/cwd").readlink() == data else None
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return None
    except PermissionError:
        return None
    # No /proc here: ask ps whether the process is a Postgres.
    command = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return pid if "postgres" in command else None


def _lock(home: Path) -> int:
    fd = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 32).decode().strip() or "unknown"
        os.close(fd)
        raise AlreadyRunningError(
            f"dagwright already runs in {home} (process {holder}); stop it, or name another folder with --home or DAGWRIGHT_HOME"
        ) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _initialize(root: Path, binaries: Path, account: Account) -> None:
    # Into a directory beside, then renamed: a start that is killed half way leaves no half cluster.
    draft = root / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    arguments = ["--username", _USER, "--auth", "trust", "--encoding", "UTF8", "--no-instructions", "--no-sync"]
    locale = ["--locale-provider", "builtin", "--locale", "C.UTF-8"]
    made = subprocess.run(
        [str(binaries / "initdb"), "-D", str(draft), *arguments, *locale],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        **account.subprocess_arguments(),
    )
    if made.returncode != 0:
        raise SettingsError(f"Postgres cannot make its files in {root}: {(made.stderr or made.stdout).strip()[-2000:]}")
    draft.rename(root / "data")
    # initdb's own sync walks the tree file by file; one call for the whole file system costs less.
    os.sync()


def _socket_directory(root: Path, account: Account) -> Path:
    directory = root / "socket"
    # A socket's path may have 107 bytes on Linux, 103 on macOS.
    if len(os.fsencode(str(directory / f".s.PGSQL.{_PORT}"))) > 100:
        directory = embedded_account.short_directory(root)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    account.own(directory)
    return directory


def _discard_stale_pid(data: Path) -> None:
    # A child that is about to end has no directory any more, but counts as alive to Postgres until somebody has waited for it.
    child = _children.pop(_recorded_pid(data) or 0, None)
    if child is not None:
        child.wait(10)
    # Postgres itself refuses to start when the recorded pid is alive again as another program, as happens in containers.
    with suppress(FileNotFoundError):
        (data / "postmaster.pid").unlink()


def _launch(root: Path, socket: Path, binaries: Path, account: Account, options: dict[str, str]) -> None:
    settings = {**_OPTIONS, "unix_socket_directories": str(socket), **options}
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = root / "log"
    deadline = time.monotonic() + 30
    while True:
        written = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            account.own(log)
            process = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(root / "data"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=root,
                # Ctrl-C in the terminal is for the owner, who then stops this in order.
                start_new_session=True,
                **account.subprocess_arguments(),
            )
        _children[process.pid] = process
        if _await_ready(root, socket, process.pid, lambda started=process: started.poll() is None):  # type: ignore[misc]  # bound now, as ruff wants it
            return
        said = log.read_bytes()[written:].decode(errors="replace").strip()
        # Children of a postmaster that was killed hold its shared memory until they notice, which a busy one does late.
        if not any(hint in said for hint in ("shared memory block", '.lock" already exists')) or time.monotonic() > deadline:
            raise SettingsError(f"Postgres does not start in {root / 'data'}; its log {log} ends with:\n{said[-2000:]}")
        _kill_orphans((root / "data").resolve())
        time.sleep(0.05)


def _kill_orphans(data: Path) -> None:
    """End what a dead postmaster left; nothing is lost, since the next start recovers from the log anyway."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink() == data:
                os.kill(int(entry.name), signal.SIGKILL)


def _await_ready(root: Path, socket: Path, pid: int, lives: Callable[[], bool], timeout: float = 60.0) -> bool:
    """Whether a postmaster takes connections; False when it has ended instead."""
    deadline = time.monotonic() + timeout
    status = root / "data" / "postmaster.pid"
    while time.monotonic() < deadline:
        if not lives():
            return False
        lines = status.read_text().splitlines() if status.exists() else []
        if len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(pid):
            return True
        time.sleep(0.005)
    raise SettingsError(f"Postgres in {root / 'data'} is not ready after {timeout:.0f} s; see its log {root / 'log'} (socket {socket})")


def _create_database(socket: Path) -> None:
    connection = psycopg2.connect(host=str(socket), port=_PORT, user=_USER, dbname="postgres")
    try:
        connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM pg_database WHERE datname = '{_DATABASE}'")
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {_DATABASE}")
    finally:
        connection.close()


def _recorded_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError, PermissionError):
        return None


@atexit.register
def _let_go() -> None:
    """A postmaster that nobody has stopped is to outlive this process: `Popen` would warn of it."""
    for child in _children.values():
        if child.poll() is None:
            child.returncode = 0


def _alive(pid: int) -> bool:
    child = _children.get(pid)
    if child is not None:
        # A child that has ended stays a zombie, which `kill` takes for alive, until it is waited for.
        if child.poll() is None:
            return True
        del _children[pid]
        return False
    with suppress(OSError):
        # So does one that another process started and does not wait for.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _await_exit(pid: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not _alive(pid):
            return True
        time.sleep(0.005)
    return False
