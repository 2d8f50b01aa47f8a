"""Running assets and jobs in a test or a script: in this process, without a deployment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from dagwright import value_folders
from dagwright.authoring import invocation, naming
from dagwright.authoring.assets import AssetsDefinition, make_asset
from dagwright.authoring.config import RunConfig, config_dict
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.event_types import EventType
from dagwright.authoring.failure_views import FailureData
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.instance import AssetRecordsFilter, Instance
from dagwright.authoring.instance_events import (
    EPHEMERAL_JOB,
    AssetCheckEvaluation,
    AssetCheckEvaluationTargetMaterializationData,
    Event,
    event_views,
)
from dagwright.authoring.instance_runs import RunView, run_view
from dagwright.authoring.jobs import JobDefinition
from dagwright.authoring.mappings import AllPartitionMapping
from dagwright.authoring.partitions import PartitionKeyRange
from dagwright.authoring.resolution import ResolvedDefinitions
from dagwright.authoring.results import AssetMaterialization
from dagwright.authoring.selections import AssetSelection
from dagwright.authoring.specs import AssetIn, AssetSpec
from dagwright.execution.io_managers import FilesystemIOManager, InMemoryIOManager
from dagwright.execution.ports import AskedKeys
from dagwright.execution.scope import Kept
from dagwright.planning import op_selection as op_selections
from dagwright.planning.dynamic import split_key
from dagwright.planning.steps import ExecutionPlan
from dagwright_shared.model import ranges
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.events import (
    AssetMaterialized,
    AssetObserved,
    LogMessage,
    RunEvent,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepSucceeded,
)
from dagwright_shared.model.keys import (
    UNPARTITIONED,
    AssetKey,
    format_partition,
    parse_partition,
)
from dagwright_shared.model.partitions import NO_DYNAMIC, Partitions, dimensions
from dagwright_shared.model.runs import RunStatus


class ExecuteInProcessResult:
    """What a run in this process did: its events, and the values that went through it."""

    def __init__(
        self, plan: ExecutionPlan, run: RunView, events: Sequence[RunEvent], kept: Kept, graph: GraphDefinition | None, instance: Instance
    ) -> None:
        self.plan, self.dagster_run, self._graph, self._instance = plan, run, graph, instance
        self._graphs: Mapping[str, GraphDefinition] = {}
        """Those that compute assets, by name."""
        self.events: Sequence[RunEvent] = tuple(events)
        self._kept = kept

    @property
    def run_id(self) -> str:
        return self.dagster_run.run_id

    @property
    def status(self) -> RunStatus:
        return self.dagster_run.status

    @property
    def success(self) -> bool:
        return self.status is RunStatus.SUCCESS

    @cached_property
    def all_events(self) -> Sequence[Event]:
        name = self.dagster_run.job_name
        told = (seen for event in self.events if not isinstance(event.payload, LogMessage) for seen in event_views(event, name))
        return [self._with_target(seen) if seen.event_type is EventType.ASSET_CHECK_EVALUATION else seen for seen in told]

    @property
    def all_node_events(self) -> Sequence[Event]:
        return [event for event in self.all_events if event.is_step_event]

    def filter_events(self, event_filter: Callable[[Event], bool]) -> Sequence[Event]:
        return [event for event in self.all_events if event_filter(event)]

    def events_for_node(self, node_name: str) -> Sequence[Event]:
        """Events of a step, by its key or op name."""
        return [event for event in self.all_node_events if self._is(str(event.step_key), node_name)]

    def get_job_success_event(self) -> Event:
        """The event that ended the run.

        Raises:
            LookupError: the run did not succeed.
        """
        return self._one(EventType.RUN_SUCCESS)

    get_run_success_event = get_job_success_event

    def get_job_failure_event(self) -> Event:
        """The event that ended the run.

        Raises:
            LookupError: the run did not fail.
        """
        return self._one(EventType.RUN_FAILURE)

    get_run_failure_event = get_job_failure_event

    def get_step_success_events(self) -> Sequence[Event]:
        return [event for event in self.all_events if event.is_step_success]

    def get_step_failure_events(self) -> Sequence[Event]:
        return [event for event in self.all_events if event.is_step_failure]

    def get_failed_step_keys(self) -> set[str]:
        return {str(event.step_key) for event in self.get_step_failure_events()}

    def _one(self, kind: EventType) -> Event:
        found = [event for event in self.all_events if event.event_type is kind]
        if not found:
            raise LookupError(f"the run ended as {self.status}, so it has no event {kind.name}")
        return found[0]

    def is_node_success(self, node_name: str) -> bool:
        return any(isinstance(event.payload, StepSucceeded) for event in self.events_for_node(node_name))

    def is_node_failed(self, node_name: str) -> bool:
        return any(isinstance(event.payload, StepFailed) for event in self.events_for_node(node_name))

    def is_node_skipped(self, node_name: str) -> bool:
        return any(isinstance(event.payload, StepSkipped) for event in self.events_for_node(node_name))

    def retry_attempts_for_node(self, node_name: str) -> int:
        return sum(isinstance(event.payload, StepRetrying) for event in self.events_for_node(node_name))

    def failure_data_for_node(self, node_name: str) -> FailureData | None:
        """The failure of a step, with its error as data."""
        return next((event.step_failure_data for event in self.events_for_node(node_name) if event.is_step_failure), None)

    def output_for_node(self, node_name: str, output_name: str = "result") -> Any:
        """The value of an op's or a graph's output; of an op that was mapped, the values by mapping key.

        Args:
            node_name: with the graphs that it is in: `outer.inner`.

        Raises:
            LookupError: it was not produced.
        """
        inside = self._inside(node_name, output_name)
        if inside is not None and inside != (node_name, output_name):
            return self.output_for_node(*inside)
        mapped: dict[str, Any] = {}
        for (step, output), value in self._kept.outputs.items():
            if output != output_name:
                continue
            if self._is(step, node_name):
                return value
            pattern, path = split_key(step)
            if path and self._is(pattern, node_name):
                mapped["|".join(path)] = value
        if mapped:
            return mapped
        raise LookupError(f"{node_name!r} did not produce the output {output_name!r} in this run")

    def output_value(self, output_name: str = "result") -> Any:
        """The value of an output of the graph or job that was run.

        Raises:
            LookupError: it has no such output, or it was not produced.
        """
        inside = self._graph.source_of_output("", output_name) if self._graph is not None else None
        if inside is None:
            known = ", ".join(self._graph.outs) if self._graph is not None else ""
            raise LookupError(f"what was run has no output {output_name!r}; it has {known or 'none'}")
        return self.output_for_node(*inside)

    def asset_value(self, asset_key: Any) -> Any:
        """The value of an asset that this run made.

        Raises:
            LookupError: the run did not make it, or its function stored it by itself.
        """
        key = naming.asset_key(asset_key, "asset_value")
        if key not in self._kept.assets:
            raise LookupError(f"this run has no value of the asset {key.to_user_string()}")
        return self._kept.assets[key]

    def get_asset_materialization_events(self) -> Sequence[Event]:
        return [event for event in self.all_events if event.is_step_materialization]

    def get_asset_observation_events(self) -> Sequence[Event]:
        return [event for event in self.all_events if event.is_asset_observation]

    def asset_materializations_for_node(self, node_name: str) -> Sequence[AssetMaterialization]:
        """The materializations of a step, with their metadata."""
        found = (event.payload for event in self.events_for_node(node_name))
        return [_materialization(payload) for payload in found if isinstance(payload, AssetMaterialized)]

    def asset_observations_for_node(self, node_name: str) -> Sequence[AssetObserved]:
        return [event.payload for event in self.events_for_node(node_name) if isinstance(event.payload, AssetObserved)]

    def get_asset_check_evaluations(self) -> Sequence[AssetCheckEvaluation]:
        return [event.asset_check_evaluation_data for event in self.all_events if event.event_type is EventType.ASSET_CHECK_EVALUATION]

    def __repr__(self) -> str:
        return f"<ExecuteInProcessResult {self.status} {self.run_id}>"

    def _with_target(self, judged: Event) -> Event:
        """An evaluation with the materialization that the check has judged: the newest one before it."""
        data = judged.asset_check_evaluation_data
        wanted = AssetRecordsFilter(data.asset_key, before_timestamp=judged.timestamp)
        for record in self._instance.fetch_materializations(wanted, limit=1).records:
            target = AssetCheckEvaluationTargetMaterializationData(record.storage_id, record.run_id, record.timestamp)
            return replace(judged, event_specific_data=replace(data, target_materialization_data=target))
        return judged

    def _inside(self, node_name: str, output_name: str) -> tuple[str, str] | None:
        """The op, and its output, whose value an output of a graph is: of the job's, or of one that computes assets."""
        if self._graph is not None:
            return self._graph.source_of_output(node_name, output_name)
        first, _, rest = node_name.partition(".")
        found = self._graphs[first].source_of_output(rest, output_name) if first in self._graphs else None
        return (f"{first}.{found[0]}", found[1]) if found is not None else None

    def _is(self, step_key: str, node_name: str) -> bool:
        return step_key == node_name or any(step.key == step_key and step.op.name == node_name for step in self.plan.steps)


