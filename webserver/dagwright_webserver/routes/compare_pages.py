"""The pages that put a run beside another one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from dagwright_shared.model.errors import NotFoundError
from dagwright_webserver import drawings, render
from dagwright_webserver.deps import Services
from dagwright_webserver.reads import comparisons, run_list
from dagwright_webserver.reads import runs as run_reads
from dagwright_webserver.routes.run_list_page import failed

html = APIRouter(include_in_schema=False)


@html.get("/runs/{run_id}/compare")
def pick(
    request: Request, web: Services, run_id: str, other: Annotated[str | None, Query(alias="with", max_length=100)] = None
) -> Response:
    if other:
        if not run_reads.is_run_id(other.strip()):
            raise NotFoundError("run", other)
        return RedirectResponse(f"/runs/{run_id}/compare/{other.strip()}", 303)

    def read(conn: Connection) -> dict[str, Any]:
        view = run_reads.get_run(conn, run_id)
        found = comparisons.candidates(conn, view)
        return {"view": view, "candidates": found, "step_errors": run_list.step_errors(conn, failed(found))}

    return render.page(request, "compare_pick.html", **web.read(read))


@html.get("/runs/{run_id}/compare/{other_id}")
def compare(request: Request, web: Services, run_id: str, other_id: str) -> Response:
    view = web.read(lambda conn: comparisons.compare(conn, run_id, other_id))
    return render.page(request, "compare.html", view=view, widths=drawings.side_by_side(view))
