"""What every request passes first: its id, who may ask, how large it may be, how long it took, and the last resort."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import secrets
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dagwright_shared.model.errors import SettingsError
from dagwright_shared.runtime.addresses import is_loopback
from dagwright_shared.runtime.settings import Auth, Settings
from dagwright_webserver import errors, metrics, oidc, render

log = logging.getLogger("dagwright.webserver")

MAX_BODY_BYTES = 4 * 1024 * 1024
TOO_LARGE = f"The body is larger than {MAX_BODY_BYTES // 1024 // 1024} MiB, the most that is taken."
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")
_SECURITY_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    # Pages say more; anything else is not shown in a frame, and runs nothing.
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"),
)
_HSTS = ("strict-transport-security", "max-age=31536000; includeSubDomains")


def check_binding(settings: Settings) -> None:
    """Refuse to serve people who cannot be told apart on an address that others reach.

    Raises:
        SettingsError: the host is not loopback, and nobody said that this is meant; or a proxy is named by what is no address.
    """
    for proxy in settings.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            message = f"setting trusted_proxies (DAGWRIGHT_TRUSTED_PROXIES): {error}; give addresses or networks such as 10.0.0.0/8"
            raise SettingsError(message) from None
    if settings.auth is Auth.OIDC:
        oidc.check(settings)
    if settings.auth is not Auth.NONE or settings.allow_unauthenticated or is_loopback(settings.host):
        return
    raise SettingsError(
        f"refusing to bind {settings.host}: there is no log-in, so everyone who reaches this address could run code. "
        "Set DAGWRIGHT_AUTH=local and add a user by `dagwright user add NAME --role admin` (or DAGWRIGHT_AUTH=oidc), bind 127.0.0.1, "
        "or set DAGWRIGHT_ALLOW_UNAUTHENTICATED=1 where the network is private"
    )


class Edge:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, allowed_hosts: Collection[str], is_secure: bool = False) -> None:
        """
        Args:
            allowed_hosts: names under which browsers may reach this server, besides loopback, addresses and bare names.
            is_secure: whether browsers come by https, and are to do so for a year.
        """
        self._app = app
        self._headers = (*_SECURITY_HEADERS, *((_HSTS,) if is_secure else ()))
        self._allowed = frozenset(name.lower() for name in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.match(given) else secrets.token_hex(8)
        status = 0
        scope["request_id"] = request_id

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["x-request-id"] = request_id
                for name, value in self._headers:
                    out.setdefault(name, value)
            await send(message)

        try:
            refusal = self._refuse(scope, headers)
            if refusal is not None:
                await refusal(scope, receive, tell)
            else:
                await self._app(scope, _limited(receive), tell)
        except Exception:
            # The last resort: the caller learns an id, the log has the trace.
            log.exception("request failed", extra={"request_id": request_id, "method": scope["method"], "path": scope["path"]})
            if not status:
                await _last_word(scope, request_id)(scope, receive, tell)
        finally:
            metrics.observe(scope, status or 500, time.perf_counter() - began)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        path: str = scope["path"]
        if "\x00" in path or b"%00" in scope.get("query_string", b""):
            return errors.problem_response(
                400, "bad-request", "The address holds a NUL character; take it out.", instance=path.replace("\x00", "")
            )
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            return _too_large(path)
        host = headers.get("host", "")
        if not self._is_own_name(host):
            detail = (
                f"This server does not go by the name {host!r}. If it should, add the name to DAGWRIGHT_ALLOWED_HOSTS; "
                "the check keeps web pages elsewhere from reaching a local server under a name of theirs."
            )
            return errors.problem_response(403, "host-not-allowed", detail, instance=path)
        if scope["method"] in _CHANGING and not self._is_own_page(headers, host):
            detail = (
                f"The request was sent by a web page of {headers.get('origin') or 'another site'}, and only pages of this server "
                "may change anything here. A program needs no Origin header; a proxy's name belongs in DAGWRIGHT_ALLOWED_HOSTS."
            )
            return errors.problem_response(403, "cross-origin", detail, instance=path)
        return None

    def _is_own_name(self, host: str) -> bool:
        """Addresses and names without a dot cannot be made to point here by somebody else's name server."""
        name = _host_name(host)
        return bool(name) and ("." not in name or name in self._allowed or "*" in self._allowed or is_loopback(name) or _is_address(name))

    def _is_own_page(self, headers: Headers, host: str) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        asked = urlsplit(origin).netloc.lower()
        return asked == host.lower() or (_host_name(asked) in self._allowed and bool(asked))


def _last_word(scope: Scope, request_id: str) -> Response:
    """The answer of a fault of ours: a page for a browser, a problem document for a program."""
    problem = errors.unexpected(scope["path"], request_id)
    request = Request(scope)
    if not render.prefers_page(request):
        return problem
    try:
        return render.error_page(request, json.loads(bytes(problem.body)))
    except Exception:  # the fault may be that of the templates themselves
        log.exception("no page for the fault", extra={"request_id": request_id})
        return problem


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rsplit(":", 1)[0].rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _too_large(path: str) -> Response:
    return errors.problem_response(413, "too-large", TOO_LARGE, instance=path, headers={"Connection": "close"})


def _limited(receive: Receive) -> Receive:
    taken = 0

    async def read() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                # Of this class, because FastAPI takes any other exception while it reads a body for broken JSON.
                raise HTTPException(413, TOO_LARGE, headers={"Connection": "close"})
        return message

    return read
