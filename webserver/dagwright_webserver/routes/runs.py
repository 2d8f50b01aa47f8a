"""Runs: launch, list, look at, follow, cancel, run again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem, nearest
from dagwright_shared.model.events import LogLevel, LogStream
from dagwright_shared.model.keys import new_run_id
from dagwright_shared.model.runs import NewRun, RunStatus, Trigger, TriggerKind
from dagwright_webserver import launching, run_control
from dagwright_webserver.deps import JSON, Editor, Launcher, Services, Web, answer, location_of, utc_now
from dagwright_webserver.once import once, page_url
from dagwright_webserver.reads import comparisons as comparison_reads
from dagwright_webserver.reads import events as event_reads
from dagwright_webserver.reads import run_list
from dagwright_webserver.reads import runs as run_reads
from dagwright_webserver.reads import waiting as waiting_reads
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.reads.run_list import RunFilter, RunListView
from dagwright_webserver.reads.runs import RunView
from dagwright_webserver.schemas import (
    API,
    CancelAnswer,
    CancelBody,
    Cursor,
    LaunchBody,
    Launched,
    Limit,
    Name,
    ReexecuteBody,
    aware,
    parse_tags,
    problems,
    returns,
)

router = APIRouter(prefix=f"{API}/runs", tags=["runs"])

RunIdPath = Annotated[str, Path(description="Id of the run, a UUID.", examples=["019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e"])]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key and body give the same answer again, without a second run.",
    ),
]
Client = Annotated[str | None, Header(alias="X-Dagwright-Client", include_in_schema=False)]

_CLIENTS = {"cli": TriggerKind.CLI, "ui": TriggerKind.USER}
_DOWNLOAD_CHUNK = 1024 * 1024


@router.post(
    "",
    status_code=201,
    summary="Launch a run",
    responses=returns(Launched, 422, 503, status=201),
)
def launch(body: LaunchBody, request: Request, web: Launcher, key: IdempotencyKey = None, client: Client = None) -> Response:
    """Ask for a run of a job, or of assets picked freely. The answer comes once the run is durable in the queue."""

    def make(conn: Connection, defs: Definitions) -> NewRun:
        return prepare(conn, defs, body, trigger_of(client))

    return enqueue_once(web, request, key, body.model_dump_json(), make)


def prepare(conn: Connection, defs: Definitions, body: LaunchBody, trigger: Trigger) -> NewRun:
    """The run that a request asks for.

    Raises:
        InvalidRequestError: it does not fit the definitions.
    """
    target = launching.find_target(body, defs)
    dynamic = dynamic_keys(conn, launching.partitions_of(target))
    return launching.new_run(body, target, defs, run_id=new_run_id(), trigger=trigger, now=utc_now(), dynamic=dynamic)


def trigger_of(client: str | None) -> Trigger:
    return Trigger(kind=_CLIENTS.get(client or "", TriggerKind.API))


def enqueue_once(web: Web, request: Request, key: str | None, body: str, make: Any) -> Response:
    """Make a run and put it into the queue in one transaction, once for each idempotency key."""

    def enqueue(conn: Connection) -> dict[str, Any]:
        run = make(conn, web.definitions.current(conn))
        run_control.enqueue(conn, web, run)
        return {"run_id": run.run_id, "status": RunStatus.QUEUED.value, "url": page_url(request, f"/runs/{run.run_id}")}

    status, reply = once(web, request, key, body, enqueue)
    body_of = {name: reply[name] for name in ("run_id", "status", "url")}  # jsonb does not keep the order
    headers = {"Location": f"{API}/runs/{reply['run_id']}"}
    return Response(json.dumps(body_of).encode(), status, headers=headers, media_type=JSON)


@router.get("", summary="List runs", responses=returns(RunListView, 422, 503))
def list_runs(  # noqa: PLR0913, PLR0917 - each is a parameter of the query
    web: Services,
    status: Annotated[list[RunStatus] | None, Query(description="Statuses; may be given again.")] = None,
    job: Name = None,
    asset: Annotated[str | None, Query(max_length=1000, description="Key of an asset that the run materializes.")] = None,
    location: Name = None,
    partition: Name = None,
    trigger: Annotated[TriggerKind | None, Query(description="What asked for the run.")] = None,
    trigger_name: Annotated[str | None, Query(max_length=1000, description="The schedule, sensor or user.")] = None,
    tag: Annotated[list[str] | None, Query(description="`key=value`; may be given again, and all must hold.")] = None,
    backfill: Annotated[str | None, Query(max_length=100, description="Id of the backfill that asked for the run.")] = None,
    created_after: Annotated[datetime | None, Query(description="ISO 8601; UTC unless it says otherwise.")] = None,
    created_before: Annotated[datetime | None, Query(description="ISO 8601; UTC unless it says otherwise.")] = None,
    ended_after: Annotated[datetime | None, Query(description="ISO 8601; runs that have not ended are left out.")] = None,
    ended_before: Annotated[datetime | None, Query(description="ISO 8601; runs that have not ended are left out.")] = None,
    text: Annotated[str | None, Query(max_length=200, description="Start of the id, or a part of the job or an asset.")] = None,
    grouped: Annotated[bool, Query(description="Leave out the runs of backfills, and tell of the backfills in their place.")] = False,  # noqa: FBT002
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The newest runs first."""
    wanted = RunFilter(
        statuses=tuple(status or ()),
        job=job,
        asset=asset,
        location=location,
        partition=partition,
        trigger=trigger,
        trigger_name=trigger_name,
        tags=parse_tags(tag),
        backfill_id=backfill,
        created_after=aware(created_after),
        created_before=aware(created_before),
        ended_after=aware(ended_after),
        ended_before=aware(ended_before),
        text=text,
    )
    return answer(web.read(lambda conn: run_list.list_runs(conn, wanted, limit=limit, cursor=cursor, grouped=grouped)))


