"""Saved views: filters of a page under a name."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Path, Query, Response
from pydantic import ConfigDict, Field
from sqlalchemy import Connection

from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.store import saved_views
from dagwright_webserver.deps import Member, answer
from dagwright_webserver.reads.view import Moment, view
from dagwright_webserver.schemas import API, Body, problems, returns

router = APIRouter(prefix=f"{API}/views", tags=["views"])

PageName = Literal["runs", "assets", "jobs", "automation", "backfills"]
ViewName = Annotated[str, Path(min_length=1, max_length=200, description="Name of the view.")]
_PASSING = ("cursor", "_part")
"""What is of a moment, and no filter."""


class SavedViewBody(Body):
    """What a view shows."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "status=FAILURE&job=flights_of_a_day"}]})

    query: str = Field(max_length=4000)
    """The part of the page's address after `?`."""


@view
class SavedViewView:
    """Filters of a page under a name."""

    page: str
    """The page."""
    name: str
    """Its name."""
    query: str
    """The part of the page's address after `?`."""
    url: str
    """The page with these filters."""
    updated_at: Moment
    """When it was saved."""


@view
class SavedViewListView:
    """All views of a page that one has saved; there is never a second page."""

    items: tuple[SavedViewView, ...]
    """By name."""
    next_cursor: str | None
    """Always null."""


@router.get("", summary="List saved views", responses=returns(SavedViewListView, 422, 503))
def list_views(web: Member, page: Annotated[PageName, Query(description="The page.")] = "runs") -> Response:
    """One's own views of a page; where there is no log-in, those of everybody."""
    user_id = web.access.identity.user_id
    return answer(SavedViewListView(items=web.read(lambda conn: views_of(conn, user_id, page)), next_cursor=None))


def views_of(conn: Connection, user_id: int | None, page: PageName) -> tuple[SavedViewView, ...]:
    """What somebody has saved for a page, by name."""
    return tuple(
        SavedViewView(page=each.page, name=each.name, query=each.query, url=f"/{page}?{each.query}", updated_at=each.updated_at)
        for each in saved_views.list(conn, user_id, page)
    )


@router.put("/{page}/{view_name}", status_code=204, summary="Save a view", responses=problems(422, 503))
def save_view(page: PageName, view_name: ViewName, body: SavedViewBody, web: Member) -> Response:
    """Keep the filters of a page under a name, in place of an earlier view of that name."""
    # Parsed and written anew: what is stored is an address and nothing else.
    kept = urlencode([(key, value) for key, value in parse_qsl(body.query.lstrip("?")) if key not in _PASSING])

    def change(conn: Connection) -> None:
        web.access.tell(target=f"{page}/{view_name}", after={"query": kept})
        saved_views.save(conn, web.access.identity.user_id, page, view_name, kept)

    web.write(change)
    return Response(status_code=204)


@router.delete("/{page}/{view_name}", status_code=204, summary="Delete a view", responses=problems(404, 422, 503))
def delete_view(page: PageName, view_name: ViewName, web: Member) -> Response:
    """Forget a view."""

    def change(conn: Connection) -> None:
        user_id = web.access.identity.user_id
        known = [each.name for each in saved_views.list(conn, user_id, page)]
        if not saved_views.remove(conn, user_id, page, view_name):
            raise NotFoundError("view", view_name, known=known, where=page)
        web.access.tell(target=f"{page}/{view_name}")

    web.write(change)
    return Response(status_code=204)
