"""The composition root of the webserver."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from urllib.parse import urlsplit

import anyio.to_thread
import uvicorn
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from dagwright_shared.model.errors import SettingsError, UnavailableError
from dagwright_shared.runtime import process
from dagwright_shared.runtime import settings as runtime_settings
from dagwright_shared.runtime.settings import Settings
from dagwright_shared.store import engine as store_engine
from dagwright_shared.store import users as store_users
from dagwright_shared.store.asset_ids import AssetIds
from dagwright_shared.store.listen import Listener
from dagwright_shared.store.partition_states import PartitionMemo
from dagwright_webserver import access, edge, errors, openapi, warm
from dagwright_webserver.deps import Scopes, Web, is_secure
from dagwright_webserver.identities import Identities
from dagwright_webserver.live import TOPICS, Live
from dagwright_webserver.methods import Heads
from dagwright_webserver.metrics import RunTotals
from dagwright_webserver.rate_limits import RateLimits
from dagwright_webserver.reads.definitions import DefinitionsCache
from dagwright_webserver.reads.staleness import StaleMemo
from dagwright_webserver.routes import (
    assets,
    automation,
    backfills,
    deployment,
    dynamic_partitions,
    hooks,
    jobs,
    limits,
    overview,
    pages,
    presets,
    previews,
    reports,
    resources,
    run_bulk,
    runs,
    saved_views,
    search,
    session,
    simulation,
    streams,
    switches,
    tokens,
    users,
    wipes,
)
from dagwright_webserver.shared_reads import SharedReads
from dagwright_webserver.validators import Validators

log = logging.getLogger("dagwright.webserver")

_DESCRIPTION = """Everything that the dashboard shows and does.

Lists answer `{"items": [...], "next_cursor": null | string}`; give `next_cursor` back as `cursor` for the next page.
Every failure is `application/problem+json` (RFC 9457). Moments are ISO 8601 in UTC with microseconds.
"""


def create_app(settings: Settings) -> FastAPI:
    """The application over one database.

    Raises:
        SettingsError: no database is configured, or its URL is none.
    """
    web = _services(settings)
    # A connection for each thread that may want one, so that nobody waits for the pool inside the pool.
    threads = settings.database_pool_size * 2

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = threads
        web.live.start()
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(web.live.stop)
            web.engine.dispose()
            web.scopes.engine.dispose()

    app = FastAPI(
        title="dagwright",
        version=web.version,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # a page of our own: FastAPI's loads scripts from another host
        redoc_url=None,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.web = web
    errors.install(app)
    for noun in (session, users, tokens, streams, previews, runs, run_bulk, saved_views, backfills, reports, wipes, assets):
        app.include_router(noun.router)
    for noun in (overview, dynamic_partitions, jobs, presets, search, deployment, resources, limits, simulation, switches, hooks):
        app.include_router(noun.router)
    for router in (automation.schedules, automation.sensors):
        app.include_router(router)
    app.include_router(reports.dagster)
    app.include_router(deployment.health)
    pages.install(app)
    access.verify(app)
    app.openapi = openapi.document(app)  # type: ignore[method-assign]  # FastAPI's own way to replace it
    # The last one added is the outermost.
    app.add_middleware(Validators)
    # A tenth more bytes than level 5, in a third of the time, which large answers otherwise spend a good part of.
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=2)
    app.add_middleware(Heads)
    app.add_middleware(edge.Edge, allowed_hosts=_allowed_hosts(settings), is_secure=is_secure(settings))
    return app


def _services(settings: Settings) -> Web:
    url = runtime_settings.require_database_url(settings)
    engine = store_engine.create(url, name="webserver", pool_size=settings.database_pool_size)
    reader = engine.execution_options(isolation_level="AUTOCOMMIT")
    identities = Identities(reader, idle_hours=settings.session_idle_hours)

    def listen(heard: Callable[[str], None]) -> Listener:
        def on_topic(topic: str) -> None:
            if topic in ("*", store_users.TOPIC):
                identities.clear()
            if topic != store_users.TOPIC:
                heard(topic)

        return Listener(url, on_topic, (*TOPICS, store_users.TOPIC))

    return Web(
        settings=settings,
        version=_version(),
        engine=engine,
        reader=reader,
        definitions=DefinitionsCache(),
        live=Live(listen),
        shared=SharedReads(),
        asset_ids=AssetIds(),
        partitions=PartitionMemo(),
        stale=StaleMemo(),
        hook_limits=RateLimits(),
        identities=identities,
        run_totals=RunTotals(),
        scopes=Scopes(url, pool_size=settings.database_pool_size),
    )


def _allowed_hosts(settings: Settings) -> tuple[str, ...]:
    name = urlsplit(settings.public_url or "").hostname
    return (*settings.allowed_hosts, *((name,) if name else ()))


def main() -> int:
    """Serve until a signal asks to stop. Returns the exit code: 2 when the process cannot start as configured."""
    try:
        settings = runtime_settings.load()
        process.configure_logging(settings.log_level, as_json=settings.log_json)
        edge.check_binding(settings)
        app = create_app(settings)
        _verify(app)
        listening = bind(settings)
    except SettingsError as error:
        print(f"dagwright webserver: {error.message}", file=sys.stderr)  # noqa: T201 - the user reads this
        return 2
    host, port = listening.getsockname()[:2]
    log.info("serving", extra={"url": f"http://{host}:{port}"})
    asyncio.run(_serve(app, listening))
    return 0


async def _serve(app: FastAPI, listening: socket.socket) -> None:
    ready = asyncio.create_task(warm.keep_ready(app.state.web))
    try:
        await Server(app).serve(sockets=[listening])
    finally:
        ready.cancel()


class Server(uvicorn.Server):
    """Answers on bound sockets until a signal comes or `should_exit` is set.

    Live streams are ended first when it is asked to stop: browsers hold them open for as long as they can.
    """

    def __init__(self, app: FastAPI) -> None:
        proxies = app.state.web.settings.trusted_proxies
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
            timeout_keep_alive=75,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            lifespan="on",
        )
        super().__init__(config)
        self._live: Live = app.state.web.live

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Note that we are asked to stop. Uvicorn's own would end the process by the signal afterwards, not by exit code 0."""
        self.force_exit |= self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._live.close_streams()
        await super().shutdown(sockets)


def bind(settings: Settings) -> socket.socket:
    """A socket on the configured address.

    Raises:
        SettingsError: the address is taken, or is not one of this machine.
    """
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, number)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(1024)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        if isinstance(error, PermissionError):
            raise SettingsError(
                f"port {settings.port} may not be bound by this user; choose one above 1023 by --port or DAGWRIGHT_PORT"
            ) from None
        if isinstance(error, socket.gaierror) or error.errno == 99:
            raise SettingsError(
                f"{settings.host!r} is not an address of this machine; choose another by --host or DAGWRIGHT_HOST"
            ) from None
        raise SettingsError(
            f"port {settings.port} is in use ({where} cannot be bound: {error.strerror}); "
            "stop what uses it, or choose another by --port or DAGWRIGHT_PORT"
        ) from None
    listening.set_inheritable(True)
    return listening


def _verify(app: FastAPI) -> None:
    """A wrong URL stops the start; a database that is merely away does not, for it may come up."""
    try:
        store_engine.verify(app.state.web.engine)
    except UnavailableError as error:
        log.warning("starting without the database", extra={"error": error.message})


def _version() -> str:
    try:
        return importlib.metadata.version("dagwright")
    except importlib.metadata.PackageNotFoundError:  # run from a tree that is not installed
        return "0"
