"""Configuration that users declare: classes, environment variables, and the config of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any, Optional, get_origin

from pydantic import BaseModel, ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError

from dagwright.authoring import config_schema, config_values, enum_names
from dagwright.authoring import source as sources
from dagwright.authoring.config_values import ConfigProblems
from dagwright_shared.model.errors import DefinitionError, Problem, nearest
from dagwright_shared.model.json_values import JsonValue, json_safe
from dagwright_shared.model.snapshot import JsonSchema


class Config(BaseModel):
    """Base of classes that declare an op's or asset's configuration.

    Fields are pydantic's; a value of another type or an unknown name is refused when the run is asked for.

    Example:
        >>> class Limit(Config):
        ...     rows: int = 10
        >>> Limit(rows=3).rows
        3
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    def __init__(self, **data: Any) -> None:
        later = {name for name, value in data.items() if isinstance(value, EnvVar)}
        try:
            super().__init__(**data)
        except ValidationError as error:
            # An environment variable stands for a value that exists, and is checked, only once the run starts.
            if not later or any(not detail["loc"] or detail["loc"][0] not in later for detail in error.errors()):
                raise
            made = type(self).model_construct(**data)
            for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
                object.__setattr__(self, name, getattr(made, name))
        self.__dict__.update({name: data[name] for name in later if name in type(self).model_fields})

    # Not a constructor that pydantic must call: what it validates by itself, from JSON or nested, holds no EnvVars.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def _convert_to_config_dictionary(self) -> dict[str, Any]:
        """Its JSON form: what a run's config has for it."""
        made: dict[str, Any] = to_json(self, sparse=True)
        return made

    @classmethod
    def to_config_schema(cls) -> config_schema.Shape:
        """The class as entries, for functions that declare `config_schema=` and read a dict.

        Example:
            >>> class Limit(Config):
            ...     rows: int = 10
            >>> Limit.to_config_schema().fields["rows"].default_value
            10
        """
        kind = config_schema.Permissive if cls.model_config.get("extra") == "allow" else config_schema.Shape
        return kind(cls.to_fields_dict())

    @classmethod
    def to_fields_dict(cls) -> dict[str, config_schema.Field]:
        """Its fields as entries of a schema, to be put together with others."""
        return {info.alias or name: _entry(info) for name, info in cls.model_fields.items()}


def _entry(info: FieldInfo) -> config_schema.Field:
    default = ... if info.is_required() else info.get_default(call_default_factory=True, validated_data={})
    source = _SOURCES.get(info.annotation, info.annotation) if isinstance(info.annotation, type) else info.annotation
    return config_schema.Field(source, default_value=default, description=info.description)


_SOURCES: dict[type, Any] = {str: config_schema.StringSource, int: config_schema.IntSource, bool: config_schema.BoolSource}
"""Types whose value may come from the environment of the run."""


class PermissiveConfig(Config):
    """A Config that also takes names that it does not declare."""

    model_config = ConfigDict(extra="allow", frozen=True, arbitrary_types_allowed=True)


class EnvVar(str):
    """The name of an environment variable, whose value is read when a run starts.

    Give it to a resource field in place of a value: it is shown by name, and its value never leaves the process.

    Example:
        >>> EnvVar("HOME") == "HOME"
        True
    """

    __slots__ = ()

    @property
    def env_var_name(self) -> str:
        return str.__str__(self)

    @staticmethod
    def int(name: str) -> IntEnvVar:
        return IntEnvVar(name)

    def get_value(self, default: str | None = None) -> Any:
        """The variable's value now, or `default` when it is not set."""
        return os.environ.get(self.env_var_name, default)

    def required(self) -> Any:
        """The value; raises LookupError naming the variable when it is not set."""
        value = self.get_value()
        if value is None:
            raise LookupError(f"the environment variable {self.env_var_name} is not set; set it where the code server runs")
        return value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.env_var_name!r})"


class IntEnvVar(EnvVar):
    """An environment variable whose value is a whole number; made by `EnvVar.int`."""

    __slots__ = ()

    def get_value(self, default: Any = None) -> Any:
        text = os.environ.get(self.env_var_name)
        if text is None:
            return default
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"the environment variable {self.env_var_name} is not a whole number: {text!r}") from None


