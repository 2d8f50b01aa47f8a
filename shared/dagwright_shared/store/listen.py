"""NOTIFY, a hint that something changed, and the thread that hears it.

Invariant: a hint carries no facts. Whoever hears one reads the tables, and polls them slowly too, because hints are
lost while a connection is down.
"""

from __future__ import annotations

import logging
import os
import random
import select
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from psycopg2.extensions import connection as PgConnection
from sqlalchemy import Connection, text

from dagwright_shared.store import engine as engines

CHANNEL = "dagwright"
EVERYTHING = "*"
_FIRST_DELAY, _LAST_DELAY = 0.05, 5.0
# TCP keepalives find a dead link in about a minute; this only bounds the wait for one that the kernel cannot see.
_CHECK_SECONDS = 60.0
_COMPLAIN_SECONDS = 60.0

_logger = logging.getLogger(__name__)


def notify(conn: Connection, *topics: str) -> None:
    """Tell listeners when the caller's transaction commits; equal topics of one transaction arrive once."""
    notify_all(conn, topics)


def notify_all(conn: Connection, topics: Iterable[str]) -> None:
    wanted = list(dict.fromkeys(topics))
    if wanted:
        conn.execute(text(f"SELECT pg_notify('{CHANNEL}', t) FROM unnest(CAST(:topics AS text[])) AS t"), {"topics": wanted})


class Listener:
    """A thread that calls `on_topic` with each topic heard, and with `*` after each (re)connect, when anything may have changed.

    Duplicates of one wake are collapsed. `on_topic` runs in the thread and must be quick; what it raises is logged.
    """

    def __init__(self, url: str, on_topic: Callable[[str], None], topics: Collection[str] = ()) -> None:
        """
        Args:
            url: the database.
            on_topic: receives `queue`, `runs:<run id>`, ... or `*`.
            topics: what comes before the colon of the topics wanted; empty means all.
        """
        self._dsn = engines.libpq(url)
        self._on_topic = on_topic
        self._topics = frozenset(topics)
        self._stopping = threading.Event()
        self._complained = float("-inf")
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="dagwright-listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        if self._stopping.is_set():
            return
        self._stopping.set()
        os.write(self._wake_writer, b"x")
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if not self._thread.is_alive():
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    def _run(self) -> None:
        delay = _FIRST_DELAY
        while not self._stopping.is_set():
            connection = None
            try:
                connection = self._connect()
                delay = _FIRST_DELAY
                self._tell(EVERYTHING)
                self._hear(connection)
            except psycopg2.Error as error:
                self._complain(error, delay)
                self._stopping.wait(delay * random.uniform(0.8, 1.2))
                delay = min(delay * 2, _LAST_DELAY)
            finally:
                if connection is not None:
                    with suppress(psycopg2.Error):
                        connection.close()

    def _complain(self, error: psycopg2.Error, delay: float) -> None:
        """Once a minute at most: a restart of the database makes many failed tries."""
        if time.monotonic() - self._complained < _COMPLAIN_SECONDS:
            return
        self._complained = time.monotonic()
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        _logger.warning("listener lost its connection", extra={"action": "listen", "error": reason, "retry_in": delay})

    def _connect(self) -> PgConnection:
        connection = psycopg2.connect(
            self._dsn,
            application_name="dagwright listener",
            connect_timeout=10,
            keepalives=1,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )
        connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        return connection

    def _hear(self, connection: PgConnection) -> None:
        while not self._stopping.is_set():
            ready, _, _ = select.select([connection.fileno(), self._wake_reader], [], [], _CHECK_SECONDS)
            if not ready:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            connection.poll()
            heard = dict.fromkeys(notification.payload or "" for notification in connection.notifies)
            connection.notifies.clear()
            for topic in heard:
                if not self._topics or topic.partition(":")[0] in self._topics:
                    self._tell(topic)

    def _tell(self, topic: str) -> None:
        try:
            self._on_topic(topic)
        except Exception:
            _logger.exception("a listener's callback failed", extra={"action": "listen", "topic": topic})