@router.get("/{run_id}", summary="Get a run", responses=returns(RunView, 404, 503))
def get_run(run_id: RunIdPath, web: Services) -> Response:
    """A run with its steps."""
    return answer(web.read(lambda conn: run_reads.get_run(conn, run_id)))


@router.get("/{run_id}/waiting", summary="Why a run waits", responses=returns(waiting_reads.WaitingView, 404, 503))
def get_waiting(run_id: RunIdPath, web: Services) -> Response:
    """Which limit, pool, time or missing service holds a run (or steps of it) back: by whom, since when, and how many are before it."""
    return answer(web.read_defs(lambda conn, defs: waiting_reads.read_waiting(conn, defs, run_id, web.settings.limits)))


OtherIdPath = Annotated[str, Path(description="Id of the run to compare with, a UUID.")]


@router.get("/{run_id}/compare/{other_id}", summary="Compare two runs", responses=returns(comparison_reads.ComparisonView, 404, 503))
def compare_runs(run_id: RunIdPath, other_id: OtherIdPath, web: Services) -> Response:
    """A run beside another: config, tags, definitions, times of steps, what was made and its metadata, results of checks."""
    return answer(web.read(lambda conn: comparison_reads.compare(conn, run_id, other_id)))


LevelQuery = Annotated[str | None, Query(description="The least level: DEBUG, INFO, WARNING, ERROR or CRITICAL.")]
TypesQuery = Annotated[list[str] | None, Query(description="Types such as STEP_FAILED; may be given again.")]
MessageQuery = Annotated[str | None, Query(max_length=200, description="A part of the message.")]
AfterQuery = Annotated[int, Query(ge=0, lt=2**62, description="Only events with a higher number.")]
SinceQuery = Annotated[datetime | None, Query(description="Only events from this moment on, ISO 8601; UTC unless it says otherwise.")]
EventStepQuery = Annotated[str | None, Query(max_length=1000, description="Only events of this step.")]


