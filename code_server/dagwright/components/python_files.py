"""Python files of a defs folder: their definitions, and the component types that modules have."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

from dagwright.authoring import modules
from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.definitions import Definitions, LazyDefinitions
from dagwright.authoring.jobs import JobDefinition, UnresolvedAssetJobDefinition
from dagwright.authoring.schedules import PartitionedSchedule, ScheduleDefinition
from dagwright.authoring.sensors import SensorDefinition
from dagwright.authoring.specs import AssetSpec
from dagwright.components.component_class import Component
from dagwright.components.errors import ComponentError
from dagwright.components.resolution import ResolutionContext
from dagwright_shared.model.errors import nearest

_BUILT_IN = ("dagster.components", "dagster", "dagwright.components", "dagwright")
_KINDS: dict[str, tuple[type, ...]] = {
    "assets": (AssetsDefinition, AssetSpec),
    "asset_checks": (AssetChecksDefinition,),
    "jobs": (JobDefinition, UnresolvedAssetJobDefinition),
    "schedules": (ScheduleDefinition, PartitionedSchedule),
    "sensors": (SensorDefinition,),
}


def definitions(module: ModuleType, context: Any) -> Definitions:
    """What a module defines: its Definitions object, its `@definitions` functions, or all loose definitions.

    Args:
        context: the load context, for functions that take it.

    Raises:
        ComponentError: there are several Definitions objects.
    """
    whole = modules.find([module], (Definitions,))
    lazy = modules.find([module], (LazyDefinitions,))
    if len(whole) > 1 or (whole and lazy):
        what = f"{len(whole)} Definitions objects" if not lazy else "a Definitions object and @definitions functions"
        raise ComponentError(f"{module.__file__} has {what}", mend="keep one, or merge them with Definitions.merge(...)")
    if whole:
        only: Definitions = whole[0]
        return only
    if lazy:
        return Definitions.merge(*(_made_by(one, context) for one in lazy))
    found: dict[str, Any] = {option: modules.find([module], kinds) for option, kinds in _KINDS.items()}
    return Definitions(**found)


def _made_by(lazy: LazyDefinitions, context: Any) -> Definitions:
    if not inspect.signature(lazy.fn).parameters:
        return lazy()
    made = lazy.fn(context)
    if not isinstance(made, Definitions):
        raise ComponentError(
            f"@definitions {lazy.fn.__name__} returned a {type(made).__name__}", source=lazy.source, mend="return a Definitions object"
        )
    return made


def component_type(name: str, place: ResolutionContext) -> type[Component]:
    """The class that a `type:` names.

    Raises:
        ComponentError: there is no such module or class, or it is no component; names the nearest one.
    """
    module_name, _, class_name = name.rpartition(".")
    module_name = "dagwright.components" if module_name in _BUILT_IN else module_name
    if not module_name:
        raise place.error(f"{name!r} is not a component type", mend="write the full name: module.ClassName, or .module.ClassName")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise
        raise place.error(f"there is no module {module_name!r}", mend="check the name, or install the package that has it") from None
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, Component)):
        known = _component_types(module)
        close = nearest(class_name, known)
        mend = f"did you mean {close!r}?" if close else f"use one of {', '.join(known) or 'none that it has'}"
        what = f"{module_name} has no component type {class_name!r}" if found is None else f"{name!r} is no component type"
        raise place.error(what, mend=mend)
    return found


def _component_types(module: ModuleType) -> list[str]:
    found = {}
    for name in dir(module):
        value = getattr(module, name, None)
        if isinstance(value, type) and issubclass(value, Component) and not inspect.isabstract(value):
            found[name] = value
    return sorted(found)
