"""Which executor a run gets: the job's, the location's or the default one, as the run's config configures it; or several at once."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import Any

from pydantic import BaseModel

from dagwright.authoring.executors import Executor as Own
from dagwright.authoring.executors import ExecutorDefinition, InitExecutorContext, multi_or_in_process_executor
from dagwright.execution.executors import Executor
from dagwright.execution.executors.coroutines import AsyncioExecutor
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.mixed import MixedExecutor, Part
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.execution.executors.own import OwnExecutor
from dagwright.execution.executors.threads import ThreadsExecutor
from dagwright.planning.executor_config import AsyncioConfig, DaskConfig, MultiprocessConfig, OwnConfig, ThreadsConfig, resolve
from dagwright.planning.steps import ExecutionPlan
from dagwright_shared.model.errors import DagwrightError, UserCodeError, error_info


class ExecutorMissingError(DagwrightError):
    """The packages of an executor are not installed."""


class OwnExecutorError(DagwrightError):
    """What a function under `@executor` made is no executor."""


def choose(plan: ExecutionPlan, instance: Any = None) -> Executor:
    """The executor of the plan, configured; one that shares the steps out where some of them name their own."""
    default = plan.executor or multi_or_in_process_executor
    parts: list[ExecutorDefinition] = []
    assigned: dict[str, int] = {}
    for step in plan.steps:
        definition = step.executor or default
        if definition == ExecutorDefinition._made(name=default.kind, options=definition.options):
            definition = default  # the plain name of the job's means that of the job, as it is configured
        if definition not in parts:
            parts.append(definition)
        assigned[step.key] = parts.index(definition)
    makers = [
        partial(_make, definition, plan.config.get("execution") if definition == default else None, plan, instance)
        for definition in parts or [default]
    ]
    if len(makers) == 1:
        return makers[0]()
    return MixedExecutor([Part(definition.name, maker) for definition, maker in zip(parts, makers, strict=True)], assigned)


def _make(definition: ExecutorDefinition, given: Any, plan: ExecutionPlan, instance: Any) -> Executor:
    chosen, config = resolve(definition, given)
    return _own(chosen, config, plan, instance) if isinstance(config, OwnConfig) else make(config)


def make(config: BaseModel) -> Executor:
    """One of dagwright's executors."""
    match config:
        case ThreadsConfig():
            return ThreadsExecutor(
                config.max_concurrent, cancel_grace=config.cancel_grace_seconds, tag_limits=config.tag_concurrency_limits or ()
            )
        case AsyncioConfig():
            return AsyncioExecutor(
                config.max_concurrent,
                max_threads=config.max_threads,
                cancel_grace=config.cancel_grace_seconds,
                tag_limits=config.tag_concurrency_limits or (),
            )
        case DaskConfig():
            return _dask(config)
        case MultiprocessConfig():
            return MultiprocessExecutor(
                config.max_concurrent, cancel_grace=config.cancel_grace_seconds, tag_limits=config.tag_concurrency_limits or ()
            )
        case _:
            return InProcessExecutor()


def _own(definition: ExecutorDefinition, config: OwnConfig, plan: ExecutionPlan, instance: Any) -> Executor:
    """What a user's function makes: an executor of its own, or one of dagwright's.

    Raises:
        UserCodeError: the function raised.
        OwnExecutorError: it made something else.
    """
    fn = definition.executor_creation_fn
    assert fn is not None
    context = InitExecutorContext(job=plan.job, executor_def=definition, executor_config=config.value, instance=instance)
    try:
        made: Any = fn(context)
    except Exception as error:
        raise UserCodeError(error_info(error), f"the executor {definition.name!r}") from error
    if isinstance(made, ExecutorDefinition) and made.executor_creation_fn is None:
        return _make(made, None, plan, instance)
    if not isinstance(made, Own) or type(made).start is Own.start:
        raise OwnExecutorError(
            f"the executor {definition.name!r} made a {type(made).__name__}; return an Executor whose class defines start(attempt), or "
            "one of dagwright's, such as threads_executor (execute(plan_context, execution_plan) of Dagster is not called)"
        )
    return OwnExecutor(definition.name, made)


def _dask(config: DaskConfig) -> Executor:
    if importlib.util.find_spec("distributed") is None:
        raise ExecutorMissingError("the Dask executor needs the package `distributed`; install it with: pip install 'dagwright[dask]'")
    # An extra, and slow to import.
    from dagwright.execution.executors.dask import DaskExecutor  # noqa: PLC0415

    return DaskExecutor(config)