class ConfigType:
    """What a piece of configuration must look like: a Config class, another pydantic type, or a schema written as a dict.

    `parse` makes the value that user code receives; `json_schema` is what the launch form and REST check against.
    """

    _default: JsonValue = None
    """Of a schema that is a `Field` with a default."""

    def __init__(self, declared: Any, owner: str = "config") -> None:
        self.declared = declared
        self.annotation: Any = declared.annotation if isinstance(declared, ConfigType) else config_schema.annotation(declared, owner)
        self.is_class = isinstance(declared, type) and issubclass(declared, BaseModel)
        if self.is_class and declared.model_rebuild(raise_errors=False) is False:
            raise DefinitionError(
                f"the class {declared.__name__} cannot be used: the type of a field is a name that is not there when the code runs",
                source=sources.of_caller(),
                mend="import it outside of `if TYPE_CHECKING:`, before the class",
            )
        if isinstance(declared, config_schema.Field):
            self._default = to_json(declared.default_value) if declared.default_provided else None
            if declared.default_value is None or not (declared.is_required or declared.default_provided or self._is_object):
                self.annotation = Optional[self.annotation]  # noqa: UP045 - built at run time

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        return _adapter(self.annotation)

    @cached_property
    def json_schema(self) -> JsonSchema:
        return _schema(self.annotation)

    @cached_property
    def _has_names(self) -> bool:
        return enum_names.has_names(self.json_schema)

    def parse(self, value: JsonValue, path: str = "config") -> Any:
        """The value for user code.

        Raises:
            ConfigProblems: it does not fit; carries a Problem for each place.
        """
        given = to_json(value)
        if self._has_names or config_values.needs_reading(given):
            given = config_values.read(given, self.json_schema, path)
        try:
            parsed = self.adapter.validate_json(_dump(given), strict=True)
        except ValidationError as error:
            raise ConfigProblems(problems_of(error, path, self.annotation)) from None
        return parsed if self.is_class else config_schema.plain(parsed)

    @cached_property
    def has_defaults(self) -> bool:
        """Whether an empty config is enough."""
        try:
            self.parse(self.empty)
        except ConfigProblems:
            return False
        return True

    @property
    def empty(self) -> JsonValue:
        """What stands for a config that was not given."""
        return self._default if self._default is not None else {} if self._is_object else None

    @property
    def _is_object(self) -> bool:
        kind = get_origin(self.annotation) or self.annotation
        return isinstance(kind, type) and issubclass(kind, (BaseModel, dict))


class RunConfig:
    """The config of a whole run, with Config objects in place of dicts.

    Args:
        ops: op name (for an asset: its key joined by `__`) to a Config, or to a dict such as `{"config": {...}}`.
        resources: resource key to ConfigurableResource or dict.
        loggers, execution: passed on as they are.

    Example:
        >>> RunConfig(ops={"load": {"rows": 3}}).to_config_dict()
        {'loggers': {}, 'resources': {}, 'ops': {'load': {'config': {'rows': 3}}}, 'execution': {}}
    """

    __slots__ = ("execution", "loggers", "ops", "resources")

    def __init__(
        self,
        ops: Mapping[str, Any] | None = None,
        resources: Mapping[str, Any] | None = None,
        loggers: Mapping[str, Any] | None = None,
        execution: Mapping[str, Any] | None = None,
    ) -> None:
        self.ops, self.resources = dict(ops or {}), dict(resources or {})
        self.loggers, self.execution = dict(loggers or {}), dict(execution or {})

    def to_config_dict(self) -> dict[str, Any]:
        """The plain JSON form that REST takes, with each of the four sections."""
        return {
            "loggers": json_safe(self.loggers),
            "resources": {key: _config_entry(value) for key, value in self.resources.items()},
            "ops": {key: _config_entry(value) for key, value in self.ops.items()},
            "execution": json_safe(self.execution),
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunConfig) and self.to_config_dict() == other.to_config_dict()

    __hash__ = None  # type: ignore[assignment]


def config_dict(value: RunConfig | Mapping[str, Any] | None) -> dict[str, Any]:
    """The JSON form of whatever a user gave as run config."""
    if value is None:
        return {}
    if isinstance(value, RunConfig):
        return {section: entries for section, entries in value.to_config_dict().items() if entries}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    raise DefinitionError(f"run config is a {type(value).__name__}", source=sources.of_caller(), mend="give a dict, or a RunConfig")


def plain(value: Any) -> Any:
    """A config as `op_config` has it: a Config as the dict of its fields, anything else as it is."""
    return to_json(value) if isinstance(value, BaseModel) else value


