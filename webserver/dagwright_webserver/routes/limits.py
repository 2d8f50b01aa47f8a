"""Limits of the queue, and pools: look and change while everything runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field
from sqlalchemy import Connection

from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.store import edits, limits, pools
from dagwright_shared.store.pools import PoolRow
from dagwright_webserver.deps import Admin, Services, Web, answer
from dagwright_webserver.edits import TAGGED, IfMatch, require_same, tagged
from dagwright_webserver.reads import limits as reads
from dagwright_webserver.reads.limits import LimitsView, PoolListView, PoolView
from dagwright_webserver.schemas import API, Body, problems, returns

router = APIRouter(prefix=API)

PoolName = Annotated[str, Path(min_length=1, max_length=500, description="Name of the pool.")]


class PoolBody(Body):
    """How many slots a pool has."""

    slots: int = Field(strict=True, ge=0, lt=2**31)
    """0 lets nothing start; fewer than are in use lets those finish."""


class LimitsBody(Body):
    """Limits to change; what is left out stays as it is."""

    max_concurrent_runs: int | None = Field(default=None, strict=True, ge=0, lt=2**31)
    """Active runs, over all locations."""
    reserved_runs: int | None = Field(default=None, strict=True, ge=0, lt=2**31)
    """Places of these that runs of backfills and automation leave free; null: a fifth, at least one."""
    tag_concurrency_limits: list[dict[str, Any]] | None = Field(default=None, max_length=1000)
    """`key`, `value` (a value, or `{"applyLimitPerUniqueValue": true}`, or left out) and `limit`."""
    location_limits: dict[str, int] | None = None
    """Active runs of a location, by its name."""
    default_pool_slots: int | None = Field(default=None, strict=True, ge=0, lt=2**31)
    """Slots of a pool that has none set; null: any number."""
    pool_granularity: str | None = None
    """`step` (or `op`), or `run`."""


@router.get("/pools", tags=["limits"], summary="List pools", responses=returns(PoolListView, 503))
def list_pools(web: Services) -> Response:
    """Pools with their slots, who holds them and who waits, in the order of being served."""
    return answer(PoolListView(items=web.read(lambda conn: reads.read_pools(conn, web.settings.limits)), next_cursor=None))


@router.get("/pools/{name:path}", tags=["limits"], summary="Get a pool", responses=returns(PoolView, 404, 503, headers=TAGGED))
def get_pool(name: PoolName, web: Services) -> Response:
    """One pool."""
    return tagged(web.read(lambda conn: reads.read_pool(conn, web.settings.limits, name)))


@router.put(
    "/pools/{name:path}", tags=["limits"], summary="Set the slots of a pool", responses=returns(PoolView, 412, 422, 503, headers=TAGGED)
)
def set_pool(name: PoolName, body: PoolBody, web: Admin, if_match: IfMatch = None) -> Response:
    """How many steps (or runs) of the pool may go on at once, from now on. Who waits is let in at once where there is room."""

    def change(conn: Connection) -> PoolView:
        before = _held(conn, web, name, if_match)
        pools.define(conn, name, body.slots)
        web.access.tell(before={"slots": before.slots if before else None}, after={"slots": body.slots})
        return reads.read_pool(conn, web.settings.limits, name)

    return tagged(web.write(change))


def _held(conn: Connection, web: Web, name: str, if_match: str | None) -> PoolRow | None:
    """A pool that is about to be changed, as it is."""
    edits.hold(conn, f"pool {name}")
    found = next((row for row in pools.list(conn, web.settings.limits) if row.name == name), None)
    require_same(if_match, reads.pool_etag(found if found and found.defined else None), f"Pool {name!r}")
    return found


@router.delete(
    "/pools/{name:path}", tags=["limits"], status_code=204, summary="Forget the slots of a pool", responses=problems(404, 412, 503)
)
def delete_pool(name: PoolName, web: Admin, if_match: IfMatch = None) -> Response:
    """The default of the deployment holds for the pool from then on: any number, unless `default_pool_slots` says otherwise."""

    def change(conn: Connection) -> None:
        _held(conn, web, name, if_match)
        known = [row.name for row in pools.list(conn, web.settings.limits) if row.defined]
        if not pools.remove(conn, name):
            raise NotFoundError("pool", name, known=known)

    web.write(change)
    return Response(status_code=204)


@router.get("/limits", tags=["limits"], summary="Get the limits of the queue", responses=returns(LimitsView, 503, headers=TAGGED))
def get_limits(web: Services) -> Response:
    """The limits in force: the settings, with what was changed while the deployment runs."""
    return tagged(web.read(lambda conn: reads.read_limits(conn, web.settings.limits)))


@router.patch(
    "/limits", tags=["limits"], summary="Change limits of the queue", responses=returns(LimitsView, 412, 422, 503, headers=TAGGED)
)
def change_limits(body: LimitsBody, web: Admin, if_match: IfMatch = None) -> Response:
    """Change some limits from now on, for all daemons; they are kept over restarts and win over the settings."""

    def change(conn: Connection) -> LimitsView:
        edits.hold(conn, "limits")
        require_same(if_match, reads.read_limits(conn, web.settings.limits).etag, "The limits")
        before, changes = limits.read(conn, web.settings.limits).to_json(), body.model_dump(exclude_unset=True)
        limits.change(conn, web.settings.limits, changes)
        web.access.tell(before={name: before[name] for name in changes}, after=changes)
        return reads.read_limits(conn, web.settings.limits)

    return tagged(web.write(change))


@router.delete("/limits", tags=["limits"], summary="Forget changes of limits", responses=returns(LimitsView, 412, 503, headers=TAGGED))
def reset_limits(web: Admin, if_match: IfMatch = None) -> Response:
    """The settings hold again."""

    def change(conn: Connection) -> LimitsView:
        edits.hold(conn, "limits")
        require_same(if_match, reads.read_limits(conn, web.settings.limits).etag, "The limits")
        limits.reset(conn)
        return reads.read_limits(conn, web.settings.limits)

    return tagged(web.write(change))
