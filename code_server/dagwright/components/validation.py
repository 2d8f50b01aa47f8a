"""Checking plain data against a model, with errors that name the place in the YAML and the nearest name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dagwright.components.errors import ComponentError
from dagwright.components.resolution import ResolutionContext
from dagwright_shared.model.errors import nearest

M = TypeVar("M", bound=BaseModel)
TYPE_NAMES = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text", "NoneType": "nothing"}
_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing",
}
_MOST = 5


def parse(model: type[M], data: Any, context: ResolutionContext) -> M:
    """Data as a model.

    Raises:
        ComponentError: it does not fit; names file, line, column, what was expected, and the nearest name.
    """
    try:
        return model.model_validate({} if data is None else data)
    except ValidationError as error:
        raise told(error, model, context, data) from None


def told(error: ValidationError, model: type, context: ResolutionContext, data: Any = None) -> ComponentError:
    """A pydantic error as ours."""
    by_path: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    whole = data if data is not None else _data_of(context)
    for one in error.errors(include_url=False):
        by_path.setdefault(_path(one, whole), []).append(one)
    # An alternative that fits as far as a field inside of it is what was meant; the others only fail around it.
    deepest = [path for path in by_path if not any(other != path and other[: len(path)] == path for other in by_path)]
    # A name that is missing because it is misspelt is told once.
    strange = [path for path in deepest if any(one["type"] == "extra_forbidden" for one in by_path[path])]
    misspelt = {(*path[:-1], nearest(str(path[-1]), _fields_at(model, path[:-1]))) for path in strange}
    found = [_one(context, path, by_path[path], model, whole) for path in deepest if path not in misspelt]
    first = found[0]
    if len(found) == 1:
        return first
    rest = "; ".join(f"line {one.source.line}: {one.args[0].partition(': ')[2]}" if one.source else str(one) for one in found[1:_MOST])
    made = ComponentError(f"{first.args[0]}; and {rest}" + ("; ..." if len(found) > _MOST else ""))
    made.source, made.mend = first.source, first.mend
    return made


def _data_of(context: ResolutionContext) -> Any:
    data = context.document.data if context.document is not None else None
    for part in context.path:
        data = _inside(data, part)
    return data


def _path(error: ErrorDetails, data: Any) -> tuple[str | int, ...]:
    """Where in the data the error is; pydantic's location also names the alternatives of unions."""
    found: list[str | int] = []
    last = len(error["loc"]) - 1
    for index, part in enumerate(error["loc"]):
        inside = _inside(data, part)
        if inside is not None or (isinstance(data, Mapping) and part in data):
            found.append(part)
            data = inside
        elif index == last and error["type"] == "missing":
            found.append(part)
    return tuple(found)


def _inside(data: Any, part: str | int) -> Any:
    if isinstance(data, Mapping):
        return data.get(part)
    if isinstance(data, (list, tuple)) and isinstance(part, int) and part < len(data):
        return data[part]
    return None


def _one(context: ResolutionContext, path: tuple[str | int, ...], errors: list[ErrorDetails], model: type, data: Any) -> ComponentError:
    here = context
    for part in path:
        here = here.at_path(part)
    kinds = {one["type"] for one in errors}
    if "missing" in kinds:
        parent = context
        for part in path[:-1]:
            parent = parent.at_path(part)
        return parent.error(f"{str(path[-1])!r} is missing", mend=f"add `{path[-1]}:`")
    if "extra_forbidden" in kinds:
        known = sorted(_fields_at(model, path[:-1]))
        close = nearest(str(path[-1]), known)
        what = f"there is no attribute {str(path[-1])!r}"
        return here.error(what, mend=f"did you mean {close!r}?" if close else f"use one of {', '.join(known) or 'none'}")
    given = _follow(data, path)
    expected = list(dict.fromkeys(_EXPECTED.get(one["type"], one["msg"].removeprefix("Input should be ")) for one in errors))
    if len(expected) > 1 and "a text" in expected:
        expected.remove("a text")  # a template; not what is meant
    mend = f"quote it: '{given}'" if expected == ["a text"] and isinstance(given, (int, float)) else None
    return here.error(f"expected {' or '.join(expected)}, but got {given!r:.200}", mend=mend)


def _follow(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        data = _inside(data, part)
    return data


def _fields_at(model: Any, path: tuple[str | int, ...]) -> set[str]:
    """The names of fields that may be written at a place."""
    candidates = [model]
    for part in path:
        following: list[Any] = []
        for one in candidates:
            known = one.model_fields.get(str(part))
            # What is in no field is an item of a list or mapping, whose own models are candidates already.
            following += _models(known.annotation) if known is not None else [one]
        candidates = following
    return {name for one in candidates for name in one.model_fields}


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models anywhere in a type."""
    if get_origin(annotation) is None:
        return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
    return [inner for arg in get_args(annotation) for inner in _models(arg)]
