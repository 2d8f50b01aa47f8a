"""Contexts made by hand, and calling definitions directly: what unit tests of user code need."""

from __future__ import annotations

import contextlib
import inspect
import logging
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from dagwright.authoring import invocation, naming, value_types
from dagwright.authoring.config import config_dict
from dagwright.authoring.instance import Instance
from dagwright.authoring.ops import DynamicOut, OpDefinition
from dagwright.authoring.partitions import MultiPartitionKey, PartitionsDefinition
from dagwright.authoring.resources import InitResourceContext, opened
from dagwright.authoring.results import Output
from dagwright.authoring.scoped_resources import Scoped
from dagwright.authoring.specs import AssetSpec
from dagwright.execution.compute import RESULTS
from dagwright.execution.contexts import AssetCheckExecutionContext, AssetExecutionContext, OpExecutionContext
from dagwright.execution.identity import RunInfo
from dagwright.execution.io_contexts import InputContext, OutputContext
from dagwright.execution.logs import EventLogger
from dagwright.execution.partition_view import RunPartitions
from dagwright.execution.surroundings import Surroundings
from dagwright.planning import assets as asset_steps
from dagwright_shared.model import partitions as parts
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.events import EngineMessage, LogMessage, Payload
from dagwright_shared.model.keys import PartitionKey

log = logging.getLogger("dagwright.built")

C = TypeVar("C", bound=OpExecutionContext)


class InvocationError(DagwrightError, TypeError):
    """An op, asset or check was called directly with arguments that do not fit."""


def build_op_context(  # noqa: PLR0913, PLR0917 - Dagster's arguments
    resources: Mapping[str, Any] | None = None,
    op_config: Any = None,
    resources_config: Mapping[str, Any] | None = None,
    instance: Any = None,
    config: Any = None,
    partition_key: str | None = None,
    partition_key_range: Any = None,
    mapping_key: str | None = None,
    run_tags: Mapping[str, str] | None = None,
) -> OpExecutionContext:
    """A context for calling an op directly.

    Args:
        resources: by key; ConfigurableResources are set up, and torn down when the context is closed or forgotten.
        op_config: what `context.op_config` gives; parsed when the op declares config.
        resources_config: `{key: {"config": ...}}`.
        partition_key: of the run.
        partition_key_range: the first and the last partition of the run, both included.
        mapping_key: what `context.get_mapping_key()` gives.
        run_tags: what `context.run.tags` gives.

    Example:
        >>> build_op_context(partition_key="2013-01-01").partition_key
        '2013-01-01'
    """
    return _build(
        OpExecutionContext,
        mapping_key=mapping_key,
        resources=resources,
        op_config=op_config if op_config is not None else config,
        resources_config=resources_config,
        instance=instance,
        partition_key=partition_key,
        partition_key_range=partition_key_range,
        run_tags=run_tags,
    )


def build_asset_context(
    resources: Mapping[str, Any] | None = None,
    resources_config: Mapping[str, Any] | None = None,
    asset_config: Any = None,
    instance: Any = None,
    partition_key: str | None = None,
    partition_key_range: Any = None,
    run_tags: Mapping[str, str] | None = None,
) -> AssetExecutionContext:
    """A context for calling an asset directly; the arguments are those of `build_op_context`.

    Example:
        >>> build_asset_context(partition_key="2013-01-01").has_partition_key
        True
    """
    return _build(
        AssetExecutionContext,
        resources=resources,
        op_config=asset_config,
        resources_config=resources_config,
        instance=instance,
        partition_key=partition_key,
        partition_key_range=partition_key_range,
        run_tags=run_tags,
    )


def build_asset_check_context(
    resources: Mapping[str, Any] | None = None,
    resources_config: Mapping[str, Any] | None = None,
    asset_config: Any = None,
    instance: Any = None,
) -> AssetCheckExecutionContext:
    """A context for calling a check directly."""
    return _build(
        AssetCheckExecutionContext, resources=resources, op_config=asset_config, resources_config=resources_config, instance=instance
    )


def build_input_context(  # noqa: PLR0913, PLR0917 - Dagster's arguments
    name: str | None = None,
    config: Any = None,
    definition_metadata: Mapping[str, Any] | None = None,
    upstream_output: OutputContext | None = None,
    dagster_type: Any = None,
    resource_config: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | None = None,
    op_def: Any = None,
    step_context: Any = None,
    asset_key: Any = None,
    partition_key: str | None = None,
    asset_partition_key_range: Any = None,
    asset_partitions_def: PartitionsDefinition | None = None,
    instance: Any = None,
    metadata: Mapping[str, Any] | None = None,
) -> InputContext:
    """A context for calling `load_input` directly."""
    keys, definition = _partition(partition_key, asset_partitions_def, asset_partition_key_range, instance)
    return InputContext(
        name=name or "input",
        config=config,
        definition_metadata=dict(definition_metadata or metadata or {}),
        upstream_output=upstream_output,
        annotation=dagster_type,
        resource_config=resource_config,
        resources=Scoped(resources or {}),
        op_def=op_def,
        step_context=step_context,
        asset_key_or_none=None if asset_key is None else naming.asset_key(asset_key, "build_input_context"),
        partitions=definition,
        keys=keys,
        of_run=RunPartitions(keys=keys if partition_key is not None else (), definition=definition),
    )


