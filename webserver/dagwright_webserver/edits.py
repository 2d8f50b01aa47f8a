"""Changes that say which state they were decided on (`If-Match`): they are refused when somebody else was quicker."""

from __future__ import annotations

from typing import Annotated, Any, Protocol, TypeAlias

from fastapi import Header, Response

from dagwright_shared.model.errors import ChangedError
from dagwright_webserver.deps import answer

IfMatch: TypeAlias = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description="`etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out: whatever it is.",
    ),
]
TAGGED: dict[str, Any] = {"ETag": {"description": "`etag` of the answer, for `If-Match`.", "schema": {"type": "string"}}}
"""How the OpenAPI document describes the header of `tagged`."""


class Editable(Protocol):
    """A view of what can be edited."""

    @property
    def etag(self) -> str: ...


def tagged(view: Editable) -> Response:
    """The answer of a view with its entity tag."""
    return answer(view, headers={"ETag": view.etag})


def require_same(if_match: str | None, etag: str, what: str) -> None:
    """See to it that a thing is as whoever changes it has seen it. The caller holds the lock that other changes of it wait for.

    Args:
        etag: of the thing as it is now.
        what: its noun and name.

    Raises:
        ChangedError: it is not.
    """
    if if_match is None:
        return
    given = [each.strip().removeprefix("W/") for each in if_match.split(",")]
    if "*" not in given and etag not in given:
        raise ChangedError(f"{what} has changed since it was looked at; look at it again, then decide again", etag=etag)
