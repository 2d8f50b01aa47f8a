"""Components: classes that make definitions, and functions that make components and template variables."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from pydantic import BaseModel

from dagwright.authoring import source as sources
from dagwright.authoring.definitions import Definitions
from dagwright.components import validation
from dagwright.components.errors import ComponentError
from dagwright.components.resolution import ObjectScope
from dagwright.components.resolved import Resolvable
from dagwright.components.resolver import Model
from dagwright.components.yaml_files import YamlDocument
from dagwright_shared.model.dataclass import dataclass

if TYPE_CHECKING:
    from dagwright.components.folder import ComponentLoadContext

F = TypeVar("F", bound=Callable[..., Any])
LOADER = "_dagwright_component_loader"
TEMPLATE_VAR = "_dagwright_template_var"
_CONTEXT_NAMES = frozenset({"load_component", "build_defs", "project_root"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentTypeSpec:
    """What lists of component types show."""

    description: str | None = None
    tags: Sequence[str] = ()
    owners: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


class NoAttributes(Model):
    """The attributes of a component type that takes none."""


class Component(ABC):
    """Makes definitions. With `Resolvable` and `Model` (or as a dataclass), its fields are given by YAML.

    Example:
        >>> import dagwright as dg
        >>> import dagwright.components as dgc
        >>> class Tables(dgc.Component, dgc.Model, dgc.Resolvable):
        ...     names: list[str]
        ...     def build_defs(self, context):
        ...         return dg.Definitions(assets=[dg.AssetSpec(name) for name in self.names])
        >>> made = Tables.from_attributes_dict(attributes={"names": ["a", "b"]})
        >>> [key.to_user_string() for key in dgc.build_defs_for_component(made).resolve_all_asset_keys()]
        ['a', 'b']
    """

    @abstractmethod
    def build_defs(self, context: ComponentLoadContext) -> Definitions:
        """The definitions of this component."""

    @classmethod
    def get_spec(cls) -> ComponentTypeSpec:
        """What lists of component types show."""
        return ComponentTypeSpec()

    @classmethod
    def get_description(cls) -> str | None:
        """In words; by default the docstring."""
        return cls.get_spec().description or inspect.getdoc(cls)

    @classmethod
    def get_schema(cls) -> type[BaseModel] | None:
        """The model of the attributes, of a component that is not Resolvable."""
        return None

    @classmethod
    def get_model_cls(cls) -> type[BaseModel] | None:
        """The model of the attributes."""
        if issubclass(cls, Resolvable):
            return cls.model()
        return cls.get_schema() or NoAttributes

    @classmethod
    def get_additional_scope(cls) -> Mapping[str, Any]:
        """More names for the templates of this component's YAML; static methods with `@template_var` are there already."""
        return {}

    @classmethod
    def load(cls, attributes: BaseModel | None, context: ComponentLoadContext) -> Self:
        """Make a component of its attributes."""
        if not issubclass(cls, Resolvable):
            return cls()
        resolution = context.resolution_context.with_scope(context=ObjectScope(context, _CONTEXT_NAMES))
        made: Any = cls.resolve_from_model(resolution, attributes) if attributes is not None else cls()
        return made

    @classmethod
    def from_attributes_dict(cls, *, attributes: Mapping[str, Any], context: ComponentLoadContext | None = None) -> Self:
        """Make a component of what YAML would have under `attributes`; for tests.

        Raises:
            ComponentError: they do not fit.
        """
        load_context = context or _test_context()
        document = YamlDocument(file="<attributes>", data=dict(attributes))
        load_context = load_context.with_resolution(load_context.resolution_context.with_document(document))
        model_cls = cls.get_model_cls() or NoAttributes
        return cls.load(validation.parse(model_cls, dict(attributes), load_context.resolution_context), load_context)

    @classmethod
    def from_yaml_path(cls, yaml_path: Path, context: ComponentLoadContext | None = None) -> Component:
        """The component of a YAML file; for tests."""
        load_context = context or _test_context()
        return load_context.component_tree.load_yaml(Path(yaml_path), load_context)


def _test_context() -> ComponentLoadContext:
    from dagwright.components.folder import ComponentTree  # noqa: PLC0415 - stands on this module

    return ComponentTree.for_test().load_context


def component_instance(fn: F) -> F:
    """Mark a function in a Python file of the defs folder: it makes a component.

    Example:
        >>> import dagwright.components as dgc
        >>> @dgc.component_instance
        ... def script(context: dgc.ComponentLoadContext) -> dgc.Component:
        ...     return dgc.PythonScriptComponent(execution=dgc.ScriptSpec(path="make.py"), assets=[])
    """
    if not callable(fn):
        raise ComponentError(f"@component_instance decorates a {type(fn).__name__}", mend="put it on a function that returns a component")
    setattr(fn, LOADER, True)
    return fn


component = component_instance


@overload
def template_var(fn: F) -> F: ...
@overload
def template_var() -> Callable[[F], F]: ...
def template_var(fn: F | None = None) -> F | Callable[[F], F]:
    """Mark a function whose result templates can use by its name.

    In the module that `template_vars_module` names, or as a static method of a component class. It takes nothing, or the
    load context.

    Example:
        >>> import dagwright.components as dgc
        >>> @dgc.template_var
        ... def schema():
        ...     return "shop"
    """

    def mark(target: F) -> F:
        setattr(target, TEMPLATE_VAR, True)
        return target

    return mark if fn is None else mark(fn)


def template_vars_of(holder: Any, context: ComponentLoadContext) -> dict[str, Any]:
    """The template variables of a module or component class, evaluated."""
    found = {}
    for name in dir(holder):
        fn = getattr(holder, name, None)
        if callable(fn) and getattr(fn, TEMPLATE_VAR, False) is True:
            count = len(inspect.signature(fn).parameters)
            if count > 1:
                raise ComponentError(
                    f"the template variable {name!r} takes {count} arguments",
                    source=sources.of_function(fn),
                    mend="let it take nothing, or the load context",
                )
            found[name] = fn(context) if count else fn()
    return found
