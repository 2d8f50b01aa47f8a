"""The pages of backfills."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from dagwright_shared.model.runs import RunStatus
from dagwright_webserver import drawings, render
from dagwright_webserver.deps import Services
from dagwright_webserver.reads import backfills as reads
from dagwright_webserver.reads import run_list
from dagwright_webserver.reads.run_list import RunFilter

html = APIRouter(include_in_schema=False)


@html.get("/backfills")
def backfills(request: Request, web: Services, cursor: Annotated[str | None, Query(max_length=1000)] = None) -> Response:
    view = web.read(lambda conn: reads.list_backfills(conn, cursor=cursor or None))
    return render.page(request, "backfills.html", view=view, progress=drawings.progress)


@html.get("/backfills/{backfill_id}")
def backfill(request: Request, web: Services, backfill_id: str, cursor: Annotated[str | None, Query(max_length=1000)] = None) -> Response:
    def read(conn: Connection) -> dict[str, Any]:
        view = reads.get_backfill(conn, backfill_id)
        runs = run_list.list_runs(conn, RunFilter(backfill_id=backfill_id), limit=50, cursor=cursor or None)
        failed = [run.run_id for run in runs.items if run.status is RunStatus.FAILURE]
        return {"view": view, "listed": runs, "step_errors": run_list.step_errors(conn, failed)}

    return render.page(request, "backfill.html", progress=drawings.progress, **web.read(read))
