"""What op and asset functions receive as `context`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Self

from dagwright.authoring import naming
from dagwright.authoring.config import plain
from dagwright.authoring.handles import NodeHandle, StepHandle
from dagwright.authoring.partition_views import definition_of
from dagwright.authoring.partitions import MultiPartitionKey, PartitionKeyRange, PartitionsDefinition, TimeWindow
from dagwright.authoring.results import AssetMaterialization, AssetObservation, ExpectationResult
from dagwright.execution.identity import RunInfo
from dagwright.execution.logs import EventLogger
from dagwright.execution.partition_view import PartitionError, RunPartitions, multi_key, window_of
from dagwright.execution.ports import AskedKeys
from dagwright.execution.surroundings import Surroundings
from dagwright.execution.versions import DataProvenance, provenance
from dagwright.planning.steps import FromAsset, PlannedOutput, Step, flat
from dagwright_shared.model.events import AssetMaterialized, AssetObserved, LogLevel, LogMessage, Payload
from dagwright_shared.model.json_values import json_safe
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, PartitionKey
from dagwright_shared.model.metadata import JsonMetadataValue, Metadata, normalize_metadata
from dagwright_shared.model.partitions import NO_DYNAMIC

_current: ContextVar[OpExecutionContext | None] = ContextVar("dagwright_context", default=None)


class OpExecutionContext:
    """The run, the partition, the config, the resources and the logger of the step that is running.

    Take it as an argument named `context` (or annotated with this class).

    Example:
        >>> import dagwright as dg
        >>> @dg.op
        ... def greet(context: dg.OpExecutionContext):
        ...     context.log.info("run %s", context.run_id)
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._s = surroundings
        self._log: logging.Logger | None = None

    @classmethod
    def get(cls) -> Any:
        """The context of the step that is running; raises RuntimeError outside of one."""
        context = _current.get()
        if context is None:
            raise RuntimeError(f"{cls.__name__}.get() works only while a step runs")
        return context

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._s.close is not None:
            self._s.close()

    # ---- the run

    @property
    def log(self) -> logging.Logger:
        """A logger whose lines become events of the run."""
        if self._log is None:
            self._log = EventLogger(self._s.emit)
        return self._log

    @property
    def run(self) -> RunInfo:
        return self._s.run

    @property
    def dagster_run(self) -> RunInfo:
        return self._s.run

    @property
    def run_id(self) -> str:
        return self._s.run.run_id

    @property
    def job_name(self) -> str:
        return self._s.run.job_name

    @property
    def run_config(self) -> Mapping[str, Any]:
        return self._s.run.run_config

    @property
    def run_tags(self) -> Mapping[str, str]:
        return self._s.run.tags

    def has_tag(self, key: str) -> bool:
        return key in self._s.run.tags

    def get_tag(self, key: str) -> str | None:
        return self._s.run.tags.get(key)

    @property
    def instance(self) -> Any:
        """The deployment, as far as this process can reach it."""
        if self._s.instance is None:
            raise RuntimeError("this process is not connected to a deployment, so there is no context.instance")
        return self._s.instance

    @property
    def retry_number(self) -> int:
        """0 in the first attempt of the step, then 1, 2 ..."""
        return self._s.attempt - 1

    # ---- the step

    @property
    def op_execution_context(self) -> OpExecutionContext:
        return self

    @property
    def op_config(self) -> Any:
        """The step's config, as given or by default: of a Config class, its fields in a dict."""
        return plain(self._s.config)

    @property
    def resources(self) -> Any:
        """The resources, as attributes by their keys."""
        return self._s.resources

    @property
    def op_def(self) -> Any:
        return self._step.op

    @property
    def op(self) -> Any:
        """The op under the name that it has in its graph, which `alias` may have changed."""
        name = self._step.key.rpartition(".")[2].partition("[")[0]
        return self._step.op if name == self._step.op.name else replace(self._step.op, name=name)

    @property
    def op_handle(self) -> NodeHandle:
        """Where the op is: its name, and the graphs around it."""
        return StepHandle.of(self._step.key).node_handle

    node_handle = op_handle

    @property
    def step_key(self) -> str:
        return self._step.key

    @property
    def selected_output_names(self) -> set[str]:
        """Outputs that this run asks of the step."""
        return {o.name for o in self._step.outputs if o.selected}

    def describe_op(self) -> str:
        return f"op {self._step.op.name!r} in step {self._step.key!r}"

    # ---- the partition

    @property
    def has_partitions(self) -> bool:
        """Whether the run is of a partition or of a range of them."""
        return bool(self._s.covered.keys)

    @property
    def has_partition_key(self) -> bool:
        """Whether the run is of one partition."""
        return self._s.covered.has_key

    @property
    def partition_key(self) -> str:
        """The partition of the run, as text; with several dimensions it knows its parts (`keys_by_dimension`).

        Raises:
            PartitionError: the run has no partition, or a range of several.
        """
        return self._s.covered.key(self._named)

    @property
    def multi_partition_key(self) -> MultiPartitionKey:
        """The partition of a run with several dimensions.

        Raises:
            PartitionError: there is none, or it has one dimension.
        """
        key = self.partition_key
        if not isinstance(key, MultiPartitionKey):
            raise PartitionError(f"the partition {key!r} of {self._named} has one dimension, so there is no multi_partition_key")
        return key

    @property
    def partition_keys(self) -> Sequence[str]:
        """The partitions of the run, in the order of their definition: one, or all of its range."""
        return self._s.covered.texts(self._named)

    @property
    def has_partition_key_range(self) -> bool:
        """Whether the run is of a range of partitions."""
        return self._s.covered.has_range

    @property
    def partition_key_range(self) -> PartitionKeyRange:
        """The first and the last partition of the run."""
        return self._s.covered.span(self._named)

    @property
    def asset_partition_key_range(self) -> PartitionKeyRange:
        return self.partition_key_range

    @property
    def partition_time_window(self) -> TimeWindow:
        """From the start of the run's first partition to the end of its last; of its time dimension, where it has several."""
        return self._s.covered.window(self._named)

    # ---- events and metadata

    def add_output_metadata(self, metadata: Mapping[str, Any], output_name: str | None = None, mapping_key: str | None = None) -> None:
        """Attach metadata to an output, and to the asset that it makes.

        Args:
            metadata: plain values or MetadataValues.
            output_name: needed only where there are several outputs.
            mapping_key: of a dynamic output: which value; attach it before the value is yielded.
        """
        name = output_name or self._only_output()
        if mapping_key is not None:
            name = f"{name}[{mapping_key}]"
        self._s.added.setdefault(name, {}).update(metadata)

    def get_output_metadata(self, output_name: str, mapping_key: str | None = None) -> Mapping[str, Any] | None:
        return self._s.added.get(output_name if mapping_key is None else f"{output_name}[{mapping_key}]")

    def get_mapping_key(self) -> str | None:
        """The mapping key of a step that is mapped over a dynamic output; of maps inside maps the innermost one."""
        return self._step.path[-1] if self._step.path else self._s.mapping_key

    def add_asset_metadata(self, metadata: Mapping[str, Any], asset_key: Any = None, partition_key: str | None = None) -> None:
        """Attach metadata to the materialization of an asset that this step makes; of all of them when none is named.

        Args:
            metadata: plain values or MetadataValues.
            asset_key: of one of the step's assets.
            partition_key: only to the materialization of this partition.
        """
        keys = [_key(asset_key)] if asset_key is not None else list(self._asset_keys())
        for key in keys:
            self._s.added_to_assets.setdefault((key, partition_key), {}).update(metadata)

    def log_event(self, event: Any) -> None:
        """Record an AssetMaterialization or AssetObservation at once.

        Raises:
            TypeError: it is something else.
        """
        self._s.emit(event_payload(event))

    def report_asset_materialization(self, event: AssetMaterialization) -> None:
        self.log_event(event)

    # ---- for subclasses

    @property
    def _named(self) -> str:
        return f"step {self._s.step.key!r}" if self._s.step is not None else "this context"

    @property
    def _step(self) -> Step:
        if self._s.step is None:
            raise RuntimeError("this context was built by hand and belongs to no step yet; pass it to the op or asset")
        return self._s.step

    def _asset_keys(self) -> Sequence[AssetKey]:
        return self._s.step.asset_keys if self._s.step is not None else ()

    def _only_output(self) -> str:
        if self._s.step is None:
            return "result"
        names = [o.name for o in self._s.step.outputs if o.selected]
        if len(names) != 1:
            raise ValueError(f"the step has the outputs {', '.join(names) or 'none'}: say which one by output_name=")
        return names[0]

    def bind(self, step: Step) -> None:
        """Give a context that was built by hand to the op or asset that is called with it."""
        if self._s.built:
            self._s.step = step
            dynamic = AskedKeys(self._s.instance.history) if self._s.instance is not None else NO_DYNAMIC
            self._s.covered = self._s.covered.of(step.partitions, dynamic)

    @property
    def surroundings(self) -> Surroundings:
        """For the engine and for tests of it."""
        return self._s


