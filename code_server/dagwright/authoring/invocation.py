"""Calling a definition like the function that it was made from, outside any run.

`execution` installs an invoker that knows contexts, config and resources; without it the arguments go straight to the
user's function.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Invoker(Protocol):
    """Calls the function of an op, asset, check, schedule or sensor directly, as a test does."""

    def __call__(self, definition: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any: ...


def _plain(definition: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return definition.fn(*args, **kwargs)


_installed: list[Invoker] = [_plain]


def install(invoker: Invoker) -> None:
    """Have `invoker` answer direct calls from now on."""
    _installed[0] = invoker


_EXECUTION = "dagwright.execution.building"
_TESTING = "dagwright.testing"
_runner: list[Callable[..., Any]] = []


def install_runner(runner: Callable[..., Any]) -> None:
    """Have `runner(job, **options)` answer `execute_in_process` from now on."""
    _runner[:] = [runner]


def in_process(job: Any, options: Mapping[str, Any]) -> Any:
    """Run a job in this process."""
    if not _runner:
        importlib.import_module(_TESTING)  # it is above us, and installs itself
    return _runner[0](job, **options)


def direct(definition: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Call a definition outside any graph body or run."""
    if _installed[0] is _plain:
        importlib.import_module(_EXECUTION)  # it is above us, and installs itself
    return _installed[0](definition, args, kwargs)
