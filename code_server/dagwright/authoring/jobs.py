"""Jobs: what a run executes. A job of ops has a graph; a job of assets has their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from typing import Any, overload

from dagwright.authoring import graphs, invocation, naming
from dagwright.authoring import source as sources
from dagwright.authoring.composition import Node
from dagwright.authoring.config import RunConfig, config_dict
from dagwright.authoring.config_mapping import ConfigMapping
from dagwright.authoring.executors import ExecutorDefinition
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.loggers import read_loggers
from dagwright.authoring.partitioned_config import PartitionedConfig
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.policies import RetryPolicy
from dagwright.authoring.requests import RunRequest
from dagwright.authoring.selections import AssetSelection, CoercibleToAssetSelection
from dagwright.authoring.specs import read_hooks
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, NotFoundError, SourceRef, SubsetError, nearest
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, PartitionKey
from dagwright_shared.model.metadata import Metadata, normalize_metadata


class _Partitioned:
    """A job, or what becomes one, that may be partitioned."""

    __slots__ = ()
    name: str
    partitions_def: PartitionsDefinition | None
    partitioned_config: PartitionedConfig | None
    source: SourceRef | None

    def run_request_for_partition(
        self,
        partition_key: str,
        run_key: str | None = None,
        tags: Mapping[str, str] | None = None,
        run_config: Mapping[str, Any] | None = None,
        asset_selection: Sequence[AssetKey] | None = None,
        **_others: Any,
    ) -> RunRequest:
        """A request for a run of one partition, as a sensor or schedule returns it.

        Raises:
            DefinitionError: the job is not partitioned.
        """
        if self.partitions_def is None:
            raise DefinitionError(f"job {self.name!r} is not partitioned", source=self.source, mend="give it partitions_def=")
        by_partition = self.partitioned_config
        made = (
            run_config if run_config is not None or by_partition is None else by_partition.get_run_config_for_partition_key(partition_key)
        )
        own = by_partition.get_tags_for_partition_key(partition_key) if by_partition is not None else {}
        return RunRequest(run_key, made, {**own, **(tags or {})}, self.name, partition_key=partition_key, asset_selection=asset_selection)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobDefinition(_Partitioned):
    """A job. Made by `@job`, `graph.to_job()`, or from `define_asset_job` when the definitions are resolved."""

    name: str
    graph: GraphDefinition | None = None
    """None for a job of assets."""
    asset_keys: tuple[AssetKey, ...] = ()
    check_keys: tuple[AssetCheckKey, ...] = ()
    description: str | None = None
    resource_defs: Mapping[str, Any] = field(default_factory=dict)
    """The job's own resources; they win over those of Definitions."""
    executor_def: ExecutorDefinition | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    """Default run config, in its JSON form."""
    partitions_def: PartitionsDefinition | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
    owners: Sequence[str] | None = None
    op_retry_policy: RetryPolicy | None = None
    """For ops that have none."""
    hook_defs: frozenset[Any] = frozenset()
    """Called for each of its ops."""
    logger_defs: Mapping[str, Any] = field(default_factory=dict)
    """Loggers that receive the records of its runs; empty means those of Definitions."""
    input_values: Mapping[str, Any] = field(default_factory=dict)
    """Values for inputs of its graph."""
    config_mapping: ConfigMapping | None = None
    """Makes the whole run config from simpler config."""
    partitioned_config: PartitionedConfig | None = None
    """Makes the run config of a partition, where the launch gives none."""
    origin: Any = None
    """The Definitions that it was taken from, which `execute_in_process` needs for the assets of an asset job."""
    source: SourceRef | None = None

    @property
    def is_asset_job(self) -> bool:
        return self.graph is None

    @property
    def all_run_tags(self) -> dict[str, str]:
        """What each run is tagged with."""
        return {**self.tags, **self.run_tags}

    def run_config_for(self, given: Mapping[str, Any], partition: PartitionKey) -> Mapping[str, Any]:
        """What a launch's config means: through the config mapping, or made for the partition where the launch gives none."""
        if self.config_mapping is not None:
            return self.config_mapping.resolve(given)
        if self.partitioned_config is not None and not given and partition:
            return self.partitioned_config.get_run_config_for_partition_key(self.partitioned_config.partitions_def._text(partition))
        return given

    @property
    def run_config(self) -> Mapping[str, Any] | None:
        """The config that was given with the job."""
        return self.config or None

    @property
    def required_resource_keys(self) -> frozenset[str]:
        """What the ops of a job of ops ask for."""
        if self.graph is None:
            return frozenset()
        return frozenset(key for _, op, _ in self.graph.walk() for key in op.required_resource_keys)

    @property
    def nodes(self) -> list[Node]:
        """The ops and graphs of its body; of a job of assets those that compute them, once it was taken from Definitions."""
        if self.graph is not None:
            return self.graph.nodes
        resolved = self.origin.resolve() if self.origin is not None else None
        owners = [] if resolved is None else [resolved.assets_by_key[key] for key in self.asset_keys if key in resolved.assets_by_key]
        owners += [] if resolved is None else [resolved.checks_by_key[key] for key in self.check_keys if key in resolved.checks_by_key]
        found = {owner.name: owner.node_def for owner in owners if owner.node_def is not None}
        return [Node(definition=definition, name=name) for name, definition in found.items()]

    @property
    def all_node_defs(self) -> list[Any]:
        """The ops and graphs of its body, each once."""
        return list({id(node.definition): node.definition for node in self.nodes}.values())

    top_level_node_defs = all_node_defs

    def has_node_named(self, name: str) -> bool:
        return any(node.name == name for node in self.nodes)

    def get_node_named(self, name: str) -> Node:
        """One of its nodes.

        Raises:
            NotFoundError: there is none of this name.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise NotFoundError("node", name, known=[node.name for node in self.nodes], where=f"job {self.name!r}")

    def get_subset(
        self,
        *,
        op_selection: Sequence[str] | None = None,
        asset_selection: AbstractSet[AssetKey] | None = None,
        asset_check_selection: AbstractSet[AssetCheckKey] | None = None,
    ) -> JobDefinition:
        """The same job of some of its assets.

        Args:
            asset_selection: keys of assets; those of a function that makes all or nothing are made together.
            asset_check_selection: keys of checks; by default those of the chosen assets.
            op_selection: refused: which ops run is said where the job is run.

        Raises:
            DefinitionError: it is a job of ops.
            SubsetError: the job does not have what is chosen.
        """
        if self.graph is not None or op_selection is not None:
            raise DefinitionError(
                f"job {self.name!r} has no subset as a job of its own",
                source=self.source,
                mend="run some of its ops by execute_in_process(op_selection=[...]), or make another job of them",
            )
        if asset_selection is None and asset_check_selection is None:
            return self
        keys, checks = frozenset(asset_selection or ()), asset_check_selection
        known = {*map(AssetKey.to_user_string, self.asset_keys), *map(AssetCheckKey.to_user_string, self.check_keys)}
        chosen = {*map(AssetKey.to_user_string, keys), *map(AssetCheckKey.to_user_string, checks or ())}
        for wanted in sorted(chosen - known):
            close = nearest(wanted, known)
            raise SubsetError(f"job {self.name!r} does not have {wanted}" + (f"; did you mean {close!r}?" if close else ""))
        judged = [key for key in self.check_keys if (key.asset_key in keys if checks is None else key in checks)]
        return replace(self, asset_keys=tuple(key for key in self.asset_keys if key in keys), check_keys=tuple(judged))

    @property
    def loggers(self) -> Mapping[str, Any]:
        return self.logger_defs

    def with_hooks(self, hook_defs: AbstractSet[Any]) -> JobDefinition:
        """The same job with more hooks."""
        return replace(self, hook_defs=self.hook_defs | read_hooks(hook_defs, f"job {self.name!r}", self.source))

    def with_metadata(self, metadata: Mapping[str, Any]) -> JobDefinition:
        """The same job with other metadata."""
        return replace(self, metadata=normalize_metadata(metadata))

    def with_top_level_resources(self, resource_defs: Mapping[str, Any]) -> JobDefinition:
        """The same job with resources where it has none of its own."""
        return replace(self, resource_defs={**resource_defs, **self.resource_defs})

    def with_executor_def(self, executor_def: ExecutorDefinition) -> JobDefinition:
        """The same job with another executor."""
        return replace(self, executor_def=executor_def)

    def with_logger_defs(self, logger_defs: Mapping[str, Any]) -> JobDefinition:
        """The same job with other loggers."""
        return replace(self, logger_defs=dict(logger_defs))

    def execute_in_process(self, run_config: Any = None, instance: Any = None, partition_key: str | None = None, **options: Any) -> Any:
        """Run the job here and now, as a test does; gives an ExecuteInProcessResult.

        Args:
            run_config: a dict or a RunConfig.
            instance, partition_key, tags, resources: of the run.
            raise_on_error: raise the exception of the first step that failed; True by default.
            asset_selection: keys of the assets to make, of a job of assets; by default all of them.
            definitions: where a job of assets finds them; by default those that it was taken from by `get_job_def`.
        """
        return invocation.in_process(self, {"run_config": run_config, "instance": instance, "partition_key": partition_key, **options})

    def __repr__(self) -> str:
        return f"<job {self.name}>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnresolvedAssetJobDefinition(_Partitioned):
    """A job over a selection of assets, whose members are known once all definitions are together."""

    name: str
    selection: AssetSelection
    description: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    partitioned_config: PartitionedConfig | None = None
    executor_def: ExecutorDefinition | None = None
    partitions_def: PartitionsDefinition | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
    owners: Sequence[str] | None = None
    op_retry_policy: RetryPolicy | None = None
    hook_defs: frozenset[Any] = frozenset()
    source: SourceRef | None = None

    def __repr__(self) -> str:
        return f"<asset job {self.name}>"


@overload
def job(compose_fn: Callable[..., Any], /) -> JobDefinition: ...
@overload
def job(
    *,
    name: str | None = ...,
    description: str | None = ...,
    resource_defs: Mapping[str, Any] | None = ...,
    config: Mapping[str, Any] | RunConfig | ConfigMapping | PartitionedConfig | None = ...,
    tags: Mapping[str, Any] | None = ...,
    run_tags: Mapping[str, Any] | None = ...,
    metadata: Mapping[str, Any] | None = ...,
    executor_def: ExecutorDefinition | None = ...,
    op_retry_policy: RetryPolicy | None = ...,
    partitions_def: PartitionsDefinition | None = ...,
    hooks: AbstractSet[Any] | None = ...,
    logger_defs: Mapping[str, Any] | None = ...,
    input_values: Mapping[str, Any] | None = ...,
    owners: Sequence[str] | None = ...,
) -> Callable[[Callable[..., Any]], JobDefinition]: ...
def job(compose_fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Turn a function whose body calls ops into a job.

    Args:
        name: by default the function's.
        description: by default the docstring.
        resource_defs: resources of this job alone, by key.
        config: default run config: a dict or a RunConfig.
        tags: of the job and of each of its runs.
        run_tags: of each of its runs only.
        metadata: shown on the job's page.
        owners: who answers for it, as e-mail addresses or `team:name`; shown.
        executor_def: runs its steps; by default that of Definitions.
        op_retry_policy: for ops without one.
        partitions_def: each run then covers one partition.

    Raises:
        DefinitionError: the body does not connect every input, or an option does not fit.

    Example:
        >>> from dagwright import job, op
        >>> @op
        ... def hello():
        ...     return "hello"
        >>> @job
        ... def greet():
        ...     hello()
        >>> greet.name
        'greet'
    """
    if compose_fn is not None:
        return _decorate(compose_fn)
    return lambda fn: _decorate(fn, **options)


