"""What the code server tells the database from time to time: that it lives, what it serves, which runs it still has."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from dagwright.server.location import Location
from dagwright.server.workers import Worker, Workers
from dagwright_shared.store import listen, locations, runs

log = logging.getLogger("dagwright.upkeep")

_HEARTBEAT_SECONDS = 5.0


class Upkeep:
    """Registers the server, follows the location's status, renews leases and gives up those of lost workers."""

    def __init__(self, engine: Engine, *, server_id: str, lease_seconds: float) -> None:
        self._engine, self._server_id, self._lease_seconds = engine, server_id, lease_seconds
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, workers: Workers, location: Location, *, address: str) -> None:
        """
        Args:
            address: where others dial this server.
        """
        self._threads = [
            threading.Thread(target=self._register, args=(location, address), name="registration", daemon=True),
            threading.Thread(target=self._renew, args=(workers,), name="leases", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(3)
        try:
            with self._engine.begin() as conn:
                locations.remove_server(conn, self._server_id)
                listen.notify(conn, "locations")
        except DBAPIError:
            log.warning("could not sign off from the database; others will notice by the missing heartbeat")

    def lost(self, worker: Worker, reason: str) -> None:
        """End the lease of a worker that died, so that recovery need not wait for it to lapse."""
        log.warning("lost a worker", extra={"run": worker.run_id, "pid": worker.pid, "reason": reason})
        for _ in range(20):
            try:
                with self._engine.begin() as conn:
                    runs.end_lease(conn, worker.run_id, worker.epoch, reason=reason)
                    listen.notify(conn, "recovery")
            except DBAPIError:
                if self._stop.wait(0.5):
                    return
            else:
                return

    def _register(self, location: Location, address: str) -> None:
        """One row for this server: rewritten when the status changes, touched every few seconds otherwise."""
        told, touched = None, 0.0
        while not self._stop.is_set():
            status = location.status
            try:
                if status is not told:
                    with self._engine.begin() as conn:
                        locations.register_server(conn, status, address=address)
                        listen.notify(conn, "locations")
                    told, touched = status, time.monotonic()
                elif time.monotonic() - touched > _HEARTBEAT_SECONDS:
                    with self._engine.begin() as conn:
                        locations.heartbeat_server(conn, self._server_id)
                    touched = time.monotonic()
            except DBAPIError as error:
                log.warning("the database does not answer", extra={"error": str(error.orig).splitlines()[0]})
                told = None
                self._stop.wait(1.0)
                continue
            location.wait_for_change(status, _HEARTBEAT_SECONDS, self._stop)

    def _renew(self, workers: Workers) -> None:
        while not self._stop.wait(self._lease_seconds / 3):
            held = workers.active()
            if not held:
                continue
            try:
                with self._engine.begin() as conn:
                    ours = runs.renew(
                        conn,
                        [(worker.run_id, worker.epoch) for worker in held],
                        seconds=self._lease_seconds,
                        server_id=self._server_id,
                    )
            except DBAPIError as error:
                # Recovery does not judge leases that lapsed while the database was away.
                log.warning("leases could not be renewed", extra={"error": str(error.orig).splitlines()[0]})
                continue
            # A run that has just ended has no lease to renew either: give its acknowledgement a moment.
            if len(ours) < len(held):
                self._stop.wait(0.2)
            for worker in held:
                if worker.run_id not in ours and not worker.finished and not worker.closed:
                    workers.fence(worker)
