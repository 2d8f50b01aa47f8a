"""Members of Python enums in config: run config says their names, pydantic knows their values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

MEMBERS = "x-members"
"""The word of a schema that holds an enum's values by their names."""


class SchemaWithNames(GenerateJsonSchema):
    """JSON Schema in which an enum takes the names of its members, and their values."""

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        made = super().enum_schema(schema)
        members = {member.name: to_jsonable_python(member.value) for member in schema["members"]}
        made.pop("const", None)
        if not all(isinstance(value, str) for value in members.values()):
            made.pop("type", None)
        return {**made, "enum": list(dict.fromkeys([*members, *members.values()])), MEMBERS: members}


def by_value(value: Any, option: Mapping[str, Any]) -> Any:
    """The value of the member that is named; anything else as it is."""
    members = option.get(MEMBERS)
    return members.get(value, value) if isinstance(members, Mapping) and isinstance(value, str) else value


def members_of(given: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    """Values for the fields of a model, with the members of enums in place of their names."""
    return {name: _member(value, fields[name].annotation) if name in fields else value for name, value in given.items()}


def _member(value: Any, annotation: Any) -> Any:
    if not isinstance(value, str) or isinstance(value, Enum):
        return value
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Enum) and value in kind.__members__:
            return kind[value]
    return value


def has_names(schema: Any) -> bool:
    """Whether there is such an enum anywhere in a schema."""
    if isinstance(schema, Mapping):
        return isinstance(schema.get(MEMBERS), Mapping) or any(has_names(item) for item in schema.values())
    return isinstance(schema, list) and any(has_names(item) for item in schema)
