"""What JSON can carry, and how anything else is brought into that form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

JsonValue: TypeAlias = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def json_safe(value: Any) -> Any:
    """The value with what JSON lacks written as text: NaN, infinities, keys that are not text, NUL, foreign objects."""
    match value:
        case None | bool() | int():
            return value
        case str():
            return value.replace("\x00", "\ufffd")
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {str(key): json_safe(item) for key, item in value.items()}
        case list() if all(type(item) is int for item in value):  # columns of numbers are long, and as they should be
            return value
        case list() | tuple() | set() | frozenset():
            return [json_safe(item) for item in value]
        case _:
            return str(value)
