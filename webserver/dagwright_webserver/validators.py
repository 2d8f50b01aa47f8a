"""Answers that the caller has already: JSON goes out with an entity tag of its content, and `If-None-Match` spares sending it again."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dagwright_webserver.schemas import API


class Validators:
    """A layer around the application and within compression, which is most of what a large answer costs.

    The tag is of the content and not of what it was read from, so it is right for every list and for whoever asks. An answer that has a
    tag of its own (what can be edited, for `If-Match`) is left alone: such a tag leaves out what changes by itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        seen = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_plain(message):
                start = message  # until its content is known
                return
            if start is not None:
                head, start = start, None
                if not message.get("more_body"):
                    message = _tag(head, message, seen)
                await send(head)
            await send(message)

        await self._app(scope, receive, tagged)


def _is_plain(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_json = headers.get("content-type", "").startswith("application/json")
    return start["status"] == 200 and is_json and "etag" not in headers and "cache-control" not in headers


def _tag(start: Message, body: Message, seen: str) -> Message:
    """Complete the head of an answer; returns its content, which is empty where the caller has it."""
    # A weak one: compressed or not, it is the same.
    tag = f'"{hashlib.blake2b(body.get("body", b""), digest_size=12).hexdigest()}"'
    headers = MutableHeaders(raw=start["headers"])
    headers["etag"] = f"W/{tag}"
    # A browser may keep it, and asks each time whether it still holds.
    headers["cache-control"] = "private, no-cache"
    known = {part.strip().removeprefix("W/") for part in seen.split(",")}
    if tag not in known and "*" not in known:
        return body
    start["status"] = 304
    del headers["content-length"], headers["content-type"]
    return {**body, "body": b""}
