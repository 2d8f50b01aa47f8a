"""Classes that YAML can make: their models, and resolving a model's values into an object."""

from __future__ import annotations

import types
import warnings
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Literal, Self, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo

from dagwright.components import validation, yaml_files
from dagwright.components.errors import ComponentError
from dagwright.components.fields import ClassField, fields_of, split
from dagwright.components.resolution import ResolutionContext
from dagwright.components.resolver import Model, Resolver

_SCALARS = (int, float, bool, str, type(None))
_SEQUENCES = (list, tuple, set, frozenset, Sequence)
_SUGGESTIONS = {"AssetKey": "ResolvedAssetKey", "AssetSpec": "ResolvedAssetSpec", "AssetCheckSpec": "ResolvedAssetCheckSpec"}
_MODEL = "_dagwright_yaml_model"


class Resolvable:
    """Base of classes that YAML can make: pydantic models, dataclasses, or classes whose `__init__` is annotated.

    Texts may be templates, `"{{ name }}"`, which may also give objects. Annotate a field with
    `Annotated[T, Resolver(...)]` where YAML holds something else than the field.

    Example:
        >>> from dataclasses import dataclass
        >>> from dagwright.components import Resolvable
        >>> @dataclass
        ... class Table(Resolvable):
        ...     name: str
        ...     rows: int = 0
        >>> Table.resolve_from_yaml("name: '{{ prefix }}_raw'", scope={"prefix": "shop"})
        Table(name='shop_raw', rows=0)
    """

    @classmethod
    def model(cls) -> type[BaseModel]:
        """What YAML may hold for this class, as a pydantic model."""
        return yaml_model(cls)

    @classmethod
    def resolve_from_model(cls, context: ResolutionContext, model: BaseModel) -> Self:
        """Make an object of what YAML held. Override it to do otherwise."""
        values = resolve_fields(model, cls, context)
        try:
            return cls(**values)
        except ValidationError as error:
            raise validation.told(error, cls, context) from None

    @classmethod
    def resolve_from_yaml(cls, yaml: str, *, scope: Mapping[str, Any] | None = None) -> Self:
        """Make an object of a YAML text.

        Raises:
            ComponentError: it does not fit; names line and column.
        """
        documents = yaml_files.parse(yaml)
        document = documents[0] if documents else yaml_files.YamlDocument(file="<text>", data={})
        context = ResolutionContext.default(document).with_scope(**(scope or {}))
        return cls.resolve_from_model(context, validation.parse(cls.model(), document.data, context))

    @classmethod
    def resolve_from_dict(cls, dictionary: Mapping[str, Any]) -> Self:
        """Make an object of plain data, as YAML would give it."""
        return cls.resolve_from_yaml(yaml.safe_dump(dict(dictionary), sort_keys=False))


R = TypeVar("R", bound=Resolvable)


def yaml_model(cls: type) -> type[BaseModel]:
    """The derived model of a resolvable class; made once."""
    known: type[BaseModel] | None = cls.__dict__.get(_MODEL)
    if known is not None:
        return known
    fields: dict[str, Any] = {}
    for one in fields_of(cls).values():
        fields[one.yaml_name] = (_templated(yaml_type(one.annotation, f"{cls.__name__}.{one.name}")), _info(one))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Field name .* shadows an attribute")
        made: type[BaseModel] = create_model(f"{cls.__name__}Model", __base__=Model, **fields)
    type.__setattr__(cls, _MODEL, made)
    return made


def resolve_fields(model: BaseModel, resolved_cls: type, context: ResolutionContext) -> dict[str, Any]:
    """The arguments for a class, from a model: of the fields that YAML gave, the others keep their defaults."""
    found = {}
    for one in fields_of(resolved_cls).values():
        resolver = one.resolver
        if resolver is not None and resolver.kind == "parent":
            found[one.name] = resolver.run(context, model)
        elif one.yaml_name in model.model_fields_set:
            found[one.name] = resolve(context.at_path(one.yaml_name), one.annotation, getattr(model, one.yaml_name))
    return found


def resolve(context: ResolutionContext, annotation: Any, value: Any) -> Any:
    """A value of a model as the annotated type."""
    resolver, inner = split(annotation)
    if resolver is not None and resolver.kind != "default":
        return resolver.run(context, value)
    members = _members(inner)
    special = _special(members, value)
    if special is not None:
        return special.run(context, value)
    if isinstance(value, str):
        wants_text = str in members and int not in members and float not in members
        return _checked(context, members, context.resolve_value(value, as_type=str if wants_text else None), value)
    if isinstance(value, BaseModel):
        return _of_model(context, members, value)
    if isinstance(value, (list, tuple, set, frozenset)):
        kinds = next((get_args(one) for one in members if get_origin(one) in _ORIGINS), ())
        of = kinds[0] if kinds else Any
        return type(value)(resolve(context.at_path(index), of, item) for index, item in enumerate(value))
    if isinstance(value, Mapping):
        kinds = next((get_args(one) for one in members if get_origin(one) in (dict, _ABC_MAPPING)), ())
        of = kinds[1] if len(kinds) > 1 else Any
        return {key: resolve(context.at_path(key), of, item) for key, item in value.items()}
    return value


