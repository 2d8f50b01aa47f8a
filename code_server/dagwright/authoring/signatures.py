"""What a user's function asks for by its parameters: context, config, resources, inputs."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args, get_origin

from dagwright.authoring import source as sources
from dagwright.authoring.resources import RESOURCE_MARK, ConfigurableResource
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef

_CONTEXT_NAMES = frozenset({"context", "_context", "context_", "_context_", "_"})
_CONFIG = "config"
EMPTY = inspect.Parameter.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An input: a parameter that is neither context nor config nor a resource."""

    name: str
    annotation: Any
    """The resolved annotation, or `EMPTY`."""
    default: Any
    """The default value, or `EMPTY`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A function's parameters, sorted by what they receive."""

    context_param: str | None
    config_param: str | None
    config_annotation: Any
    resource_params: Mapping[str, str]
    """Argument to resource key; today they are the same."""
    inputs: tuple[Parameter, ...]
    takes_any: bool
    """Whether it has `**kwargs`."""
    returns: Any
    """The resolved return annotation, or `EMPTY`."""
    is_generator: bool
    is_async: bool

    def refuse_inputs(self, what: str, source: SourceRef | None, after: int = 0) -> None:
        """Of a schedule or sensor: raise DefinitionError for arguments after the first few that are neither context nor resource."""
        for stray in self.inputs[after:]:
            raise DefinitionError(
                f"{what}: its function has the argument {stray.name!r}, which is neither the context nor a resource",
                source=source,
                mend=mend_argument(stray.annotation, "annotate it with the resource's class"),
            )


def read(fn: Callable[..., Any], what: str, source: SourceRef | None, *, plain_context: bool = False) -> Signature:
    """Sort a function's parameters.

    Args:
        what: the object in error messages, such as `@asset flights`.
        plain_context: take an un-annotated first parameter as the context whatever its name is (schedules and sensors).
    """
    if not callable(fn):
        raise DefinitionError(
            f"{what} decorates a {type(fn).__name__}, not a function", source=sources.of_caller(), mend="put the decorator on a `def`"
        )
    hints = _annotations(fn)
    context = config = None
    config_annotation: Any = EMPTY
    resources: dict[str, str] = {}
    inputs: list[Parameter] = []
    takes_any = False
    for position, (name, kind, default) in enumerate(_parameters(fn)):
        annotation = hints.get(name, EMPTY)
        if kind is inspect.Parameter.VAR_KEYWORD:
            takes_any = True
        elif kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
            raise DefinitionError(
                f"{what} has the parameter {name!r}, which cannot be filled by name", source=source, mend="name each parameter"
            )
        elif is_resource(annotation):
            resources[name] = name
        elif position == 0 and (name in _CONTEXT_NAMES or _is_context(annotation) or (plain_context and annotation is EMPTY)):
            context = name
        elif name == _CONFIG:
            config, config_annotation = name, annotation
        else:
            inputs.append(Parameter(name=name, annotation=annotation, default=default))
    if config is not None and config_annotation is EMPTY:
        raise DefinitionError(
            f"{what} has an argument `config` without a type", source=source, mend="annotate it with a class derived from dagwright.Config"
        )
    if isinstance(config_annotation, str):
        raise DefinitionError(f"{what}: the type of its config {absent(config_annotation)}", source=source, mend=IMPORT_IT)
    plain = inspect.unwrap(fn)
    return Signature(
        context_param=context,
        config_param=config,
        config_annotation=config_annotation,
        resource_params=resources,
        inputs=tuple(inputs),
        takes_any=takes_any,
        returns=hints.get("return", EMPTY),
        is_generator=inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain),
        is_async=inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain),
    )


IMPORT_IT = "import the class outside of `if TYPE_CHECKING:`, before the function that needs it"


def absent(annotation: str) -> str:
    """What is said of an annotation whose name is not there when the code runs."""
    return f"is written {annotation!r}, a name that is not there when the code runs"


def mend_argument(annotation: Any, usual: str) -> str:
    """How to mend an argument that is taken for something else: by the usual advice, unless its annotation could not be looked up."""
    return f"its type {absent(annotation)}; if it is a resource or config, {IMPORT_IT}" if isinstance(annotation, str) else usual


