"""Schedules and sensors: switches, next ticks and what became of the last ones."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import BigInteger, Connection, Row, Text, case, cast, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from dagwright_shared.model import cron
from dagwright_shared.model.errors import ErrorInfo, NotFoundError, error_from_json
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.metadata_json import metadata_to_json
from dagwright_shared.model.snapshot import ScheduleSnapshot, SensorKind, SensorSnapshot, TriggerTarget
from dagwright_shared.model.ticks import InstigatorKind, TickStatus
from dagwright_shared.store import tables
from dagwright_webserver.reads import cursors
from dagwright_webserver.reads.conditions import ConditionView, read_conditions
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.etags import etag_of
from dagwright_webserver.reads.fires import FIRES
from dagwright_webserver.reads.view import Moment, seconds_between, view


@view
class TargetView:
    """What a schedule or sensor launches."""

    job: str | None
    """A job, or null when it picks assets."""
    assets: tuple[str, ...]
    """The assets that it picks."""


@view
class TickView:
    """One tick: a moment at which a schedule or sensor was asked."""

    tick_id: int
    """Its number."""
    name: str
    """The schedule or sensor."""
    kind: InstigatorKind
    """schedule or sensor."""
    location: str
    """The code location that defines it."""
    scheduled_for: Moment
    """The moment that it stands for."""
    status: TickStatus
    """STARTED, SUCCESS, SKIPPED or FAILURE."""
    started_at: Moment
    """When it was evaluated."""
    ended_at: Moment | None
    """When the evaluation was over."""
    duration_seconds: float | None
    """How long the evaluation took."""
    run_ids: tuple[str, ...]
    """Runs that it asked for."""
    skip_reason: str | None
    """Why it asked for none."""
    error: ErrorInfo | None
    """What user code raised."""
    attempt: int
    """How often it was evaluated."""
    logs: tuple[str, ...]
    """What user code printed and logged."""


@view
class TicksView:
    """One page of ticks, newest first."""

    items: tuple[TickView, ...]
    """The ticks."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


@view
class ScheduleView:
    """A schedule with its switch."""

    name: str
    """Its name."""
    location: str
    """The code location that defines it."""
    description: str | None
    """What it is for."""
    cron: tuple[str, ...]
    """Its cron expressions; a tick is due when any of them fires."""
    cron_in_words: str
    """The same as a sentence."""
    timezone: str
    """The time zone that they are read in."""
    target: TargetView
    """What it launches."""
    running: bool
    """Whether it is switched on."""
    switched: bool
    """Whether somebody has touched the switch; else the definition says."""
    running_since: Moment | None
    """Ticks before this are not due."""
    partitioned: bool
    """Whether each tick launches the partition that ended at it."""
    evaluated: bool
    """Whether user code decides at each tick."""
    missed_ticks: str
    """skip, once or all: what happens with ticks that came due while nothing ran."""
    overlap: str
    """allow, skip, queue or cancel_old: what happens when an earlier run is still going."""
    next_ticks: tuple[Moment, ...]
    """The next five moments, as if it were switched on."""
    recent_ticks: tuple[TickView, ...]
    """The newest 30 ticks, in a list the newest 10; oldest of them first. The list of ticks has their logs and the frames of errors."""
    etag: str
    """Of its switch, for `If-Match` of a change."""
    tags: Mapping[str, str]
    """Labels that its runs get."""
    metadata: Mapping[str, Any]
    """Metadata of the definition: label to `{"type", "raw_value"}`."""
    owners: tuple[str, ...]
    """Who answers for it: e-mail addresses, or `team:name`."""
    source: str | None
    """File and line of its definition."""


