"""Schedules and sensors: lists, switches and ticks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.ticks import InstigatorKind, TickStatus
from dagwright_shared.store import instigators
from dagwright_webserver.deps import Services, Web, answer, utc_now
from dagwright_webserver.reads import automation as reads
from dagwright_webserver.reads.automation import ScheduleListView, ScheduleView, SensorListView, SensorView, TicksView
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.schemas import API, Cursor, Limit, Name, returns

schedules = APIRouter(prefix=f"{API}/schedules", tags=["schedules"])
sensors = APIRouter(prefix=f"{API}/sensors", tags=["sensors"])

ScheduleName = Annotated[str, Path(description="Name of the schedule.")]
SensorName = Annotated[str, Path(description="Name of the sensor.")]


@schedules.get("", summary="List schedules", responses=returns(ScheduleListView, 422, 503))
def list_schedules(web: Services, location: Name = None, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Schedules by name."""
    return answer(
        web.read_defs(lambda conn, defs: reads.list_schedules(conn, defs, now=utc_now(), location=location, limit=limit, cursor=cursor))
    )


@schedules.get("/{name}", summary="Get a schedule", responses=returns(ScheduleView, 404, 503))
def get_schedule(name: ScheduleName, web: Services, location: Name = None) -> Response:
    """One schedule with its switch, its next ticks and its last ones."""
    return answer(web.read_defs(lambda conn, defs: reads.get_schedule(conn, defs, name, now=utc_now(), location=location)))


@schedules.post("/{name}/start", summary="Switch a schedule on", responses=returns(ScheduleView, 404, 503))
def start_schedule(name: ScheduleName, web: Services, location: Name = None) -> Response:
    """Ticks from now on are evaluated. Repeating it changes nothing."""
    switch(web, InstigatorKind.SCHEDULE, name, location, on=True)
    return get_schedule(name, web, location)


@schedules.post("/{name}/stop", summary="Switch a schedule off", responses=returns(ScheduleView, 404, 503))
def stop_schedule(name: ScheduleName, web: Services, location: Name = None) -> Response:
    """Runs that it has launched go on. Repeating it changes nothing."""
    switch(web, InstigatorKind.SCHEDULE, name, location, on=False)
    return get_schedule(name, web, location)


@schedules.get("/{name}/ticks", summary="List the ticks of a schedule", responses=returns(TicksView, 404, 422, 503))
def list_schedule_ticks(
    name: ScheduleName, web: Services, location: Name = None, status: TickStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The newest first."""
    return _ticks(web, InstigatorKind.SCHEDULE, name, location, status=status, limit=limit, cursor=cursor)


@sensors.get("", summary="List sensors", responses=returns(SensorListView, 422, 503))
def list_sensors(web: Services, location: Name = None, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Sensors by name."""
    return answer(
        web.read_defs(lambda conn, defs: reads.list_sensors(conn, defs, now=utc_now(), location=location, limit=limit, cursor=cursor))
    )


@sensors.get("/{name}", summary="Get a sensor", responses=returns(SensorView, 404, 503))
def get_sensor(name: SensorName, web: Services, location: Name = None) -> Response:
    """One sensor with its switch, its cursor and its last ticks."""
    return answer(web.read_defs(lambda conn, defs: reads.get_sensor(conn, defs, name, now=utc_now(), location=location)))


@sensors.post("/{name}/start", summary="Switch a sensor on", responses=returns(SensorView, 404, 503))
def start_sensor(name: SensorName, web: Services, location: Name = None) -> Response:
    """It is evaluated from now on. Repeating it changes nothing."""
    switch(web, InstigatorKind.SENSOR, name, location, on=True)
    return get_sensor(name, web, location)


@sensors.post("/{name}/stop", summary="Switch a sensor off", responses=returns(SensorView, 404, 503))
def stop_sensor(name: SensorName, web: Services, location: Name = None) -> Response:
    """Runs that it has launched go on. Repeating it changes nothing."""
    switch(web, InstigatorKind.SENSOR, name, location, on=False)
    return get_sensor(name, web, location)


@sensors.get("/{name}/ticks", summary="List the ticks of a sensor", responses=returns(TicksView, 404, 422, 503))
def list_sensor_ticks(
    name: SensorName, web: Services, location: Name = None, status: TickStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The newest first."""
    return _ticks(web, InstigatorKind.SENSOR, name, location, status=status, limit=limit, cursor=cursor)


def switch(web: Web, kind: InstigatorKind, name: str, location: str | None, *, on: bool) -> None:
    """Turn a schedule or sensor on or off.

    Raises:
        NotFoundError: there is none of this name.
    """

    def change(conn: Connection) -> None:
        place = find_place(web.definitions.current(conn), kind, name, location)
        instigators.set_switch(conn, instigators.get(conn, kind, name, location=place).instigator_id, on=on)

    web.write(change)


def find_place(defs: Definitions, kind: InstigatorKind, name: str, location: str | None) -> str:
    """The location that defines a schedule or sensor.

    Raises:
        NotFoundError: none does.
    """
    known = defs.schedules if kind is InstigatorKind.SCHEDULE else defs.sensors
    places = [place for place, _ in known.get(name, ()) if location in (None, place)]
    if not places:
        raise NotFoundError(kind, name, known=known, where=location)
    return places[0]


def _ticks(
    web: Web, kind: InstigatorKind, name: str, location: str | None, *, status: TickStatus | None, limit: int, cursor: str | None
) -> Response:
    def read(conn: Connection, defs: Definitions) -> TicksView:
        place = find_place(defs, kind, name, location)
        return reads.list_ticks(conn, kind=kind, name=name, location=place, status=status, limit=limit, cursor=cursor)

    return answer(web.read_defs(read))
