"""Schedules: when a job or a selection of assets runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from dagwright.authoring import invocation, naming, signatures
from dagwright.authoring import source as sources
from dagwright.authoring.config import RunConfig, config_dict
from dagwright.authoring.instance import Instance
from dagwright.authoring.jobs import JobDefinition, UnresolvedAssetJobDefinition
from dagwright.authoring.partitions import MultiPartitionsDefinition, PartitionsDefinition, StaticPartitionsDefinition
from dagwright.authoring.policies import choice
from dagwright.authoring.requests import RunRequest, SkipReason, Stale, TickResult, misfit
from dagwright.authoring.scoped_resources import Scoped
from dagwright.authoring.specs import refuse
from dagwright.authoring.targets import Target
from dagwright.authoring.time_partitions import TimeWindowPartitionsDefinition
from dagwright_shared.model import cron
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.metadata import Metadata, normalize_metadata
from dagwright_shared.model.snapshot import MissedTicks, Overlap, TriggerTarget
from dagwright_shared.model.ticks import Evaluation


class DefaultScheduleStatus(Enum):
    """Whether a schedule runs before anybody has touched its switch."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


@dataclass(slots=True, kw_only=True)
class ScheduleEvaluationContext:
    """What a schedule's function knows of the tick."""

    scheduled_execution_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the tick was due, in the schedule's time zone."""
    resource_values: Mapping[str, Any] = field(default_factory=dict)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("dagwright.schedules"))
    instance: Any = None
    schedule_name: str | None = None
    repository_def: Any = None

    @property
    def resources(self) -> Scoped:
        return Scoped(self.resource_values)

    def __enter__(self) -> ScheduleEvaluationContext:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def build_schedule_context(
    instance: Any = None,
    scheduled_execution_time: datetime | None = None,
    resources: Mapping[str, Any] | None = None,
    repository_def: Any = None,
) -> ScheduleEvaluationContext:
    """A context for calling a schedule's function in a test.

    Args:
        scheduled_execution_time: when the tick is due; by default now.
        resources: objects by key.
    """
    moment = scheduled_execution_time or datetime.now(UTC)
    return ScheduleEvaluationContext(
        scheduled_execution_time=moment,
        resource_values=dict(resources or {}),
        instance=Instance.ephemeral() if instance is None else instance,
        repository_def=repository_def,
    )