@view
class SensorView:
    """A sensor with its switch."""

    name: str
    """Its name."""
    location: str
    """The code location that defines it."""
    description: str | None
    """What it is for."""
    kind: str
    """standard, asset, multi_asset, run_status, webhook or automation."""
    hook: str | None
    """The path that a webhook sensor answers to."""
    targets: tuple[TargetView, ...]
    """What it may launch."""
    running: bool
    """Whether it is switched on."""
    switched: bool
    """Whether somebody has touched the switch; else the definition says."""
    running_since: Moment | None
    """When it was switched on."""
    minimum_interval_seconds: int
    """Least time between two evaluations."""
    watched_assets: tuple[str, ...]
    """Assets that an asset sensor watches."""
    cursor: str | None
    """What it remembers between ticks."""
    etag: str
    """Of its switch and its cursor, for `If-Match` of a change."""
    next_tick: Moment | None
    """When it is asked next; null while it is off, and for a sensor that waits for an event."""
    recent_ticks: tuple[TickView, ...]
    """The newest 30 ticks, in a list the newest 10; oldest of them first. The list of ticks has their logs and the frames of errors."""
    metadata: Mapping[str, Any]
    """Metadata of the definition: label to `{"type", "raw_value"}`."""
    owners: tuple[str, ...]
    """Who answers for it: e-mail addresses, or `team:name`."""
    source: str | None
    """File and line of its definition."""


@view
class ScheduleListView:
    """One page of schedules, by name."""

    items: tuple[ScheduleView, ...]
    """The schedules."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


@view
class SensorListView:
    """One page of sensors, by name."""

    items: tuple[SensorView, ...]
    """The sensors."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


@view
class AutomationView:
    """All that asks for runs."""

    schedules: tuple[ScheduleView, ...]
    """By name."""
    sensors: tuple[SensorView, ...]
    """By name."""
    conditions: tuple[ConditionView, ...]
    """The first 200 assets and checks that have one, by key."""
    condition_count: int
    """How many have one."""


@view
class UpcomingTick:
    """A moment at which a schedule that is switched on will fire."""

    schedule: str
    """Its name."""
    location: str
    """The code location that defines it."""
    at: Moment
    """When."""
    target: TargetView
    """What it launches."""


STRIP = 30
_STRIP_IN_LIST = 10


def read_automation(conn: Connection, defs: Definitions, *, now: datetime, strip: int = _STRIP_IN_LIST) -> AutomationView:
    """All schedules and sensors, by name, and what has conditions.

    Args:
        strip: how many of the newest ticks of each; a page reads them by `read_strips`.
    """
    conditions, count = read_conditions(conn, defs)
    return AutomationView(
        schedules=list_schedules(conn, defs, now=now, limit=10_000, strip=strip).items,
        sensors=list_sensors(conn, defs, now=now, limit=10_000, strip=strip).items,
        conditions=conditions,
        condition_count=count,
    )


def list_schedules(
    conn: Connection, defs: Definitions, *, now: datetime, location: str | None = None, limit: int = 100, cursor: str | None = None,
    strip: int = _STRIP_IN_LIST,
) -> ScheduleListView:  # fmt: skip
    """Schedules by name, then location."""
    rows = [(name, place, each) for name, found in defs.schedules.items() for place, each in found if location in (None, place)]
    if cursor is not None:
        after = tuple(cursors.decode("schedules", cursor, str, str))
        rows = [row for row in rows if (row[0], row[1]) > after]
    shown = rows[:limit]
    switches = _switches(conn, InstigatorKind.SCHEDULE)
    strips = _strips(conn, [switches[key].instigator_id for _, place, each in shown if (key := (place, each.name)) in switches], strip)
    items = tuple(_schedule(place, each, switches.get((place, each.name)), strips, now) for _, place, each in shown)
    more = cursors.encode("schedules", shown[-1][0], shown[-1][1]) if len(rows) > limit else None
    return ScheduleListView(items=items, next_cursor=more)


