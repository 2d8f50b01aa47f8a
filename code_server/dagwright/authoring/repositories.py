"""Older ways of putting definitions together, and of naming a job so that another process can find it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, overload

from dagwright.authoring import source as sources
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.jobs import JobDefinition, UnresolvedAssetJobDefinition
from dagwright.authoring.schedules import PartitionedSchedule, ScheduleDefinition
from dagwright.authoring.sensors import SensorDefinition
from dagwright.authoring.specs import AssetSpec
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError


@overload
def repository(definitions_fn: Callable[[], Any], /) -> Definitions: ...
@overload
def repository(
    *,
    name: str | None = ...,
    description: str | None = ...,
    metadata: Mapping[str, Any] | None = ...,
    default_executor_def: Any = ...,
    default_logger_defs: Mapping[str, Any] | None = ...,
) -> Callable[[Callable[[], Any]], Definitions]: ...
def repository(
    definitions_fn: Callable[[], Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    default_executor_def: Any = None,
    default_logger_defs: Mapping[str, Any] | None = None,
) -> Any:
    """Turn a function that returns a list of definitions (or a dict of them by kind) into `Definitions`, the newer form.

    Raises:
        DefinitionError: something in the list is no definition.

    Example:
        >>> from dagwright import asset, repository
        >>> @asset
        ... def numbers():
        ...     return [1]
        >>> @repository
        ... def everything():
        ...     return [numbers]
        >>> [key.to_user_string() for key in everything.resolve_all_asset_keys()]
        ['numbers']
    """
    del description  # a location has none

    def decorate(fn: Callable[[], Any]) -> Definitions:
        made = _gathered(fn(), fn.__name__, executor=default_executor_def, loggers=default_logger_defs, metadata=metadata)
        made.name = name or fn.__name__
        return made

    return decorate if definitions_fn is None else decorate(definitions_fn)


_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("asset_checks", (AssetChecksDefinition,)),
    ("assets", (AssetsDefinition, AssetSpec)),
    ("jobs", (JobDefinition, UnresolvedAssetJobDefinition)),
    ("schedules", (ScheduleDefinition, PartitionedSchedule)),
    ("sensors", (SensorDefinition,)),
)


def _gathered(given: Any, name: str, **options: Any) -> Definitions:
    if isinstance(given, Definitions):
        return given
    found: dict[str, list[Any]] = {option: [] for option, _ in _KINDS}
    for item in _flat(given):
        value = item.to_job() if isinstance(item, GraphDefinition) else item
        option = next((option for option, kinds in _KINDS if isinstance(value, kinds)), None)
        if option is None:
            raise DefinitionError(
                f"@repository {name} has {item!r:.80}, a {type(item).__name__}",
                source=sources.of_caller(),
                mend="return assets, jobs, schedules and sensors",
            )
        found[option].append(value)
    made: dict[str, Any] = {**found, **{key: value for key, value in options.items() if value is not None}}
    return Definitions(**made)


def _flat(given: Any) -> Iterable[Any]:
    if isinstance(given, Mapping):  # {"jobs": {"name": job or function}, ...}
        for group in given.values():
            for value in group.values() if isinstance(group, Mapping) else group:
                yield value() if inspect.isfunction(value) else value
        return
    for item in given or ():
        if isinstance(item, (list, tuple)):
            yield from _flat(item)
        else:
            yield item


def with_resources(
    definitions: Iterable[Any], resource_defs: Mapping[str, Any], resource_config_by_key: Mapping[str, Any] | None = None
) -> list[Any]:
    """The same assets that bring these resources along. `Definitions(resources=...)` is the newer form.

    Args:
        definitions: assets; what needs no resources stays as it is.
        resource_defs: by key.
        resource_config_by_key: config of resources, `{key: {"config": ...}}`.
    """
    configs = resource_config_by_key or {}
    ready = {
        key: value.configured(configs[key].get("config")) if key in configs and hasattr(value, "configured") else value
        for key, value in resource_defs.items()
    }
    return [item.with_resources(ready) if isinstance(item, AssetsDefinition) else item for item in definitions]


class BindResourcesToJobs(list[Any]):
    """Jobs that get the resources of Definitions where they have none of their own, as all jobs do here.

    Example:
        >>> from dagwright import Definitions, job
        >>> @job
        ... def nightly(): ...
        >>> [one.name for one in Definitions(jobs=BindResourcesToJobs([nightly])).jobs]
        ['nightly']
    """


def file_relative_path(dunderfile: str, relative_path: str) -> str:
    """The path of a file beside the calling one: `file_relative_path(__file__, "data/rows.csv")`.

    Example:
        >>> file_relative_path("/app/assets.py", "data/rows.csv")
        '/app/data/rows.csv'
    """
    return str(Path(dunderfile).parent / relative_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructableJob:
    """A job by the name of the module-level function or object that makes it, with what that function takes."""

    module: str
    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def get_definition(self) -> JobDefinition:
        """The job.

        Raises:
            DefinitionError: there is none under that name.
        """
        value = getattr(importlib.import_module(self.module), self.name, None)
        if callable(value) and not isinstance(value, (JobDefinition, GraphDefinition)):
            value = value(*self.args, **self.kwargs)
        if isinstance(value, GraphDefinition):
            value = value.to_job()
        if not isinstance(value, JobDefinition):
            raise DefinitionError(
                f"{self.name!r} in {self.module} makes a {type(value).__name__}, not a job",
                source=sources.of_caller(),
                mend="name a job, or a function that returns one",
            )
        return value

    @property
    def job_name(self) -> str:
        return self.get_definition().name


def reconstructable(target: Any) -> ReconstructableJob:
    """Name a job (or a function that returns one) so that it can be made again in another process.

    Args:
        target: stands at the top level of a module.

    Raises:
        DefinitionError: it is not at the top level, or is no job.
    """
    place = sources.of_caller()
    if inspect.isfunction(target):
        if target.__name__ == "<lambda>" or "<locals>" in target.__qualname__:
            raise DefinitionError(
                f"reconstructable: {target.__qualname__} is not at the top level of a module",
                source=sources.of_function(target),
                mend="move it there, so that another process can import it",
            )
        return ReconstructableJob(module=target.__module__, name=target.__name__)
    if isinstance(target, (JobDefinition, GraphDefinition)):
        frame = sources._user_frame()
        module = str(frame.f_globals.get("__name__", "__main__")) if frame is not None else "__main__"
        names = frame.f_globals if frame is not None else {}
        name = next((name for name, value in names.items() if value is target), target.name)
        return ReconstructableJob(module=module, name=name)
    raise DefinitionError(
        f"reconstructable was given a {type(target).__name__}", source=place, mend="give a job, or a function that returns one"
    )


def build_reconstructable_job(
    reconstructor_module_name: str,
    reconstructor_function_name: str,
    reconstructable_args: Sequence[Any] | None = None,
    reconstructable_kwargs: Mapping[str, Any] | None = None,
    reconstructor_working_directory: str | None = None,  # noqa: ARG001 - modules are found by the import path of the process
) -> ReconstructableJob:
    """A job that a module-level function makes of these arguments."""
    return ReconstructableJob(
        module=reconstructor_module_name,
        name=reconstructor_function_name,
        args=tuple(reconstructable_args or ()),
        kwargs=dict(reconstructable_kwargs or {}),
    )
