"""Pages of what asks for runs by itself: all of it, one schedule or sensor, and what it all comes to in the next days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from dagwright_shared.model.ticks import InstigatorKind, TickStatus
from dagwright_shared.store import instigators
from dagwright_webserver import drawings, render
from dagwright_webserver.deps import Services, utc_now
from dagwright_webserver.reads import automation as reads
from dagwright_webserver.reads import deliveries as delivery_reads
from dagwright_webserver.reads.automation_filter import AutomationFilter, SwitchState, read_filtered
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.simulation import read_simulation
from dagwright_webserver.reads.strips import StripTick, read_strips
from dagwright_webserver.routes.saved_views import views_of

html = APIRouter(include_in_schema=False)

Word = Annotated[str | None, Query(max_length=1000)]
_MOST_LISTED = 300


@html.get("/automation")
def automation(
    request: Request,
    web: Services,
    text: Word = None,
    state: Word = None,
    location: Word = None,
    name: Word = None,
    status: Word = None,
    cursor: Word = None,
) -> Response:
    of_ticks = _tick_status(status)
    wanted = AutomationFilter(
        text=text or None, state=SwitchState(state) if state in list(SwitchState) else None, location=location or None
    )

    def read(conn: Connection, defs: Definitions) -> dict[str, Any]:
        strips = read_strips(conn)
        return {
            "view": read_filtered(conn, defs, wanted, strips, now=utc_now()),
            "strips": strips,
            "ticks": reads.list_ticks(conn, name=name or None, location=wanted.location, status=of_ticks, limit=30, cursor=cursor or None),
            "locations": list(defs.locations),
            "saved": views_of(conn, web.access.identity.user_id, "automation"),
        }

    return render.page(
        request,
        "automation.html",
        name=name,
        tick_status=of_ticks,
        wanted=wanted,
        filtered=wanted != AutomationFilter(),
        **web.read_defs(read),
    )


@html.get("/automation/simulation")
def simulation(request: Request, web: Services, hours: Annotated[float, Query(gt=0, le=24 * 60)] = 168.0) -> Response:
    view = web.read_defs(lambda conn, defs: read_simulation(conn, defs, web.settings.limits, now=utc_now(), hours=hours, limit=20_000))
    return render.page(request, "simulation.html", view=view, hours=hours, chart=drawings.starts(view), shown=view.runs[:_MOST_LISTED])


@html.get("/automation/schedules/{name}")
def schedule(request: Request, web: Services, name: str, location: Word = None, status: Word = None, cursor: Word = None) -> Response:
    state = _tick_status(status)

    def read(conn: Connection, defs: Definitions) -> dict[str, Any]:
        view = reads.get_schedule(conn, defs, name, now=utc_now(), location=location or None, strip=0)
        strip = _strip(conn, InstigatorKind.SCHEDULE, view)
        return {"view": view, "strip": strip, "ticks": _ticks(conn, InstigatorKind.SCHEDULE, view, state, cursor), "deliveries": None}

    return render.page(request, "instigator.html", kind="schedule", name=name, tick_status=state, **web.read_defs(read))


@html.get("/automation/sensors/{name}")
def sensor(request: Request, web: Services, name: str, location: Word = None, status: Word = None, cursor: Word = None) -> Response:
    state = _tick_status(status)

    def read(conn: Connection, defs: Definitions) -> dict[str, Any]:
        view = reads.get_sensor(conn, defs, name, now=utc_now(), location=location or None, strip=0)
        deliveries = None
        if view.hook:
            held = instigators.get(conn, InstigatorKind.SENSOR, name, location=view.location)
            deliveries = delivery_reads.list_deliveries(conn, name, held.instigator_id, status=None, limit=20, cursor=None)
        strip = _strip(conn, InstigatorKind.SENSOR, view)
        return {"view": view, "strip": strip, "ticks": _ticks(conn, InstigatorKind.SENSOR, view, state, cursor), "deliveries": deliveries}

    return render.page(request, "instigator.html", kind="sensor", name=name, tick_status=state, **web.read_defs(read))


def _strip(conn: Connection, kind: InstigatorKind, view: reads.ScheduleView | reads.SensorView) -> Sequence[StripTick]:
    return read_strips(conn, kind=kind, name=view.name, count=reads.STRIP).get((str(kind), view.location, view.name), ())


def _ticks(
    conn: Connection, kind: InstigatorKind, view: reads.ScheduleView | reads.SensorView, status: TickStatus | None, cursor: str | None
) -> reads.TicksView:
    return reads.list_ticks(conn, kind=kind, name=view.name, location=view.location, status=status, limit=30, cursor=cursor or None)


def _tick_status(given: str | None) -> TickStatus | None:
    return TickStatus(given) if given in list(TickStatus) else None
