"""From what a request sends to who sent it; those seen a moment ago are remembered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine

from dagwright_shared.model.access import Identity
from dagwright_shared.store import api_tokens, secret_values, sessions

_KEEP_SECONDS = 5.0
"""Changes of users, tokens and sessions are told by a notification; this long it may take when that is lost."""
_MOST = 10_000


class Identities:
    """Memo over the store. Keys are hashes: no secret is kept."""

    def __init__(self, reader: Engine, *, idle_hours: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader, self._idle_hours, self._clock = reader, idle_hours, clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Identity]] = {}
        self._generation = 0

    def remembered(self, secret: str) -> Identity | None:
        """Who sent this a moment ago, without asking the store."""
        found = self._known.get(secret_values.hash_of(secret))
        return found[1] if found is not None and found[0] > self._clock() else None

    def of_token(self, secret: str) -> Identity | None:
        """Whose API token this is."""
        generation = self._generation
        with self._reader.connect() as conn:
            return self._keep(secret, api_tokens.find(conn, secret), generation)

    def of_session(self, secret: str) -> Identity | None:
        """Whose session cookie this is."""
        generation = self._generation
        with self._reader.connect() as conn:
            return self._keep(secret, sessions.find(conn, secret, idle_hours=self._idle_hours), generation)

    def clear(self) -> None:
        """What somebody may do has changed."""
        with self._lock:
            self._generation += 1
            self._known.clear()

    def _keep(self, secret: str, found: Identity | None, generation: int) -> Identity | None:
        if found is not None:
            with self._lock:
                if generation == self._generation:  # else it was read before a change
                    if len(self._known) >= _MOST:
                        self._known.clear()
                    self._known[secret_values.hash_of(secret)] = (self._clock() + _KEEP_SECONDS, found)
        return found
