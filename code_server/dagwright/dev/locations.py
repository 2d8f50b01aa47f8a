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

    def arguments(self) -> list[str]:
        """As `python -m dagwright.server` takes it."""
        return ["--file", str(self.file)] if self.file is not None else ["--module", str(self.module)]

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


def locations_of(files: Sequence[str], modules: Sequence[str]) -> list[Location]:
    """The locations of `-f` and `-m` options, each with a name of its own.

    Raises:
        SettingsError: there is none, or a file does not exist.
    """
    if not files and not modules:
        raise SettingsError("nothing to serve: give -f FILE or -m MODULE, such as `dagwright dev -f definitions.py`")
    found: list[Location] = []
    taken: set[str] = set()
    for file in files:
        path = Path(file)
        if not path.is_file():
            what = "a folder; name the Python file in it" if path.is_dir() else "not there"
            raise SettingsError(f"{file} is {what} (looked in {Path.cwd()})")
        found.append(Location(name=_unique(_name_of_file(path), taken), file=path))
    found += [Location(name=_unique(_name_of_module(module), taken), module=module) for module in modules]
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
