"""Runs definitions with an executor and gives back what was emitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.jobs import JobDefinition
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.ports import MemorySink
from dagwright.execution.run import execute
from dagwright.planning.plan import plan_run
from dagwright_shared.model.events import RunEvent
from dagwright_shared.model.keys import AssetKey, Digest, new_run_id
from dagwright_shared.model.runs import LaunchSpec, RunStatus


def resolved(*definitions: Any, resources: dict[str, Any] | None = None, executor: Any = None) -> Any:
    """What planning needs of definitions, without the checks of a whole location."""
    assets = [d for d in definitions if isinstance(d, AssetsDefinition)]
    checks = [d for d in definitions if isinstance(d, AssetChecksDefinition)]
    return SimpleNamespace(
        assets_by_key={key: d for d in assets for key in d.keys},
        checks_by_key={key: d for d in (*assets, *checks) for key in d.check_keys},
        jobs_by_name={d.name: d for d in definitions if isinstance(d, JobDefinition)},
        resources=resources or {},
        loggers={},
        executor=executor,
    )


@dataclass
class Ran:
    status: RunStatus
    sink: MemorySink
    run_id: str

    @property
    def events(self) -> list[RunEvent]:
        return self.sink.events

    def of(self, kind, step=None):
        return self.sink.of(kind, step)

    def steps(self) -> list[tuple[str | None, str]]:
        """Steps and events, in order, without what is said about values."""
        quiet = ("INPUT_LOADED", "OUTPUT_STORED", "LOG_MESSAGE")
        return [(e.step_key, e.event_type) for e in self.events if e.event_type not in quiet]


@dataclass
class Request:
    job_name: str | None = None
    assets: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def spec(**changes: Any) -> LaunchSpec:
    values: dict[str, Any] = {
        "run_id": new_run_id(),
        "epoch": 1,
        "digest": Digest("d"),
        "job_name": None,
        "asset_keys": (),
        "check_keys": (),
        "step_keys": (),
        "partition": (),
        "config": {},
        "tags": {},
        "parent_run_id": None,
        "root_run_id": None,
        "inherited": {},
        "retry_number": 0,
        "first_seq": 1,
        "log_limit_bytes": 100_000,
    }
    return LaunchSpec(**{**values, **changes})


def run(
    *definitions: Any,
    executor: Any,
    job: str | None = None,
    assets: Any = None,
    resources: dict[str, Any] | None = None,
    cancellation: Cancellation | None = None,
    sink: MemorySink | None = None,
    launch: dict[str, Any] | None = None,
    history: Any = None,
    **request: Any,
) -> Ran:
    location = resolved(*definitions, resources=resources)
    if job is None and assets is None and location.jobs_by_name:
        job = next(iter(location.jobs_by_name))
    keys = () if job is not None else [AssetKey.from_user_string(a) for a in assets] if assets is not None else list(location.assets_by_key)
    plan = plan_run(location, job_name=job, asset_keys=keys, **request)
    launched = spec(inherited=request.get("inherited", {}), **(launch or {}))
    sink = sink or MemorySink()
    more = {} if history is None else {"history": history}
    status = execute(location, plan, spec=launched, sink=sink, cancellation=cancellation or Cancellation(), executor=executor, **more)
    return Ran(status, sink, launched.run_id)
