"""The definitions of all locations, decoded once for each digest."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from sqlalchemy import Connection

from dagwright_shared.decide.requests import Definitions
from dagwright_shared.model.keys import Digest, LocationName
from dagwright_shared.store import locations
from dagwright_shared.wire.snapshot import decode_snapshot


class Catalog:
    """Keeps what is current and forgets the rest. Safe to use from several loops."""

    def __init__(self) -> None:
        self._known: dict[Digest, Definitions] = {}
        self._lock = threading.Lock()

    def current(self, conn: Connection) -> Mapping[LocationName, Definitions]:
        """The newest definitions that loaded, by location."""
        digests = {row.location: row.digest for row in locations.current(conn) if row.digest is not None}
        with self._lock:
            for digest in set(digests.values()) - set(self._known):
                payload = locations.payload(conn, digest)
                if payload is not None:
                    self._known[digest] = Definitions.of(digest, decode_snapshot(payload))
            self._known = {digest: known for digest, known in self._known.items() if digest in digests.values()}
            return {location: self._known[digest] for location, digest in digests.items() if digest in self._known}
