"""Collecting the assets and checks that modules define."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from dagwright.authoring import naming
from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.specs import AssetSpec, refuse
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.keys import AssetKey


def load_assets_from_modules(
    modules: Iterable[ModuleType],
    group_name: str | None = None,
    key_prefix: str | Sequence[str] | None = None,
    *,
    freshness_policy: Any = None,
    automation_condition: Any = None,
    auto_materialize_policy: Any = None,
    backfill_policy: Any = None,
    source_key_prefix: Any = None,
    include_specs: bool = False,
) -> list[Any]:
    """The assets that are module-level names in these modules, lists of assets included.

    Args:
        modules: imported modules.
        group_name: given to all of them that have no group.
        key_prefix: put before all their keys; dependencies among them follow.
        include_specs: also AssetSpecs.

    Raises:
        DefinitionError: an asset has a group already.
    """
    refuse(
        "load_assets_from_modules",
        None,
        freshness_policy=freshness_policy,
        automation_condition=automation_condition,
        auto_materialize_policy=auto_materialize_policy,
        backfill_policy=backfill_policy,
        source_key_prefix=source_key_prefix,
    )
    kinds = (AssetsDefinition, AssetSpec) if include_specs else (AssetsDefinition,)
    found = find(modules, kinds)
    if group_name is not None:
        found = [_grouped(item, group_name) for item in found]
    prefix = naming.key_prefix(key_prefix)
    if prefix:
        own = [key for item in found for key in (item.keys if isinstance(item, AssetsDefinition) else [item.key])]
        renamed = {key: key.with_prefix(prefix) for key in own}
        found = [_renamed(item, renamed) for item in found]
    return found


def load_assets_from_current_module(
    group_name: str | None = None, key_prefix: str | Sequence[str] | None = None, **options: Any
) -> list[Any]:
    """As `load_assets_from_modules`, for the module that calls it, as far as it has been executed."""
    return load_assets_from_modules([_caller()], group_name, key_prefix, **options)


def load_assets_from_package_module(
    package_module: ModuleType, group_name: str | None = None, key_prefix: str | Sequence[str] | None = None, **options: Any
) -> list[Any]:
    """As `load_assets_from_modules`, for a package and all its modules, which are imported."""
    return load_assets_from_modules(_package(package_module), group_name, key_prefix, **options)


def load_assets_from_package_name(
    package_name: str, group_name: str | None = None, key_prefix: str | Sequence[str] | None = None, **options: Any
) -> list[Any]:
    """As `load_assets_from_package_module`, by the package's name."""
    return load_assets_from_package_module(importlib.import_module(package_name), group_name, key_prefix, **options)


def load_asset_checks_from_modules(modules: Iterable[ModuleType], asset_key_prefix: Any = None) -> list[AssetChecksDefinition]:
    """The checks that are module-level names in these modules."""
    refuse("load_asset_checks_from_modules", None, asset_key_prefix=asset_key_prefix)
    return find(modules, (AssetChecksDefinition,))


def load_asset_checks_from_current_module(asset_key_prefix: Any = None) -> list[AssetChecksDefinition]:
    """The checks of the module that calls it, as far as it has been executed."""
    return load_asset_checks_from_modules([_caller()], asset_key_prefix)


def load_asset_checks_from_package_module(package_module: ModuleType, asset_key_prefix: Any = None) -> list[AssetChecksDefinition]:
    """The checks of a package and all its modules, which are imported."""
    return load_asset_checks_from_modules(_package(package_module), asset_key_prefix)


def find(modules: Iterable[ModuleType], kinds: tuple[type, ...]) -> list[Any]:
    """Module-level objects of these kinds, and those in module-level lists; each once, in order of appearance."""
    found: dict[int, Any] = {}
    for module in modules:
        for value in list(vars(module).values()):
            members = value if isinstance(value, (list, tuple)) else [value]
            for member in members:
                if isinstance(member, kinds):
                    found.setdefault(id(member), member)
    return list(found.values())


def _grouped(item: AssetsDefinition | AssetSpec, group: str) -> Any:
    def grouped(spec: AssetSpec) -> AssetSpec:
        if spec.group_name is not None and spec.group_name != group:
            raise DefinitionError(
                f"load_assets_from_modules puts the asset {spec.key} into the group {group!r}, but it is in {spec.group_name!r}",
                source=spec.source,
                mend="leave out one of the group names",
            )
        return spec.replace_attributes(group_name=group)

    return item.map_asset_specs(grouped) if isinstance(item, AssetsDefinition) else grouped(item)


def _renamed(item: AssetsDefinition | AssetSpec, renamed: dict[AssetKey, AssetKey]) -> Any:
    if isinstance(item, AssetsDefinition):
        return item.with_keys(renamed)
    return item.replace_attributes(key=renamed[item.key])


def _package(package: ModuleType) -> list[ModuleType]:
    modules = [package]
    for info in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
        modules.append(importlib.import_module(info.name))
    return modules


def _caller() -> ModuleType:
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    name = frame.f_globals.get("__name__") if frame is not None else None
    module = sys.modules.get(name or "")
    if module is None:
        raise DefinitionError("load_assets_from_current_module was not called in a module", mend="use load_assets_from_modules([module])")
    return module
