"""The pages of assets: the catalog, the lineage graph, and one asset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from dagwright_shared.model import run_config
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_webserver import drawings, launch_forms, lineage, render
from dagwright_webserver.deps import Services, Web, utc_now
from dagwright_webserver.reads import assets as asset_reads
from dagwright_webserver.reads import check_history, code_references, materializations
from dagwright_webserver.reads import lineage as lineage_reads
from dagwright_webserver.reads.asset_states import AssetStatus
from dagwright_webserver.reads.assets import AssetFilter, AssetListView, AssetView
from dagwright_webserver.reads.columns import read_columns
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.evaluations import list_evaluations
from dagwright_webserver.reads.lineage import Drawing
from dagwright_webserver.reads.materializations import HistoryType, PlotView
from dagwright_webserver.routes.assets import find_id, heat_of, parse_key
from dagwright_webserver.routes.saved_views import views_of

T = TypeVar("T")
html = APIRouter(include_in_schema=False)

Word = Annotated[str | None, Query(max_length=4000)]


@html.get("/assets")
def assets(  # noqa: PLR0913, PLR0917 - one argument for each filter of the address
    request: Request,
    web: Services,
    text: Word = None,
    group: Word = None,
    kind: Word = None,
    status: Word = None,
    location: Word = None,
    owner: Word = None,
    tag: Word = None,
    selection: Word = None,
    prefix: Word = None,
    stale: Word = None,
    cursor: Word = None,
) -> Response:
    state = AssetStatus(status) if status in list(AssetStatus) else None
    wanted = AssetFilter(
        text=text or None,
        group=group or None,
        kind=kind or None,
        owner=owner or None,
        tag=tag or None,
        status=state,
        location=location or None,
        prefix=prefix or None,
        stale={"true": True, "false": False}.get(stale or ""),
    )

    def read(conn: Connection, defs: Definitions) -> dict[str, Any]:
        def listed(chosen: str | None) -> AssetListView:
            return asset_reads.list_assets(conn, defs, web.stale, replace(wanted, selection=chosen), now=utc_now(), cursor=cursor or None)

        view, problem = _selected(listed, selection or None)
        return {"view": view, "problem": problem, "saved": views_of(conn, web.access.identity.user_id, "assets")}

    return render.page(request, "assets.html", filtered=bool(selection) or wanted != AssetFilter(), **web.read_defs(read))


@html.get("/lineage")
def lineage_page(
    request: Request,
    web: Services,
    group: Word = None,
    asset: Word = None,
    selection: Word = None,
    by: Word = None,
    depth: Annotated[int, Query(ge=1, le=100)] = 2,
) -> Response:
    def read(conn: Connection, defs: Definitions) -> tuple[Drawing, Problem | None]:
        around = parse_key(asset, defs) if asset else None
        if around is not None and around not in defs.graph:
            defs.asset(around)
        return _selected(
            lambda chosen: lineage_reads.read_drawing(conn, defs, around=around, depth=depth, group=group or None, selection=chosen),
            selection or None,
        )

    view, problem = web.read_defs(read)
    by = by if by in ("none", "group", "location") else "group" if len(view.statuses) >= lineage.GROUPED_FROM else "none"
    return render.page(
        request,
        "lineage.html",
        view=view,
        graph=lineage.asset_map(view, focus=asset),
        by=by,
        problem=problem,
        depth=depth,
        nodes=list(zip(view.plan.placed[:300], view.statuses[:300], strict=True)),
        upstream=lineage.upstream_of(view.plan),
    )


def _selected(read: Callable[[str | None], T], selection: str | None) -> tuple[T, Problem | None]:
    """What is read with a selection; where it is mistyped, all without it, and what is wrong, to be told beside the box."""
    try:
        return read(selection), None
    except InvalidRequestError as error:
        problem = next((each for each in error.problems if each.path == "selection"), None)
        if problem is None:
            raise
        return read(None), problem


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Which part of the page is looked at."""

    tab: str
    partition: str | None
    location: str | None
    cursor: str | None
    over_time: bool
    """Whether plots are over time although there are partitions."""
    type: HistoryType | None
    """Of the history, what happened in this way only."""
    depth: int
    """How far the lineage of columns is followed."""
    ends: tuple[str | None, str | None]
    """Of the heat map."""


@html.get("/assets/{key:path}")
def asset(  # noqa: PLR0913, PLR0917 - one argument for each part of the address
    request: Request,
    web: Services,
    key: str,
    tab: Word = None,
    partition: Word = None,
    location: Word = None,
    first: Word = None,
    last: Word = None,
    cursor: Word = None,
    type: Word = None,
    over: Word = None,
    depth: Annotated[int, Query(ge=0, le=20)] = 2,
) -> Response:
    part = _Part(
        tab=tab or "overview",
        partition=partition or None,
        location=location or None,
        cursor=cursor or None,
        over_time=over == "time",
        type=HistoryType(type) if type in list(HistoryType) else None,
        depth=depth,
        ends=(first or None, last or None),
    )
    return render.page(request, "asset.html", **web.read_defs(lambda conn, defs: _asset_page(conn, defs, web, key, part)))


