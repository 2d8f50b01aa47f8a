"""One attempt of one step, as a pipeline: resources, inputs, the function, outputs and checks; every end is data."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

from dagwright.authoring.ops import OpDefinition
from dagwright.authoring.results import (
    NO_VALUE,
    AssetCheckResult,
    AssetMaterialization,
    AssetObservation,
    DynamicOutput,
    ExpectationResult,
    MaterializeResult,
    ObserveResult,
    Output,
)
from dagwright.execution import compute, contexts, failures, hooks, logs, records, versions
from dagwright.execution.cancellation import Cancellation, RunInterrupted
from dagwright.execution.compute import OutputError
from dagwright.execution.contexts import AssetCheckExecutionContext, AssetExecutionContext, OpExecutionContext, clean
from dagwright.execution.identity import RunInfo
from dagwright.execution.outcome import Outcome, StepDone, StepStopped
from dagwright.execution.partition_view import RunPartitions
from dagwright.execution.resources import ResourceSet
from dagwright.execution.scope import RunScope
from dagwright.execution.surroundings import Surroundings
from dagwright.execution.user_loggers import UserLoggers
from dagwright.execution.values import Values
from dagwright.planning.steps import FromAsset, PlannedCheck, PlannedOutput, Step, flat
from dagwright_shared.model import ranges
from dagwright_shared.model.errors import DagwrightError, error_info
from dagwright_shared.model.events import (
    CheckEvaluated,
    EngineMessage,
    LogLevel,
    LogMessage,
    OutputStored,
    Payload,
    Severity,
)
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, StepKey
from dagwright_shared.model.metadata import Metadata

Emit = Callable[[Payload], None]
Elsewhere = Callable[[Callable[[], Any]], Awaitable[Any]]


class CheckFailedError(DagwrightError):
    """A blocking check failed with severity ERROR, so nothing downstream of the asset may run."""


class Environment:
    """What steps that run in one process share: the run, and resources that have been set up."""

    def __init__(self, scope: RunScope) -> None:
        self.scope = scope
        spec, plan = scope.spec, scope.plan
        self.run = RunInfo(
            run_id=spec.run_id,
            job_name=plan.job_name or "__ASSET_JOB",
            tags={**ranges.tags(plan.partitions, plan.partition, plan.partition_end), **plan.tags, **spec.tags},
            run_config=plan.config,
            partition=plan.partition,
            partition_end=plan.partition_end,
            parent_run_id=spec.parent_run_id,
            root_run_id=spec.root_run_id,
            retry_number=spec.retry_number,
        )
        self.loggers = UserLoggers(plan.loggers, plan.config.get("loggers"), spec.run_id)
        self.resources = ResourceSet(plan.resources, _section(plan.config, "resources"), self.run, scope.instance)

    def of_step(self, cancellation: Cancellation) -> Environment:
        """The same run and the same resources, for a step that is stopped by itself."""
        return self.within(self.scope.in_child(cancellation))

    def within(self, scope: RunScope) -> Environment:
        """The same resources, for another view of the run."""
        own = Environment.__new__(Environment)  # not copy.copy: it takes ten times as long
        own.__dict__.update(self.__dict__, scope=scope)
        return own

    def warm_up(self) -> Outcome:
        """Go once through the machinery with a step that does nothing; returns how it ended, which tells whether it went all the way.

        A forked process pays for each page of memory that it touches first; one that waits for work pays while it waits.
        """
        plan = replace(self.scope.plan, partition_keys=(), partition_end=None, partitions=None)
        idle = self.within(replace(self.scope, plan=plan, kept=None))
        return attempt(idle, _IDLE, 1, _dump)

    def close(self) -> None:
        """Tear the resources down; trouble with that is told, and fails nothing."""
        self.close_into(self.scope.sink.emit)

    def close_into(self, emit: Emit) -> None:
        """The same from a step's process, whose events go through a pipe."""
        for error in self.resources.close(self.scope.cancellation):
            emit(_teardown_message(error))


def attempt(environment: Environment, step: Step, number: int, emit: Emit) -> Outcome:
    """Run one attempt of a step. Never raises: whatever user code does comes back as the outcome."""
    pipeline = _pipeline(environment, step, number, emit)
    try:
        pipeline.run()
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt of user code fail the step, not us
        outcome = _end(pipeline, error)
    else:
        outcome = _done(pipeline)
    return pipeline.call_hooks(outcome) if step.hooks else outcome


