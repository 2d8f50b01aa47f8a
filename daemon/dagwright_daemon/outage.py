"""The database is away: said once a minute by the whole process, however many threads notice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from dagwright_shared.store import engine

log = logging.getLogger("dagwright_daemon")

_REPEAT_SECONDS = 60.0


class Outage:
    """Collects the failures of all threads. `began` is called at each one, so that trust in leases starts anew."""

    def __init__(self, began: Callable[[], None] = lambda: None) -> None:
        self._began = began
        self._lock = threading.Lock()
        self._since: float | None = None
        self._said = 0.0

    @staticmethod
    def is_one(error: BaseException) -> bool:
        """Whether the database, not the work, is at fault."""
        return engine.is_transient(error) or isinstance(error, PoolTimeoutError)

    def failed(self, error: BaseException) -> None:
        self._began()
        with self._lock:
            now = time.monotonic()
            first = self._since is None
            self._since = now if self._since is None else self._since
            if not first and now - self._said < _REPEAT_SECONDS:
                return
            self._said = now
            seconds = round(now - self._since)
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        log.warning("the database does not answer; trying on", extra={"action": "database", "error": text, "for_seconds": seconds})

    def answered(self) -> None:
        with self._lock:
            if self._since is None:
                return
            seconds, self._since = round(time.monotonic() - self._since, 1), None
        log.info("the database answers again", extra={"action": "database", "after_seconds": seconds})
