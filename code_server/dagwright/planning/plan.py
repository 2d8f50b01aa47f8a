"""Decide what a run will do: from definitions and a request to a plan, or to all that is wrong with the request."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dagwright.authoring.executors import multi_or_in_process_executor
from dagwright.authoring.jobs import JobDefinition
from dagwright.planning import assets as asset_steps
from dagwright.planning import config as run_config
from dagwright.planning import executor_config, partition_keys, step_groups
from dagwright.planning.config import merged
from dagwright.planning.dynamic import split_key
from dagwright.planning.flatten import Defaults, flatten
from dagwright.planning.steps import (
    ExecutionPlan,
    FromAsset,
    FromCollected,
    FromMany,
    FromOutput,
    FromValue,
    PlannedInput,
    Source,
    Step,
    flat,
    planned,
    upstream,
)
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem, nearest
from dagwright_shared.model.events import PlannedStep
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, PartitionKey, RunId, StepKey
from dagwright_shared.model.partitions import DynamicKeys, Partitions

if TYPE_CHECKING:
    from dagwright.authoring.definitions import Definitions
    from dagwright.authoring.graphs import GraphDefinition
    from dagwright.authoring.resolution import ResolvedDefinitions

_SHOWN = 10
_TOLD = 3
"""How many problems the text of an error tells; all of them are in `problems`."""


def plan_run(  # noqa: PLR0913 - a request has as many parts
    definitions: Definitions | ResolvedDefinitions,
    *,
    job_name: str | None = None,
    asset_keys: Sequence[AssetKey] = (),
    check_keys: Sequence[AssetCheckKey] = (),
    step_keys: Collection[StepKey] = (),
    partition: PartitionKey = UNPARTITIONED,
    partition_end: PartitionKey | None = None,
    config: Mapping[str, JsonValue] | None = None,
    inherited: Mapping[StepKey, RunId] | None = None,
    dynamic: DynamicKeys | None = None,
    now: datetime | None = None,
    extra_resources: Mapping[str, Any] | None = None,
    only_checks: bool = False,
    needs_partition: bool = True,
) -> ExecutionPlan:
    """The plan of a run.

    Args:
        definitions: of the location.
        job_name: the job; None for assets and checks picked freely.
        asset_keys: the assets to make; with a job of assets, which of them (none: all).
        check_keys: checks to evaluate besides those of the picked assets.
        step_keys: only these steps; empty means all.
        partition: of the run, or the first one of its range; `()` for none.
        partition_end: the last partition of a range, included; None when it is not of a range.
        config: the run config, which is laid over the job's own.
        inherited: steps that an earlier run has done, whose stored outputs stand in for them.
        dynamic: keys of dynamic partitions definitions; None where they are not known here, and then not checked.
        now: which time partitions exist; by default the clock's.
        extra_resources: laid over those of the definitions and of the job.
        only_checks: evaluate the checks in `check_keys` and none besides, not all those of the picked assets.
        needs_partition: what is partitioned must be given one; False lets a test run it without.

    Raises:
        InvalidRequestError: the request does not fit; its problems say where, what was expected, and the nearest name.
        NotFoundError: there is no such job.
    """
    resolved: ResolvedDefinitions = definitions.resolve() if hasattr(definitions, "resolve") else definitions
    job = None if job_name is None else _job(resolved, job_name)
    asked = config or {} if job is None else job.run_config_for(config or {}, partition if partition_end is None else UNPARTITIONED)
    given = merged(job.config if job is not None else {}, asked)
    resources = {**resolved.resources, **(job.resource_defs if job is not None else {}), **(extra_resources or {})}
    problems: list[Problem] = []
    reader = run_config.root(given, problems)
    run_config.check_resources(given.get("resources"), resources, problems)
    moment = now or datetime.now(UTC)

    def cover(definition: Partitions | None, what: str) -> tuple[PartitionKey, ...]:
        return partition_keys.covered(partition, partition_end, definition, what, moment, dynamic, problems, required=needs_partition)

    if job is not None and job.graph is not None:
        _refuse_picks(job, asset_keys, check_keys, problems)
        partitions = job.partitions_def.to_model() if job.partitions_def is not None else None
        covered = cover(partitions, f"job {job.name!r}")
        steps = _op_steps(resolved, job, job.graph, covered, partitions, reader)
    else:
        picked = asset_steps.pick(resolved, job, asset_keys, check_keys, problems, only_checks=only_checks)
        partitions = asset_steps.partitions_of(resolved, job, picked, problems)
        covered = cover(partitions, _described(picked)) if not problems or picked.assets or picked.checks else ()
        steps = asset_steps.steps(resolved, job, picked, covered, partitions, reader)
    kept = _restrict(tuple(steps), step_keys, inherited or {}, problems)
    executor = (job.executor_def if job is not None else None) or resolved.executor
    _check_steps(kept, executor, resources, given, problems)
    if problems:
        raise InvalidRequestError(_summary(problems), problems=problems)
    return ExecutionPlan(
        job_name=job_name,
        steps=kept,
        partition_keys=covered,
        partition_end=partition_end,
        partitions=partitions,
        config=given,
        resources=resources,
        executor=executor,
        job=job,
        loggers=(job.logger_defs if job is not None else {}) or resolved.loggers,
        inherited=dict(inherited or {}),
        chosen=frozenset(step_keys) or None,
        tags=job.all_run_tags if job is not None else {},
    )


def _job(resolved: ResolvedDefinitions, name: str) -> JobDefinition:
    job = resolved.jobs_by_name.get(name)
    if job is None:
        raise NotFoundError("job", name, known=resolved.jobs_by_name)
    return job


def _op_steps(
    resolved: ResolvedDefinitions,
    job: JobDefinition,
    graph: GraphDefinition,
    covered: tuple[PartitionKey, ...],
    partitions: Partitions | None,
    reader: run_config.ConfigReader,
) -> list[Step]:
    source = asset_steps.loader(resolved)
    defaults = Defaults(
        retry_policy=job.op_retry_policy, partition_keys=covered, partitions=partitions, hooks=frozenset(job.hook_defs), asset_source=source
    )
    given = {name: FromValue(value=value) for name, value in job.input_values.items()}
    given |= {name: FromValue(value=value, where="config") for name, value in reader.inputs(graph.fed_by_config(job.input_values)).items()}
    return flatten(graph, config=reader.of_graph(graph, root=True), defaults=defaults, given=given).steps


def _refuse_picks(job: JobDefinition, assets: Sequence[AssetKey], checks: Sequence[AssetCheckKey], problems: list[Problem]) -> None:
    if assets or checks:
        value = [*(key.to_user_string() for key in assets), *(key.to_user_string() for key in checks)]
        problems.append(Problem(path="assets", message=f"job {job.name!r} is a job of ops: assets cannot be picked in it", value=value))


def _check_steps(
    steps: Sequence[Step], executor: Any, resources: Mapping[str, Any], config: Mapping[str, Any], problems: list[Problem]
) -> None:
    """Whether there is what the steps need: an executor, resources with their config, and groups that can run as one."""
    _check_executor(executor, config, problems)
    _check_resources_exist(steps, resources, problems)
    run_config.check_missing_resources(config.get("resources"), resources, {key for step in steps for key in step.resource_keys}, problems)
    problems += (
        Problem(path=f"step_groups.{name}", message=message, value=name)
        for name, message in step_groups.troubles(_members(steps, executor))
    )


def _check_executor(executor: Any, config: Mapping[str, Any], problems: list[Problem]) -> None:
    try:
        executor_config.resolve(executor, config.get("execution"))
    except InvalidRequestError as error:
        problems += error.problems


def _members(steps: Sequence[Step], executor: Any) -> list[step_groups.Member]:
    return [
        step_groups.Member(
            key=step.key,
            upstream=upstream(step),
            group=step.step_group,
            executor=(step.executor or executor or multi_or_in_process_executor).name,
            scope=tuple(f"{level.step}.{level.output}" for level in step.scope),
        )
        for step in steps
    ]


def _described(picked: asset_steps.Picked) -> str:
    named = [key.to_user_string() for key in picked.assets] or [check.to_user_string() for check in picked.checks]
    return (
        f"asset {named[0]}"
        if len(named) == 1 and picked.assets
        else f"what is picked ({', '.join(named[:3])}{', ...' if len(named) > 3 else ''})"
    )


def planned_steps(plan: ExecutionPlan) -> tuple[PlannedStep, ...]:
    """The steps as the launch form and the run's page show them."""
    return planned(plan.steps)


