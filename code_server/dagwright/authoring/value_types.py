"""Types of inputs and outputs that are checked while a step runs: classes, typing annotations, and checks of users' own."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, get_args, get_origin

from dagwright.authoring import results
from dagwright.authoring import source as sources
from dagwright.authoring.type_loaders import TypeLoader
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DagwrightError, DefinitionError
from dagwright_shared.model.metadata import Metadata, normalize_metadata

C = TypeVar("C", bound=type)

# The generic types by the names that Dagster gives them.
List, Dict, Set, Tuple, Optional = typing.List, typing.Dict, typing.Set, typing.Tuple, typing.Optional  # noqa: UP006


class TypeCheckError(DagwrightError, TypeError):
    """A value is not of the type that its input or output declares."""


class TypeCheck:
    """What a check of a value found, with a description and metadata of it.

    Args:
        success: whether the value fits.
        description: why not.
        metadata: facts about the value.
    """

    def __init__(self, success: bool, description: str | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        self.success, self.description = success, description
        self.metadata: Metadata = normalize_metadata(metadata)


class ValueType:
    """A type with a check of its own, for `In`, `Out` and annotations.

    Args:
        type_check_fn: called with a context (which may be None) and the value; gives a bool or a TypeCheck.
        name: shown in errors.
        description: for people.
        loader: makes a value from run config for an input that nothing feeds; see `@dagster_type_loader`.
        typing_type: what it is to a type checker.
        metadata: of the type.

    Example:
        >>> even = ValueType(name="Even", type_check_fn=lambda _, value: value % 2 == 0)
        >>> check_dagster_type(even, 3).success
        False
    """

    def __init__(
        self,
        type_check_fn: Callable[[Any, Any], bool | TypeCheck],
        key: str | None = None,
        name: str | None = None,
        description: str | None = None,
        loader: TypeLoader | None = None,
        required_resource_keys: Iterable[str] | None = None,
        typing_type: Any = Any,
        metadata: Mapping[str, Any] | None = None,
        is_builtin: bool = False,
    ) -> None:
        if not callable(type_check_fn):
            raise DefinitionError(
                f"type {name!r}: type_check_fn is {type_check_fn!r}",
                source=sources.of_caller(),
                mend="give a function of a context and a value",
            )
        del is_builtin
        self.type_check_fn, self.loader, self.typing_type, self.description = type_check_fn, loader, typing_type, description
        self.key = key or name or "Type"
        self.unique_name = name
        if loader is not None and not isinstance(loader, TypeLoader):
            raise DefinitionError(
                f"type {name!r}: loader is a {type(loader).__name__}",
                source=sources.of_caller(),
                mend="give a function decorated with @dagster_type_loader",
            )
        self.required_resource_keys = frozenset(required_resource_keys or ()) | (loader.required_resource_keys() if loader else frozenset())
        self.metadata: Metadata = normalize_metadata(metadata)

    @property
    def display_name(self) -> str:
        return self.unique_name or self.key

    def type_check(self, context: Any, value: Any) -> TypeCheck:
        """Check a value.

        Raises:
            TypeCheckError: the function gave neither a bool nor a TypeCheck.
        """
        found = self.type_check_fn(context, value)
        if isinstance(found, TypeCheck):
            return found
        if not isinstance(found, bool):
            raise TypeCheckError(f"the check of type {self.display_name!r} gave {found!r}; give a bool or a TypeCheck")
        return TypeCheck(found, None if found else f"the value {value!r:.80} is not a {self.display_name}")

    def __repr__(self) -> str:
        return f"<type {self.display_name}>"


class PythonClassType(ValueType):
    """A type whose values are the instances of a class, or of one of several.

    Example:
        >>> check_dagster_type(PythonClassType(int, name="Count"), "x").success
        False
    """

    def __init__(self, python_type: type | tuple[type, ...], key: str | None = None, name: str | None = None, **options: Any) -> None:
        classes = python_type if isinstance(python_type, tuple) else (python_type,)
        if not all(isinstance(one, type) for one in classes):
            raise DefinitionError(
                f"PythonObjectDagsterType was given {python_type!r}", source=sources.of_caller(), mend="give a class, or a tuple of classes"
            )
        self.python_type = python_type
        names = " or ".join(one.__name__ for one in classes)

        def check(_: Any, value: Any) -> TypeCheck:
            fits = isinstance(value, classes)
            return TypeCheck(fits, None if fits else f"the value is a {type(value).__name__}, not a {names}")

        options.setdefault("typing_type", classes[0] if len(classes) == 1 else Any)
        super().__init__(check, key=key, name=name or names, **options)


_registered: dict[type, ValueType] = {}


def make_python_type_usable_as_dagster_type(python_type: type, dagster_type: ValueType) -> None:
    """Have annotations with this class mean this type."""
    if not isinstance(python_type, type) or not isinstance(dagster_type, ValueType):
        raise DefinitionError(
            f"make_python_type_usable_as_dagster_type was given {python_type!r} and {dagster_type!r}",
            source=sources.of_caller(),
            mend="give a class and a DagsterType",
        )
    _registered[python_type] = dagster_type


def usable_as_dagster_type(name: Any = None, description: str | None = None, loader: Any = None) -> Any:
    """Decorate a class to give its type a name, a description or a loader.

    Example:
        >>> @usable_as_dagster_type(name="Shape")
        ... class Polygon:
        ...     pass
        >>> type_name(Polygon)
        'Shape'
    """

    def decorate(cls: C, called: str | None = None) -> C:
        _registered[cls] = PythonClassType(cls, name=called or cls.__name__, description=description, loader=loader)
        return cls

    if isinstance(name, type):
        return decorate(name)
    return lambda cls: decorate(cls, name)


def own_type(annotation: Any) -> ValueType | None:
    """The type with a check of its own that an annotation stands for."""
    if isinstance(annotation, ValueType):
        return annotation
    return _registered.get(annotation) if isinstance(annotation, type) else None


_IN_CONFIG = (None, Any, str, int, float, bool, list, dict, type(None))


def fits_config(annotation: Any) -> bool:
    """Whether run config can give a value of a type: one that JSON has, or that has a loader."""
    own = own_type(annotation)
    if own is not None:
        return own.loader is not None
    if get_origin(annotation) in (list, dict, typing.Union, types.UnionType):
        return all(fits_config(one) for one in get_args(annotation))
    return any(annotation is known for known in _IN_CONFIG)


def check_dagster_type(dagster_type: Any, value: Any) -> TypeCheck:
    """Check a value against a type, as a step would.

    Example:
        >>> check_dagster_type(list[int], [1, "x"]).success
        False
    """
    return check(dagster_type, value, None)


def type_name(annotation: Any) -> str:
    """How a type is called in errors."""
    known = own_type(annotation)
    if known is not None:
        return known.display_name
    return annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation).replace("typing.", "")


@dataclass(frozen=True, slots=True)
class _Fits:
    """Whether a value fits, without the cost of a description."""

    context: Any

    def __call__(self, annotation: Any, value: Any) -> bool:
        return check(annotation, value, self.context).success


def check(annotation: Any, value: Any, context: Any) -> TypeCheck:
    """Check a value against an annotation; what cannot be checked fits."""
    own = own_type(annotation)
    if own is not None:
        return own.type_check(context, value)
    if _matches(annotation, value, _Fits(context)):
        return _FITS
    return TypeCheck(False, f"the value is a {type(value).__name__}, not a {type_name(annotation)}")


_FITS = TypeCheck(True)
_RESULTS = (results.Output, results.DynamicOutput, results.MaterializeResult, results.ObserveResult, results.AssetCheckResult)


def _matches(annotation: Any, value: Any, fits: _Fits) -> bool:
    origin = get_origin(annotation)
    if origin is None:
        return _is_instance(value, annotation)
    args = get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_about_results(one) or fits(one, value) for one in args)
    if not isinstance(origin, type) or _about_results(annotation):
        return True
    if not _is_instance(value, origin):
        return False
    if origin in (list, set, frozenset) and args:
        return all(fits(args[0], one) for one in value)
    if origin is dict and len(args) == 2:
        return all(fits(args[0], key) and fits(args[1], one) for key, one in value.items())
    if origin is tuple and args and args[-1] is not Ellipsis:
        return len(value) == len(args) and all(fits(*pair) for pair in zip(args, value, strict=True))
    return True


def _about_results(annotation: Any) -> bool:
    """Whether it is about the records that a function gives, and not about a value."""
    bare = get_origin(annotation) or annotation
    return bare in _RESULTS or any(_about_results(one) for one in get_args(annotation))


def _is_instance(value: Any, cls: Any) -> bool:
    if not isinstance(cls, type) or cls in _RESULTS:
        return cls is not None or value is None
    if cls is float:
        return isinstance(value, float | int)
    try:
        return isinstance(value, cls)
    except TypeError:  # a protocol that is not for run time
        return True
