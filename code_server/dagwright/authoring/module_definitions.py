"""Whole modules as Definitions: all that stands at their top level."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from dagwright.authoring import modules
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.jobs import JobDefinition, UnresolvedAssetJobDefinition
from dagwright.authoring.schedules import PartitionedSchedule, ScheduleDefinition
from dagwright.authoring.sensors import SensorDefinition
from dagwright.authoring.specs import AssetSpec

KINDS: Mapping[str, tuple[type, ...]] = {
    "assets": (AssetsDefinition, AssetSpec),
    "asset_checks": (AssetChecksDefinition,),
    "jobs": (JobDefinition, UnresolvedAssetJobDefinition),
    "schedules": (ScheduleDefinition, PartitionedSchedule),
    "sensors": (SensorDefinition,),
}


def loose(of: Iterable[ModuleType]) -> dict[str, list[Any]]:
    """What stands at the top level of modules, by the argument of Definitions that it belongs to."""
    every = list(of)
    return {option: modules.find(every, kinds) for option, kinds in KINDS.items()}


def load_definitions_from_modules(
    of: Iterable[ModuleType], resources: Mapping[str, Any] | None = None, loggers: Mapping[str, Any] | None = None, executor: Any = None
) -> Definitions:
    """All assets, checks, jobs, schedules and sensors that are module-level names in these modules, and Definitions among them.

    Args:
        of: imported modules.
        resources, loggers, executor: as for Definitions.
    """
    every = list(of)
    found: dict[str, Any] = dict(loose(every))
    made = Definitions(**found, resources=resources, loggers=loggers, executor=executor)
    whole = modules.find(every, (Definitions,))
    return Definitions.merge(made, *whole) if whole else made


def load_definitions_from_module(
    module: ModuleType, resources: Mapping[str, Any] | None = None, loggers: Mapping[str, Any] | None = None, executor: Any = None
) -> Definitions:
    """As `load_definitions_from_modules`, for one."""
    return load_definitions_from_modules([module], resources, loggers, executor)


def load_definitions_from_current_module(
    resources: Mapping[str, Any] | None = None, loggers: Mapping[str, Any] | None = None, executor: Any = None
) -> Definitions:
    """As `load_definitions_from_modules`, for the module that calls it, as far as it has been executed."""
    return load_definitions_from_modules([modules._caller(__name__)], resources, loggers, executor)


def load_definitions_from_package_module(
    package_module: ModuleType, resources: Mapping[str, Any] | None = None, loggers: Mapping[str, Any] | None = None, executor: Any = None
) -> Definitions:
    """As `load_definitions_from_modules`, for a package and all its modules, which are imported."""
    return load_definitions_from_modules(modules._package(package_module), resources, loggers, executor)


def load_definitions_from_package_name(
    package_name: str, resources: Mapping[str, Any] | None = None, loggers: Mapping[str, Any] | None = None, executor: Any = None
) -> Definitions:
    """As `load_definitions_from_package_module`, by the package's name."""
    return load_definitions_from_package_module(importlib.import_module(package_name), resources, loggers, executor)
