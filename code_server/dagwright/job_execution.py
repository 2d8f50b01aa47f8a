"""`execute_job`: a job with its own executor, without a deployment; and what an earlier run has done need not be done again."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from dagwright import local_run
from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright.authoring.config import RunConfig, config_dict
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.instance import Instance
from dagwright.authoring.instance_runs import run_view
from dagwright.authoring.jobs import JobDefinition
from dagwright.authoring.ops import In, OpDefinition
from dagwright.authoring.repositories import ReconstructableJob
from dagwright.execution import step as steps
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.io_managers import FilesystemIOManager
from dagwright.execution.ports import MemorySink
from dagwright.execution.scope import RunHistory, RunScope
from dagwright.local_run import LocalRun
from dagwright.planning import op_selection as op_selections
from dagwright.planning.plan import plan_run
from dagwright.planning.steps import ExecutionPlan, FromAsset, FromOutput, PlannedInput, PlannedOutput, Step
from dagwright.testing import ExecuteInProcessResult
from dagwright_shared.decide.retries import again
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem
from dagwright_shared.model.history import RunFilter
from dagwright_shared.model.keys import RunId, StepKey, new_run_id
from dagwright_shared.model.runs import RetryStrategy, Run, RunStatus, StepStatus, Trigger, TriggerKind


@dataclass(frozen=True, slots=True)
class ReexecutionOptions:
    """Which run is done again, and which of its steps; what the others made is taken from that run.

    Args:
        parent_run_id: the earlier run, of the same job and instance.
        step_selection: steps to do again: names, `*name` with all upstream, `name+` with the next downstream; empty: all.

    Example:
        >>> ReexecutionOptions("4f0c", step_selection=["load+"]).step_selection
        ['load+']
    """

    parent_run_id: str
    step_selection: Sequence[str] = ()

    @staticmethod
    def from_failure(run_id: str, instance: Instance) -> ReexecutionOptions:
        """Do again what did not succeed in a failed run.

        Raises:
            NotFoundError: the instance does not know the run.
            InvalidRequestError: the run has not failed.
        """
        run = _earlier(instance, run_id)
        if run.status is not RunStatus.FAILURE:
            message = f"run {run_id} ended as {run.status}, so there is no failure to go on from"
            raise InvalidRequestError(message, problems=[Problem(path="run_id", message=message, value=run_id, expected="a failed run")])
        rest = again(run, instance.history.steps(run.run_id), RetryStrategy.FROM_FAILURE, run_id=new_run_id(), trigger=_TRIGGER)
        return ReexecutionOptions(run_id, tuple(rest.step_keys))


class JobExecutionResult(ExecuteInProcessResult):
    """What a run of `execute_job` did. Values are read back through the IO managers that stored them."""

    def __init__(self, plan: ExecutionPlan, done: LocalRun, graph: GraphDefinition | None) -> None:
        super().__init__(plan, run_view(done.run).with_status(done.status), done.events, done.kept, graph, done.instance)
        self._done = done

    def __enter__(self) -> JobExecutionResult:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def output_for_node(self, node_name: str, output_name: str = "result") -> Any:
        """The value of an op's or a graph's output.

        Raises:
            LookupError: it was not produced.
        """
        try:
            return super().output_for_node(node_name, output_name)
        except LookupError:
            step = next((step for step in self.plan.steps if self._is(step.key, node_name)), None)
            made = step.output(output_name) if step is not None else None
            if step is None or made is None or made.dynamic or not self.is_node_success(node_name):
                raise
            return self._read(step, made)

    def asset_value(self, asset_key: Any) -> Any:
        """The value of an asset that this run made.

        Raises:
            LookupError: the run did not make it.
        """
        key = naming.asset_key(asset_key, "asset_value")
        for step in self.plan.steps:
            for made in step.outputs:
                if made.asset_key == key and self.is_node_success(step.key):
                    return self.output_for_node(step.key, made.name)
        return super().asset_value(key)

    def _read(self, step: Step, made: PlannedOutput) -> Any:
        """Load a value as a step downstream would."""
        of_op = FromOutput(step=step.key, output=made.name, io_manager_key=made.io_manager_key)
        source = (
            of_op
            if made.asset_key is None
            else FromAsset(
                asset_key=made.asset_key,
                io_manager_key=made.io_manager_key,
                partitions=made.partitions,
                made_here=of_op,
                metadata=made.metadata,
            )
        )
        found: list[Any] = []

        def keep(value: Any) -> None:
            found.append(value)

        reader = Step(
            key=StepKey("result"),
            op=OpDefinition(name="result", fn=keep, ins={"value": In()}, outs={}),
            inputs=(PlannedInput(name="value", source=source),),
            partitions=step.partitions,
            partition_keys=step.partition_keys,
        )
        done = self._done
        scope = RunScope(
            plan=self.plan,
            spec=done.spec,
            sink=MemorySink(),
            cancellation=Cancellation(),
            history=RunHistory(done.instance.history),
            captures=False,
            instance=done.instance,
        )
        environment = steps.Environment(scope)
        outcome = steps.attempt(environment, reader, 1, lambda _: None)
        environment.close()
        if not found:
            raise LookupError(f"the output {made.name!r} of {step.key!r} cannot be read back: {outcome}")
        return found[0]


def execute_job(
    job: ReconstructableJob | JobDefinition,
    instance: Instance,
    run_config: Mapping[str, Any] | RunConfig | None = None,
    tags: Mapping[str, str] | None = None,
    raise_on_error: bool = False,
    op_selection: Sequence[str] | None = None,
    reexecution_options: ReexecutionOptions | None = None,
    asset_selection: Sequence[Any] | None = None,
) -> JobExecutionResult:
    """Run a job from a script, with the executor that it names, and wait for its end.

    Steps of `multiprocess_executor` are forks of this process; the values that pass between steps are kept in files for as long as
    the instance lives, unless the job has an `io_manager` of its own. In a deployment, launch the job by REST or the command line.

    Args:
        job: what `reconstructable` gives, or the job itself, which `dask_executor` cannot send to its workers.
        instance: where the run is recorded.
        run_config: a dict or a RunConfig.
        tags: of the run.
        raise_on_error: raise the error of the first step that failed.
        op_selection: which ops to run, of a job of ops: names, `*name` with all upstream, `name+` with the next downstream.
        reexecution_options: do an earlier run again, or some of its steps.
        asset_selection: keys of the assets to make, of a job of assets; by default all of them.

    Raises:
        InvalidRequestError: config or selection do not fit.
        NotFoundError: the instance does not know the run that is to be done again.

    Example:
        >>> from dagwright import Instance, execute_job, job, op
        >>> @op
        ... def one() -> int:
        ...     return 1
        >>> @job
        ... def counting():
        ...     one()
        >>> with execute_job(counting, Instance.ephemeral()) as result:
        ...     result.success, result.output_for_node("one")
        (True, 1)
    """
    definition = job.get_definition() if isinstance(job, ReconstructableJob) else job
    if not isinstance(definition, JobDefinition):
        raise TypeError(f"execute_job was given a {type(job).__name__} as job, at {sources.of_caller()}; give reconstructable(the job)")
    if not isinstance(instance, Instance):
        raise TypeError(f"execute_job was given a {type(instance).__name__} as instance; give Instance.ephemeral()")
    resolved = _definitions_of(definition).resolve()
    resources = {**resolved.resources, **definition.resource_defs}
    if "io_manager" not in resources:
        resources["io_manager"] = FilesystemIOManager(base_dir=_storage(instance))
    parent = _earlier(instance, reexecution_options.parent_run_id) if reexecution_options is not None else None
    config = config_dict(run_config)
    plan_it = partial(
        plan_run,
        resolved,
        job_name=definition.name,
        asset_keys=[naming.asset_key(key, "asset_selection") for key in asset_selection or ()],
        config=dict(parent.config) if parent is not None and not config else config,
        extra_resources=resources,
    )
    plan = plan_it()
    wanted = list(op_selection or ()) or list(reexecution_options.step_selection if reexecution_options is not None else ())
    if wanted:
        chosen = op_selections.select(plan.steps, wanted)
        plan = plan_it(step_keys=chosen, inherited=_done_before(instance, parent, chosen))
    all_tags = {**definition.tags, **definition.run_tags, **(parent.tags if parent is not None else {}), **(tags or {})}
    origin = partial(_origin, job) if isinstance(job, ReconstructableJob) else None
    done = local_run.carry_out(plan, instance, tags=all_tags, parent=parent, origin=origin)
    if raise_on_error:
        done.raise_failure()
    return JobExecutionResult(plan, done, definition.graph)


def _definitions_of(job: JobDefinition) -> Definitions:
    return job.origin if job.origin is not None else Definitions(jobs=[job])


def _origin(job: ReconstructableJob) -> Definitions:
    return _definitions_of(job.get_definition())


def _earlier(instance: Instance, run_id: str) -> Run:
    found = instance.history.runs(RunFilter(run_ids=(RunId(run_id),)))
    if not found:
        raise NotFoundError("run", run_id, known=instance.get_run_ids())
    return found[0]


def _done_before(instance: Instance, parent: Run | None, chosen: frozenset[StepKey]) -> dict[StepKey, RunId]:
    """Where the values of the steps are that are not done now."""
    if parent is None:
        return {}
    made = {step.step_key: parent.run_id for step in instance.history.steps(parent.run_id) if step.status is StepStatus.SUCCESS}
    return {key: run for key, run in {**parent.inherited, **made}.items() if key not in chosen}


_TRIGGER = Trigger(kind=TriggerKind.RETRY)
_storages: weakref.WeakKeyDictionary[Instance, str] = weakref.WeakKeyDictionary()


def _storage(instance: Instance) -> str:
    """A directory for the values of an instance's runs, which goes when the instance does."""
    if instance not in _storages:
        _storages[instance] = tempfile.mkdtemp(prefix="dagwright-values-")
        weakref.finalize(instance, shutil.rmtree, _storages[instance], ignore_errors=True)
    return _storages[instance]