async def attempt_async(environment: Environment, step: Step, number: int, emit: Emit, elsewhere: Elsewhere) -> Outcome:
    """The same for a step whose function is `async def`: it runs on this loop, and what may block runs elsewhere.

    Args:
        elsewhere: calls a function in a thread, with this task's context variables.
    """
    pipeline = _pipeline(environment, step, number, emit)
    undo_logs = logs.enter(pipeline.emit)
    try:
        inputs = await elsewhere(pipeline.prepare)
        undo_context = contexts.enter(pipeline.context)
        try:
            async for result in compute.call_async(step, pipeline.context, inputs):
                await elsewhere(partial(pipeline.take, result))
        finally:
            undo_context()
        await elsewhere(pipeline.complete)
    except BaseException as error:  # noqa: BLE001 - as above
        outcome = _end(pipeline, error)
    else:
        outcome = _done(pipeline)
    finally:
        undo_logs()
    return await elsewhere(partial(pipeline.call_hooks, outcome)) if step.hooks else outcome


def _done(pipeline: _Pipeline) -> StepDone:
    keys = {name: tuple(of_output) for name, of_output in pipeline.mapping_keys.items()}
    return StepDone(outputs=frozenset(pipeline.seen), mapping_keys=keys)


def _pipeline(environment: Environment, step: Step, number: int, emit: Emit) -> _Pipeline:
    cancellation = environment.scope.cancellation

    def send(payload: Payload) -> None:
        with cancellation.shielded():
            emit(payload)
        if isinstance(payload, LogMessage):
            environment.loggers.send(payload)

    return _Pipeline(environment, step, number, send)


def _end(pipeline: _Pipeline, error: BaseException) -> Outcome:
    if isinstance(error, RunInterrupted):
        return StepStopped()
    scope = pipeline.environment.scope
    # A coroutine is stopped by asyncio's own exception; raised by user code itself, it is an error like another.
    if isinstance(error, asyncio.CancelledError) and scope.cancellation.requested:
        return StepStopped()
    pipeline.error = error
    if scope.kept is not None:
        scope.kept.errors[pipeline.step.key] = error
    return failures.of_exception(error, frozenset(pipeline.seen), pipeline.step.op)


