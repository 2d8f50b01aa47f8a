"""Checks of arguments, for projects that used those inside Dagster; `dagwright migrate` rewrites `dagster._check` to this.

Each returns the value that it was given, so that it can be checked where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from dagwright_shared.model.errors import DagwrightError

T = TypeVar("T")
Kind = type | tuple[type, ...]


class CheckError(DagwrightError):
    """Something that should always hold does not."""


class ParameterCheckError(CheckError, TypeError):
    """An argument is not of its type."""


def failed(desc: str) -> NoReturn:
    """Raise: this cannot be reached."""
    raise CheckError(desc)


def invariant(condition: object, desc: str | None = None) -> bool:
    """Raise unless something holds."""
    if not condition:
        raise CheckError(desc or "an invariant does not hold")
    return True


def not_none(value: T | None, additional_message: str | None = None) -> T:
    """The value, which is not None.

    Example:
        >>> not_none(0)
        0
    """
    if value is None:
        raise CheckError("the value is None" + (f"; {additional_message}" if additional_message else ""))
    return value


def inst(obj: Any, ttype: Kind, additional_message: str | None = None) -> Any:
    """The value, which is an instance of a class."""
    if not isinstance(obj, ttype):
        raise CheckError(f"{obj!r} is not a {_names(ttype)}" + (f"; {additional_message}" if additional_message else ""))
    return obj


def inst_param(obj: Any, param_name: str, ttype: Kind, additional_message: str | None = None) -> Any:
    """An argument, which is an instance of a class.

    Raises:
        ParameterCheckError: it is none.

    Example:
        >>> inst_param(3, "rows", int)
        3
    """
    if not isinstance(obj, ttype):
        more = f"; {additional_message}" if additional_message else ""
        raise ParameterCheckError(f"the argument {param_name!r} is {obj!r}, not a {_names(ttype)}{more}")
    return obj


def opt_inst_param(obj: Any, param_name: str, ttype: Kind, default: Any = None, additional_message: str | None = None) -> Any:
    """An argument, which is an instance of a class or None; then the default stands for it."""
    return default if obj is None else inst_param(obj, param_name, ttype, additional_message)


def str_param(obj: Any, param_name: str) -> str:
    """An argument, which is text."""
    return str(inst_param(obj, param_name, str))


def opt_str_param(obj: Any, param_name: str, default: str | None = None) -> str | None:
    """An argument, which is text or None."""
    return default if obj is None else str_param(obj, param_name)


def int_param(obj: Any, param_name: str) -> int:
    """An argument, which is a whole number."""
    return int(inst_param(obj, param_name, int))


def opt_int_param(obj: Any, param_name: str, default: int | None = None) -> int | None:
    """An argument, which is a whole number or None."""
    return default if obj is None else int_param(obj, param_name)


def bool_param(obj: Any, param_name: str) -> bool:
    """An argument, which is true or false."""
    return bool(inst_param(obj, param_name, bool))


def list_param(obj: Any, param_name: str, of_type: Kind | None = None) -> list[Any]:
    """An argument, which is a list."""
    found: list[Any] = inst_param(obj, param_name, list)
    _each(found, param_name, of_type)
    return found


def opt_list_param(obj: Any, param_name: str, of_type: Kind | None = None) -> list[Any]:
    """An argument, which is a list; an empty one stands for None."""
    return [] if obj is None else list_param(obj, param_name, of_type)


def sequence_param(obj: Any, param_name: str, of_type: Kind | None = None) -> Sequence[Any]:
    """An argument, which is a list or tuple, and no text."""
    if isinstance(obj, str):
        raise ParameterCheckError(f"the argument {param_name!r} is the text {obj!r}, not a Sequence")
    found: Sequence[Any] = inst_param(obj, param_name, Sequence)
    _each(found, param_name, of_type)
    return found


def dict_param(obj: Any, param_name: str, key_type: Kind | None = None, value_type: Kind | None = None) -> dict[Any, Any]:
    """An argument, which is a dict."""
    found: dict[Any, Any] = inst_param(obj, param_name, dict)
    _each(list(found), param_name, key_type)
    _each(list(found.values()), param_name, value_type)
    return found


def opt_dict_param(obj: Any, param_name: str, key_type: Kind | None = None, value_type: Kind | None = None) -> dict[Any, Any]:
    """An argument, which is a dict; an empty one stands for None."""
    return {} if obj is None else dict_param(obj, param_name, key_type, value_type)


def mapping_param(obj: Any, param_name: str, key_type: Kind | None = None, value_type: Kind | None = None) -> Mapping[Any, Any]:
    """An argument, which is a mapping."""
    dict_param(dict(inst_param(obj, param_name, Mapping)), param_name, key_type, value_type)
    return obj  # type: ignore[no-any-return]


def _each(items: Iterable[Any], name: str, kind: Kind | None) -> None:
    if kind is not None:
        for item in items:
            inst_param(item, name, kind)


def _names(kind: Kind) -> str:
    return " or ".join(each.__name__ for each in kind) if isinstance(kind, tuple) else kind.__name__