def _decorate(fn: Callable[..., Any], *, name: str | None = None, description: str | None = None, **options: Any) -> JobDefinition:
    body = graphs.make_graph(fn, name=name, description=description, what="job")
    return job_of(body, source=body.source, **options)


def job_of(
    graph: GraphDefinition,
    *,
    source: SourceRef | None,
    name: str | None = None,
    description: str | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    config: Any = None,
    tags: Mapping[str, Any] | None = None,
    run_tags: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    executor_def: ExecutorDefinition | None = None,
    op_retry_policy: RetryPolicy | None = None,
    partitions_def: PartitionsDefinition | None = None,
    hooks: Any = None,
    logger_defs: Any = None,
    input_values: Any = None,
    owners: Sequence[str] | None = None,
) -> JobDefinition:
    """A job of a graph, checked: every input connected, every option of the right kind."""
    called = naming.check_name(name or graph.name, "job", source)
    what = f"job {called!r}"
    check_options(what, source, executor_def, op_retry_policy, partitions_def)
    graphs.check_connected(graph, what, input_values or {})
    by_partition = config if isinstance(config, PartitionedConfig) else None
    mapping = config if isinstance(config, ConfigMapping) else None
    if by_partition is not None:
        partitions_def = by_partition.partitions_for(partitions_def, what, source)
    return JobDefinition(
        name=called,
        graph=graph,
        description=description or graph.description,
        resource_defs=dict(resource_defs or {}),
        executor_def=executor_def,
        config={} if by_partition is not None or mapping is not None else config_dict(config),
        config_mapping=mapping,
        partitioned_config=by_partition,
        partitions_def=partitions_def,
        tags={**graph.tags, **naming.check_run_tags(tags, what, source)},
        run_tags=naming.check_run_tags(run_tags, what, source),
        metadata=normalize_metadata(metadata),
        owners=naming.check_owners(owners, what, source) or None,
        op_retry_policy=op_retry_policy,
        hook_defs=read_hooks(hooks, what, source),
        logger_defs=read_loggers(logger_defs, what, source),
        input_values=dict(input_values or {}),
        source=source,
    )