class _Pipeline:
    """The state of one attempt while it goes on."""

    def __init__(self, environment: Environment, step: Step, number: int, emit: Emit) -> None:
        self.environment, self.step, self._number, self.emit = environment, step, number, emit
        self._scope = environment.scope
        self.seen: dict[str, None] = {}
        self.mapping_keys: dict[str, dict[str, None]] = {}
        self.error: BaseException | None = None
        self._output_values: dict[str, Any] = {}
        """Kept for hooks only."""
        self._blocked: list[AssetCheckKey] = []
        self._evaluated: set[AssetCheckKey] = set()
        self._input_versions: dict[str, str] | None = None
        self.context: OpExecutionContext
        self._values: Values

    def run(self) -> None:
        undo_logs = logs.enter(self.emit)
        try:
            inputs = self.prepare()
            undo_context = contexts.enter(self.context)
            try:
                for result in compute.call(self.step, self.context, inputs, self._scope.cancellation):
                    self.take(result)
            finally:
                undo_context()
            self.complete()
        finally:
            undo_logs()

    def call_hooks(self, outcome: Outcome) -> Outcome:
        """Call the hooks of the step; the outcome, unless the run was stopped meanwhile."""
        scope, resources = self._scope, self.environment.resources
        try:
            with scope.cancellation.interruptible():
                hooks.call(
                    self.step,
                    self._number,
                    outcome,
                    run=self.environment.run,
                    emit=self.emit,
                    resource=lambda key: resources.need([key], self.emit).get(key),
                    error=self.error,
                    values=self._output_values,
                    instance=scope.instance,
                )
        except RunInterrupted:
            return outcome if isinstance(outcome, StepDone) else StepStopped()
        return outcome

    def prepare(self) -> dict[str, Any]:
        """Set up resources and the context, and load what comes from upstream."""
        step, scope = self.step, self._scope
        # After the loggers of the step are in place: a resource may log while it is set up.
        with scope.cancellation.interruptible():
            resources = self.environment.resources.need(step.resource_keys, self.emit)
        self.context = self._make_context(resources.only(step.op.required_resource_keys))
        self._values = Values(
            step,
            self.context,
            run=self.environment.run,
            history=scope.history,
            resources=resources,
            emit=self.emit,
            cancellation=scope.cancellation,
        )
        self.context.surroundings.upstream_keys = self._values.upstream_keys
        self.context.surroundings.load_asset = self._values.load_asset
        return self._values.load_all()

    def _make_context(self, resources: Any) -> OpExecutionContext:
        step, scope, plan = self.step, self._scope, self._scope.plan
        surroundings = Surroundings(
            run=self.environment.run,
            emit=self.emit,
            step=step,
            attempt=self._number,
            config=step.config,
            resources=resources,
            instance=scope.instance,
            history=scope.history,
            # The run's, also for an asset without partitions that runs along with partitioned ones.
            covered=RunPartitions(keys=plan.partition_keys, is_range=plan.partition_end is not None, definition=plan.partitions),
        )
        kinds: Mapping[str, type[OpExecutionContext]] = {"asset": AssetExecutionContext, "check": AssetCheckExecutionContext}
        return kinds.get(step.kind, OpExecutionContext)(surroundings)

    # ---- results, as they come

    def take(self, result: compute.Result) -> None:
        match result:
            case Output():
                self._output(self._plain(result.output_name), result.value, result.metadata, result.data_version, result.tags)
            case DynamicOutput():
                self._dynamic_output(result)
            case MaterializeResult():
                self._materialize_result(result)
            case ObserveResult():
                self._observe_result(result)
            case AssetCheckResult():
                self._check(result)
            case AssetMaterialization() | AssetObservation() | ExpectationResult():
                self.emit(contexts.event_payload(result))
            case _:
                assert_never(result)

    def _plain(self, name: str) -> PlannedOutput:
        output = self._named(name)
        if output.dynamic:
            raise OutputError(
                f"step {self.step.key!r} gave an Output for its dynamic output {name!r}; yield DynamicOutput(value, mapping_key=...)"
            )
        return output

    def _named(self, name: str) -> PlannedOutput:
        output = self.step.output(name)
        if output is None:
            known = ", ".join(o.name for o in self.step.outputs) or "none"
            raise OutputError(f"step {self.step.key!r} gave the output {name!r}, which it does not declare; its outputs are {known}")
        if name in self.seen and not output.dynamic:
            raise OutputError(f"step {self.step.key!r} gave its output {name!r} twice")
        return output

    def _output(self, output: PlannedOutput, value: Any, metadata: Mapping[str, Any], version: Any, tags: Mapping[str, str]) -> None:
        added = self.context.surroundings.added.get(output.name, {})
        own: dict[str, Any] = {**metadata, **added}
        if self.step.hooks and value is not NO_VALUE:
            self._output_values[output.name] = value
        kept = self._scope.kept
        if kept is not None and value is not NO_VALUE:
            kept.outputs[self.step.key, output.name] = value
            if output.asset_key is not None:
                kept.assets[output.asset_key] = value
        if not output.nothing and value is not NO_VALUE:
            self._values.check_output(output, value)
            from_manager = self._values.store(output, value, mapping_key=None, metadata=own)
            own.update(from_manager)
        elif output.nothing and value is not None and value is not NO_VALUE:
            raise OutputError(
                f"step {self.step.key!r} is declared to return None, but gave a {type(value).__name__} for its output {output.name!r}; "
                "change the return annotation, or return MaterializeResult(...)"
            )
        self.seen[output.name] = None
        stored = clean(own)
        self.emit(OutputStored(output_name=output.name, io_manager_key=output.io_manager_key, metadata=stored))
        if output.asset_key is not None:
            self._materialized(output, stored, version, tags)

    def _dynamic_output(self, result: DynamicOutput[Any]) -> None:
        output = self._named(result.output_name)
        if not output.dynamic:
            raise OutputError(
                f"step {self.step.key!r} yielded a DynamicOutput for its output {output.name!r}, which is not declared with DynamicOut; "
                "declare it so, or yield an Output"
            )
        keys = self.mapping_keys.setdefault(output.name, {})
        if result.mapping_key in keys:
            raise OutputError(
                f"step {self.step.key!r} gave the mapping key {result.mapping_key!r} of its output {output.name!r} twice; "
                "each DynamicOutput needs a key of its own"
            )
        added = self.context.surroundings.added.pop(f"{output.name}[{result.mapping_key}]", {})
        own: dict[str, Any] = {**result.metadata, **added}
        keys[result.mapping_key] = None
        if self.step.hooks:
            self._output_values.setdefault(output.name, {})[result.mapping_key] = result.value
        kept = self._scope.kept
        if kept is not None:
            kept.outputs.setdefault((self.step.key, output.name), {})[result.mapping_key] = result.value
        if not output.nothing:
            self._values.check_output(output, result.value)
            own.update(self._values.store(output, result.value, mapping_key=result.mapping_key, metadata=own))
        self.seen[output.name] = None
        self.emit(
            OutputStored(output_name=output.name, io_manager_key=output.io_manager_key, mapping_key=result.mapping_key, metadata=clean(own))
        )

    def _materialize_result(self, result: MaterializeResult[Any]) -> None:
        output = self._output_of(result.asset_key, "MaterializeResult")
        self._named(output.name)
        for check in result.check_results:
            compute.judged(self.step, check, output.asset_key)  # told before anything is recorded
        if result.value is not NO_VALUE:
            # A value that is given on purpose is stored, also where the declaration promises none.
            stored = replace(output, nothing=False, annotation=None) if output.nothing else output
            self._output(stored, result.value, clean(result.metadata), result.data_version, result.tags)
        else:
            added = self.context.surroundings.added.get(output.name, {})
            self.seen[output.name] = None
            self._materialized(output, clean({**result.metadata, **added}), result.data_version, result.tags)
        for check in result.check_results:
            self._check(check, about=output.asset_key)

    def _observe_result(self, result: ObserveResult) -> None:
        output = self._output_of(result.asset_key, "ObserveResult")
        self.seen[output.name] = None
        for record in records.observed(self.step, output, result):
            self.emit(record)
        for check in result.check_results:
            self._check(check, about=output.asset_key)

    def _output_of(self, key: AssetKey | None, what: str) -> PlannedOutput:
        assets = [o for o in self.step.outputs if o.asset_key is not None]
        if key is None:
            if len(assets) == 1:
                return assets[0]
            raise OutputError(f"step {self.step.key!r} makes {len(assets)} assets, so {what} needs asset_key=")
        for output in assets:
            if output.asset_key == key:
                return output
        known = ", ".join(o.asset_key.to_user_string() for o in assets if o.asset_key is not None) or "none"
        raise OutputError(
            f"step {self.step.key!r} gave a {what} for the asset {key.to_user_string()}, which it does not make; its assets are {known}"
        )

    def _materialized(self, output: PlannedOutput, metadata: Metadata, version: Any, tags: Mapping[str, str]) -> None:
        around, inputs = self.context.surroundings, self._versions()
        for record in records.materialized(self.step, output, around, metadata=metadata, version=version, tags=tags, inputs=inputs):
            self.emit(record)

    def _versions(self) -> dict[str, str]:
        """Versions of the assets that this step was made of, looked up once for all its outputs."""
        if self._input_versions is None:
            found: dict[str, str] = {}
            sources = [s for planned in self.step.inputs for s in flat(planned.source) if isinstance(s, FromAsset)]
            for source in (*sources, *self.step.order_only_assets):
                keys = self._values.upstream_keys(source)
                version = versions.of_input(self._scope.history, source.asset_key, keys)
                if version is not None:
                    found[source.asset_key.to_user_string()] = version
            self._input_versions = found
        return self._input_versions

    def _check(self, result: AssetCheckResult, about: AssetKey | None = None) -> None:
        key = compute.judged(self.step, result, about)
        check = next(c for c in self.step.checks if c.key == key)
        self._evaluated.add(key)
        self.emit(
            CheckEvaluated(
                check_key=key,
                passed=result.passed,
                # A verdict on a range is one on all of it together.
                partition=self.step.partition if self._scope.plan.partition_end is None else UNPARTITIONED,
                severity=result.severity,
                blocking=check.blocking,
                description=result.description,
                metadata=clean(result.metadata),
            )
        )
        if check.output_name is not None:
            self.seen[check.output_name] = None
        if not result.passed and check.blocking and result.severity is Severity.ERROR:
            self._blocked.append(key)

    # ---- the end

    def complete(self) -> None:
        for output in self.step.outputs:
            if output.name in self.seen or not output.selected or output.dynamic:
                continue
            if output.nothing and output.required:
                self._output(output, NO_VALUE, {}, None, {})
            elif output.required:
                what = f" (the asset {output.asset_key.to_user_string()})" if output.asset_key is not None else ""
                raise OutputError(
                    f"step {self.step.key!r} ended without its output {output.name!r}{what}; "
                    "give a value for it, or declare it with is_required=False"
                )
        missing = [check for check in self.step.checks if check.selected and check.key not in self._evaluated]
        if missing and self._is_required_check(missing[0]):
            raise OutputError(
                f"step {self.step.key!r} ended without a result for the check {missing[0].key.to_user_string()}; "
                "return or yield an AssetCheckResult for it"
            )
        if self._blocked:
            names = ", ".join(key.to_user_string() for key in self._blocked)
            raise CheckFailedError(f"blocking check failed: {names}; what is downstream of the asset does not run")

    def _is_required_check(self, check: PlannedCheck) -> bool:
        """A check of an asset that was not made (an optional output) has nothing to judge."""
        made = {o.asset_key for o in self.step.outputs if o.name in self.seen}
        return self.step.kind == "check" or check.key.asset_key in made


def _dump(payload: Payload) -> None:
    pickle.dumps(payload, protocol=5)


def _idle(_context: OpExecutionContext) -> None: ...


_IDLE = Step(
    key=StepKey("idle"),
    op=OpDefinition(name="idle", fn=_idle, ins={}, outs={}, context_param="context"),
    outputs=(PlannedOutput(name="result", required=False, nothing=True),),
)
"""The step of `warm_up`."""


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}


def _teardown_message(error: BaseException) -> EngineMessage:
    return EngineMessage(message="a resource could not be torn down", level=LogLevel.ERROR, error=error_info(error))