def get_schedule(
    conn: Connection, defs: Definitions, name: str, *, now: datetime, location: str | None = None, strip: int = STRIP
) -> ScheduleView:
    """One schedule.

    Raises:
        NotFoundError: no location defines it.
    """
    found = [(place, each) for place, each in defs.schedules.get(name, ()) if location in (None, place)]
    if not found:
        raise NotFoundError("schedule", name, known=defs.schedules, where=location)
    place, schedule = found[0]
    row = _switches(conn, InstigatorKind.SCHEDULE).get((place, name))
    return _schedule(place, schedule, row, _strips(conn, [row.instigator_id] if row else [], strip), now)


def list_sensors(
    conn: Connection, defs: Definitions, *, now: datetime, location: str | None = None, limit: int = 100, cursor: str | None = None,
    strip: int = _STRIP_IN_LIST,
) -> SensorListView:  # fmt: skip
    """Sensors by name, then location."""
    rows = [(name, place, each) for name, found in defs.sensors.items() for place, each in found if location in (None, place)]
    if cursor is not None:
        after = tuple(cursors.decode("sensors", cursor, str, str))
        rows = [row for row in rows if (row[0], row[1]) > after]
    shown = rows[:limit]
    switches = _switches(conn, InstigatorKind.SENSOR)
    strips = _strips(conn, [switches[key].instigator_id for _, place, each in shown if (key := (place, each.name)) in switches], strip)
    items = tuple(_sensor(place, each, switches.get((place, each.name)), strips, now) for _, place, each in shown)
    more = cursors.encode("sensors", shown[-1][0], shown[-1][1]) if len(rows) > limit else None
    return SensorListView(items=items, next_cursor=more)


def get_sensor(
    conn: Connection, defs: Definitions, name: str, *, now: datetime, location: str | None = None, strip: int = STRIP
) -> SensorView:
    """One sensor.

    Raises:
        NotFoundError: no location defines it.
    """
    found = [(place, each) for place, each in defs.sensors.get(name, ()) if location in (None, place)]
    if not found:
        raise NotFoundError("sensor", name, known=defs.sensors, where=location)
    place, sensor = found[0]
    row = _switches(conn, InstigatorKind.SENSOR).get((place, name))
    return _sensor(place, sensor, row, _strips(conn, [row.instigator_id] if row else [], strip), now)


Running = Sequence[tuple[LocationName, ScheduleSnapshot]]
"""Schedules that are switched on."""


def running_schedules(conn: Connection, defs: Definitions) -> Running:
    """By name, then location."""
    i = tables.instigators.c
    rows = conn.execute(select(i.location, i.name, i.switch).where(i.kind == str(InstigatorKind.SCHEDULE), i.switch.is_not(None)))
    switched = {(row.location, row.name): row.switch for row in rows}
    return [
        (place, schedule)
        for name, found in defs.schedules.items()
        for place, schedule in found
        if switched.get((place, name), schedule.default_running)
    ]


def upcoming(
    running: Running, *, now: datetime, count: int = 10, each: int | None = None, until: datetime | None = None
) -> tuple[UpcomingTick, ...]:
    """The next ticks over all schedules that are switched on; at most `each` of one schedule, and none after `until`."""
    lines = [itertools.islice(_coming(place, schedule, now, until), each or count) for place, schedule in running]
    return tuple(itertools.islice(heapq.merge(*lines, key=lambda tick: (tick.at, tick.schedule)), count))


def _coming(place: str, schedule: ScheduleSnapshot, now: datetime, until: datetime | None) -> Iterator[UpcomingTick]:
    for at in FIRES.after(schedule, now):
        if until is not None and at > until:
            return
        yield UpcomingTick(schedule=schedule.name, location=place, at=at, target=_target(schedule.target))


