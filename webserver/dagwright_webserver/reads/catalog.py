"""The assets of all locations in the order of their keys, and what can be filtered by: made once for each set of definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.snapshot import AssetSnapshot

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


def catalog(assets: Mapping[AssetKey, tuple[tuple[LocationName, AssetSnapshot], ...]]) -> Catalog:
    entries = sorted(
        (
            Entry(text, place, asset, f"{text}\n{asset.description or ''}".lower())
            for key, found in assets.items()
            for text in [key.to_user_string()]
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
    )
