"""Locations, the instance as a whole, health and metrics."""

from __future__ import annotations

import json
import logging
from typing import Annotated, Any

import sqlalchemy.exc
from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from dagwright_shared.model.errors import NotFoundError, UnavailableError, UserCodeError
from dagwright_shared.model.snapshot import LocationState
from dagwright_shared.runtime.settings import Auth, channel_security
from dagwright_shared.store import listen
from dagwright_webserver import errors, metrics
from dagwright_webserver.deps import JSON, Editor, Public, Services, Web, answer
from dagwright_webserver.reads import deployment as reads
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.deployment import DeploymentView, LocationListView, LocationView
from dagwright_webserver.schemas import API, Alive, Readiness, returns

router = APIRouter(prefix=API)
health = APIRouter(tags=["health"])

log = logging.getLogger("dagwright.webserver")
LocationPath = Annotated[str, Path(description="Name of the location.")]


@router.get("/locations", tags=["locations"], summary="List locations", responses=returns(LocationListView, 503))
def list_locations(web: Services) -> Response:
    """Code locations with their state and their code servers."""
    return answer(LocationListView(items=web.read_defs(_locations), next_cursor=None))


@router.get("/locations/{name}", tags=["locations"], summary="Get a location", responses=returns(LocationView, 404, 503))
def get_location(name: LocationPath, web: Services) -> Response:
    """One code location."""
    return answer(find_location(web, name))


@router.post("/locations/{name}/reload", tags=["locations"], summary="Reload a location", responses=returns(LocationView, 404, 503, 504))
def reload_location(name: LocationPath, web: Editor) -> Response:
    """Have the code servers of a location load its code anew. The answer says whether it loaded; runs that go on are not disturbed."""
    reload(web, name)
    return answer(find_location(web, name))


@router.get("/instance", tags=["instance"], summary="Get the state of the deployment", responses=returns(DeploymentView, 503))
def get_instance(web: Services) -> Response:
    """Locations, code servers, daemons, loops, the queue and the database."""
    return answer(web.read_defs(lambda conn, defs: read_deployment(web, conn, defs)))


def read_deployment(web: Web, conn: Connection, defs: Definitions) -> DeploymentView:
    return reads.read_deployment(conn, defs, version=web.version, settings=web.settings)


def _locations(conn: Connection, defs: Definitions) -> tuple[LocationView, ...]:
    return reads.read_locations(conn, defs, now=reads.database_now(conn))


def find_location(web: Web, name: str) -> LocationView:
    """One location.

    Raises:
        NotFoundError: it has never registered.
    """
    found = web.read_defs(_locations)
    for location in found:
        if location.name == name:
            return location
    raise NotFoundError("location", name, known=[location.name for location in found])


def reload(web: Web, name: str) -> None:
    """Have each living code server of a location load its code anew.

    Raises:
        NotFoundError: there is no such location.
        UnavailableError: none of its code servers answers; a DeadlineError, where they hang.
    """
    found = find_location(web, name)
    web.access.require(name)
    servers = [server for server in found.servers if server.alive]
    if not servers:
        raise UnavailableError(f"No code server of location {name!r} is running; start it with `dagwright code-server`")
    failures = []
    # gRPC is used for this alone: a webserver that reloads nothing saves its memory and its part of the start.
    from dagwright_shared.wire.client import LocationClient  # noqa: PLC0415

    for server in servers:
        try:
            with LocationClient(server.address, security=channel_security(web.settings)) as client:
                client.location()  # one that hangs does not answer this either, and has seconds for it instead of minutes
                client.reload()
        except UserCodeError:
            pass  # the location's state says it
        except UnavailableError as error:
            failures.append(error)
            log.warning("reload failed", extra={"location": name, "address": server.address, "error": error.message})
    if len(failures) == len(servers):
        raise failures[0]
    web.write(lambda conn: listen.notify(conn, "locations"))


@health.get("/healthz", summary="Whether this process lives", responses=returns(Alive))
async def healthz(_web: Public) -> Response:
    """Always 200 while the webserver answers at all."""
    return Response(b'{"status": "ok"}', media_type=JSON)


@health.get(
    "/readyz",
    summary="Whether the deployment can take work",
    responses={**returns(Readiness), 503: {**returns(Readiness)[200], "description": "Not yet; the parts say what is missing."}},
)
def readyz(web: Public) -> Response:
    """200 once the database answers and the first location has loaded."""
    try:
        parts = web.read_defs(_parts)
        ready = parts["database"]["ok"] and parts["locations"]["ok"]
    except sqlalchemy.exc.SQLAlchemyError as error:
        if not errors.is_away(error):
            log.warning("readiness check failed", extra={"error": str(error).splitlines()[0]})
        away = {"ok": False, "detail": "unknown while the database is away"}
        parts = {"database": {"ok": False, "detail": _database_trouble(error)}, "locations": away, "daemon": away, "code_servers": away}
        ready = False
    if web.settings.auth is not Auth.NONE:
        # Anybody may ask: names of locations and errors of user code are for those who have logged in.
        parts = {name: {"ok": part["ok"], "detail": "yes" if part["ok"] else "no"} for name, part in parts.items()}
    body = json.dumps({"ready": ready, "parts": parts}).encode()
    return Response(body, 200 if ready else 503, headers={} if ready else {"Retry-After": "1"}, media_type=JSON)


def _database_trouble(error: sqlalchemy.exc.SQLAlchemyError) -> str:
    if errors.is_away(error):
        return "it does not answer"
    return "it answers, and has no dagwright schema of this version; run `dagwright db upgrade`"


def _broken(location: reads.LocationView) -> str:
    """The name of a location that does not load, and why."""
    why = str(location.error).splitlines()[0][:300] if location.error is not None else "it does not say why"
    return f"{location.name} ({why})"


def _parts(conn: Connection, defs: Definitions) -> dict[str, dict[str, Any]]:
    now = reads.database_now(conn)
    locations = reads.read_locations(conn, defs, now=now)
    daemons = [daemon for daemon in reads.read_daemons(conn, now=now) if daemon.alive]
    loaded = [location.name for location in locations if location.digest is not None]
    broken = [_broken(location) for location in locations if location.state is LocationState.ERROR]
    servers = [server for location in locations for server in location.servers if server.alive]
    told = f"loaded: {', '.join(loaded)}" if loaded else "none has loaded yet"
    return {
        "database": {"ok": True, "detail": "it answers"},
        "locations": {"ok": bool(loaded), "detail": told + (f"; failing: {', '.join(broken)}" if broken else "")},
        "daemon": {"ok": bool(daemons), "detail": f"{len(daemons)} running" if daemons else "none is running; runs stay queued"},
        "code_servers": {"ok": bool(servers), "detail": f"{len(servers)} running" if servers else "none is running"},
    }


@health.get("/metrics", summary="Numbers for Prometheus", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_metrics(web: Services) -> Response:
    """Prometheus' text format. While the database is away, the numbers of this process alone."""
    body = metrics.of_process()
    totals = web.run_totals if web.access.scope.whole else metrics.RunTotals()  # who sees a part is told of that part alone
    try:
        body += web.read(lambda conn: metrics.of_store(conn, totals))
    except sqlalchemy.exc.SQLAlchemyError:
        body += b"# the database does not answer\n"
    return Response(body, media_type=metrics.CONTENT_TYPE)
