"""Backfills: ask for, preview, list, look at, cancel, resume, retry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import Connection

from dagwright_shared.model.backfills import Backfill, BackfillStatus, NewBackfill, locations_of
from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.store import backfills as store
from dagwright_webserver import backfilling
from dagwright_webserver.deps import JSON, Launcher, Services, Web, answer, location_of
from dagwright_webserver.once import once, page_url
from dagwright_webserver.reads import backfills as reads
from dagwright_webserver.reads.backfills import BackfillListView, BackfillPreview, BackfillView
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.routes.runs import Client, IdempotencyKey, trigger_of
from dagwright_webserver.schemas import API, BackfillBody, BackfillMade, Cursor, Limit, returns

router = APIRouter(prefix=f"{API}/backfills", tags=["backfills"])

BackfillIdPath = Annotated[str, Path(description="Id of the backfill, a UUID.", examples=["019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e"])]


@router.post("", status_code=201, summary="Launch a backfill", responses=returns(BackfillMade, 422, 503, status=201))
def launch_backfill(body: BackfillBody, request: Request, web: Launcher, key: IdempotencyKey = None, client: Client = None) -> Response:
    """Ask for many partitions of assets, or of a job. The answer comes once the backfill is durable; the daemon asks for its runs."""

    def make(conn: Connection, defs: Definitions) -> NewBackfill:
        return backfilling.make(conn, defs, web.partitions, body, trigger_of(client))

    return _create(web, request, key, body.model_dump_json(), make)


@router.post("/preview", summary="Preview a backfill", responses=returns(BackfillPreview, 422, 503))
def preview_backfill(body: BackfillBody, web: Launcher) -> Response:
    """What a backfill would make, and in how many runs. Nothing is launched."""
    return answer(web.read_defs(lambda conn, defs: backfilling.preview(conn, defs, web.partitions, body)))


@router.get("", summary="List backfills", responses=returns(BackfillListView, 422, 503))
def list_backfills(
    web: Services,
    status: Annotated[list[BackfillStatus] | None, Query(description="Statuses; may be given again.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The newest backfills first."""
    return answer(web.read(lambda conn: reads.list_backfills(conn, statuses=status or (), limit=limit, cursor=cursor)))


@router.get("/{backfill_id}", summary="Get a backfill", responses=returns(BackfillView, 404, 503))
def get_backfill(backfill_id: BackfillIdPath, web: Services) -> Response:
    """A backfill with the progress of each of its assets."""
    return answer(web.read(lambda conn: reads.get_backfill(conn, backfill_id)))


@router.post(
    "/{backfill_id}/cancel", status_code=202, summary="Cancel a backfill", responses=returns(BackfillMade, 404, 409, 503, status=202)
)
def cancel_backfill(backfill_id: BackfillIdPath, request: Request, web: Launcher) -> Response:
    """Ask for nothing more, take its runs out of the queue, and have those that run stopped."""

    def change(conn: Connection) -> Backfill:
        require_at(conn, web, backfill_id)
        return store.request_cancel(conn, backfill_id)

    return _told(request, 202, web.write(change))


@router.post(
    "/{backfill_id}/resume", status_code=202, summary="Resume a backfill", responses=returns(BackfillMade, 404, 409, 503, status=202)
)
def resume_backfill(backfill_id: BackfillIdPath, request: Request, web: Launcher) -> Response:
    """Let a canceled or failed backfill ask again for what it did not make."""

    def change(conn: Connection) -> Backfill:
        found = require_at(conn, web, backfill_id)
        defs = web.definitions.current(conn)
        backfilling.fits(defs, found)
        return store.resume(conn, backfill_id, digest=found.digest)

    return _told(request, 202, web.write(change))


@router.post(
    "/{backfill_id}/retry", status_code=201, summary="Retry a backfill", responses=returns(BackfillMade, 404, 409, 422, 503, status=201)
)
def retry_backfill(
    backfill_id: BackfillIdPath, request: Request, web: Launcher, key: IdempotencyKey = None, client: Client = None
) -> Response:
    """A new backfill of what an ended one did not make."""

    def make(conn: Connection, defs: Definitions) -> NewBackfill:
        require_at(conn, web, backfill_id)
        return backfilling.again(conn, defs, web.definitions, backfill_id, trigger_of(client))

    return _create(web, request, key, backfill_id, make)


def require_at(conn: Connection, web: Web, backfill_id: str) -> Backfill:
    """A backfill, of a location where the caller may do this.

    Raises:
        NotFoundError: there is none.
        ForbiddenError: they may not.
    """
    found = store.get(conn, backfill_id)
    if found is None:
        raise NotFoundError("backfill", backfill_id)
    for location in locations_of(found):
        web.access.require(location)
    return found


def _create(web: Web, request: Request, key: str | None, body: str, make: Callable[[Connection, Definitions], NewBackfill]) -> Response:
    def create(conn: Connection) -> dict[str, Any]:
        made = make(conn, web.definitions.current(conn))
        for location in locations_of(made):
            web.access.require(location)
        web.access.tell(target=made.backfill_id, after={"job": made.job_name})
        store.create(conn, made)
        return _reply(request, made.backfill_id, BackfillStatus.REQUESTED)

    status, reply = once(web, request, key, body, create)
    body_of = {name: reply[name] for name in ("backfill_id", "status", "url")}  # jsonb does not keep the order
    return Response(json.dumps(body_of).encode(), status, headers=location_of(f"backfills/{reply['backfill_id']}"), media_type=JSON)


def _told(request: Request, status: int, found: Backfill) -> Response:
    reply = json.dumps(_reply(request, found.backfill_id, found.status)).encode()
    return Response(reply, status, headers=location_of(f"backfills/{found.backfill_id}"), media_type=JSON)


def _reply(request: Request, backfill_id: str, status: BackfillStatus) -> dict[str, Any]:
    return {"backfill_id": backfill_id, "status": status.value, "url": page_url(request, f"/backfills/{backfill_id}")}
