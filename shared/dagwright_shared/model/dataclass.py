"""`dataclass`: the decorator of the standard library, made in a quarter of the time.

Hundreds of dataclasses are made while a project is imported, and Python before 3.13 compiles six functions for each: half a
millisecond a class, most of what `import dagwright` would cost. Here one function a class is compiled, `__init__`; the others
are the same for all classes and read the fields from the class. Type checkers see the decorator of the standard library, and
`fields`, `replace`, `match`, `copy` and `pickle` work as with it. What it leaves out (order, InitVar, hashing of what can
change) is what `dataclasses.dataclass` is for; a subclass that is frozen takes the decorator of its base.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type | None = None, /, *, init: bool = True, eq: bool = True, frozen: bool = False, slots: bool = False, kw_only: bool = False
    ) -> Any:
        """Make a dataclass. Arguments mean what they mean in the standard library."""

        def decorate(plain: type) -> type:
            if plain.__doc__ is None:
                plain.__doc__ = plain.__name__  # or the standard library would write out the signature
            made = dataclasses.dataclass(plain, init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)
            _complete(made, init=init, eq=eq, frozen=frozen, slots=slots)
            return made

        return decorate if cls is None else decorate(cls)


def _complete(made: Any, *, init: bool, eq: bool, frozen: bool, slots: bool) -> None:
    """Add the methods which the class does not define itself."""
    own = made.__dict__
    fields = dataclasses.fields(made)
    methods: dict[str, Any] = {"__repr__": _repr}
    if init:
        methods["__init__"] = _init(made, fields, frozen=frozen)
    if eq:
        methods["__eq__"], values = _comparison(fields)
        if "__hash__" not in own:
            made.__hash__ = (lambda self: hash(values(self))) if frozen else None
        elif own["__hash__"] is None and "__eq__" in own and frozen:  # which Python wrote, since the class compares itself
            made.__hash__ = lambda self: hash(values(self))
    if frozen:
        names = frozenset(field.name for field in fields)
        methods |= {"__setattr__": _set_refusal(made, names), "__delattr__": _delete_refusal(made, names)}
    if frozen and slots:
        methods |= {"__getstate__": _state, "__setstate__": _restore}
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)


def _init(made: Any, fields: tuple[dataclasses.Field[Any], ...], *, frozen: bool) -> Callable[..., None]:
    """Compile `__init__`: the only method that has to be fast for each number of arguments."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_missing": dataclasses.MISSING}
    plain: list[str] = []
    named: list[str] = []
    body: list[str] = []
    for field in fields:
        name, value = field.name, field.name
        if field.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = field.default
            default = f"=_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            default = "=_missing"
            value = f"_make_{name}() if {name} is _missing else {name}" if field.init else f"_make_{name}()"
        else:
            default = ""
        if field.init:
            (named if field.kw_only else plain).append(name + default)
        elif default != "=_missing":
            value = f"_default_{name}"
        if field.init or default:
            body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(made, "__post_init__"):
        body.append("self.__post_init__()")
    arguments = ", ".join(["self", *plain, *(["*", *named] if named else [])])
    exec(f"def __init__({arguments}):\n " + "\n ".join(body or ["pass"]), known)
    function: Any = known["__init__"]
    function.__qualname__ = f"{made.__qualname__}.__init__"
    function.__module__ = made.__module__
    function.__annotations__ = {field.name: field.type for field in fields if field.init} | {"return": None}
    return function  # type: ignore[no-any-return]


def _comparison(fields: tuple[dataclasses.Field[Any], ...]) -> tuple[Callable[[Any, object], Any], Callable[[Any], Any]]:
    """`__eq__`, and what is hashed."""
    compared = [field.name for field in fields if field.compare]
    hashed = [field.name for field in fields if (field.compare if field.hash is None else field.hash)]
    values = _values(compared)

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return equal, values if hashed == compared else _values(hashed)


def _values(names: list[str]) -> Callable[[Any], Any]:
    """The attributes of an object as a tuple."""
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda value: (getattr(value, name),)
        case _:
            return attrgetter(*names)


@recursive_repr()
def _repr(self: Any) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({shown})"


def _set_refusal(made: Any, names: frozenset[str]) -> Callable[[Any, str, Any], None]:
    def refuse(self: Any, name: str, value: Any) -> None:
        if type(self) is made or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(made, self).__setattr__(name, value)  # a field of a subclass that can change

    return refuse


def _delete_refusal(made: Any, names: frozenset[str]) -> Callable[[Any, str], None]:
    def refuse(self: Any, name: str) -> None:
        if type(self) is made or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(made, self).__delattr__(name)

    return refuse


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