def materialize(
    assets: Sequence[Any],
    run_config: Mapping[str, Any] | RunConfig | None = None,
    instance: Any = None,
    resources: Mapping[str, Any] | None = None,
    partition_key: str | None = None,
    raise_on_error: bool = True,
    tags: Mapping[str, str] | None = None,
    selection: Any = None,
) -> ExecuteInProcessResult:
    """Make assets in this process and tell what happened.

    Values are kept as files, unless `resources` has an `io_manager`: for this run, or with an `instance` for as long as that lives.

    Args:
        assets: assets, checks and specs that belong together; external ones are loaded, not made.
        run_config: a dict or a RunConfig.
        instance: what `context.instance` gives, and where the run is recorded; by default an empty one in memory.
        resources: by key.
        partition_key: for partitioned assets; with several dimensions their keys joined by `|`. For a range of partitions give the tags
            `dagster/asset_partition_range_start` and `dagster/asset_partition_range_end` instead.
        raise_on_error: raise the exception of the first step that failed.
        tags: of the run.
        selection: an AssetSelection, or its text: which of the assets to make; by default all.

    Raises:
        InvalidRequestError: config or partition do not fit.

    Example:
        >>> from dagwright import asset, materialize
        >>> @asset
        ... def one() -> int:
        ...     return 1
        >>> materialize([one]).asset_value("one")
        1
    """
    with value_folders.of(instance) as directory:
        given = {"io_manager": FilesystemIOManager(base_dir=directory), **(resources or {})}
        return _materialize(assets, given, run_config, instance, partition_key, raise_on_error, tags, selection)


