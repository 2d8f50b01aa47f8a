"""Resources: how each is configured, without secrets, and what uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.snapshot import LocationSnapshot, ResourceSnapshot
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.view import view

MASK = "•••"
_SECRET = re.compile(
    r"passw|secret|token|credential|api_?key|access_?key|private_?key|account_?key|connection_?string|\bdsn\b", re.IGNORECASE
)
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]+@")


@view
class ResourceView:
    """A resource of a code location."""

    key: str
    """The name that functions ask for it by."""
    location: str
    """The code location that defines it."""
    type_name: str
    """Its class."""
    description: str | None
    """What it is for."""
    config: Mapping[str, Any]
    """As configured in code. What looks like a secret is masked; `{"env": "NAME"}` is read where the code runs."""
    environment: tuple[str, ...]
    """Environment variables that it reads."""
    nested: Mapping[str, str]
    """Its fields that are resources, with their keys."""
    assets: tuple[str, ...]
    """Assets whose functions ask for it."""
    jobs: tuple[str, ...]
    """Jobs of ops that ask for it."""
    schedules: tuple[str, ...]
    """Schedules whose functions ask for it."""
    sensors: tuple[str, ...]
    """Sensors whose functions ask for it."""
    resources: tuple[str, ...]
    """Resources that hold it."""
    source: str | None
    """File and line of its definition."""


@view
class ResourceListView:
    """All resources; there is never a second page."""

    items: tuple[ResourceView, ...]
    """By key, then location."""
    next_cursor: str | None
    """Always null."""


def list_resources(defs: Definitions, *, location: str | None = None) -> tuple[ResourceView, ...]:
    """Resources of all locations, or of one."""
    found = [
        _view(place, snapshot, each)
        for place, snapshot in defs.locations.items()
        if location in (None, place)
        for each in snapshot.resources
    ]
    return tuple(sorted(found, key=lambda each: (each.key, each.location)))


def get_resource(defs: Definitions, key: str, *, location: str | None = None) -> ResourceView:
    """One resource; of several of the name, that of the first location.

    Raises:
        NotFoundError: there is none.
    """
    found = list_resources(defs, location=location)
    for each in found:
        if each.key == key:
            return each
    raise NotFoundError("resource", key, known=[each.key for each in found], where=location)


def _view(place: LocationName, snapshot: LocationSnapshot, resource: ResourceSnapshot) -> ResourceView:
    return ResourceView(
        key=resource.key,
        location=place,
        type_name=resource.type_name,
        description=resource.description,
        config={name: masked(name, value, _property(resource.config_schema, name)) for name, value in resource.config.items()},
        environment=tuple(sorted(set(_variables(resource.config)))),
        nested=resource.nested,
        assets=tuple(each.key.to_user_string() for each in snapshot.assets if resource.key in each.resource_keys),
        jobs=tuple(each.name for each in snapshot.jobs if not each.asset_keys and resource.key in each.resource_keys),
        schedules=tuple(each.name for each in snapshot.schedules if resource.key in each.resource_keys),
        sensors=tuple(each.name for each in snapshot.sensors if resource.key in each.resource_keys),
        resources=tuple(each.key for each in snapshot.resources if resource.key in each.nested.values()),
        source=str(resource.source) if resource.source else None,
    )


def masked(name: str, value: Any, schema: Mapping[str, Any] | None = None) -> Any:
    """A value of configuration, with what must not be seen taken out of it."""
    match value:
        case {"env": str()} if len(value) == 1:
            return value
        case None | bool():
            return value
        case _ if _SECRET.search(name) or (schema and (schema.get("writeOnly") or schema.get("format") == "password")):
            return MASK
        case dict():
            return {key: masked(key, each, _property(schema, key)) for key, each in value.items()}
        case list() | tuple():
            return [masked("", each) for each in value]
        case str():
            return _PASSWORD_IN_URL.sub(rf"\1:{MASK}@", value)
        case _:
            return value


def _property(schema: Mapping[str, Any] | None, name: str) -> Mapping[str, Any] | None:
    found = (schema or {}).get("properties", {}).get(name)
    return found if isinstance(found, Mapping) else None


def _variables(value: Any) -> Iterator[str]:
    match value:
        case {"env": str(name)} if len(value) == 1:
            yield name
        case dict():
            for each in value.values():
                yield from _variables(each)
        case list() | tuple():
            for each in value:
                yield from _variables(each)
