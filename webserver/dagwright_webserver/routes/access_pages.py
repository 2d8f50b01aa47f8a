"""The pages of logging in and of who may do what: log-in, account, users, API tokens, audit log."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from dagwright_shared.model.access import AuditResult, Role
from dagwright_shared.model.errors import DagwrightError, TooManyRequestsError, UnauthenticatedError
from dagwright_shared.runtime.settings import Auth
from dagwright_shared.store.audit import AuditFilter
from dagwright_webserver import oidc, render, signing_in, zones
from dagwright_webserver.access import check_csrf, safe_next
from dagwright_webserver.deps import Admin, FormMember, Member, Public, Web
from dagwright_webserver.reads import access as reads

html = APIRouter(include_in_schema=False)

Word = Annotated[str | None, Query(max_length=1000)]
_MOST_BYTES = 20_000


async def _fields(request: Request) -> dict[str, str]:
    """Fields of a form, of which browsers send each once."""
    body = await request.body()
    found = parse_qs(body[:_MOST_BYTES].decode(errors="replace"), keep_blank_values=True, max_num_fields=50)
    return {name: values[0] for name, values in found.items()}


Fields = Annotated[dict[str, str], Depends(_fields)]


@html.get("/login")
def login(request: Request, web: Public, next: Word = None) -> Response:
    if web.settings.auth is Auth.NONE:
        return RedirectResponse(safe_next(next), 303)
    return _login_page(request, web, next, None, 200)


@html.post("/login")
def log_in(request: Request, web: Public, fields: Fields) -> Response:
    next = fields.get("next")
    try:
        _, secret = signing_in.by_password(web, request, fields.get("name", ""), fields.get("password", ""))
    except TooManyRequestsError as error:
        page = _login_page(request, web, next, error.message, 429)
        page.headers["Retry-After"] = str(error.seconds)
        return page
    except UnauthenticatedError as error:
        return _login_page(request, web, next, error.message, 401, fields.get("name", ""))
    return _entered(web, secret, next)


@html.get("/login/oidc")
def begin_oidc(request: Request, web: Public, next: Word = None) -> Response:
    if web.settings.auth is not Auth.OIDC:
        return RedirectResponse("/login", 303)
    try:
        return oidc.begin(web, safe_next(next))
    except DagwrightError as error:
        return _login_page(request, web, next, error.message, 503)


@html.get("/login/callback")
def finish_oidc(request: Request, web: Public) -> Response:
    if web.settings.auth is not Auth.OIDC:
        return RedirectResponse("/login", 303)
    try:
        user, next = oidc.finish(web, request)
    except DagwrightError as error:
        signing_in.tell_of_failure(web, "OpenID Connect")
        page = _login_page(request, web, None, error.message, 401)
        oidc.forget(web, page)
        return page
    _, secret = signing_in.begin(web, request, user)
    response = _entered(web, secret, next)
    oidc.forget(web, response)
    return response


@html.post("/logout")
def log_out(web: FormMember, fields: Fields) -> Response:
    check_csrf(web.access.identity, fields.get("csrf"))
    response = RedirectResponse("/login", 303)
    signing_in.end(web, response)
    return response


@html.get("/account")
def account(request: Request, web: Member) -> Response:
    identity = web.access.identity

    def read(conn: Connection) -> dict[str, Any]:
        if identity.user_id is None:
            return {"sessions": (), "tokens": ()}
        return {
            "sessions": reads.list_sessions(conn, identity).items,
            "tokens": reads.list_tokens(conn, user_id=identity.user_id).items,
        }

    view = reads.me(identity, web.settings.auth)
    return render.page(request, "account.html", view=view, roles=_roles(web), zones=zones.known(), **web.read(read))


@html.get("/deployment/users")
def users(request: Request, web: Admin) -> Response:
    view = web.read(reads.list_users)
    return render.page(request, "users.html", view=view, roles=[*Role], auth=web.settings.auth)


@html.get("/deployment/tokens")
def tokens(request: Request, web: Admin, cursor: Word = None) -> Response:
    view = web.read(lambda conn: reads.list_tokens(conn, user_id=None, cursor=cursor or None))
    return render.page(request, "tokens.html", view=view)


@html.get("/deployment/audit")
def audit(
    request: Request,
    web: Admin,
    actor: Word = None,
    action: Word = None,
    target: Word = None,
    result: Word = None,
    cursor: Word = None,
) -> Response:
    state = AuditResult(result) if result in list(AuditResult) else None
    wanted = AuditFilter(actor=actor or None, action=action or None, target=target or None, result=state)
    view = web.read(lambda conn: reads.list_audit(conn, wanted, cursor=cursor or None))
    return render.page(request, "audit.html", view=view, results=[*AuditResult], filtered=wanted != AuditFilter())


def _roles(web: Web) -> list[Role]:
    """The roles that a token of who asks may have."""
    return [role for role in Role if web.access.identity.grant.anywhere(role)]


def _entered(web: Web, secret: str, next: str | None) -> Response:
    response = RedirectResponse(safe_next(next), 303)
    signing_in.set_cookie(web, response, secret)
    return response


def _login_page(request: Request, web: Web, next: str | None, error: str | None, status: int, name: str = "") -> Response:
    return render.page(
        request, "login.html", status=status, next=safe_next(next), error=error, name=name, with_oidc=web.settings.auth is Auth.OIDC
    )