def _asset_page(conn: Connection, defs: Definitions, web: Web, text: str, part: _Part) -> dict[str, Any]:
    view = asset_reads.get_asset(conn, defs, web.partitions, parse_key(text, defs), now=utc_now(), location=part.location)
    tabs = _tabs(view)
    chosen = part.tab if part.tab in [each[0] for each in tabs] else "overview"
    parts = view.key.split("/")
    return {
        "view": view,
        "tab": chosen,
        "tabs": tabs,
        "partition": part.partition,
        "automated": view.automated,
        "strip": drawings.strip(view.partitions) if view.partitions else (),
        "graph": lineage.neighbours(view.key, view.summary.status, view.upstream, view.downstream),
        "prefixes": [(name, "/".join(parts[: n + 1])) for n, name in enumerate(parts[:-1])],
        "plot_data": plot_data,
        "shown_metadata": {label: value for label, value in view.metadata.items() if label not in code_references.LABELS},
        **_of_tab(conn, defs, web, view, chosen, part),
        **_forms(defs, view),
    }


def _of_tab(conn: Connection, defs: Definitions, web: Web, view: AssetView, tab: str, part: _Part) -> dict[str, Any]:
    """What only some parts of the page show."""
    key = AssetKey.from_user_string(view.key)
    asset_id = find_id(conn, defs, view.key, view.location)
    history, more = view.history, None
    if tab == "history" or part.partition:
        types = (part.type,) if part.type else tuple(HistoryType)
        listed = materializations.list_materializations(conn, asset_id, types=types, partition=part.partition, cursor=part.cursor)
        history, more = listed.items, listed.next_cursor
    checked = {
        each.name: check_history.list_evaluations(conn, asset_id, each.name, limit=60) for each in view.checks[:50] if tab == "checks"
    }
    return {
        "history": history,
        "history_cursor": more,
        "plots": materializations.read_plots(conn, asset_id, partitioned=False) if tab == "plots" and part.over_time else view.plots,
        "over_time": part.over_time,
        "history_type": part.type,
        "evaluations": list_evaluations(conn, key, limit=20, cursor=part.cursor) if tab == "automation" else None,
        "columns": read_columns(conn, defs, key, location=view.location, depth=part.depth) if tab == "columns" else None,
        "depth": part.depth,
        "column_graph": lineage.column_graph,
        "heat": heat_of(conn, defs, web, key, view.location, part.ends) if tab == "partitions" else None,
        "check_results": {name: found.items[::-1] for name, found in checked.items()},
        "check_plots": {name: check_history.plots(found) for name, found in checked.items()},
    }


def _forms(defs: Definitions, view: AssetView) -> dict[str, Any]:
    """What the dialogs need."""
    if not view.defined:
        return {"launch": None, "backfill": None, "curl_body": ""}
    body: dict[str, Any] = {"assets": [view.key, *([] if view.can_subset else view.step_siblings)]}
    checks = tuple(check.key for at, check in defs.checks.get(AssetKey.from_user_string(view.key), ()) if at == view.location)
    together = [AssetKey.from_user_string(each) for each in body["assets"]]
    schema = run_config.schema_for(defs.locations[LocationName(view.location)], together, checks)
    partitions = (view.partitions.newest, view.partitions.total, view.partitions.axes) if view.partitions else ((), 0, ())
    launch = launch_forms.launch(f"Materialize {view.key}", body, schema, {}, partitions)
    return {
        "launch": launch,
        "backfill": launch_forms.backfill(f"Backfill {view.key}", body, launch),
        "curl_body": launch_forms.curl_body(body, launch),
    }


def _has_columns(view: AssetView) -> bool:
    """Whether its metadata tells of columns."""
    if not view.defined:
        return False
    attached = [*view.metadata.values(), *(view.latest.metadata.values() if view.latest else ())]
    return any(value.get("type") in ("table_schema", "table_column_lineage") for value in attached)


def _tabs(view: AssetView) -> list[tuple[str, str, int | None]]:
    tabs: list[tuple[str, str, int | None]] = [("overview", "Overview", None)]
    if view.partitions:
        tabs.append(("partitions", "Partitions", view.partitions.total))
    if _has_columns(view):
        tabs.append(("columns", "Columns", None))
    if view.automated:
        tabs.append(("automation", "Automation", None))
    return [*tabs, ("plots", "Plots", len(view.plots)), ("checks", "Checks", len(view.checks)), ("history", "History", None)]


def plot_data(plot: PlotView) -> dict[str, Any]:
    """A plot as the chart script takes it."""
    return {
        "label": plot.label,
        "over": plot.over,
        "values": [point.value for point in plot.points],
        "times": [point.time.timestamp() for point in plot.points],
        "partitions": [point.partition for point in plot.points],
    }
