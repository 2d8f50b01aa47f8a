"""Assets: the catalog, one asset, its history and partitions, and materializing it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import Connection, select

from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.runs import NewRun
from dagwright_shared.store import tables
from dagwright_webserver.deps import Launcher, Services, Web, answer, utc_now
from dagwright_webserver.reads import assets as asset_reads
from dagwright_webserver.reads import check_history, evaluations, materializations, recorded
from dagwright_webserver.reads import lineage as lineage_reads
from dagwright_webserver.reads.asset_states import AssetStatus
from dagwright_webserver.reads.assets import AssetFilter, AssetListView, AssetView
from dagwright_webserver.reads.check_history import CheckEvaluationListView
from dagwright_webserver.reads.columns import ColumnsView, read_columns
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.reads.evaluations import ConditionEvaluationListView
from dagwright_webserver.reads.lineage import LineageStatusesView, LineageView
from dagwright_webserver.reads.materializations import HistoryType, MaterializationListView, PlotListView, PlotOver
from dagwright_webserver.reads.partition_heat import PartitionHeatView, read_heat
from dagwright_webserver.reads.partition_status import PartitionsView, partitions_view
from dagwright_webserver.reads.staleness import StaleListView, read_stale
from dagwright_webserver.routes.runs import Client, IdempotencyKey, enqueue_once, prepare, trigger_of
from dagwright_webserver.schemas import API, Cursor, LaunchBody, Launched, Limit, Name, RunOptions, Text, returns

router = APIRouter(prefix=API, tags=["assets"])

Selection = Annotated[
    str | None,
    Query(min_length=1, max_length=4000, description="In the selection language, such as `group:year+ and not kind:duckdb`."),
]
HeatEnd = Annotated[str | None, Query(max_length=4000, description="Key of the first, or the last, partition to show.")]
KeyPath = Annotated[str, Path(description="Key of the asset, its slashes included.", examples=["raw/flights"])]


@router.get("/assets", summary="List assets", responses=returns(AssetListView, 422, 503))
def list_assets(  # noqa: PLR0913, PLR0917 - each is a parameter of the query
    web: Services,
    group: Name = None,
    kind: Name = None,
    owner: Name = None,
    tag: Annotated[str | None, Query(max_length=1000, description="`key`, or `key=value`.")] = None,
    location: Name = None,
    selection: Selection = None,
    prefix: Annotated[str | None, Query(max_length=1000, description="First components of the key.")] = None,
    status: AssetStatus | None = None,
    text: Text = None,
    stale: Annotated[bool | None, Query(description="Only what is stale, or only what is not.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The catalog, by key."""
    wanted = AssetFilter(
        group=group,
        kind=kind,
        owner=owner,
        tag=tag,
        location=location,
        selection=selection,
        prefix=prefix,
        status=status,
        text=text,
        stale=stale,
    )
    return answer(
        web.read_defs(lambda conn, defs: asset_reads.list_assets(conn, defs, web.stale, wanted, now=utc_now(), limit=limit, cursor=cursor))
    )


Around = Annotated[str | None, Query(max_length=1000, description="Only what is near this asset.")]
Depth = Annotated[int, Query(ge=0, le=100, description="How many steps around it.")]


@router.get("/lineage", summary="Get the lineage graph", responses=returns(LineageView, 404, 422, 503))
def get_lineage(web: Services, around: Around = None, depth: Depth = 1, group: Name = None, selection: Selection = None) -> Response:
    """Assets and dependencies between them: all, or a part that is chosen in one way."""

    def read(conn: Connection, defs: Definitions) -> LineageView:
        center = _defined(around, defs)
        return lineage_reads.read_lineage(conn, defs, around=center, depth=depth, group=group, selection=selection)

    return answer(web.read_defs(read))


@router.get("/lineage/statuses", summary="Get the statuses in the lineage graph", responses=returns(LineageStatusesView, 404, 422, 503))
def get_lineage_statuses(
    web: Services, around: Around = None, depth: Depth = 1, group: Name = None, selection: Selection = None
) -> Response:
    """The states of the same assets as in the lineage graph, by which whoever has it keeps it current."""

    def read(conn: Connection, defs: Definitions) -> LineageStatusesView:
        center = _defined(around, defs)
        return lineage_reads.read_statuses(conn, defs, around=center, depth=depth, group=group, selection=selection)

    return answer(web.read_defs(read))