class AssetExecutionContext(OpExecutionContext):
    """The context of an asset function: an OpExecutionContext that also knows its assets.

    Example:
        >>> import dagwright as dg
        >>> @dg.asset
        ... def flights(context: dg.AssetExecutionContext):
        ...     context.log.info("making %s", context.asset_key)
    """

    @property
    def asset_key(self) -> AssetKey:
        """The asset that is being made; raises ValueError where there are several."""
        keys = self._asset_keys()
        if len(keys) != 1:
            raise ValueError(f"the step makes {len(keys)} assets, so asset_key is not clear; use selected_asset_keys")
        return keys[0]

    def load_asset_value(self, asset_key: Any, *, python_type: Any = None, partition_key: str | None = None) -> Any:
        """The stored value of an asset that this one depends on, as an argument would receive it: for assets in `deps`.

        Args:
            python_type: what the IO manager is asked for, as an argument's annotation asks for it.
            partition_key: of that asset; by default the partitions that belong to those of this step.

        Raises:
            ValueError: it is not upstream of this asset, or this context was built by hand.
        """
        if self._s.load_asset is None:
            raise ValueError("this context was built by hand and stores no values; Definitions.load_asset_value(...) loads one in a test")
        return self._s.load_asset(_key(asset_key), python_type, partition_key)

    @property
    def has_assets_def(self) -> bool:
        return self._step.assets is not None

    @property
    def assets_def(self) -> Any:
        return self._step.assets

    @property
    def selected_asset_keys(self) -> set[AssetKey]:
        """The assets that this run asks of the step."""
        return set(self._asset_keys())

    @property
    def selected_asset_check_keys(self) -> set[AssetCheckKey]:
        return set(self._step.check_keys)

    @property
    def is_subset(self) -> bool:
        return any(not o.selected for o in self._step.outputs)

    def asset_key_for_output(self, output_name: str = "result") -> AssetKey:
        output = self._output(output_name)
        if output.asset_key is None:
            raise ValueError(f"the output {output_name!r} is not an asset")
        return output.asset_key

    def output_for_asset_key(self, asset_key: AssetKey) -> str:
        for output in self._step.outputs:
            if output.asset_key == asset_key:
                return output.name
        raise ValueError(f"no output of step {self._step.key!r} makes the asset {asset_key.to_user_string()}")

    def get_asset_provenance(self, asset_key: Any) -> DataProvenance | None:
        """What the newest data of an asset was made of, as far as this run knows; None where it knows of none."""
        if self._s.history is None:
            return None
        return provenance(self._s.history, _key(asset_key), self._s.covered.first)

    def asset_key_for_input(self, input_name: str) -> AssetKey:
        return self._asset_input(input_name).asset_key

    def asset_partition_key_for_output(self, output_name: str = "result") -> str:
        return self._partitioned(output_name).key(self._named)

    def asset_partition_keys_for_output(self, output_name: str = "result") -> Sequence[str]:
        return self._partitioned(output_name).texts(self._named)

    def asset_partition_key_range_for_output(self, output_name: str = "result") -> PartitionKeyRange:
        return self._partitioned(output_name).span(self._named)

    def asset_partitions_time_window_for_output(self, output_name: str = "result") -> TimeWindow:
        return self._partitioned(output_name).window(self._named)

    def asset_partitions_def_for_output(self, output_name: str = "result") -> PartitionsDefinition | None:
        return definition_of(self._output(output_name).partitions)

    def asset_partitions_def_for_input(self, input_name: str) -> PartitionsDefinition | None:
        return definition_of(self._asset_input(input_name).partitions)

    def asset_partition_keys_for_input(self, input_name: str) -> Sequence[str]:
        """The upstream partitions that this step reads."""
        source = self._asset_input(input_name)
        return [multi_key(key, source.partitions) for key in self._keys_of_input(source)]

    def asset_partition_key_for_input(self, input_name: str) -> str:
        keys = self.asset_partition_keys_for_input(input_name)
        if len(keys) != 1:
            raise PartitionError(f"the input {input_name!r} reads {len(keys)} partitions; use asset_partition_keys_for_input")
        return keys[0]

    def asset_partition_key_range_for_input(self, input_name: str) -> PartitionKeyRange:
        keys = self.asset_partition_keys_for_input(input_name)
        if not keys:
            raise PartitionError(f"the input {input_name!r} reads no partitions")
        return PartitionKeyRange(keys[0], keys[-1])

    def asset_partitions_time_window_for_input(self, input_name: str) -> TimeWindow:
        source = self._asset_input(input_name)
        return window_of(source.partitions, self._keys_of_input(source), f"the input {input_name!r}")

    def _keys_of_input(self, source: FromAsset) -> Sequence[PartitionKey]:
        return self._s.upstream_keys(source) if self._s.upstream_keys else self._s.covered.keys

    def _partitioned(self, output_name: str) -> RunPartitions:
        if self._output(output_name).partitions is None:
            raise PartitionError(f"the output {output_name!r} of {self._named} is not an asset with partitions")
        return self._s.covered

    def _output(self, name: str) -> PlannedOutput:
        output = self._step.output(name)
        if output is None:
            raise ValueError(f"step {self._step.key!r} has no output {name!r}")
        return output

    def _asset_input(self, name: str) -> FromAsset:
        for planned in self._step.inputs:
            if planned.name == name:
                for source in flat(planned.source):
                    if isinstance(source, FromAsset):
                        return source
        for source in self._step.order_only_assets:
            if name in (source.asset_key.to_python_identifier(), naming.input_of(source.asset_key)):
                return source
        raise ValueError(f"step {self._step.key!r} has no input {name!r} that is an asset")