def is_resource(annotation: Any) -> bool:
    """Whether a parameter so annotated receives a resource."""
    if isinstance(annotation, type):
        return issubclass(annotation, ConfigurableResource) or getattr(annotation, "is_resource", False) is True
    return RESOURCE_MARK in getattr(annotation, "__metadata__", ())


def type_name(annotation: Any) -> str:
    """An annotation as pages show it: `DataFrame`, `list[int]`."""
    if annotation is EMPTY or annotation is Any or annotation is None:
        return "Any"
    if isinstance(annotation, str):
        return annotation
    origin = get_origin(annotation)
    if origin is None:
        return getattr(annotation, "__name__", None) or str(annotation)
    inner = ", ".join("..." if part is Ellipsis else type_name(part) for part in get_args(annotation))
    name = getattr(origin, "__name__", None) or str(origin)
    return " | ".join(type_name(part) for part in get_args(annotation)) if name in ("Union", "UnionType") else f"{name}[{inner}]"


def _parameters(fn: Callable[..., Any]) -> Iterable[tuple[str, inspect._ParameterKind, Any]]:
    """Name, kind and default of each parameter."""
    code = getattr(fn, "__code__", None)
    if (
        code is None
        or hasattr(fn, "__wrapped__")
        or code.co_posonlyargcount
        or code.co_flags & inspect.CO_VARARGS
        or hasattr(fn, "__signature__")
    ):
        return [(p.name, p.kind, p.default) for p in inspect.signature(fn).parameters.values()]
    # What `inspect.signature` finds, at a tenth of its cost: a location may have ten thousand functions.
    names, count = code.co_varnames, code.co_argcount
    defaults = fn.__defaults__ or ()
    first = count - len(defaults)
    found: list[tuple[str, inspect._ParameterKind, Any]] = [
        (names[i], inspect.Parameter.POSITIONAL_OR_KEYWORD, defaults[i - first] if i >= first else EMPTY) for i in range(count)
    ]
    if inspect.ismethod(fn):
        found = found[1:]
    end = count + code.co_kwonlyargcount
    by_keyword = getattr(fn, "__kwdefaults__", None) or {}
    found.extend((name, inspect.Parameter.KEYWORD_ONLY, by_keyword.get(name, EMPTY)) for name in names[count:end])
    if code.co_flags & inspect.CO_VARKEYWORDS:
        found.append((names[end], inspect.Parameter.VAR_KEYWORD, EMPTY))
    return found


def _is_context(annotation: Any) -> bool:
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return isinstance(name, str) and name.rpartition(".")[2].endswith("Context")


def _annotations(fn: Callable[..., Any]) -> dict[str, Any]:
    plain = inspect.unwrap(fn)
    if not inspect.isfunction(plain):
        plain = getattr(plain, "func", None) or type(plain).__call__
    raw: dict[str, Any] = dict(getattr(plain, "__annotations__", {}))
    if not any(isinstance(value, str) for value in raw.values()):
        return raw
    # Text (from __future__ import annotations): look names up where the function was written, local classes included.
    scope = {**sources.caller_names(), **dict(zip(plain.__code__.co_freevars, _cells(plain), strict=False))}
    return {name: _evaluate(value, plain.__globals__, scope) for name, value in raw.items()}


def _evaluate(value: Any, module: dict[str, Any], scope: dict[str, Any]) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return eval(value, module, scope)
    except NameError:
        # A name that is imported for type checkers only. Alone, its text is all that we need; inside another type it may be anything.
        return value if value.replace(".", "").isidentifier() else _with_anything(value, module, scope)
    except Exception:  # noqa: BLE001 - what is no type is told where a type is needed
        return value


def _with_anything(value: str, module: dict[str, Any], scope: dict[str, Any]) -> Any:
    """`ResourceParam[Client]` where only `Client` is unknown."""

    class Names(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            return module[name] if name in module else getattr(builtins, name, Any)

    try:
        return eval(value, {}, Names(scope))
    except Exception:  # noqa: BLE001 - as above
        return value


def _cells(fn: Any) -> list[Any]:
    found = []
    for cell in fn.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            found.append(EMPTY)
    return found


def doc(fn: Callable[..., Any]) -> str | None:
    """The docstring without its indentation."""
    text = getattr(fn, "__doc__", None)
    if not text:
        return None
    lines = text.strip().expandtabs().splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()), default=0)
    return "\n".join([lines[0], *(line[margin:].rstrip() for line in lines[1:])]).strip()