@dataclass(frozen=True, kw_only=True, eq=False, init=False)
class ScheduleDefinition:
    """When something runs, on a cron expression.

    Args:
        job: what runs; or `target`: a job, a selection, its text, or assets; or `job_name`.
        cron_schedule: five-field expression, or several; a tick is due when any fires.
        name: by default that of the job, plus `_schedule`.
        execution_timezone: IANA name; UTC by default.
        run_config, tags: of each run.
        owners: who answers for it, as e-mail addresses or `team:name`; shown.
        run_config_fn, tags_fn, should_execute: functions of the context that decide them at each tick.
        execution_fn: function of the context that returns RunRequests or a SkipReason.
        default_status: whether it runs before anybody touches its switch.
        missed_ticks: `skip`, `once` or `all`: what becomes of ticks that came due while nothing ran.
        max_missed_ticks: with `all`, how many of the newest are caught up.
        overlap: `allow`, `skip`, `queue` or `cancel_old`: what a tick does when the run of an earlier one still goes.

    Raises:
        DefinitionError: the cron expression, time zone, name or target is not valid.

    Example:
        >>> ScheduleDefinition(name="nightly", target="group:raw", cron_schedule="0 3 * * *").cron_schedule
        '0 3 * * *'
    """

    name: str
    crons: tuple[str, ...]
    timezone: str
    execution_timezone: str | None
    """As it was given; `timezone` is UTC without one."""
    target: Target
    fn: Callable[..., Any] | None
    """None: each tick asks for one run with `run_config` and `tags`."""
    context_param: str | None
    resource_params: Mapping[str, str]
    required_resource_keys: AbstractSet[str]
    run_config: Mapping[str, Any]
    tags: Mapping[str, str]
    description: str | None
    metadata: Metadata
    owners: Sequence[str] | None
    default_status: DefaultScheduleStatus
    missed_ticks: MissedTicks
    max_missed_ticks: int
    overlap: Overlap
    partitions_def: PartitionsDefinition | None
    """With `partitioned`: whose window that ended at the tick is run, or whose every key when they are static."""
    partitioned: bool
    source: SourceRef | None

    def __init__(
        self,
        name: str | None = None,
        *,
        cron_schedule: str | Sequence[str] | None = None,
        job_name: str | None = None,
        run_config: Mapping[str, Any] | RunConfig | None = None,
        run_config_fn: Callable[..., Any] | None = None,
        tags: Mapping[str, str] | None = None,
        tags_fn: Callable[..., Any] | None = None,
        should_execute: Callable[..., bool] | None = None,
        execution_timezone: str | None = None,
        execution_fn: Callable[..., Any] | None = None,
        description: str | None = None,
        job: Any = None,
        default_status: DefaultScheduleStatus = DefaultScheduleStatus.STOPPED,
        required_resource_keys: AbstractSet[str] | None = None,
        target: Any = None,
        metadata: Mapping[str, Any] | None = None,
        owners: Sequence[str] | None = None,
        environment_vars: Any = None,
        missed_ticks: str | MissedTicks = MissedTicks.ONCE,
        max_missed_ticks: int = 5,
        overlap: str | Overlap = Overlap.ALLOW,
        source: SourceRef | None = None,
        partitions_def: PartitionsDefinition | None = None,
    ) -> None:
        source = source or sources.of_caller()
        aim = Target.read(job=job, job_name=job_name, target=target, what=f"schedule {name or ''}".strip(), source=source)
        called = naming.check_name(name or (f"{aim.job_name}_schedule" if aim.job_name else None), "schedule", source)
        what = f"schedule {called!r}"
        refuse(what, source, environment_vars=environment_vars)
        if execution_fn is not None and (run_config_fn or tags_fn or should_execute or run_config or tags):
            raise DefinitionError(
                f"{what} has a function, and run_config, tags, or functions for them",
                source=source,
                mend="put them into the RunRequest that the function returns",
            )
        fn: Callable[..., Any] | None = execution_fn
        if run_config_fn or tags_fn or should_execute:
            fn = _pieces(run_config_fn, tags_fn, should_execute, run_config, tags)
        signature = signatures.read(fn, what, source, plain_context=True) if fn is not None else None
        if signature is not None:
            signature.refuse_inputs(what, source)
        resource_params = dict(signature.resource_params) if signature else {}
        values = {
            "name": called,
            "crons": _crons(cron_schedule, what, source),
            "timezone": _timezone(execution_timezone, what, source),
            "execution_timezone": execution_timezone,
            "target": aim,
            "fn": fn,
            "context_param": signature.context_param if signature else None,
            "resource_params": resource_params,
            "required_resource_keys": frozenset(required_resource_keys or ()) | frozenset(resource_params.values()),
            "run_config": config_dict(run_config),
            "tags": naming.check_run_tags(tags, what, source),
            "description": description or (signatures.doc(execution_fn) if execution_fn else None),
            "metadata": normalize_metadata(metadata),
            "owners": naming.check_owners(owners, what, source) or None,
            "default_status": DefaultScheduleStatus(default_status),
            "missed_ticks": choice(MissedTicks, missed_ticks, "missed_ticks", what, source),
            "max_missed_ticks": max_missed_ticks,
            "overlap": choice(Overlap, overlap, "overlap", what, source),
            "partitions_def": partitions_def,
            "partitioned": partitions_def is not None,
            "source": source,
        }
        if not isinstance(max_missed_ticks, int) or max_missed_ticks < 1:
            raise DefinitionError(f"{what}: max_missed_ticks is {max_missed_ticks!r}", source=source, mend="give a whole number >= 1")
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def cron_schedule(self) -> str | Sequence[str]:
        return self.crons[0] if len(self.crons) == 1 else self.crons

    @property
    def job_name(self) -> str | None:
        return self.target.job_name

    @property
    def job(self) -> Any:
        return self.target.job

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function directly, as a test does."""
        if self.fn is None:
            raise DefinitionError(f"schedule {self.name!r} has no function to call", source=self.source)
        return invocation.direct(self, args, kwargs)

    def evaluate_tick(self, context: ScheduleEvaluationContext) -> TickResult:
        """What a tick asks for, as a test reads it. Raises UserCodeError when the function returns what it may not."""
        return TickResult.of(*_ask(self, context))

    def __repr__(self) -> str:
        return f"<schedule {self.name}>"


def schedule(
    cron_schedule: str | Sequence[str],
    *,
    job_name: str | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    tags_fn: Callable[..., Any] | None = None,
    should_execute: Callable[..., bool] | None = None,
    environment_vars: Any = None,
    execution_timezone: str | None = None,
    description: str | None = None,
    job: Any = None,
    default_status: DefaultScheduleStatus = DefaultScheduleStatus.STOPPED,
    required_resource_keys: AbstractSet[str] | None = None,
    target: Any = None,
    metadata: Mapping[str, Any] | None = None,
    owners: Sequence[str] | None = None,
    missed_ticks: str | MissedTicks = MissedTicks.ONCE,
    max_missed_ticks: int = 5,
    overlap: str | Overlap = Overlap.ALLOW,
) -> Callable[[Callable[..., Any]], ScheduleDefinition]:
    """Turn a function of the tick into a schedule: it returns run requests, a run config, or a SkipReason.

    Arguments as for ScheduleDefinition.

    Example:
        >>> from dagwright import RunRequest, schedule
        >>> @schedule(cron_schedule="0 6 * * *", target="group:raw")
        ... def every_morning(context):
        ...     return RunRequest(tags={"day": f"{context.scheduled_execution_time:%Y-%m-%d}"})
        >>> every_morning.name
        'every_morning'
    """

    def decorate(fn: Callable[..., Any]) -> ScheduleDefinition:
        decided = fn if not (tags or tags_fn or should_execute) else _with_pieces(fn, tags, tags_fn, should_execute)
        return ScheduleDefinition(
            name=name or fn.__name__,
            cron_schedule=cron_schedule,
            job_name=job_name,
            environment_vars=environment_vars,
            execution_timezone=execution_timezone,
            execution_fn=decided,
            description=description or signatures.doc(fn),
            job=job,
            default_status=default_status,
            required_resource_keys=required_resource_keys,
            target=target,
            metadata=metadata,
            owners=owners,
            missed_ticks=missed_ticks,
            max_missed_ticks=max_missed_ticks,
            overlap=overlap,
            source=sources.of_function(fn),
        )

    return decorate


def build_schedule_from_partitioned_job(
    job: JobDefinition | UnresolvedAssetJobDefinition,
    description: str | None = None,
    name: str | None = None,
    minute_of_hour: int | None = None,
    hour_of_day: int | None = None,
    day_of_week: int | None = None,
    day_of_month: int | None = None,
    default_status: DefaultScheduleStatus = DefaultScheduleStatus.STOPPED,
    tags: Mapping[str, str] | None = None,
    cron_schedule: str | None = None,
    execution_timezone: str | None = None,
    **options: Any,
) -> Any:
    """A schedule that runs each time window of a partitioned job once it has ended.

    Args:
        job: partitioned by its own `partitions_def`, or the one that its assets share: by time; by several dimensions of which one is time
            (each tick runs the ended window with every key of the others); or statically (each tick runs every key).
        minute_of_hour, hour_of_day, day_of_week, day_of_month: wait until then.
        cron_schedule: when to run static partitions.
        others: as for ScheduleDefinition.

    Raises:
        DefinitionError: the job is not partitioned so, or static partitions have no `cron_schedule`.
    """
    source = sources.of_caller()
    moved = {"minute_of_hour": minute_of_hour, "hour_of_day": hour_of_day, "day_of_week": day_of_week, "day_of_month": day_of_month}
    later = PartitionedSchedule(
        job=job,
        name=naming.check_name(name or f"{job.name}_schedule", "schedule", source),
        moved={key: value for key, value in moved.items() if value is not None},
        cron_schedule=cron_schedule,
        timezone=execution_timezone,
        options={**options, "description": description, "default_status": default_status, "tags": tags},
        source=source,
    )
    known = job.partitions_def is not None or isinstance(job, JobDefinition)
    return later.resolve(job.partitions_def) if known else later


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartitionedSchedule:
    """A schedule over a job whose partitions are known once its assets are."""

    job: JobDefinition | UnresolvedAssetJobDefinition
    name: str
    moved: Mapping[str, int]
    cron_schedule: str | None
    timezone: str | None
    options: Mapping[str, Any]
    source: SourceRef | None

    def resolve(self, partitions: PartitionsDefinition | None) -> ScheduleDefinition:
        windows = _windows(partitions)
        if windows is None and not (isinstance(partitions, StaticPartitionsDefinition) and self.cron_schedule):
            has = "is not partitioned" if partitions is None else f"is partitioned by {partitions}"
            raise DefinitionError(
                f"schedule {self.name!r}: the job {self.job.name!r} {has}",
                source=self.source,
                mend="use a job whose partitions are windows of time, or have them as one dimension; static ones need a cron_schedule",
            )
        return ScheduleDefinition(
            name=self.name,
            job=self.job,
            cron_schedule=self.cron_schedule or (windows.get_cron_schedule(**self.moved) if windows is not None else None),
            execution_timezone=self.timezone or (windows.timezone if windows is not None else None),
            partitions_def=partitions,
            source=self.source,
            **self.options,
        )


def _windows(partitions: PartitionsDefinition | None) -> TimeWindowPartitionsDefinition | None:
    """The partitions of time, when these are, or when they are one dimension of these."""
    axes = partitions.partitions_by_dimension.values() if isinstance(partitions, MultiPartitionsDefinition) else (partitions,)
    found = [axis for axis in axes if isinstance(axis, TimeWindowPartitionsDefinition)]
    return found[0] if len(found) == 1 else None


def evaluate(
    definition: ScheduleDefinition,
    context: ScheduleEvaluationContext,
    target: TriggerTarget | None,
    partitions: PartitionsDefinition | None,
    stale: Stale | None = None,
) -> Evaluation:
    """Ask a schedule what its tick wants, and check the answer.

    Args:
        context: of the tick, resources set up.
        target: the resolved target, for requests that do not name a job.
        partitions: of the target, to read partition keys.
        stale: for requests with `stale_assets_only`.

    Raises:
        UserCodeError: the function returned what it may not.
    """
    requests, reason = _ask(definition, context)
    wanted = [(request, request.to_model(target, partitions or definition.partitions_def, stale)) for request in requests]
    kept = tuple(data for request, data in wanted if data.asset_keys or data.check_keys or not request.stale_assets_only)
    return Evaluation(requests=kept, skip_reason=reason if kept or reason else "nothing is stale")


def _ask(definition: ScheduleDefinition, context: ScheduleEvaluationContext) -> tuple[Sequence[RunRequest], str | None]:
    """The requests of a tick, or why there are none."""
    context = replace(
        context,
        schedule_name=definition.name,
        scheduled_execution_time=context.scheduled_execution_time.astimezone(cron.zone(definition.timezone)),
    )
    if definition.partitioned and definition.fn is None:
        return _due_partitions(definition, context)
    if definition.fn is None:
        return [RunRequest(run_config=definition.run_config, tags=definition.tags)], None
    arguments: dict[str, Any] = {name: context.resource_values[key] for name, key in definition.resource_params.items()}
    if definition.context_param is not None:
        arguments[definition.context_param] = context
    return _answer(definition.fn(**arguments), f"schedule {definition.name!r}")


def _answer(returned: object, what: str) -> tuple[Sequence[RunRequest], str | None]:
    """What a schedule's function returned, as requests or a reason why there are none."""
    expected = "a RunRequest, a list of them, a SkipReason, a run config, or None"
    if isinstance(returned, Iterator):
        returned = list(returned)
    match returned:
        case None:
            return (), "the schedule's function returned nothing"
        case SkipReason() | [SkipReason()]:
            skip = returned if isinstance(returned, SkipReason) else returned[0]
            return (), skip.skip_message or "skipped"
        case RunRequest():
            return (returned,), None
        case RunConfig() | dict():
            return (RunRequest(run_config=returned),), None
        case list() | tuple():
            for item in returned:
                if not isinstance(item, RunRequest):
                    raise misfit(what, item, expected)
            return returned, None if returned else "the schedule's function asked for no runs"
        case _:
            raise misfit(what, returned, expected)


