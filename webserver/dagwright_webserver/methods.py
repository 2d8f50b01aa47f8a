"""The methods of HTTP that every address has: HEAD is GET without the body, and OPTIONS says which there are."""

from __future__ import annotations

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dagwright_webserver import access


class _EnoughError(OSError):
    """The head is sent, and who asked for no more wants no stream; an OSError, as of a client that has gone."""


class Heads:
    """A layer that answers HEAD as GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body"})
            elif message.get("more_body"):
                raise _EnoughError

        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive, head)
        except (_EnoughError, ClientDisconnect):
            pass  # the answer is complete
        finally:
            scope["route"] = as_get.get("route")  # for the numbers of requests


def allowed(request: Request) -> str:
    """The methods of an address, as the header `Allow` has them, over all routes that it fits."""
    found = {"OPTIONS"}
    for route in access.all_routes(request.app.routes):
        if route.matches(dict(request.scope))[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or {"GET"}
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))