def define_asset_job(
    name: str,
    selection: CoercibleToAssetSelection | None = None,
    config: Mapping[str, Any] | RunConfig | PartitionedConfig | None = None,
    description: str | None = None,
    tags: Mapping[str, Any] | None = None,
    run_tags: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    executor_def: ExecutorDefinition | None = None,
    hooks: Any = None,
    op_retry_policy: RetryPolicy | None = None,
    owners: Sequence[str] | None = None,
    automation_condition: Any = None,
) -> UnresolvedAssetJobDefinition:
    """A job that materializes the selected assets.

    Args:
        name: of the job.
        selection: an AssetSelection, a selection string such as `"group:raw and not tag:slow"`, or a list of assets;
            by default all assets.
        config: default run config.
        partitions_def: by default that of the selected assets, when they share one.
        description, tags, run_tags, metadata, owners, executor_def, op_retry_policy: as for `@job`.
        automation_condition: refused: assets and checks have conditions, jobs have schedules and sensors.

    Raises:
        DefinitionError: an option does not fit; and, once the definitions are resolved, the selection matches nothing.

    Example:
        >>> define_asset_job("nightly", selection="group:raw").name
        'nightly'
    """
    source = sources.of_caller()
    called = naming.check_name(name, "job", source)
    what = f"job {called!r}"
    check_options(what, source, executor_def, op_retry_policy, partitions_def)
    if automation_condition is not None:
        raise DefinitionError(
            f"{what} has an automation condition; only assets and checks can have one here",
            source=source,
            mend="give the condition to the job's assets, or start the job by a schedule or a sensor",
        )
    by_partition = config if isinstance(config, PartitionedConfig) else None
    if by_partition is not None:
        partitions_def = by_partition.partitions_for(partitions_def, what, source)
    return UnresolvedAssetJobDefinition(
        name=called,
        partitioned_config=by_partition,
        selection=AssetSelection.all() if selection is None else AssetSelection.from_coercible(selection),
        description=description,
        config={} if isinstance(config, PartitionedConfig) else config_dict(config),
        executor_def=executor_def,
        partitions_def=partitions_def,
        tags=naming.check_run_tags(tags, what, source),
        run_tags=naming.check_run_tags(run_tags, what, source),
        metadata=normalize_metadata(metadata),
        owners=naming.check_owners(owners, what, source) or None,
        op_retry_policy=op_retry_policy,
        hook_defs=read_hooks(hooks, what, source),
        source=source,
    )


def check_options(
    what: str,
    source: SourceRef | None,
    executor_def: object = None,
    retry_policy: object = None,
    partitions_def: object = None,
) -> None:
    """Options of the wrong kind are told where they are given, not when a run starts."""
    wanted = (
        (executor_def, ExecutorDefinition, "executor_def"),
        (retry_policy, RetryPolicy, "op_retry_policy"),
        (partitions_def, PartitionsDefinition, "partitions_def"),
    )
    for value, kind, option in wanted:
        if value is not None and not isinstance(value, kind):
            raise DefinitionError(f"{what}: {option} is a {type(value).__name__}", source=source, mend=f"give a {kind.__name__}")