@router.get("/{run_id}/events", summary="List the events of a run", responses=returns(event_reads.EventListView, 404, 422, 503))
def list_events(  # noqa: PLR0913, PLR0917 - each is a parameter of the query
    run_id: RunIdPath,
    web: Services,
    after_seq: AfterQuery = 0,
    level: LevelQuery = None,
    type: TypesQuery = None,
    step: EventStepQuery = None,
    text: MessageQuery = None,
    since: SinceQuery = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Response:
    """Events in the order of their numbers."""
    wanted = event_filter(level, type, step, text, since)

    def read(conn: Connection) -> event_reads.EventListView:
        require_run(conn, run_id)
        return event_reads.list_events(conn, run_id, wanted, after_seq=after_seq, limit=limit, cursor=cursor)

    return answer(web.read(read))


@router.get(
    "/{run_id}/events/numbers", summary="Number the events of a run", responses=returns(event_reads.EventNumbersView, 404, 422, 503)
)
def number_events(
    run_id: RunIdPath,
    web: Services,
    after_seq: AfterQuery = 0,
    level: LevelQuery = None,
    type: TypesQuery = None,
    step: EventStepQuery = None,
    text: MessageQuery = None,
    since: SinceQuery = None,
) -> Response:
    """Which events a filter finds, as ranges of their numbers: a list then fetches only the pages that are looked at, by `after_seq`."""
    wanted = event_filter(level, type, step, text, since)

    def read(conn: Connection) -> event_reads.EventNumbersView:
        _, last_seq = require_run(conn, run_id)
        return event_reads.number_events(conn, run_id, wanted, after_seq=after_seq, last_seq=last_seq)

    return answer(web.read(read))


def event_filter(
    level: str | None, types: list[str] | None, step: str | None, text: str | None, since: datetime | None = None
) -> event_reads.EventFilter:
    """A filter as an address gives it.

    Raises:
        InvalidRequestError: there is no such level, or no such type.
    """
    return event_reads.EventFilter(
        min_level=parse_level(level or None),
        types=parse_types([each for each in types or () if each]),
        step_key=step or None,
        text=text or None,
        since=aware(since),
    )


def parse_level(text: str | None) -> LogLevel:
    """A level by its name.

    Raises:
        InvalidRequestError: there is no such level.
    """
    if text is None:
        return LogLevel.DEBUG
    try:
        return LogLevel[text.upper()]
    except KeyError:
        known = ", ".join(level.name for level in LogLevel)
        problem = Problem(
            path="level", message=f"{text!r} is not a level; the levels are {known}", value=text, expected=known,
            suggestion=nearest(text.upper(), [level.name for level in LogLevel]),
        )  # fmt: skip
        raise InvalidRequestError("The filter is not valid", problems=[problem]) from None


def parse_types(given: list[str] | None) -> tuple[str, ...]:
    """Event types by their names.

    Raises:
        InvalidRequestError: there is no such type.
    """
    wrong = [(number, name) for number, name in enumerate(given or ()) if name not in event_reads.KNOWN_TYPES]
    if wrong:
        found = []
        for number, name in wrong:
            close = nearest(name.upper(), event_reads.KNOWN_TYPES)
            message = f"there is no event type {name!r}" + (f"; did you mean {close!r}?" if close else "")
            found.append(Problem(path=f"type[{number}]", message=message, value=name, suggestion=close))
        raise InvalidRequestError("The filter is not valid", problems=found)
    return tuple(given or ())


def require_run(conn: Connection, run_id: str) -> tuple[RunStatus, int]:
    """Status and newest event of a run.

    Raises:
        NotFoundError: there is no such run.
    """
    state = run_reads.run_state(conn, run_id) if run_reads.is_run_id(run_id) else None
    if state is None:
        raise NotFoundError("run", run_id)
    return state


StepQuery = Annotated[str | None, Query(max_length=1000, description="Step key.")]
StreamQuery = Annotated[LogStream, Query(description="stdout or stderr.")]
AttemptQuery = Annotated[
    int | None, Query(ge=1, lt=2**31, description="Number of the attempt; all of them, one after the other, when left out.")
]
OffsetQuery = Annotated[int, Query(ge=0, lt=2**62, description="Byte to start at: `next_offset` of the piece before.")]


@router.get(
    "/{run_id}/logs",
    summary="Read captured output",
    responses=returns(event_reads.LogView | event_reads.LogListView, 404, 422, 503),
)
def read_logs(
    run_id: RunIdPath,
    web: Services,
    step: StepQuery = None,
    stream: StreamQuery = LogStream.STDOUT,
    attempt: AttemptQuery = None,
    offset: OffsetQuery = 0,
    limit: Annotated[int, Query(ge=1, le=4 * 1024 * 1024, description="Most bytes of one answer.")] = 256 * 1024,
) -> Response:
    """A piece of what a step wrote; without `step`, the list of what was captured."""

    def read(conn: Connection) -> Any:
        require_run(conn, run_id)
        if step is None:
            return event_reads.LogListView(items=event_reads.list_logs(conn, run_id), next_cursor=None)
        return event_reads.read_log(conn, run_id, step, attempt, stream, offset=offset, limit=limit)

    return answer(web.read(read))


@router.get(
    "/{run_id}/logs/raw",
    summary="Download captured output",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "The bytes as the step wrote them."}, **problems(404, 422, 503)},
)
def download_log(
    run_id: RunIdPath,
    web: Services,
    step: Annotated[str, Query(max_length=1000, description="Step key.")],
    stream: StreamQuery = LogStream.STDOUT,
    attempt: AttemptQuery = None,
) -> Response:
    """All that a step wrote to one stream, as a file."""
    web.read(lambda conn: require_run(conn, run_id))

    def piece(offset: int) -> bytes:
        return web.read(lambda conn: event_reads.read_log_bytes(conn, run_id, step, attempt, stream, offset=offset, limit=_DOWNLOAD_CHUNK))[
            0
        ]

    def pieces() -> Iterator[bytes]:
        offset = 0
        while data := piece(offset):
            yield data
            offset += len(data)

    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in step)
    headers = {"Content-Disposition": f'attachment; filename="{run_id[:8]}-{safe}-{stream}.txt"'}
    return StreamingResponse(pieces(), headers=headers, media_type="text/plain; charset=utf-8")


