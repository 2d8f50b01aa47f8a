"""The definitions of all locations, decoded once for each digest."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from sqlalchemy import Connection

from dagwright_shared.decide.requests import Definitions
from dagwright_shared.model.keys import Digest, LocationName
from dagwright_shared.store import locations
from dagwright_shared.wire.snapshot import decode_snapshot

_OLDER = 8
"""Former definitions that are kept decoded: live backfills ask for them."""


class Catalog:
    """Keeps what is current and forgets the rest. Safe to use from several loops."""

    def __init__(self) -> None:
        self._known: dict[Digest, Definitions] = {}
        self._older: dict[Digest, Definitions] = {}
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

    def of(self, conn: Connection, digest: Digest) -> Definitions:
        """The definitions of a digest, also when they are no longer current.

        Raises:
            NotFoundError: nothing of this digest was ever published.
        """
        with self._lock:
            known = self._known.get(digest) or self._older.get(digest)
            if known is None:
                known = Definitions.of(digest, decode_snapshot(locations.payload(conn, digest)))
                self._older = {digest: known, **dict(list(self._older.items())[: _OLDER - 1])}
            return known