def list_ticks(
    conn: Connection, *, kind: InstigatorKind | None = None, name: str | None = None, location: str | None = None,
    status: TickStatus | None = None, limit: int = 50, cursor: str | None = None,
) -> TicksView:  # fmt: skip
    """Ticks of one schedule or sensor, or of all, newest first."""
    t, i = tables.ticks.c, tables.instigators.c
    query = select(tables.ticks, i.name, i.kind, i.location).join(tables.instigators, i.instigator_id == t.instigator_id)
    for column, value in ((i.kind, kind), (i.name, name), (i.location, location), (t.status, status)):
        if value is not None:
            query = query.where(column == str(value))
    if cursor is not None:
        micros, tick_id = cursors.decode("ticks", cursor, int, int)
        moment = cursors.to_moment(micros, cursor)
        query = query.where((t.scheduled_for < moment) | ((t.scheduled_for == moment) & (t.tick_id < int(tick_id))))
    rows = conn.execute(query.order_by(t.scheduled_for.desc(), t.tick_id.desc()).limit(limit + 1)).all()
    shown = rows[:limit]
    more = cursors.encode("ticks", cursors.from_moment(shown[-1].scheduled_for), shown[-1].tick_id) if len(rows) > limit else None
    runs = _runs_of(conn, [row.tick_id for row in shown])
    return TicksView(items=tuple(_tick(row, runs) for row in shown), next_cursor=more)


def get_tick(conn: Connection, tick_id: int, *, kind: InstigatorKind, name: str, location: str) -> TickView:
    """One tick of a schedule or sensor.

    Raises:
        NotFoundError: it has none of this number.
    """
    t, i = tables.ticks.c, tables.instigators.c
    query = select(tables.ticks, i.name, i.kind, i.location).join(tables.instigators, i.instigator_id == t.instigator_id)
    row = conn.execute(query.where(t.tick_id == tick_id, i.kind == str(kind), i.name == name, i.location == location)).one_or_none()
    if row is None:
        raise NotFoundError("tick", str(tick_id), where=f"{kind} {name!r}")
    return _tick(row, _runs_of(conn, [tick_id]))


def _schedule(
    place: str, schedule: ScheduleSnapshot, row: Row[Any] | None, strips: Mapping[int, list[TickView]], now: datetime
) -> ScheduleView:
    return ScheduleView(
        name=schedule.name,
        location=place,
        description=schedule.description,
        cron=schedule.cron,
        cron_in_words="; ".join(cron.in_words(each) for each in schedule.cron),
        timezone=schedule.timezone,
        target=_target(schedule.target),
        running=_running(row, default=schedule.default_running),
        switched=bool(row and row.switch is not None),
        running_since=row.running_since if row else None,
        partitioned=schedule.partitioned,
        evaluated=schedule.evaluated,
        missed_ticks=schedule.missed_ticks,
        overlap=schedule.overlap,
        next_ticks=tuple(itertools.islice(FIRES.after(schedule, now), 5)),
        recent_ticks=tuple(strips.get(row.instigator_id, ())) if row else (),
        etag=instigator_etag(InstigatorKind.SCHEDULE, row.switch if row else None, None),
        tags=schedule.tags,
        metadata=metadata_to_json(schedule.metadata),
        owners=schedule.owners,
        source=str(schedule.source) if schedule.source else None,
    )


def _sensor(place: str, sensor: SensorSnapshot, row: Row[Any] | None, strips: Mapping[int, list[TickView]], now: datetime) -> SensorView:
    running = _running(row, default=sensor.default_running)
    next_tick = None
    if running and sensor.kind in (SensorKind.STANDARD, SensorKind.MULTI_ASSET):
        last = row.last_tick_at if row else None
        next_tick = max(now, last + timedelta(seconds=sensor.minimum_interval_seconds)) if last else now
    return SensorView(
        name=sensor.name,
        location=place,
        description=sensor.description,
        kind=sensor.kind,
        hook=f"/api/v1/hooks/{quote(sensor.name)}" if sensor.webhook is not None else None,
        targets=tuple(_target(target) for target in sensor.targets),
        running=running,
        switched=bool(row and row.switch is not None),
        running_since=row.running_since if row else None,
        minimum_interval_seconds=sensor.minimum_interval_seconds,
        watched_assets=tuple(key.to_user_string() for key in sensor.asset_keys),
        cursor=row.cursor if row else None,
        etag=instigator_etag(InstigatorKind.SENSOR, row.switch if row else None, row.cursor if row else None),
        next_tick=next_tick,
        recent_ticks=tuple(strips.get(row.instigator_id, ())) if row else (),
        metadata=metadata_to_json(sensor.metadata),
        owners=sensor.owners,
        source=str(sensor.source) if sensor.source else None,
    )