def build_output_context(  # noqa: PLR0913, PLR0917 - Dagster's arguments
    step_key: str | None = None,
    name: str | None = None,
    definition_metadata: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    mapping_key: str | None = None,
    config: Any = None,
    dagster_type: Any = None,
    version: str | None = None,
    resource_config: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | None = None,
    op_def: Any = None,
    asset_key: Any = None,
    partition_key: str | None = None,
    asset_partitions_def: PartitionsDefinition | None = None,
    asset_partition_key_range: Any = None,
    instance: Any = None,
    asset_spec: AssetSpec | None = None,
    metadata: Mapping[str, Any] | None = None,
    output_metadata: Mapping[str, Any] | None = None,
) -> OutputContext:
    """A context for calling `handle_output` directly.

    Args:
        asset_spec: what `context.asset_spec` gives.
        asset_partition_key_range: the first and the last partition of the asset that are stored; goes with `asset_partitions_def`.
        instance: which knows the keys of a range of dynamic partitions.
        others: what the attributes of the same name give.
    """
    keys, definition = _partition(partition_key, asset_partitions_def, asset_partition_key_range, instance)
    return OutputContext(
        step_key=step_key or "step",
        name=name or "result",
        definition_metadata=dict(definition_metadata or metadata or {}),
        run=RunInfo(run_id=run_id) if run_id is not None else None,
        mapping_key=mapping_key,
        config=config,
        annotation=dagster_type,
        version=version,
        resource_config=resource_config,
        resources=Scoped(resources or {}),
        op_def=op_def,
        asset_key_or_none=None if asset_key is None else naming.asset_key(asset_key, "build_output_context"),
        partitions=definition,
        keys=keys,
        of_run=RunPartitions(keys=keys if partition_key is not None else (), definition=definition),
        output_metadata=dict(output_metadata or {}),
        spec_or_none=asset_spec,
    )