class AssetCheckExecutionContext(AssetExecutionContext):
    """The context of a check function."""

    @property
    def check_specs(self) -> Sequence[Any]:
        return [check for check in self._step.checks if check.selected]


def event_payload(event: Any) -> Payload:
    """A logged record as an event of the run: about the partition that it names, as a run may record others'."""
    match event:
        case AssetMaterialization():
            return AssetMaterialized(
                asset_key=event.asset_key,
                partition=(event.partition,) if event.partition else UNPARTITIONED,
                metadata=clean(event.metadata),
                description=event.description,
                tags=dict(event.tags),
            )
        case AssetObservation():
            return AssetObserved(
                asset_key=event.asset_key,
                partition=(event.partition,) if event.partition else UNPARTITIONED,
                metadata=clean(event.metadata),
                description=event.description,
                tags=dict(event.tags),
                data_version=event.tags.get("dagwright/data_version") or event.tags.get("dagster/data_version"),
            )
        case ExpectationResult():
            level = LogLevel.INFO if event.success else LogLevel.WARNING
            return LogMessage(level=level, message=event.as_text())
    raise TypeError(f"log_event takes an AssetMaterialization, AssetObservation or ExpectationResult, not a {type(event).__name__}")


def clean(metadata: Mapping[str, Any] | None) -> Metadata:
    """Wrapped metadata that holds nothing but plain data, so that it can cross processes."""
    wrapped = normalize_metadata(metadata)
    for key, value in wrapped.items():
        if isinstance(value, JsonMetadataValue):
            wrapped[key] = JsonMetadataValue(json_safe(value.data))
    return wrapped


def enter(context: OpExecutionContext) -> Callable[[], None]:
    """Make this the context that `OpExecutionContext.get()` returns; call the result to undo it."""
    token = _current.set(context)
    return lambda: _current.reset(token)


def _key(value: Any) -> AssetKey:
    if isinstance(value, AssetKey):
        return value
    if isinstance(value, str):
        return AssetKey.from_user_string(value)
    return AssetKey(value)
