"""The page of runs: filters, saved views, and what is done with many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from dagwright_shared.model.keys import RunId
from dagwright_shared.model.runs import RunStatus
from dagwright_webserver import drawings, looks, render, run_filters, zones
from dagwright_webserver.deps import Services
from dagwright_webserver.reads import run_list
from dagwright_webserver.reads import waiting as waiting_reads
from dagwright_webserver.reads.backfills import BackfillSummary
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.run_list import RunFilter, RunSummary
from dagwright_webserver.routes.saved_views import views_of

html = APIRouter(include_in_schema=False)

_WORDS = {
    "job": "Job", "asset": "Asset", "tag": "Tag", "trigger": "Asked for by", "trigger_name": "Name", "location": "Location",
    "partition": "Partition", "backfill": "Backfill", "created_after": "Created after", "created_before": "Created before",
    "ended_after": "Ended after", "ended_before": "Ended before", "text": "Text",
}  # fmt: skip
_RARE = ("trigger_name", "partition", *run_filters.MOMENTS)
"""Filters that stand in the menu."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A filter of the address, and the address without it."""

    label: str
    value: str
    without: str


@html.get("/runs")
def runs(
    request: Request,
    web: Services,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
    each: Annotated[str | None, Query(max_length=10)] = None,
) -> Response:
    wanted = run_filters.of_page(request.query_params)
    # Who asks for the runs of a backfill, or for what only single runs have, is shown single runs.
    grouped = not each and wanted.fits_backfills

    def read(conn: Connection, defs: Definitions) -> dict[str, Any]:
        view = run_list.list_runs(conn, wanted, limit=50, cursor=cursor or None, grouped=grouped)
        counts = run_list.count_by_status(conn, replace(wanted, statuses=(), outside_backfills=grouped))
        return {
            "view": view,
            "rows": run_list.in_order(view),
            "step_errors": run_list.step_errors(conn, failed(view.items)),
            "waits": waiting_reads.sentences(conn, defs, _queued(view.items), web.settings.limits),
            "progress": drawings.progress,
            "counts": counts,
            "more": sum(counts.values()) >= run_list.COUNTED,
            "jobs": list(defs.jobs),
            "locations": list(defs.locations),
            "assets": [key.to_user_string() for key in list(defs.assets)[:2000]],
            "saved": views_of(conn, web.access.identity.user_id, "runs"),
        }

    applied = tuple(_applied(request, wanted))
    return render.page(
        request,
        "runs.html",
        wanted=wanted,
        grouped=grouped,
        statuses=[str(status) for status in wanted.statuses],
        applied=applied,
        rare=sum(bool(request.query_params.get(name)) for name in _RARE),
        filtered=wanted != RunFilter(),
        filter_body=_body(wanted, grouped=grouped),
        json_query=_json_query(request, wanted, grouped=grouped),
        **web.read_defs(read),
    )


def failed(items: Sequence[RunSummary]) -> list[str]:
    """Those of some runs that failed."""
    return [run.run_id for run in items if run.status is RunStatus.FAILURE]


def _queued(items: Sequence[RunSummary | BackfillSummary]) -> list[RunId]:
    return [RunId(run.run_id) for run in items if isinstance(run, RunSummary) and run.status is RunStatus.QUEUED]


def _applied(request: Request, wanted: RunFilter) -> Iterator[Applied]:
    for name, value in request.query_params.multi_items():
        if value and name in _WORDS:
            moment = getattr(wanted, name) if name in run_filters.MOMENTS else None
            shown = f"{zones.here(moment):%Y-%m-%d %H:%M}" if moment else looks.TRIGGERS.get(value, value) if name == "trigger" else value
            yield Applied(_WORDS[name], shown, render.toggled(request, name, value))


def _body(wanted: RunFilter, *, grouped: bool) -> dict[str, Any]:
    """The same filter as `POST /api/v1/runs/bulk` takes it."""
    body = {
        "status": [str(status) for status in wanted.statuses],
        "job": wanted.job,
        "asset": wanted.asset,
        "location": wanted.location,
        "partition": wanted.partition,
        "trigger": wanted.trigger,
        "trigger_name": wanted.trigger_name,
        "tag": [f"{key}={value}" for key, value in wanted.tags.items()],
        "backfill": wanted.backfill_id,
        "created_after": wanted.created_after and wanted.created_after.isoformat(),
        "created_before": wanted.created_before and wanted.created_before.isoformat(),
        "ended_after": wanted.ended_after and wanted.ended_after.isoformat(),
        "ended_before": wanted.ended_before and wanted.ended_before.isoformat(),
        "text": wanted.text,
        "outside_backfills": grouped,
    }
    return {name: value for name, value in body.items() if value}


def _json_query(request: Request, wanted: RunFilter, *, grouped: bool) -> str:
    # Programs are told moments with their offset: they have no zone of their own.
    moments = {name: moment.isoformat() for name in run_filters.MOMENTS if (moment := getattr(wanted, name))}
    given = [(key, value) for key, value in request.query_params.multi_items() if value and key not in ("each", "_part")]
    params = [(key, moments.get(key, value)) for key, value in given]
    return urlencode([*params, *([("grouped", "true")] if grouped else [])])
