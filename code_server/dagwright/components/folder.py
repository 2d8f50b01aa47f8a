"""The tree of a defs folder: YAML files, Python files and folders of them, each loaded once."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from dagwright.authoring.definitions import Definitions
from dagwright.components import python_files, validation, yaml_files
from dagwright.components.assets import PostProcessing
from dagwright.components.component_class import LOADER, Component, NoAttributes, template_vars_of
from dagwright.components.errors import ComponentError, YamlRef
from dagwright.components.resolution import ResolutionContext
from dagwright.components.resolved import Resolvable
from dagwright.components.resolver import Model
from dagwright.components.yaml_files import YamlDocument
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import nearest

log = logging.getLogger("dagwright.components")

C = TypeVar("C", bound=Component)
_YAML_NAMES = ("defs.yaml", "defs.yml", "component.yaml")
_STASH = "component_load_context"


@dataclass(frozen=True, slots=True)
class ComponentPath:
    """Where a component stands: a file or folder, and which of several in it."""

    file_path: Path
    instance_key: int | str | None = None

    def get_relative_key(self, parent_path: Path) -> str:
        """A name that tells it apart from all others below a folder.

        Example:
            >>> ComponentPath(Path("/defs/sales/defs.yaml"), 1).get_relative_key(Path("/defs"))
            'sales/defs.yaml[1]'
        """
        key = self.file_path.relative_to(parent_path).as_posix()
        return key if self.instance_key is None else f"{key}[{self.instance_key}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentLoadContext:
    """What a component knows of its place in the project while it makes its definitions."""

    component_path: ComponentPath
    project_root: Path
    defs_module_path: Path
    """The root of the defs folder."""
    defs_module_name: str
    """Its name as a module, such as `my_project.defs`."""
    resolution_context: ResolutionContext
    component_tree: ComponentTree

    @property
    def path(self) -> Path:
        """The folder or Python file of the component."""
        return self.component_path.file_path

    @staticmethod
    def from_resolution_context(resolution_context: ResolutionContext) -> ComponentLoadContext:
        """The load context, for a resolver."""
        found = resolution_context.stash.get(_STASH)
        if not isinstance(found, ComponentLoadContext):
            raise ComponentError("this value is resolved outside of a component's loading", mend="load it with the component")
        return found

    def with_resolution(self, resolution: ResolutionContext) -> ComponentLoadContext:
        """The same with another resolution context, which knows this one."""
        return replace(self, resolution_context=resolution.with_stashed_value(_STASH, self))

    def with_rendering_scope(self, rendering_scope: Mapping[str, Any]) -> ComponentLoadContext:
        """More names for templates."""
        return self.with_resolution(self.resolution_context.with_scope(**rendering_scope))

    def for_path(self, path: Path) -> ComponentLoadContext:
        """For another file or folder."""
        moved = replace(self, component_path=ComponentPath(path))
        return moved.with_resolution(self.resolution_context)

    def defs_relative_module_name(self, path: Path) -> str:
        """The name of the module of a path inside of the defs folder."""
        folder = self.path.parent if self.path.is_file() else self.path
        absolute = Path(os.path.normpath(folder / path))
        inside = absolute.relative_to(Path(os.path.normpath(self.defs_module_path)))
        parts = inside.parts[:-1] if inside.name == "__init__.py" else inside.with_suffix("").parts if absolute.is_file() else inside.parts
        return ".".join([self.defs_module_name, *parts])

    def load_defs_relative_python_module(self, path: Path) -> ModuleType:
        """Import a Python file of the defs folder, by its path relative to this component."""
        return importlib.import_module(self.defs_relative_module_name(Path(path)))

    def load_component(self, defs_path: Path | str, expected_type: type[C] | None = None) -> Any:
        """Another component, by its path relative to the defs folder's root."""
        return self.component_tree.load_component(defs_path, expected_type)

    def build_defs(self, defs_path: Path | str) -> Definitions:
        """The definitions of another part of the tree, by its path relative to the defs folder's root."""
        return self.component_tree.build_defs(defs_path)

    load_component_at_path = load_component
    build_defs_at_path = build_defs
    load_structural_component_at_path = load_component

    def qualified_type(self, name: str) -> str:
        """The full name of a component type that may be written relative to this folder's module."""
        return f"{self.defs_relative_module_name(self.path)}{name}" if name.startswith(".") else name


