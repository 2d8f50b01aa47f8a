"""Config schemas written as values: `{"rows": Field(int, default_value=10), "mode": Enum("Mode", [...])}`.

They are the older form of `Config` classes. Each turns into an annotation that pydantic checks and writes as JSON Schema.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Optional, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError, WithJsonSchema, create_model
from pydantic import Field as PydanticField

from dagwright.authoring import config_values
from dagwright.authoring import source as sources
from dagwright_shared.model.errors import DefinitionError, nearest

String = str
Int = int
Float = float
Bool = bool

StringSource = Annotated[str, "dagwright_source"]
"""Text, or `{"env": "NAME"}`: the value of an environment variable where the run executes."""
IntSource = Annotated[int, "dagwright_source"]
"""A whole number, or `{"env": "NAME"}`."""
BoolSource = Annotated[bool, "dagwright_source"]
"""True or false, or `{"env": "NAME"}`."""


class Field:
    """One entry of a config schema.

    Args:
        config: a type, a nested dict, a one-element list, or one of the classes of this module.
        default_value: makes the entry optional.
        is_required: False without a default means that the key may be left out, and is then absent from the config.
        description: shown in the launch form.
        is_secret: pages do not show its value.

    Raises:
        DefinitionError: the default does not fit the type, or an entry is both required and has a default.

    Example:
        >>> Field(int, default_value=3, description="How many rows.").is_required
        False
        >>> Field({"rows": Field(int, default_value=3)}).is_required
        False
        >>> Field(int).is_required
        True
    """

    def __init__(
        self,
        config: Any,
        default_value: Any = ...,
        is_required: bool | None = None,
        description: str | None = None,
        is_secret: bool = False,
    ) -> None:
        source = sources.of_caller()
        if is_required and default_value is not ...:
            raise DefinitionError("Field: it is required and has a default", source=source, mend="keep one of the two")
        self.config, self.default_value, self.description, self.is_secret = config, default_value, description, is_secret
        annotation(config, "field", source)
        self.is_required = (default_value is ... and not _all_optional(config)) if is_required is None else is_required
        if default_value is not ... and not _reads_environment(default_value):
            self._check_default(source)

    def _check_default(self, source: Any) -> None:
        value = self.default_value.value if isinstance(self.default_value, enum.Enum) else self.default_value
        if value is None:
            return  # how many write it for "not given", whatever the type
        try:
            TypeAdapter(annotation(self.config, "field", source)).validate_python(value)
        except ValidationError as error:
            raise DefinitionError(
                f"Field: the default {self.default_value!r} does not fit: {error.errors()[0]['msg']}",
                source=source,
                mend="give a default of the field's type",
            ) from None

    @property
    def default_provided(self) -> bool:
        return self.default_value is not ...


class _Kind:
    """A type of config that is built from others."""

    def to_annotation(self, owner: str, source: Any) -> Any:
        raise NotImplementedError


class Shape(_Kind):
    """An object with these entries, and no others. A plain dict is the same.

    Example:
        >>> Shape({"rows": int}).fields["rows"].config
        <class 'int'>
    """

    extra: typing.Literal["forbid", "allow"] = "forbid"

    def __init__(self, fields: Mapping[str, Any], description: str | None = None, field_aliases: Mapping[str, str] | None = None) -> None:
        source = sources.of_caller()
        if not isinstance(fields, Mapping):
            name = type(self).__name__
            raise DefinitionError(f"{name}: fields is a {type(fields).__name__}", source=source, mend='give a dict: {"rows": Field(int)}')
        self.description, self.field_aliases = description, dict(field_aliases or {})
        self.fields = {str(name): entry if isinstance(entry, Field) else Field(entry) for name, entry in fields.items()}

    def to_annotation(self, owner: str, source: Any) -> Any:
        return model_of(self.fields, owner, self.extra, self.description, source, self.field_aliases)


class Permissive(Shape):
    """An object with these entries, and any others.

    Example:
        >>> sorted(Permissive({"rows": int}).fields)
        ['rows']
    """

    extra = "allow"

    def __init__(self, fields: Mapping[str, Any] | None = None, description: str | None = None) -> None:
        super().__init__(fields or {}, description)


class Selector(_Kind):
    """An object with exactly one of these entries.

    Example:
        >>> sorted(Selector({"file": str, "table": str}).fields)
        ['file', 'table']
    """

    def __init__(self, fields: Mapping[str, Any], description: str | None = None) -> None:
        self.description = description
        self.fields = {str(name): entry if isinstance(entry, Field) else Field(entry) for name, entry in fields.items()}

    def to_annotation(self, owner: str, source: Any) -> Any:
        names = sorted(self.fields)
        branches: Any = None
        for name, entry in self.fields.items():
            one = model_of({name: entry}, f"{owner}_{name}", "forbid", self.description, source)
            branches = one if branches is None else branches | one
        if branches is None:
            raise DefinitionError("Selector has no entries", source=source, mend="give at least one")

        def single(value: Any) -> Any:
            if isinstance(value, Mapping) and len(value) != 1:
                raise ValueError(f"give exactly one of {', '.join(names)}")
            if isinstance(value, Mapping) and next(iter(value)) not in names:
                close = nearest(str(next(iter(value))), names)
                raise ValueError(f"there is no {next(iter(value))!r} here; " + (f"did you mean {close!r}?" if close else str(names)))
            return value

        return Annotated[branches, BeforeValidator(single)]


class Array(_Kind):
    """A list of values of one type. `[int]` is the same.

    Example:
        >>> Array(int).inner_type
        <class 'int'>
    """

    def __init__(self, inner_type: Any) -> None:
        self.inner_type = inner_type
        annotation(inner_type, type(self).__name__)

    def to_annotation(self, owner: str, source: Any) -> Any:
        return list[annotation(self.inner_type, owner, source)]  # type: ignore[misc]


class Noneable(_Kind):
    """A value of a type, or None.

    Example:
        >>> Noneable(int).inner_type
        <class 'int'>
    """

    def __init__(self, inner_type: Any) -> None:
        self.inner_type = inner_type
        annotation(inner_type, type(self).__name__)

    def to_annotation(self, owner: str, source: Any) -> Any:
        return Optional[annotation(self.inner_type, owner, source)]  # noqa: UP045 - built at run time


class Map(_Kind):
    """An object whose keys and values are each of one type. `{str: int}` is the same.

    Example:
        >>> Map(str, int).key_type
        <class 'str'>
    """

    def __init__(self, key_type: Any, inner_type: Any, key_label_name: str | None = None) -> None:
        self.key_type, self.inner_type, self.key_label_name = key_type, inner_type, key_label_name

    def to_annotation(self, owner: str, source: Any) -> Any:
        return dict[annotation(self.key_type, owner, source), annotation(self.inner_type, owner, source)]  # type: ignore[misc]


class ScalarUnion(_Kind):
    """A scalar, or a value of another schema.

    Example:
        >>> ScalarUnion(scalar_type=str, non_scalar_schema={"path": str}).scalar_type
        <class 'str'>
    """

    def __init__(self, scalar_type: Any, non_scalar_schema: Any) -> None:
        self.scalar_type, self.non_scalar_schema = scalar_type, non_scalar_schema

    def to_annotation(self, owner: str, source: Any) -> Any:
        scalar = annotation(self.scalar_type, owner, source)
        return scalar | annotation(self.non_scalar_schema, owner, source)


class EnumValue:
    """One value of an `Enum`: the text in config, and the object that user code receives."""

    def __init__(self, config_value: str, python_value: Any = None, description: str | None = None) -> None:
        self.config_value, self.description = config_value, description
        self.python_value = config_value if python_value is None else python_value


class Enum(_Kind):
    """One of several texts.

    Example:
        >>> [value.config_value for value in Enum("Mode", [EnumValue("fast"), EnumValue("safe")]).enum_values]
        ['fast', 'safe']
    """

    def __init__(self, name: str, enum_values: Sequence[EnumValue]) -> None:
        self.name, self.enum_values = name, list(enum_values)
        if not all(isinstance(value, EnumValue) for value in self.enum_values):
            raise DefinitionError(f"Enum {name!r} has the values {enum_values!r}", source=sources.of_caller(), mend="make them EnumValues")

    @staticmethod
    def from_python_enum(enum: type[enum.Enum], name: str | None = None) -> Enum:
        """The members of a Python enum, by their names."""
        return Enum(name or enum.__name__, [EnumValue(member.name, member) for member in enum])

    @staticmethod
    def from_python_enum_direct_values(enum: type[enum.Enum], name: str | None = None) -> Enum:
        """The members of a Python enum by their names, of which functions receive the values."""
        return Enum(name or enum.__name__, [EnumValue(member.name, member.value) for member in enum])

    def to_annotation(self, owner: str, source: Any) -> Any:  # noqa: ARG002 - one form for all kinds
        table = {value.config_value: value.python_value for value in self.enum_values}

        def pick(value: Any) -> Any:
            if isinstance(value, str) and value in table:
                return table[value]
            if not isinstance(value, str) and value in table.values():
                return value
            close = nearest(str(value), table)
            raise ValueError(f"{value!r} is not one of {', '.join(table)}" + (f"; did you mean {close!r}?" if close else ""))

        return Annotated[Any, BeforeValidator(pick), WithJsonSchema({"enum": list(table), "title": self.name})]


_ABSENT = "__dagwright_absent__"
"""Of a model made of a dict: the entries that stay away when they are not given."""


def model_of(
    entries: Mapping[str, Any], owner: str, extra: str, description: str | None, source: Any, aliases: Mapping[str, str] | None = None
) -> type[BaseModel]:
    """The pydantic model of a dict of entries."""
    fields: dict[str, Any] = {}
    absent = set()
    for number, (name, entry) in enumerate(entries.items()):
        field = entry if isinstance(entry, Field) else Field(entry)
        kind = annotation(field.config, f"{owner}_{name}", source)
        default: Any = field.default_value
        if default is ... and not field.is_required:
            if _all_optional(field.config):
                default = _implied(field.config)
            else:
                absent.add(name)
                kind, default = Optional[kind], None  # noqa: UP045 - built at run time
        if default is None:
            kind = Optional[kind]  # noqa: UP045
        # Any text may be a key of config, but attributes of a model are identifiers: entries go by alias.
        if _reads_environment(default) and get_origin(kind) is Annotated:
            given: dict[str, Any] = {"default_factory": partial(_from_environment, kind, default, name)}
        else:
            given = {"default": default}
        info = PydanticField(
            **given,
            alias=(aliases or {}).get(name, name),
            description=field.description,
            json_schema_extra={"writeOnly": True} if field.is_secret else None,
            validate_default=isinstance(default, Mapping) or isinstance(field.config, Enum),
        )
        fields[f"entry{number}"] = (kind, info)
    config = ConfigDict(extra="allow" if extra == "allow" else "forbid", frozen=True, arbitrary_types_allowed=True)
    made: type[BaseModel] = create_model(f"{owner}_config", __config__=config, __doc__=description, **fields)
    setattr(made, _ABSENT, frozenset(absent))
    return made


def plain(value: Any) -> Any:
    """A parsed value with the models of dicts turned into dicts; instances of Config classes stay."""
    if isinstance(value, BaseModel) and hasattr(type(value), _ABSENT):
        absent = getattr(type(value), _ABSENT)
        found = {
            info.alias or name: plain(getattr(value, name))
            for name, info in type(value).model_fields.items()
            if name in value.model_fields_set or (info.alias or name) not in absent
        }
        return {**found, **{name: plain(item) for name, item in (value.model_extra or {}).items()}}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def annotation(declared: Any, owner: str, source: Any = None) -> Any:
    """What pydantic checks for a declared piece of schema.

    Raises:
        DefinitionError: it is no type.
    """
    match declared:
        case _Kind():
            return declared.to_annotation(owner, source)
        case dict() if len(declared) == 1 and not isinstance(next(iter(declared)), str):
            ((key, inner),) = declared.items()
            return dict[annotation(key, owner, source), annotation(inner, owner, source)]  # type: ignore[misc]
        case dict():
            return model_of(declared, owner, "forbid", None, source)
        case list() if len(declared) == 1:
            return list[annotation(declared[0], owner, source)]  # type: ignore[misc]
        case Field():
            return annotation(declared.config, owner, source)
        case list() | str() | int() | float() | bytes() | tuple() | set():
            raise DefinitionError(
                f"{declared!r} is not a type of config",
                source=source or sources.of_caller(),
                mend="give a type (str, int, bool, float), a dict of Fields, a list of one type, or a Config class",
            )
        case type() if issubclass(declared, _Kind):
            return Any if declared is not Permissive else dict[str, Any]
        case _:
            return dict[str, Any] if declared is dict else list[Any] if declared is list else declared


def _all_optional(config: Any) -> bool:
    """Whether nothing, or an empty object, fits, so that the entry may be left out."""
    match config:
        case Field():
            return not config.is_required
        case Shape():
            return all(not entry.is_required for entry in config.fields.values())
        case dict() if config and all(isinstance(name, str) for name in config):
            return all(_all_optional(entry) if isinstance(entry, (Field, Shape, dict)) else False for entry in config.values())
        case Noneable():
            return True
        case _:
            return config is Permissive


def _implied(config: Any) -> Any:
    """What stands for an entry that was not given and need not be."""
    return _implied(config.config) if isinstance(config, Field) else None if isinstance(config, Noneable) else {}


def _from_environment(kind: Any, default: Any, name: str) -> Any:
    return config_values.read(default, TypeAdapter(kind).json_schema(), name)


def _reads_environment(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"env"}


__all__ = [
    "Any",
    "Array",
    "Bool",
    "BoolSource",
    "Enum",
    "EnumValue",
    "Field",
    "Float",
    "Int",
    "IntSource",
    "Map",
    "Noneable",
    "Permissive",
    "ScalarUnion",
    "Selector",
    "Shape",
    "String",
    "StringSource",
    "annotation",
    "model_of",
    "plain",
]
