"""Events of a run, and its captured output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import WithJsonSchema
from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from dagwright_shared.model.events import EVENT_TYPES, LogLevel, LogStream
from dagwright_shared.model.keys import format_partition
from dagwright_shared.store import tables
from dagwright_webserver.reads import cursors
from dagwright_webserver.reads.view import Moment, view


@view
class EventView:
    """One event of a run."""

    seq: int
    """Its number in the run, from 1, without gaps."""
    time: Moment
    """When it happened, by the worker's clock."""
    type: str
    """Such as STEP_STARTED."""
    step_key: str | None
    """The step that it is about; null for the run itself."""
    level: str
    """DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    message: str
    """What happened, in words."""
    asset: str | None
    """The asset that it is about."""
    check: str | None
    """Name of the check that it is about."""
    partition: str | None
    """Partition key; null when unpartitioned."""
    data: Mapping[str, Any]
    """The rest of the event; its fields depend on the type."""


@view
class EventListView:
    """One page of events, oldest first."""

    items: tuple[EventView, ...]
    """The events."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null when there are no more events yet."""


Stretch: TypeAlias = Annotated[
    tuple[int, int], WithJsonSchema({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}, mode="serialization")
]
"""First and last number. Described without `prefixItems`, which many tools for OpenAPI do not know."""


@view
class EventNumbersView:
    """Which events of a run a filter finds, without the events."""

    ranges: tuple[Stretch, ...]
    """First and last number of each stretch without a gap, ascending."""
    count: int
    """How many events those are."""
    last_seq: int
    """Number of the run's newest event; ask again with it as `after_seq` for what has come since."""


@view
class LogView:
    """A piece of what a step attempt wrote."""

    step_key: str
    """The step."""
    attempt: int | None
    """Number of the attempt, from 1; null for all of them, one after the other."""
    stream: LogStream
    """stdout or stderr."""
    offset: int
    """Byte offset of the first byte of `text`."""
    next_offset: int
    """Where to read on."""
    size: int
    """Bytes captured so far."""
    text: str
    """The bytes as UTF-8; what is not UTF-8 is shown as the replacement character."""
    truncated: bool
    """Whether the cap was reached, so that later output was dropped."""


@view
class LogFile:
    """One captured stream of a step attempt."""

    step_key: str
    """The step."""
    attempt: int
    """Number of the attempt, from 1."""
    stream: LogStream
    """stdout or stderr."""
    size: int
    """Bytes captured so far."""
    truncated: bool
    """Whether the cap was reached."""


@view
class LogListView:
    """Everything that was captured of a run; there is never a second page."""

    items: tuple[LogFile, ...]
    """By step, attempt and stream."""
    next_cursor: str | None
    """Always null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events a list shows; everything given must hold."""

    min_level: LogLevel = LogLevel.DEBUG
    types: tuple[str, ...] = ()
    step_key: str | None = None
    text: str | None = None
    since: datetime | None = None


_events = tables.events.c
_NAMES = {int(level): level.name for level in LogLevel}
KNOWN_TYPES = tuple(sorted(EVENT_TYPES.values()))
_READ = 256 * 1024


def list_events(
    conn: Connection,
    run_id: str,
    wanted: EventFilter | None = None,
    *,
    after_seq: int = 0,
    limit: int = 200,
    cursor: str | None = None,
) -> EventListView:
    """Events of a run after a number, oldest first."""
    if cursor is not None:
        after_seq = int(cursors.decode("events", cursor, int)[0])
    rows = conn.execute(_select(run_id, wanted or EventFilter(), after_seq).limit(limit + 1)).all()
    shown = rows[:limit]
    more = cursors.encode("events", shown[-1].seq) if len(rows) > limit else None
    return EventListView(items=tuple(_event(row) for row in shown), next_cursor=more)


def newest_events(
    conn: Connection, run_id: str, wanted: EventFilter | None = None, *, limit: int = 200, before_seq: int | None = None
) -> tuple[EventView, ...]:
    """The last events of a run, or the last ones before a number; oldest of them first."""
    query = _select(run_id, wanted or EventFilter(), 0).order_by(None).order_by(_events.seq.desc()).limit(limit)
    if before_seq is not None:
        query = query.where(_events.seq < before_seq)
    return tuple(_event(row) for row in reversed(conn.execute(query).all()))


def number_events(
    conn: Connection, run_id: str, wanted: EventFilter | None = None, *, after_seq: int = 0, last_seq: int
) -> EventNumbersView:
    """The numbers of the events that fit a filter, as stretches: what a list needs to know its length before it has its rows.

    Args:
        last_seq: number of the newest event, read before; what is committed meanwhile is left for the next time.
    """
    found = _select(run_id, wanted or EventFilter(), after_seq).where(_events.seq <= last_seq).order_by(None)
    first, last, count = func.min(_events.seq), func.max(_events.seq), func.count()
    whole = conn.execute(found.with_only_columns(first, last, count)).one()
    if whole[2] == 0:
        rows = []
    elif whole[1] - whole[0] + 1 == whole[2]:  # without a gap, as when nothing is filtered
        rows = [whole]
    else:
        stretch = (_events.seq - func.row_number().over(order_by=_events.seq)).label("stretch")
        numbers = found.with_only_columns(_events.seq, stretch).subquery()
        first, last = func.min(numbers.c.seq), func.max(numbers.c.seq)
        rows = list(conn.execute(select(first, last).group_by(numbers.c.stretch).order_by(first)))
    ranges = tuple((row[0], row[1]) for row in rows)
    return EventNumbersView(ranges=ranges, count=sum(last - first + 1 for first, last in ranges), last_seq=last_seq)


