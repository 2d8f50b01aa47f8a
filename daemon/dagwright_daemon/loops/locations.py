"""Locations: follows every code server, and stores its snapshot as soon as its definitions change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Engine

from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_daemon.servers import LOST_SECONDS, CodeServers, Server
from dagwright_daemon.watcher import Watcher
from dagwright_shared.model.errors import DagwrightError, ErrorInfo
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.snapshot import LocationState, LocationStatus
from dagwright_shared.store import locations

log = logging.getLogger("dagwright_daemon.locations")


class Locations:
    """One watcher for each location's newest code server; and the state of locations that have none."""

    def __init__(
        self, engine: Engine, servers: CodeServers, *, addresses: Sequence[str] = (), outage: Callable[[BaseException], None]
    ) -> None:
        """
        Args:
            addresses: code servers that cannot register themselves.
            outage: told when a watcher finds the database away.
        """
        self._engine, self._servers, self._addresses, self._outage = engine, servers, tuple(addresses), outage
        self._watchers: dict[str, Watcher] = {}
        self._introduced: dict[str, Server] = {}

    def loop(self) -> Loop:
        return Loop(name="locations", interval=5.0, rest=0.1, topics=frozenset({"locations"}), tick=self.tick, release=self.release)

    def tick(self, turn: Turn) -> Outcome:
        for address in self._addresses:
            self._introduce(address)
        servers = self._servers.current(fresh=True)
        wanted = {server.server_id: server for server in servers.values()}
        over = {server_id for server_id, watcher in self._watchers.items() if not watcher.is_alive}
        for server_id in over | (set(self._watchers) - set(wanted)):
            self._watchers.pop(server_id).stop()
        fresh = [server for server_id, server in wanted.items() if server_id not in self._watchers]
        for server in fresh:
            watcher = Watcher(self._engine, self._servers.connect, server, owned=turn.owned, outage=self._outage)
            self._watchers[server.server_id] = watcher
            watcher.start()
        lost = self._mark_lost(set(servers), turn.now)
        return Outcome(done=len(fresh) + lost)

    def release(self) -> None:
        """Stop watching: another daemon does."""
        watchers, self._watchers = list(self._watchers.values()), {}
        for watcher in watchers:
            watcher.stop()

    def _introduce(self, address: str) -> None:
        """Register a code server on its behalf, for as long as it answers."""
        try:
            status = self._servers.at(address).location()
        except DagwrightError as error:
            log.debug("static code server does not answer", extra={"action": "introduce", "address": address, "error": error.message})
            return
        server = Server(server_id=status.server_id, location=status.location, address=address)
        with self._engine.begin() as conn:
            if self._introduced.get(address) != server:
                locations.register_server(conn, status, address=address)
                self._introduced[address] = server
            elif not locations.heartbeat_server(conn, status.server_id):
                del self._introduced[address]

    def _mark_lost(self, served: set[LocationName], now: datetime) -> int:
        """Show that nobody serves a location; its last good snapshot stays."""
        with self._engine.begin() as conn:
            count = 0
            for row in locations.current(conn):
                if row.location in served or (row.error is not None and row.error.class_name == _LOST):
                    continue
                # A code server that is just being replaced gets the time to come back.
                if (now - row.updated_at).total_seconds() < LOST_SECONDS:
                    continue
                status = LocationStatus(
                    location=row.location, server_id="", state=LocationState.ERROR, digest=row.digest, error=_lost(row.location, now)
                )
                locations.set_state(conn, status)
                log.warning("no code server of a location answers", extra={"action": "lost", "location": row.location})
                count += 1
        return count


_LOST = "CodeServerLost"


def _lost(location: LocationName, now: datetime) -> ErrorInfo:
    return ErrorInfo(
        class_name=_LOST,
        message=f"No code server of location {location!r} has been heard of lately (noticed at {now:%Y-%m-%d %H:%M:%S} UTC).",
        hint="Start it again, or look at its log. Until then pages show the last definitions that loaded, and runs stay queued.",
    )