def _summary(problems: Sequence[Problem]) -> str:
    told = "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:_TOLD])
    return told if len(problems) <= _TOLD else f"{told} (and {len(problems) - _TOLD} more)"


def _check_resources_exist(steps: Sequence[Step], resources: Mapping[str, Any], problems: list[Problem]) -> None:
    missing: dict[str, str] = {}
    for step in steps:
        for key in step.resource_keys:
            if key not in resources and key != "io_manager":
                missing.setdefault(key, step.key)
    for key, step_key in missing.items():
        close = nearest(key, resources)
        problems.append(
            Problem(
                path=f"resources.{key}",
                message=f"step {step_key!r} needs the resource {key!r}, which is not defined"
                + (f"; did you mean {close!r}?" if close else ""),
                expected=f"one of {', '.join(sorted(resources)) or 'none'}",
                suggestion=close,
            )
        )


def _restrict(
    steps: tuple[Step, ...], step_keys: Collection[StepKey], inherited: Mapping[StepKey, RunId], problems: list[Problem]
) -> tuple[Step, ...]:
    """Keep the wanted steps, and have what they need of the others come from the runs that did those."""
    known = [step.key for step in steps]
    patterns = frozenset(step.key for step in steps if step.scope)
    for key in step_keys:
        if key not in known and split_key(key)[0] not in patterns:
            close = nearest(key, known)
            message = f"the run has no step {key!r}" + (f"; did you mean {close!r}?" if close else "")
            expected = f"one of {', '.join(known[:_SHOWN])}" + (" ..." if len(known) > _SHOWN else "")
            problems.append(Problem(path="step_keys", message=message, value=key, suggestion=close, expected=expected))
    # Of patterns it is known only while the run goes on which of their copies are wanted.
    kept = {key for key in known if key in patterns or ((not step_keys or key in step_keys) and key not in inherited)}
    if len(kept) == len(known):
        return steps
    wanted = kept if not step_keys else {key for key in kept if key not in patterns or _wanted_pattern(key, step_keys)}
    return tuple(_on_earlier(step, kept, inherited, problems if step.key in wanted else []) for step in steps if step.key in kept)


