"""The API reference at /docs: our own OpenAPI document as a page, so that nothing is fetched from another host."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")
_ORDER = ("runs", "assets", "jobs", "schedules", "sensors", "locations", "instance", "streams", "health")
_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
}
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Kind:
    """A type in words; `ref` names the schema that it links to."""

    text: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a property of an object."""

    name: str
    kind: Kind
    where: str
    """path, query or header; empty for properties."""
    required: bool
    about: str
    notes: tuple[str, ...]
    """Default, limits and the like."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the answers of an operation."""

    status: str
    about: str
    kind: Kind | None
    media: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    parameters: tuple[Field, ...]
    body: Kind | None
    fields: tuple[Field, ...]
    """Of the body."""
    answers: tuple[Answer, ...]
    curl: str
    """As the copy button takes it: method, path and body."""


@dataclass(frozen=True, slots=True)
class Noun:
    """What belongs together."""

    name: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """A named part of bodies and answers."""

    name: str
    about: str
    fields: tuple[Field, ...]
    values: tuple[str, ...]
    """Of an enumeration."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The page."""

    about: str
    version: str
    nouns: tuple[Noun, ...]
    schemas: tuple[Schema, ...]


def read(document: Mapping[str, Any]) -> Reference:
    """An OpenAPI document as the page shows it."""
    schemas = document.get("components", {}).get("schemas", {})
    nouns: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if found := methods.get(method):
                nouns.setdefault((found.get("tags") or ["other"])[0], []).append(_operation(path, method, found, schemas))
    known = [*[name for name in _ORDER if name in nouns], *sorted(set(nouns) - set(_ORDER))]
    info = document["info"]
    return Reference(
        about=info.get("description", ""),
        version=info["version"],
        nouns=tuple(Noun(name, tuple(sorted(nouns[name], key=_place))) for name in known),
        schemas=tuple(_schema(name, schema) for name, schema in schemas.items()),
    )


def _place(operation: Operation) -> tuple[int, int]:
    """Lists before what they list, and questions before changes."""
    return (operation.path.count("{"), _METHODS.index(operation.method.lower()))


def _operation(path: str, method: str, found: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    content: Mapping[str, Any] = found.get("requestBody", {}).get("content", {})
    body = content[next(iter(content))].get("schema") if content else None
    kind = _kind(body) if body else None
    target = schemas.get(kind.ref, {}) if kind and kind.ref else {}
    curl = f"{method.upper()} {path}"
    if body:
        curl += " " + json.dumps(_example(body, schemas))
    return Operation(
        id=found["operationId"],
        method=method.upper(),
        path=path,
        summary=found.get("summary", ""),
        about=found.get("description", ""),
        parameters=tuple(
            _field(each["name"], each["schema"], each.get("required", False), each["in"], each.get("description", ""))
            for each in found.get("parameters", ())
        ),
        body=kind,
        fields=_fields(target),
        answers=tuple(_answer(status, each) for status, each in sorted(found["responses"].items())),
        curl=curl,
    )


def _answer(status: str, found: Mapping[str, Any]) -> Answer:
    contents: Mapping[str, Any] = found.get("content", {})
    media = next(iter(contents), "")
    schema = contents[media].get("schema") if media else None
    return Answer("other" if status == "default" else status, found.get("description", ""), _kind(schema) if schema else None, media)


def _schema(name: str, schema: Mapping[str, Any]) -> Schema:
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    return Schema(name, schema.get("description", ""), _fields(schema), tuple(str(value) for value in values))


def _fields(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(
        _field(name, each, name in required, "", each.get("description", "")) for name, each in schema.get("properties", {}).items()
    )


def _field(name: str, schema: Mapping[str, Any], required: bool, where: str, about: str) -> Field:  # noqa: FBT001 - named at each call
    inner = next((each for each in _choices(schema) if each.get("type") != "null"), schema)
    notes = [words.format(value) for key, words in _LIMITS.items() if (value := inner.get(key, schema.get(key))) is not None]
    if schema.get("default") is not None:
        notes.insert(0, f"{json.dumps(schema['default'])} unless given")
    # What may be left out of an address cannot be null there; in bodies and answers null is a value.
    return Field(name, _kind(inner if where else schema), where, required, about, tuple(notes))


def _choices(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or ()
    return found


def _kind(schema: Mapping[str, Any]) -> Kind:
    if ref := schema.get("$ref"):
        name = str(ref).rsplit("/", 1)[1]
        return Kind(name, name)
    if choices := _choices(schema):
        kinds = [_kind(each) for each in choices]
        return Kind(" or ".join(dict.fromkeys(kind.text for kind in kinds)), next((kind.ref for kind in kinds if kind.ref), None))
    if "const" in schema or "enum" in schema:
        return Kind(" or ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")])))
    match schema.get("type"):
        case "array":
            inner = _kind(schema.get("items", {}))
            return Kind(f"list of {inner.text}", inner.ref)
        case "object" if isinstance(values := schema.get("additionalProperties"), dict) and values:
            inner = _kind(values)
            return Kind(f"object of {inner.text}", inner.ref)
        case "string" if "format" in schema:
            return Kind(str(schema["format"]))
        case list() as several:
            return Kind(" or ".join(several))
        case None:
            return Kind("any")
        case name:
            return Kind(str(name))


def _example(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """A body to start from: what is required, or the first field when nothing is."""
    for given in ("example", "default", "const"):
        if schema.get(given) is not None:
            return schema[given]
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    if ref := schema.get("$ref"):
        return _example(schemas.get(str(ref).rsplit("/", 1)[1], {}), schemas, depth + 1) if depth < _DEPTH else {}
    if choices := _choices(schema):
        return _example(choices[0], schemas, depth + 1)
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            wanted = [name for name in properties if name in schema.get("required", ())] or list(properties)[:1]
            return {name: _named(name, properties[name], schemas, depth) for name in wanted}
        case "array":
            return []
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return "NAME"


def _named(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int) -> Any:
    found = _example(schema, schemas, depth + 1)
    return name.upper() if found == "NAME" else found
