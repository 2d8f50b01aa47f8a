"""Components that execute: a function or a script, with the assets and checks that it makes."""

from __future__ import annotations

import importlib
import shlex
import shutil
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from dagwright.authoring import signatures
from dagwright.authoring import source as sources
from dagwright.authoring.checks import multi_asset_check
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.multi_assets import multi_asset
from dagwright.authoring.results import AssetCheckResult, MaterializeResult
from dagwright.components.assets import OpSpec, ResolvedAssetCheckSpec, ResolvedAssetSpec
from dagwright.components.component_class import Component
from dagwright.components.errors import ComponentError
from dagwright.components.folder import ComponentLoadContext
from dagwright.components.resolution import ResolutionContext
from dagwright.components.resolved import Resolvable
from dagwright.components.resolver import Model, Resolver
from dagwright.execution.contexts import AssetCheckExecutionContext, AssetExecutionContext
from dagwright.pipes.client import PipesSubprocessClient
from dagwright_shared.model.errors import nearest


class ExecutableComponent(Component, Model, Resolvable):
    """Assets and checks that one execution makes. Subclasses say what is executed."""

    assets: list[ResolvedAssetSpec] | None = None
    checks: list[ResolvedAssetCheckSpec] | None = None

    @property
    @abstractmethod
    def op_spec(self) -> OpSpec:
        """The op."""

    @property
    def resource_keys(self) -> set[str]:
        """Resources that the execution needs."""
        return set()

    @property
    def config_type(self) -> Any:
        """Class of the execution's config, if it takes any."""
        return None

    @abstractmethod
    def invoke_execute_fn(self, context: Any, component_load_context: ComponentLoadContext) -> Iterable[Any]:
        """Execute, and give the results."""

    def build_defs(self, context: ComponentLoadContext) -> Definitions:
        of = self.op_spec
        if not self.assets and not self.checks:
            raise ComponentError(f"{type(self).__name__} {of.name!r} has neither assets nor checks", mend="add `assets:` with a `key:`")
        options = {
            "name": of.name,
            "description": of.description,
            "op_tags": of.tags,
            "pool": of.pool,
            "required_resource_keys": self.resource_keys or None,
            "config_schema": self.config_type,
        }

        def results(step_context: Any) -> Iterator[Any]:
            yield from _results(self.invoke_execute_fn(step_context, context), of.name)

        if self.assets:

            @multi_asset(specs=self.assets, check_specs=self.checks or None, backfill_policy=of.backfill_policy, **options)
            def execute(context: AssetExecutionContext) -> Any:
                return results(context)

            return Definitions(assets=[execute])

        @multi_asset_check(specs=self.checks or [], **options)
        def evaluate(context: AssetCheckExecutionContext) -> Any:
            return results(context)

        return Definitions(asset_checks=[evaluate])


def _results(given: Any, name: str | None) -> Iterator[Any]:
    if given is None:
        return
    if isinstance(given, (MaterializeResult, AssetCheckResult)):
        yield given
        return
    for one in given:
        if not isinstance(one, (MaterializeResult, AssetCheckResult)):
            raise TypeError(f"{name!r} gave a {type(one).__name__}; give MaterializeResult or AssetCheckResult")
        yield one


# ---------------------------------------------------------------- functions


def _callable(context: ResolutionContext, value: str) -> Callable[..., Any]:
    load_context = ComponentLoadContext.from_resolution_context(context)
    # A relative name starts at the component's folder; Dagster's starts at the defs folder, which is tried next.
    names = [load_context.qualified_type(value), f"{load_context.defs_module_name}{value}"] if value.startswith(".") else [value]
    for name in names:
        module_name, _, attribute = name.rpartition(".")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
                raise
            continue
        found = getattr(module, attribute, None)
        if callable(found):
            return found  # type: ignore[no-any-return]  # callable, as was asked
        close = nearest(attribute, [one for one in dir(module) if not one.startswith("_")])
        raise context.error(f"{module_name} has no function {attribute!r}", mend=f"did you mean {close!r}?" if close else None)
    raise context.error(f"there is no module {' or '.join(name.rpartition('.')[0] for name in names)!r}", mend="write module.function")


ResolvableCallable: TypeAlias = Annotated[Callable[..., Any], Resolver(_callable, model_field_type=str)]


