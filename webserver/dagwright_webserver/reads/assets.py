"""Assets: the catalog, and one asset with its partitions, history, plots and checks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from dagwright_shared.decide.staleness import StaleStatus
from dagwright_shared.model import dependents, freshness
from dagwright_shared.model.freshness import Freshness, FreshnessState
from dagwright_shared.model.keys import AssetKey, LocationName, format_partition
from dagwright_shared.model.metadata_json import metadata_to_json
from dagwright_shared.model.partitions import describe, dynamic_names
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot, CheckSnapshot
from dagwright_shared.store.partition_states import PartitionMemo
from dagwright_webserver.reads import cursors, recorded
from dagwright_webserver.reads.asset_states import UNKNOWN, AssetState, AssetStatus, States, keys_of_status, read_states, status_of
from dagwright_webserver.reads.catalog import Entry
from dagwright_webserver.reads.code_references import CodeReferenceView, read_references
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.reads.materializations import MaterializationView, PlotView, list_materializations, read_plots
from dagwright_webserver.reads.partition_status import PartitionsView, partitions_view
from dagwright_webserver.reads.predictions import TimesView, times_of_asset
from dagwright_webserver.reads.selecting import select
from dagwright_webserver.reads.staleness import StaleMemo, StalenessView, read_staleness
from dagwright_webserver.reads.triggers import schedules_of, sensors_of
from dagwright_webserver.reads.view import Moment, view


@view
class CheckCounts:
    """How the checks of an asset stand."""

    total: int
    """Checks that are defined."""
    passed: int
    """Checks whose newest result passed."""
    warned: int
    """Checks whose newest result failed with severity WARN."""
    failed: int
    """Checks whose newest result failed with severity ERROR."""


@view
class FreshnessView:
    """A freshness policy and how the asset stands by it."""

    state: FreshnessState
    """PASS, WARN, FAIL, or UNKNOWN: never materialized, or not judged yet."""
    since: Moment | None
    """The state has been this one since then."""
    policy: str
    """The policy in words."""


@view
class AssetSummary:
    """An asset as a row of the catalog."""

    key: str
    """Its key, such as `raw/flights`."""
    location: str
    """The code location that defines it."""
    group: str
    """Name of its group."""
    kinds: tuple[str, ...]
    """What it is made with or stored in, such as duckdb."""
    description: str | None
    """What it is, in Markdown."""
    owners: tuple[str, ...]
    """Who answers for it."""
    tags: Mapping[str, str]
    """Free labels."""
    execution: AssetExecution
    """materialize, observe or external."""
    status: AssetStatus
    """Its state in one word."""
    partitions: str | None
    """Its partitions definition in a few words; null when unpartitioned."""
    materialized_partitions: int
    """How many partitions have data; 0 or 1 when unpartitioned."""
    failed_partitions: int
    """Partitions whose newest try failed."""
    materialized_at: Moment | None
    """Newest materialization of any partition."""
    run_id: str | None
    """The run of that materialization; null when it was reported from outside, or the run is deleted."""
    active_run_id: str | None
    """A run that is making it now, or will."""
    checks: CheckCounts
    """How its checks stand."""
    freshness: FreshnessView | None
    """How it stands by its freshness policy; null when it has none."""
    staleness: StaleStatus | None
    """Whether its data is what its code would make of its upstreams now; null when it is not made here."""


@view
class AssetListView:
    """One page of the catalog, by key."""

    items: tuple[AssetSummary, ...]
    """The assets."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""
    groups: tuple[str, ...]
    """All groups that exist, for filters."""
    kinds: tuple[str, ...]
    """All kinds that exist, for filters."""
    owners: tuple[str, ...]
    """All owners that exist, for filters."""
    tags: tuple[str, ...]
    """The tags that exist, as `key=value`, for filters; at most 500."""
    locations: tuple[str, ...]
    """All locations that define assets, for filters."""
    total: int
    """How many assets fit the filter."""


@view
class CheckView:
    """A check with its newest result."""

    name: str
    """Its name."""
    asset: str
    """The asset that it judges."""
    description: str | None
    """What it looks at."""
    blocking: bool
    """Whether its failure keeps downstream assets from being made."""
    defined: bool
    """Whether it is in the current definitions."""
    separate: bool
    """Whether it can be evaluated without making the asset: it is not a part of what makes it."""
    passed: bool | None
    """Newest result; null when it was never evaluated."""
    severity: str | None
    """WARN or ERROR, of the newest result."""
    evaluated_at: Moment | None
    """When."""
    run_id: str | None
    """The run that evaluated it; null when its result was reported from outside, or the run is deleted."""
    partition: str | None
    """Partition key of the newest result."""
    result: str | None
    """What the result says, in words."""
    metadata: Mapping[str, Any]
    """What user code attached to the result."""


