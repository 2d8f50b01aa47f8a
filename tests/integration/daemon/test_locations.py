"""Locations: snapshots arrive when they change, load errors are shown, the last good snapshot stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Engine, text
from tests.integration.daemon import rig
from tests.integration.daemon.rig import until

from dagwright_daemon.runner import Runner
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.snapshot import JobSnapshot, LocationState
from dagwright_shared.store import locations
from dagwright_shared.store.locations import LocationRow
from dagwright_shared.wire.snapshot import decode_snapshot


def row(engine: Engine) -> LocationRow:
    with engine.connect() as conn:
        found = locations.get(conn, rig.HERE)
    assert found is not None
    return found


def test_a_code_server_is_followed(store_engine: Engine, code_server: rig.CodeServer, daemons: Callable[..., Runner]) -> None:
    backend = code_server.backend
    daemons()
    until(lambda: row(store_engine).digest == backend.digest)
    with store_engine.connect() as conn:
        assert decode_snapshot(locations.payload(conn, backend.digest)) == backend.snapshot_value
    good = backend.digest
    began = time.monotonic()
    backend.become(error=ErrorInfo(class_name="SyntaxError", message="line 3"))
    until(lambda: row(store_engine).state is LocationState.ERROR)
    print(f"\nload error shown after {time.monotonic() - began:.3f} s")
    found = row(store_engine)
    assert found.error is not None
    assert (found.error.message, found.digest) == ("line 3", good)
    backend.become(replace(backend.snapshot_value, jobs=(JobSnapshot(name="other"),)))
    until(lambda: row(store_engine).digest == backend.digest)
    assert row(store_engine).digest != good
    assert row(store_engine).state is LocationState.LOADED


def test_a_code_server_without_heartbeat_is_shown_as_lost(
    store_engine: Engine, code_server: rig.CodeServer, daemons: Callable[..., Runner]
) -> None:
    daemons()
    until(lambda: row(store_engine).digest is not None)
    code_server.stop()
    with store_engine.begin() as conn:
        conn.execute(text("UPDATE code_servers SET heartbeat_at = now() - interval '1 minute'"))
        conn.execute(text("UPDATE locations SET updated_at = now() - interval '1 minute'"))
        conn.execute(text("SELECT pg_notify('dagwright', 'locations')"))
    until(lambda: row(store_engine).state is LocationState.ERROR)
    found = row(store_engine)
    assert found.error is not None
    assert "No code server of location 'here'" in found.error.message
    assert found.digest == code_server.backend.digest


def test_a_static_address_is_introduced(store_engine: Engine, backend: rig.Backend, daemons: Callable[..., Runner]) -> None:
    server = rig.CodeServer(store_engine, backend).start(register=False)
    try:
        daemons(code_servers=(server.address,))
        until(lambda: _digest(store_engine) == backend.digest)
    finally:
        server.stop()


def _digest(engine: Engine) -> str | None:
    with engine.connect() as conn:
        found = locations.get(conn, rig.HERE)
    return found.digest if found is not None else None
