"""Components: definitions made of YAML and classes, from a folder tree.

`import dagwright.components as dgc`. Like `dagwright`, the names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    "assets": (
        "AssetAttributesModel AssetPostProcessor AssetPostProcessorModel OpSpec ResolvedAssetAttributes ResolvedAssetCheckSpec "
        "ResolvedAssetKey ResolvedAssetSpec"
    ),
    "component_class": "Component ComponentTypeSpec component component_instance template_var",
    "errors": "ComponentError ResolutionException",
    "executable": "ExecutableComponent FunctionComponent PythonScriptComponent ScriptSpec UvRunComponent",
    "folder": "ComponentLoadContext ComponentPath ComponentTree DefinitionsComponent DefsFolderComponent",
    "project": "build_component_defs build_defs_for_component load_defs load_from_defs_folder",
    "resolution": "ResolutionContext",
    "resolver": "Injected Model Resolver",
    "resolved": "Resolvable resolve_fields",
    "scaffold": "ScaffoldRequest Scaffolder scaffold_component scaffold_with",
    "sql": "SQLClient SqlComponent SqlFile TemplatedSqlComponent",
    "state": "DefsStateConfig DefsStateConfigArgs ResolvedDefsStateConfig StateBackedComponent",
}
_EXPORTS = {name: f"dagwright.components.{module}" for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_EXPORTS)  # noqa: PLE0605 - computed from the table


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module 'dagwright.components' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
