"""Projects: a folder with a pyproject.toml, whose package has a `defs` folder."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

from dagwright.authoring.definitions import Definitions
from dagwright.components.component_class import Component
from dagwright.components.errors import ComponentError
from dagwright.components.folder import ComponentTree
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import nearest

_KEYS = frozenset({"root_module", "defs_module", "code_location_target_module", "code_location_name", "registry_modules", "autoload_defs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What a project's files say of it."""

    root: Path
    defs_module: str
    defs_path: Path
    target_module: str
    """The module with the project's Definitions, where it has one."""


def find_project(path_within_project: Path) -> Project:
    """The project that a path is in: the nearest folder upwards that says so in pyproject.toml or dg.toml, or has `defs`.

    Raises:
        ComponentError: there is none, or it does not say where its definitions are.
    """
    start = path_within_project.expanduser().resolve()
    if not start.exists():
        raise ComponentError(f"there is no folder {start}", mend="give the project's folder")
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        settings = _settings(folder)
        if settings is not None:
            return _project(folder, settings)
        if (folder / "pyproject.toml").is_file() or (folder / "setup.py").is_file():
            return _project(folder, {})
    if (start / "defs").is_dir():
        return _project(start, {})
    raise ComponentError(
        f"{start} is in no project: no folder upwards has a pyproject.toml",
        mend='add one with [tool.dagwright] and root_module = "my_project"',
    )


def _settings(folder: Path) -> dict[str, Any] | None:
    for name, path in (("pyproject.toml", ("tool", "dagwright")), ("pyproject.toml", ("tool", "dg", "project")), ("dg.toml", ("project",))):
        file = folder / name
        if not file.is_file():
            continue
        try:
            found: Any = tomllib.loads(file.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ComponentError(f"{file} is not TOML: {error}") from None
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, dict) and "root_module" in found:
            return found
        wrong = next((key for key in found or () if key not in _KEYS and nearest(key, ["root_module"])), None)
        if wrong is not None:
            raise ComponentError(f"{file}: [{'.'.join(path)}] has {wrong!r}", mend="did you mean root_module?")
    return None


def _project(root: Path, settings: dict[str, Any]) -> Project:
    module = settings.get("root_module")
    if module is None and (root / "defs").is_dir() and not (root / "defs" / "__init__.py").is_file() and not _packages(root):
        return Project(root=root, defs_module="defs", defs_path=_find(root, "defs"), target_module="definitions")
    if module is None:
        packages = _packages(root)
        if len(packages) != 1:
            found = f"has defs folders in {', '.join(packages)}" if packages else "has no package with a defs folder"
            raise ComponentError(
                f"the project {root} {found}", mend='say which in pyproject.toml: [tool.dagwright] root_module = "my_project"'
            )
        (module,) = packages
    name = settings.get("defs_module") or f"{module}.defs"
    target = settings.get("code_location_target_module") or f"{module}.definitions"
    return Project(root=root, defs_module=name, defs_path=_find(root, name), target_module=target)


def _packages(root: Path) -> list[str]:
    """Packages with a defs folder, in `src` or in the root."""
    return sorted({one.parent.name for folder in (root / "src", root) for one in folder.glob("*/defs") if one.is_dir()})


def _find(root: Path, module: str) -> Path:
    """The folder of a module, which is made importable."""
    for source in (root / "src", root):
        folder = source.joinpath(*module.split("."))
        if folder.is_dir():
            if str(source) not in sys.path:
                sys.path.insert(0, str(source))
            importlib.invalidate_caches()
            return folder
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise ComponentError(
            f"there is no folder for the module {module!r} in {root} or {root / 'src'}",
            mend=f"make {module.replace('.', '/')}, or correct root_module or defs_module in pyproject.toml",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def tree_of(path_within_project: Path) -> ComponentTree:
    """The component tree of a project."""
    project = find_project(path_within_project)
    return ComponentTree(project_root=project.root, defs_module_name=project.defs_module, defs_module_path=project.defs_path)


def load_from_defs_folder(*, path_within_project: Path | None = None, project_root: Path | None = None) -> Definitions:
    """The definitions of a project's defs folder: of its YAML and Python files, and of the folders in it.

    Args:
        path_within_project: a path in the project, such as `Path(__file__).parent`.
        project_root: the same, by its older name.

    Raises:
        ComponentError: the project, a YAML file or a component is not right; names file, line and column.

    Example:
        >>> from pathlib import Path
        >>> import dagwright as dg
        >>> @dg.definitions
        ... def defs():
        ...     return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    """
    path = path_within_project or project_root
    if path is None:
        raise ComponentError("load_from_defs_folder was given no path", mend="give path_within_project=Path(__file__).parent")
    return tree_of(Path(path)).build_defs()


def load_defs(
    defs_root: ModuleType,
    project_root: Path | None = None,
    terminate_autoloading_on_keyword_files: bool = True,  # noqa: FBT001, FBT002 - Dagster's
) -> Definitions:
    """The definitions of a package that is imported already.

    Args:
        defs_root: the package, such as `my_project.defs`.
        project_root: by default the nearest folder upwards with a pyproject.toml.
        terminate_autoloading_on_keyword_files: a folder with a definitions.py is that file alone.
    """
    if not hasattr(defs_root, "__path__"):
        raise ComponentError(f"load_defs was given {defs_root!r}, which is not a package", mend="give the defs package")
    folder = Path(next(iter(defs_root.__path__)))
    above = next((one for one in folder.parents if (one / "pyproject.toml").is_file() or (one / "setup.py").is_file()), folder.parent)
    return ComponentTree(
        project_root=Path(project_root) if project_root is not None else above,
        defs_module_name=defs_root.__name__,
        defs_module_path=folder,
        stop_at_definitions=terminate_autoloading_on_keyword_files,
    ).build_defs()


def build_component_defs(components_root: Path) -> Definitions:
    """The definitions of a folder of components, `my_project/components`."""
    name = f"{components_root.parent.name}.{components_root.name}"
    return load_defs(importlib.import_module(name), components_root.parent.parent)


def build_defs_for_component(component: Component) -> Definitions:
    """The definitions of one component that Python made, outside of a defs folder."""
    if not isinstance(component, Component):
        raise ComponentError(f"build_defs_for_component was given a {type(component).__name__}", mend="give a Component")
    return component.build_defs(ComponentTree.for_test().load_context)
