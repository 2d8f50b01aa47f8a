"""Schedules and sensors: lists, switches and ticks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from dagwright_shared.decide import schedules as decide_schedules
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem
from dagwright_shared.model.snapshot import ScheduleSnapshot
from dagwright_shared.model.ticks import Instigator, InstigatorKind, ScheduleQuestion, SensorQuestion, TickStatus
from dagwright_shared.store import instigators
from dagwright_webserver import code_servers
from dagwright_webserver.deps import Editor, Launcher, Services, Web, answer, utc_now
from dagwright_webserver.edits import TAGGED, IfMatch, require_same, tagged
from dagwright_webserver.reads import automation as reads
from dagwright_webserver.reads.automation import (
    ScheduleListView,
    ScheduleView,
    SensorListView,
    SensorView,
    TicksView,
    TickView,
)
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.trials import EvaluationView, evaluation_view
from dagwright_webserver.schemas import API, Cursor, CursorBody, Limit, Name, TryScheduleBody, TrySensorBody, returns

schedules = APIRouter(prefix=f"{API}/schedules", tags=["schedules"])
sensors = APIRouter(prefix=f"{API}/sensors", tags=["sensors"])

ScheduleName = Annotated[str, Path(description="Name of the schedule.")]
TickId = Annotated[int, Path(description="Number of the tick.", ge=1, le=2**63 - 1)]
_TRY_SECONDS = 60.0
SensorName = Annotated[str, Path(description="Name of the sensor.")]


@schedules.get("", summary="List schedules", responses=returns(ScheduleListView, 422, 503))
def list_schedules(web: Services, location: Name = None, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Schedules by name."""
    return answer(
        web.read_defs(lambda conn, defs: reads.list_schedules(conn, defs, now=utc_now(), location=location, limit=limit, cursor=cursor))
    )


@schedules.get("/{name}", summary="Get a schedule", responses=returns(ScheduleView, 404, 503, headers=TAGGED))
def get_schedule(name: ScheduleName, web: Services, location: Name = None) -> Response:
    """One schedule with its switch, its next ticks and its last ones."""
    return tagged(web.read_defs(lambda conn, defs: reads.get_schedule(conn, defs, name, now=utc_now(), location=location)))


@schedules.post("/{name}/start", summary="Switch a schedule on", responses=returns(ScheduleView, 404, 412, 503, headers=TAGGED))
def start_schedule(name: ScheduleName, web: Editor, location: Name = None, if_match: IfMatch = None) -> Response:
    """Ticks from now on are evaluated. Repeating it changes nothing."""
    switch(web, InstigatorKind.SCHEDULE, name, location, on=True, if_match=if_match)
    return get_schedule(name, web, location)


@schedules.post("/{name}/stop", summary="Switch a schedule off", responses=returns(ScheduleView, 404, 412, 503, headers=TAGGED))
def stop_schedule(name: ScheduleName, web: Editor, location: Name = None, if_match: IfMatch = None) -> Response:
    """Runs that it has launched go on. Repeating it changes nothing."""
    switch(web, InstigatorKind.SCHEDULE, name, location, on=False, if_match=if_match)
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


@sensors.get("/{name}", summary="Get a sensor", responses=returns(SensorView, 404, 503, headers=TAGGED))
def get_sensor(name: SensorName, web: Services, location: Name = None) -> Response:
    """One sensor with its switch, its cursor and its last ticks."""
    return tagged(web.read_defs(lambda conn, defs: reads.get_sensor(conn, defs, name, now=utc_now(), location=location)))


@sensors.post("/{name}/start", summary="Switch a sensor on", responses=returns(SensorView, 404, 412, 503, headers=TAGGED))
def start_sensor(name: SensorName, web: Editor, location: Name = None, if_match: IfMatch = None) -> Response:
    """It is evaluated from now on. Repeating it changes nothing."""
    switch(web, InstigatorKind.SENSOR, name, location, on=True, if_match=if_match)
    return get_sensor(name, web, location)


@sensors.post("/{name}/stop", summary="Switch a sensor off", responses=returns(SensorView, 404, 412, 503, headers=TAGGED))
def stop_sensor(name: SensorName, web: Editor, location: Name = None, if_match: IfMatch = None) -> Response:
    """Runs that it has launched go on. Repeating it changes nothing."""
    switch(web, InstigatorKind.SENSOR, name, location, on=False, if_match=if_match)
    return get_sensor(name, web, location)