class ComponentFile(Model):
    """A document of a defs.yaml."""

    type: str
    attributes: Any = None
    template_vars_module: str | None = None
    requirements: Requirements | None = None
    post_processing: Any = None


class Requirements(Model):
    """What must be there for a component to work."""

    env: list[str] | None = None


ComponentFile.model_rebuild()


@dataclass
class DefsFolderComponent(Component):
    """A folder: the definitions of all that is in it, put together."""

    path: Path
    children: Mapping[Path, Component]

    @classmethod
    def get_model_cls(cls) -> type[NoAttributes]:
        return NoAttributes

    def build_defs(self, context: ComponentLoadContext) -> Definitions:
        return Definitions.merge(*(context.component_tree.build_defs(child) for child in self.children))

    def iterate_components(self) -> Iterator[Component]:
        """All components in the folder and in those inside of it."""
        for child in self.children.values():
            yield child
            if isinstance(child, DefsFolderComponent):
                yield from child.iterate_components()


class DefinitionsComponent(Component, Model, Resolvable):
    """The definitions of a Python file.

    Example:
        type: dagwright.DefinitionsComponent
        attributes: {path: definitions.py}
    """

    path: str | None = None

    def build_defs(self, context: ComponentLoadContext) -> Definitions:
        target = context.path / (self.path or "definitions.py") if context.path.is_dir() else context.path
        if target.is_dir():
            return context.component_tree.build_defs(target)
        if not target.is_file():
            raise ComponentError(f"there is no file {target}", mend="name a Python file, relative to the defs.yaml")
        return python_files.definitions(context.load_defs_relative_python_module(target), context)


@dataclass
class PythonFileComponent(Component):
    """A Python file of the defs folder."""

    path: Path
    components: Mapping[str, Component]

    def build_defs(self, context: ComponentLoadContext) -> Definitions:
        own = [one.build_defs(context) for one in self.components.values()]
        return Definitions.merge(*own, python_files.definitions(context.load_defs_relative_python_module(self.path), context))


@dataclass(frozen=True, slots=True)
class _Written:
    """A component that a document of a defs.yaml describes."""

    component: Component
    context: ComponentLoadContext
    place: YamlRef
    processors: Sequence[Callable[[Definitions], Definitions]]


@dataclass
class CompositeYamlComponent(Component):
    """All components of one defs.yaml."""

    written: Sequence[_Written]

    @property
    def components(self) -> Sequence[Component]:
        return [one.component for one in self.written]

    def build_defs(self, context: ComponentLoadContext) -> Definitions:
        del context  # each has its own
        found = []
        for one in self.written:
            try:
                defs = one.component.build_defs(one.context)
            except Exception as error:
                error.add_note(f"while the component of {one.place} made its definitions")
                raise
            if not isinstance(defs, Definitions):
                raise ComponentError(
                    f"build_defs of {type(one.component).__name__} returned a {type(defs).__name__}",
                    source=one.place,
                    mend="return a Definitions object",
                )
            for process in one.processors:
                defs = process(defs)
            found.append(defs)
        return Definitions.merge(*found)


