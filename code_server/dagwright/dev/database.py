"""The database of `dagwright dev`: an embedded Postgres that is kept alive, or the server that a setting names."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psycopg2

from dagwright.dev.log import MergedLog
from dagwright.dev.nursery import Nursery, NurseryError
from dagwright_shared.model.errors import DagwrightError, SettingsError
from dagwright_shared.runtime.settings import Settings
from dagwright_shared.store import embedded

_RETRY_SECONDS = 1.0

# Waits for its standard input to end. A line before that means that all is well; an end without one, that the
# supervisor was killed and cannot stop Postgres itself. A shell, as it costs a megabyte where Python costs ten.
_GUARD = 'read -r line || kill -INT "$(head -n 1 "$0")"'


class Database:
    """Start, watch and stop it. Not thread-safe: the supervisor's main thread owns it."""

    def __init__(self, settings: Settings, home: Path, log: MergedLog) -> None:
        self._home, self._log = home, log
        configured = settings.database_url
        self._url = None if configured is None else configured.get_secret_value()
        self.is_embedded = configured is None
        self._server: embedded.Embedded | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._seen: int | None = None
        self._next_check = 0.0

    @property
    def url(self) -> str:
        assert self._url is not None, "start() comes first"
        return self._url

    @property
    def pid(self) -> int | None:
        return embedded.running_pid(self._home) if self.is_embedded else None

    def start(self, nursery: Nursery) -> None:
        """Start it and bring the schema up to date, by a process of the nursery, which has imported by then.

        Raises:
            SettingsError: it cannot be reached, its schema is of a newer version, or another process has its home.
        """
        if self.is_embedded:
            try:
                self._server = embedded.start(self._home)
            except embedded.AlreadyRunningError as error:
                raise SettingsError(error.message) from None
            self._url = self._server.url
            self._start_guard()
        reader, writer = os.pipe()
        with open(reader, encoding="utf-8", errors="replace") as said:  # noqa: PTH123 - a descriptor
            try:
                pid = nursery.fork("dagwright.dev.prepare", [], {"DAGWRIGHT_DATABASE_URL": self.url}, writer)
            except NurseryError as error:
                raise SettingsError(f"the services cannot be started: {error}") from error
            finally:
                os.close(writer)
            complaint = said.read().strip()
        if code := nursery.wait(pid):
            raise SettingsError(f"the database is not usable: {complaint or f'migration ended with {code}'}")

    def _start_guard(self) -> None:
        pid_file = self._home / "postgres" / "data" / "postmaster.pid"
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, str(pid_file)], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def check(self) -> bool:
        """Bring an embedded Postgres back when it has died. Returns whether it is another process than before."""
        if self._server is None or time.monotonic() < self._next_check:
            return False
        self._next_check = time.monotonic() + _RETRY_SECONDS / 2
        if self.pid is None:
            self._log.line("postgres", "has ended; starting it again")
            try:
                embedded.start_cluster(self._home)
            except (DagwrightError, OSError, psycopg2.Error) as error:
                self._log.line("postgres", f"did not start: {error}")
            self._next_check = time.monotonic() + _RETRY_SECONDS
        before, self._seen = self._seen, self.pid
        return self._seen != before

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._guard is not None:
            self._guard.communicate(b"stopped\n")
            self._guard = None
