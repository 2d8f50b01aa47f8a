"""Writing the first files of a component: what `scaffold_component` of a sandbox does for each type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from dagwright.components.errors import ComponentError
from dagwright_shared.model.dataclass import dataclass

T = TypeVar("T", bound=type)
_SCAFFOLDER = "_dagwright_scaffolder"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaffoldRequest:
    """What a scaffolder is to write."""

    type_name: str
    """Full name of the component type."""
    target_path: Path
    """The component's folder."""
    scaffold_format: Literal["yaml", "python"] = "yaml"
    project_root: Path | None = None
    params: Any = None
    """What the scaffolder asked for by `get_scaffold_params`, if anything."""


class Scaffolder:
    """Writes the files of a new component; by default a defs.yaml with its type. Override `scaffold` to write more.

    Example:
        >>> import dagwright.components as dgc
        >>> class WithQuery(dgc.Scaffolder):
        ...     def scaffold(self, request):
        ...         dgc.scaffold_component(request, {"path": "query.sql"})
        ...         (request.target_path / "query.sql").write_text("select 1")
    """

    @classmethod
    def get_scaffold_params(cls) -> type[Any] | None:
        """A pydantic model of parameters, if it takes any."""
        return None

    def scaffold(self, request: ScaffoldRequest) -> None:
        """Write the files."""
        scaffold_component(request)


def scaffold_with(scaffolder_cls: type[Scaffolder]) -> Callable[[T], T]:
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


def scaffold_component(request: ScaffoldRequest, yaml_attributes: Mapping[str, Any] | None = None) -> None:
    """Write a defs.yaml, or a component.py, for a type.

    Args:
        request: where and what.
        yaml_attributes: of the component, for the YAML format.
    """
    request.target_path.mkdir(parents=True, exist_ok=True)
    if request.scaffold_format == "yaml":
        contents = {"type": request.type_name, "attributes": dict(yaml_attributes or {})}
        (request.target_path / "defs.yaml").write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf-8")
        return
    module, _, name = request.type_name.rpartition(".")
    text = (
        f"import dagwright as dg\n\nfrom {module} import {name}\n\n\n@dg.component_instance\n"
        f"def load(context: dg.ComponentLoadContext) -> {name}:\n    return {name}()\n"
    )
    (request.target_path / "component.py").write_text(text, encoding="utf-8")


def scaffold(cls: type[Any], request: ScaffoldRequest, params: Mapping[str, Any] | None = None) -> None:
    """Write the files of a new component by the scaffolder of its type."""
    scaffolder: Scaffolder = getattr(cls, _SCAFFOLDER, Scaffolder)()
    model = scaffolder.get_scaffold_params()
    if params and model is None:
        raise ComponentError(f"the scaffolder of {cls.__name__} takes no parameters, but got {', '.join(params)}")
    made = model(**(params or {})) if model is not None else None
    scaffolder.scaffold(
        ScaffoldRequest(
            type_name=request.type_name,
            target_path=request.target_path,
            scaffold_format=request.scaffold_format,
            project_root=request.project_root,
            params=made,
        )
    )