@router.get("/staleness", summary="List what is stale or missing", responses=returns(StaleListView, 404, 422, 503))
def list_stale(web: Services, around: Around = None, depth: Depth = 1, group: Name = None, selection: Selection = None) -> Response:
    """Which assets are not what their code would make of their upstreams now, and why; of all, or of a part as in the lineage graph."""

    def read(conn: Connection, defs: Definitions) -> StaleListView:
        keys = lineage_reads.part(defs, around=_defined(around, defs), depth=depth, group=group, selection=selection)
        return read_stale(conn, defs, web.stale, keys, now=utc_now())

    return answer(web.read_defs(read))


@router.get(
    "/assets/{key:path}/materializations",
    summary="List the history of an asset",
    responses=returns(MaterializationListView, 404, 422, 503),
)
def list_materializations(
    key: KeyPath,
    web: Services,
    location: Name = None,
    partition: Name = None,
    type: Annotated[HistoryType | None, Query(description="Only what happened in this way.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Materializations, observations, failures and changes of freshness, newest first."""
    types = tuple(HistoryType) if type is None else (type,)

    def read(conn: Connection, defs: Definitions) -> MaterializationListView:
        asset_id = find_id(conn, defs, key, location)
        return materializations.list_materializations(conn, asset_id, types=types, partition=partition, limit=limit, cursor=cursor)

    return answer(web.read_defs(read))


@router.get("/assets/{key:path}/plots", summary="Get the numeric metadata of an asset", responses=returns(PlotListView, 404, 422, 503))
def get_plots(
    key: KeyPath,
    web: Services,
    location: Name = None,
    over: Annotated[PlotOver | None, Query(description="Left out: partition where it has partitions, else time.")] = None,
) -> Response:
    """A plot for each label: the newest value of each partition, or the values of the newest materializations."""

    def read(conn: Connection, defs: Definitions) -> PlotListView:
        _, asset = defs.asset(parse_key(key, defs), location)
        partitioned = asset.partitions is not None and over is not PlotOver.TIME
        return PlotListView(items=materializations.read_plots(conn, find_id(conn, defs, key, location), partitioned=partitioned))

    return answer(web.read_defs(read))


# Before the evaluations of conditions, whose path would take this one for that of an asset.
@router.get(
    "/assets/{key:path}/checks/{name}/evaluations",
    summary="List the results of a check",
    responses=returns(CheckEvaluationListView, 404, 422, 503),
)
def list_check_evaluations(
    key: KeyPath,
    name: Annotated[str, Path(description="Name of a check of the asset.")],
    web: Services,
    location: Name = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What came of it, newest first; of a check that is no longer defined too."""

    def read(conn: Connection, defs: Definitions) -> CheckEvaluationListView:
        return check_history.list_evaluations(conn, find_id(conn, defs, key, location), name, limit=limit, cursor=cursor)

    return answer(web.read_defs(read))


@router.get(
    "/assets/{key:path}/evaluations",
    summary="List the evaluations of an asset's automation condition",
    responses=returns(ConditionEvaluationListView, 404, 422, 503),
)
def list_evaluations(key: KeyPath, web: Services, check: Name = None, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """What came of its condition, or of that of one of its checks, newest first, each with the whole tree of the condition."""

    def read(conn: Connection, defs: Definitions) -> ConditionEvaluationListView:
        _, asset = defs.asset(parse_key(key, defs))
        return evaluations.list_evaluations(conn, asset.key, check=check, limit=limit, cursor=cursor)

    return answer(web.read_defs(read))


@router.get("/assets/{key:path}/columns", summary="Get the columns of an asset", responses=returns(ColumnsView, 404, 422, 503))
def get_columns(
    key: KeyPath,
    web: Services,
    location: Name = None,
    depth: Annotated[int, Query(ge=0, le=20, description="How many assets away their lineage is followed.")] = 2,
) -> Response:
    """Its schema, and which columns of other assets its columns are made of, and the other way, as metadata says."""
    return answer(web.read_defs(lambda conn, defs: read_columns(conn, defs, parse_key(key, defs), location=location, depth=depth)))


@router.get(
    "/assets/{key:path}/partitions",
    summary="Get the partitions of an asset",
    responses=returns(PartitionsView | None, 404, 503),
)
def get_partitions(key: KeyPath, web: Services, location: Name = None) -> Response:
    """The status of all partitions as ranges; null when the asset is unpartitioned."""

    def read(conn: Connection, defs: Definitions) -> PartitionsView | None:
        place, asset = defs.asset(parse_key(key, defs), location)
        if asset.partitions is None:
            return None
        asset_id = find_id(conn, defs, key, place)
        at = Moment(now=utc_now(), dynamic=dynamic_keys(conn, [asset.partitions]))
        return partitions_view(conn, web.partitions, asset_id, asset.partitions, at)

    return answer(web.read_defs(read))


@router.get(
    "/assets/{key:path}/partitions/heat",
    summary="Get the partitions of an asset as a heat map",
    responses=returns(PartitionHeatView | None, 404, 422, 503),
)
def get_heat(key: KeyPath, web: Services, first: HeatEnd = None, last: HeatEnd = None, location: Name = None) -> Response:
    """At most some hundred cells, however many partitions; a part of them is looked into by its first and last key.

    Of two dimensions, a rectangle between two corners. Null when the asset is unpartitioned.
    """
    return answer(web.read_defs(lambda conn, defs: heat_of(conn, defs, web, parse_key(key, defs), location, (first, last))))


def heat_of(
    conn: Connection, defs: Definitions, web: Web, key: AssetKey, location: str | None, ends: tuple[str | None, str | None]
) -> PartitionHeatView | None:
    """The heat map of an asset."""
    place, asset = defs.asset(key, location)
    if asset.partitions is None:
        return None
    at = Moment(now=utc_now(), dynamic=dynamic_keys(conn, [asset.partitions]))
    asset_id = find_id(conn, defs, key.to_user_string(), place)
    return read_heat(conn, web.partitions, asset_id, asset.partitions, at, first=ends[0], last=ends[1])


@router.post(
    "/assets/{key:path}/materialize",
    status_code=201,
    summary="Materialize an asset",
    responses=returns(Launched, 404, 422, 503, status=201),
)
def materialize(
    key: KeyPath,
    request: Request,
    web: Launcher,
    body: RunOptions | None = None,
    idempotency_key: IdempotencyKey = None,
    client: Client = None,
) -> Response:
    """Launch a run of this asset alone."""
    options = body or RunOptions()

    def make(conn: Connection, defs: Definitions) -> NewRun:
        defs.asset(parse_key(key, defs))
        wanted = LaunchBody(assets=[key], **options.model_dump())
        return prepare(conn, defs, wanted, trigger_of(client))

    return enqueue_once(web, request, idempotency_key, options.model_dump_json(), make)


@router.get("/assets/{key:path}", summary="Get an asset", responses=returns(AssetView, 404, 503))
def get_asset(key: KeyPath, web: Services, location: Name = None) -> Response:
    """One asset with its definition, state, plots, partitions, history and checks."""
    view: Any = web.read_defs(
        lambda conn, defs: asset_reads.get_asset(conn, defs, web.partitions, parse_key(key, defs), now=utc_now(), location=location)
    )
    return answer(view)


def _defined(text: str | None, defs: Definitions) -> AssetKey | None:
    if text is None:
        return None
    key = parse_key(text, defs)
    defs.asset(key)
    return key


def parse_key(text: str, defs: Definitions) -> AssetKey:
    """A key as a URL has it.

    Raises:
        NotFoundError: nothing can have such a key.
    """
    try:
        return AssetKey.from_user_string(text)
    except ValueError:
        raise NotFoundError("asset", text, known=[key.to_user_string() for key in defs.assets]) from None


def find_id(conn: Connection, defs: Definitions, text: str, location: str | None) -> int:
    """The internal id of an asset that is defined or was recorded, 0 when nothing was ever stored of it."""
    place, asset = recorded.find(conn, defs, parse_key(text, defs), location)
    a = tables.assets.c
    return conn.execute(select(a.asset_id).where(a.key == asset.key.to_user_string(), a.location == place)).scalar() or 0
