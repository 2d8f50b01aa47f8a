"""Pages of jobs: the list, one job with its graph, and its launchpad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from dagwright_shared.model.keys import AssetKey
from dagwright_webserver import launch_forms, lineage, render
from dagwright_webserver.deps import Services, utc_now
from dagwright_webserver.reads import asset_states, run_list
from dagwright_webserver.reads import jobs as job_reads
from dagwright_webserver.reads import presets as preset_reads
from dagwright_webserver.reads.asset_states import AssetStatus
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.jobs import JobView
from dagwright_webserver.reads.presets import PresetView
from dagwright_webserver.routes import run_list_page

html = APIRouter(include_in_schema=False)

Word = Annotated[str | None, Query(max_length=1000)]


@html.get("/jobs")
def jobs(request: Request, web: Services, text: Word = None, location: Word = None, cursor: Word = None) -> Response:
    view = web.read_defs(
        lambda conn, defs: job_reads.list_jobs(conn, defs, text=text or None, location=location or None, cursor=cursor or None)
    )
    return render.page(request, "jobs.html", view=view)


@html.get("/jobs/{name}")
def job(
    request: Request,
    web: Services,
    name: str,
    location: Word = None,
    expand: Annotated[list[str] | None, Query(max_length=100)] = None,
) -> Response:
    def read(conn: Connection, defs: Definitions) -> tuple[JobView, Mapping[str, AssetStatus], Mapping[str, str]]:
        view = job_reads.get_job(conn, defs, name, now=utc_now(), location=location or None)
        return view, _asset_statuses(conn, defs, view.assets), run_list.step_errors(conn, run_list_page.failed(view.recent_runs))

    view, statuses, step_errors = web.read_defs(read)
    body = _body(view)
    launch = launch_forms.launch(
        f"Launch {view.name}",
        body,
        view.config_schema,
        view.default_config,
        (view.newest_partitions, view.partition_count, view.partition_axes),
    )
    return render.page(
        request,
        "job.html",
        view=view,
        step_errors=step_errors,
        graph=lineage.job_graph(view, statuses, expanded=frozenset(expand or ())),
        expanded=[graph for graph in dict.fromkeys(expand or ()) if graph in lineage.graphs_of(view)],
        launch=launch,
        backfill=launch_forms.backfill(f"Backfill {view.name}", body, launch),
        curl_body=launch_forms.curl_body(body, launch),
    )


@html.get("/jobs/{name}/launchpad")
def launchpad(request: Request, web: Services, name: str, location: Word = None, preset: Word = None, run: Word = None) -> Response:
    def read(conn: Connection, defs: Definitions) -> tuple[JobView, tuple[PresetView, ...]]:
        view = job_reads.get_job(conn, defs, name, now=utc_now(), location=location or None)
        return view, preset_reads.list_presets(conn, defs, name, location=view.location)

    view, presets = web.read_defs(read)
    begin = f"run:{run}" if run else f"preset:{preset}" if preset else None
    data = launch_forms.launchpad(view, _body(view), presets)
    return render.page(request, "launchpad.html", view=view, presets=presets, begin=begin, chosen_run=run, data=data)


def _body(view: JobView) -> dict[str, Any]:
    """The part of a request that names the job."""
    return {"job": view.name, **({"location": view.location} if view.other_locations else {})}


def _asset_statuses(conn: Connection, defs: Definitions, keys: tuple[str, ...]) -> Mapping[str, AssetStatus]:
    if not keys:
        return {}
    wanted = [AssetKey.from_user_string(key) for key in keys]
    states = asset_states.read_states(conn, defs, wanted)
    found = {}
    for key in wanted:
        if key in defs.assets:
            place, asset = defs.asset(key)
            found[key.to_user_string()] = asset_states.status_of(asset, states.get((place, key.to_user_string()), asset_states.UNKNOWN))
    return found
