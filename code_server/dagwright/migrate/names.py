"""Where names of Dagster live here: the public ones, and what to use instead of private ones."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from functools import cache
from pathlib import Path

import dagwright
from dagwright import missing_names
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import nearest

_INSTEAD = {
    "dagster._check": "a function of `dagwright.check`, or a check of your own that raises ValueError",
    "dagster._cli": "the `dagwright` command",
    "dagster._core.execution.api:create_execution_plan": "`dagwright.materialize` or `job.execute_in_process`",
    "dagster._core.execution.plan": "the contexts given to ops, hooks and sensors",
    "dagster._core.execution.retries": "`RetryPolicy` on the op, asset or job",
    "dagster._core.executor": "an executor of dagwright (`multiprocess_executor`, `threads_executor`, ...)",
    "dagster._core.executor.step_delegating": (
        "`dagwright.Executor` with `start(attempt)`; to run a step in a container, a Pipes client in the step, or `dask_executor`"
    ),
    "dagster._core.execution.context.system:PlanOrchestrationContext": "nothing: a `dagwright.Executor` is given single attempts to start",
    "dagster._core.definitions.unresolved_asset_job_definition:UnresolvedAssetJobDefinition": "what `define_asset_job` returns",
    "dagster._core.definitions.partition:ScheduleType": "`dagwright.ScheduleType`",
    "dagster._core.instance": "`dagwright.DagsterInstance`",
    "dagster._core.launcher": "the code server, which starts runs itself; there are no run launchers",
    "dagster._core.run_coordinator": "the daemon's queue, which is always there",
    "dagster._core.remote_origin": "the REST API of the deployment",
    "dagster._core.remote_representation": "the REST API of the deployment",
    "dagster._core.workspace": "the REST API of the deployment",
    "dagster._core.storage.db_io_manager": "an `IOManager` or `ConfigurableIOManager` of your own",
    "dagster._core.storage.event_log": "`context.instance`; dagwright keeps its events in Postgres",
    "dagster._core.storage.runs": "`context.instance`; dagwright keeps its runs in Postgres",
    "dagster._core.storage.compute_log_manager": "the captured output of a run, by its REST API",
    "dagster._core.storage.tags": "the tag's text, such as 'dagster/partition'",
    "dagster._core.test_utils": "`dagwright.DagsterInstance.ephemeral()` and `build_*_context`",
    "dagster._grpc": "the contract in proto/dagwright_api",
    "dagster._record": "`dataclasses.dataclass(frozen=True)`",
    "dagster._serdes": "`dataclasses` and `json`, or pydantic",
    "dagster._time": "`datetime.now(timezone.utc)`",
    "dagster._utils.backoff": "`RetryPolicy`, or a loop of your own",
    "dagster._utils.cached_method": "`functools.cached_property` or `functools.cache`",
    "dagster._utils.error": "the `traceback` module",
    "dagster._utils.merger": "`dagwright.merge_dicts`, or `{**first, **second}`",
    "dagster._utils.partitions": "the format's text, such as '%Y-%m-%d-%H:%M'",
    "dagster._utils": "the standard library",
    "dagster._config": "`Config` classes, or `Field` and its kin of `dagwright`",
    "dagster._core.types": "`dagwright.DagsterType`",
    "dagster._core.errors": "the error classes of `dagwright`",
    "dagster._core.events": "`dagwright.DagsterEvent` and `dagwright.DagsterEventType`",
}
"""By module, or `module:name`; the longest that fits counts."""


_STANDARD = {
    "dagster._utils.cached_method:cached_method": ("functools", "cache"),
    "dagster._core.definitions.metadata:ArbitraryMetadataMapping": ("collections.abc", "Mapping"),
    "dagster._core.definitions.metadata:RawMetadataMapping": ("collections.abc", "Mapping"),
}
"""Private names of which the standard library has the equal."""

_INTEGRATIONS = {
    "dagster_duckdb": "dagwright.integrations.duckdb",
    "dagster_duckdb_pandas": "dagwright.integrations.duckdb",
    "dagster_duckdb_polars": "dagwright.integrations.duckdb",
}
"""Libraries beside Dagster whose names are in an extra here; also those of their inner modules."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name is imported from here."""

    module: str
    name: str


@cache
def public_names() -> frozenset[str]:
    return frozenset(dir(dagwright))


def place(module: str, name: str) -> Place | None:
    """The public place of `from module import name`; None where there is none."""
    if f"{module}:{name}" in _STANDARD:
        return Place(*_STANDARD[f"{module}:{name}"])
    if f"{module}.{name}" in _PRIVATE:
        return Place(*_PRIVATE[f"{module}.{name}"].split("."))
    if module in _PRIVATE:
        return Place(_PRIVATE[module], name) if hasattr(importlib.import_module(_PRIVATE[module]), name) else None
    package = module.partition(".")[0]
    if package in _INTEGRATIONS:
        return Place(_INTEGRATIONS[package], name) if name in _exported(_INTEGRATIONS[package]) else None
    if name in public_names():
        return Place("dagwright", name)
    ours = module.replace("dagster", "dagwright", 1)
    if any(part.startswith("_") for part in module.split(".")) or ours == "dagwright" or not _exists(ours):
        return Place("dagwright", name) if ours == "dagwright" and _exists(f"dagwright.{name}") else None
    return Place(ours, name) if hasattr(importlib.import_module(ours), name) else None


_PRIVATE = {
    "dagster._annotations": "dagwright.libraries.markers",
    "dagster._check": "dagwright.check",
    "dagster_shared.check": "dagwright.check",
}
"""Private modules of which there is a public one here."""


def public_module(module: str) -> str | None:
    """The module here that stands for a private one."""
    return _PRIVATE.get(module)


def integration(module: str) -> str | None:
    """The module here that stands for a library beside Dagster."""
    return _INTEGRATIONS.get(module.partition(".")[0])


def has_module(module: str) -> bool:
    """Whether `import module`, with the package's name changed, works."""
    return not any(part.startswith("_") for part in module.split(".")) and _exists(module.replace("dagster", "dagwright", 1))


def advice(module: str, name: str | None) -> str:
    """What a person can do about a name that has no place here."""
    if module == "dagster":
        if name in missing_names.INSTEAD:
            return missing_names.advice(str(name), [])
        close = nearest(name or "", public_names())
        return f"dagwright has no {name}" + (f"; the nearest name is {close}" if close else "")
    what = f"{module}.{name}" if name else module
    keys = [key for key in _INSTEAD if f"{module}:{name}" == key or (":" not in key and f"{module}.".startswith(f"{key}."))]
    private = "private to Dagster" if any(part.startswith("_") for part in module.split(".")) else "not part of dagwright"
    if keys:
        return f"{what} is {private}; use {_INSTEAD[max(keys, key=len)]}"
    close = nearest(name or "", public_names())
    return f"{what} is {private}" + (f"; the nearest public name is {close}" if close else "; there is no public replacement")


@cache
def _exported(module: str) -> frozenset[str]:
    """Read from its text: the library that it is for may not be installed where a project is migrated."""
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    for statement in ast.parse(Path(found.origin).read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return frozenset(ast.literal_eval(statement.value))
    return frozenset()


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