def materialize_to_memory(
    assets: Sequence[Any],
    run_config: Mapping[str, Any] | RunConfig | None = None,
    instance: Any = None,
    resources: Mapping[str, Any] | None = None,
    partition_key: str | None = None,
    raise_on_error: bool = True,
    tags: Mapping[str, str] | None = None,
    selection: Any = None,
) -> ExecuteInProcessResult:
    """As `materialize`, but values go from function to function in memory, whatever IO managers the assets name."""
    memory = InMemoryIOManager()
    given = {"io_manager": memory, **(resources or {})}
    given.update(dict.fromkeys(_io_manager_keys(assets), memory))
    return _materialize(assets, given, run_config, instance, partition_key, raise_on_error, tags, selection)


def execute_job_in_process(
    job: JobDefinition,
    run_config: Mapping[str, Any] | RunConfig | None = None,
    instance: Any = None,
    partition_key: str | None = None,
    raise_on_error: bool = True,
    tags: Mapping[str, str] | None = None,
    resources: Mapping[str, Any] | None = None,
    definitions: Definitions | None = None,
    *,
    asset_selection: Sequence[Any] | None = None,
    op_selection: Sequence[str] | None = None,
    input_values: Mapping[str, Any] | None = None,
) -> ExecuteInProcessResult:
    """Run a job in this process; the work behind `job.execute_in_process()`.

    Args:
        resources: win over the job's own.
        definitions: where a job of assets finds them; by default those that the job was taken from.
        asset_selection: keys of the assets to make, of a job of assets; by default all of them.
        op_selection: which ops to run, of a job of ops: names, `*name` with all upstream, `name+` with the next downstream.
        input_values: for the inputs of the job's graph.
    """
    if input_values:
        job = replace(job, input_values={**job.input_values, **input_values}, origin=None)
    definitions = definitions if definitions is not None else job.origin
    if definitions is None:
        definitions = Definitions(jobs=[job], resources=dict(resources or {}))
    resolved = definitions.resolve()
    resolved = replace(resolved, jobs_by_name={**resolved.jobs_by_name, job.name: job})  # it may be a subset of the one that was defined
    with value_folders.of(instance) as directory:
        # Ops may hand on what cannot be written; assets are loaded from files, as they are elsewhere.
        default = InMemoryIOManager() if job.graph is not None else FilesystemIOManager(base_dir=directory)
        given = {"io_manager": default, **resolved.resources, **job.resource_defs, **(resources or {})}
        keys = [naming.asset_key(key, "asset_selection") for key in asset_selection or ()]
        target: dict[str, Any] = {"job_name": job.name, "asset_keys": keys}
        plan = _plan(resolved, given, run_config, partition_key, tags, instance, **target)
        if op_selection is not None:
            target["step_keys"] = op_selections.select(plan.steps, op_selection)
            plan = _plan(resolved, given, run_config, partition_key, tags, instance, **target)
        return _with_graphs(_run(plan, instance, raise_on_error, {**job.tags, **job.run_tags, **(tags or {})}, job.graph), resolved)


