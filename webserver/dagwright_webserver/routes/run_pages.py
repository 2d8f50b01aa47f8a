"""The page of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_webserver import gantt, render, step_selection
from dagwright_webserver.deps import Services, Web
from dagwright_webserver.gantt import Choice, Gantt, Mode, Order
from dagwright_webserver.reads import deployment as deployment_reads
from dagwright_webserver.reads import events as event_reads
from dagwright_webserver.reads import runs as run_reads
from dagwright_webserver.reads import waiting as waiting_reads
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.events import EventFilter, EventView, LogFile, LogView
from dagwright_webserver.reads.runs import RunView
from dagwright_webserver.reads.waiting import WaitingView
from dagwright_webserver.routes.runs import event_filter, require_run

html = APIRouter(include_in_schema=False)

Word = Annotated[str | None, Query(max_length=1000)]
_EVENTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """What the page of a run shows beside the run."""

    view: RunView
    gantt: Gantt
    choice: Choice
    problem: Problem | None
    """What is wrong with the selection of steps."""
    events: tuple[EventView, ...]
    logs: tuple[LogFile, ...]
    log: LogView | None
    waiting: WaitingView | None
    """Why it waits, where it does."""


@html.get("/runs/{run_id}")
def run(  # noqa: PLR0913, PLR0917 - one argument for each filter of the address
    request: Request,
    web: Services,
    run_id: str,
    level: Word = None,
    type: Word = None,
    step: Word = None,
    text: Word = None,
    log: Word = None,
    before: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
    at: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
    after: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=400)] = 200,
    mode: Mode = Mode.TIME,
    sort: Order = Order.PLAN,
    steps: Word = None,
    row: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    zoom: Annotated[str | None, Query(pattern=r"^\d+(\.\d+)?(e[+-]?\d+)?-\d+(\.\d+)?(e[+-]?\d+)?$", max_length=60)] = None,
) -> Response:
    wanted = event_filter(level, [type] if type else None, step, text)
    if after is not None:  # rows for a page that is open

        def rows(conn: Connection) -> tuple[EventView, ...]:
            require_run(conn, run_id)
            return event_reads.list_events(conn, run_id, wanted, after_seq=after, limit=limit).items

        return render.page(request, "partials/run_events.html", events=web.read(rows))
    if at is not None and before is None:
        before = at + _EVENTS // 2
    asked = _Asked(
        wanted=wanted,
        before=before,
        log=log,
        part=request.query_params.get("_part"),
        chart=_Chart(mode=mode, order=sort, steps=steps or "", window=_window(zoom), first=row),
    )
    shown = web.read_defs(lambda conn, defs: _run_page(conn, defs, web, run_id, asked))
    first = shown.events[0].seq if shown.events else 1
    return render.page(
        request,
        "run.html",
        view=shown.view,
        gantt=shown.gantt,
        choice=shown.choice,
        steps_problem=shown.problem,
        events=shown.events,
        logs=shown.logs,
        logs_of=_by_step(shown.logs),
        log=shown.log,
        log_url=_log_url(run_id, shown.log),
        waiting=shown.waiting,
        wanted=wanted,
        filtered=wanted != EventFilter(),
        event_types=event_reads.KNOWN_TYPES,
        first_seq=first,
        last_seq=shown.events[-1].seq if shown.events else (before or 1) - 1,
        earlier=first > 1 and len(shown.events) == _EVENTS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chart:
    """What the address says of the chart of steps."""

    mode: Mode
    order: Order
    steps: str
    window: tuple[float, float] | None
    first: int

    def choice(self, view: RunView) -> tuple[Choice, Problem | None]:
        """With what is wrong with the selection; all steps are shown then."""
        chosen, problem = None, None
        try:
            chosen = step_selection.select(view.steps, self.steps) if self.steps.strip() and view.steps else None
        except InvalidRequestError as error:
            problem = error.problems[0]
        return Choice(mode=self.mode, order=self.order, steps=chosen, window=self.window, first=self.first), problem


def _window(zoom: str | None) -> tuple[float, float] | None:
    """`1.5-4` as seconds of the run."""
    if not zoom:
        return None
    low, high = (float(part) for part in re.split(r"(?<![e])-", zoom))
    return (low, high) if math.isfinite(high) and low < high else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the address asks for beside the run."""

    wanted: EventFilter
    before: int | None
    log: str | None
    part: str | None
    """The one part of the page that is wanted; None: all of it."""
    chart: _Chart


def _run_page(conn: Connection, defs: Definitions, web: Web, run_id: str, asked: _Asked) -> RunPage:
    view = run_reads.get_run(conn, run_id)
    choice, problem = asked.chart.choice(view)
    whole = asked.part is None  # a run that goes on asks for single parts often: each reads what it shows
    # Without a retry there is nothing that the steps themselves do not say; looking for one among all events takes long.
    retried = (whole or asked.part == "run_gantt") and any(step.attempt > 1 or step.status == "RETRYING" for step in view.steps)
    of_attempts = EventFilter(types=("STEP_STARTED", "STEP_RETRYING"))
    attempts = event_reads.list_events(conn, run_id, of_attempts, limit=2000).items if retried else ()
    logs = tuple(event_reads.list_logs(conn, run_id))
    now = deployment_reads.database_now(conn)
    failed = {step.step_key for step in view.steps if step.status == "FAILURE"}
    waiting = None if view.is_final else waiting_reads.read_waiting(conn, defs, run_id, web.settings.limits)
    return RunPage(
        view=view,
        gantt=gantt.draw(view, attempts, now, choice),
        choice=choice,
        problem=problem,
        events=event_reads.newest_events(conn, run_id, asked.wanted, limit=_EVENTS, before_seq=asked.before) if whole else (),
        logs=logs,
        log=_picked_log(conn, run_id, logs, asked.log, failed) if whole else None,
        waiting=waiting if waiting is not None and waiting.waiting else None,
    )


def _by_step(logs: tuple[LogFile, ...]) -> Mapping[str, list[LogFile]]:
    found: dict[str, list[LogFile]] = {}
    for each in logs:
        found.setdefault(each.step_key, []).append(each)
    return found


def _picked_log(conn: Connection, run_id: str, logs: tuple[LogFile, ...], wanted: str | None, failed: set[str]) -> LogView | None:
    """The stream that the address names, or else that of a step that failed, or the first one that has anything."""
    if not logs:
        return None
    by_name = {f"{each.step_key}:{each.attempt}:{each.stream}": each for each in logs}
    picked = by_name.get(wanted or "") or min(logs, key=lambda each: (each.step_key not in failed, not each.size, each.stream != "stdout"))
    return event_reads.read_log(conn, run_id, picked.step_key, picked.attempt, picked.stream)


def _log_url(run_id: str, log: LogView | None) -> str:
    if log is None:
        return ""
    return f"/api/v1/runs/{run_id}/logs/raw?" + urlencode({"step": log.step_key, "stream": log.stream, "attempt": log.attempt or 1})
