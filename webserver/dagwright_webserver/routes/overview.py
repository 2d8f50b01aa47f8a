"""The first page and its data: what runs, what failed, what comes next, and whether all is well."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from dagwright_webserver import drawings, render
from dagwright_webserver.deps import Services, answer, utc_now
from dagwright_webserver.reads import automation as automation_reads
from dagwright_webserver.reads import overview as reads
from dagwright_webserver.reads import run_list
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.overview import OverviewView
from dagwright_webserver.reads.staleness import read_stale
from dagwright_webserver.reads.timeline import Lanes
from dagwright_webserver.schemas import API, aware, returns

router = APIRouter(prefix=f"{API}/overview", tags=["instance"])
html = APIRouter(include_in_schema=False)

_HOURS = (0.25, 1, 6, 12, 24)
"""Windows of the timeline; without a choice, the shortest one that holds the runs of the last day."""

Hours = Annotated[float, Query(ge=0.25, le=720, description="Length of the timeline.")]
Until = Annotated[datetime | None, Query(description="Where the timeline ends, ISO 8601; left out: a little after now.")]
By = Annotated[Lanes, Query(description="What has a lane of its own: jobs, or asset groups.")]


@router.get("", summary="Get the overview", responses=returns(OverviewView, 422, 503))
def get_overview(web: Services, hours: Hours = 12.0, until: Until = None, by: By = Lanes.JOB) -> Response:
    """What runs, what failed, what comes next, the health of assets and of the deployment."""
    settings = web.settings.limits
    return answer(
        web.read_defs(lambda conn, defs: reads.read_overview(conn, defs, settings=settings, hours=hours, until=aware(until), by=by))
    )


@html.get("/")
def overview(
    request: Request,
    web: Services,
    hours: Annotated[float | None, Query(ge=0.25, le=720)] = None,
    until: Until = None,
    by: By = Lanes.JOB,
) -> Response:
    def read(conn: Connection, defs: Definitions) -> dict[str, Any]:
        chosen = hours or reads.fitting_hours(conn, _HOURS)
        running = automation_reads.running_schedules(conn, defs)
        view = reads.read_overview(conn, defs, running, settings=web.settings.limits, hours=chosen, until=aware(until), by=by)
        return {
            "view": view,
            "step_errors": run_list.step_errors(conn, [run.run_id for run in view.failures]),
            "next_ticks": automation_reads.upcoming(running, now=view.timeline.now, each=1),
            "hours": chosen,
            "choices": (*_HOURS, 72, 168),
            "timeline": drawings.timeline(view.timeline),
            "health": drawings.health(view.asset_counts),
        }

    shown = web.read_defs(read)
    drawn = shown["view"].timeline
    half = timedelta(hours=shown["hours"] / 2)
    later = drawn.end + half
    return render.page(
        request,
        "overview.html",
        earlier=(min(drawn.end, drawn.now) - half).isoformat(timespec="seconds"),
        later=None if until is None else "" if later >= drawn.now else later.isoformat(timespec="seconds"),
        is_live=until is None,
        **shown,
    )


@html.get("/overview/stale")
def stale(request: Request, web: Services) -> Response:
    """A part that the page asks for once it is shown: it looks at every asset."""

    view = web.read_defs(lambda conn, defs: read_stale(conn, defs, web.stale, defs.graph.keys(), now=utc_now()))
    return render.page(request, "partials/overview_stale.html", view=view)