def _due_partitions(definition: ScheduleDefinition, context: ScheduleEvaluationContext) -> tuple[Sequence[RunRequest], str | None]:
    keys = _due_keys(definition.partitions_def, context)
    if not keys:
        return (), "no partition has ended yet"
    config, tags = definition.run_config, definition.tags
    return [RunRequest(run_key=key, partition_key=key, run_config=config, tags=tags) for key in keys], None


def _due_keys(partitions: PartitionsDefinition | None, context: ScheduleEvaluationContext) -> Sequence[str]:
    """The window of time that ended last, with each key of the other dimensions; of static partitions every one."""
    windows, moment = _windows(partitions), context.scheduled_execution_time + timedelta(microseconds=1)
    if windows is None:
        return partitions.get_partition_keys() if partitions is not None else ()
    newest = windows.get_last_partition_key(moment)
    if newest is None:
        return ()
    if not isinstance(partitions, MultiPartitionsDefinition):
        return (newest,)
    return partitions.get_multipartition_keys_with_dimension_value(partitions.time_window_dimension.name, newest, moment, context.instance)


def _pieces(run_config_fn: Any, tags_fn: Any, should_execute: Any, run_config: Any, tags: Any) -> Callable[[Any], Any]:
    def decide(context: Any) -> RunRequest | SkipReason:
        if should_execute is not None and not should_execute(context):
            return SkipReason("should_execute said no")
        config = run_config_fn(context) if run_config_fn is not None else run_config
        return RunRequest(run_config=config, tags=tags_fn(context) if tags_fn is not None else tags)

    return decide


def _with_pieces(fn: Callable[..., Any], tags: Any, tags_fn: Any, should_execute: Any) -> Callable[[Any], Any]:
    def decide(context: Any) -> Any:
        if should_execute is not None and not should_execute(context):
            return SkipReason("should_execute said no")
        returned = fn(context)
        if isinstance(returned, (dict, RunConfig)) or returned is None:
            return RunRequest(run_config=returned, tags=tags_fn(context) if tags_fn is not None else tags)
        return returned

    return decide


def _crons(given: str | Sequence[str] | None, what: str, source: SourceRef | None) -> tuple[str, ...]:
    expressions = (given,) if isinstance(given, str) else tuple(given or ())
    if not expressions:
        raise DefinitionError(f"{what} has no cron_schedule", source=source, mend='give one: cron_schedule="0 6 * * *"')
    for expression in expressions:
        try:
            cron.check(expression)
        except (ValueError, AttributeError) as error:
            raise DefinitionError(f"{what}: {error}", source=source) from None
    return expressions


def _timezone(given: str | None, what: str, source: SourceRef | None) -> str:
    try:
        cron.zone(given or "UTC")
    except ValueError as error:
        raise DefinitionError(f"{what}: {error}", source=source) from None
    return given or "UTC"
