"""Names that users give: which are allowed, and how asset keys are written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.keys import AssetKey

if TYPE_CHECKING:
    from dagwright.authoring.assets import AssetsDefinition
    from dagwright.authoring.specs import AssetSpec

CoercibleToAssetKey: TypeAlias = "AssetKey | str | Sequence[str]"
CoercibleToAssetKeyPrefix: TypeAlias = "str | Sequence[str]"
CoercibleToAsset: TypeAlias = "AssetKey | str | Sequence[str] | AssetsDefinition | AssetSpec"

_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
_ASSET_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_TAG_KEY = re.compile(r"([A-Za-z0-9._-]{1,63}/)?[A-Za-z0-9._-]{1,63}\Z")
_GROUP = re.compile(r"[A-Za-z0-9_/-]+\Z")
_RESERVED = frozenset({"context", "input", "output", "meta", "config", "resources"})
_OWNER = re.compile(r"(team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,})\Z")
_NOT_IDENTIFIER = re.compile(r"[^A-Za-z0-9_]")


def check_name(name: object, kind: str, source: SourceRef | None = None) -> str:
    """Return the name of an op, job, schedule ... if it is one that config paths and URLs can carry."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise DefinitionError(
            f"{name!r} is not a valid name for {_article(kind)} {kind}", source=source, mend="use letters, digits and underscores only"
        )
    return name


def check_asset_name(name: object, source: SourceRef | None) -> str:
    """Return the name of an asset, which may have '-' and '.', as names of tables and files do."""
    if not isinstance(name, str) or not _ASSET_NAME.match(name):
        raise DefinitionError(
            f"{name!r} is not a valid name for an asset", source=source, mend="use letters, digits, underscores, '-' and '.' only"
        )
    return name


def check_input_name(name: str, kind: str, source: SourceRef | None) -> str:
    """Return the name of an input if it is none that functions receive other things by."""
    if name in _RESERVED:
        raise DefinitionError(f"{kind} may not have an input named {name!r}, which is reserved", source=source, mend="rename the argument")
    return check_name(name, "input", source)


def check_group(name: str | None, owner: str, source: SourceRef | None) -> str | None:
    """Return a group name if URLs and selections can carry it."""
    if name is not None and (not isinstance(name, str) or not _GROUP.match(name)):
        raise DefinitionError(
            f"{name!r} is not a valid group name for {owner}", source=source, mend="use letters, digits, '_', '-' and '/' only"
        )
    return name


def check_tags(tags: Mapping[str, Any] | None, owner: str, source: SourceRef | None) -> dict[str, str]:
    """Tags as text to text; values that are not text are refused, because a later query could not find them."""
    result: dict[str, str] = {}
    for key, value in (tags or {}).items():
        if not isinstance(key, str) or not _TAG_KEY.match(key):
            raise DefinitionError(
                f"{owner} has the tag {key!r}, which is not a valid key",
                source=source,
                mend="use at most 63 letters, digits, '.', '_' and '-', optionally after one 'prefix/'",
            )
        if not isinstance(value, str):
            raise DefinitionError(
                f"{owner} has the tag {key!r} with a value of type {type(value).__name__}", source=source, mend="give tags text values"
            )
        result[key] = value
    return result


def check_run_tags(tags: Mapping[str, Any] | None, owner: str, source: SourceRef | None) -> dict[str, str]:
    """Tags of what runs (ops, jobs, runs), which executors and limits read: a value that is not text is kept as JSON."""
    result: dict[str, str] = {}
    for key, value in (tags or {}).items():
        if not isinstance(key, str) or not key:
            raise DefinitionError(f"{owner} has the tag {key!r}, which is not a valid key", source=source, mend="give tags text keys")
        try:
            result[key] = value if isinstance(value, str) else json.dumps(value)
        except (TypeError, ValueError):
            raise DefinitionError(
                f"{owner} has the tag {key!r} with a value of type {type(value).__name__}",
                source=source,
                mend="give text, or what JSON can carry",
            ) from None
    return result


def check_owners(owners: Sequence[str] | None, owner: str, source: SourceRef | None) -> list[str]:
    """Owners as e-mail addresses or `team:name`."""
    for name in owners or ():
        if not isinstance(name, str) or not _OWNER.match(name):
            raise DefinitionError(
                f"{owner} has the owner {name!r}", source=source, mend="write an e-mail address, or a team as 'team:name'"
            )
    return list(owners or ())


def input_of(key: AssetKey) -> str:
    """The name of the input that stands for an asset which is not loaded."""
    return "_".join(key.path).replace("-", "_")


def asset_key(value: Any, what: str = "asset", source: SourceRef | None = None) -> AssetKey:
    """Read the ways in which people write a key: `"a/b"`, `["a", "b"]`, an AssetKey, or a definition that has one."""
    try:
        if isinstance(value, AssetKey):
            return value
        if isinstance(value, str):
            return AssetKey.from_user_string(value)
        if isinstance(value, (list, tuple)):
            return AssetKey(value)
    except ValueError as error:
        raise DefinitionError(f"{what}: {error}", source=source) from None
    key = getattr(value, "key", None)
    if isinstance(key, AssetKey):
        return key
    raise DefinitionError(
        f"{what}: {value!r} (a {type(value).__name__}) does not name an asset",
        source=source,
        mend='give an AssetKey, text such as "schema/table", or the asset itself',
    )


def key_prefix(value: CoercibleToAssetKeyPrefix | None) -> list[str]:
    """The components of a prefix, written as text or as a list."""
    if value is None:
        return []
    return value.split("/") if isinstance(value, str) else list(value)


def identifier(key: AssetKey, suffix: str | None = None) -> str:
    """The op name that stands for an asset, such as `schema__table`."""
    return _NOT_IDENTIFIER.sub("_", key.to_python_identifier(suffix))


def _article(kind: str) -> str:
    return "an" if kind[:1] in "aeiou" else "a"
