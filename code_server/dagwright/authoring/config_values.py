"""Values of config that mean something else than they say: `{"env": "NAME"}`, and `{"kind": {...}}` for one of several classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from dagwright.authoring import enum_names
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.snapshot import JsonSchema


class ConfigProblems(InvalidRequestError):
    """A config does not fit its type; carries a Problem for each place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.path}: {p.message}" for p in problems), problems=problems)


def needs_reading(value: Any) -> bool:
    """Whether there is anything in it that could stand for something else: a dict with one entry."""
    match value:
        case Mapping():
            return len(value) == 1 or any(needs_reading(item) for item in value.values())
        case list():
            return any(needs_reading(item) for item in value)
        case _:
            return False


def read(value: Any, schema: JsonSchema, path: str) -> Any:
    """The value with environment variables read where the schema wants a scalar, and one of several classes named by its discriminator.

    Raises:
        ConfigProblems: a variable is not set, or is not what the schema wants.
    """
    return _read(value, schema, schema.get("$defs") or {}, path)


def _read(value: Any, schema: Any, known: Any, path: str) -> Any:
    options = _options(schema, known)
    if isinstance(value, Mapping):
        if set(value) == {"env"} and isinstance(value["env"], str):
            kinds = {kind for option in options for kind in _kinds(option)}
            if kinds and "object" not in kinds:
                return _read(_variable(value["env"], kinds, path), schema, known, path)
        value = _discriminated(value, schema, known)
        objects = [option for option in options if "object" in _kinds(option)]
        fitting = _of_discriminator(value, schema, known) or (objects[0] if objects else {})
        properties, others = fitting.get("properties") or {}, fitting.get("additionalProperties")
        found = {}
        for name, item in value.items():
            inner = properties.get(name, others)
            found[name] = _read(item, inner, known, f"{path}.{name}") if isinstance(inner, Mapping) else item
        return found
    if isinstance(value, list):
        lists = [option for option in options if "array" in _kinds(option)]
        inner = lists[0].get("items") if lists else None
        return [_read(item, inner, known, f"{path}[{n}]") for n, item in enumerate(value)] if isinstance(inner, Mapping) else value
    for option in options:
        value = enum_names.by_value(value, option)
    return value


def _options(schema: Any, known: Any) -> list[Any]:
    """The alternatives of a schema, references followed."""
    if not isinstance(schema, Mapping):
        return []
    if "$ref" in schema:
        return _options(known.get(str(schema["$ref"]).rpartition("/")[2]), known)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return [option for part in schema[word] for option in _options(part, known)]
    return [schema]


def _kinds(option: Mapping[str, Any]) -> list[str]:
    if "enum" in option and "type" not in option:
        return ["string"]
    kind = option.get("type")
    return list(kind) if isinstance(kind, list) else [kind] if kind else []


def _discriminated(value: Mapping[str, Any], schema: Any, known: Any) -> Mapping[str, Any]:
    """`{"cat": {"lives": 9}}` as `{"kind": "cat", "lives": 9}`, where `kind` decides between classes."""
    rule = _discriminator(schema, known)
    if rule is None or len(value) != 1:
        return value
    ((name, inner),) = value.items()
    if name in (rule.get("mapping") or {}) and isinstance(inner, Mapping) and name != rule.get("propertyName"):
        return {str(rule["propertyName"]): name, **inner}
    return value


def _of_discriminator(value: Mapping[str, Any], schema: Any, known: Any) -> Any:
    rule = _discriminator(schema, known)
    if rule is None:
        return None
    target = (rule.get("mapping") or {}).get(value.get(rule.get("propertyName")))
    return known.get(str(target).rpartition("/")[2]) if target else None


def _discriminator(schema: Any, known: Any) -> Any:
    if not isinstance(schema, Mapping):
        return None
    if "$ref" in schema:
        return _discriminator(known.get(str(schema["$ref"]).rpartition("/")[2]), known)
    if "discriminator" in schema:
        return schema["discriminator"]
    for part in schema.get("anyOf") or ():
        found = _discriminator(part, known)
        if found is not None:
            return found
    return None


def _variable(name: str, kinds: set[str], path: str) -> Any:
    text = os.environ.get(name)
    if text is None:
        message = f"the environment variable {name} is not set; set it where the code server runs"
        raise ConfigProblems([Problem(path=path, message=message, value={"env": name})])
    if "string" in kinds:
        return text
    try:
        if "boolean" in kinds:
            return _TRUTH[text.strip().lower()]
        return int(text) if "integer" in kinds else float(text) if "number" in kinds else text
    except (ValueError, KeyError):
        wanted = " or ".join(sorted(kinds - {"null"}))
        message = f"the environment variable {name} is not of type {wanted}"
        raise ConfigProblems([Problem(path=path, message=message, value={"env": name}, expected=wanted)]) from None


_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