def invoke(definition: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call the function of an op, asset or check, filling in config and resources from the context.

    Gives what the function gives: a generator stays one, and a coroutine is to be awaited.
    """
    op = definition if isinstance(definition, OpDefinition) else getattr(definition, "op", None)
    if not isinstance(op, OpDefinition):
        return definition.fn(*args, **kwargs)
    rest, named = list(args), dict(kwargs)
    context = _context(op, rest, named)
    if context is not None:
        context.bind(asset_steps.skeleton(definition))
    names = [name for name in inspect.signature(op.fn).parameters if name != op.context_param]
    if len(rest) > len(names):
        raise InvocationError(
            f"{_named(op)} takes {len(names)} arguments besides the context ({', '.join(names)}), but {len(rest)} were given"
        )
    named.update(zip(names, rest, strict=False))
    _fill_in(op, context, named)
    for name, given in op.ins.items():
        if name in named:
            _check_type(f"the input {name!r} of {op.name!r}", given.dagster_type, named[name], context)
    returned = op.fn(context, **named) if op.context_param is not None else op.fn(**named)
    return _checked(op, returned, context)


def _named(op: OpDefinition) -> str:
    return f"{op.name!r}" if op.source is None else f"{op.name!r} (defined at {op.source})"


def _checked(op: OpDefinition, returned: Any, context: OpExecutionContext | None) -> Any:
    """What the function gave, when it is of the types of its outputs; what comes later is looked at when it comes.

    Raises:
        TypeCheckError: it is not.
    """
    if inspect.isgenerator(returned):
        return _checked_each(op, returned, context)
    if isinstance(returned, Output):
        out = op.outs.get(returned.output_name)
        if out is not None and not isinstance(out, DynamicOut):
            _check_type(f"the output {returned.output_name!r} of {op.name!r}", out.dagster_type, returned.value, context)
    elif len(op.outs) == 1 and not isinstance(returned, RESULTS) and not inspect.isawaitable(returned) and not inspect.isasyncgen(returned):
        name, out = next(iter(op.outs.items()))
        if not isinstance(out, DynamicOut):
            _check_type(f"the output {name!r} of {op.name!r}", out.dagster_type, returned, context)
    return returned


def _checked_each(op: OpDefinition, items: Any, context: OpExecutionContext | None) -> Any:
    for item in items:
        yield _checked(op, item, context) if isinstance(item, Output) else item


def _check_type(what: str, annotation: Any, value: Any, context: OpExecutionContext | None) -> None:
    if annotation is None or value is None:
        return
    found = value_types.check(annotation, value, context)
    if not found.success:
        raise value_types.TypeCheckError(
            f"{what} is declared as {value_types.type_name(annotation)}: {found.description or 'the value does not fit'}"
        )


def _context(op: OpDefinition, rest: list[Any], named: dict[str, Any]) -> OpExecutionContext | None:
    if op.context_param is None:
        if rest and isinstance(rest[0], OpExecutionContext):
            unused: OpExecutionContext = rest.pop(0)  # it takes none, but config and resources may come from it
            return unused
        found = named.pop("context", None) if "context" not in op.ins else None
        return found if isinstance(found, OpExecutionContext) else None
    if op.context_param in named:
        context: Any = named.pop(op.context_param)
    elif rest:
        context = rest.pop(0)
    else:
        raise InvocationError(
            f"{_named(op)} takes a context as its first argument; give one made by build_op_context() or build_asset_context()"
        )
    if context is not None and not isinstance(context, OpExecutionContext):
        raise InvocationError(
            f"the first argument of {_named(op)} is its context, but a {type(context).__name__} was given; "
            "give one made by build_op_context() or build_asset_context()"
        )
    given: OpExecutionContext | None = context
    return given


def _fill_in(op: OpDefinition, context: OpExecutionContext | None, named: dict[str, Any]) -> None:
    for name, key in op.resource_params.items():
        if name not in named:
            if context is None or key not in context.resources:
                raise InvocationError(f"{_named(op)} needs the resource {key!r}; pass it as {name}=..., or in the context's resources")
            named[name] = context.resources[key]
    given = context.surroundings.config if context is not None else None
    if op.config_type is not None:
        if op.config_param is not None and op.config_param in named:
            value = named[op.config_param]
            if isinstance(value, Mapping):
                named[op.config_param] = op.config_type.parse(dict(value), op.config_param)
            if context is not None:
                context.surroundings.config = named[op.config_param]
        else:
            if not isinstance(given, BaseModel):
                given = op.config_type.parse(op.config_type.empty if given is None else given, "config")
            if op.config_param is not None:
                named[op.config_param] = given
            if context is not None:
                context.surroundings.config = given


def _build(kind: type[C], *, resources: Any, op_config: Any, resources_config: Any, instance: Any, **more: Any) -> C:
    partition_key = more.get("partition_key")
    span = more.get("partition_key_range")
    if span is not None and partition_key is not None:
        raise InvocationError("a run is of one partition or of a range; give partition_key= or partition_key_range=")
    instance = Instance.ephemeral() if instance is None else instance
    stack = contextlib.ExitStack()
    definitions = dict(resources or {})
    init = InitResourceContext(log=EventLogger(_to_logging), instance=instance)
    values = stack.enter_context(opened(definitions, set(definitions), config=config_dict(resources_config), context=init))
    given = (partition_key,) if partition_key is not None else span or ()
    keys = tuple(tuple(key.keys_by_dimension.values()) if isinstance(key, MultiPartitionKey) else (key,) for key in given)
    covered = RunPartitions(keys=keys, is_range=span is not None, settled=False)
    context = kind(
        Surroundings(
            run=RunInfo(run_id="00000000-0000-7000-8000-000000000000", tags=dict(more.get("run_tags") or {}), partition=covered.first),
            emit=_to_logging,
            config=op_config,
            resources=Scoped(values),
            instance=instance,
            covered=covered,
            mapping_key=more.get("mapping_key"),
            built=True,
        )
    )
    context.surroundings.close = stack.close
    weakref.finalize(context, stack.close)
    return context


def _to_logging(payload: Payload) -> None:
    if isinstance(payload, LogMessage | EngineMessage):
        log.log(payload.level, "%s", payload.message)


def _partition(
    key: str | None, definition: PartitionsDefinition | None, span: Any, instance: Any
) -> tuple[tuple[PartitionKey, ...], parts.Partitions | None]:
    """The partitions of an asset that a built context is of.

    Raises:
        InvocationError: a range without a definition says nothing of what lies in it.
    """
    if span is not None:
        if definition is None:
            raise InvocationError("asset_partition_key_range= needs asset_partitions_def=, which knows the partitions between")
        names = definition.get_partition_keys_in_range(span, dynamic_partitions_store=instance)
        return tuple(definition.parse_key(one) for one in names), definition.to_model()
    if key is None:
        return (), definition.to_model() if definition is not None else None
    if definition is None:
        return ((key,),), None
    return (definition.parse_key(key),), definition.to_model()


invocation.install(invoke)
