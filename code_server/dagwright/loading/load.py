"""Importing the user's project and finding its Definitions."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
from pathlib import Path
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
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTarget:
    """Where a location's code is: a module, a file, or the folder of a project."""

    module: str | None = None
    """Dotted name, such as `my_project.definitions`."""
    file: str | None = None
    attribute: str | None = None
    """Name of the Definitions object, or of a function that makes one; None: the only one there is."""
    working_directory: str | None = None
    """Put on `sys.path` and made the current directory."""


def load(target: LoadTarget) -> Definitions:
    """Import the target and resolve its Definitions.

    Raises:
        DefinitionError: there are none, or several, or they do not fit together.
        Exception: whatever the user's code raises while it is imported.
    """
    if target.working_directory:
        if not Path(target.working_directory).is_dir():
            raise DefinitionError(f"the working directory {target.working_directory!r} does not exist", mend="name an existing folder")
        os.chdir(target.working_directory)
        _on_path(target.working_directory)
    collecting = gc.isenabled()
    # Thousands of definitions are made and all are kept: the collector would walk them again and again for nothing.
    gc.disable()
    try:
        if target.file and Path(target.file).is_dir():
            definitions = _project(Path(target.file), target.attribute)
        else:
            module = _import_file(target.file) if target.file else _import_module(target.module)
            definitions = find(module, target.attribute)
        definitions.resolve()
    finally:
        if collecting:
            gc.enable()
    return definitions


def find(module: ModuleType, attribute: str | None = None) -> Definitions:
    """The Definitions of an imported module: the named one, the only one, or all loose definitions put together.

    Raises:
        DefinitionError: there is none, or more than one.
    """
    where = getattr(module, "__file__", None) or module.__name__
    if attribute is not None:
        return _named(module, attribute, where)
    found = {id(value): (name, value) for name, value in vars(module).items() if isinstance(value, (Definitions, LazyDefinitions))}
    if len(found) > 1:
        names = ", ".join(name for name, _ in found.values())
        raise DefinitionError(
            f"{where} has several Definitions: {names}", mend="merge them with Definitions.merge(...), or name one with --attribute"
        )
    if found:
        ((_, only),) = found.values()
        return only() if isinstance(only, LazyDefinitions) else only
    loose = _loose(module)
    if loose is None:
        raise DefinitionError(
            f"{where} defines neither a Definitions object nor an asset, job, schedule or sensor",
            mend="add `defs = dagwright.Definitions(assets=[...])` at the module's level",
        )
    return loose


def _named(module: ModuleType, attribute: str, where: str) -> Definitions:
    if not hasattr(module, attribute):
        close = nearest(attribute, [name for name in vars(module) if not name.startswith("__")])
        raise DefinitionError(
            f"{where} has no name {attribute!r}", mend=f"did you mean {close!r}?" if close else "name a Definitions object"
        )
    value = getattr(module, attribute)
    if isinstance(value, LazyDefinitions) or (callable(value) and not isinstance(value, type)):
        value = value()
    if isinstance(value, Definitions):
        return value
    raise DefinitionError(
        f"{attribute!r} in {where} is a {type(value).__name__}, not Definitions",
        mend="name a Definitions object, or a function that returns one",
    )


def _loose(module: ModuleType) -> Definitions | None:
    """Everything that stands at the module's level without Definitions around it."""
    kinds: dict[str, tuple[type, ...]] = {
        "assets": (AssetsDefinition, AssetSpec),
        "asset_checks": (AssetChecksDefinition,),
        "jobs": (JobDefinition, UnresolvedAssetJobDefinition),
        "schedules": (ScheduleDefinition, PartitionedSchedule),
        "sensors": (SensorDefinition,),
    }
    found: dict[str, Any] = {option: modules.find([module], kind) for option, kind in kinds.items()}
    return Definitions(**found) if any(found.values()) else None


def _project(folder: Path, attribute: str | None) -> Definitions:
    """A project's module of definitions, where it has one; else all of its defs folder."""
    # Components bring YAML and templates along, which other locations do not pay for.
    from dagwright.components import project  # noqa: PLC0415

    found = project.find_project(folder)
    source = found.defs_path.parents[len(found.defs_module.split(".")) - 1]
    target = source.joinpath(*found.target_module.split("."))
    if target.with_suffix(".py").is_file() or (target / "__init__.py").is_file():
        return find(_import_module(found.target_module), attribute)
    return project.load_from_defs_folder(path_within_project=folder)


def _import_file(file: str) -> ModuleType:
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        folder = path.parent
        known = [entry.name for entry in folder.glob("*.py")] if folder.is_dir() else []
        close = nearest(path.name, known)
        raise DefinitionError(
            f"there is no file {file}", mend=f"did you mean {folder / close}?" if close else "give the path of a Python file"
        )
    _on_path(str(path.parent))
    name = path.stem if path.stem.isidentifier() else "dagwright_location"
    if (path.parent / "__init__.py").is_file():
        return _import_in_package(path)
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) != str(path):
        name = f"dagwright_location_{name}"  # the stem is taken, as by a module of the standard library
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DefinitionError(f"{file} is not a Python file", mend="give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    # Before it is executed: dataclasses, pickle and the module's own functions look it up by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _import_in_package(path: Path) -> ModuleType:
    """A file inside a package is imported under its full name, so that its relative imports work."""
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if names[-1] == "__init__":
        names.pop()
    _on_path(str(folder))
    return importlib.import_module(".".join(names))


def _import_module(name: str | None) -> ModuleType:
    if not name:
        raise DefinitionError("there is nothing to load", mend="name a module (-m my_project.definitions) or a file (-f definitions.py)")
    _on_path(str(Path.cwd()))
    if (Path.cwd() / "src" / name.partition(".")[0]).is_dir():
        _on_path(str(Path.cwd() / "src"))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The module itself, or a package around it, is not there; an import inside of it that fails is the user's own error.
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise DefinitionError(
                f"there is no module {name!r} in {Path.cwd()} or among the installed packages",
                mend="check the name, install the project (pip install -e .), or give a file with -f",
            ) from None
        raise


def _on_path(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)
