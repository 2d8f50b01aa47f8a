"""Calling a definition like the function that it was made from, outside any run.

`execution` installs an invoker that knows contexts, config and resources; without it the arguments go straight to the
user's function.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def direct(definition: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return _installed[0](definition, args, kwargs)
