"""Requests with an `Idempotency-Key`: the same key and body give the same answer again, and do nothing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from sqlalchemy import Connection

from dagwright_shared.model.errors import ConflictError, InvalidRequestError, Problem
from dagwright_shared.store import idempotency
from dagwright_webserver.deps import Web


def once(
    web: Web, request: Request, key: str | None, body: str, make: Callable[[Connection], Mapping[str, Any]]
) -> tuple[int, dict[str, Any]]:
    """Status and answer of a request that makes something, in one transaction; `make` is not called when the key is known.

    Raises:
        InvalidRequestError: the key was used for another request, or what `make` raises.
    """
    request_hash = hashlib.sha256(f"{request.method} {request.url.path}\n{web.access.identity.name or ''}{body}".encode()).hexdigest()

    def change(conn: Connection) -> tuple[int, dict[str, Any]]:
        if key is not None:
            earlier = _earlier(conn, key, request_hash)
            if earlier is not None:
                web.access.nothing_changed()
                return earlier.status_code, dict(earlier.response)
        reply = dict(make(conn))
        if key is not None:
            idempotency.remember(conn, key, request_hash, status_code=201, response=reply)
        return 201, reply

    return web.write(change)


def page_url(request: Request, path: str) -> str:
    """A page, under the name by which the caller reached this server."""
    return str(request.base_url.replace(path=path, query="", fragment=""))


def _earlier(conn: Connection, key: str, request_hash: str) -> idempotency.Remembered | None:
    try:
        return idempotency.find(conn, key, request_hash)
    except ConflictError as error:
        problem = Problem(path="Idempotency-Key", message=error.message, value=key)
        raise InvalidRequestError("The request is not valid", problems=[problem]) from None
