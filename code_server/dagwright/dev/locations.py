"""What `dagwright dev` and `dagwright code-server` are to serve: locations, their names and their files."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dagwright_shared.model.errors import SettingsError

_PLAIN_NAMES = frozenset({"definitions", "defs", "main", "__init__", "repository", "workspace"})
"""File names that say nothing of the project: its folder does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """One code location that a command line names."""

    name: str
    file: Path | None = None
    module: str | None = None
    attribute: str | None = None
    working_directory: Path | None = None

    def arguments(self) -> list[str]:
        """As `python -m dagwright.server` takes it."""
        given = {"--file": self.file, "--module": self.module, "--attribute": self.attribute, "--working-directory": self.working_directory}
        return [part for flag, value in given.items() if value is not None for part in (flag, str(value))]

    def watched(self) -> Path:
        """The folder whose Python files make this location: a change in it asks for a reload."""
        if self.file is not None:
            return self.file.resolve().parent
        top = str(self.module).partition(".")[0]
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
    """The locations of `-f` and `-m` options, each with a name of its own.

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
        raise SettingsError("nothing to serve: give -f FILE or -m MODULE, such as `dagwright dev -f definitions.py`")
    found: list[Location] = []
    taken: set[str] = set()
    for file in files:
        path = Path(file)
        if not path.is_file():
            what = "a folder; name the Python file in it" if path.is_dir() else "not there"
            raise SettingsError(f"{file} is {what} (looked in {Path.cwd()})")
        name = _unique(_name_of_file(path), taken)
        # Absolute, since the working directory may become another one before it is read.
        file_path = path.resolve() if directory else path
        found.append(Location(name=name, file=file_path, attribute=attribute, working_directory=directory))
    for module in modules:
        name = _unique(_name_of_module(module), taken)
        found.append(Location(name=name, module=module, attribute=attribute, working_directory=directory))
    return found


def _name_of_file(path: Path) -> str:
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
