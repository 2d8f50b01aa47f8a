"""Hooks: functions that are called after a step has succeeded or failed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass, replace
from enum import Enum
from typing import Any, overload

from dagwright.authoring import naming, signatures
from dagwright.authoring import source as sources
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef


class HookMoment(Enum):
    """When a hook is called."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HookDefinition:
    """A hook. Made by `@success_hook` and `@failure_hook`; give it to `hooks=` or `.with_hooks()`, or decorate a job with it."""

    name: str
    hook_fn: Callable[[Any], Any]
    moment: HookMoment
    required_resource_keys: AbstractSet[str] = frozenset()
    description: str | None = None
    source: SourceRef | None = None

    def __call__(self, target: Any) -> Any:
        """Put the hook on a job, or call its function with a context, as a test does."""
        if is_dataclass(target) and hasattr(target, "hook_defs"):
            return replace(target, hook_defs=frozenset(target.hook_defs) | {self})  # type: ignore[type-var]
        if hasattr(target, "with_hooks"):
            return target.with_hooks({self})
        return self.hook_fn(target)

    def __repr__(self) -> str:
        return f"<{self.moment.value} hook {self.name}>"


@overload
def success_hook(hook_fn: Callable[[Any], Any], /) -> HookDefinition: ...
@overload
def success_hook(
    *, name: str | None = ..., required_resource_keys: AbstractSet[str] | None = ...
) -> Callable[[Callable[[Any], Any]], HookDefinition]: ...
def success_hook(hook_fn: Callable[[Any], Any] | None = None, /, **options: Any) -> Any:
    """Turn a function of a `HookContext` into a hook that is called after a step has succeeded.

    What it raises is told as an event, and changes nothing about the step.

    Args:
        name: by default the function's.
        required_resource_keys: keys of `context.resources`.

    Raises:
        DefinitionError: the function does not take one argument named `context`.

    Example:
        >>> from dagwright import build_hook_context, success_hook
        >>> @success_hook
        ... def tell(context):
        ...     context.log.info("%s is done", context.step_key)
        >>> tell(build_hook_context())
    """
    return _decorator(hook_fn, HookMoment.SUCCESS, options)


@overload
def failure_hook(hook_fn: Callable[[Any], Any], /) -> HookDefinition: ...
@overload
def failure_hook(
    *, name: str | None = ..., required_resource_keys: AbstractSet[str] | None = ...
) -> Callable[[Callable[[Any], Any]], HookDefinition]: ...
def failure_hook(hook_fn: Callable[[Any], Any] | None = None, /, **options: Any) -> Any:
    """Turn a function of a `HookContext` into a hook that is called after a step has failed for good; `context.op_exception` says why.

    Arguments and errors are those of `success_hook`. A step whose process was killed calls no hooks.

    Example:
        >>> from dagwright import failure_hook
        >>> @failure_hook(required_resource_keys={"chat"})
        ... def complain(context):
        ...     context.resources.chat.send(str(context.op_exception))
        >>> complain.name
        'complain'
    """
    return _decorator(hook_fn, HookMoment.FAILURE, options)


_CONTEXT = frozenset({"context", "_context", "context_", "_"})


def _decorator(fn: Callable[[Any], Any] | None, moment: HookMoment, options: dict[str, Any]) -> Any:
    if fn is None:
        return lambda given: _make(given, moment, **options)
    return _make(fn, moment)


def _make(
    fn: Callable[[Any], Any], moment: HookMoment, *, name: str | None = None, required_resource_keys: AbstractSet[str] | None = None
) -> HookDefinition:
    source = sources.of_function(fn)
    called = naming.check_name(name or getattr(fn, "__name__", None), "hook", source)
    code = getattr(fn, "__code__", None)
    if code is not None and (code.co_argcount == 0 or code.co_varnames[0] not in _CONTEXT):
        has = f"the argument {code.co_varnames[0]!r}" if code.co_argcount else "no argument"
        raise DefinitionError(f"hook {called!r} takes {has}, not `context`", source=source, mend=f"write def {called}(context)")
    keys = required_resource_keys or frozenset()
    if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
        raise DefinitionError(f"hook {called!r}: required_resource_keys is {keys!r}", source=source, mend='give a set of names: {"db"}')
    return HookDefinition(
        name=called, hook_fn=fn, moment=moment, required_resource_keys=frozenset(keys), description=signatures.doc(fn), source=source
    )
