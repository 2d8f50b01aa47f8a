"""Check run config against a JSON Schema, saying where each value is wrong and what would be right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from dagwright_shared.model.errors import Problem, nearest
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.snapshot import JsonSchema

_MAX_PROBLEMS = 50


def validator(schema: JsonSchema) -> Draft202012Validator:
    """A validator of one schema; making it costs more than using it."""
    made: Draft202012Validator = _Validator(schema)
    return made


def _unless_environment(keyword: str) -> Any:
    """The check of a keyword, passed by `{"env": "NAME"}`: the value exists only where the run will be, and is checked there."""
    usual = Draft202012Validator.VALIDATORS[keyword]

    def check(self: Any, wanted: Any, instance: Any, schema: Any) -> Any:
        given = isinstance(instance, dict) and set(instance) == {"env"} and isinstance(instance["env"], str)
        return () if given and wanted != "object" and "properties" not in schema else usual(self, wanted, instance, schema)

    return check


_extend: Any = validators.extend
_Validator = _extend(Draft202012Validator, {"type": _unless_environment("type"), "enum": _unless_environment("enum")})


def check(schema: JsonSchema | Draft202012Validator, config: Mapping[str, JsonValue]) -> tuple[Problem, ...]:
    """Everything that is wrong with a run's config, at most 50 problems; paths begin with `config`."""
    ready = validator(schema) if isinstance(schema, Mapping) else schema
    found: dict[tuple[str, str], Problem] = {}
    for error in ready.iter_errors(dict(config)):
        for problem in _problems(error, error.absolute_path):
            found.setdefault((problem.path, problem.message), problem)
            if len(found) >= _MAX_PROBLEMS:
                return tuple(found.values())
    return tuple(found.values())


def _problems(error: ValidationError, where: Iterable[str | int]) -> Iterator[Problem]:
    path = dotted(where)
    wanted: Any = error.validator_value
    match error.validator:
        case "additionalProperties" if isinstance(error.instance, dict):
            yield from _unknown_keys(error, path)
        case "required" if isinstance(error.instance, dict):
            yield from _missing_keys(error, path)
        case "anyOf" | "oneOf" if error.context:
            yield from _closest_branch(error, path)
        case "enum" | "const":
            known = wanted if error.validator == "enum" else [wanted]
            close = nearest(str(error.instance), [str(each) for each in known])
            message = f"{_shown(error.instance)} is not one of the values that it takes" + (f"; did you mean {close!r}?" if close else "")
            yield Problem(path=path, message=message, value=error.instance, expected=_list(known), suggestion=close)
        case "type":
            expected = _type_name(error.validator_value)
            message = f"{_shown(error.instance)} is {_kind(error.instance)}, not {expected}"
            yield Problem(path=path, message=message, value=error.instance, expected=expected)
        case _:
            expected = f"{_words(str(error.validator))} {_shown(error.validator_value)}"
            yield Problem(path=path, message=error.message, value=error.instance, expected=expected)


def _unknown_keys(error: ValidationError, path: str) -> Iterator[Problem]:
    known = list(error.schema.get("properties", {})) if isinstance(error.schema, dict) else []
    given: Any = error.instance
    for key, value in given.items():
        if key not in known:
            close = nearest(key, known)
            expected = f"one of {', '.join(known)}" if known else "nothing: it takes no config"
            message = f"there is no {key!r} here" + (f"; did you mean {close!r}?" if close else f"; expected {expected}")
            yield Problem(path=f"{path}.{key}", message=message, value=value, expected=expected, suggestion=close)


def _missing_keys(error: ValidationError, path: str) -> Iterator[Problem]:
    # jsonschema reports one error for each missing key, and says the key only in its message.
    properties = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    required: Any = error.validator_value
    given: Any = error.instance
    for key in required:
        if key not in given:
            schema = properties.get(key)
            expected = _type_name(schema["type"]) if isinstance(schema, dict) and "type" in schema else None
            yield Problem(path=f"{path}.{key}", message="a value is required and none is given", expected=expected)


def _closest_branch(error: ValidationError, path: str) -> Iterator[Problem]:
    """The errors of the branch that fits best: the one that goes wrong deepest, so of `null or object` the object."""
    context: Sequence[ValidationError] = error.context or ()
    branches: dict[Any, list[ValidationError]] = {}
    for each in context:
        branches.setdefault(each.relative_schema_path[0], []).append(each)
    deepest = max(branches.values(), key=lambda found: max(_depth(each) for each in found))
    if max(_depth(each) for each in deepest) > 0:
        for each in deepest:
            yield from _problems(each, each.absolute_path)
        return
    names = [_type_name(each.validator_value) for each in context if each.validator == "type"]
    expected = " or ".join(dict.fromkeys(names)) or "another form"
    message = f"{_shown(error.instance)} is {_kind(error.instance)}, not {expected}"
    yield Problem(path=path, message=message, value=error.instance, expected=expected)


def _depth(error: ValidationError) -> int:
    # A missing or unknown key is an error inside the object: the branch for objects was meant.
    inside = error.validator in ("required", "additionalProperties") and isinstance(error.instance, dict)
    return len(error.relative_path) + int(inside)


def dotted(where: Iterable[str | int]) -> str:
    """`config.ops.load.config.tables[0]`."""
    text = "config"
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text


_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def _type_name(kind: Any) -> str:
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(_TYPES.get(str(each), str(each)) for each in kinds)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _list(values: Iterable[Any]) -> str:
    return "one of " + ", ".join(_shown(value) for value in values)


def _words(keyword: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in keyword)