class FunctionSpec(OpSpec):
    """A function, and the op around it."""

    type: Literal["function"] = "function"
    fn: ResolvableCallable


class FunctionComponent(ExecutableComponent):
    """Assets and checks made by a function of your own: `execution: .module.function`, or a mapping with `fn`.

    The function takes `context`, resources by their annotated parameters, and `config`.

    Example:
        >>> import dagwright as dg
        >>> import dagwright.components as dgc
        >>> def update(context):
        ...     return dg.MaterializeResult(metadata={"rows": 3})
        >>> made = dgc.FunctionComponent(execution=update, assets=[dg.AssetSpec("table")])
        >>> [key.to_user_string() for key in dgc.build_defs_for_component(made).resolve_all_asset_keys()]
        ['table']
    """

    execution: FunctionSpec | ResolvableCallable

    @property
    def op_spec(self) -> FunctionSpec:
        if isinstance(self.execution, FunctionSpec):
            return self.execution.model_copy(update={"name": self.execution.name or self.execution.fn.__name__})
        return FunctionSpec(name=self.execution.__name__, fn=self.execution)

    @property
    def _signature(self) -> signatures.Signature:
        fn = self.op_spec.fn
        source = sources.of_function(fn)
        read = signatures.read(fn, f"the function {fn.__name__!r}", source, plain_context=True)
        if read.inputs:
            raise ComponentError(
                f"the function {fn.__name__!r} takes {read.inputs[0].name!r}, which is neither a resource nor config",
                source=source,
                mend="annotate it as a resource, such as ResourceParam[Client], or read what it needs in the function",
            )
        return read

    @property
    def resource_keys(self) -> set[str]:
        return set(self._signature.resource_params.values())

    @property
    def config_type(self) -> Any:
        signature = self._signature
        return signature.config_annotation if signature.config_param is not None else None

    def invoke_execute_fn(self, context: Any, component_load_context: ComponentLoadContext) -> Iterable[Any]:
        del component_load_context
        signature = self._signature
        given = {name: getattr(context.resources, key) for name, key in signature.resource_params.items()}
        if signature.config_param is not None:
            config = context.surroundings.config
            kind = signature.config_annotation
            given[signature.config_param] = config if isinstance(config, kind) else kind(**(config or {}))
        fn = self.op_spec.fn
        return fn(context, **given) if signature.context_param is not None else fn(**given)  # type: ignore[no-any-return]  # checked by _results


# ---------------------------------------------------------------- scripts


class ScriptSpec(OpSpec):
    """A script, and the op around it."""

    type: Literal["script"] = "script"
    path: str
    args: list[str] | str | None = None

    def command(self, interpreter: list[str], folder: Path) -> list[str]:
        """The command line that runs it."""
        file = folder / self.path
        if not file.is_file():
            raise ComponentError(f"there is no script {file}", mend="correct `path:`, which is relative to the defs.yaml")
        return [*interpreter, str(file), *(shlex.split(self.args) if isinstance(self.args, str) else self.args or [])]


class _ScriptComponent(ExecutableComponent):
    execution: ScriptSpec

    @property
    def op_spec(self) -> OpSpec:
        return self.execution.model_copy(update={"name": self.execution.name or _op_name(self.execution.path)})

    @abstractmethod
    def interpreter(self) -> list[str]:
        """What the script's path is given to."""

    def invoke_execute_fn(self, context: Any, component_load_context: ComponentLoadContext) -> Iterable[Any]:
        command = self.execution.command(self.interpreter(), component_load_context.path)
        return PipesSubprocessClient().run(context=context, command=command).get_results(implicit_materializations=bool(self.assets))


def _op_name(path: str) -> str:
    return "".join(char if char.isalnum() or char == "_" else "_" for char in Path(path).stem)


class PythonScriptComponent(_ScriptComponent):
    """Assets and checks made by a Python script, in a process of its own, that may report by Pipes.

    In YAML: `execution: {path: make.py, args: [--all]}` and `assets: [{key: table}]`.
    """

    def interpreter(self) -> list[str]:
        return [sys.executable]


class UvRunComponent(_ScriptComponent):
    """As PythonScriptComponent, started by `uv run`, which installs what the script declares that it needs."""

    def interpreter(self) -> list[str]:
        found = shutil.which("uv")
        if found is None:
            raise ComponentError("UvRunComponent needs the program uv, which is not on the PATH", mend="install uv")
        return [found, "run"]
