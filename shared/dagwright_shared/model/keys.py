"""Names of things: assets, checks, runs, steps, partitions."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NewType, TypeAlias

RunId = NewType("RunId", str)
"""A UUID (version 7, so that ids sort by time) in its 36-character form."""

StepKey = NewType("StepKey", str)
"""Name of a step inside a run, such as `clean` or `outer.inner`; unique in the run."""

LocationName = NewType("LocationName", str)
"""Name of a code location: one user project served by a code server."""

Digest = NewType("Digest", str)
"""Hex SHA-256 of a location's snapshot. Two equal digests mean equal definitions."""

PartitionKey: TypeAlias = tuple[str, ...]
"""One component for each dimension of the partitions definition; `()` means unpartitioned."""

UNPARTITIONED: PartitionKey = ()

_ASSET_COMPONENT = re.compile(r"[^\x00-\x1f/]+\Z")


@dataclass(frozen=True, slots=True, order=True, init=False)
class AssetKey:
    """The identity of an asset inside a deployment: a path of one or more components.

    Takes a string (one component), or a sequence of strings.

    Raises:
        ValueError: a component is empty or has a slash or a control character.

    Example:
        >>> AssetKey(["raw", "flights"]).to_user_string()
        'raw/flights'
        >>> AssetKey("flights") == AssetKey(["flights"])
        True
    """

    parts: tuple[str, ...]

    def __init__(self, path: str | Sequence[str]) -> None:
        parts = (path,) if isinstance(path, str) else tuple(path)
        if not parts or not all(isinstance(part, str) and _ASSET_COMPONENT.match(part) for part in parts):
            raise ValueError(
                f"{path!r} is not an asset key: it needs one or more non-empty components without '/' or control "
                'characters; write AssetKey(["schema", "table"]) for the key schema/table'
            )
        object.__setattr__(self, "parts", parts)

    @property
    def path(self) -> list[str]:
        """The components, as a list of the caller's own."""
        return list(self.parts)

    @staticmethod
    def from_user_string(text: str) -> AssetKey:
        """Read the form `schema/table` that people type and URLs carry."""
        return _asset_key(text)

    @staticmethod
    def from_coercible(arg: AssetKey | str | Sequence[str]) -> AssetKey:
        """A key in the ways that people write it: itself, text such as `schema/table`, or its components."""
        if isinstance(arg, AssetKey):
            return arg
        return AssetKey.from_user_string(arg) if isinstance(arg, str) else AssetKey(arg)

    @staticmethod
    def from_coercible_or_definition(arg: Any) -> AssetKey:
        """As `from_coercible`, also of what has a key, such as an asset or a spec."""
        key = getattr(arg, "key", None)
        return key if isinstance(key, AssetKey) else AssetKey.from_coercible(arg)

    def to_user_string(self) -> str:
        return "/".join(self.parts)

    def to_string(self) -> str:
        """The components as JSON, such as `["schema", "table"]`."""
        return json.dumps(self.parts)

    def to_python_identifier(self, suffix: str | None = None) -> str:
        """The key as one identifier, its components joined by two underscores."""
        return "__".join(self.parts if suffix is None else (*self.parts, suffix)).replace("-", "_").replace(".", "_")

    def with_prefix(self, prefix: str | Sequence[str]) -> AssetKey:
        head = (prefix,) if isinstance(prefix, str) else tuple(prefix)
        return AssetKey((*head, *self.parts))

    def has_prefix(self, prefix: Sequence[str]) -> bool:
        return self.parts[: len(prefix)] == tuple(prefix)

    def __repr__(self) -> str:
        """Also `str()` and f-strings: what people read is `to_user_string()`."""
        return f"AssetKey({list(self.parts)!r})"


@lru_cache(maxsize=4_096)
def _asset_key(text: str) -> AssetKey:
    """A step that says a hundred thousand things of an asset names it as often."""
    return AssetKey(text.split("/"))


@dataclass(frozen=True, slots=True, order=True)
class AssetCheckKey:
    """The identity of a check: the asset that it judges, and its name there."""

    asset_key: AssetKey
    name: str

    def to_user_string(self) -> str:
        return f"{self.asset_key.to_user_string()}:{self.name}"

    def replace_asset_key(self, asset_key: AssetKey) -> AssetCheckKey:
        """The check of this name of another asset."""
        return AssetCheckKey(asset_key, self.name)

    def with_asset_key_prefix(self, prefix: str | Sequence[str]) -> AssetCheckKey:
        return AssetCheckKey(self.asset_key.with_prefix(prefix), self.name)

    @staticmethod
    def from_user_string(text: str) -> AssetCheckKey:
        asset, _, name = text.rpartition(":")
        return AssetCheckKey(AssetKey.from_user_string(asset), name)


AssetOrCheckKey: TypeAlias = AssetKey | AssetCheckKey


def format_partition(key: PartitionKey) -> str | None:
    """A partition key as people see it: `2013-01-01`, `2013-01-01|eu`; None when unpartitioned."""
    return "|".join(key) if key else None


def parse_partition(text: str | None, dimensions: int = 1) -> PartitionKey:
    """Read what people type. With one dimension the text is the key as it is, `|` included."""
    if text is None:
        return UNPARTITIONED
    return (text,) if dimensions <= 1 else tuple(text.split("|", dimensions - 1))


def asset_keys(keys: Iterable[str]) -> tuple[AssetKey, ...]:
    return tuple(AssetKey.from_user_string(key) for key in keys)


_last_id = 0
_id_lock = threading.Lock()


def new_run_id() -> RunId:
    """A fresh UUID of version 7 (RFC 9562): ids made later by this process sort later."""
    global _last_id  # noqa: PLW0603 - the monotonic counter is the point
    with _id_lock:
        # 60 bits: milliseconds, then a 12-bit counter in place of rand_a.
        stamp = max((time.time_ns() // 1_000_000) << 12, _last_id + 1)
        _last_id = stamp
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    value = ((stamp >> 12) << 80) | (0x7 << 76) | ((stamp & 0xFFF) << 64) | (0b10 << 62) | random
    return RunId(str(uuid.UUID(int=value)))
