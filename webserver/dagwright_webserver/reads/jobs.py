"""Jobs: the list, and one job with its graph, config schema and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Connection, Text, cast, func, select, true

from dagwright_shared.model import partitions
from dagwright_shared.model.dependents import Moment, size
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.metadata_json import metadata_to_json
from dagwright_shared.model.snapshot import JobSnapshot
from dagwright_shared.store import tables
from dagwright_webserver.reads import cursors
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.reads.partition_keys import AxisView, axes_of, newest_keys
from dagwright_webserver.reads.run_list import RunFilter, RunSummary, list_runs, summaries, summary
from dagwright_webserver.reads.view import view


@view
class JobSummary:
    """A job as a row of the list."""

    name: str
    """Its name."""
    location: str
    """The code location that defines it."""
    description: str | None
    """What it does, in Markdown."""
    kind: str
    """assets or ops: what it is made of."""
    steps: int
    """Number of ops in its graph."""
    assets: int
    """Number of assets that it materializes."""
    partitions: str | None
    """Its partitions definition in a few words; null when unpartitioned."""
    tags: Mapping[str, str]
    """Labels of the definition."""
    schedules: tuple[str, ...]
    """Schedules that launch it."""
    sensors: tuple[str, ...]
    """Sensors that launch it."""
    latest_run: RunSummary | None
    """Its newest run."""


@view
class JobListView:
    """One page of jobs, by name."""

    items: tuple[JobSummary, ...]
    """The jobs."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


@view
class PortView:
    """An input or an output of a node."""

    name: str
    """Its name."""
    type_name: str
    """Its type, as the user wrote it."""
    description: str | None
    """What it carries."""
    required: bool
    """Whether it must be given."""


@view
class NodeView:
    """An op inside a job."""

    handle: str
    """Its dotted path through nested graphs: the step key."""
    op: str
    """Name of the op."""
    description: str | None
    """What it does."""
    inputs: tuple[PortView, ...]
    """What it takes."""
    outputs: tuple[PortView, ...]
    """What it gives."""
    resources: tuple[str, ...]
    """Resources that it needs."""
    tags: Mapping[str, str]
    """Labels of the definition."""
    assets: tuple[str, ...]
    """Assets that it materializes."""
    checks: tuple[str, ...]
    """Checks that it evaluates."""
    max_retries: int
    """How often it is tried again after a failure."""
    takes_config: bool
    """Whether it has a config schema."""
    source: str | None
    """File and line of its definition."""


@view
class EdgeView:
    """An output of a node feeding an input of another."""

    from_node: str
    """Handle of the node that gives."""
    from_output: str
    """Its output."""
    to_node: str
    """Handle of the node that takes."""
    to_input: str
    """Its input."""


@view
class JobView:
    """One job."""

    name: str
    """Its name."""
    location: str
    """The code location that defines it."""
    other_locations: tuple[str, ...]
    """Further locations that define a job of this name."""
    description: str | None
    """What it does, in Markdown."""
    kind: str
    """assets or ops: what it is made of."""
    nodes: tuple[NodeView, ...]
    """Its ops."""
    edges: tuple[EdgeView, ...]
    """Data that flows between them."""
    assets: tuple[str, ...]
    """Assets that it materializes."""
    checks: tuple[str, ...]
    """Checks that it evaluates, as `asset/key:name`."""
    partitions: str | None
    """Its partitions definition in a few words; null when unpartitioned."""
    partition_dimensions: tuple[str, ...]
    """Names of the dimensions; empty for a definition of one dimension without a name."""
    partition_axes: tuple[AxisView, ...]
    """What a partition is chosen by: each dimension, or the only one."""
    partition_count: int
    """How many partitions exist; 0 when unpartitioned."""
    newest_partitions: tuple[str, ...]
    """The newest 100 partition keys, newest first."""
    config_schema: Mapping[str, Any]
    """JSON Schema of the whole run config."""
    default_config: Mapping[str, Any]
    """What is used where a run gives no config."""
    tags: Mapping[str, str]
    """Labels of the definition."""
    run_tags: Mapping[str, str]
    """Labels that its runs get."""
    metadata: Mapping[str, Any]
    """Metadata of the definition: label to `{"type", "raw_value"}`."""
    owners: tuple[str, ...]
    """Who answers for it: e-mail addresses, or `team:name`."""
    executor: str
    """in_process or multiprocess."""
    resources: tuple[str, ...]
    """Resources that its ops need."""
    source: str | None
    """File and line of its definition."""
    schedules: tuple[str, ...]
    """Schedules that launch it."""
    sensors: tuple[str, ...]
    """Sensors that launch it."""
    recent_runs: tuple[RunSummary, ...]
    """Its newest 20 runs."""


