"""How the value of one field gets from YAML to Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation
from pydantic_core import CoreSchema, core_schema

from dagwright.components.errors import ComponentError
from dagwright.components.resolution import ResolutionContext
from dagwright_shared.model.dataclass import dataclass

T = TypeVar("T")
ResolveFn = Callable[[ResolutionContext, Any], Any]


class Model(BaseModel):
    """A pydantic model that refuses fields that it does not have.

    Example:
        >>> class Table(Model):
        ...     name: str
        >>> Table(name="a")
        Table(name='a')
    """

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


@dataclass(frozen=True, slots=True, init=False)
class Resolver:
    """Attached to a field's annotation, says how its value is made.

    Args:
        fn: gets the context and the field's value as YAML gives it (templates of a text filled in) and returns the value.
        model_field_name: the field's name in YAML, where it is another.
        model_field_type: what YAML holds; a class with `Resolvable` stands for its model.
        description, examples, json_schema_extra: for the schema.
        inject_before_resolve: fill templates in before `fn` is called; what is no text afterwards is the value.

    Example:
        >>> from typing import Annotated
        >>> from dagwright.components import Model, Resolvable, Resolver
        >>> class Table(Resolvable, Model):
        ...     rows: Annotated[int, Resolver(lambda context, text: len(text.split(",")), model_field_type=str)]
        >>> Table.resolve_from_yaml("rows: a,b")
        Table(rows=2)
    """

    fn: ResolveFn | None
    kind: Literal["value", "parent", "default", "passthrough"]
    model_field_name: str | None
    model_field_type: Any
    description: str | None
    examples: Sequence[Any] | None
    inject_before_resolve: bool
    json_schema_extra: Any

    def __init__(
        self,
        fn: ResolveFn | None,
        *,
        model_field_name: str | None = None,
        model_field_type: Any = None,
        description: str | None = None,
        examples: Sequence[Any] | None = None,
        inject_before_resolve: bool = True,
        json_schema_extra: Any = None,
        kind: Literal["value", "parent", "default", "passthrough"] = "value",
    ) -> None:
        if kind in ("value", "parent") and not callable(fn):
            raise ComponentError(f"Resolver: fn is {fn!r}", mend="give a function of (context, value)")
        values = {
            "fn": fn,
            "kind": kind,
            "model_field_name": model_field_name,
            "model_field_type": model_field_type,
            "description": description,
            "examples": examples,
            "inject_before_resolve": inject_before_resolve,
            "json_schema_extra": json_schema_extra,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @staticmethod
    def default(**options: Any) -> Resolver:
        """As without a resolver: templates are filled in, everywhere inside of the value."""
        return Resolver(None, kind="default", **options)

    @staticmethod
    def passthrough(**options: Any) -> Resolver:
        """The value as YAML gives it, templates and all."""
        return Resolver(None, kind="passthrough", **options)

    @staticmethod
    def from_model(fn: ResolveFn, **options: Any) -> Resolver:
        """`fn` gets the whole model that the field is in."""
        return Resolver(fn, kind="parent", **options)

    @staticmethod
    def union(arg_resolver_pairs: Sequence[tuple[Any, Resolver]]) -> Resolver:
        """The first of several resolvers that takes the value."""

        def first(context: ResolutionContext, value: Any) -> Any:
            told = []
            for _, resolver in arg_resolver_pairs:
                try:
                    return resolver.run(context, value)
                except Exception as error:  # noqa: BLE001 - told below, when none fits
                    told.append(str(error))
            raise context.error("no form of this value fits: " + "; ".join(told))

        types = tuple(resolver.model_field_type or kind for kind, resolver in arg_resolver_pairs)
        return Resolver(first, model_field_type=Union[types])  # noqa: UP007 - made at run time

    def run(self, context: ResolutionContext, value: Any) -> Any:
        """Make the value.

        Raises:
            ComponentError: it cannot be made; names the place.
        """
        if self.kind == "passthrough":
            return value
        if self.fn is None:
            return context.resolve_value(value)
        if self.kind == "value" and self.inject_before_resolve and isinstance(value, str):
            value = context.resolve_value(value, as_type=str)
            if not isinstance(value, str):
                return value
        try:
            return self.fn(context, value)
        except ComponentError:
            raise
        except Exception as error:
            mend = getattr(error, "mend", None)
            raise context.error(f"{type(error).__name__}: {error}" if mend is None else str(error)) from error

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A field may be of a class that pydantic knows nothing of: its resolver vouches for the value."""
        if source is not Any and isinstance(source, type) and not issubclass(source, (BaseModel, str, int, float, list, dict, tuple, set)):
            return core_schema.is_instance_schema(source)
        try:
            return handler(source)
        except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, NameError):
            return core_schema.any_schema()


Injected = Annotated[T, Resolver.default(model_field_type=str)]
"""A value that YAML gives by a template only: `Injected[Client]`."""
