"""Sensors: functions that look at the world now and then, and ask for runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, overload

from dagwright.authoring import invocation, naming, signatures
from dagwright.authoring import source as sources
from dagwright.authoring.asset_reports import reported_payload
from dagwright.authoring.instance import Instance
from dagwright.authoring.partitions import AddDynamicPartitionsRequest, PartitionsDefinition
from dagwright.authoring.policies import choice
from dagwright.authoring.requests import RunRequest, Stale, TickResult, misfit
from dagwright.authoring.scoped_resources import Scoped
from dagwright.authoring.sensor_results import SensorResult, as_result
from dagwright.authoring.targets import Target
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.metadata import Metadata, normalize_metadata
from dagwright_shared.model.snapshot import Overlap, SensorKind, TriggerTarget
from dagwright_shared.model.ticks import DynamicPartitionsRequest, Evaluation

AT_ONCE = 100
"""Events that one evaluation reacts to, at most; the next one goes on."""


class DefaultSensorStatus(Enum):
    """Whether a sensor runs before anybody has touched its switch."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


@dataclass(slots=True, kw_only=True)
class SensorEvaluationContext:
    """What a sensor's function knows, and its memory: the cursor."""

    cursor: str | None = None
    """What `update_cursor`, or the SensorResult, of the last evaluation set."""
    last_tick_completion_time: float | None = None
    """Seconds since 1970."""
    last_run_key: str | None = None
    resource_values: Mapping[str, Any] = field(default_factory=dict)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("dagwright.sensors"))
    instance: Any = None
    sensor_name: str | None = None
    repository_name: str | None = None
    """The location."""
    repository_def: Any = None
    new_cursor: str | None = None
    last_sensor_start_time: float | None = None
    """When the sensor was switched on; seconds since 1970."""
    more: bool = False
    """Whether the evaluation stopped before the end of what has happened: it is asked again at once."""

    @property
    def cursor_updated(self) -> bool:
        return self.new_cursor is not None

    @property
    def resource_defs(self) -> Mapping[str, Any]:
        return self.resource_values

    def update_cursor(self, cursor: str | None) -> None:
        """Remember a text for the next evaluation."""
        if cursor is not None and not isinstance(cursor, str):
            raise TypeError(f"the cursor is a {type(cursor).__name__}, not text; write update_cursor(str(...))")
        self.cursor = self.new_cursor = cursor

    @property
    def resources(self) -> Scoped:
        return Scoped(self.resource_values)

    @property
    def last_completion_time(self) -> float | None:
        return self.last_tick_completion_time

    @property
    def is_first_tick_since_sensor_start(self) -> bool:
        return self.last_tick_completion_time is None

    def __enter__(self) -> SensorEvaluationContext:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def build_sensor_context(
    instance: Any = None,
    cursor: str | None = None,
    repository_name: str | None = None,
    repository_def: Any = None,
    sensor_name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    definitions: Any = None,
    last_tick_completion_time: datetime | float | None = None,
    last_sensor_start_time: float | None = None,
) -> SensorEvaluationContext:
    """A context for calling a sensor's function in a test.

    Args:
        instance: the deployment; by default an empty one in memory.
        cursor: as the last evaluation left it.
        resources: objects by key.
    """
    last = last_tick_completion_time.timestamp() if isinstance(last_tick_completion_time, datetime) else last_tick_completion_time
    return SensorEvaluationContext(
        repository_name=repository_name,
        repository_def=repository_def if repository_def is not None else definitions,
        cursor=cursor,
        resource_values=dict(resources or {}),
        instance=Instance.ephemeral() if instance is None else instance,
        sensor_name=sensor_name,
        last_tick_completion_time=last,
        last_sensor_start_time=last_sensor_start_time,
    )


def _resolved(context: SensorEvaluationContext) -> Any:
    """The definitions of a context that a test has built; resources that it gives beside them count as theirs."""
    whole = context.repository_def
    if not hasattr(whole, "resolve"):
        return None
    more = {key: value for key, value in context.resource_values.items() if key not in whole.resources}
    return (whole.merge(whole, type(whole)(resources=more)) if more else whole).resolve()


