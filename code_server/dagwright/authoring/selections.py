"""Selections of assets, as users write them."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any, TypeAlias

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright_shared.model import selection as model
from dagwright_shared.model import selection_text
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, InvalidRequestError
from dagwright_shared.model.keys import AssetCheckKey, AssetKey

CoercibleToAssetSelection: TypeAlias = "AssetSelection | str | Sequence[Any] | Any"


@dataclass(frozen=True, slots=True)
class AssetSelection:
    """Picks assets; combine selections with `|`, `&` and `-`.

    Example:
        >>> wanted = AssetSelection.groups("raw") - AssetSelection.tag("tier", "old")
        >>> wanted | AssetSelection.assets("report")
        AssetSelection(...)
    """

    node: model.Selection
    """The selection as data."""

    @staticmethod
    def all(include_sources: bool = False) -> AssetSelection:
        """Every asset; external ones only with `include_sources`."""
        return AssetSelection(model.All(external=include_sources))

    @staticmethod
    def assets(*assets_defs: Any) -> AssetSelection:
        """These assets: definitions, keys, or text such as `"schema/table"`."""
        found: list[AssetKey] = []
        for item in assets_defs:
            keys = getattr(item, "keys", None)
            if keys is not None and not callable(keys):
                found.extend(keys)
            else:
                found.append(naming.asset_key(item, "AssetSelection.assets", sources.of_caller()))
        return AssetSelection(model.Keys(tuple(found)))

    keys = assets

    @staticmethod
    def groups(*group_strs: str, include_sources: bool = False) -> AssetSelection:
        """All assets of these groups."""
        return _any([model.Attribute("group", name) for name in group_strs], include_sources)

    @staticmethod
    def tag(key: str, value: str, include_sources: bool = False) -> AssetSelection:
        """Assets with this tag; an empty value stands for any."""
        return _any([model.Attribute("tag", value or None, key)], include_sources)

    @staticmethod
    def tag_string(string: str, include_sources: bool = False) -> AssetSelection:
        """Assets with the tag `key=value`, or `key` of any value."""
        key, _, value = string.partition("=")
        return AssetSelection.tag(key, value, include_sources)

    @staticmethod
    def kind(kind: str | None, include_sources: bool = False) -> AssetSelection:
        """Assets of this kind."""
        return _any([model.Attribute("kind", kind)], include_sources)

    @staticmethod
    def owner(owner: str | None) -> AssetSelection:
        """Assets of this owner: an e-mail address, or `team:name`."""
        return _any([model.Attribute("owner", owner)], include_sources=True)

    @staticmethod
    def key_prefixes(*key_prefixes: Any, include_sources: bool = False) -> AssetSelection:
        """Assets whose keys begin so."""
        return _any([model.Prefix(tuple(naming.key_prefix(prefix))) for prefix in key_prefixes], include_sources)

    @staticmethod
    def key_substring(key_substring: str, include_sources: bool = False) -> AssetSelection:
        """Assets whose keys, as `a/b`, contain this."""
        return _any([model.Match(f"*{key_substring}*")], include_sources)

    @staticmethod
    def checks(*assets_or_keys: Any) -> AssetSelection:
        """These checks (definitions or AssetCheckKeys), and no asset."""
        found: list[AssetCheckKey] = []
        for item in assets_or_keys:
            found.extend([item] if isinstance(item, AssetCheckKey) else getattr(item, "check_keys", ()))
        return AssetSelection(model.Checks(tuple(found)))

    @staticmethod
    def checks_for_assets(*assets_defs: Any) -> AssetSelection:
        """The checks of these assets, and no asset."""
        return AssetSelection(model.ChecksOf(AssetSelection.assets(*assets_defs).node))

    @staticmethod
    def all_asset_checks() -> AssetSelection:
        """All checks, and no asset."""
        return AssetSelection(model.ChecksOf(model.All(external=True)))

    @staticmethod
    def from_string(string: str) -> AssetSelection:
        """Read the selection language, such as `"+group:report and not kind:python"`.

        Raises:
            DefinitionError: the text is not a selection; says where.
        """
        try:
            return AssetSelection(model.parse(string))
        except InvalidRequestError as error:
            raise DefinitionError(str(error), source=sources.of_caller()) from None

    @staticmethod
    def from_coercible(selection: CoercibleToAssetSelection) -> AssetSelection:
        """Whatever stands for a selection: one, its text, an asset, a key, or a list of those."""
        match selection:
            case AssetSelection():
                return selection
            case str():
                return AssetSelection.from_string(selection)
            case list() | tuple() | set() | frozenset():
                if all(not isinstance(item, str | AssetSelection) and not _only_checks(item) for item in selection):
                    return AssetSelection.assets(*selection)
                parts = [AssetSelection.from_coercible(item) if isinstance(item, str) else AssetSelection._of(item) for item in selection]
                return reduce(operator.or_, parts, AssetSelection(model.Keys(())))
            case _:
                return AssetSelection._of(selection)

    @staticmethod
    def _of(item: Any) -> AssetSelection:
        if isinstance(item, AssetSelection):
            return item
        if _only_checks(item):
            return AssetSelection.checks(item)
        return AssetSelection.assets(item)

    def upstream(self, depth: int | None = None, include_self: bool = True) -> AssetSelection:
        """Also what these depend on."""
        return AssetSelection(model.Computed(model.Reach(self.node, upstream=True, depth=depth, include_self=include_self)))

    def downstream(self, depth: int | None = None, include_self: bool = True) -> AssetSelection:
        """Also what depends on these."""
        return AssetSelection(model.Reach(self.node, upstream=False, depth=depth, include_self=include_self))

    def upstream_source_assets(self) -> AssetSelection:
        """The external assets that these depend on directly."""
        return AssetSelection(model.Sources(self.node))

    def roots(self) -> AssetSelection:
        """Those of these that depend on none of these."""
        return AssetSelection(model.Ends(self.node, roots=True))

    def sinks(self) -> AssetSelection:
        """Those of these that none of these depends on."""
        return AssetSelection(model.Ends(self.node, roots=False))

    def materializable(self) -> AssetSelection:
        """Those of these that a run can compute."""
        return AssetSelection(model.Computed(self.node))

    def required_multi_asset_neighbors(self) -> AssetSelection:
        """Also what the same multi-assets produce."""
        return AssetSelection(model.Neighbours(self.node))

    def without_checks(self) -> AssetSelection:
        """The same assets without their checks."""
        return AssetSelection(model.WithoutChecks(self.node))

    def resolve(self, all_assets: model.Selectable | Sequence[Any]) -> frozenset[AssetKey]:
        """The keys that it selects of a graph, or of a list of assets."""
        return model.resolve(self.node, _graph_of(all_assets) if isinstance(all_assets, Sequence) else all_assets)

    def resolve_checks(self, graph: model.Selectable) -> frozenset[AssetCheckKey]:
        return model.resolve_checks(self.node, graph)

    def to_selection_str(self) -> str:
        """The selection in the language that pages and `AssetSelection.from_string` read.

        Raises:
            NotImplementedError: the language has no words for a part of it, such as a selection of checks.

        Example:
            >>> str(AssetSelection.groups("raw") | AssetSelection.assets("report").downstream())
            'group:"raw" or key:"report"+'
        """
        text = selection_text.to_text(self.node)
        if text is None:
            raise NotImplementedError(f"{self!r} cannot be said in the selection language")
        return text

    def __str__(self) -> str:
        return selection_text.to_text(self.node) or repr(self)

    def __or__(self, other: object) -> AssetSelection:
        return AssetSelection(model.Or(self.node, AssetSelection.from_coercible(other).node))

    def __and__(self, other: object) -> AssetSelection:
        return AssetSelection(model.And(self.node, AssetSelection.from_coercible(other).node))

    def __sub__(self, other: object) -> AssetSelection:
        return AssetSelection(model.Minus(self.node, AssetSelection.from_coercible(other).node))


def _graph_of(assets: Sequence[Any]) -> model.Selectable:
    definitions = importlib.import_module("dagwright.authoring.definitions")  # it is above us
    graph: model.Selectable = definitions.Definitions(assets=assets).resolve().graph
    return graph


def _only_checks(item: Any) -> bool:
    return bool(getattr(item, "check_keys", None)) and not getattr(item, "keys", None)


def _any(parts: list[Any], include_sources: bool) -> AssetSelection:
    if not parts:
        return AssetSelection(model.Keys(()))
    joined = reduce(model.Or, parts)
    return AssetSelection(joined if include_sources else model.Computed(joined))
