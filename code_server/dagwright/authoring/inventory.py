"""What the definitions of a location have, by name and key: look-ups that tests and scripts make."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from dagwright.authoring import naming
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.instance_events import ASSET_JOB
from dagwright.authoring.jobs import JobDefinition, define_asset_job
from dagwright.authoring.local_graph import LocalGraph
from dagwright.authoring.partitions import PartitionKeyRange
from dagwright.authoring.schedules import ScheduleDefinition
from dagwright.authoring.selections import AssetSelection
from dagwright.authoring.sensors import SensorDefinition
from dagwright.authoring.specs import AssetSpec
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError
from dagwright_shared.model.keys import AssetCheckKey, AssetKey

if TYPE_CHECKING:
    from dagwright.authoring.definitions import Definitions
    from dagwright.authoring.resolution import ResolvedDefinitions


K = TypeVar("K")
V = TypeVar("V")


class Inventory(ABC):
    """The part of Definitions that finds things."""

    name: str = "__repository__"
    """What `@repository` called it."""

    assets: Sequence[AssetsDefinition]

    @abstractmethod
    def resolve(self) -> ResolvedDefinitions: ...

    @abstractmethod
    def get_repository_def(self) -> Definitions: ...

    def load_all_definitions(self) -> None:
        """Raise the DefinitionError that loading would raise, if any."""
        self.resolve()

    # ---- jobs

    def get_job_def(self, name: str) -> JobDefinition:
        """The job, ready for `execute_in_process`; raises NotFoundError naming the nearest job."""
        jobs = self.resolve().jobs_by_name
        if name == ASSET_JOB and name not in jobs:
            return self.get_implicit_global_asset_job_def()
        if name not in jobs:
            raise NotFoundError("job", name, known=jobs)
        return replace(jobs[name], origin=self)

    resolve_job_def = get_job_def
    get_job = get_job_def

    def get_implicit_global_asset_job_def(self) -> JobDefinition:
        """A job of all assets, ready for `execute_in_process`."""
        whole = self.get_repository_def().with_jobs(define_asset_job(ASSET_JOB, selection=AssetSelection.all()))
        return replace(whole.resolve().jobs_by_name[ASSET_JOB], origin=whole)

    resolve_implicit_global_asset_job_def = get_implicit_global_asset_job_def

    def has_implicit_global_asset_job_def(self) -> bool:
        """Whether there is an asset that a run can make."""
        return any(definition.is_executable for definition in self.assets)

    def resolve_all_job_defs(self) -> Sequence[JobDefinition]:
        """All jobs: the implicit one of all assets, and those that schedules and sensors carry, included."""
        return [self.get_job_def(name) for name in self.job_names]

    get_all_jobs = resolve_all_job_defs

    @property
    def job_names(self) -> Sequence[str]:
        implicit = [ASSET_JOB] if self.has_implicit_global_asset_job_def() else []
        return [*implicit, *self.resolve().jobs_by_name]

    def has_job(self, name: str) -> bool:
        return name in self.job_names

    # ---- schedules and sensors

    def get_schedule_def(self, name: str) -> ScheduleDefinition:
        """Raises NotFoundError naming the nearest schedule."""
        return _found("schedule", name, self.resolve().schedules_by_name)

    def get_sensor_def(self, name: str) -> SensorDefinition:
        """Raises NotFoundError naming the nearest sensor."""
        return _found("sensor", name, self.resolve().sensors_by_name)

    resolve_schedule_def = get_schedule_def
    resolve_sensor_def = get_sensor_def

    def has_schedule_def(self, name: str) -> bool:
        return name in self.resolve().schedules_by_name

    def has_sensor_def(self, name: str) -> bool:
        return name in self.resolve().sensors_by_name

    @property
    def schedule_defs(self) -> Sequence[ScheduleDefinition]:
        return list(self.resolve().schedules)

    @property
    def sensor_defs(self) -> Sequence[SensorDefinition]:
        return list(self.resolve().sensors)

    # ---- assets and checks

    def get_assets_def(self, key: Any) -> AssetsDefinition:
        """Raises NotFoundError naming the nearest key. The definitions need not fit together: a test may want this one only."""
        wanted = naming.asset_key(key)
        own = next((definition for definition in self.assets if wanted in definition.keys), None)
        return own if own is not None else _found("asset", wanted, self.resolve().assets_by_key)

    resolve_assets_def = get_assets_def

    @property
    def assets_defs_by_key(self) -> Mapping[AssetKey, AssetsDefinition]:
        return self.resolve().assets_by_key

    def resolve_all_asset_keys(self) -> Sequence[AssetKey]:
        return list(self.resolve().assets_by_key)

    def resolve_all_asset_specs(self) -> Sequence[AssetSpec]:
        return [definition.specs_by_key[key] for key, definition in self.resolve().assets_by_key.items()]

    get_all_asset_specs = resolve_all_asset_specs

    def resolve_asset_graph(self) -> LocalGraph:
        """All assets and how they depend on each other."""
        return self.resolve().graph

    @property
    def asset_graph(self) -> LocalGraph:
        return self.resolve().graph

    def get_asset_checks_def(self, key: AssetCheckKey) -> Any:
        """The definition that evaluates a check; raises NotFoundError naming the nearest."""
        checks = self.resolve().checks_by_key
        if key not in checks:
            raise NotFoundError("check", key.to_user_string(), known=(each.to_user_string() for each in checks))
        return checks[key]

    # ---- values

    def load_asset_value(self, asset_key: Any, **options: Any) -> Any:
        """The stored value of an asset, as a step would load it.

        Args:
            asset_key: the asset.
            python_type, instance, partition_key, metadata, resource_config: as `AssetValueLoader.load_asset_value` takes them.
        """
        with self.get_asset_value_loader(options.pop("instance", None)) as loader:
            return loader.load_asset_value(asset_key, **options)

    @contextmanager
    def get_asset_value_loader(self, instance: Any = None) -> Iterator[AssetValueLoader]:
        """What loads values of several assets."""
        yield AssetValueLoader(self.get_repository_def(), instance)


@dataclass(frozen=True, slots=True)
class AssetValueLoader:
    """Loads stored values of assets through their IO managers. Made by `Definitions.get_asset_value_loader()`."""

    definitions: Definitions
    instance: Any = None

    def load_asset_value(
        self,
        asset_key: Any,
        *,
        python_type: Any = None,
        partition_key: str | None = None,
        partition_key_range: PartitionKeyRange | None = None,
        input_definition_metadata: Mapping[str, Any] | None = None,
        resource_config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value of an asset.

        Args:
            asset_key: the asset.
            python_type: what the IO manager is asked for, as an argument's annotation asks for it.
            partition_key: which partition; by default all of a partitioned asset, as a dict.
            partition_key_range: the first and last partition of several, in place of `partition_key`.
            input_definition_metadata: of the input, for the IO manager; `metadata` is its older name.
            resource_config: config of resources by key.

        Raises:
            NotFoundError: there is no such asset.
            MissingValueError: it has no stored value.
        """
        if partition_key is not None and partition_key_range is not None:
            raise InvalidRequestError("load_asset_value: give a partition_key or a partition_key_range, not both")
        testing = importlib.import_module("dagwright.testing")  # it is above us
        key = naming.asset_key(asset_key)
        _found("asset", key, self.definitions.resolve().assets_by_key)
        covered = partition_key_range if partition_key_range is not None else partition_key
        shown = input_definition_metadata if input_definition_metadata is not None else metadata
        return testing.load_value(self.definitions, key, self.instance, python_type, covered, shown, resource_config)


def _found(kind: str, key: K, known: Mapping[K, V]) -> V:
    if key not in known:
        raise NotFoundError(kind, _text(key), known=map(_text, known))
    return known[key]


def _text(key: object) -> str:
    return key.to_user_string() if isinstance(key, AssetKey) else str(key)
