"""What would run from now on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from dagwright_webserver.deps import Services, answer, utc_now
from dagwright_webserver.reads.simulation import SimulationView, read_simulation
from dagwright_webserver.schemas import API, returns

router = APIRouter(prefix=API, tags=["simulation"])


@router.get("/simulation", summary="Simulate the schedules and conditions", responses=returns(SimulationView, 422, 503))
def get_simulation(
    web: Services,
    hours: Annotated[float, Query(ge=0.01, le=24 * 366, description="How far to look.")] = 168.0,
    limit: Annotated[int, Query(ge=1, le=20_000, description="Most runs that are listed.")] = 1000,
) -> Response:
    """Which runs would start when, by the schedules that are switched on, conditions, limits and pools, and how full those would be.

    Nothing is launched and no code of yours is run.
    """
    return answer(
        web.read_defs(lambda conn, defs: read_simulation(conn, defs, web.settings.limits, now=utc_now(), hours=hours, limit=limit))
    )