def _wanted_pattern(key: StepKey, step_keys: Collection[StepKey]) -> bool:
    return any(split_key(wanted)[0] == key for wanted in step_keys)


def _on_earlier(step: Step, kept: set[StepKey], inherited: Mapping[StepKey, RunId], problems: list[Problem]) -> Step:
    def single(source: Any) -> Any:
        if isinstance(source, FromAsset) and source.made_here is not None and source.made_here.step not in kept:
            return replace(source, made_here=None)
        if isinstance(source, FromCollected):
            return replace(source, source=single(source.source))
        if isinstance(source, FromOutput) and source.step not in kept:
            if source.step not in inherited:
                problems.append(
                    Problem(
                        path="step_keys",
                        message=f"step {step.key!r} needs the output {source.output!r} of step {source.step!r}, which is neither in the "
                        "run nor inherited from an earlier one",
                        value=step.key,
                        expected=f"also {source.step}",
                    )
                )
            return replace(source, run_id=inherited.get(source.step))
        return source

    def whole(planned_input: PlannedInput) -> PlannedInput:
        source: Source = planned_input.source
        if isinstance(source, FromMany):
            # Of a list, what an earlier run left out on purpose is left out again.
            there = [one for one in flat(source) if not isinstance(one, FromOutput) or one.step in kept or one.step in inherited]
            return replace(planned_input, source=FromMany(sources=tuple(single(one) for one in there or flat(source))))
        return replace(planned_input, source=single(source))

    return replace(step, inputs=tuple(whole(one) for one in step.inputs))