@router.post("/{run_id}/cancel", status_code=202, summary="Cancel a run", responses=returns(CancelAnswer, 404, 409, 503, status=202))
def cancel(run_id: RunIdPath, web: Launcher, body: CancelBody | None = None) -> Response:
    """Ask a run to stop. One that waits is canceled at once; one that runs is stopped by its code server, with a grace time.

    With `force` it is marked as canceled now, whatever has become of its worker.
    """

    force = body is not None and body.force
    run = web.write(lambda conn: run_control.cancel(conn, web, run_id, force=force))
    return Response(
        json.dumps({"run_id": run.run_id, "status": run.status}).encode(), 202, headers=location_of(f"runs/{run_id}"), media_type=JSON
    )


@router.post(
    "/{run_id}/re-execute", status_code=201, summary="Run a run again", responses=returns(Launched, 404, 409, 422, 503, status=201)
)
def reexecute(
    run_id: RunIdPath, request: Request, web: Launcher, body: ReexecuteBody | None = None, key: IdempotencyKey = None, client: Client = None
) -> Response:
    """A new run that does the work of an ended one again, with the definitions of now."""
    asked = body or ReexecuteBody()

    def make(conn: Connection, defs: Definitions) -> NewRun:
        return run_control.again(conn, web, defs, run_id, asked, trigger_of(client))

    return enqueue_once(web, request, key, asked.model_dump_json(), make)


@router.delete("/{run_id}", status_code=204, summary="Delete a run", responses={204: {"description": "Gone."}, **problems(404, 409, 503)})
def delete(run_id: RunIdPath, web: Editor) -> Response:
    """Delete an ended run with its steps, events and output. What asset partitions hold now stays on record."""

    web.write(lambda conn: run_control.delete(conn, web, run_id))
    return Response(status_code=204)