@view
class AssetLink:
    """A neighbour of an asset."""

    key: str
    """Its key."""
    defined: bool
    """Whether some location defines it."""
    status: AssetStatus
    """Its state in one word."""
    input_name: str | None
    """Upstream only: the argument that receives its value."""


@view
class AssetView:
    """One asset."""

    key: str
    """Its key, such as `raw/flights`."""
    location: str
    """The code location that defines it."""
    defined: bool
    """Whether that location defines it now; if not, only what was recorded of it is known."""
    other_locations: tuple[str, ...]
    """Further locations that define the same key."""
    summary: AssetSummary
    """What the catalog says of it."""
    op: str | None
    """The op that computes it."""
    step_siblings: tuple[str, ...]
    """Other assets that the same op computes."""
    can_subset: bool
    """Whether it can be made without its siblings."""
    code_version: str | None
    """Version of its code, where the user gave one."""
    code_changed: bool
    """Whether the newest materialization was made by another code version."""
    type_name: str | None
    """The Python type of its value."""
    io_manager: str
    """Key of the IO manager that stores it."""
    resources: tuple[str, ...]
    """Resources that its op needs."""
    pool: str | None
    """Concurrency pool of its op."""
    max_retries: int
    """How often its op is tried again after a failure."""
    config_schema: Mapping[str, Any] | None
    """JSON Schema of its op's config; null when it takes none."""
    source: str | None
    """File and line of its definition."""
    code_references: tuple[CodeReferenceView, ...]
    """Where its code can be looked at, such as in a repository on the web."""
    metadata: Mapping[str, Any]
    """Metadata of the definition: label to `{"type", "raw_value"}`."""
    upstream: tuple[AssetLink, ...]
    """What it depends on."""
    downstream: tuple[AssetLink, ...]
    """What depends on it."""
    jobs: tuple[str, ...]
    """Jobs that materialize it."""
    schedules: tuple[str, ...]
    """Schedules of its location that launch it, or a job that materializes it."""
    sensors: tuple[str, ...]
    """Sensors of its location that launch it, or a job that materializes it."""
    partitions: PartitionsView | None
    """Status of its partitions as ranges; null when unpartitioned."""
    dynamic_partitions: tuple[str, ...]
    """Names under `/api/v1/dynamic-partitions` where keys of its partitions are added; empty where none are."""
    latest: MaterializationView | None
    """Newest materialization."""
    history: tuple[MaterializationView, ...]
    """The newest 20 events of it."""
    times: TimesView | None
    """How long it took in the runs of these; null where it did not succeed in any."""
    plots: tuple[PlotView, ...]
    """Its numeric metadata."""
    checks: tuple[CheckView, ...]
    """Its checks."""
    automated: bool
    """Whether it has an automation condition."""
    staleness: StalenessView
    """Whether its data is what its code would make of its upstreams now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFilter:
    """Which assets the catalog shows; everything given must hold."""

    group: str | None = None
    kind: str | None = None
    owner: str | None = None
    tag: str | None = None
    """`key`, or `key=value`."""
    location: str | None = None
    selection: str | None = None
    """In the selection language, such as `group:year+`."""
    prefix: str | None = None
    status: AssetStatus | None = None
    text: str | None = None
    """A part of the key or the description."""
    stale: bool | None = None
    """Whether its data is stale; what is missing is not."""


def summarize(location: LocationName, asset: AssetSnapshot, state: AssetState, checks: int, staleness: StaleStatus | None) -> AssetSummary:
    """A definition and its state as a row of the catalog."""
    return AssetSummary(
        key=asset.key.to_user_string(),
        location=location,
        group=asset.group,
        kinds=asset.kinds,
        description=asset.description,
        owners=asset.owners,
        tags=asset.tags,
        execution=asset.execution,
        status=status_of(asset, state),
        partitions=describe(asset.partitions) if asset.partitions else None,
        materialized_partitions=state.materialized,
        failed_partitions=state.failed,
        materialized_at=state.materialized_at,
        run_id=state.run_id,
        active_run_id=state.active_run_id,
        checks=CheckCounts(total=checks, passed=state.checks_passed, warned=state.checks_warned, failed=state.checks_failed),
        freshness=_freshness(asset.freshness, state) if asset.freshness is not None else None,
        staleness=staleness,
    )


def _freshness(policy: Freshness, state: AssetState) -> FreshnessView:
    return FreshnessView(state=state.freshness or FreshnessState.UNKNOWN, since=state.freshness_since, policy=freshness.describe(policy))


def list_assets(
    conn: Connection, defs: Definitions, memo: StaleMemo, wanted: AssetFilter, *, now: datetime, limit: int = 100, cursor: str | None = None
) -> AssetListView:
    """The catalog, sorted by key."""
    judged = memo.read(conn, defs, now=now)
    chosen = select(defs, wanted.selection) if wanted.selection else None
    found = [entry for entry in defs.catalog.entries if _fits(entry, wanted) and (chosen is None or entry.asset.key in chosen)]
    if wanted.status is not None:
        of_status = keys_of_status(conn, defs, wanted.status)
        found = [entry for entry in found if (entry.location, entry.key) in of_status]
    if wanted.stale is not None:
        found = [entry for entry in found if (judged.status(entry.asset.key, entry.location) is StaleStatus.STALE) is wanted.stale]
    after = ("", "")
    if cursor is not None:
        key, place = cursors.decode("assets", cursor, str, str)
        after = (str(key), str(place))
    rest = found[bisect_right(found, after, key=lambda entry: (entry.key, entry.location)) :]
    shown = rest[:limit]
    states = read_states(conn, defs, [entry.asset.key for entry in shown])
    return AssetListView(
        items=tuple(
            summarize(
                entry.location,
                entry.asset,
                states.get((entry.location, entry.key), UNKNOWN),
                sum(1 for place, _ in defs.checks.get(entry.asset.key, ()) if place == entry.location),
                judged.status(entry.asset.key, entry.location),
            )
            for entry in shown
        ),
        next_cursor=cursors.encode("assets", shown[-1].key, shown[-1].location) if len(rest) > limit else None,
        groups=defs.catalog.groups,
        kinds=defs.catalog.kinds,
        owners=defs.catalog.owners,
        tags=defs.catalog.tags,
        locations=defs.catalog.locations,
        total=len(found),
    )


def _fits(entry: Entry, wanted: AssetFilter) -> bool:
    asset, key = entry.asset, entry.key
    return (
        (wanted.group is None or asset.group == wanted.group)
        and (wanted.kind is None or wanted.kind in asset.kinds)
        and (wanted.owner is None or wanted.owner in asset.owners)
        and (wanted.tag is None or any(wanted.tag in (name, f"{name}={value}") for name, value in asset.tags.items()))
        and (wanted.location is None or entry.location == wanted.location)
        and (wanted.prefix is None or key == wanted.prefix or key.startswith(wanted.prefix.rstrip("/") + "/"))
        and (not wanted.text or wanted.text.lower() in entry.words)
    )


def get_asset(
    conn: Connection, defs: Definitions, memo: PartitionMemo, key: AssetKey, *, now: datetime, location: str | None = None
) -> AssetView:
    """One asset.

    Raises:
        NotFoundError: no location defines it, and nothing was recorded of it.
    """
    place, asset = recorded.find(conn, defs, key, location)
    neighbours = {key, *(dep.key for dep in asset.deps), *defs.graph.children(key)}
    states = read_states(conn, defs, neighbours)
    state = states.get((place, key.to_user_string()), UNKNOWN)
    checks = [check for at, check in defs.checks.get(key, ()) if at == place]
    history = list_materializations(conn, state.asset_id, limit=20).items
    # The newest materialization may lie far behind a row of failures.
    latest = next((each for each in history if each.type == "ASSET_MATERIALIZED"), None)
    if latest is None and state.materialized:
        latest = next(iter(list_materializations(conn, state.asset_id, types=("ASSET_MATERIALIZED",), limit=1).items), None)
    partitions = None
    if asset.partitions is not None:
        at = dependents.Moment(now=now, dynamic=dynamic_keys(conn, [asset.partitions]))
        partitions = partitions_view(conn, memo, state.asset_id, asset.partitions, at)
    siblings = [
        other.key.to_user_string()
        for other in (defs.locations[place].assets if asset.op_name is not None else ())
        if other.op_name == asset.op_name and other.key != key
    ]
    metadata = metadata_to_json(asset.metadata)
    staleness = read_staleness(conn, defs, key, now=now)
    made_here = asset.execution is AssetExecution.MATERIALIZE
    return AssetView(
        key=key.to_user_string(),
        location=place,
        defined=any(at == place for at, _ in defs.assets.get(key, ())),
        other_locations=tuple(at for at, _ in defs.assets.get(key, ()) if at != place),
        summary=summarize(place, asset, state, len(checks), staleness.status if made_here else None),
        op=asset.op_name,
        step_siblings=tuple(siblings),
        can_subset=asset.can_subset,
        code_version=asset.code_version,
        code_changed=bool(asset.code_version and state.materialized and state.code_version != asset.code_version),
        type_name=asset.type_name,
        io_manager=asset.io_manager_key,
        resources=asset.resource_keys,
        pool=asset.pool,
        max_retries=asset.retry_policy.max_retries if asset.retry_policy else 0,
        config_schema=asset.config_schema,
        source=str(asset.source) if asset.source else None,
        code_references=read_references(metadata),
        metadata=metadata,
        upstream=tuple(_link(defs, dep.key, states, dep.input_name) for dep in asset.deps),
        downstream=tuple(_link(defs, child, states, None) for child in defs.graph.children(key)),
        jobs=tuple(dict.fromkeys(job.name for _, job in defs.graph.jobs_of(key))),
        schedules=schedules_of(defs, place, key),
        sensors=sensors_of(defs, place, key),
        partitions=partitions,
        dynamic_partitions=dynamic_names(asset.partitions),
        latest=latest,
        history=history,
        times=times_of_asset(conn, key, {each.run_id for each in history if each.run_id}),
        plots=read_plots(conn, state.asset_id, partitioned=asset.partitions is not None),
        checks=read_checks(conn, state.asset_id, checks, asset),
        automated=asset.automation is not None,
        staleness=staleness,
    )


def _link(defs: Definitions, key: AssetKey, states: States, input_name: str | None) -> AssetLink:
    found = defs.assets.get(key, ())
    place, asset = defs.asset(key) if found else (LocationName(""), None)
    status = status_of(asset, states.get((place, key.to_user_string()), UNKNOWN))
    return AssetLink(key=key.to_user_string(), defined=bool(found), status=status, input_name=input_name)


def read_checks(conn: Connection, asset_id: int, defined: Sequence[CheckSnapshot], asset: AssetSnapshot) -> tuple[CheckView, ...]:
    """The checks of an asset with their newest results, those that are no longer defined last."""
    results = {row.name: row for row in conn.execute(_NEWEST_RESULTS, {"asset_id": asset_id})}
    known = {check.key.name: check for check in defined}
    names = [*known, *(name for name in results if name not in known)]
    return tuple(_check(name, asset, known.get(name), results.get(name)) for name in names)


def _check(name: str, asset: AssetSnapshot, check: CheckSnapshot | None, row: Row[Any] | None) -> CheckView:
    return CheckView(
        name=name,
        asset=asset.key.to_user_string(),
        description=check.description if check else None,
        blocking=check.blocking if check else bool(row and row.blocking),
        defined=check is not None,
        separate=check is not None and (check.op_name != asset.op_name or asset.can_subset),
        passed=row.passed if row else None,
        severity=row.severity if row else None,
        evaluated_at=row.evaluated_at if row else None,
        run_id=row.known_run if row else None,
        partition=format_partition(tuple(row.partition)) if row else None,
        result=row.description if row else None,
        metadata=row.metadata if row else {},
    )


# A look into an index for each name, however many partitions have results.
_NEWEST_RESULTS = text("""
WITH RECURSIVE names AS (
    SELECT min(name) AS name FROM check_results WHERE asset_id = :asset_id
    UNION ALL
    SELECT (SELECT min(c.name) FROM check_results c WHERE c.asset_id = :asset_id AND c.name > n.name) FROM names n WHERE n.name IS NOT NULL)
SELECT c.*, CAST(r.run_id AS text) AS known_run FROM names n
CROSS JOIN LATERAL (SELECT * FROM check_results o WHERE o.asset_id = :asset_id AND o.name = n.name ORDER BY o.evaluated_at DESC LIMIT 1) c
LEFT JOIN runs r ON r.run_id = c.run_id
""")
