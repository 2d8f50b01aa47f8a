"""What tests of components need: definitions of one component, and a defs folder to try things in."""

from __future__ import annotations

import importlib
import inspect
import secrets
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import yaml

from dagwright.authoring.definitions import Definitions
from dagwright.components.component_class import Component
from dagwright.components.errors import ComponentError
from dagwright.components.folder import ComponentLoadContext, ComponentTree, CompositeYamlComponent
from dagwright.components.scaffold import ScaffoldRequest, scaffold
from dagwright_shared.model.dataclass import dataclass


def component_defs(
    *, component: Component, resources: Mapping[str, Any] | None = None, context: ComponentLoadContext | None = None
) -> Definitions:
    """The definitions of a component, with resources for it.

    Args:
        component: made by Python, or by `from_attributes_dict`.
        resources: by key.
        context: by default one of the current folder.
    """
    made = component.build_defs(context or ComponentTree.for_test().load_context)
    return Definitions.merge(made, Definitions(resources=resources)) if resources else made


def get_underlying_component(context: ComponentLoadContext) -> Component | None:
    """The component of a load context's path; the only one, where a YAML file says it."""
    found = context.component_tree.load_component(context.path)
    return found.components[0] if isinstance(found, CompositeYamlComponent) else found


@dataclass
class DefsFolderSandbox:
    """A project in a temporary folder; see `create_defs_folder_sandbox`."""

    project_root: Path
    defs_folder_path: Path
    project_name: str

    def scaffold_component(
        self,
        component_cls: type[Component],
        defs_path: Path | str | None = None,
        scaffold_params: Mapping[str, Any] | None = None,
        scaffold_format: Literal["yaml", "python"] = "yaml",
        defs_yaml_contents: Mapping[str, Any] | None = None,
    ) -> Path:
        """A folder with the files that the scaffolder of a component type writes.

        Args:
            component_cls: the type.
            defs_path: the folder, relative to the defs folder; by default a new name.
            scaffold_params: for the type's scaffolder.
            scaffold_format: a defs.yaml, or a component.py.
            defs_yaml_contents: all of the defs.yaml, in place of what the scaffolder wrote.
        """
        folder = self.defs_folder_path / (defs_path or _new_name())
        request: ScaffoldRequest[Any] = ScaffoldRequest(
            type_name=f"{component_cls.__module__}.{component_cls.__qualname__}",
            target_path=folder,
            scaffold_format=scaffold_format,
            project_root=self.project_root,
        )
        scaffold(component_cls, request, scaffold_params)
        if defs_yaml_contents is not None:
            (folder / "defs.yaml").write_text(yaml.safe_dump(dict(defs_yaml_contents), sort_keys=False), encoding="utf-8")
        return folder

    @contextmanager
    def build_component_tree(self) -> Iterator[ComponentTree]:
        """The tree of the folder, importable while the block runs."""
        source = str(self.project_root / "src")
        sys.path.insert(0, source)
        importlib.invalidate_caches()
        try:
            yield ComponentTree(
                project_root=self.project_root, defs_module_name=f"{self.project_name}.defs", defs_module_path=self.defs_folder_path
            )
        finally:
            sys.path.remove(source)
            for name in [one for one in sys.modules if one == self.project_name or one.startswith(f"{self.project_name}.")]:
                del sys.modules[name]

    @contextmanager
    def build_all_defs(self) -> Iterator[Definitions]:
        """The definitions of the whole folder."""
        with self.build_component_tree() as tree:
            yield tree.build_defs()

    @contextmanager
    def load_component_and_build_defs(self, defs_path: Path) -> Iterator[tuple[Component, Definitions]]:
        """The component of a folder, and its definitions."""
        with self.build_component_tree() as tree:
            yield tree.load_component(defs_path), tree.build_defs(defs_path)

    @contextmanager
    def swap_defs_file(self, defs_path: Path, defs_yaml_contents: Mapping[str, Any] | None) -> Iterator[None]:
        """Another defs.yaml while the block runs."""
        if not defs_path.is_file() or defs_path.suffix not in (".yaml", ".yml"):
            raise ComponentError(f"there is no YAML file {defs_path}", mend="give the path of a defs.yaml")
        before = defs_path.read_text(encoding="utf-8")
        if defs_yaml_contents is not None:
            defs_path.write_text(yaml.safe_dump(dict(defs_yaml_contents), sort_keys=False), encoding="utf-8")
        try:
            yield
        finally:
            defs_path.write_text(before, encoding="utf-8")


@contextmanager
def create_defs_folder_sandbox(*, project_name: str | None = None) -> Iterator[DefsFolderSandbox]:
    """A project with an empty defs folder, in a temporary folder.

    Example:
        >>> import dagwright.components as dgc
        >>> from dagwright.components.testing import create_defs_folder_sandbox
        >>> with create_defs_folder_sandbox() as sandbox:
        ...     path = sandbox.scaffold_component(dgc.DefsFolderComponent, "tables")
        ...     (path / "defs.yaml").read_text()
        'type: dagwright.components.folder.DefsFolderComponent\\nattributes: {}\\n'
    """
    name = project_name or _new_name()
    with tempfile.TemporaryDirectory(prefix="dagwright-sandbox-") as root:
        defs = Path(root).resolve() / "src" / name / "defs"
        defs.mkdir(parents=True)
        (Path(root) / "pyproject.toml").write_text(f'[tool.dagwright]\nroot_module = "{name}"\n', encoding="utf-8")
        yield DefsFolderSandbox(project_root=Path(root).resolve(), defs_folder_path=defs, project_name=name)


def get_component_defs_within_project(
    *, project_root: Path | str, component_path: Path | str, instance_key: int = 0
) -> tuple[Component, Definitions]:
    """A component of a project, and its definitions.

    Args:
        project_root: the project's folder.
        component_path: relative to the defs folder.
        instance_key: which of several documents of the defs.yaml, from 0 on.
    """
    found = get_all_components_defs_within_project(project_root=project_root, component_path=component_path)
    if not 0 <= instance_key < len(found):
        raise ComponentError(f"{component_path} has {len(found)} components, so there is none with instance_key={instance_key}")
    return found[instance_key]


def get_all_components_defs_within_project(*, project_root: Path | str, component_path: Path | str) -> list[tuple[Component, Definitions]]:
    """The components of one defs.yaml or folder of a project, each with its definitions."""
    tree = ComponentTree.for_project(Path(project_root))
    component, context = tree.component_with_context(component_path)
    if isinstance(component, CompositeYamlComponent):
        return [(one.component, CompositeYamlComponent([one]).build_defs(context)) for one in component.written]
    return [(component, tree.build_defs(component_path))]


def copy_code_to_file(fn: Callable[..., Any], file_path: Path) -> None:
    """Write a function's body to a file, as a module."""
    _, _, body = inspect.getsource(fn).partition("\n")
    file_path.write_text(textwrap.dedent(body), encoding="utf-8")


def _new_name() -> str:
    return f"sandbox_{secrets.token_hex(6)}"
