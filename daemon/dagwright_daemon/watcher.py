"""Follows one code server: a stream of its status, and its snapshot when the digest is a new one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Engine

from dagwright_daemon.outage import Outage
from dagwright_daemon.servers import Server
from dagwright_shared.model.errors import UnavailableError
from dagwright_shared.model.keys import Digest
from dagwright_shared.model.snapshot import LocationState, LocationStatus
from dagwright_shared.store import locations
from dagwright_shared.wire.client import LocationClient
from dagwright_shared.wire.snapshot import decode_snapshot

log = logging.getLogger("dagwright_daemon.locations")

_FIRST_DELAY, _LAST_DELAY = 0.2, 5.0


class Watcher:
    """A thread for one code server, with a channel of its own. Ends when told to, or when this daemon does not lead any more."""

    def __init__(
        self,
        engine: Engine,
        connect: Callable[[str], LocationClient],
        server: Server,
        *,
        owned: Callable[[], bool],
        outage: Callable[[BaseException], None],
    ) -> None:
        """
        Args:
            owned: whether this daemon still leads the loop of locations.
            outage: told when the database is away.
        """
        self._engine, self._client, self._server = engine, connect(server.address), server
        self._owned, self._outage = owned, outage
        self._stopping = threading.Event()
        self._said: object = None
        self._thread = threading.Thread(target=self._run, name=f"watch-{server.location}", daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Break the stream off; the thread ends by itself."""
        self._stopping.set()
        self._client.close()

    def _run(self) -> None:
        delay = _FIRST_DELAY
        while not self._stopping.is_set():
            try:
                for status in self._client.watch():
                    if self._stopping.is_set() or not self._owned():
                        return
                    self._take(status)
                    delay = _FIRST_DELAY
            except UnavailableError as error:
                # Whether it is gone for good shows by its heartbeat; the loop says so then.
                log.debug("watch broke off", extra={"action": "watch", "location": self._server.location, "error": error.message})
            except Exception as error:
                if Outage.is_one(error):
                    self._outage(error)
                elif not self._stopping.is_set():
                    facts = {"action": "watch", "location": self._server.location, "address": self._server.address}
                    log.error("definitions could not be taken over", exc_info=error, extra=facts)
            self._stopping.wait(delay)
            delay = min(delay * 2, _LAST_DELAY)

    def _take(self, status: LocationStatus) -> None:
        """Store the snapshot, if its digest is a new one, and then the state, in one transaction."""
        with self._engine.connect() as conn:
            row = locations.get(conn, status.location)
        known = row.digest if row is not None else None
        fetched: tuple[Digest, bytes] | None = None
        if status.digest is not None and status.digest != known:
            fetched = self._client.snapshot(if_digest_differs=known)
        published = fetched is not None
        with self._engine.begin() as conn:
            if fetched is not None:
                digest, payload = fetched
                snapshot = decode_snapshot(payload)
                locations.publish_snapshot(conn, location=status.location, digest=digest, payload=payload, snapshot=snapshot)
                status = replace(status, digest=digest)
            if row is None or published or _differs(row, status):
                locations.set_state(conn, status)
        self._say(status, published=published)

    def _say(self, status: LocationStatus, *, published: bool) -> None:
        seen = (status.state, status.digest, status.error)
        if seen == self._said:
            return
        self._said = seen
        facts = {"action": "location", "location": status.location, "state": str(status.state), "digest": (status.digest or "none")[:12]}
        if status.state is LocationState.ERROR:
            log.warning("location does not load", extra={**facts, "error": str(status.error)[:500]})
        else:
            log.info("location", extra={**facts, "published": published})


def _differs(row: locations.LocationRow, status: LocationStatus) -> bool:
    return (row.state, row.error, row.spawn_reason, row.code_version, row.load_seconds) != (
        status.state,
        status.error,
        status.spawn_reason,
        status.code_version,
        status.load_seconds,
    )
