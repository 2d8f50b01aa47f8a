"""Which code server answers for each location, and one client for each address."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Engine

from dagwright_shared.model.errors import UnavailableError
from dagwright_shared.model.keys import LocationName
from dagwright_shared.store import locations
from dagwright_shared.wire.client import LocationClient

log = logging.getLogger("dagwright_daemon")

LOST_SECONDS = 15.0
"""A code server whose heartbeat (every 5 s) is older than this is not asked for anything."""
_FRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A code server to talk to."""

    server_id: str
    location: LocationName
    address: str


class CodeServers:
    """A short-lived copy of the `code_servers` table, and the open channels. Safe to use from any thread."""

    def __init__(self, engine: Engine, connect: Callable[[str], LocationClient] = LocationClient) -> None:
        self._engine = engine
        self.connect = connect
        """Opens a channel of the caller's own."""
        self._lock = threading.Lock()
        self._clients: dict[str, LocationClient] = {}
        self._servers: dict[LocationName, Server] = {}
        self._read_at = float("-inf")

    def current(self, *, fresh: bool = False) -> Mapping[LocationName, Server]:
        """The newest live code server of each location, as of at most 2 s ago, or of now when `fresh`."""
        with self._lock:
            if not fresh and time.monotonic() - self._read_at < _FRESH_SECONDS:
                return self._servers
        asked = time.monotonic()
        with self._engine.connect() as conn:
            rows = locations.servers(conn)
        alive = [row for row in rows if row.heartbeat_age < LOST_SECONDS]
        alive.sort(key=lambda row: row.started_at)
        servers = {row.location: Server(server_id=row.server_id, location=row.location, address=row.address) for row in alive}
        with self._lock:
            self._servers, self._read_at = servers, asked
            known = {row.address for row in rows}
            gone = [self._clients.pop(address) for address in set(self._clients) - known]
        for client in gone:
            _close(client)
        return servers

    def forget(self) -> None:
        """Read the table at the next question: something about code servers has changed."""
        with self._lock:
            self._read_at = float("-inf")

    def client(self, location: LocationName) -> LocationClient:
        """A client of the location's code server.

        Raises:
            UnavailableError: none has been heard of for 15 s.
        """
        server = self.current().get(location)
        if server is None:
            raise UnavailableError(f"No code server of location {location!r} has been heard of lately; is `dagwright code-server` running?")
        return self.at(server.address)

    def at(self, address: str) -> LocationClient:
        """The client of an address; the channel is opened at first use and kept."""
        with self._lock:
            client = self._clients.get(address)
            if client is None:
                client = self._clients[address] = self.connect(address)
            return client

    def close(self) -> None:
        """Close all channels."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            _close(client)


def _close(client: LocationClient) -> None:
    with suppress(Exception):
        client.close()
