"""Which executor a run gets: the job's, the location's or the default one, as the run's config configures it."""

from __future__ import annotations

import importlib.util

from pydantic import BaseModel

from dagwright.execution.executors import Executor
from dagwright.execution.executors.coroutines import AsyncioExecutor
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.execution.executors.threads import ThreadsExecutor
from dagwright.planning.executor_config import AsyncioConfig, DaskConfig, MultiprocessConfig, ThreadsConfig, resolve
from dagwright.planning.steps import ExecutionPlan
from dagwright_shared.model.errors import DagwrightError


class ExecutorMissingError(DagwrightError):
    """The packages of an executor are not installed."""


def choose(plan: ExecutionPlan) -> Executor:
    """The executor that the plan names, configured."""
    _, config = resolve(plan.executor, plan.config.get("execution"))
    return make(config)


def make(config: BaseModel) -> Executor:
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


def _dask(config: DaskConfig) -> Executor:
    if importlib.util.find_spec("distributed") is None:
        raise ExecutorMissingError("the Dask executor needs the package `distributed`; install it with: pip install 'dagwright[dask]'")
    # An extra, and slow to import.
    from dagwright.execution.executors.dask import DaskExecutor  # noqa: PLC0415

    return DaskExecutor(config)