@dataclass(frozen=True, kw_only=True, eq=False, init=False)
class SensorDefinition:
    """A function that is evaluated again and again, and may ask for runs. See `@sensor`."""

    name: str
    fn: Callable[..., Any]
    targets: tuple[Target, ...]
    context_param: str | None
    resource_params: Mapping[str, str]
    required_resource_keys: AbstractSet[str]
    description: str | None
    metadata: Metadata
    owners: Sequence[str]
    tags: Mapping[str, str]
    default_status: DefaultSensorStatus
    minimum_interval_seconds: int
    kind: SensorKind
    overlap: Overlap
    source: SourceRef | None
    asset_selection: Any
    """The assets that it may ask for, or watches."""
    extra_inputs: tuple[str, ...]
    """Parameters besides the context and the resources: the event of an asset sensor."""

    takes_inputs: ClassVar[int] = 0

    def __init__(
        self,
        name: str | None = None,
        *,
        evaluation_fn: Callable[..., Any],
        job_name: str | None = None,
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        job: Any = None,
        jobs: Sequence[Any] | None = None,
        default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
        asset_selection: Any = None,
        required_resource_keys: AbstractSet[str] | None = None,
        tags: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        target: Any = None,
        owners: Sequence[str] | None = None,
        overlap: str | Overlap = Overlap.ALLOW,
        source: SourceRef | None = None,
        kind: SensorKind = SensorKind.STANDARD,
    ) -> None:
        source = source or sources.of_function(evaluation_fn) or sources.of_caller()
        called = naming.check_name(name or getattr(evaluation_fn, "__name__", None), "sensor", source)
        what = f"sensor {called!r}"
        signature = signatures.read(evaluation_fn, what, source, plain_context=True)
        signature.refuse_inputs(what, source, after=self.takes_inputs)
        interval = 30 if minimum_interval_seconds is None else minimum_interval_seconds
        if not isinstance(interval, int) or interval < 0:
            raise DefinitionError(
                f"{what}: minimum_interval_seconds is {interval!r}", source=source, mend="give a whole number of seconds >= 0"
            )
        given = [*(jobs or ())] or [None]
        targets = tuple(
            Target.read(
                job=one or job,
                job_name=job_name,
                target=target if target is not None else asset_selection,
                what=what,
                source=source,
                optional=True,
            )
            for one in given
        )
        values = {
            "name": called,
            "fn": evaluation_fn,
            "targets": tuple(aim for aim in targets if aim != Target()),
            "context_param": signature.context_param,
            "resource_params": dict(signature.resource_params),
            "required_resource_keys": frozenset(required_resource_keys or ()) | frozenset(signature.resource_params.values()),
            "description": description or signatures.doc(evaluation_fn),
            "metadata": normalize_metadata(metadata),
            "owners": naming.check_owners(owners, what, source),
            "tags": naming.check_run_tags(tags, what, source),
            "default_status": DefaultSensorStatus(default_status),
            "minimum_interval_seconds": interval,
            "kind": kind,
            "overlap": choice(Overlap, overlap, "overlap", what, source),
            "source": source,
            "asset_selection": next((aim.selection for aim in targets if aim.selection is not None), None),
            "extra_inputs": tuple(parameter.name for parameter in signature.inputs),
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def jobs(self) -> list[Any]:
        """The jobs that it may launch."""
        return [target.job for target in self.targets if target.job is not None]

    @property
    def job_name(self) -> str | None:
        """The name of the job that it launches, where that is one."""
        names = [target.job_name for target in self.targets if target.job_name is not None]
        return names[0] if len(names) == 1 else None

    @property
    def job(self) -> Any:
        """The job that it launches.

        Raises:
            DefinitionError: it is not one job.
        """
        if len(self.jobs) != 1:
            raise DefinitionError(f"sensor {self.name!r} has {len(self.jobs)} jobs", source=self.source, mend="read .jobs")
        return self.jobs[0]

    @property
    def sensor_type(self) -> SensorKind:
        return self.kind

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function directly, as a test does; resources that are not given come from the context."""
        context = args[0] if args else kwargs.get(self.context_param or "context")
        values = getattr(context, "resource_values", {})
        known = {name: values[key] for name, key in self.resource_params.items() if name not in kwargs and key in values}
        if self.context_param is None and args and hasattr(context, "resource_values"):
            args = args[1:]
        return invocation.direct(self, args, {**known, **kwargs} if len(args) <= 1 + len(self.extra_inputs) else kwargs)

    def prepared(self, context: SensorEvaluationContext, definitions: Any) -> SensorEvaluationContext:
        """The context as this kind of sensor wants it; `definitions` are the resolved ones."""
        del definitions
        return context

    def evaluate_tick(self, context: SensorEvaluationContext) -> TickResult:
        """What an evaluation asks for, as a test reads it.

        Raises:
            UserCodeError: the function returned what it may not.
        """
        definitions = _resolved(context)
        context = replace(self.prepared(context, definitions), sensor_name=self.name)
        result = _answer(self, context)
        for request in result.run_requests:
            _job_of(request, {target.job_name: TriggerTarget(job_name=target.job_name) for target in self.targets}, f"sensor {self.name!r}")
        return TickResult.of(
            result.run_requests,
            _reason(result, result.run_requests),
            cursor=_cursor(result, context),
            dynamic_partitions_requests=result.dynamic_partitions_requests,
            asset_events=result.asset_events,
        )

    def ask(self, context: SensorEvaluationContext) -> Any:
        """What the user's function returns for an evaluation."""
        return self.call(context)

    def call(self, context: Any, *extra: Any) -> Any:
        """Call the user's function with what its parameters want."""
        arguments: dict[str, Any] = {name: context.resource_values[key] for name, key in self.resource_params.items()}
        arguments.update(zip(self.extra_inputs, extra, strict=False))
        if self.context_param is not None:
            arguments[self.context_param] = context
        return self.fn(**arguments)

    def watched(self, graph: Any) -> dict[str, Any]:
        """What the snapshot says besides: fields of SensorSnapshot."""
        del graph
        return {}

    def __repr__(self) -> str:
        return f"<sensor {self.name}>"


@overload
def sensor(evaluation_fn: Callable[..., Any], /) -> SensorDefinition: ...
@overload
def sensor(
    job_name: str | None = ...,
    *,
    name: str | None = ...,
    minimum_interval_seconds: int | None = ...,
    description: str | None = ...,
    job: Any = ...,
    jobs: Sequence[Any] | None = ...,
    default_status: DefaultSensorStatus = ...,
    asset_selection: Any = ...,
    required_resource_keys: AbstractSet[str] | None = ...,
    tags: Mapping[str, str] | None = ...,
    metadata: Mapping[str, Any] | None = ...,
    target: Any = ...,
    owners: Sequence[str] | None = ...,
    overlap: str | Overlap = ...,
) -> Callable[[Callable[..., Any]], SensorDefinition]: ...
def sensor(
    job_name: str | Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    minimum_interval_seconds: int | None = None,
    description: str | None = None,
    job: Any = None,
    jobs: Sequence[Any] | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    asset_selection: Any = None,
    required_resource_keys: AbstractSet[str] | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    target: Any = None,
    owners: Sequence[str] | None = None,
    overlap: str | Overlap = Overlap.ALLOW,
) -> Any:
    """Turn a function into a sensor: it returns (or yields) RunRequests, a SkipReason, or a SensorResult.

    Args:
        job, jobs, job_name, target, asset_selection: what it may launch.
        minimum_interval_seconds: time between evaluations; 30 by default.
        overlap: `allow`, `skip`, `queue` or `cancel_old`: what a tick does when a run of an earlier one still goes.
        name, description, default_status, required_resource_keys, tags, metadata, owners: as for schedules.

    Example:
        >>> from dagwright import RunRequest, SensorResult, sensor
        >>> @sensor(target="group:raw", minimum_interval_seconds=10)
        ... def new_files(context):
        ...     seen = int(context.cursor or 0)
        ...     return SensorResult(run_requests=[RunRequest(run_key=str(seen))], cursor=str(seen + 1))
        >>> new_files.minimum_interval_seconds
        10
    """
    options: dict[str, Any] = {
        "name": name,
        "minimum_interval_seconds": minimum_interval_seconds,
        "description": description,
        "job": job,
        "jobs": jobs,
        "default_status": default_status,
        "asset_selection": asset_selection,
        "required_resource_keys": required_resource_keys,
        "tags": tags,
        "metadata": metadata,
        "target": target,
        "owners": owners,
        "overlap": overlap,
    }
    if callable(job_name):
        return SensorDefinition(evaluation_fn=job_name, **options)
    return lambda fn: SensorDefinition(evaluation_fn=fn, job_name=job_name, **options)


def evaluate(
    definition: SensorDefinition,
    context: SensorEvaluationContext,
    targets: Mapping[str | None, TriggerTarget],
    partitions: Mapping[str | None, PartitionsDefinition | None],
    stale: Stale | None = None,
) -> Evaluation:
    """Ask a sensor what it wants, and check the answer.

    Args:
        context: of this evaluation, resources set up.
        targets: resolved targets by job name (None: assets without a job).
        partitions: partitions of those targets, to read keys.
        stale: for requests with `stale_assets_only`.

    Raises:
        UserCodeError: the function returned what it may not.
    """
    context = replace(context, sensor_name=definition.name)
    result = _answer(definition, context)
    what = f"sensor {definition.name!r}"
    requests = []
    for request in result.run_requests:
        name = _job_of(request, targets, what)
        wanted = request.to_model(targets.get(name), partitions.get(name), stale)
        if wanted.asset_keys or wanted.check_keys or not request.stale_assets_only:
            requests.append(wanted)
    try:
        asset_events = tuple(map(reported_payload, result.asset_events))
    except TypeError as error:
        raise misfit(what, result, f"a SensorResult with other asset_events: {error}") from None
    changes = tuple(
        DynamicPartitionsRequest(name=c.partitions_def_name, add=tuple(c.partition_keys))
        if isinstance(c, AddDynamicPartitionsRequest)
        else DynamicPartitionsRequest(name=c.partitions_def_name, delete=tuple(c.partition_keys))
        for c in result.dynamic_partitions_requests
    )
    return Evaluation(
        requests=tuple(requests),
        skip_reason=_reason(result, requests),
        cursor=_cursor(result, context),
        dynamic_partitions=changes,
        asset_events=asset_events,
        more=context.more,
    )


def _answer(definition: SensorDefinition, context: SensorEvaluationContext) -> SensorResult:
    """What the sensor's function returns, in the one form, checked."""
    returned = definition.ask(context)
    what = f"sensor {definition.name!r}"
    if isinstance(returned, Iterator):
        returned = list(returned)
    result = as_result(returned, what)
    for request in result.run_requests:
        if not isinstance(request, RunRequest):
            raise misfit(what, request, "RunRequests")
    return result


def _reason(result: SensorResult, requests: Sequence[Any]) -> str | None:
    """Why there are no requests."""
    if requests:
        return None
    given = result.skip_reason.skip_message if result.skip_reason else None
    return given if given is not None else "the sensor's function asked for no runs"


def _cursor(result: SensorResult, context: SensorEvaluationContext) -> str | None:
    return result.cursor if result.cursor is not None else context.new_cursor


def _job_of(request: RunRequest, targets: Mapping[str | None, TriggerTarget], what: str) -> str | None:
    if request.job_name is not None:
        if targets and request.job_name not in targets:
            known = ", ".join(sorted(name for name in targets if name)) or "assets only"
            raise misfit(what, request.job_name, f"a RunRequest for one of its jobs: {known}")
        return request.job_name
    if len(targets) == 1:
        return next(iter(targets))
    if request.asset_selection:
        return None
    problem = (
        "job_name= in the RunRequest, because the sensor has several jobs"
        if targets
        else "job_name= in the RunRequest, because the sensor has no target"
    )
    raise misfit(what, request, problem)
