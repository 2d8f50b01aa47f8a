"""The fields of a resolvable class: of a pydantic model, a dataclass, or an `__init__` with annotations."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dagwright.authoring import source as sources
from dagwright.components.errors import ComponentError
from dagwright.components.resolver import Resolver
from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassField:
    """One field."""

    name: str
    annotation: Any
    required: bool
    default: Any = None
    info: FieldInfo | None = None

    @property
    def resolver(self) -> Resolver | None:
        return split(self.annotation)[0]

    @property
    def yaml_name(self) -> str:
        resolver = self.resolver
        return (resolver.model_field_name if resolver is not None else None) or self.name


def split(annotation: Any) -> tuple[Resolver | None, Any]:
    """The resolver of an annotation, the innermost one with a function, and the type without it."""
    resolver = None
    while get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        # Nested Annotated types are flat here, innermost first.
        for one in metadata:
            if isinstance(one, Resolver) and (resolver is None or resolver.kind == "default"):
                resolver = one
        annotation = inner
    return resolver, annotation


def fields_of(cls: type) -> dict[str, ClassField]:
    """The fields by name.

    Raises:
        ComponentError: the class has none that can be found.
    """
    if issubclass(cls, BaseModel):
        return {name: _of_model(cls, name, info) for name, info in cls.model_fields.items()}
    if dataclasses.is_dataclass(cls):
        hints = _hints(cls, cls)
        return {one.name: _of_dataclass(one, hints) for one in dataclasses.fields(cls) if one.init}
    if cls.__init__ is object.__init__:
        return {}
    return _of_init(cls)


def _of_model(cls: type[BaseModel], name: str, info: FieldInfo) -> ClassField:
    del cls
    return ClassField(name=name, annotation=info.rebuild_annotation(), required=info.is_required(), default=info.get_default(), info=info)


def _of_dataclass(one: dataclasses.Field[Any], hints: Mapping[str, Any]) -> ClassField:
    required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    default = None if one.default is dataclasses.MISSING else one.default
    return ClassField(name=one.name, annotation=hints.get(one.name, Any), required=required, default=default)


def _of_init(cls: type) -> dict[str, ClassField]:
    init: Callable[..., Any] = cls.__init__  # type: ignore[misc]  # the function itself
    hints = _hints(init, cls)
    found = {}
    for name, parameter in list(inspect.signature(init).parameters.items())[1:]:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        if name not in hints:
            raise ComponentError(
                f"{cls.__name__}.__init__ has the argument {name!r} without a type, so YAML cannot give it",
                source=sources.of_function(init),
                mend="annotate it, such as `name: str`",
            )
        required = parameter.default is inspect.Parameter.empty
        found[name] = ClassField(name=name, annotation=hints[name], required=required, default=None if required else parameter.default)
    return found


def _hints(target: Any, cls: type) -> dict[str, Any]:
    try:
        # Classes written inside of a function are found among the names around the place that asks.
        return get_type_hints(target, localns={**sources.caller_names(), cls.__name__: cls}, include_extras=True)
    except NameError as error:
        raise ComponentError(
            f"{cls.__name__}: the annotation {error.name!r} is not known where the class is written",
            mend="import it at the top of the module, not only for type checkers",
        ) from None