def _special(members: Sequence[Any], value: Any) -> Resolver | None:
    """The resolver of that alternative which the value is written for, if one has its own."""
    own = [resolver for resolver, _ in map(split, members) if resolver is not None and resolver.kind != "default"]
    if isinstance(value, str):
        return next((one for one in own if one.model_field_type is None or str in _members(one.model_field_type)), None)
    others = [member for member in members if split(member)[0] is None and member is not type(None)]
    return own[0] if own and not others and value is not None and not isinstance(value, BaseModel) else None


_ABC_MAPPING = get_origin(Mapping[str, str])
_ORIGINS = (list, tuple, set, frozenset, get_origin(Sequence[str]))


def _of_model(context: ResolutionContext, members: Sequence[Any], value: BaseModel) -> Any:
    for member in members:
        resolver, inner = split(member)
        if resolver is not None and resolver.kind != "default":
            if _is_of(value, resolver.model_field_type):
                return resolver.run(context, value)
        elif isinstance(inner, type) and issubclass(inner, Resolvable) and type(value) is inner.model():
            return inner.resolve_from_model(context, value)
    return value


def _is_of(value: BaseModel, wanted: Any) -> bool:
    return any(isinstance(value, _modelled(one)) for one in _members(wanted) if isinstance(one, type))


def _checked(context: ResolutionContext, members: Sequence[Any], value: Any, written: str) -> Any:
    """A scalar as the type that the field has, for a template or a quoted number may have given another."""
    if not members or not all(_is_scalar(member) for member in members) or type(value) in members:
        return value
    wanted: Any = Union[tuple(members)]  # noqa: UP007 - made at run time
    try:
        return TypeAdapter(wanted).validate_python(value)
    except ValidationError:
        kinds = " or ".join(_named(member) for member in members)
        given = f"the template {written!r} gave {value!r}" if written != value else f"got {value!r}"
        mend = "set the environment variable that it names" if value is None and "env" in written else None
        raise context.error(f"expected {kinds}, but {given}", mend=mend) from None


def _is_scalar(member: Any) -> bool:
    return member in _SCALARS or get_origin(member) is Literal or (isinstance(member, type) and issubclass(member, Enum))


def _named(member: Any) -> str:
    if get_origin(member) is Literal:
        return " or ".join(repr(one) for one in get_args(member))
    if issubclass(member, Enum):
        return " or ".join(repr(one.value) for one in member)
    return validation.TYPE_NAMES.get(member.__name__, str(member.__name__))


def yaml_type(annotation: Any, what: str) -> Any:
    """What YAML may hold for a field of this type.

    Raises:
        ComponentError: nothing that can be written in YAML makes such a value.
    """
    resolver, inner = split(annotation)
    if resolver is not None and resolver.model_field_type is not None:
        return _modelled(resolver.model_field_type)
    if resolver is not None and resolver.kind != "default" and not _plain(inner):
        return Any
    origin, args = get_origin(inner), get_args(inner)
    if origin in (Union, types.UnionType):
        return Union[tuple(yaml_type(one, what) for one in args)]  # noqa: UP007 - made at run time
    if origin in _ORIGINS and args:
        items = tuple(one if one is Ellipsis else _templated(yaml_type(one, what)) for one in args)
        return list.__class_getitem__(items[0]) if origin not in (tuple, set, frozenset) else origin[items]
    if origin in (dict, _ABC_MAPPING) and len(args) == 2:
        value: Any = _templated(yaml_type(args[1], what))
        return dict.__class_getitem__((args[0], value))
    if _resolvable(inner):
        return inner.model()
    if _plain(inner):
        return inner
    name = getattr(inner, "__name__", str(inner))
    known = _SUGGESTIONS.get(name)
    raise ComponentError(
        f"{what} is of type {name}, which YAML cannot hold",
        mend=f"annotate it with {known}" if known else f"annotate it with Annotated[{name}, Resolver(function, model_field_type=str)]",
    )


def _modelled(given: Any) -> Any:
    """A model_field_type, in which resolvable classes stand for their models."""
    if _resolvable(given):
        return given.model()
    if get_origin(given) in (Union, types.UnionType):
        return Union[tuple(_modelled(one) for one in get_args(given))]  # noqa: UP007 - made at run time
    return given


def _plain(kind: Any) -> bool:
    if kind is Any or get_origin(kind) is Literal or kind in (list, dict, tuple, set, Mapping, Sequence):
        return True
    if get_origin(kind) is not None:
        return all(arg is Ellipsis or _plain(split(arg)[1]) for arg in get_args(kind))
    return isinstance(kind, type) and (kind in _SCALARS or issubclass(kind, (Enum, BaseModel)))


def _resolvable(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Resolvable)


def _templated(kind: Any) -> Any:
    """Whatever is not a text may be given by a template."""
    return kind if kind is Any or str in _members(kind) else Union[kind, str]  # noqa: UP007 - made at run time


def _members(annotation: Any) -> tuple[Any, ...]:
    _, inner = split(annotation) if get_origin(annotation) is not None else (None, annotation)
    if get_origin(inner) in (Union, types.UnionType):
        return tuple(member for one in get_args(inner) for member in ((one,) if split(one)[0] is not None else _members(one)))
    return (inner,)


def _info(one: ClassField) -> FieldInfo:
    resolver = one.resolver
    default: dict[str, Any] = {} if one.required else {"default": one.default if isinstance(one.default, _SCALARS) else None}
    return FieldInfo(
        description=(resolver.description if resolver else None) or (one.info.description if one.info else None),
        examples=list(resolver.examples) if resolver and resolver.examples else None,
        json_schema_extra=resolver.json_schema_extra if resolver else None,
        **default,
    )
