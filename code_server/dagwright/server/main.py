"""The composition root of the code server's parent process."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import uuid
from pathlib import Path

from sqlalchemy import Engine

from dagwright.server.history import ADDRESS, HistoryServer
from dagwright.server.hub import Hub
from dagwright.server.location import Location
from dagwright.server.service import Service
from dagwright.server.slots import Slots
from dagwright.server.template import reap_orphans
from dagwright.server.upkeep import Upkeep
from dagwright.server.workers import Workers
from dagwright_shared.model.errors import SettingsError, UnavailableError
from dagwright_shared.model.keys import LocationName
from dagwright_shared.runtime import process, settings
from dagwright_shared.store import engine as store_engine
from dagwright_shared.wire.serving import bind

log = logging.getLogger("dagwright.server")


def main() -> int:
    options = _options()
    try:
        config = settings.load(
            code_server_host=options.host,
            code_server_port=options.port,
            code_server_tls_cert=options.tls_cert,
            code_server_tls_key=options.tls_key,
            code_server_tls_ca=options.tls_ca,
        )
        process.configure_logging(config.log_level, as_json=config.log_json)
        run(options, config)
    except SettingsError as error:
        print(f"dagwright code-server: {error.message}", file=sys.stderr)  # noqa: T201 - the user reads this
        return 2
    return 0


def run(options: argparse.Namespace, config: settings.Settings) -> None:
    """Serve until a signal asks to stop.

    Raises:
        SettingsError: the port is taken, no database is configured, or it refuses us.
    """
    security = settings.channel_security(config)
    settings.check_code_server(config, security)
    stop = process.stop_on_signals()
    process.adopt_orphans()
    server_id = uuid.uuid4().hex[:12]
    url = settings.require_database_url(config)
    engine = store_engine.create(
        url,
        name="code-server",
        pool_size=config.database_pool_size,
    )
    _verify(engine)
    hub = Hub(engine, server_id=server_id, lease_seconds=config.lease_seconds)
    upkeep = Upkeep(engine, server_id=server_id, lease_seconds=config.lease_seconds)
    slots = Slots(engine, url, config.limits)
    workers = Workers(hub, slots, cancel_grace=config.cancel_grace_seconds, lost=upkeep.lost)
    environment = os.environ | {"DAGWRIGHT_HOME": str(config.home.resolve())}
    for name in ("DATABASE_URL", "CODE_SERVER_TOKEN", "OIDC_CLIENT_SECRET"):  # workers have no business with these
        environment.pop(f"DAGWRIGHT_{name}", None)
    name = LocationName(options.location or _default_name(options))
    history = HistoryServer(engine, name)
    environment[ADDRESS] = history.address
    environment["DAGWRIGHT_EVALUATION_MEMORY_BYTES"] = str(config.evaluation_memory_bytes)
    location = Location(
        name,
        server_id=server_id,
        arguments=_child_arguments(options),
        environment=environment,
        exited=workers.exited,
    )
    server, port = bind(
        Service(location, workers, hub),
        f"{config.code_server_host}:{config.code_server_port}",
        security=security,
    )
    address = config.code_server_address or f"{config.code_server_host}:{port}"
    server.start()
    hub.start()
    history.start()
    workers.start()
    location.start()
    upkeep.start(workers, location, address=address)
    signal.signal(signal.SIGCHLD, lambda *_: reap_orphans(workers.exited))
    log.info("serving", extra={"address": address, "location": location.status.location})
    stop.wait()
    log.info("stopping")
    location.stop()
    server.stop(grace=1.0).wait()
    workers.stop()
    slots.stop()
    hub.stop()
    history.stop()
    upkeep.stop()
    engine.dispose()


def _verify(engine: Engine) -> None:
    """A wrong URL stops the start; a database that is merely away does not, for it may come up."""
    try:
        store_engine.verify(engine)
    except UnavailableError as error:
        log.warning("starting without the database", extra={"error": error.message})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dagwright code-server",
        description="Serve the definitions of one location.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--module", "-m", help="importable module with the definitions")
    source.add_argument("--file", "-f", type=Path, help="Python file with the definitions")
    parser.add_argument(
        "--attribute",
        "-a",
        help="name of the Definitions object, when there are several",
    )
    parser.add_argument(
        "--working-directory",
        "-d",
        type=Path,
        help="put on the import path; the current one by default",
    )
    parser.add_argument("--location", help="name of the location; by default that of the module or file")
    parser.add_argument("--host", help="address to bind")
    parser.add_argument("--port", type=int, help="port to bind")
    parser.add_argument("--tls-cert", type=Path, help="certificate (PEM) of this server")
    parser.add_argument("--tls-key", type=Path, help="its private key")
    parser.add_argument("--tls-ca", type=Path, help="authority that signed the certificates that callers must have")
    return parser.parse_args()


def _default_name(options: argparse.Namespace) -> str:
    if options.module:
        return str(options.module)
    path = Path(options.file).resolve()
    return path.parent.name if path.stem in ("definitions", "__init__") else path.stem


def _child_arguments(options: argparse.Namespace) -> list[str]:
    arguments = ["--location", options.location or _default_name(options)]
    for flag, value in (
        ("--module", options.module),
        ("--file", options.file),
        ("--attribute", options.attribute),
    ):
        if value is not None:
            arguments += [flag, str(value)]
    if options.working_directory is not None:
        arguments += ["--cwd", str(options.working_directory)]
    return arguments
