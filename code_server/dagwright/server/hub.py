"""The event hub: takes the batches of all run workers and commits them in groups.

A group is whatever has arrived while the group before it was being committed: no delay is added when idle, and groups
grow under load. Nothing is acknowledged before its commit, and nothing is dropped while the database is away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import field
from typing import TypeAlias

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import UnavailableError
from dagwright_shared.model.events import EventBatch
from dagwright_shared.model.keys import RunId
from dagwright_shared.store import events
from dagwright_shared.store.asset_ids import AssetIds

log = logging.getLogger("dagwright.hub")

Committed: TypeAlias = "int | None"
"""The last committed seq of the run; None when a newer attempt owns it and nothing was written."""

_GROUP_EVENTS = 5_000
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(slots=True)
class _Waiting:
    batch: EventBatch
    done: Callable[[Committed | Exception], None]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.batch.events) + len(self.batch.chunks)


class Hub:
    """One committing thread over one queue. `submit` may be called from any thread."""

    def __init__(self, engine: Engine, *, server_id: str, lease_seconds: float) -> None:
        self._engine, self._server_id, self._lease_seconds = engine, server_id, lease_seconds
        self._assets = AssetIds()
        self._queue: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="hub", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Commit what has arrived and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout)

    def submit(self, batch: EventBatch, done: Callable[[Committed | Exception], None]) -> None:
        """Queue a batch; `done` is called after its commit, or with the error that makes it impossible to store."""
        with self._wake:
            self._queue.append(_Waiting(batch, done))
            self._wake.notify()

    def submit_and_wait(self, batch: EventBatch, timeout: float) -> Committed:
        """For a caller that has nothing else to do, such as the `ReportEvents` stream of a remote worker."""
        future: Future[Committed] = Future()

        def done(result: Committed | Exception) -> None:
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

        self.submit(batch, done)
        try:
            return future.result(timeout)
        except TimeoutError:
            raise UnavailableError("the database does not take the events; they are kept and tried again") from None

    def _loop(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._stopping:
                    self._wake.wait()
                if not self._queue:
                    return
                group = self._take()
            self._commit(group)

    def _take(self) -> list[_Waiting]:
        group, size = [], 0
        while self._queue and size < _GROUP_EVENTS:
            waiting = self._queue.popleft()
            group.append(waiting)
            size += waiting.size
        return group

    def _commit(self, group: Sequence[_Waiting]) -> None:
        attempt = 0
        while True:
            try:
                results = self._append(group)
            except (OperationalError, InterfaceError) as error:
                # The database is restarting or unreachable: keep the group, keep trying.
                if self._stopping:
                    self._give_up(group, error)
                    return
                pause = _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]
                if attempt in (0, 10) or attempt % 60 == 0:
                    log.warning("events wait for the database", extra={"batches": len(group), "error": str(error).splitlines()[0]})
                attempt += 1
                time.sleep(pause)
            except Exception as error:  # noqa: BLE001 - whatever one batch holds must not stop the others
                self._isolate(group, error)
                return
            else:
                for waiting in group:
                    waiting.done(results.get(waiting.batch.run_id))
                return

    def _append(self, group: Sequence[_Waiting]) -> dict[RunId, int | None]:
        with self._engine.begin() as conn:
            batches = [waiting.batch for waiting in group]
            return events.append(conn, batches, assets=self._assets, server_id=self._server_id, lease_seconds=self._lease_seconds)

    def _isolate(self, group: Sequence[_Waiting], error: Exception) -> None:
        """One batch of the group cannot be stored: find it, and store the rest."""
        if len(group) == 1:
            log.error("a batch of events cannot be stored", exc_info=error, extra={"run": group[0].batch.run_id})
            group[0].done(error)
            return
        for waiting in group:
            self._commit([waiting])

    @staticmethod
    def _give_up(group: Sequence[_Waiting], error: DBAPIError) -> None:
        for waiting in group:
            waiting.done(UnavailableError(f"the code server stopped while the database was away ({error.orig})"))
