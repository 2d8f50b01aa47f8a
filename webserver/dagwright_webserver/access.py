"""Who asks, and whether they may: each route says in its signature what it takes, and one dependency sees to it."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from dagwright_shared.model.access import ALL, EVERYTHING, AuditResult, Identity, Role, Scope
from dagwright_shared.model.errors import ForbiddenError, UnauthenticatedError
from dagwright_shared.store import audit
from dagwright_shared.store.audit import AuditEntry

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CSRF_HEADER = "X-CSRF-Token"
PUBLIC, MEMBER = "public", "member"
"""What a route takes beside roles: nothing at all, and to have logged in."""
OPEN_ROUTES = frozenset({"/openapi.json", "/static"})
"""What FastAPI serves by itself: the document of this API, and the files that the log-in page loads as well."""
ANYBODY = Identity(grant=EVERYTHING)
"""Where there is no log-in."""


@dataclass(slots=True, kw_only=True)
class Access:
    """Of one request: who asks, what for, and what the audit log is to know."""

    identity: Identity = ANYBODY
    needed: Role | None = None
    """The role that the route takes; None: it takes none."""
    action: str = ""
    target: str | None = None
    location: str | None = None
    request_id: str | None = None
    address: str | None = None
    before: Any = None
    after: Any = None
    is_public: bool = False
    silent: bool = False
    """Whether the audit log need not know of it."""
    _located: bool = field(default=False)

    @property
    def scope(self) -> Scope:
        """The locations that may be looked at; what takes no log-in looks at what it needs."""
        return ALL if self.is_public else self.identity.grant.scope

    def may(self, needed: Role | str, location: str | None = None) -> bool:
        return self.identity.grant.allows(Role(needed), location)

    def require(self, location: str) -> None:
        """See to it that what the route does may be done at a location; it must be called before a change is committed.

        Raises:
            ForbiddenError: it may not.
        """
        self._located, self.location = True, location
        if self.needed is not None and not self.identity.grant.allows(self.needed, location):
            raise refusal(self.needed, location)

    def require_whole(self) -> None:
        """See to it that what the route does may be done with the deployment as a whole.

        Raises:
            ForbiddenError: it may not.
        """
        self._located = True
        if self.needed is not None and not self.identity.grant.allows(self.needed):
            raise refusal(self.needed, None)

    def tell(self, *, target: str | None = None, before: Any = None, after: Any = None) -> None:
        """What the audit log is to know of a change, as small JSON without secrets."""
        self.target, self.before, self.after = target or self.target, before, after

    def nothing_changed(self) -> None:
        """The answer is that of an earlier request."""
        self._located = self.silent = True

    def seal(self, conn: Connection) -> None:
        """Write a change to the audit log, in its transaction.

        Raises:
            ForbiddenError: who may not do it everywhere did it without anybody looking where.
        """
        if not self._located and self.needed is not None and not self.identity.grant.everywhere(self.needed):
            raise refusal(self.needed, None)
        if not self.silent:
            audit.record(conn, self.entry(AuditResult.DONE))

    def entry(self, result: AuditResult) -> AuditEntry:
        return AuditEntry(
            actor=self.identity.name,
            token=self.identity.token,
            address=self.address,
            request_id=self.request_id,
            action=self.action,
            target=self.target,
            location=self.location,
            result=result,
            before=self.before,
            after=self.after,
        )


def refusal(needed: Role, location: str | None) -> ForbiddenError:
    where = f"at location {location!r}" if location is not None else "for the whole deployment"
    return ForbiddenError(
        f"This takes the role {needed} {where}; an admin can give it under Deployment > Users, or by `dagwright user role`",
        needed=needed,
        location=location,
    )


def check_csrf(identity: Identity, given: str | None) -> None:
    """See to it that a change comes from one of our own pages, where the browser sends a cookie by itself.

    Raises:
        ForbiddenError: it does not say so.
    """
    if identity.csrf is None or hmac.compare_digest(identity.csrf.encode(), (given or "").encode()):
        return
    raise ForbiddenError(
        f"A change by a session needs the header {CSRF_HEADER}, with `csrf_token` of GET /api/v1/me; "
        "a program sends an API token in place of a session"
    )


def check(needs: Role | str, access: Access, *, whole: bool) -> None:
    """Whether who asks may call a route at all; where, the route finds out.

    Raises:
        UnauthenticatedError: nobody has logged in.
        ForbiddenError: they have, and there is no place where they may do it.
    """
    identity = access.identity
    if needs == PUBLIC:
        return
    if identity is not ANYBODY and identity.user_id is None:
        raise UnauthenticatedError
    if isinstance(needs, Role):
        if whole:
            access.require_whole()
        elif not identity.grant.anywhere(needs):
            raise refusal(needs, None)


def target_of(connection: HTTPConnection) -> str | None:
    """What a path names, for the audit log: `daily`, or `7 of github`."""
    values = [str(value) for value in connection.path_params.values()]
    return " of ".join(reversed(values)) or None


def login_url(connection: HTTPConnection) -> str:
    """The log-in page, which leads back here."""
    query = connection.url.query
    here = connection.url.path + (f"?{query}" if query else "")
    return "/login" if here == "/" else f"/login?next={quote(here, safe='')}"


def safe_next(given: str | None) -> str:
    """An address of this server to go to after logging in; anything else is not followed."""
    text = given or "/"
    if not text.startswith("/") or text.startswith(("//", "/\\", "/login")) or "\\" in text or not text.isprintable():
        return "/"
    return text


def needs_of(route: BaseRoute) -> tuple[Role | str, bool] | None:
    """What a route takes, and whether for the deployment as a whole; None: it does not say."""
    if not isinstance(route, APIRoute):
        return (PUBLIC, False) if getattr(route, "path", None) in OPEN_ROUTES else None
    for dependency in route.dependant.dependencies:
        needs = getattr(dependency.call, "needs", None)
        if needs is not None:
            return needs, getattr(dependency.call, "whole", False)
    return None


def all_routes(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Routes with those of the routers among them, which newer versions of FastAPI keep as they were included."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from all_routes(included.routes)


def verify(app: FastAPI) -> None:
    """Refuse to serve a route that does not say who may call it.

    Raises:
        RuntimeError: naming each such route.
    """
    silent = []
    for route in all_routes(app.routes):
        found = needs_of(route)
        methods = getattr(route, "methods", None) or set()
        if found is None or (methods & CHANGING and found[0] is Role.VIEWER):
            silent.append(f"{'/'.join(sorted(methods))} {getattr(route, 'path', route)}")
    if silent:
        raise RuntimeError(
            f"these routes do not say who may call them: {', '.join(silent)}; take one of Services, Launcher, Editor, Admin, Member "
            "or Public of deps.py (a route that changes something takes more than Services)"
        )
