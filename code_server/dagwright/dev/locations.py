"""What `dagwright dev` and `dagwright code-server` are to serve: locations, their names and their files."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import SettingsError

_PLAIN_NAMES = frozenset({"definitions", "defs", "main", "__init__", "repository", "workspace"})
"""File names that say nothing of the project: its folder does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """One code location that a command line names."""

    name: str
    file: Path | None = None
    """A Python file, or the folder of a project."""
    module: str | None = None
    attribute: str | None = None
    working_directory: Path | None = None

    def arguments(self) -> list[str]:
        """As `python -m dagwright.server` takes it."""
        given = {"--file": self.file, "--module": self.module, "--attribute": self.attribute, "--working-directory": self.working_directory}
        return [part for flag, value in given.items() if value is not None for part in (flag, str(value))]

    def watched(self) -> Path:
        """The folder whose Python and YAML files make this location: a change in it asks for a reload."""
        if self.file is not None:
            return self.file.resolve() if self.file.is_dir() else self.file.resolve().parent
        top = str(self.module).partition(".")[0]
        inside = Path.cwd() / "src" / top
        if inside.is_dir():
            return inside
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        # Finding a top-level module imports nothing.
        spec = importlib.util.find_spec(top)
        if spec is not None and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)))
        return Path(spec.origin).parent if spec is not None and spec.origin else Path.cwd()

    def __str__(self) -> str:
        return str(self.file if self.file is not None else self.module)


def locations_of(
    files: Sequence[str], modules: Sequence[str], attribute: str | None = None, working_directory: str | None = None
) -> list[Location]:
    """The locations of `-f` and `-m` options, each with a name of its own; without any, the project in the current folder.

    Args:
        attribute: name of the Definitions object; only with one location.
        working_directory: put on the import path of each.

    Raises:
        SettingsError: there is none, or a file or the folder does not exist.
    """
    if attribute is not None and len(files) + len(modules) > 1:
        raise SettingsError("--attribute names an object in one file or module, but several are given")
    if working_directory is not None and not Path(working_directory).is_dir():
        raise SettingsError(f"the working directory {working_directory} is not a folder (looked in {Path.cwd()})")
    directory = Path(working_directory).resolve() if working_directory is not None else None
    if not files and not modules:
        files, modules = _project(directory or Path.cwd())
    found: list[Location] = []
    taken: set[str] = set()
    for file in files:
        path = Path(file)
        if path.is_dir() and not _is_project(path):
            raise SettingsError(
                f"{file} is a folder without a project: name the Python file in it, or add a pyproject.toml with [tool.dagwright] "
                f"(looked in {Path.cwd()})"
            )
        if not path.exists():
            raise SettingsError(f"{file} is not there (looked in {Path.cwd()})")
        name = _unique(_name_of_file(path), taken)
        # Absolute, since the working directory may become another one before it is read.
        file_path = path.resolve() if directory else path
        found.append(Location(name=name, file=file_path, attribute=attribute, working_directory=directory))
    for module in modules:
        name = _unique(_name_of_module(module), taken)
        found.append(Location(name=name, module=module, attribute=attribute, working_directory=directory))
    return found


def _project(folder: Path) -> tuple[Sequence[str], Sequence[str]]:
    """Files and modules of the project in a folder: what [tool.dagster] names, or the folder as a whole."""
    named = _tools(folder).get("dagster", {}).get("module_name")
    if named is not None:
        return [], [str(named)]
    if _is_project(folder):
        return [str(folder)], []
    raise SettingsError(
        "nothing to serve: give -f FILE or -m MODULE, such as `dagwright dev -f definitions.py`, or go to a project's folder, "
        "whose pyproject.toml has [tool.dagwright]"
    )


def _is_project(folder: Path) -> bool:
    tools = _tools(folder)
    places = ("defs", "*/defs", "src/*/defs")
    return not tools.keys().isdisjoint({"dagwright", "dg"}) or any(True for place in places for _ in folder.glob(place))


def _tools(folder: Path) -> dict[str, Any]:
    """The `tool` table of a folder's pyproject.toml."""
    file = folder / "pyproject.toml"
    if not file.is_file():
        return {}
    try:
        tools: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}") from None
    return tools


def _name_of_file(path: Path) -> str:
    if path.is_dir():
        return path.resolve().name
    return path.resolve().parent.name if path.stem in _PLAIN_NAMES else path.stem


def _name_of_module(module: str) -> str:
    parts = [part for part in module.split(".") if part not in _PLAIN_NAMES]
    return parts[-1] if parts else module


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name}-{number}"
    taken.add(unique)
    return unique