def list_jobs(
    conn: Connection,
    defs: Definitions,
    *,
    location: str | None = None,
    text: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> JobListView:
    """Jobs by name, then location."""
    rows = [
        (name, place, job)
        for name, found in defs.jobs.items()
        for place, job in found
        if (location is None or place == location) and (not text or text.lower() in f"{name}\n{job.description or ''}".lower())
    ]
    if cursor is not None:
        after = tuple(cursors.decode("jobs", cursor, str, str))
        rows = [row for row in rows if (row[0], row[1]) > after]
    shown = rows[:limit]
    latest = _latest_runs(conn, [(place, name) for name, place, _ in shown])
    more = cursors.encode("jobs", shown[-1][0], shown[-1][1]) if len(rows) > limit else None
    items = (
        JobSummary(
            name=name,
            location=place,
            description=job.description,
            kind=_kind(job),
            steps=len(job.nodes),
            assets=len(job.asset_keys),
            partitions=partitions.describe(job.partitions) if job.partitions else None,
            tags=job.tags,
            schedules=_schedules(defs, place, name),
            sensors=_sensors(defs, place, name),
            latest_run=latest.get((place, name)),
        )
        for name, place, job in shown
    )
    return JobListView(items=tuple(items), next_cursor=more)


def get_job(conn: Connection, defs: Definitions, name: str, *, now: datetime, location: str | None = None) -> JobView:
    """One job.

    Raises:
        NotFoundError: no location defines it.
    """
    place, job = defs.job(name, location)
    at = Moment(now=now, dynamic=dynamic_keys(conn, [job.partitions]))
    axes = job.partitions.dimensions if isinstance(job.partitions, partitions.MultiPartitions) else ()
    return JobView(
        name=name,
        location=place,
        other_locations=tuple(at for at, _ in defs.jobs[name] if at != place),
        description=job.description,
        kind=_kind(job),
        nodes=tuple(_nodes(job)),
        edges=tuple(EdgeView(from_node=e.from_node, from_output=e.from_output, to_node=e.to_node, to_input=e.to_input) for e in job.edges),
        assets=tuple(key.to_user_string() for key in job.asset_keys),
        checks=tuple(key.to_user_string() for key in job.check_keys),
        partitions=partitions.describe(job.partitions) if job.partitions else None,
        partition_dimensions=tuple(axis for axis, _ in axes),
        partition_axes=axes_of(job.partitions, at),
        partition_count=size(job.partitions, at) if job.partitions else 0,
        newest_partitions=newest_keys(job.partitions, at) if job.partitions else (),
        config_schema=job.config_schema,
        default_config=job.default_config,
        tags=job.tags,
        run_tags=job.run_tags,
        metadata=metadata_to_json(job.metadata),
        owners=job.owners,
        executor=job.executor,
        resources=job.resource_keys,
        source=str(job.source) if job.source else None,
        schedules=_schedules(defs, place, name),
        sensors=_sensors(defs, place, name),
        recent_runs=list_runs(conn, RunFilter(job=name, location=place), limit=20).items,
    )


def _nodes(job: JobSnapshot) -> list[NodeView]:
    return [
        NodeView(
            handle=node.handle,
            op=node.op_name,
            description=node.description,
            inputs=tuple(PortView(name=p.name, type_name=p.type_name, description=p.description, required=p.required) for p in node.inputs),
            outputs=tuple(
                PortView(name=p.name, type_name=p.type_name, description=p.description, required=p.required) for p in node.outputs
            ),
            resources=node.resource_keys,
            tags=node.tags,
            assets=tuple(key.to_user_string() for key in node.asset_keys),
            checks=tuple(key.to_user_string() for key in node.check_keys),
            max_retries=node.retry_policy.max_retries if node.retry_policy else 0,
            takes_config=node.config_schema is not None,
            source=str(node.source) if node.source else None,
        )
        for node in job.nodes
    ]


def _kind(job: JobSnapshot) -> str:
    return "assets" if job.asset_keys or job.check_keys else "ops"


def _schedules(defs: Definitions, location: LocationName, job: str) -> tuple[str, ...]:
    return tuple(each.name for each in defs.locations[location].schedules if each.target.job_name == job)


def _sensors(defs: Definitions, location: LocationName, job: str) -> tuple[str, ...]:
    return tuple(each.name for each in defs.locations[location].sensors if any(target.job_name == job for target in each.targets))


def _latest_runs(conn: Connection, jobs: Sequence[tuple[LocationName, str]]) -> dict[tuple[str, str], RunSummary]:
    """The newest run of each job, by location and name: one index look-up for each."""
    if not jobs:
        return {}
    r = tables.runs.c
    places, names = (cast([str(job[part]) for job in jobs], ARRAY(Text)) for part in (0, 1))
    wanted = func.unnest(places, names).table_valued("location", "job_name").render_derived("wanted")
    newest = (
        summaries()
        .where(r.job_name == wanted.c.job_name, r.location == wanted.c.location)
        .order_by(r.created_at.desc(), r.run_id.desc())
        .limit(1)
        .lateral("newest")
    )
    rows = conn.execute(select(newest).select_from(wanted.join(newest, true())))
    return {(row.location, row.job_name): summary(row) for row in rows}