@dataclass
class ComponentTree:
    """A project's defs folder, loaded as it is asked for."""

    project_root: Path
    defs_module_name: str
    defs_module_path: Path
    stop_at_definitions: bool = False
    """A folder with a definitions.py is that file alone."""
    _components: dict[Path, tuple[Component, ComponentLoadContext] | None] = field(default_factory=dict)
    _built: dict[Path, Definitions] = field(default_factory=dict)
    _busy: list[Path] = field(default_factory=list)

    @staticmethod
    def for_test() -> ComponentTree:
        """A tree in the current folder, for tests of single components."""
        return ComponentTree(project_root=Path.cwd(), defs_module_name="test", defs_module_path=Path.cwd())

    @staticmethod
    def for_project(path_within_project: Path) -> ComponentTree:
        """The tree of the project that a path is in."""
        from dagwright.components import project  # noqa: PLC0415 - stands on this module

        return project.tree_of(Path(path_within_project))

    @property
    def load_context(self) -> ComponentLoadContext:
        """The context of the tree's root."""
        resolution = ResolutionContext.default()
        made = ComponentLoadContext(
            component_path=ComponentPath(self.defs_module_path),
            project_root=self.project_root,
            defs_module_path=self.defs_module_path,
            defs_module_name=self.defs_module_name,
            resolution_context=resolution,
            component_tree=self,
        )
        return made.with_resolution(resolution)

    def load_root_component(self) -> Component:
        """The component of the whole folder."""
        return self._known(self.defs_module_path)[0]

    def load_component(self, defs_path: Path | str, expected_type: type[C] | None = None) -> Any:
        """The component of a file or folder.

        Raises:
            ComponentError: there is none, there are several, or it is of another type.
        """
        path = self._absolute(defs_path)
        found, _ = self._known(path)
        if isinstance(found, CompositeYamlComponent):
            if len(found.written) != 1:
                raise ComponentError(f"{path} has {len(found.written)} components", mend="put each in a folder of its own to load one")
            found = found.components[0]
        if expected_type is not None and not isinstance(found, expected_type):
            raise ComponentError(f"the component of {path} is a {type(found).__name__}, not a {expected_type.__name__}")
        return found

    def component_with_context(self, defs_path: Path | str) -> tuple[Component, ComponentLoadContext]:
        """The component of a file or folder as it stands, several of one YAML file together, with its context."""
        return self._known(self._absolute(defs_path))

    def build_defs(self, defs_path: Path | str | None = None) -> Definitions:
        """The definitions of a file or folder; of all of them by default."""
        path = self.defs_module_path if defs_path is None else self._absolute(defs_path)
        if path not in self._built:
            component, context = self._known(path)
            if path in self._busy:
                chain = " -> ".join(str(one) for one in [*self._busy, path])
                raise ComponentError(f"components wait for each other's definitions: {chain}", mend="let one of them do without the other")
            self._busy.append(path)
            try:
                self._built[path] = component.build_defs(context)
            finally:
                self._busy.pop()
        return self._built[path]

    def get_all_components(self, of_type: type[C]) -> list[C]:
        """All components of a type, in the order of loading."""
        root = self.load_root_component()
        found = [root, *(root.iterate_components() if isinstance(root, DefsFolderComponent) else ())]
        flat = [inner for one in found for inner in _inside(one)]
        return [one for one in flat if isinstance(one, of_type)]

    def load_yaml(self, file: Path, context: ComponentLoadContext) -> Component:
        """The component of a YAML file with one document."""
        written = self._written(file, context)
        if len(written) != 1:
            raise ComponentError(f"{file} has {len(written)} components", mend="leave one of them in the file")
        return written[0].component

    # ---- loading

    def _absolute(self, path: Path | str) -> Path:
        return Path(os.path.normpath(self.defs_module_path / path))

    def _known(self, path: Path) -> tuple[Component, ComponentLoadContext]:
        if path not in self._components:
            self._components[path] = self._load(path)
        found = self._components[path]
        if found is None:
            siblings = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
            close = nearest(path.name, siblings)
            raise ComponentError(f"there is no component at {path}", mend=f"did you mean {close!r}?" if close else None)
        return found

    def _load(self, path: Path) -> tuple[Component, ComponentLoadContext] | None:
        context = self.load_context.for_path(path)
        if path.is_file() and path.suffix == ".py":
            return self._python(path, context), context
        if not path.is_dir():
            return None
        file = next((path / name for name in _YAML_NAMES if (path / name).is_file()), None)
        if file is not None:
            return CompositeYamlComponent(self._written(file, context)), context
        for name in ("component.py", "definitions.py") if self.stop_at_definitions else ("component.py",):
            if (path / name).is_file():
                return self._python(path / name, context), context
        return self._folder(path), context

    def _folder(self, path: Path) -> DefsFolderComponent:
        children: dict[Path, Component] = {}
        for child in sorted(path.iterdir()):
            if child.name.startswith(".") or child.name == "__pycache__":
                continue
            if child not in self._components:
                self._components[child] = self._load(child)
            found = self._components[child]
            if found is not None:
                children[child] = found[0]
        return DefsFolderComponent(path, children)

    def _python(self, path: Path, context: ComponentLoadContext) -> PythonFileComponent:
        module = context.load_defs_relative_python_module(path)
        made = {}
        for name, fn in list(vars(module).items()):
            if getattr(fn, LOADER, False) is True and getattr(fn, "__module__", None) == module.__name__:
                found = fn(context) if inspect.signature(fn).parameters else fn()
                if not isinstance(found, Component):
                    raise ComponentError(
                        f"@component_instance {name} in {path} returned a {type(found).__name__}", mend="return a Component"
                    )
                made[name] = found
        return PythonFileComponent(path, made)

    def _written(self, file: Path, context: ComponentLoadContext) -> list[_Written]:
        documents = yaml_files.read(file)
        if not documents:
            raise ComponentError(
                "the file is empty", source=YamlRef(file=str(file), line=1, column=1), mend="write `type:` and `attributes:`, or remove it"
            )
        return [self._document(one, file, context, index) for index, one in enumerate(documents)]

    def _document(self, document: YamlDocument, file: Path, context: ComponentLoadContext, index: int) -> _Written:
        resolution = context.resolution_context.with_document(document)
        context = replace(context, component_path=ComponentPath(file.parent, index)).with_resolution(resolution)
        model = validation.parse(ComponentFile, document.data, context.resolution_context)
        cls = python_files.component_type(context.qualified_type(model.type), context.resolution_context.at_path("type"))
        _check_requirements(model.requirements, context)
        scope = {**cls.get_additional_scope(), **template_vars_of(cls, context)}
        if model.template_vars_module is not None:
            scope |= template_vars_of(self._template_vars(model.template_vars_module, context), context)
        context = context.with_rendering_scope(scope)
        resolution = context.resolution_context
        inner = context.with_resolution(resolution.at_path("attributes"))
        if issubclass(cls, DefsFolderComponent):
            component: Component = self._folder(file.parent)
        else:
            model_cls = cls.get_model_cls()
            attributes = validation.parse(model_cls, model.attributes, inner.resolution_context) if model_cls is not None else None
            component = cls.load(attributes, inner)
        processing = model.post_processing
        processors: Sequence[Any] = ()
        if processing is not None:
            at = resolution.at_path("post_processing")
            read = PostProcessing.resolve_from_model(at, validation.parse(PostProcessing.model(), processing, at))
            processors = list(read.assets or ())
        return _Written(component, context, document.at(()), processors)

    def _template_vars(self, name: str, context: ComponentLoadContext) -> ModuleType:
        full = context.qualified_type(name)
        try:
            module = importlib.import_module(full)
        except ModuleNotFoundError as error:
            if error.name is None or not full.startswith(error.name):
                raise
            raise context.resolution_context.at_path("template_vars_module").error(f"there is no module {full!r}") from None
        return module


def _inside(component: Component) -> Sequence[Component]:
    if isinstance(component, CompositeYamlComponent):
        return component.components
    if isinstance(component, PythonFileComponent):
        return list(component.components.values())
    return [component]


def _check_requirements(requirements: Requirements | None, context: ComponentLoadContext) -> None:
    for index, name in enumerate(requirements.env or () if requirements is not None else ()):
        if name not in os.environ:
            place = context.resolution_context.at_path("requirements").at_path("env").at_path(index)
            log.warning("%s", place.error(f"the environment variable {name} is required but not set").args[0])
