"""Server-Sent Events: a run as it goes, and what changes in lists."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeAlias

import sqlalchemy.exc
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from dagwright_shared.model.errors import InvalidRequestError, Problem, nearest
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.runtime.settings import Auth
from dagwright_webserver import errors, metrics
from dagwright_webserver.deps import Services, Web, to_json
from dagwright_webserver.live import TOPICS, Subscription
from dagwright_webserver.reads import events as event_reads
from dagwright_webserver.reads import progress
from dagwright_webserver.reads import runs as run_reads
from dagwright_webserver.routes.runs import RunIdPath, require_run
from dagwright_webserver.schemas import API, problems

router = APIRouter(prefix=API, tags=["streams"])

_KEEP_ALIVE_SECONDS = 15.0
# Notifications are hints: a run that is watched is also looked at this often.
_POLL_SECONDS = 2.0
_AGAIN_SECONDS = 300.0
_PAGE = 500
_BRIEF_GAP_SECONDS = 0.05
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_STREAM_DOC: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "Server-Sent Events."}}


@router.get(
    "/runs/{run_id}/stream",
    summary="Follow a run",
    response_class=StreamingResponse,
    responses={**_STREAM_DOC, 204: {"description": "All has been told; do not reconnect."}, **problems(404, 422, 503)},
)
async def stream_run(
    run_id: RunIdPath,
    web: Services,
    after_seq: Annotated[int, Query(ge=0, lt=2**62, description="Only events with a higher number.")] = 0,
    brief: Annotated[bool, Query(description="Tell how far the run is, in place of its events.")] = False,  # noqa: FBT002 - of the query
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", description="Number of the last event that was received.")] = None,
) -> Response:
    """Each event of the run as `event: event` with its number as id, and `event: run` whenever its status or steps change.

    Reconnecting with `Last-Event-ID` goes on after that event: nothing is lost or told twice. `event: end` is the last one.
    With `brief`, `event: progress` tells status, newest event and steps by status, at most 20 times a second.
    """
    if last_event_id:
        after_seq = max(after_seq, _seq(last_event_id))
    status, last_seq = await run_in_threadpool(lambda: web.read(lambda conn: require_run(conn, run_id)))
    if last_event_id and status.is_final and after_seq >= last_seq:
        return Response(status_code=204)
    told = _follow_briefly(web, run_id) if brief else _follow(web, run_id, after_seq)
    return StreamingResponse(told, headers=_HEADERS, media_type="text/event-stream")


async def _follow(web: Web, run_id: str, after_seq: int) -> AsyncIterator[bytes]:
    with metrics.STREAMS.track_inprogress(), web.live.subscribe(frozenset({f"runs:{run_id}"})) as subscription:
        yield b"retry: 1000\n\n"
        sent = after_seq
        told: Steps | None = None
        quiet_since = time.monotonic()
        ends = _ends(web)
        while not subscription.closed and time.monotonic() < ends:
            look = await web.shared.read((run_id, web.access.scope, sent, told), partial(_look, web, run_id, sent, told))
            for seq, data in look.events:
                yield _message("event", data, seq)
                sent = seq
            if look.run is not None:
                yield _message("run", look.run)
                told = look.steps
            if look.events or look.run is not None:
                quiet_since = time.monotonic()
            if len(look.events) == _PAGE:
                continue
            if look.state is not None and look.state[0].is_final and sent >= look.state[1]:
                yield _message("end", json.dumps({"run_id": run_id, "status": look.state[0]}).encode())
                return
            if time.monotonic() - quiet_since > _KEEP_ALIVE_SECONDS:
                quiet_since = time.monotonic()
                yield b": still here\n\n"
            await subscription.wait(_POLL_SECONDS)


async def _follow_briefly(web: Web, run_id: str) -> AsyncIterator[bytes]:
    """How far a run is. What it costs does not depend on how many events it writes."""
    with metrics.STREAMS.track_inprogress(), web.live.subscribe(frozenset({f"runs:{run_id}"})) as subscription:
        yield b"retry: 1000\n\n"
        told: progress.RunProgress | None = None
        quiet_since = time.monotonic()
        ends = _ends(web)
        while not subscription.closed and time.monotonic() < ends:
            found = await web.shared.read((run_id, web.access.scope), partial(_progress, web, run_id))
            if found is not None and found != told:
                yield _message("progress", to_json(found), found.last_seq)
                told, quiet_since = found, time.monotonic()
                if found.status.is_final:
                    yield _message("end", json.dumps({"run_id": run_id, "status": found.status}).encode())
                    return
                await asyncio.sleep(_BRIEF_GAP_SECONDS)
            elif time.monotonic() - quiet_since > _KEEP_ALIVE_SECONDS:
                quiet_since = time.monotonic()
                yield b": still here\n\n"
            await subscription.wait(_POLL_SECONDS)


def _progress(web: Web, run_id: str) -> progress.RunProgress | None:
    """None while the database is away."""
    try:
        return web.read(lambda conn: progress.read_progress(conn, run_id))
    except sqlalchemy.exc.SQLAlchemyError as error:
        if not errors.is_away(error):
            raise
        return None


Steps: TypeAlias = tuple[RunStatus, tuple[tuple[str, int], ...], int]
"""What the page of a run shows of its steps changes with these: status, steps by status, attempts."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a run that is followed."""

    state: tuple[RunStatus, int] | None = None
    """Status and number of the newest event; None while the database is away."""
    events: Sequence[tuple[int, bytes]] = ()
    """Those after the last one sent, in order."""
    steps: Steps | None = None
    run: bytes | None = None
    """The run, when its status or steps are news. However much it says, it is not told anew with each line."""