def _materialize(
    assets: Sequence[Any],
    resources: Mapping[str, Any],
    run_config: Mapping[str, Any] | RunConfig | None,
    instance: Any,
    partition_key: str | None,
    raise_on_error: bool,
    tags: Mapping[str, str] | None,
    selection: Any,
) -> ExecuteInProcessResult:
    definitions = Definitions(
        assets=[item for item in assets if isinstance(item, AssetsDefinition | AssetSpec)],
        asset_checks=[item for item in assets if not isinstance(item, AssetsDefinition | AssetSpec)],
        resources=dict(resources),
    )
    resolved = definitions.resolve()
    keys = [key for key, definition in resolved.assets_by_key.items() if definition.is_executable]
    checks = list(resolved.checks_by_key)
    if selection is not None:
        wanted = AssetSelection.from_coercible(selection)
        chosen = wanted.resolve(resolved.graph)
        keys = [key for key in keys if key in chosen]
        chosen_checks = wanted.resolve_checks(resolved.graph)
        checks = [check for check in checks if check in chosen_checks]
    plan = _plan(
        resolved,
        resolved.resources,
        run_config,
        partition_key,
        tags,
        instance,
        asset_keys=keys,
        check_keys=checks,
        only_checks=selection is not None,
    )
    return _with_graphs(_run(replace(plan, job_name=EPHEMERAL_JOB), instance, raise_on_error, tags), resolved)


def _plan(
    resolved: ResolvedDefinitions,
    resources: Mapping[str, Any],
    run_config: Any,
    partition_key: str | None,
    tags: Mapping[str, str] | None,
    instance: Any,
    **target: Any,
) -> ExecutionPlan:
    from dagwright.planning.plan import plan_run  # noqa: PLC0415 - as in _run

    first, last = _ends(partition_key, tags or {})
    size = dimensions(_partitions(resolved, target)) or 1
    return plan_run(
        resolved,
        partition=UNPARTITIONED if first is None else parse_partition(first, size),
        partition_end=None if last is None else parse_partition(last, size),
        config=config_dict(run_config),
        extra_resources=resources,
        needs_partition=False,
        dynamic=AskedKeys(instance.history) if instance is not None else NO_DYNAMIC,
        **target,
    )


