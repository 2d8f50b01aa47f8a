"""Opaque cursors of lists: the sort key of the last item, encoded."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime

from dagwright_shared.model.errors import InvalidRequestError, Problem

CursorValue = str | int


def encode(kind: str, *values: CursorValue) -> str:
    """A cursor of one kind of list; it is refused by every other kind."""
    return base64.urlsafe_b64encode(json.dumps([kind, *values], separators=(",", ":")).encode()).decode().rstrip("=")


def decode(kind: str, cursor: str, *types: type) -> list[CursorValue]:
    """Read a cursor back.

    Raises:
        InvalidRequestError: it is not a cursor of this kind of list.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        if values[0] == kind and len(values) == len(types) + 1 and all(type(v) is t for v, t in zip(values[1:], types, strict=True)):
            return list(values[1:])
    except (ValueError, TypeError, LookupError, binascii.Error, UnicodeError, RecursionError):
        pass
    raise bad_cursor(cursor)


def bad_cursor(cursor: str) -> InvalidRequestError:
    message = (
        "this is not a cursor of this list; take `next_cursor` of an earlier answer as it is, or leave `cursor` out to start at the top"
    )
    return InvalidRequestError("The cursor is not valid", problems=[Problem(path="cursor", message=message, value=cursor[:200])])


def from_moment(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    whole = moment.astimezone(UTC)
    return int(whole.replace(microsecond=0).timestamp()) * 1_000_000 + whole.microsecond


def to_moment(value: CursorValue, cursor: str) -> datetime:
    try:
        seconds, micro = divmod(int(value), 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)
    except (ValueError, OverflowError, OSError):
        raise bad_cursor(cursor) from None
