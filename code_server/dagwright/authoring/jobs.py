"""Jobs: what a run executes. A job of ops has a graph; a job of assets has their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, overload

from dagwright.authoring import graphs, invocation, naming
from dagwright.authoring import source as sources
from dagwright.authoring.config import RunConfig, config_dict
from dagwright.authoring.executors import ExecutorDefinition
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.policies import RetryPolicy
from dagwright.authoring.selections import AssetSelection, CoercibleToAssetSelection
from dagwright.authoring.specs import read_hooks
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.metadata import Metadata, normalize_metadata


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobDefinition:
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
    op_retry_policy: RetryPolicy | None = None
    """For ops that have none."""
    hook_defs: frozenset[Any] = frozenset()
    """Called for each of its ops."""
    logger_defs: Mapping[str, Any] = field(default_factory=dict)
    """Loggers that receive the records of its runs; empty means those of Definitions."""
    input_values: Mapping[str, Any] = field(default_factory=dict)
    """Values for inputs of its graph."""
    source: SourceRef | None = None

    @property
    def is_asset_job(self) -> bool:
        return self.graph is None

    @property
    def all_run_tags(self) -> dict[str, str]:
        """What each run is tagged with."""
        return {**self.tags, **self.run_tags}

    def execute_in_process(self, **options: Any) -> Any:
        """Run the job here and now, as a test does; gives an ExecuteInProcessResult.

        Args:
            run_config: a dict or a RunConfig.
            partition_key, tags, resources, instance: of the run.
            raise_on_error: raise the exception of the first step that failed; True by default.
            definitions: where a job of assets finds them.
        """
        return invocation.in_process(self, options)

    def __repr__(self) -> str:
        return f"<job {self.name}>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnresolvedAssetJobDefinition:
    """A job over a selection of assets, whose members are known once all definitions are together."""

    name: str
    selection: AssetSelection
    description: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    executor_def: ExecutorDefinition | None = None
    partitions_def: PartitionsDefinition | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
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
    config: Mapping[str, Any] | RunConfig | None = ...,
    tags: Mapping[str, Any] | None = ...,
    run_tags: Mapping[str, Any] | None = ...,
    metadata: Mapping[str, Any] | None = ...,
    executor_def: ExecutorDefinition | None = ...,
    op_retry_policy: RetryPolicy | None = ...,
    partitions_def: PartitionsDefinition | None = ...,
    hooks: AbstractSet[Any] | None = ...,
    logger_defs: Mapping[str, Any] | None = ...,
    input_values: Mapping[str, Any] | None = ...,
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
    config: Mapping[str, Any] | RunConfig | None = None,
    tags: Mapping[str, Any] | None = None,
    run_tags: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    executor_def: ExecutorDefinition | None = None,
    op_retry_policy: RetryPolicy | None = None,
    partitions_def: PartitionsDefinition | None = None,
    hooks: Any = None,
    logger_defs: Any = None,
    input_values: Any = None,
) -> JobDefinition:
    """A job of a graph, checked: every input connected, every option of the right kind."""
    called = naming.check_name(name or graph.name, "job", source)
    what = f"job {called!r}"
    check_options(what, source, executor_def, op_retry_policy, partitions_def)
    graphs.check_connected(graph, what, input_values or {})
    return JobDefinition(
        name=called,
        graph=graph,
        description=description or graph.description,
        resource_defs=dict(resource_defs or {}),
        executor_def=executor_def,
        config=config_dict(config),
        partitions_def=partitions_def,
        tags={**graph.tags, **naming.check_tags(tags, what, source)},
        run_tags=naming.check_tags(run_tags, what, source),
        metadata=normalize_metadata(metadata),
        op_retry_policy=op_retry_policy,
        hook_defs=read_hooks(hooks, what, source),
        logger_defs=dict(logger_defs or {}),
        input_values=dict(input_values or {}),
        source=source,
    )


def define_asset_job(
    name: str,
    selection: CoercibleToAssetSelection | None = None,
    config: Mapping[str, Any] | RunConfig | None = None,
    description: str | None = None,
    tags: Mapping[str, Any] | None = None,
    run_tags: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    executor_def: ExecutorDefinition | None = None,
    hooks: Any = None,
    op_retry_policy: RetryPolicy | None = None,
) -> UnresolvedAssetJobDefinition:
    """A job that materializes the selected assets.

    Args:
        name: of the job.
        selection: an AssetSelection, a selection string such as `"group:raw and not tag:slow"`, or a list of assets;
            by default all assets.
        config: default run config.
        partitions_def: by default that of the selected assets, when they share one.
        description, tags, run_tags, metadata, executor_def, op_retry_policy: as for `@job`.

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
    return UnresolvedAssetJobDefinition(
        name=called,
        selection=AssetSelection.all() if selection is None else AssetSelection.from_coercible(selection),
        description=description,
        config=config_dict(config),
        executor_def=executor_def,
        partitions_def=partitions_def,
        tags=naming.check_tags(tags, what, source),
        run_tags=naming.check_tags(run_tags, what, source),
        metadata=normalize_metadata(metadata),
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