def _ends(partition_key: str | None, tags: Mapping[str, str]) -> tuple[str | None, str | None]:
    """What the run covers: one partition, or the range that tags name."""
    named = {**tags, ranges.PARTITION_TAG: partition_key} if partition_key is not None else tags
    try:
        return ranges.ends_in(named) or (named.get(ranges.PARTITION_TAG), None)
    except ValueError as error:
        raise InvalidRequestError(str(error), problems=[Problem(path="tags", message=str(error))]) from None


def _partitions(resolved: ResolvedDefinitions, target: Mapping[str, Any]) -> Partitions | None:
    definition: Partitions | None = None
    if "job_name" in target:
        found = resolved.jobs_by_name[target["job_name"]].partitions_def
        definition = found.to_model() if found is not None else None
    for asset_key in target.get("asset_keys", ()):
        if asset_key not in resolved.assets_by_key:
            continue  # the plan says so, and names the nearest
        spec = resolved.assets_by_key[asset_key].specs_by_key[asset_key]
        definition = definition or (spec.partitions_def.to_model() if spec.partitions_def is not None else None)
    return definition


def _run(
    plan: ExecutionPlan, instance: Any, raise_on_error: bool, tags: Mapping[str, str] | None, graph: GraphDefinition | None = None
) -> ExecuteInProcessResult:
    # With the engine comes asyncio: files of definitions import `materialize`, and never call it where they are only loaded.
    from dagwright import local_run  # noqa: PLC0415
    from dagwright.execution.executors.in_process import InProcessExecutor  # noqa: PLC0415

    # A test runner captures what steps print, and a script wants to see it.
    done = local_run.carry_out(plan, instance, tags=tags, executor=InProcessExecutor())
    if raise_on_error:
        done.raise_failure()
    return ExecuteInProcessResult(plan, run_view(done.run).with_status(done.status), done.events, done.kept, graph, done.instance)


def _with_graphs(result: ExecuteInProcessResult, resolved: ResolvedDefinitions) -> ExecuteInProcessResult:
    result._graphs = {each.graph.name: each.graph for each in resolved.assets if each.graph is not None}
    return result


def load_value(
    definitions: Definitions,
    key: AssetKey,
    instance: Any,
    python_type: Any,
    covered: str | PartitionKeyRange | None,
    metadata: Mapping[str, Any] | None,
    resource_config: Mapping[str, Any] | None,
) -> Any:
    """The stored value of an asset, loaded by a step that only loads; the work behind `Definitions.load_asset_value`."""
    taken: list[Any] = []

    def take(value: Any) -> None:
        taken.append(value)

    take.__annotations__ = {"return": None} | ({} if python_type is None else {"value": python_type})
    whole = covered is None
    partitions_def = None if whole else definitions.resolve().graph.spec(key).partitions_def
    mapping = AllPartitionMapping() if whole else None
    given = AssetIn(key=key, metadata=metadata, partition_mapping=mapping)
    taker = make_asset(take, name="loaded_value", ins={"value": given}, partitions_def=partitions_def)
    materialize(
        [taker, *definitions.assets],
        selection=[taker],
        resources=definitions.resources,
        instance=instance,
        partition_key=covered if isinstance(covered, str) else None,
        tags={ranges.START_TAG: covered.start, ranges.END_TAG: covered.end} if isinstance(covered, PartitionKeyRange) else None,
        run_config={"resources": dict(resource_config)} if resource_config else None,
    )
    return taken[0]


def _io_manager_keys(assets: Sequence[Any]) -> set[str]:
    keys: set[str] = set()
    for item in assets:
        op = getattr(item, "op", None)
        if op is not None:
            keys |= op.io_manager_keys
        if isinstance(item, AssetsDefinition):
            keys |= {item.io_manager_key_of(key) for key in item.keys}
    return keys


def _materialization(payload: AssetMaterialized) -> AssetMaterialization:
    return AssetMaterialization(payload.asset_key, payload.description, payload.metadata, format_partition(payload.partition), payload.tags)


invocation.install_runner(execute_job_in_process)