def instigator_etag(kind: InstigatorKind, switch: bool | None, cursor: str | None) -> str:  # noqa: FBT001 - as the row has it
    """Of what can be edited.

    Args:
        switch: None: nobody has touched it.
    """
    return etag_of(kind, switch, cursor if kind is InstigatorKind.SENSOR else None)


def _target(target: TriggerTarget) -> TargetView:
    return TargetView(job=target.job_name, assets=tuple(key.to_user_string() for key in target.asset_keys))


def _running(row: Row[Any] | None, *, default: bool) -> bool:
    return default if row is None or row.switch is None else bool(row.switch)


def _switches(conn: Connection, kind: InstigatorKind) -> Mapping[tuple[str, str], Row[Any]]:
    i = tables.instigators.c
    return {(row.location, row.name): row for row in conn.execute(select(tables.instigators).where(i.kind == str(kind)))}


def _strips(conn: Connection, instigator_ids: Sequence[int], count: int) -> Mapping[int, list[TickView]]:
    """The newest ticks of each, oldest first: one index look-up for each. What they logged and the frames of errors stay where they are."""
    if not instigator_ids or not count:
        return {}
    t, i = tables.ticks.c, tables.instigators.c
    wanted = func.unnest(cast(list(instigator_ids), ARRAY(BigInteger))).table_valued("wanted_id").render_derived("wanted")
    error = case((t.error.is_not(None), func.jsonb_build_object("class_name", t.error["class_name"], "message", t.error["message"])))
    columns = [error.label("error") if column is t.error else column for column in tables.ticks.c if column is not t.logs]
    newest = select(*columns, literal_column("NULL").label("logs")).where(t.instigator_id == wanted.c.wanted_id)
    newest_few = newest.order_by(t.scheduled_for.desc()).limit(count).lateral("newest")
    query = select(newest_few, i.name, i.kind, i.location).select_from(
        wanted.join(newest_few, true()).join(tables.instigators, i.instigator_id == wanted.c.wanted_id)
    )
    rows = sorted(conn.execute(query).all(), key=lambda each: each.scheduled_for)
    runs = _runs_of(conn, [row.tick_id for row in rows if row.status != TickStatus.SKIPPED])
    found: dict[int, list[TickView]] = {}
    for row in rows:
        found.setdefault(row.instigator_id, []).append(_tick(row, runs))
    return found


def _runs_of(conn: Connection, tick_ids: Sequence[int]) -> Mapping[int, list[str]]:
    if not tick_ids:
        return {}
    r = tables.runs.c
    found: dict[int, list[str]] = {}
    of_these = r.tick_id == func.any(cast(list(tick_ids), ARRAY(BigInteger)))
    for tick_id, run_id in conn.execute(select(r.tick_id, cast(r.run_id, Text)).where(of_these).order_by(r.run_id)):
        found.setdefault(tick_id, []).append(run_id)
    return found


def _tick(row: Row[Any], runs: Mapping[int, list[str]]) -> TickView:
    return TickView(
        tick_id=row.tick_id,
        name=row.name,
        kind=InstigatorKind(row.kind),
        location=row.location,
        scheduled_for=row.scheduled_for,
        status=TickStatus(row.status),
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_seconds=seconds_between(row.started_at, row.ended_at),
        run_ids=tuple(runs.get(row.tick_id, ())),
        skip_reason=row.skip_reason,
        error=error_from_json(row.error) if row.error else None,
        attempt=row.attempt,
        logs=tuple(row.logs or ()),
    )
