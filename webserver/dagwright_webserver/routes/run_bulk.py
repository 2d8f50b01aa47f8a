"""Many runs at once: cancel, run again, delete."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field
from sqlalchemy import Connection

from dagwright_shared.model.access import Role
from dagwright_shared.model.errors import (
    ConflictError,
    DagwrightError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    Problem,
)
from dagwright_shared.model.runs import FINAL, RetryStrategy, RunStatus, Trigger
from dagwright_webserver import run_control
from dagwright_webserver.deps import Launcher, Web, answer
from dagwright_webserver.errors import tell_of_refusal
from dagwright_webserver.once import once
from dagwright_webserver.reads import run_list
from dagwright_webserver.reads.view import view
from dagwright_webserver.routes.runs import Client, IdempotencyKey, trigger_of
from dagwright_webserver.run_filters import RunFilterBody
from dagwright_webserver.schemas import API, Body, ReexecuteBody, returns

router = APIRouter(prefix=f"{API}/runs", tags=["runs"])

_CANCELABLE = frozenset({RunStatus.QUEUED, RunStatus.STARTING, RunStatus.STARTED})
_PROBLEMS = {NotFoundError: "not-found", ConflictError: "conflict", ForbiddenError: "forbidden", InvalidRequestError: "invalid-request"}


class BulkBody(Body):
    """What to do, and with which runs: those that are named, or those that a filter finds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"action": "cancel", "filter": {"job": "flights_of_a_day", "status": ["QUEUED"]}},
                {"action": "re-execute", "run_ids": ["019a0c2e-7b1c-7000-8000-3f2a9d1c4b5e"], "strategy": "FROM_FAILURE"},
            ]
        }
    )

    action: Literal["cancel", "re-execute", "delete"]
    """`delete` takes the role of an editor."""
    run_ids: list[Annotated[str, Field(max_length=100)]] | None = Field(default=None, min_length=1, max_length=1000)
    """Ids of runs."""
    filter: RunFilterBody | None = None
    """In place of ids: the newest runs that fit it and with which this can be done at all."""
    limit: int = Field(default=200, ge=1, le=1000)
    """With `filter`: at most so many in one request; `next_cursor` of the answer leads to the others."""
    cursor: str | None = Field(default=None, max_length=2000)
    """With `filter`: `next_cursor` of the answer before."""
    strategy: RetryStrategy = RetryStrategy.FROM_FAILURE
    """Of `re-execute`: FROM_FAILURE keeps what succeeded; ALL_STEPS starts over."""
    force: bool = False
    """Of `cancel`: mark as canceled now, without waiting for workers."""


@view
class BulkItem:
    """What became of one run."""

    run_id: str
    """UUID."""
    ok: bool
    """Whether it was done."""
    status: RunStatus | None
    """Where the run is now; null where it is gone, or where nothing was done."""
    new_run_id: str | None
    """The run that repeats it."""
    problem: str | None
    """Why it was not done: a URN, as the `type` of a problem document."""
    message: str | None
    """The same in words."""


@view
class BulkView:
    """What became of each run."""

    action: str
    """cancel, re-execute or delete."""
    items: tuple[BulkItem, ...]
    """In the order asked for, or newest first."""
    succeeded: int
    """For how many it was done."""
    failed: int
    """For how many it was not."""
    next_cursor: str | None
    """Give this as `cursor` to go on; null when all that fit have been looked at."""


@router.post("/bulk", summary="Do the same with many runs", responses=returns(BulkView, 422, 503))
def bulk(body: BulkBody, request: Request, web: Launcher, key: IdempotencyKey = None, client: Client = None) -> Response:
    """Cancel, run again or delete. Each run is a change of its own, and what cannot be done with one keeps it from no other.

    With an `Idempotency-Key` each run gets its answer once, also when the request is sent again after it broke off.
    """
    if body.action == "delete":
        web.access.needed = Role.EDITOR
    run_ids, more = _named(body)
    if body.filter is not None:
        wanted = _doable(body, body.filter.wanted())
        if wanted is not None:
            page = web.read(lambda conn: run_list.list_runs(conn, wanted, limit=body.limit, cursor=body.cursor))
            run_ids, more = tuple(run.run_id for run in page.items), page.next_cursor
    trigger = trigger_of(client)
    items = tuple(_one(web, request, body, run_id, key, trigger) for run_id in dict.fromkeys(run_ids))
    done = sum(item.ok for item in items)
    return answer(BulkView(action=body.action, items=items, succeeded=done, failed=len(items) - done, next_cursor=more))


def _named(body: BulkBody) -> tuple[tuple[str, ...], str | None]:
    if (body.run_ids is None) == (body.filter is None):
        problem = Problem(path="run_ids", message="say which runs: their `run_ids`, or a `filter`", expected="one of the two")
        raise InvalidRequestError("The request is not valid", problems=[problem])
    return tuple(body.run_ids or ()), None


def _doable(body: BulkBody, wanted: run_list.RunFilter) -> run_list.RunFilter | None:
    """The filter without runs with which this can never be done; None: there are no others."""
    able = _CANCELABLE | {RunStatus.CANCELING} if body.force else _CANCELABLE
    if body.action != "cancel":
        able = FINAL
        if body.action == "re-execute" and body.strategy is RetryStrategy.FROM_FAILURE:
            able = FINAL - {RunStatus.SUCCESS}
    statuses = [status for status in RunStatus if status in able and (not wanted.statuses or status in wanted.statuses)]
    return replace(wanted, statuses=tuple(statuses)) if statuses else None


def _one(web: Web, request: Request, body: BulkBody, run_id: str, key: str | None, trigger: Trigger) -> BulkItem:
    # What the audit log is told of one run is not told of the next.
    web = replace(web, access=replace(web.access, target=run_id))
    request.state.access = web.access

    def change(conn: Connection) -> Mapping[str, Any]:
        match body.action:
            case "cancel":
                return {"status": run_control.cancel(conn, web, run_id, force=body.force).status}
            case "delete":
                run_control.delete(conn, web, run_id)
                return {}
            case "re-execute":
                defs = web.definitions.current(conn)
                made = run_control.again(conn, web, defs, run_id, ReexecuteBody(strategy=body.strategy), trigger)
                run_control.enqueue(conn, web, made)
                return {"new_run_id": made.run_id}

    own_key = None if key is None else hashlib.sha256(f"{key}/{run_id}".encode()).hexdigest()
    asked = f"{body.action} {body.strategy} {body.force} {run_id}"
    try:
        _, reply = once(web, request, own_key, asked, change)
    except (NotFoundError, ConflictError, ForbiddenError, InvalidRequestError) as error:
        if isinstance(error, ForbiddenError):
            tell_of_refusal(request)
        return _item(run_id, problem=f"urn:dagwright:problem:{_kind(error)}", message=error.message)
    return _item(run_id, status=reply.get("status"), new_run_id=reply.get("new_run_id"))


def _kind(error: DagwrightError) -> str:
    return next(kind for cause, kind in _PROBLEMS.items() if isinstance(error, cause))


def _item(
    run_id: str, *, status: str | None = None, new_run_id: str | None = None, problem: str | None = None, message: str | None = None
) -> BulkItem:
    return BulkItem(
        run_id=run_id,
        ok=problem is None,
        status=RunStatus(status) if status else None,
        new_run_id=new_run_id,
        problem=problem,
        message=message,
    )
