"""Whether what an asset's function returns can be what a function downstream takes, as far as their annotations tell.

Only edges over which the value passes unchanged are judged: any other IO manager, and any input manager, may convert it. The answer is
a warning and never an error; docs/adr tells why.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from dagwright.authoring import value_types
from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.graphs import GraphDefinition
from dagwright.authoring.ops import Nothing
from dagwright.authoring.resolution import ResolvedDefinitions
from dagwright.authoring.signatures import type_name
from dagwright.authoring.value_types import ValueType
from dagwright.execution.io_managers import FilesystemIOManager, InMemoryIOManager, fs_io_manager, mem_io_manager
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.snapshot import LoadWarning

_NUMBERS = (bool, int, float)
_UNIONS = (typing.Union, types.UnionType)


def warnings(resolved: ResolvedDefinitions) -> Iterator[LoadWarning]:
    """One for each edge whose two types have no value in common."""
    for definition in resolved.assets:
        if definition.op is None:
            continue
        for name, key in definition.loaded_by_input_name.items():
            wanted = definition.op.ins[name]
            upstream = resolved.assets_by_key.get(key)
            if upstream is None or wanted.input_manager_key is not None or not _passes_unchanged(upstream, key, resolved):
                continue
            if upstream.specs_by_key[key].partitions_def is not None and get_origin(wanted.dagster_type) is dict:
                continue  # several partitions, by key
            made = _made(upstream, key)
            if not can_be(made, wanted.dagster_type):
                above, below = key.to_user_string(), next(iter(definition.keys)).to_user_string()
                yield LoadWarning(
                    message=f"asset {below} takes `{name}` as {_named(wanted.dagster_type)}, but the function of {above} returns "
                    f"{_named(made)}: a run that loads it will fail. Change one of the two annotations, or give {above} an IO manager that "
                    "converts",
                    source=definition.source,
                )


def can_be(made: Any, wanted: Any) -> bool:
    """Whether some value may be of both types. What cannot be judged may be.

    Example:
        >>> can_be(int, str), can_be(int, float), can_be(list[int], list[str]), can_be(int | None, int)
        (False, True, False, True)
    """
    made, wanted = _plain(made), _plain(wanted)
    if made is None or wanted is None:
        return True
    for one, other in ((made, wanted), (wanted, made)):
        if get_origin(one) in _UNIONS:
            return any(can_be(part, other) for part in get_args(one))
    left, right = get_origin(made) or made, get_origin(wanted) or wanted
    if not isinstance(left, type) or not isinstance(right, type):
        return True
    return _classes(left, right) and _arguments(left, right, get_args(made), get_args(wanted))


def _classes(left: type, right: type) -> bool:
    if getattr(left, "_is_protocol", False) or getattr(right, "_is_protocol", False):
        return True
    if left in _NUMBERS and right in _NUMBERS:
        return True  # where a float is declared, an int may be given
    try:
        return issubclass(left, right) or issubclass(right, left)
    except TypeError:
        return True


def _arguments(left: type, right: type, made: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    if left is not right or left not in (list, dict, set, frozenset) or len(made) != len(wanted):
        return True
    return all(can_be(*pair) for pair in zip(made, wanted, strict=True))


def _plain(annotation: Any) -> Any:
    """A class or a typing annotation; None where anything goes."""
    own = value_types.own_type(annotation)
    if own is not None:
        annotation = own.typing_type
    if annotation is Any or annotation is Nothing or isinstance(annotation, str | ValueType):
        return None
    return type(None) if annotation is type(None) else annotation


def _named(annotation: Any) -> str:
    return value_types.type_name(annotation) if value_types.own_type(annotation) is not None else type_name(annotation)


def _made(upstream: AssetsDefinition, key: AssetKey) -> Any:
    node: Any = upstream.node_def
    name = upstream.output_names_by_key.get(key)
    if node is None or name is None or isinstance(node, GraphDefinition):
        return None
    return node.outs[name].dagster_type


def _passes_unchanged(upstream: AssetsDefinition, key: AssetKey, resolved: ResolvedDefinitions) -> bool:
    manager = resolved.resources.get(upstream.io_manager_key_of(key))
    return manager is None or manager in (fs_io_manager, mem_io_manager) or type(manager) in (FilesystemIOManager, InMemoryIOManager)
