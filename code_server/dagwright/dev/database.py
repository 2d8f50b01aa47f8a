"""The database of `dagwright dev`: an embedded Postgres that is kept alive, or the server that a setting names."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from dagwright.dev.log import MergedLog
from dagwright_shared.model.errors import DagwrightError, SettingsError
from dagwright_shared.runtime.settings import Settings
from dagwright_shared.store import embedded

_RESTART_DELAY = 1.0


class Database:
    """Start, watch and stop it. Not thread-safe: the supervisor's main thread owns it."""

    def __init__(self, settings: Settings, home: Path, log: MergedLog) -> None:
        self._home, self._log = home, log
        configured = settings.database_url
        self._url = None if configured is None else configured.get_secret_value()
        self.is_embedded = configured is None
        self._server: embedded.Embedded | None = None
        self._retry_at = 0.0

    @property
    def url(self) -> str:
        assert self._url is not None, "start() comes first"
        return self._url

    @property
    def pid(self) -> int | None:
        return None if self._server is None else self._server.pid

    def start(self) -> None:
        """Start it and bring the schema up to date.

        Raises:
            SettingsError: it cannot be reached, or its schema is of a newer version.
        """
        prepare = subprocess.Popen(
            [sys.executable, "-m", "dagwright.dev.prepare"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        )
        try:
            if self.is_embedded:
                self._server = embedded.start(self._home)
                self._url = self._server.url
            _, complaint = prepare.communicate(self.url + "\n", timeout=120)
        except BaseException:
            prepare.kill()
            prepare.wait()
            raise
        if prepare.returncode != 0:
            raise SettingsError(f"the database is not usable: {complaint.strip() or f'migration ended with {prepare.returncode}'}")

    def check(self) -> None:
        """Bring an embedded Postgres back when it has died."""
        if self._server is None or _is_alive(self._server.pid) or time.monotonic() < self._retry_at:
            return
        self._log.line("postgres", "has died; starting it again")
        self._retry_at = time.monotonic() + _RESTART_DELAY
        try:
            self._server.stop()
            self._server = embedded.start(self._home)
        except (DagwrightError, OSError) as error:
            self._log.line("postgres", f"did not start: {error}")
            return
        if self._server.url != self._url:
            # Children were told the old one; a deployment with two databases would be worse than none.
            raise SettingsError(f"Postgres came back under another address, {self._server.url}; start `dagwright dev` again")

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None


def _is_alive(pid: int) -> bool:
    try:
        # A zombie, which a dead child of ours is until it is waited for, counts as dead.
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
