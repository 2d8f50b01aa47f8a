"""Definitions: everything that one location has, put together by its user."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from dagwright.authoring import resolution
from dagwright.authoring import source as sources
from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.executors import ExecutorDefinition
from dagwright.authoring.external_assets import external_asset
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.inventory import Inventory
from dagwright.authoring.jobs import JobDefinition, UnresolvedAssetJobDefinition
from dagwright.authoring.loggers import read_loggers
from dagwright.authoring.resolution import ResolvedDefinitions
from dagwright.authoring.schedules import PartitionedSchedule, ScheduleDefinition
from dagwright.authoring.selections import AssetSelection
from dagwright.authoring.sensors import SensorDefinition
from dagwright.authoring.specs import AssetSpec
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.metadata import Metadata, normalize_metadata


class Definitions(Inventory):
    """The assets, jobs, schedules, sensors, checks and resources of a location.

    Args:
        assets: functions decorated with `@asset` or `@multi_asset`, and AssetSpecs of external assets.
        schedules, sensors, jobs, asset_checks: as they are defined.
        resources: key to a ConfigurableResource, a `@resource`, an IO manager or any object; `io_manager` stores the
            assets that name no other.
        loggers: key to a `@logger`; they receive the records of runs.
        executor: runs the steps of jobs that name no other; by default `multiprocess_executor`.
        metadata: shown on the location's page.

    Raises:
        DefinitionError: something is of the wrong kind. What depends on the whole (double keys, cycles, missing
            upstreams, unknown resources) is found by `resolve`, when the location is loaded.

    Example:
        >>> from dagwright import Definitions, asset
        >>> @asset
        ... def numbers():
        ...     return [1, 2]
        >>> [key.to_user_string() for key in Definitions(assets=[numbers]).resolve().assets_by_key]
        ['numbers']
    """

    def __init__(
        self,
        assets: Iterable[Any] | None = None,
        schedules: Iterable[Any] | None = None,
        sensors: Iterable[Any] | None = None,
        jobs: Iterable[Any] | None = None,
        resources: Mapping[str, Any] | None = None,
        executor: ExecutorDefinition | None = None,
        loggers: Mapping[str, Any] | None = None,
        asset_checks: Iterable[Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        component_tree: Any = None,
    ) -> None:
        self.source: SourceRef | None = sources.of_caller()
        del component_tree  # where the definitions came from; nothing here depends on it
        self.loggers: Mapping[str, Any] = read_loggers(loggers, "Definitions", self.source)
        given = list(_items("assets", assets, self.source))
        self.assets = [_asset(item, self.source) for item in given if not isinstance(item, AssetChecksDefinition)]
        # `load_assets_from_modules` and lists of users put checks beside the assets that they judge.
        checks = [*(item for item in given if isinstance(item, AssetChecksDefinition)), *_items("asset_checks", asset_checks, self.source)]
        self.asset_checks = self._pick("asset_checks", checks, (AssetChecksDefinition,), "a function decorated with @asset_check")
        self.jobs = self._pick(
            "jobs", jobs, (JobDefinition, UnresolvedAssetJobDefinition), "a function decorated with @job, or define_asset_job(...)"
        )
        self.schedules = self._pick(
            "schedules",
            schedules,
            (ScheduleDefinition, PartitionedSchedule),
            "a function decorated with @schedule, or a ScheduleDefinition",
        )
        self.sensors = self._pick("sensors", sensors, (SensorDefinition,), "a function decorated with @sensor")
        self.resources = _resources(resources, self.source)
        if executor is not None and not isinstance(executor, ExecutorDefinition):
            raise DefinitionError(
                f"Definitions: executor is a {type(executor).__name__}",
                source=self.source,
                mend="give in_process_executor or multiprocess_executor",
            )
        self.executor = executor
        self.metadata: Metadata = normalize_metadata(metadata)

    def _pick(self, option: str, given: Iterable[Any] | None, kinds: tuple[type, ...], wanted: str) -> list[Any]:
        found = []
        for item in _items(option, given, self.source):
            if not isinstance(item, kinds):
                raise DefinitionError(f"Definitions: {option} has {_described(item)}", source=self.source, mend=_mend(item, option, wanted))
            found.append(item)
        return found

    @staticmethod
    def merge(*def_sets: Definitions) -> Definitions:
        """All of several together.

        Raises:
            DefinitionError: two have different resources under one key, or different executors.
        """
        resources: dict[str, Any] = {}
        executors: list[ExecutorDefinition] = []
        metadata: dict[str, Any] = {}
        for defs in def_sets:
            if not isinstance(defs, Definitions):
                raise DefinitionError(
                    f"Definitions.merge was given a {type(defs).__name__}", source=sources.of_caller(), mend="give Definitions"
                )
            for key, value in defs.resources.items():
                if key in resources and resources[key] is not value:
                    raise DefinitionError(
                        f"Definitions.merge: two sets have different resources under the key {key!r}",
                        source=sources.of_caller(),
                        mend="share one object, or rename one key",
                    )
                resources[key] = value
            if defs.executor is not None and defs.executor not in executors:
                executors.append(defs.executor)
            metadata.update(defs.metadata)
        if len(executors) > 1:
            raise DefinitionError(
                "Definitions.merge: the sets have different executors", source=sources.of_caller(), mend="give one of them an executor"
            )
        return Definitions(
            assets=_once(item for defs in def_sets for item in defs.assets),
            schedules=_once(item for defs in def_sets for item in defs.schedules),
            sensors=_once(item for defs in def_sets for item in defs.sensors),
            jobs=_once(item for defs in def_sets for item in defs.jobs),
            asset_checks=_once(item for defs in def_sets for item in defs.asset_checks),
            resources=resources,
            executor=executors[0] if executors else None,
            loggers={key: value for defs in def_sets for key, value in defs.loggers.items()},
            metadata=metadata,
        )

    @cached_property
    def _resolved(self) -> ResolvedDefinitions:
        return resolution.resolve(
            assets=self.assets,
            checks=self.asset_checks,
            jobs=self.jobs,
            schedules=self.schedules,
            sensors=self.sensors,
            resources=self.resources,
            executor=self.executor,
            metadata=self.metadata,
            loggers=self.loggers,
        )

    def resolve(self) -> ResolvedDefinitions:
        """Everything by key and name, checked as a whole; computed once.

        Raises:
            DefinitionError: something does not fit; names the object, file and line, and the mend.
        """
        return self._resolved

    @staticmethod
    def validate_loadable(defs: Definitions) -> None:
        """Raise the DefinitionError that loading would raise, if any."""
        defs.resolve()

    def map_asset_specs(self, *, func: Callable[[AssetSpec], AssetSpec], selection: Any = None) -> Definitions:
        """A copy whose asset specs are changed by a function."""
        wanted = None if selection is None else AssetSelection.from_coercible(selection).resolve(self.resolve().graph)

        def changed(spec: AssetSpec) -> AssetSpec:
            return func(spec) if wanted is None or spec.key in wanted else spec

        return Definitions(
            assets=[definition.map_asset_specs(changed) for definition in self.assets],
            schedules=self.schedules,
            sensors=self.sensors,
            jobs=self.jobs,
            asset_checks=self.asset_checks,
            resources=self.resources,
            executor=self.executor,
            loggers=self.loggers,
            metadata=self.metadata,
        )

    map_resolved_asset_specs = map_asset_specs

    def get_repository_def(self) -> Definitions:
        """The definitions themselves: dagwright has no repositories inside a location."""
        return self

    def with_jobs(self, *jobs: JobDefinition | UnresolvedAssetJobDefinition) -> Definitions:
        """A copy that has more jobs."""
        return Definitions(
            assets=self.assets,
            schedules=self.schedules,
            sensors=self.sensors,
            jobs=[*self.jobs, *jobs],
            asset_checks=self.asset_checks,
            resources=self.resources,
            executor=self.executor,
            loggers=self.loggers,
            metadata=self.metadata,
        )


class LazyDefinitions:
    """A function that makes Definitions when the location is loaded. See `@definitions`."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = self.load_fn = fn
        self.has_context_arg = bool(inspect.signature(fn).parameters)
        self.source = sources.of_function(fn)
        self._made: Definitions | None = None

    def __call__(self, context: Any = None) -> Definitions:
        """The definitions, made once.

        Args:
            context: a ComponentLoadContext, for a function that takes it.
        """
        if self._made is None:
            made = self.fn(context) if self.has_context_arg else self.fn()
            if not isinstance(made, Definitions):
                raise DefinitionError(
                    f"@definitions {self.fn.__name__} returned {_described(made)}", source=self.source, mend="return a Definitions object"
                )
            self._made = made
        return self._made


