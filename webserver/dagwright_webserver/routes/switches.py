"""All that asks for runs by itself: seen together, and many switched at once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field
from sqlalchemy import Connection

from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem
from dagwright_shared.model.ticks import InstigatorKind
from dagwright_shared.store import instigators
from dagwright_webserver.deps import Editor, Services, answer, utc_now
from dagwright_webserver.reads import automation as reads
from dagwright_webserver.reads.automation import AutomationView
from dagwright_webserver.reads.view import view
from dagwright_webserver.schemas import API, Body, returns

router = APIRouter(prefix=f"{API}/automation", tags=["automation"])

Names = Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=10_000)]


class SwitchesBody(Body):
    """What to switch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"on": False, "schedules": ["nightly"], "sensors": ["new_files"]}]})

    on: bool = Field(strict=True)
    """On or off."""
    schedules: Names = Field(default_factory=list)
    """Names of schedules."""
    sensors: Names = Field(default_factory=list)
    """Names of sensors."""
    location: str | None = None
    """Only those of this code location; left out: those of the names in each."""


@view
class SwitchedItem:
    """A schedule or sensor that has been switched."""

    kind: InstigatorKind
    """schedule or sensor."""
    name: str
    """Its name."""
    location: str
    """The code location that defines it."""


@view
class SwitchedView:
    """What has been switched."""

    on: bool
    """On or off."""
    items: tuple[SwitchedItem, ...]
    """Schedules, then sensors."""


@router.get("", summary="Get all that asks for runs", responses=returns(AutomationView, 503))
def get_automation(web: Services) -> Response:
    """Schedules, sensors, and the assets that have conditions."""
    return answer(web.read_defs(lambda conn, defs: reads.read_automation(conn, defs, now=utc_now())))


@router.post("/switches", summary="Switch many schedules and sensors", responses=returns(SwitchedView, 404, 422, 503))
def set_switches(body: SwitchesBody, web: Editor) -> Response:
    """Turn all of them on or off: all or, where one is unknown or not yours to switch, none. Repeating it changes nothing."""
    wanted = [*((InstigatorKind.SCHEDULE, name) for name in body.schedules), *((InstigatorKind.SENSOR, name) for name in body.sensors)]
    if not wanted:
        problem = Problem(path="schedules", message="name at least one schedule or sensor", value=[])
        raise InvalidRequestError("There is nothing to switch", problems=[problem])

    def change(conn: Connection) -> tuple[SwitchedItem, ...]:
        defs = web.definitions.current(conn)
        switched = []
        for kind, name in dict.fromkeys(wanted):
            known = defs.schedules if kind is InstigatorKind.SCHEDULE else defs.sensors
            places = [place for place, _ in known.get(name, ()) if body.location in (None, place)]
            if not places:
                raise NotFoundError(kind, name, known=known, where=body.location)
            for place in places:
                web.access.require(place)
                instigators.set_switch(conn, instigators.get(conn, kind, name, location=place).instigator_id, on=body.on)
                switched.append(SwitchedItem(kind=kind, name=name, location=place))
        web.access.tell(target=f"{len(switched)} switches", after={"on": body.on, "names": [each.name for each in switched][:200]})
        return tuple(switched)

    return answer(SwitchedView(on=body.on, items=web.write(change)))
