"""The config of resources: with environment variables read, and as contexts show it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel

from dagwright.authoring.config import EnvVar


def read_env(value: Any) -> Any:
    """A resource's config with `{"env": "NAME"}` and EnvVars replaced by the variables' values."""
    match value:
        case EnvVar():
            return value.required()
        case {"env": str(name), **rest} if not rest:
            return EnvVar(name).required()
        case Mapping():
            return {key: read_env(item) for key, item in value.items()}
        case list():
            return [read_env(item) for item in value]
        case _:
            return value


def seen(resource: BaseModel, *, without: Collection[str] = ()) -> dict[str, Any]:
    """The fields as plain data: enums by their values, and one of several classes as `{name: its other fields}`.

    Args:
        resource: a resource with typed fields, or a Config within one.
        without: fields to leave out.
    """
    return {
        name: _plain(getattr(resource, name), info.discriminator)
        for name, info in type(resource).model_fields.items()
        if name not in without
    }


def _plain(value: Any, discriminator: Any = None) -> Any:
    match value:
        case BaseModel() if isinstance(discriminator, str):
            return {_plain(getattr(value, discriminator)): seen(value, without=[discriminator])}
        case BaseModel():
            return seen(value)
        case Enum():
            return value.value
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