def _look(web: Web, run_id: str, sent: int, told: Steps | None) -> Look:
    def read(conn: Connection) -> Look:
        # The state first: events committed after it was read are seen in the next round, never missed.
        found = progress.read_progress(conn, run_id)
        steps = (found.status, tuple(found.step_counts.items()), found.attempts)
        events = event_reads.list_events(conn, run_id, after_seq=sent, limit=_PAGE).items if found.last_seq > sent else ()
        run = to_json(run_reads.get_run(conn, run_id)) if steps != told else None
        return Look((found.status, found.last_seq), [(event.seq, to_json(event)) for event in events], steps, run)

    try:
        return web.read(read)
    except sqlalchemy.exc.SQLAlchemyError as error:
        if not errors.is_away(error):
            raise
        return Look()


@router.get("/stream", summary="Follow what changes", response_class=StreamingResponse, responses={**_STREAM_DOC, **problems(422, 503)})
async def stream_changes(
    web: Services,
    topics: Annotated[str, Query(max_length=500, description=f"Comma-separated: {', '.join(TOPICS)}.")] = "runs",
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", description="Id of the last event that was received.")] = None,
) -> Response:
    """`event: change` with `{"topic", "ids"}` whenever something of a topic changed; `ids` is empty when it may be anything.

    Changes within 30 ms are told as one. Reconnecting with `Last-Event-ID` begins with a change of each topic that may be anything,
    so that nothing is missed: whoever follows reads its lists anew.
    """
    wanted = frozenset(part.strip() for part in topics.split(",") if part.strip())
    unknown = sorted(wanted - set(TOPICS))
    if unknown or not wanted:
        name = unknown[0] if unknown else ""
        message = f"{name!r} is not a topic; the topics are {', '.join(TOPICS)}"
        problem = Problem(path="topics", message=message, value=topics, expected=", ".join(TOPICS), suggestion=nearest(name, TOPICS))
        raise InvalidRequestError("The stream cannot be opened", problems=[problem])
    return StreamingResponse(_changes(web, wanted, again=bool(last_event_id)), headers=_HEADERS, media_type="text/event-stream")


async def _changes(web: Web, topics: frozenset[str], *, again: bool) -> AsyncIterator[bytes]:
    with metrics.STREAMS.track_inprogress(), web.live.subscribe(topics) as subscription:
        yield b"retry: 1000\n\n"
        for topic in sorted(topics) if again else ():
            yield _message("change", json.dumps({"topic": topic, "ids": []}).encode(), time.time_ns())
        async for changed in _waits(subscription, _ends(web)):
            if not changed:
                yield b": still here\n\n"
            for topic, ids in changed.items():
                # Who sees only some locations learns that something changed, and reads what of it is theirs.
                shown = sorted(ids) if web.access.scope.whole else []
                yield _message("change", json.dumps({"topic": topic, "ids": shown}).encode(), time.time_ns())


def _ends(web: Web) -> float:
    """Where there is a log-in, a stream ends after some minutes; the browser asks anew, and who may not see it any more is told so."""
    return time.monotonic() + _AGAIN_SECONDS if web.settings.auth is not Auth.NONE else float("inf")


async def _waits(subscription: Subscription, ends: float) -> AsyncIterator[dict[str, set[str]]]:
    while not subscription.closed and time.monotonic() < ends:
        changed = await subscription.wait(_KEEP_ALIVE_SECONDS)
        if not subscription.closed:
            yield changed
        await asyncio.sleep(0)


def _message(event: str, data: bytes, seq: int | None = None) -> bytes:
    head = f"event: {event}\n" if seq is None else f"id: {seq}\nevent: {event}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def _seq(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    problem = Problem(path="Last-Event-ID", message="it is the number of an event", value=text[:100], expected="a whole number")
    raise InvalidRequestError("The stream cannot be opened", problems=[problem])
