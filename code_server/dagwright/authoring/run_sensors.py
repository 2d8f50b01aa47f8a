"""Sensors of runs: they react to runs that began, succeeded, failed or were canceled."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from email.message import EmailMessage
from typing import Any

from dagwright.authoring import source as sources
from dagwright.authoring.event_types import EventType
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.instance import Instance, RunStatusChangeRecordsFilter
from dagwright.authoring.instance_events import Event
from dagwright.authoring.instance_runs import RunsFilter, RunView
from dagwright.authoring.jobs import JobDefinition, UnresolvedAssetJobDefinition
from dagwright.authoring.requests import SkipReason
from dagwright.authoring.scoped_resources import Scoped
from dagwright.authoring.sensor_results import SensorResult, as_result, together
from dagwright.authoring.sensors import AT_ONCE, DefaultSensorStatus, SensorDefinition, SensorEvaluationContext
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.snapshot import MonitoredJob, SensorKind

_EVENTS: Mapping[RunStatus, EventType] = {
    RunStatus.STARTED: EventType.RUN_START,
    RunStatus.SUCCESS: EventType.RUN_SUCCESS,
    RunStatus.FAILURE: EventType.RUN_FAILURE,
    RunStatus.CANCELED: EventType.RUN_CANCELED,
}


@dataclass(frozen=True, slots=True)
class JobSelector:
    """A job of another location, for `monitored_jobs`."""

    location_name: str
    repository_name: str | None = None
    job_name: str | None = None


@dataclass(frozen=True, slots=True)
class RepositorySelector:
    """All jobs of a location, for `monitored_jobs`."""

    location_name: str
    repository_name: str | None = None


@dataclass(frozen=True, slots=True)
class CodeLocationSelector:
    """All jobs of a location, for `monitored_jobs`."""

    location_name: str


@dataclass(slots=True, kw_only=True)
class RunStatusSensorContext:
    """What the function of a run-status sensor knows: the run, and the event that told of its status."""

    sensor_name: str
    dagster_run: RunView
    dagster_event: Event
    instance: Any
    resource_values: Mapping[str, Any] = field(default_factory=dict)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("dagwright.sensors"))
    evaluation: SensorEvaluationContext | None = None
    partition_key: str | None = None

    @property
    def resources(self) -> Scoped:
        return Scoped(self.resource_values)

    @property
    def resource_defs(self) -> Mapping[str, Any]:
        return self.resource_values

    @property
    def run(self) -> RunView:
        return self.dagster_run

    @property
    def cursor(self) -> str | None:
        return self.evaluation.cursor if self.evaluation is not None else None

    def for_run_failure(self) -> RunFailureSensorContext:
        """The same, for functions that take failures."""
        return RunFailureSensorContext(
            sensor_name=self.sensor_name,
            dagster_run=self.dagster_run,
            dagster_event=self.dagster_event,
            instance=self.instance,
            resource_values=self.resource_values,
            log=self.log,
            evaluation=self.evaluation,
            partition_key=self.partition_key,
        )

    def __enter__(self) -> RunStatusSensorContext:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@dataclass(slots=True, kw_only=True)
class RunFailureSensorContext(RunStatusSensorContext):
    """What the function of a run-failure sensor knows."""

    @property
    def failure_event(self) -> Event:
        return self.dagster_event

    def get_step_failure_events(self) -> list[Event]:
        """The failures of the run's steps."""
        records = self.instance.get_records_for_run(self.dagster_run.run_id, of_type=EventType.STEP_FAILURE).records
        return [item.event_log_entry.get_dagster_event() for item in records]


