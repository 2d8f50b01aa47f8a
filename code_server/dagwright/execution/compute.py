"""Calling the user's function, whatever kind of function it is, and making one stream of results of what it gives.

Results are `Output`, `DynamicOutput`, `MaterializeResult`, `ObserveResult`, `AssetCheckResult`, `AssetMaterialization`,
`AssetObservation` and `ExpectationResult`; bare values become an `Output` of the output that they belong to.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from dagwright.authoring.results import (
    AssetCheckResult,
    AssetMaterialization,
    AssetObservation,
    DataVersion,
    DataVersionsByPartition,
    DynamicOutput,
    ExpectationResult,
    MaterializeResult,
    ObserveResult,
    Output,
    check_key,
)
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.contexts import OpExecutionContext
from dagwright.execution.event_loop import CoroutineRunner
from dagwright.planning.steps import Step
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.keys import AssetCheckKey, AssetKey

Result: TypeAlias = (
    "Output[Any] | DynamicOutput[Any] | MaterializeResult[Any] | ObserveResult | AssetCheckResult | AssetMaterialization | "
    "AssetObservation | ExpectationResult"
)
RESULTS = (
    Output,
    DynamicOutput,
    MaterializeResult,
    ObserveResult,
    AssetCheckResult,
    AssetMaterialization,
    AssetObservation,
    ExpectationResult,
)


class OutputError(DagwrightError, ValueError):
    """What the function returned or yielded does not fit its declared outputs."""


def arguments(step: Step, context: OpExecutionContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of the function, without the context."""
    op = step.op
    result = dict(inputs)
    if op.config_param is not None:
        result[op.config_param] = context.surroundings.config
    for name, key in op.resource_params.items():
        result[name] = getattr(context.resources, key)
    return result


def call(step: Step, context: OpExecutionContext, inputs: Mapping[str, Any], cancellation: Cancellation) -> Iterator[Result]:
    """Run the function and yield its results as they come; a request to stop interrupts it."""
    keywords = arguments(step, context, inputs)
    with cancellation.interruptible():
        # The context goes first, so that its name does not matter.
        value = step.op.fn(context, **keywords) if step.op.context_param is not None else step.op.fn(**keywords)
        if inspect.iscoroutine(value):
            with CoroutineRunner() as runner:
                value = cancellation.complete(value, runner.run)
    if inspect.isgenerator(value):
        returned = yield from _each(value, step, cancellation)
        if returned is not None:
            yield from spread(step, returned)
    elif inspect.isasyncgen(value):
        yield from _each_async(value, step, cancellation)
    else:
        yield from spread(step, value)


async def call_async(step: Step, context: OpExecutionContext, inputs: Mapping[str, Any]) -> AsyncIterator[Result]:
    """The same for an `async def` function, on the loop that runs now."""
    keywords = arguments(step, context, inputs)
    value = step.op.fn(context, **keywords) if step.op.context_param is not None else step.op.fn(**keywords)
    if inspect.iscoroutine(value):
        value = await value
    if not inspect.isasyncgen(value):
        for result in spread(step, value):
            yield result
        return
    try:
        async for item in value:
            yield _yielded(step, item)
    finally:
        await value.aclose()


def spread(step: Step, value: Any) -> Iterator[Result]:
    """The results in a returned value: one for each output, or a list of result objects."""
    outputs = step.outputs
    value = _observed(step, value)
    if isinstance(value, RESULTS):
        _check_all_said(step, [value])
        yield value
        return
    is_list = value is not None and isinstance(value, Sequence) and not isinstance(value, str | bytes)
    if is_list and value and all(isinstance(v, RESULTS) for v in value):
        _check_all_said(step, value)
        yield from _in_order(step, value)
        return
    verdicts = [check for check in step.checks if check.output_name is not None]
    if len(verdicts) == 1 and not outputs and isinstance(value, bool):
        yield AssetCheckResult(passed=value)
        return
    if verdicts and not outputs:
        raise OutputError(f"{_name(step)} is a check, so it must return an AssetCheckResult or a bool, not {_kind(value)}")
    if not outputs:
        if value is not None:
            raise OutputError(f"{_name(step)} returned {_kind(value)}, but it has no outputs; declare one with out=Out()")
        return
    if len(outputs) == 1:
        if value is None and (outputs[0].nothing or not outputs[0].required):
            return
        if outputs[0].dynamic:
            raise OutputError(f"{_name(step)} must yield or return a list of DynamicOutput, not {_kind(value)}")
        yield Output(value, output_name=outputs[0].name)
        return
    yield from _several(step, value)