def definitions(fn: Callable[[], Definitions]) -> LazyDefinitions:
    """Mark the function that makes a module's Definitions.

    Example:
        >>> from dagwright import Definitions, definitions
        >>> @definitions
        ... def defs() -> Definitions:
        ...     return Definitions()
        >>> isinstance(defs(), Definitions)
        True
    """
    return LazyDefinitions(fn)


def _items(option: str, given: Iterable[Any] | None, source: SourceRef | None) -> Iterable[Any]:
    if given is None:
        return ()
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise DefinitionError(f"Definitions: {option} is {_described(given)}", source=source, mend=f"give a list: {option}=[...]")
    flat: list[Any] = []
    for item in given:
        flat.extend(item) if isinstance(item, (list, tuple)) else flat.append(item)
    return flat


def _asset(item: Any, source: SourceRef | None) -> AssetsDefinition:
    if isinstance(item, AssetsDefinition):
        return item
    if isinstance(item, AssetSpec):
        return external_asset(item)
    wanted = "a function decorated with @asset, or an AssetSpec"
    raise DefinitionError(f"Definitions: assets has {_described(item)}", source=source, mend=_mend(item, "assets", wanted))


_PLACES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (AssetChecksDefinition, "asset_checks"),
    ((AssetsDefinition, AssetSpec), "assets"),
    ((JobDefinition, UnresolvedAssetJobDefinition), "jobs"),
    ((ScheduleDefinition, PartitionedSchedule), "schedules"),
    (SensorDefinition, "sensors"),
)