_COLUMNS = (
    _events.seq,
    _events.time,
    _events.type,
    _events.step_key,
    _events.level,
    _events.message,
    tables.assets.c.key.label("asset_key"),
    _events.check_name,
    _events.partition,
    func.nullif(_events.data, literal_column("'{}'::jsonb"), type_=JSONB).label("data"),  # most log lines have none
)


def _select(run_id: str, wanted: EventFilter, after_seq: int) -> Select[Any]:
    created = select(tables.runs.c.created_at).where(tables.runs.c.run_id == run_id).scalar_subquery()
    query = (
        select(*_COLUMNS)
        .select_from(tables.events)
        .outerjoin(tables.assets, tables.assets.c.asset_id == _events.asset_id)
        # The time lets Postgres leave out the partitions of months before the run; a day covers a worker's wrong clock.
        .where(_events.run_id == run_id, _events.seq > after_seq, _events.time >= created - func.make_interval(0, 0, 0, 1))
        .order_by(_events.seq)
    )
    if wanted.min_level > LogLevel.DEBUG:
        query = query.where(_events.level >= int(wanted.min_level))
    if wanted.types:
        query = query.where(_events.type.in_(wanted.types))
    if wanted.step_key is not None:
        query = query.where(_events.step_key == wanted.step_key)
    if wanted.since is not None:
        query = query.where(_events.time >= wanted.since)
    if wanted.text:
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        query = query.where(_events.message.ilike(f"%{escaped}%"))
    return query


def _event(row: Row[Any]) -> EventView:
    # By position: a thousand of them are read for a page.
    seq, time, kind, step_key, level, message, asset, check, partition, data = tuple(row)
    return EventView(
        seq=seq,
        time=time,
        type=kind,
        step_key=step_key,
        level=_NAMES.get(level, "INFO"),
        message=message,
        asset=asset,
        check=check,
        partition=format_partition(tuple(partition)),
        data=data or {},
    )


def list_logs(conn: Connection, run_id: str) -> tuple[LogFile, ...]:
    """What was captured of a run."""
    c = tables.log_chunks.c
    size = func.max(c.byte_offset + func.octet_length(c.data)).label("size")
    query = (
        select(c.step_key, c.attempt, c.stream, size, func.bool_or(c.truncated).label("truncated"))
        .where(c.run_id == run_id)
        .group_by(c.step_key, c.attempt, c.stream)
        .order_by(c.step_key, c.attempt, c.stream)
    )
    return tuple(
        LogFile(step_key=r.step_key, attempt=r.attempt, stream=LogStream(r.stream), size=r.size, truncated=r.truncated)
        for r in conn.execute(query)
    )


def read_log(
    conn: Connection, run_id: str, step_key: str, attempt: int | None, stream: LogStream, *, offset: int = 0, limit: int = _READ
) -> LogView:
    """Up to `limit` bytes of one stream from an offset on; empty text when there is nothing (yet)."""
    data, size, truncated = read_log_bytes(conn, run_id, step_key, attempt, stream, offset=offset, limit=limit)
    data = _whole_characters(data, more=offset + len(data) < size)
    return LogView(
        step_key=step_key,
        attempt=attempt,
        stream=stream,
        offset=offset,
        next_offset=offset + len(data),
        size=size,
        text=data.decode("utf-8", errors="replace"),
        truncated=truncated,
    )


def read_log_bytes(
    conn: Connection, run_id: str, step_key: str, attempt: int | None, stream: LogStream, *, offset: int = 0, limit: int = _READ
) -> tuple[bytes, int, bool]:
    """Bytes from an offset on, the size of the whole stream, and whether it was cut.

    Without an attempt, the streams of all attempts are read as one, in their order.
    """
    c = tables.log_chunks.c
    of_stream = [c.run_id == run_id, c.step_key == step_key, c.stream == str(stream)]
    if attempt is not None:
        of_stream.append(c.attempt == attempt)
    end = func.max(c.byte_offset + func.octet_length(c.data)).label("size")
    sizes = conn.execute(
        select(c.attempt, end, func.bool_or(c.truncated).label("cut")).where(*of_stream).group_by(c.attempt).order_by(c.attempt)
    ).all()
    pieces, base = bytearray(), 0
    for row in sizes:
        start, room = offset + len(pieces) - base, limit - len(pieces)
        if room > 0 and start < row.size:
            pieces += _attempt_bytes(conn, [*of_stream, c.attempt == row.attempt], start, room)
        base += row.size
    return bytes(pieces), base, any(row.cut for row in sizes)


def _attempt_bytes(conn: Connection, of_attempt: list[ColumnElement[bool]], offset: int, limit: int) -> bytes:
    c = tables.log_chunks.c
    end = c.byte_offset + func.octet_length(c.data)
    wanted = select(c.byte_offset, c.data).where(*of_attempt, end > offset, c.byte_offset < offset + limit).order_by(c.byte_offset)
    pieces = bytearray()
    for row in conn.execute(wanted):
        pieces += bytes(row.data)[max(0, offset + len(pieces) - row.byte_offset) :]
    return bytes(pieces[:limit])


def _whole_characters(data: bytes, *, more: bool) -> bytes:
    """Leave out a UTF-8 character that is cut at the end when the rest of it will come."""
    if not more:
        return data
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return data
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data if back >= length else data[:-back]
    return data
