"""How a process elsewhere, such as a Dask worker, gets the definitions of this location."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from dagwright.authoring.definitions import Definitions
from dagwright.loading.load import LoadTarget, load


def definitions(target: LoadTarget) -> Definitions:
    """Import the location's code here.

    Raises:
        DefinitionError: it is not there.
    """
    folder = target.working_directory
    # Another machine may have the code installed, without the folder that the code server was started in.
    return load(target if folder is None or Path(folder).is_dir() else replace(target, working_directory=None))


_mine: list[LoadTarget] = []


def remember(target: LoadTarget) -> None:
    """What this process, and every fork of it, has loaded."""
    _mine[:] = [target]


def of_this_process() -> Callable[[], Definitions] | None:
    """Gives what this process has loaded in another one; can be pickled."""
    return partial(definitions, _mine[0]) if _mine else None
