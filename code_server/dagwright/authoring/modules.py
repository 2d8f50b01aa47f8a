"""Collecting the assets and checks that modules define."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.specs import AssetSpec, read_automation
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.keys import AssetCheckKey, AssetKey


def load_assets_from_modules(
    modules: Iterable[ModuleType],
    group_name: str | None = None,
    key_prefix: str | Sequence[str] | None = None,
    *,
    freshness_policy: Any = None,
    automation_condition: Any = None,
    auto_materialize_policy: Any = None,
    backfill_policy: Any = None,
    source_key_prefix: str | Sequence[str] | None = None,
    include_specs: bool = False,
    legacy_freshness_policy: Any = None,
) -> list[Any]:
    """The assets that are module-level names in these modules, lists of assets included.

    Args:
        modules: imported modules.
        group_name: given to all of them that have no group.
        key_prefix: put before all their keys; dependencies among them follow.
        automation_condition, freshness_policy, backfill_policy: of those that have none.
        source_key_prefix: put before the keys of external assets.
        include_specs: also AssetSpecs.

    Raises:
        DefinitionError: an asset has a group already.
    """
    kinds = (AssetsDefinition, AssetSpec) if include_specs else (AssetsDefinition,)
    found = find(modules, kinds)
    if group_name is not None:
        found = [_grouped(item, group_name) for item in found]
    condition = read_automation(automation_condition, auto_materialize_policy, "load_assets_from_modules", None)
    freshness = freshness_policy if freshness_policy is not None else legacy_freshness_policy
    if condition is not None or freshness is not None or backfill_policy is not None:
        found = [_governed(item, condition, freshness, backfill_policy) for item in found]
    prefix, outside = naming.key_prefix(key_prefix), naming.key_prefix(source_key_prefix)
    renamed: dict[AssetKey, AssetKey] = {}
    for item in found:
        computed = not isinstance(item, AssetsDefinition) or item.is_executable
        for own in item.keys if isinstance(item, AssetsDefinition) else [item.key]:
            chosen = prefix if computed else outside
            if chosen:
                renamed[own] = own.with_prefix(chosen)
    return [_renamed(item, renamed) for item in found] if renamed else found


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
    """The checks that are module-level names in these modules.

    Args:
        asset_key_prefix: that of the assets that they judge, where `load_assets_from_modules` was given one.
    """
    found = find(modules, (AssetChecksDefinition,))
    prefix = naming.key_prefix(asset_key_prefix)
    return [_of_prefixed(item, prefix) for item in found] if prefix else found


def load_asset_checks_from_current_module(asset_key_prefix: Any = None) -> list[AssetChecksDefinition]:
    """The checks of the module that calls it, as far as it has been executed."""
    return load_asset_checks_from_modules([_caller()], asset_key_prefix)


def load_asset_checks_from_package_module(package_module: ModuleType, asset_key_prefix: Any = None) -> list[AssetChecksDefinition]:
    """The checks of a package and all its modules, which are imported."""
    return load_asset_checks_from_modules(_package(package_module), asset_key_prefix)


def load_asset_checks_from_package_name(package_name: str, asset_key_prefix: Any = None) -> list[AssetChecksDefinition]:
    """As `load_asset_checks_from_package_module`, by the package's name."""
    return load_asset_checks_from_package_module(importlib.import_module(package_name), asset_key_prefix)


def map_asset_specs(func: Callable[[AssetSpec], AssetSpec], iterable: Iterable[Any]) -> list[Any]:
    """The definitions and specs, each spec changed by a function.

    Example:
        >>> from dagwright import AssetSpec, map_asset_specs
        >>> (changed,) = map_asset_specs(lambda spec: spec.replace_attributes(group_name="raw"), [AssetSpec("a")])
        >>> changed.group_name
        'raw'
    """
    return [func(item) if isinstance(item, AssetSpec) else item.map_asset_specs(func) for item in iterable]


def find(modules: Iterable[ModuleType], kinds: tuple[type, ...]) -> list[Any]:
    """Module-level objects of these kinds, and those in module-level lists; each once, in order of appearance.

    Checks are found where they are asked for by name, though their class is a kind of AssetsDefinition.
    """
    checks = AssetChecksDefinition in kinds
    found: dict[int, Any] = {}
    for module in modules:
        for value in list(vars(module).values()):
            members = value if isinstance(value, (list, tuple)) else [value]
            for member in members:
                if isinstance(member, kinds) and (checks or not isinstance(member, AssetChecksDefinition)):
                    found.setdefault(id(member), member)
    return list(found.values())


def _grouped(item: AssetsDefinition | AssetSpec, group: str) -> Any:
    def grouped(spec: AssetSpec) -> AssetSpec:
        if spec.group_name is not None and spec.group_name != group:
            raise DefinitionError(
                f"load_assets_from_modules puts the asset {spec.key.to_user_string()} into the group {group!r}, "
                f"but it is in {spec.group_name!r}",
                source=spec.source,
                mend="leave out one of the group names",
            )
        return spec.replace_attributes(group_name=group)

    return item.map_asset_specs(grouped) if isinstance(item, AssetsDefinition) else grouped(item)


def _governed(item: AssetsDefinition | AssetSpec, condition: Any, freshness: Any, backfill_policy: Any) -> Any:
    def governed(spec: AssetSpec) -> AssetSpec:
        found = {"automation_condition": condition, "freshness_policy": freshness}
        wanted = {name: value for name, value in found.items() if value is not None and getattr(spec, name) is None}
        return spec.replace_attributes(**wanted) if wanted else spec

    if isinstance(item, AssetSpec):
        return governed(item)
    if not item.is_executable:
        return item
    made = item.map_asset_specs(governed)
    return made._copy(backfill_policy=backfill_policy) if backfill_policy is not None and made.backfill_policy is None else made


def _of_prefixed(item: AssetChecksDefinition, prefix: Sequence[str]) -> AssetChecksDefinition:
    specs = {
        name: spec.replace_key(AssetCheckKey(spec.asset_key.with_prefix(prefix), spec.name))
        for name, spec in item.check_specs_by_output_name.items()
    }
    judged = {spec.asset_key for spec in item.check_specs}
    inputs = {name: key.with_prefix(prefix) if key in judged else key for name, key in item.loaded_by_input_name.items()}
    return replace(item, check_specs_by_output_name=specs, loaded_by_input_name=inputs)


def _renamed(item: AssetsDefinition | AssetSpec, renamed: dict[AssetKey, AssetKey]) -> Any:
    if isinstance(item, AssetsDefinition):
        return item.with_keys(renamed)
    return item.replace_attributes(key=renamed.get(item.key, item.key))


def _package(package: ModuleType) -> list[ModuleType]:
    modules = [package]
    for info in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
        modules.append(importlib.import_module(info.name))
    return modules


def _caller(*passing: str) -> ModuleType:
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in (__name__, *passing):
        frame = frame.f_back
    name = frame.f_globals.get("__name__") if frame is not None else None
    module = sys.modules.get(name or "")
    if module is None:
        raise DefinitionError(
            "load_assets_from_current_module was not called in a module",
            source=sources.of_caller(),
            mend="use load_assets_from_modules([module])",
        )
    return module
