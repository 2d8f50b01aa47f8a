"""An op as people look at it: its function, and its inputs and outputs with their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dagwright_shared.model.dataclass import dataclass

if TYPE_CHECKING:
    from dagwright.authoring.ops import In, Out


@dataclass(frozen=True, slots=True)
class DecoratedFunction:
    """What `@op` or `@asset` decorated."""

    decorated_fn: Callable[..., Any]

    @property
    def name(self) -> str:
        return self.decorated_fn.__name__


@dataclass(frozen=True, slots=True)
class NamedPort:
    """An input or output of an op with its name; everything else is that of its In or Out."""

    name: str
    port: In | Out

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.port, attribute)
