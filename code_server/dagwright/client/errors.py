"""What a call can raise: a class for each cause, made from the problem document (RFC 9457) of the webserver.

ApiError (DagwrightError)
|-- UnreachableError (ConnectionError)     nothing answers at that address, or it is no dagwright webserver
|-- BadRequestError                    400 the request cannot be read
|-- UnauthenticatedError               401 no token, or one that is no longer valid
|-- ForbiddenError (PermissionError)   403 who asks may not do this
|-- NotFoundError (LookupError)        404 there is no such thing
|-- ConflictError                      409 the thing is in a state that does not allow this
|-- ChangedError                       412 somebody else has changed it meanwhile
|-- TooLargeError                      413 the body is too large
|-- InvalidRequestError (ValueError)   422 the request is not valid; `problems` says where
|-- TooManyRequestsError               429 wait for `retry_after` seconds
|-- UserCodeError                      502 user code raised; `error` says what
|-- UnavailableError (ConnectionError) 503 the database or a code server does not answer
`-- DeadlineError (TimeoutError)       504 user code did not answer in time
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dagwright_shared.model.errors import DagwrightError


class ApiError(DagwrightError):
    """The webserver refused a request, or could not answer it."""

    def __init__(self, status: int, document: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        """
        Args:
            status: of HTTP; 0 where there was no answer.
            document: the problem document: `type`, `title`, `detail`, and `problems` with a path each.
            retry_after: seconds to wait, where the answer says so.
        """
        self.status, self.document, self.retry_after = status, dict(document), retry_after
        self.kind = str(document.get("type", "")).rpartition(":")[2]
        """The last part of `type`, such as `not-found`; docs/problems.md lists them."""
        self.problems: tuple[Mapping[str, Any], ...] = tuple(document.get("problems") or ())
        """Each thing that is wrong: `path`, `message`, `value`, `expected`, `suggestion`."""
        super().__init__("\n".join(_lines(status, document)))

    @property
    def detail(self) -> str:
        """What is wrong with this very request, and what to do."""
        return str(self.document.get("detail") or self.document.get("title") or f"HTTP {self.status}")


class UnreachableError(ApiError, ConnectionError):
    """Nothing answers."""


class BadRequestError(ApiError):
    """The request cannot be read."""


class UnauthenticatedError(ApiError):
    """No token, or one that is no longer valid."""


class ForbiddenError(ApiError, PermissionError):
    """Who asks may not do this; `document` has the role that it takes as `needed_role`."""


class NotFoundError(ApiError, LookupError):
    """There is no such thing; `document` has the nearest name as `suggestion`."""


class ConflictError(ApiError):
    """The thing is in a state that does not allow this."""


class ChangedError(ApiError):
    """Somebody else has changed it since it was looked at: look again, and decide again."""


class TooLargeError(ApiError):
    """The body is too large."""


class InvalidRequestError(ApiError, ValueError):
    """The request is not valid."""


class TooManyRequestsError(ApiError):
    """Too many requests came; wait for `retry_after` seconds."""


class UserCodeError(ApiError):
    """User code raised; `document` has the exception as `error`."""


class UnavailableError(ApiError, ConnectionError):
    """The database or a code server does not answer."""


class DeadlineError(ApiError, TimeoutError):
    """User code did not answer in time."""


_CLASSES: Mapping[int, type[ApiError]] = {
    400: BadRequestError, 401: UnauthenticatedError, 403: ForbiddenError, 404: NotFoundError, 409: ConflictError, 412: ChangedError,
    413: TooLargeError, 422: InvalidRequestError, 429: TooManyRequestsError, 502: UserCodeError, 503: UnavailableError, 504: DeadlineError,
}  # fmt: skip


def made_of(status: int, document: Mapping[str, Any], *, retry_after: float | None = None) -> ApiError:
    """The exception for an answer."""
    return _CLASSES.get(status, ApiError)(status, document, retry_after=retry_after)


def _lines(status: int, document: Mapping[str, Any]) -> list[str]:
    detail, items = str(document.get("detail") or document.get("title") or f"HTTP {status}"), list(document.get("problems") or ())
    if len(items) == 1:
        # A single problem is in the detail as well; here it has a line of its own.
        detail = detail.removesuffix(f": {items[0].get('path')}: {items[0].get('message')}")
    return [detail, *(f"  {_problem_line(item)}" for item in items)]


def _problem_line(item: Mapping[str, Any]) -> str:
    line = f"{item.get('path') or 'request'}: {item.get('message', 'is wrong')}"
    if item.get("expected") and str(item["expected"]) not in line:
        line += f" (expected {item['expected']})"
    if item.get("value") is not None and json.dumps(item["value"]) not in line:
        line += f"; got {json.dumps(item['value'])}"
    if item.get("suggestion") and str(item["suggestion"]) not in line:
        line += f"; did you mean {item['suggestion']!r}?"
    return line
