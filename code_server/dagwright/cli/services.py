"""Commands that start a service, and the one that prepares the database."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import click

_targets = (
    click.option(
        "-f",
        "--file",
        "files",
        multiple=True,
        metavar="FILE",
        type=click.Path(),
        help="Python file with a `Definitions`; may be given again.",
    ),
    click.option(
        "-m", "--module", "modules", multiple=True, metavar="MODULE", help="Importable module with a `Definitions`; may be given again."
    ),
    click.option("-a", "--attribute", metavar="NAME", help="Name of the `Definitions` object, where there are several."),
    click.option("-d", "--working-directory", metavar="DIR", help="Folder to import from [the current one]."),
)


def with_targets(command: Any) -> Any:
    for option in reversed(_targets):
        command = option(command)
    return command


def _become(module: str, arguments: list[str], environment: dict[str, str | None]) -> NoReturn:
    """Turn this process into a service: no parent is left over, and signals reach it directly.

    The services are not imported here, as the webserver and the daemon are not dependencies of this package.
    """
    given = {f"DAGWRIGHT_{name}": value for name, value in environment.items() if value is not None}
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], {**os.environ, **given})


@click.command()
@with_targets
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the dashboard and REST [3004]; 0 takes a free one.")
@click.option("--code-server-port", type=click.IntRange(0, 65535), help="Port of the first code server [4000]; 0 takes a free one.")
@click.option("--home", type=click.Path(), help="Where the database and stored outputs live [.dagwright].")
@click.option("--host", help="Address that the dashboard binds [127.0.0.1].")
def dev(
    files: tuple[str, ...],
    modules: tuple[str, ...],
    attribute: str | None,
    working_directory: str | None,
    port: int | None,
    code_server_port: int | None,
    home: str | None,
    host: str | None,
) -> int:
    """Run everything on this machine, and reload definitions when their files change.

    Postgres comes from a wheel and keeps its data under --home, unless DAGWRIGHT_DATABASE_URL names a server.
    """
    from dagwright.dev.locations import locations_of

    locations = locations_of(files, modules, attribute, working_directory)
    from dagwright.dev import supervisor

    return supervisor.run(locations, port=port, code_server_port=code_server_port, home=home, host=host)


@click.command(name="code-server")
@with_targets
@click.option("--port", type=click.IntRange(0, 65535), help="Port to serve gRPC on [4000].")
@click.option("--host", help="Address to bind [127.0.0.1].")
@click.option("--address", metavar="HOST:PORT", help="How the webserver and the daemon reach this server [what it binds].")
@click.option("--location", metavar="NAME", help="Name of the code location [made from the file or module].")
@click.option("--tls-cert", type=click.Path(), help="Certificate (PEM) of this server.")
@click.option("--tls-key", type=click.Path(), help="Its private key.")
@click.option("--tls-ca", type=click.Path(), help="Authority (PEM) that signed the certificates that callers must have.")
def code_server(
    files: tuple[str, ...],
    modules: tuple[str, ...],
    attribute: str | None,
    working_directory: str | None,
    port: int | None,
    host: str | None,
    address: str | None,
    location: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    tls_ca: str | None,
) -> None:
    """Serve the definitions of one code location over gRPC, and run its runs."""
    from dagwright.dev.locations import locations_of

    locations = locations_of(files, modules, attribute, working_directory)
    if len(locations) != 1:
        raise click.UsageError("a code server has one location: give -f FILE or -m MODULE once")
    arguments = [*locations[0].arguments(), "--location", location or locations[0].name]
    if port is not None:
        arguments += ["--port", str(port)]
    for option, value in (("--tls-cert", tls_cert), ("--tls-key", tls_key), ("--tls-ca", tls_ca)):
        if value is not None:
            arguments += [option, value]
    _become("dagwright.server", arguments, {"CODE_SERVER_HOST": host, "CODE_SERVER_ADDRESS": address})


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port to serve on [3004].")
@click.option("--host", help="Address to bind [127.0.0.1].")
def webserver(port: int | None, host: str | None) -> None:
    """Serve the dashboard and the REST API."""
    _become("dagwright_webserver", [], {"PORT": None if port is None else str(port), "HOST": host})


@click.command()
def daemon() -> None:
    """Launch queued runs, evaluate schedules and sensors, recover lost runs. Any number may run at once."""
    _become("dagwright_daemon", [], {})


@click.group()
def db() -> None:
    """Prepare the database."""


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def sizes(as_json: bool) -> None:
    """Say what each kind of history takes in DAGWRIGHT_DATABASE_URL, and for how long it is kept."""
    # SQLAlchemy costs 300 ms, as below.
    from dagwright.cli import output
    from dagwright_shared.runtime import settings
    from dagwright_shared.store import engine, retention

    config = settings.load()
    database = engine.create(settings.require_database_url(config), name="dagwright-db-sizes")
    try:
        engine.verify(database)
        with database.connect() as conn:
            parts, weeks = retention.sizes(conn), retention.event_sizes(conn)
    finally:
        database.dispose()
    if as_json:
        named = [{"name": size.name, "size_bytes": size.size_bytes, "rows": size.rows} for size in parts]
        events = [{"name": size.name, "size_bytes": size.size_bytes, "rows": size.rows} for size in weeks]
        output.as_json({"parts": named, "event_weeks": events, "retention_days": config.retention_days})
        return
    rows = [(size.name, f"{size.size_bytes / 1e6:,.1f} MB", f"{size.rows:,}") for size in (*parts, *weeks)]
    output.console().print(output.table(("part", "size", "rows"), rows))
    kept = ", ".join(f"{name} {'for ever' if days is None else f'{days:g} days'}" for name, days in config.retention_days.items())
    click.echo(f"kept: {kept}")


@db.command()
def upgrade() -> None:
    """Bring the schema of DAGWRIGHT_DATABASE_URL up to this version. Safe to run at any time, from any number of places."""
    # SQLAlchemy costs 300 ms, which no other command needs.
    from dagwright_shared.runtime import settings
    from dagwright_shared.store import engine, schema

    database = engine.create(settings.require_database_url(settings.load()), name="dagwright-db-upgrade")
    try:
        engine.verify(database)
        schema.upgrade(database)
    finally:
        database.dispose()
    click.echo("the database is up to date")