def build_run_status_sensor_context(
    sensor_name: str,
    dagster_event: Event,
    dagster_instance: Any,
    dagster_run: RunView,
    context: SensorEvaluationContext | None = None,
    resources: Mapping[str, Any] | None = None,
    partition_key: str | None = None,
    *,
    repository_def: Any = None,
) -> RunStatusSensorContext:
    """A context for calling the function of a run-status sensor in a test; `.for_run_failure()` makes one for failures."""
    del repository_def
    return RunStatusSensorContext(
        sensor_name=sensor_name,
        dagster_run=dagster_run,
        dagster_event=dagster_event,
        instance=dagster_instance,
        evaluation=context,
        resource_values=dict(resources or {}),
        partition_key=partition_key or dagster_run.partition_key,
    )


class RunStatusSensorDefinition(SensorDefinition):
    """A sensor that is called for each run that comes to a status. See `@run_status_sensor`."""

    run_status: RunStatus
    monitored_jobs: tuple[MonitoredJob, ...]
    all_locations: bool

    def __init__(
        self,
        name: str | None,
        run_status: RunStatus,
        run_status_sensor_fn: Callable[..., Any],
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        monitored_jobs: Sequence[Any] | None = None,
        monitor_all_code_locations: bool | None = None,
        request_job: Any = None,
        request_jobs: Sequence[Any] | None = None,
        **options: Any,
    ) -> None:
        source = sources.of_function(run_status_sensor_fn) or sources.of_caller()
        what = f"run status sensor {name or getattr(run_status_sensor_fn, '__name__', '')!r}"
        status = RunStatus(run_status)
        if status not in _EVENTS:
            raise DefinitionError(
                f"{what} waits for {status}, of which no event is recorded", source=source, mend=f"use one of {', '.join(_EVENTS)}"
            )
        if monitored_jobs and monitor_all_code_locations:
            raise DefinitionError(f"{what} has monitored_jobs and monitor_all_code_locations", source=source, mend="keep one of them")
        object.__setattr__(self, "run_status", status)
        object.__setattr__(self, "monitored_jobs", tuple(_monitored(job, what, source) for job in monitored_jobs or ()))
        object.__setattr__(self, "all_locations", bool(monitor_all_code_locations))
        options |= {"minimum_interval_seconds": minimum_interval_seconds, "description": description, "source": source}
        super().__init__(
            name, evaluation_fn=run_status_sensor_fn, job=request_job, jobs=request_jobs, kind=SensorKind.RUN_STATUS, **options
        )

    def prepared(self, context: SensorEvaluationContext, definitions: Any) -> SensorEvaluationContext:
        context.repository_def = definitions
        return context

    def ask(self, context: SensorEvaluationContext) -> Any:
        """React to the runs that came to the status since the evaluation before; the first evaluation only takes note of where it is."""
        event_type = _EVENTS[self.run_status]
        if context.cursor is None:
            newest = context.instance.fetch_run_status_changes(event_type, limit=1).records
            context.update_cursor(str(newest[0].storage_id if newest else 0))
            return SkipReason("the sensor reacts to runs from now on")
        wanted = RunStatusChangeRecordsFilter(event_type, after_storage_id=int(context.cursor))
        page = context.instance.fetch_run_status_changes(wanted, limit=AT_ONCE, ascending=True)
        found = page.records
        ids = list(dict.fromkeys(item.run_id for item in found))
        runs = {run.run_id: run for run in context.instance.get_runs(RunsFilter(run_ids=ids), limit=len(ids))} if ids else {}
        results: list[SensorResult] = []
        for item in found:
            run = runs.get(item.run_id)
            if run is not None and self._concerns(run, context.repository_def):
                results.append(self._react(run, item.event_log_entry.get_dagster_event(), context))
        if found:
            context.update_cursor(str(found[-1].storage_id))
        context.more = page.has_more
        return together(results) if results else SkipReason(f"no run that it watches came to {self.run_status}")

    def _react(self, run: RunView, event: Event, context: SensorEvaluationContext) -> SensorResult:
        """What the function answers for a run. Its failure is logged, and does not keep it from the runs that follow."""
        view = RunStatusSensorContext(
            sensor_name=self.name,
            dagster_run=run,
            dagster_event=event,
            instance=context.instance,
            resource_values=context.resource_values,
            log=context.log,
            evaluation=context,
            partition_key=run.partition_key,
        )
        try:
            returned = self.call(view.for_run_failure() if self.run_status is RunStatus.FAILURE else view)
            if isinstance(returned, Iterator):
                returned = list(returned)
            return as_result(returned, f"sensor {self.name!r}")
        except Exception:
            context.log.exception("the sensor's function failed for run %s", run.run_id)
            return SensorResult()

    def _concerns(self, run: RunView, definitions: Any) -> bool:
        if run.requested_by == self.name:
            return False  # it would react to its own runs for ever
        if self.monitored_jobs:
            return any(_matches(job, run) for job in self.monitored_jobs)
        if self.all_locations or definitions is None:
            return True
        return run.job_name in definitions.jobs_by_name or any(key in definitions.graph.assets_by_key for key in run.asset_keys)

    def watched(self, graph: Any) -> dict[str, Any]:
        del graph
        return {"run_statuses": (self.run_status,), "monitored_jobs": self.monitored_jobs, "all_locations": self.all_locations}


