"""Resources as other processes see them: type, config and its schema; secrets stay behind their variables' names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Optional

from pydantic import ConfigDict, create_model
from pydantic import Field as PydanticField
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.fields import FieldInfo

from dagwright.authoring import enum_names, signatures
from dagwright.authoring import source as sources
from dagwright.authoring.config import EnvVar
from dagwright.authoring.resources import (
    RESOURCE_MARK,
    ConfigurableResource,
    PartialResource,
    ResourceDefinition,
    config_of,
    is_resource_definition,
)
from dagwright_shared.model.json_values import json_safe
from dagwright_shared.model.snapshot import JsonSchema, ResourceSnapshot


def snapshot(key: str, resources: Mapping[str, Any]) -> ResourceSnapshot:
    """The snapshot of the resource under a key."""
    definition = resources[key]
    match definition:
        case ConfigurableResource():
            kind = type(definition)
            return ResourceSnapshot(
                key=key,
                type_name=f"{kind.__module__}.{kind.__qualname__}",
                description=_class_doc(kind),
                config_schema=_schema(kind, _values(definition)),
                config=json_safe(config_of(definition)),
                nested={name: _key_of(inner, resources) for name, inner in definition.nested_resources().items()},
                source=_class_source(kind),
            )
        case PartialResource():
            kind = definition.resource_class
            return ResourceSnapshot(
                key=key,
                type_name=f"{kind.__module__}.{kind.__qualname__}",
                description=_class_doc(kind),
                config_schema=_schema(kind, definition.given),
                source=_class_source(kind),
            )
        case ResourceDefinition():
            fn = definition.resource_fn
            schema = definition.config_type.json_schema if definition.config_type is not None else None
            if schema is not None and definition.config is not None:
                schema = {name: value for name, value in schema.items() if name != "required"}
            return ResourceSnapshot(
                key=key,
                type_name=f"{fn.__module__}.{fn.__qualname__}",
                description=definition.description,
                config_schema=schema,
                config=json_safe(_masked(definition.config)) if isinstance(definition.config, Mapping) else {},
                source=definition.source,
            )
        case _:
            kind = type(definition)
            return ResourceSnapshot(key=key, type_name=f"{kind.__module__}.{kind.__qualname__}", description=_class_doc(kind))


def _schema(kind: type[ConfigurableResource[Any]], values: Mapping[str, Any]) -> JsonSchema:
    """What run config may say: the fields of data, each with the value given in code as its default."""
    fields: dict[str, Any] = {}
    for name, info in kind.model_fields.items():
        if _holds_resource(info) or is_resource_definition(values.get(name)):
            continue
        annotation: Any = info.annotation if _has_schema(info.annotation) else Any
        default = values.get(name, info.default if not info.is_required() else ...)
        if isinstance(default, EnvVar):
            default = None
            annotation = Optional[annotation]  # noqa: UP045 - built at run time
        elif default is ... and name not in values and info.default_factory is not None:
            default = info.get_default(call_default_factory=True, validated_data={})
        fields[name] = (annotation, PydanticField(_shown(default), description=info.description))
    model = create_model(kind.__name__, __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields)
    schema: JsonSchema = model.model_json_schema(schema_generator=enum_names.SchemaWithNames)
    return schema


def _shown(default: Any) -> Any:
    """A default that the schema can show; an object that JSON cannot carry is left out."""
    return default if default is ... or default is None or isinstance(default, (bool, int, float, str, list, dict)) else None


def _holds_resource(info: FieldInfo) -> bool:
    return RESOURCE_MARK in info.metadata or signatures.is_resource(info.annotation)


def _has_schema(annotation: Any) -> bool:
    try:
        create_model("probe", __config__=ConfigDict(arbitrary_types_allowed=True), value=(annotation, ...)).model_json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return False
    return True


def _values(definition: ConfigurableResource[Any]) -> dict[str, Any]:
    return {name: getattr(definition, name) for name in type(definition).model_fields}


def _key_of(definition: Any, resources: Mapping[str, Any]) -> str:
    """The key of a nested resource; one that has none of its own is named by its class."""
    return next((key for key, value in resources.items() if value is definition), type(definition).__name__)


def _masked(config: Any) -> Any:
    match config:
        case EnvVar():
            return {"env": config.env_var_name}
        case Mapping():
            return {name: _masked(value) for name, value in config.items()}
        case list() | tuple():
            return [_masked(value) for value in config]
        case _:
            return config


def _class_doc(kind: type) -> str | None:
    # An inherited docstring tells of the base, not of this class.
    return signatures.doc(kind) if "__doc__" in vars(kind) and not kind.__module__.startswith("builtins") else None


def _class_source(kind: type) -> Any:
    for value in vars(kind).values():
        if inspect.isfunction(value):
            return sources.of_function(value)
    return None