def _mend(item: Any, option: str, wanted: str) -> str:
    for kind, place in _PLACES:
        if isinstance(item, kind) and place != option:
            return f"move it to {place}="
    if isinstance(item, GraphDefinition):
        return f"make a job of it: {item.name}.to_job()"
    if callable(item) and not isinstance(item, type):
        return f"decorate it: {option} takes {wanted}"
    return f"{option} takes {wanted}"


def _described(item: Any) -> str:
    name = getattr(item, "name", None) if not isinstance(item, type) else None
    called = name if isinstance(name, str) else getattr(item, "__name__", None)
    kind = type(item).__name__
    return f"{called!r}, a {kind}" if isinstance(called, str) else f"{item!r:.80}, a {kind}"


def _resources(given: Mapping[str, Any] | None, source: SourceRef | None) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise DefinitionError(
            f"Definitions: resources is {_described(given)}", source=source, mend='give a dict: resources={"db": Database()}'
        )
    for key, value in (given or {}).items():
        if isinstance(value, type):
            raise DefinitionError(
                f"Definitions: the resource {key!r} is the class {value.__name__}",
                source=source,
                mend=f"give an object: {value.__name__}(...)",
            )
        if not isinstance(key, str):
            raise DefinitionError(f"Definitions: resources has the key {key!r}", source=source, mend="give resources text keys")
    return dict(given or {})


def _once(items: Iterable[Any]) -> list[Any]:
    return list({id(item): item for item in items}.values())