def run_status_sensor(
    run_status: RunStatus,
    name: str | None = None,
    minimum_interval_seconds: int | None = None,
    description: str | None = None,
    monitored_jobs: Sequence[Any] | None = None,
    job_selection: Sequence[Any] | None = None,
    monitor_all_code_locations: bool | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    request_job: Any = None,
    request_jobs: Sequence[Any] | None = None,
    monitor_all_repositories: bool | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    required_resource_keys: set[str] | None = None,
) -> Callable[[Callable[..., Any]], RunStatusSensorDefinition]:
    """Turn a function of a RunStatusSensorContext into a sensor that is called for each run that comes to a status.

    Args:
        run_status: STARTED, SUCCESS, FAILURE or CANCELED.
        monitored_jobs: whose runs; by default all of the location.
        monitor_all_code_locations: watch the runs of every location.
        request_job, request_jobs: what it may launch.
        job_selection, monitor_all_repositories: older names of monitored_jobs and monitor_all_code_locations.
        others: as for `@sensor`.

    Example:
        >>> from dagwright import RunStatus
        >>> @run_status_sensor(run_status=RunStatus.SUCCESS)
        ... def tell(context):
        ...     context.log.info("%s succeeded", context.dagster_run.job_name)
        >>> tell.run_status.value
        'SUCCESS'
    """

    def decorate(fn: Callable[..., Any]) -> RunStatusSensorDefinition:
        return RunStatusSensorDefinition(
            run_status=run_status,
            run_status_sensor_fn=fn,
            name=name,
            minimum_interval_seconds=minimum_interval_seconds,
            description=description,
            monitored_jobs=monitored_jobs or job_selection,
            monitor_all_code_locations=monitor_all_code_locations or monitor_all_repositories,
            default_status=default_status,
            request_job=request_job,
            request_jobs=request_jobs,
            tags=tags,
            metadata=metadata,
            required_resource_keys=required_resource_keys,
        )

    return decorate


def run_failure_sensor(name: str | Callable[..., Any] | None = None, *args: Any, **options: Any) -> Any:
    """Turn a function of a RunFailureSensorContext into a sensor that is called for each run that failed.

    Arguments as for `@run_status_sensor`, without `run_status`; it can be used without any.

    Example:
        >>> @run_failure_sensor
        ... def alarm(context):
        ...     context.log.error(context.failure_event.message)
        >>> alarm.name
        'alarm'
    """
    if callable(name):
        return run_status_sensor(RunStatus.FAILURE)(name)
    return run_status_sensor(RunStatus.FAILURE, name, *args, **options)