def _several(step: Step, value: Any) -> Iterator[Result]:
    """The results in what a function with several outputs returned."""
    names = ", ".join(output.name for output in step.outputs)
    if value is None:
        if not any(output.required for output in step.outputs if output.selected):
            raise OutputError(
                f"{_name(step)} may leave out its outputs ({names}), but said of none that it was made; yield a result for each"
            )
        return  # whether something is missing is seen at the end
    if not isinstance(value, tuple | list) or len(value) != len(step.outputs):
        size = f" of {len(value)}" if isinstance(value, tuple | list) else ""
        raise OutputError(
            f"{_name(step)} has {len(step.outputs)} outputs ({names}), but returned {_kind(value)}{size}; return a tuple in that order"
        )
    yield from _in_order(step, value)


def _check_all_said(step: Step, results: Sequence[Any]) -> None:
    """Results that are returned, and not yielded, must be of all assets that the function has to make."""
    said = {result.asset_key for result in results if isinstance(result, MaterializeResult | ObserveResult)}
    if not said or None in said:
        return
    wanted = [output.asset_key for output in step.outputs if output.required and output.selected and output.asset_key is not None]
    missing = [key.to_user_string() for key in wanted if key not in said]
    if missing:
        named = ", ".join(sorted(key.to_user_string() for key in said if key is not None))
        raise OutputError(f"{_name(step)} returned results of {named}, but not of {missing[0]}; return one for each asset")


def judged(step: Step, result: AssetCheckResult, about: AssetKey | None) -> AssetCheckKey:
    """Which of the step's checks a result is about; `about` is the asset whose result it came with."""
    try:
        return check_key(result, [check.key for check in step.checks if about is None or check.key.asset_key == about])
    except ValueError as error:
        raise OutputError(f"step {step.key!r}: {error}") from None


def _observed(step: Step, value: Any) -> Any:
    """What an observing function says of versions, as the records that it stands for."""
    if isinstance(value, DataVersion):
        return ObserveResult(data_version=value)
    if isinstance(value, DataVersionsByPartition):
        key = next(output.asset_key for output in step.outputs if output.asset_key is not None)
        found = value.data_versions_by_partition.items()
        return [AssetObservation(key, partition=name, tags={"dagwright/data_version": version.value}) for name, version in found]
    return value


def _in_order(step: Step, values: Sequence[Any]) -> Iterator[Result]:
    names = [output.name for output in step.outputs]
    for position, value in enumerate(values):
        if isinstance(value, Output) and value.output_name == "result" and "result" not in names and position < len(names):
            yield Output(value.value, names[position], value.metadata, data_version=value.data_version, tags=value.tags)
        elif isinstance(value, RESULTS):
            yield value
        else:
            yield Output(value, output_name=names[position])


def _each(generator: Generator[Any, Any, Any], step: Step, cancellation: Cancellation) -> Generator[Result, None, Any]:
    try:
        while True:
            with cancellation.interruptible():
                try:
                    value = next(generator)
                except StopIteration as end:
                    return end.value
            yield _yielded(step, value)
    finally:
        generator.close()


def _each_async(generator: AsyncGenerator[Any, Any], step: Step, cancellation: Cancellation) -> Iterator[Result]:
    with CoroutineRunner() as runner:
        try:
            while True:
                with cancellation.interruptible():
                    try:
                        value = cancellation.complete(_next(generator), runner.run)
                    except StopAsyncIteration:
                        return
                yield _yielded(step, value)
        finally:
            runner.run(generator.aclose())


async def _next(generator: AsyncGenerator[Any, Any]) -> Any:
    return await anext(generator)


def _yielded(step: Step, value: Any) -> Result:
    if isinstance(value, RESULTS):
        return value
    raise OutputError(
        f"{_name(step)} yielded {_kind(value)}; a generator yields Output(value, output_name=...), MaterializeResult or AssetCheckResult"
    )


def _name(step: Step) -> str:
    return f"{step.kind} {step.op.name!r}"


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
