"""Values in and out of a step, by way of IO managers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from dagwright.authoring import value_types
from dagwright.authoring.results import AssetMaterialization
from dagwright.authoring.value_types import TypeCheckError
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.contexts import OpExecutionContext, clean
from dagwright.execution.identity import RunInfo
from dagwright.execution.io_contexts import InputContext, OutputContext
from dagwright.execution.ports import AskedKeys, History
from dagwright.execution.resources import Available
from dagwright.planning.steps import (
    FromAsset,
    FromCollected,
    FromMany,
    FromOutput,
    FromValue,
    PlannedInput,
    PlannedOutput,
    Single,
    Step,
    flat,
)
from dagwright_shared.model import mappings, ranges
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.events import InputLoaded, Payload
from dagwright_shared.model.keys import AssetKey, PartitionKey, format_partition, parse_partition
from dagwright_shared.model.metadata import Metadata
from dagwright_shared.model.partitions import dimensions


class MissingPartitionsError(DagwrightError, LookupError):
    """A step reads upstream partitions that do not exist."""


class Values:
    """Loads the inputs and stores the outputs of one step."""

    def __init__(
        self,
        step: Step,
        context: OpExecutionContext,
        *,
        run: RunInfo,
        history: History,
        resources: Available,
        emit: Callable[[Payload], None],
        cancellation: Cancellation,
    ) -> None:
        self._step, self._context, self._run, self._history = step, context, run, history
        self._resources, self._emit, self._cancellation = resources, emit, cancellation
        self._upstream: dict[AssetKey, tuple[PartitionKey, ...]] = {}

    def load_all(self) -> dict[str, Any]:
        """The arguments that come from upstream."""
        return {planned.name: self._load(planned) for planned in self._step.inputs if not planned.nothing}

    def load_asset(self, key: AssetKey, annotation: Any, partition: str | None) -> Any:
        """The value of an asset that the step depends on, whether or not it is an argument of it.

        Args:
            partition: of the asset; by default those that the step reads, as for an argument.

        Raises:
            ValueError: the step does not depend on the asset.
        """
        inputs = (source for planned in self._step.inputs for source in flat(planned.source))
        sources = {one.asset_key: one for one in (*inputs, *self._step.order_only_assets) if isinstance(one, FromAsset)}
        source = sources.get(key)
        if source is None:
            known = ", ".join(sorted(one.to_user_string() for one in sources)) or "no asset"
            raise ValueError(
                f"load_asset_value: step {self._step.key!r} depends on {known}, not on {key.to_user_string()}, "
                "so nothing says when that is made; add it to deps="
            )
        planned = PlannedInput(name=key.to_python_identifier(), source=source, annotation=annotation)
        if partition is not None and source.partitions is not None:
            chosen = parse_partition(partition, dimensions(source.partitions))
            context = self.input_context(planned, source, (chosen,))
        else:
            context = self.input_context(planned, source)
        with self._cancellation.interruptible():
            return self._resources.get(source.io_manager_key).load_input(context)

    def _load(self, planned: PlannedInput) -> Any:
        if isinstance(planned.source, FromMany):
            return self._checked(planned, [self._load_one(planned, source) for source in flat(planned.source)])
        value = self._load_one(planned, planned.source)
        return value if isinstance(planned.source, FromValue) else self._checked(planned, value)

    def _checked(self, planned: PlannedInput, value: Any) -> Any:
        """The value, if it is of the input's type.

        Raises:
            TypeCheckError: it is not.
        """
        if planned.annotation is not None:
            found = value_types.check(planned.annotation, value, self._context)
            if not found.success:
                raise TypeCheckError(
                    f"the input {planned.name!r} of step {self._step.key!r} is declared as {value_types.type_name(planned.annotation)}: "
                    f"{found.description or 'the value does not fit'}; change the annotation, or what is upstream"
                )
        return value

    def check_output(self, output: PlannedOutput, value: Any) -> None:
        """Raises TypeCheckError unless the value is of the output's type."""
        annotation = output.annotation
        if annotation is None or (output.dynamic and not isinstance(annotation, type | value_types.ValueType)):
            return
        found = value_types.check(annotation, value, self._context)
        if not found.success:
            raise TypeCheckError(
                f"the output {output.name!r} of step {self._step.key!r} is declared as {value_types.type_name(annotation)}: "
                f"{found.description or 'the value does not fit'}; change the annotation, or return what it says"
            )

    def _load_one(self, planned: PlannedInput, source: Single) -> Any:
        assert not isinstance(source, FromCollected), f"step {self._step.key!r} began before it was known what it collects"
        if isinstance(source, FromValue):
            return source.value if source.where == "default" else self._checked(planned, self._given(planned, source))
        key = planned.io_manager_key or source.io_manager_key
        context = self.input_context(planned, source)
        with self._cancellation.interruptible():
            value = self._resources.get(key).load_input(context)
        where = source.asset_key.to_user_string() if isinstance(source, FromAsset) else _named(source)
        self._emit(InputLoaded(input_name=planned.name, io_manager_key=key, source=where, metadata=clean(context.note_metadata())))
        return value

    def _given(self, planned: PlannedInput, source: FromValue) -> Any:
        """The value that run config gives, made by the loader of its type where there is one."""
        own = value_types.own_type(planned.annotation)
        if source.where != "loader" or own is None or own.loader is None:
            return source.value
        with self._cancellation.interruptible():
            return own.loader.construct_from_config_value(self._context, source.value)

    def input_context(
        self, planned: PlannedInput, source: FromOutput | FromAsset, chosen: tuple[PartitionKey, ...] | None = None
    ) -> InputContext:
        """What an IO manager is told of an input.

        Args:
            chosen: the partitions of an asset to load, in place of those that the step reads.
        """
        if isinstance(source, FromAsset):
            keys = self.upstream_keys(source) if chosen is None else chosen
            made = source.made_here
            upstream = OutputContext(
                name=made.output if made else "result",
                step_key=made.step if made else "",
                asset_key_or_none=source.asset_key,
                partitions=source.partitions,
                keys=keys if source.partitions is not None else (),
                definition_metadata=source.metadata,
                run=self._run,
                resources=self._context.resources,
                log=self._context.log,
            )
        else:
            run = self._run if source.run_id is None else RunInfo(run_id=source.run_id, job_name=self._run.job_name)
            upstream = OutputContext(
                name=source.output,
                step_key=source.step,
                mapping_key=source.mapping_key,
                definition_metadata=source.metadata,
                run=run,
                log=self._context.log,
            )
        return InputContext(
            name=planned.name,
            step_key=self._step.key,
            job_name=self._run.job_name,
            run=self._run,
            asset_key_or_none=upstream.asset_key_or_none,
            partitions=upstream.partitions,
            keys=upstream.keys,
            of_run=self._context.surroundings.covered,
            definition_metadata=planned.metadata,
            resources=self._context.resources,
            resource_config=self._resources.config(planned.io_manager_key or source.io_manager_key),
            log=self._context.log,
            annotation=planned.annotation,
            op_def=self._step.op,
            step_context=self._context,
            upstream_output=upstream,
        )

    def upstream_keys(self, source: FromAsset) -> tuple[PartitionKey, ...]:
        """The upstream partitions that this step reads.

        Raises:
            MissingPartitionsError: some of them do not exist.
        """
        step = self._step
        if source.asset_key not in self._upstream:
            found = self._mapped(source)
            if found.missing:
                names = ", ".join(format_partition(key) or "" for key in found.missing[:5])
                which = ranges.format_range(step.partition, step.partition_keys[-1] if len(step.partition_keys) > 1 else None)
                raise MissingPartitionsError(
                    f"partition {which} of step {step.key!r} reads partitions of {source.asset_key.to_user_string()} that do not "
                    f"exist: {names}. Start the upstream's partitions earlier, or give the dependency "
                    "TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)"
                )
            self._upstream[source.asset_key] = found.keys
        return self._upstream[source.asset_key]

    def _mapped(self, source: FromAsset) -> mappings.Upstream:
        step = self._step
        if source.own_mapping is not None:
            with self._cancellation.interruptible():
                return source.own_mapping.upstream_of(step.partition_keys, self._context.surroundings.instance)
        dynamic = AskedKeys(self._history)
        return mappings.upstream_of(step.partition_keys, step.partitions, source.partitions, source.mapping, datetime.now(UTC), dynamic)

    def output_context(self, output: PlannedOutput, *, mapping_key: str | None = None, metadata: Mapping[str, Any]) -> OutputContext:
        step = self._step
        return OutputContext(
            name=output.name,
            step_key=step.key,
            job_name=self._run.job_name,
            run=self._run,
            asset_key_or_none=output.asset_key,
            partitions=output.partitions,
            keys=step.partition_keys if output.partitions is not None else (),
            of_run=self._context.surroundings.covered,
            definition_metadata=output.metadata,
            resources=self._context.resources,
            resource_config=self._resources.config(output.io_manager_key),
            log=self._context.log,
            annotation=output.annotation,
            op_def=step.op,
            step_context=self._context,
            mapping_key=mapping_key,
            version=output.code_version,
            output_metadata=metadata,
        )

    def store(self, output: PlannedOutput, value: Any, *, mapping_key: str | None, metadata: Mapping[str, Any]) -> Metadata:
        """Hand a value to the output's IO manager; returns the metadata that the manager added."""
        manager = self._resources.get(output.io_manager_key)
        context = self.output_context(output, mapping_key=mapping_key, metadata=metadata)
        with self._cancellation.interruptible():
            answer = manager.handle_output(context, value)
            if inspect.isgenerator(answer):
                for item in answer:
                    if isinstance(item, AssetMaterialization):
                        context.add_output_metadata(item.metadata)
                    elif isinstance(item, Mapping):
                        context.add_output_metadata(item)
        return clean(context.note_metadata())


def _named(source: FromOutput) -> str:
    return f"{source.step}.{source.output}" + (f"[{source.mapping_key}]" if source.mapping_key is not None else "")