def make_email_on_run_failure_sensor(
    email_from: str,
    email_password: str,
    email_to: Sequence[str],
    email_body_fn: Callable[[RunFailureSensorContext], str] | None = None,
    email_subject_fn: Callable[[RunFailureSensorContext], str] | None = None,
    smtp_host: str = "smtp.gmail.com",
    smtp_type: str = "SSL",
    smtp_port: int | None = None,
    smtp_user: str | None = None,
    name: str | None = None,
    webserver_base_url: str | None = None,
    monitored_jobs: Sequence[Any] | None = None,
    job_selection: Sequence[Any] | None = None,
    monitor_all_code_locations: bool = False,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    monitor_all_repositories: bool = False,
) -> RunStatusSensorDefinition:
    """A sensor that sends a mail for each run that failed.

    Args:
        smtp_type: `SSL`, or `STARTTLS` for a connection that is encrypted after it has begun.
        smtp_user: by default `email_from`.
        webserver_base_url: for a link to the run.

    Raises:
        DefinitionError: another `smtp_type`.
    """
    if smtp_type not in {"SSL", "STARTTLS"}:
        raise DefinitionError(f"smtp_type is {smtp_type!r}", source=sources.of_caller(), mend="use 'SSL' or 'STARTTLS'")

    def send(context: RunFailureSensorContext) -> None:
        run, mail = context.dagster_run, EmailMessage()
        mail["From"], mail["To"] = email_from, ", ".join(email_to)
        mail["Subject"] = email_subject_fn(context) if email_subject_fn else f"Run of {run.job_name} failed"
        link = f'<p><a href="{webserver_base_url.rstrip("/")}/runs/{run.run_id}">The run</a></p>' if webserver_base_url else ""
        mail.set_content(f"Run {run.run_id} of {run.job_name} failed: {context.failure_event.message}")
        body = email_body_fn(context) if email_body_fn else f"Run {run.run_id} of {run.job_name} failed: {context.failure_event.message}"
        mail.add_alternative(body + link, subtype="html")
        port = smtp_port or (465 if smtp_type == "SSL" else 587)
        tls = ssl.create_default_context()
        with smtplib.SMTP_SSL(smtp_host, port, context=tls) if smtp_type == "SSL" else smtplib.SMTP(smtp_host, port) as server:
            if smtp_type == "STARTTLS":
                server.starttls(context=tls)
            server.login(smtp_user or email_from, email_password)
            server.send_message(mail)

    sensor: RunStatusSensorDefinition = run_failure_sensor(
        name=name or "email_on_run_failure",
        monitored_jobs=monitored_jobs or job_selection,
        monitor_all_code_locations=monitor_all_code_locations or monitor_all_repositories,
        default_status=default_status,
    )(send)
    return sensor


def _monitored(given: Any, what: str, source: Any) -> MonitoredJob:
    match given:
        case JobDefinition() | UnresolvedAssetJobDefinition() | GraphDefinition():
            return MonitoredJob(job_name=given.name)
        case JobSelector():
            return MonitoredJob(job_name=given.job_name, location=LocationName(given.location_name))
        case RepositorySelector() | CodeLocationSelector():
            return MonitoredJob(location=LocationName(given.location_name))
        case str():
            return MonitoredJob(job_name=given)
    raise DefinitionError(
        f"{what}: monitored_jobs has {given!r:.60}, a {type(given).__name__}",
        source=source,
        mend="give jobs, or a JobSelector or CodeLocationSelector for those of another location",
    )


def _matches(job: MonitoredJob, run: RunView) -> bool:
    return (job.job_name is None or job.job_name == run.job_name) and (job.location is None or job.location == run.location)


__all__ = [
    "CodeLocationSelector",
    "Instance",
    "JobSelector",
    "RepositorySelector",
    "RunFailureSensorContext",
    "RunStatusSensorContext",
    "RunStatusSensorDefinition",
    "build_run_status_sensor_context",
    "make_email_on_run_failure_sensor",
    "run_failure_sensor",
    "run_status_sensor",
]
