"""Calls to code servers: to reload, to try a schedule or sensor out, to check the signature of a webhook. Nothing else of this process
needs them; what pages show comes from snapshots."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from dagwright_shared.model.errors import UnavailableError
from dagwright_shared.runtime.settings import channel_security
from dagwright_shared.store import locations
from dagwright_webserver.deps import Web

if TYPE_CHECKING:
    from dagwright_shared.wire.client import LocationClient

T = TypeVar("T")
LOST_SECONDS = 15.0
"""A code server whose heartbeat is older is not asked."""

_lock = threading.Lock()
_clients: dict[str, LocationClient] = {}
"""Channels by address, kept open: a webhook is answered within milliseconds. Those of code servers that are gone cost a socket."""


def ask(web: Web, location: str, question: Callable[[LocationClient], T]) -> T:
    """Ask the newest living code server of a location.

    Raises:
        UnavailableError: there is none, or it does not answer.
    """
    rows = web.read(lambda conn: [row for row in locations.servers(conn) if row.location == location and row.heartbeat_age < LOST_SECONDS])
    if not rows:
        raise UnavailableError(f"No code server of location {location!r} is running; start it with `dagwright code-server`")
    return question(_client(web, max(rows, key=lambda row: row.started_at).address))


def _client(web: Web, address: str) -> LocationClient:
    # Imported here: a webserver that asks nothing saves the memory of gRPC and its part of the start.
    from dagwright_shared.wire.client import LocationClient  # noqa: PLC0415

    with _lock:
        found = _clients.get(address)
        if found is None:
            found = _clients[address] = LocationClient(address, security=channel_security(web.settings))
        return found