def to_json(value: Any, *, named: bool = False, sparse: bool = False) -> Any:
    """A config value as JSON.

    Args:
        named: enums by their names, as the fields of a Config have them; else by their values.
        sparse: without the fields of a Config that are None by default.
    """
    match value:
        case EnvVar():
            return {"env": value.env_var_name}
        case BaseModel():
            return {name: to_json(item, named=True, sparse=sparse) for name, item in _fields(value, sparse=sparse)}
        case Enum():
            return value.name if named else to_json(value.value)
        case Mapping():
            return {str(key): to_json(item, named=named, sparse=sparse) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [to_json(item, named=named, sparse=sparse) for item in value]
        case None | bool() | int() | float() | str():
            return json_safe(value)
        case _:
            return _foreign(value)


def _fields(config: BaseModel, *, sparse: bool) -> Iterator[tuple[str, Any]]:
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        if not sparse or value is not None or info.is_required() or info.default is not None:
            yield name, value
    yield from (config.model_extra or {}).items()


def _foreign(value: Any) -> Any:
    """A value of a type that is not JSON's own, as pydantic writes it; else as an entry that no scalar takes: a run with it is refused."""
    try:
        return TypeAdapter(type(value)).dump_python(value, mode="json")
    except (PydanticSchemaGenerationError, PydanticSerializationError):
        return {"not_json": repr(value)}


def problems_of(error: ValidationError, path: str, annotation: Any = None) -> tuple[Problem, ...]:
    """A pydantic error as problems with dotted paths, what was expected and the nearest name."""
    found = []
    for detail in error.errors(include_url=False):
        place = ".".join((path, *(str(part) for part in detail["loc"])))
        kind = detail["type"]
        suggestion = None
        expected = _EXPECTED.get(kind)
        message = detail["msg"]
        if kind == "extra_forbidden":
            names = _names_at(annotation, detail["loc"][:-1])
            name = str(detail["loc"][-1])
            suggestion = nearest(name, names)
            message = f"there is no config entry {name!r} here" + (f"; did you mean {suggestion!r}?" if suggestion else "")
            expected = f"one of {', '.join(names)}" if names else None
        elif kind == "missing":
            message = "this entry is required"
        value = None if kind == "missing" else json_safe(detail.get("input"))
        found.append(Problem(path=place, message=message, value=value, expected=expected, suggestion=suggestion))
    return tuple(found)


_EXPECTED = {
    "int_type": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "string_type": "string",
    "bool_type": "boolean",
    "list_type": "array",
    "tuple_type": "array",
    "set_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "none_required": "null",
    "enum": "one of the listed values",
    "literal_error": "one of the listed values",
    "datetime_type": "date-time",
    "date_type": "date",
}


def _names_at(annotation: Any, loc: tuple[str | int, ...]) -> list[str]:
    for part in loc:
        fields = getattr(annotation, "model_fields", None)
        found = next((info for name, info in (fields or {}).items() if part in (name, info.alias)), None)
        if found is None:
            return []
        annotation = found.annotation
    return [info.alias or name for name, info in getattr(annotation, "model_fields", {}).items()]


_ENTRY = frozenset({"config", "inputs", "outputs", "ops"})


def _config_entry(value: Any) -> dict[str, Any]:
    """The entry of an op or resource: an object or bare value is its config, a dict of the entry's own form stays."""
    if isinstance(value, Mapping) and value and _ENTRY.issuperset(value):
        inner = value.get("ops")
        ops = {"ops": {key: _config_entry(item) for key, item in inner.items()}} if isinstance(inner, Mapping) else {}
        return {**{key: to_json(item, sparse=True) for key, item in value.items()}, **ops}
    return {"config": to_json(value, sparse=True)}


def _dump(value: Any) -> bytes:
    # pydantic's own serializer: its strict JSON mode takes dates, enums and paths from text, but never "5" for 5.
    return TypeAdapter(Any).dump_json(to_json(value))


@lru_cache(maxsize=1024)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


@lru_cache(maxsize=1024)
def _schema(annotation: Any) -> JsonSchema:
    try:
        return _adapter(annotation).json_schema(schema_generator=enum_names.SchemaWithNames)
    except Exception as error:
        raise DefinitionError(
            f"the config type {annotation!r} has no JSON Schema ({error})",
            source=sources.of_caller(),
            mend="use types that JSON can carry: numbers, text, lists, Config classes",
        ) from error
