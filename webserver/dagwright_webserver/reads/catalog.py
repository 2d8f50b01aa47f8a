"""The assets of all locations in the order of their keys, and what can be filtered by: made once for each set of definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dagwright_shared.model.graph import AssetGraph
from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot

MOST_TAGS = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A definition of an asset."""

    key: str
    location: LocationName
    asset: AssetSnapshot
    words: str
    """What a text is looked for in: key and description, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    entries: tuple[Entry, ...] = ()
    """By key, then location."""
    groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """As `key=value`; at most 500."""
    locations: tuple[str, ...] = ()
    keys: int = 0
    """How many keys there are; a key that several locations define counts once."""
    external: Mapping[str, list[str]] = field(default_factory=lambda: {"locations": [], "keys": []})
    """The assets that somebody else makes."""
    shadowed: Mapping[str, list[str]] = field(default_factory=lambda: {"locations": [], "keys": []})
    """The definitions that do not count, as another location's of the same key does."""


def catalog(assets: Mapping[AssetKey, tuple[tuple[LocationName, AssetSnapshot], ...]], graph: AssetGraph) -> Catalog:
    entries = sorted(
        (
            Entry(text, place, asset, f"{text}\n{asset.description or ''}".lower())
            for key, found in assets.items()
            for text in [str(key)]
            for place, asset in found
        ),
        key=lambda entry: (entry.key, entry.location),
    )
    every = [entry.asset for entry in entries]
    return Catalog(
        entries=tuple(entries),
        groups=tuple(sorted({asset.group for asset in every})),
        kinds=tuple(sorted({kind for asset in every for kind in asset.kinds})),
        owners=tuple(sorted({owner for asset in every for owner in asset.owners})),
        tags=tuple(sorted({f"{name}={value}" if value else name for asset in every for name, value in asset.tags.items()})[:MOST_TAGS]),
        locations=tuple(sorted({entry.location for entry in entries})),
        keys=len(assets),
        external=_places(entries, lambda entry: entry.asset.execution is AssetExecution.EXTERNAL),
        shadowed=_places(entries, lambda entry: graph.asset(entry.asset.key).location != entry.location),
    )


def _places(entries: list[Entry], wanted: Callable[[Entry], bool]) -> Mapping[str, list[str]]:
    chosen = [entry for entry in entries if wanted(entry)]
    return {"locations": [entry.location for entry in chosen], "keys": [entry.key for entry in chosen]}
