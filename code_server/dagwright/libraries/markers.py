"""Marks for a library's own functions and classes: public, beta, to be removed. A marked one warns when it is used.

Libraries that were written for Dagster import these from one of its private modules; `dagwright migrate` points them here.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from dagwright.authoring.warning_classes import BetaWarning, PreviewWarning, SupersessionWarning

T = TypeVar("T")

_PUBLIC = "_is_public"


def public(obj: T) -> T:
    """Say that a method or class is part of a library's public API; `is_public` tells it.

    Example:
        >>> @public
        ... def load(): ...
        >>> is_public(load)
        True
    """
    setattr(_function(obj), _PUBLIC, True)
    return obj


def is_public(obj: Any) -> bool:
    """Whether `public` has marked it."""
    return bool(getattr(_function(obj), _PUBLIC, False))


def _function(obj: Any) -> Any:
    """What an attribute can be put on: the function inside of a property or a class method."""
    if isinstance(obj, property):
        return obj.fget
    return getattr(obj, "__func__", obj)


class _Mark:
    """A kind of mark: `@mark`, `@mark(additional_warn_text=...)`, or for an argument `@mark.of_argument(param="x")`."""

    def __init__(self, said: str, category: type[Warning]) -> None:
        self._said, self._category = said, category

    def __call__(
        self,
        obj: Any = None,
        /,
        *,
        breaking_version: str | None = None,
        additional_warn_text: str | None = None,
        subject: str | None = None,
        emit_runtime_warning: bool = True,
    ) -> Any:
        def mark(target: Any) -> Any:
            if not emit_runtime_warning:
                return target
            name = str(subject or getattr(_function(target), "__qualname__", repr(target)))
            return self._warning(target, self._text(name, breaking_version, additional_warn_text), lambda _: True)

        return mark if obj is None else mark(obj)

    def of_argument(
        self,
        *,
        param: str,
        breaking_version: str | None = None,
        additional_warn_text: str | None = None,
        emit_runtime_warning: bool = True,
    ) -> Callable[[T], T]:
        """Warn when one argument is given."""

        def mark(target: T) -> T:
            if not emit_runtime_warning:
                return target
            name = f"the argument {param!r} of {getattr(_function(target), '__qualname__', repr(target))}"
            text = self._text(name, breaking_version, additional_warn_text)
            marked: T = self._warning(target, text, lambda given: given.get(param) is not None)
            return marked

        return mark

    def _text(self, name: str, version: str | None, more: str | None) -> str:
        until = f", in version {version}" if version else ""
        return f"{name} {self._said}{until}." + (f" {more}" if more else "")

    def _warning(self, target: Any, text: str, concerns: Callable[[dict[str, Any]], bool]) -> Any:
        if isinstance(target, (classmethod, staticmethod)):
            return type(target)(self._warning(target.__func__, text, concerns))
        if isinstance(target, property):
            return property(self._warning(target.fget, text, concerns), target.fset, target.fdel, target.__doc__)
        if isinstance(target, type):
            target.__init__ = self._warning(target.__init__, text, concerns)  # type: ignore[misc]
            return target
        signature, category = inspect.signature(target), self._category

        @functools.wraps(target)
        def warned(*args: Any, **kwargs: Any) -> Any:
            if concerns(signature.bind_partial(*args, **kwargs).arguments):
                warnings.warn(text, category, stacklevel=2)
            return target(*args, **kwargs)

        return warned


preview = _Mark("is a preview, and may change without notice", PreviewWarning)
beta = _Mark("is beta, and may change between versions", BetaWarning)
experimental = beta
superseded = _Mark("is superseded", SupersessionWarning)
deprecated = _Mark("is deprecated and will be removed", DeprecationWarning)
preview_param, beta_param, experimental_param = preview.of_argument, beta.of_argument, beta.of_argument
superseded_param, deprecated_param = superseded.of_argument, deprecated.of_argument
