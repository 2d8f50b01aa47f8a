"""Writing the first files of a component: what `scaffold_component` of a sandbox does for each type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import yaml

from dagwright.components.errors import ComponentError
from dagwright_shared.model.dataclass import dataclass

T = TypeVar("T", bound=type)
P = TypeVar("P")
_SCAFFOLDER = "_dagwright_scaffolder"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaffoldRequest(Generic[P]):
    """What a scaffolder is to write; `P` is the class of its parameters."""

    type_name: str
    """Full name of the component type."""
    target_path: Path
    """The component's folder."""
    scaffold_format: Literal["yaml", "python"] = "yaml"
    project_root: Path | None = None
    params: P | None = None
    """What the scaffolder asked for by `get_scaffold_params`, if anything."""
    append: bool = False
    """Whether `target_path` is a defs.yaml that the component is added to, after those that it has."""


class Scaffolder(Generic[P]):
    """Writes the files of a new component; by default a defs.yaml with its type. Override `scaffold` to write more.

    Example:
        >>> import dagwright.components as dgc
        >>> class WithQuery(dgc.Scaffolder):
        ...     def scaffold(self, request):
        ...         dgc.scaffold_component(request, {"path": "query.sql"})
        ...         (request.target_path / "query.sql").write_text("select 1")
    """

    @classmethod
    def get_scaffold_params(cls) -> type[P] | None:
        """A pydantic model of parameters, if it takes any."""
        return None

    def scaffold(self, request: ScaffoldRequest[P]) -> None:
        """Write the files."""
        scaffold_component(request)


def scaffold_with(scaffolder_cls: type[Scaffolder[Any]]) -> Callable[[T], T]:
    """Say which scaffolder writes the files of a component type; put it on the class.

    Raises:
        ComponentError: it is no Scaffolder.
    """
    if not (isinstance(scaffolder_cls, type) and issubclass(scaffolder_cls, Scaffolder)):
        raise ComponentError(f"scaffold_with was given {scaffolder_cls!r}", mend="give a class derived from Scaffolder")

    def mark(cls: T) -> T:
        setattr(cls, _SCAFFOLDER, scaffolder_cls)
        return cls

    return mark


def scaffold_component(request: ScaffoldRequest[Any], yaml_attributes: Mapping[str, Any] | None = None) -> None:
    """Write a defs.yaml, or a component.py, for a type.

    Args:
        request: where and what.
        yaml_attributes: of the component, for the YAML format.
    """
    contents = {"type": request.type_name, "attributes": dict(yaml_attributes or {})}
    if request.append:
        with request.target_path.open("a", encoding="utf-8") as there:
            there.write(f"---\n{yaml.safe_dump(contents, sort_keys=False)}")
        return
    request.target_path.mkdir(parents=True, exist_ok=True)
    if request.scaffold_format == "yaml":
        (request.target_path / "defs.yaml").write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf-8")
        return
    module, _, name = request.type_name.rpartition(".")
    text = (
        f"import dagwright as dg\n\nfrom {module} import {name}\n\n\n@dg.component_instance\n"
        f"def load(context: dg.ComponentLoadContext) -> {name}:\n    return {name}()\n"
    )
    (request.target_path / "component.py").write_text(text, encoding="utf-8")


def scaffold(cls: type[Any], request: ScaffoldRequest[Any], params: Mapping[str, Any] | None = None) -> None:
    """Write the files of a new component by the scaffolder of its type."""
    scaffolder: Scaffolder[Any] = getattr(cls, _SCAFFOLDER, Scaffolder)()
    model = scaffolder.get_scaffold_params()
    if params and model is None:
        raise ComponentError(f"the scaffolder of {cls.__name__} takes no parameters, but got {', '.join(params)}")
    made = model(**(params or {})) if model is not None else None
    scaffolder.scaffold(replace(request, params=made))
