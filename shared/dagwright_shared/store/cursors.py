"""Opaque cursors of lists: the sort key of the last row, as URL-safe text."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and where the next part begins."""

    items: tuple[T, ...]
    next_cursor: str | None


def encode(*key: Any) -> str:
    parts = [part.isoformat() if isinstance(part, datetime) else part for part in key]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The sort key in a cursor.

    Raises:
        InvalidRequestError: it was not made by `encode` for such a list.
    """
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError
        return [_read(part, kind) for part, kind in zip(parts, kinds, strict=True)]
    except (ValueError, binascii.Error, UnicodeDecodeError):
        problem = Problem(path="cursor", message="not a cursor of this list", value=cursor, expected="the next_cursor of the page before")
        raise InvalidRequestError("The cursor is not one of this list", problems=[problem]) from None


def page(items: Sequence[T], limit: int, key: Any) -> Page[T]:
    """Cut `limit + 1` fetched items to a page.

    Args:
        items: what was fetched, one more than wanted when there are more.
        limit: the size of a page.
        key: of an item to the tuple of its sort key.
    """
    if len(items) <= limit:
        return Page(tuple(items), None)
    return Page(tuple(items[:limit]), encode(*key(items[limit - 1])))


def _read(part: Any, kind: type) -> Any:
    if kind is datetime:
        moment = datetime.fromisoformat(part if isinstance(part, str) else "")
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if not isinstance(part, kind) or isinstance(part, bool):
        raise ValueError
    return part
