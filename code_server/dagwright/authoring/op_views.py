"""An op as people look at it: its function, and its inputs and outputs with their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


class NamedPorts:
    """The inputs and outputs of an op by name."""

    __slots__ = ()
    ins: Mapping[str, In]
    outs: Mapping[str, Out]

    @property
    def input_defs(self) -> list[NamedPort]:
        return [NamedPort(name, given) for name, given in self.ins.items()]

    @property
    def output_defs(self) -> list[NamedPort]:
        return [NamedPort(name, given) for name, given in self.outs.items()]

    @property
    def input_dict(self) -> Mapping[str, NamedPort]:
        return {port.name: port for port in self.input_defs}

    @property
    def output_dict(self) -> Mapping[str, NamedPort]:
        return {port.name: port for port in self.output_defs}

    def has_input(self, name: str) -> bool:
        return name in self.ins

    def has_output(self, name: str) -> bool:
        return name in self.outs

    def input_def_named(self, name: str) -> NamedPort:
        """One of its inputs; raises KeyError when there is none of this name."""
        return NamedPort(name, self.ins[name])

    def output_def_named(self, name: str) -> NamedPort:
        """One of its outputs; raises KeyError when there is none of this name."""
        return NamedPort(name, self.outs[name])
