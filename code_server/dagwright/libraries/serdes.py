"""Values of dagwright, and of classes of the user's, as text: for a sensor's cursor, a file, a message."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from dagwright_shared.model.errors import DagwrightError, nearest

T = TypeVar("T")
C = TypeVar("C", bound=type)

_CLASS, _ENUM, _SET, _TIME, _DICT = "__class__", "__enum__", "__set__", "__datetime__", "__mapping__"
_registered: dict[str, type] = {}


class SerializationError(DagwrightError, TypeError):
    """A value has no form as text, or a text names a class that is not known."""


def whitelist_for_serdes(cls: C) -> C:
    """Let a dataclass, named tuple or enum of yours be written and read; it is known by its name.

    Example:
        >>> import dataclasses
        >>> @whitelist_for_serdes
        ... @dataclasses.dataclass(frozen=True)
        ... class Place:
        ...     page: int
        >>> deserialize_value(serialize_value(Place(3)), Place)
        Place(page=3)
    """
    _registered[cls.__name__] = cls
    return cls


def serialize_value(val: Any) -> str:
    """The value as JSON, from which `deserialize_value` makes an equal one.

    Args:
        val: text, numbers, None, lists, dicts, sets, moments in time; values of dagwright's public classes; and of classes that
            `whitelist_for_serdes` knows. Tuples come back as lists.

    Raises:
        SerializationError: there is something else inside.

    Example:
        >>> from dagwright import AssetKey
        >>> serialize_value(AssetKey(["raw", "orders"]))
        '{"__class__": "AssetKey", "parts": ["raw", "orders"]}'
    """
    return json.dumps(_packed(val))


def deserialize_value(val: str, as_type: type[T] | tuple[type, ...] | None = None) -> Any:
    """The value of a text that `serialize_value` has written.

    Args:
        as_type: what it must be.

    Raises:
        SerializationError: it names a class that is not known, or is not of that type.

    Example:
        >>> deserialize_value('{"__class__": "AssetKey", "parts": ["raw", "orders"]}')
        AssetKey(['raw', 'orders'])
    """
    made = _unpacked(json.loads(val))
    if as_type is not None and not isinstance(made, as_type):
        wanted = " or ".join(one.__name__ for one in (as_type if isinstance(as_type, tuple) else (as_type,)))
        raise SerializationError(f"the text holds a {type(made).__name__}, not a {wanted}")
    return made


def _packed(value: Any) -> Any:
    match value:
        case Enum():
            return {_ENUM: f"{_name(type(value))}.{value.name}"}
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return {_TIME: value.isoformat()}
        case set() | frozenset():
            return {_SET: sorted((_packed(one) for one in value), key=repr)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        name = _name(type(value))
        return {_CLASS: name, **{each.name: _packed(getattr(value, each.name)) for each in dataclasses.fields(value)}}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {_CLASS: _name(type(value)), **{each: _packed(getattr(value, each)) for each in value._fields}}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith("__") for key in value):
            return {key: _packed(one) for key, one in value.items()}
        return {_DICT: [[_packed(key), _packed(one)] for key, one in value.items()]}
    if isinstance(value, Sequence):
        return [_packed(one) for one in value]
    raise SerializationError(
        f"a {type(value).__name__} cannot be written as text; make it a dataclass and decorate that with @whitelist_for_serdes"
    )


def _unpacked(data: Any) -> Any:
    if isinstance(data, list):
        return [_unpacked(one) for one in data]
    if not isinstance(data, dict):
        return data
    if _ENUM in data:
        name, _, member = data[_ENUM].rpartition(".")
        return _class(name)[member]  # type: ignore[index]
    if _SET in data:
        return frozenset(map(_unpacked, data[_SET]))
    if _TIME in data:
        return datetime.fromisoformat(data[_TIME])
    if _DICT in data:
        return {_unpacked(key): _unpacked(one) for key, one in data[_DICT]}
    if _CLASS in data:
        return _made(_class(data[_CLASS]), {key: _unpacked(one) for key, one in data.items() if key != _CLASS})
    return {key: _unpacked(one) for key, one in data.items()}


def _made(cls: type, values: dict[str, Any]) -> Any:
    """An object of its fields: a constructor may take other arguments than there are fields."""
    if not dataclasses.is_dataclass(cls):
        return cls(**values)
    fields = dataclasses.fields(cls)
    made: Any = cls.__new__(cls)
    for each in fields:
        value = values[each.name] if each.name in values else _default(cls.__name__, each)
        is_tuple = str(each.type).startswith("tuple") and isinstance(value, list)
        object.__setattr__(made, each.name, tuple(value) if is_tuple else value)
    return made


def _default(owner: str, each: dataclasses.Field[Any]) -> Any:
    if each.default is not dataclasses.MISSING:
        return each.default
    if each.default_factory is not dataclasses.MISSING:
        return each.default_factory()
    raise SerializationError(f"the text of a {owner} has no {each.name!r}, which an older version did not write")


def _name(cls: type) -> str:
    if _registered.get(cls.__name__) is cls or getattr(importlib.import_module("dagwright"), cls.__name__, None) is cls:
        return cls.__name__
    raise SerializationError(f"the class {cls.__name__} is not known; decorate it with @whitelist_for_serdes")


def _class(name: str) -> type:
    package = importlib.import_module("dagwright")
    found = _registered.get(name) or getattr(package, name, None)
    if not isinstance(found, type):
        close = nearest(name, [*_registered, *dir(package)])
        hint = f"; did you mean {close}?" if close else ""
        raise SerializationError(f"the text names the class {name}, which is not known{hint}; import the module that defines it first")
    return found
