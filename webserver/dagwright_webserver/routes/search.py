"""Search over definitions and runs: for the command palette, and as a page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from dagwright_webserver import render
from dagwright_webserver.deps import Services, answer
from dagwright_webserver.reads.search import SearchView, search
from dagwright_webserver.schemas import API, returns

router = APIRouter(prefix=f"{API}/search", tags=["search"])
html = APIRouter(include_in_schema=False)

Words = Annotated[str, Query(max_length=200, description="Words, or letters of them in their order; or the beginning of a run's id.")]


@router.get("", summary="Search", responses=returns(SearchView, 422, 503))
def find(web: Services, q: Words = "", limit: Annotated[int, Query(ge=1, le=100, description="Most hits.")] = 20) -> Response:
    """Assets, checks, groups, jobs, schedules, sensors, resources and locations by name, and runs by id; the best first."""
    return answer(web.read_defs(lambda conn, defs: search(conn, defs, q, limit=limit)))


@html.get("/search")
def search_page(request: Request, web: Services, q: Annotated[str, Query(max_length=200)] = "") -> Response:
    return render.page(request, "search.html", words=q, view=web.read_defs(lambda conn, defs: search(conn, defs, q, limit=100)))
