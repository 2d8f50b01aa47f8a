"""Which executor a run gets: the job's, the location's or the default one, as the run's config configures it."""

from __future__ import annotations

from typing import Any

from dagwright.authoring.executors import ExecutorDefinition
from dagwright.execution.executors import Executor
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.planning.executor_config import IN_PROCESS, MultiprocessConfig, resolve
from dagwright.planning.steps import ExecutionPlan


def choose(plan: ExecutionPlan) -> Executor:
    """The executor that the plan names, configured."""
    definition, config = resolve(plan.executor, plan.config.get("execution"))
    return make(definition, config)


def make(definition: ExecutorDefinition, config: Any) -> Executor:
    if definition.name == IN_PROCESS:
        return InProcessExecutor()
    assert isinstance(config, MultiprocessConfig)
    return MultiprocessExecutor(config.max_concurrent, cancel_grace=config.cancel_grace_seconds)
