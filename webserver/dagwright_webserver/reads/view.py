"""What a view is: a frozen dataclass that a template renders and REST serialises as it stands."""

from __future__ import annotations

import dataclasses
import threading
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar, dataclass_transform

from pydantic import ConfigDict, PlainSerializer, TypeAdapter, WithJsonSchema

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def view(cls: type[T]) -> type[T]:
    """Make a class a view. The text under each field is its description in the OpenAPI document."""
    made: Any = dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(cls)
    made.__pydantic_config__ = ConfigDict(use_attribute_docstrings=True, ser_json_inf_nan="null")
    return made  # type: ignore[no-any-return]


_adapters: dict[Any, TypeAdapter[Any]] = {}
_compiling = threading.Lock()


def adapter(kind: Any) -> TypeAdapter[Any]:
    """What serialises a class of views, compiled when it is first needed.

    One thread at a time: Pydantic parses the source for the texts under the fields, and CPython 3.11 fails now and then with
    `SystemError: AST constructor recursion depth mismatch` when two threads parse at once.
    """
    found = _adapters.get(kind)
    if found is None:
        with _compiling:
            found = _adapters.get(kind)
            if found is None:
                found = _adapters[kind] = TypeAdapter(kind)
    return found


def iso(moment: datetime) -> str:
    """A moment as REST writes it: `2026-01-31T06:00:00.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Moment: TypeAlias = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""An aware UTC datetime; as JSON always with microseconds."""


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """How long something took, in seconds, where both ends are known."""
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