@sensors.get("/{name}/ticks", summary="List the ticks of a sensor", responses=returns(TicksView, 404, 422, 503))
def list_sensor_ticks(
    name: SensorName, web: Services, location: Name = None, status: TickStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The newest first."""
    return _ticks(web, InstigatorKind.SENSOR, name, location, status=status, limit=limit, cursor=cursor)


@schedules.get("/{name}/ticks/{tick_id}", summary="Get a tick of a schedule", responses=returns(TickView, 404, 503))
def get_schedule_tick(name: ScheduleName, tick_id: TickId, web: Services, location: Name = None) -> Response:
    """One tick with its runs, its error and what user code printed and logged."""
    return _tick(web, InstigatorKind.SCHEDULE, name, location, tick_id)


@sensors.get("/{name}/ticks/{tick_id}", summary="Get a tick of a sensor", responses=returns(TickView, 404, 503))
def get_sensor_tick(name: SensorName, tick_id: TickId, web: Services, location: Name = None) -> Response:
    """One tick with its runs, its error and what user code printed and logged."""
    return _tick(web, InstigatorKind.SENSOR, name, location, tick_id)


@sensors.put("/{name}/cursor", summary="Set the cursor of a sensor", responses=returns(SensorView, 404, 412, 422, 503, headers=TAGGED))
def set_cursor(name: SensorName, body: CursorBody, web: Editor, location: Name = None, if_match: IfMatch = None) -> Response:
    """Rewind a sensor, or make it forget. An evaluation that is going on does not write its own cursor over it."""

    def change(conn: Connection) -> None:
        place = find_place(web.definitions.current(conn), InstigatorKind.SENSOR, name, location)
        web.access.require(place)
        known = _held(conn, InstigatorKind.SENSOR, name, place, if_match)
        instigators.set_cursor(conn, known.instigator_id, body.cursor)
        web.access.tell(before={"cursor": (known.cursor or "")[:500] or None}, after={"cursor": (body.cursor or "")[:500] or None})

    web.write(change)
    return get_sensor(name, web, location)


@sensors.post("/{name}/evaluate", summary="Try a sensor out", responses=returns(EvaluationView, 404, 422, 502, 503, 504))
def evaluate_sensor(name: SensorName, web: Launcher, body: TrySensorBody | None = None, location: Name = None) -> Response:
    """Call its function once and tell what it asks for; nothing of it is stored or launched."""

    def read(conn: Connection, defs: Definitions) -> tuple[str, SensorQuestion]:
        place = find_place(defs, InstigatorKind.SENSOR, name, location)
        known = instigators.get(conn, InstigatorKind.SENSOR, name, location=place)
        given = body.cursor if body is not None and "cursor" in body.model_fields_set else known.cursor
        return place, SensorQuestion(name=name, cursor=given, last_tick_at=known.last_tick_at)

    place, question = web.read_defs(read)
    web.access.require(place)
    return answer(evaluation_view(code_servers.ask(web, place, lambda client: client.evaluate_sensor(question, timeout=_TRY_SECONDS))))


@schedules.post("/{name}/evaluate", summary="Try a schedule out", responses=returns(EvaluationView, 404, 422, 502, 503, 504))
def evaluate_schedule(name: ScheduleName, web: Launcher, body: TryScheduleBody | None = None, location: Name = None) -> Response:
    """Call its function once, as at a tick, and tell what it asks for; nothing of it is stored or launched."""
    at = (body.at if body is not None else None) or utc_now()
    if at.tzinfo is None:
        problem = Problem(path="at", message="the moment has no time zone", value=at.isoformat(), expected="such as 2026-01-01T06:00:00Z")
        raise InvalidRequestError("The schedule cannot be tried out at that moment", problems=[problem])

    def read(_conn: Connection, defs: Definitions) -> tuple[str, ScheduleSnapshot]:
        place = find_place(defs, InstigatorKind.SCHEDULE, name, location)
        return place, next(snapshot for where, snapshot in defs.schedules[name] if where == place)

    place, snapshot = web.read_defs(read)
    web.access.require(place)
    if not snapshot.evaluated:
        return answer(evaluation_view(decide_schedules.requests(snapshot, at)))
    question = ScheduleQuestion(name=name, scheduled_for=at)
    return answer(evaluation_view(code_servers.ask(web, place, lambda client: client.evaluate_schedule(question, timeout=_TRY_SECONDS))))


def switch(web: Web, kind: InstigatorKind, name: str, location: str | None, *, on: bool, if_match: str | None = None) -> None:
    """Turn a schedule or sensor on or off.

    Raises:
        NotFoundError: there is none of this name.
        ChangedError: it is not as `if_match` says.
    """

    def change(conn: Connection) -> None:
        place = find_place(web.definitions.current(conn), kind, name, location)
        web.access.require(place)
        web.access.tell(after={"on": on})
        instigators.set_switch(conn, _held(conn, kind, name, place, if_match).instigator_id, on=on)

    web.write(change)


def _held(conn: Connection, kind: InstigatorKind, name: str, place: str, if_match: str | None) -> Instigator:
    """A schedule or sensor that is about to be changed, as it is; its ticks wait with a new cursor."""
    found = instigators.hold(conn, instigators.get(conn, kind, name, location=place).instigator_id)
    switch = found.running if found.switched else None
    require_same(if_match, reads.instigator_etag(kind, switch, found.cursor), f"{kind.capitalize()} {name!r}")
    return found


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


def _tick(web: Web, kind: InstigatorKind, name: str, location: str | None, tick_id: int) -> Response:
    def read(conn: Connection, defs: Definitions) -> TickView:
        return reads.get_tick(conn, tick_id, kind=kind, name=name, location=find_place(defs, kind, name, location))

    return answer(web.read_defs(read))


def _ticks(
    web: Web, kind: InstigatorKind, name: str, location: str | None, *, status: TickStatus | None, limit: int, cursor: str | None
) -> Response:
    def read(conn: Connection, defs: Definitions) -> TicksView:
        place = find_place(defs, kind, name, location)
        return reads.list_ticks(conn, kind=kind, name=name, location=place, status=status, limit=limit, cursor=cursor)

    return answer(web.read_defs(read))
