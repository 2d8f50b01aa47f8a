"""Who asks: the session, one's own account, its sessions and its password."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from dagwright_shared.model.access import Identity
from dagwright_shared.model.errors import ConflictError, ForbiddenError, InvalidRequestError, NotFoundError, Problem, nearest
from dagwright_shared.runtime import passwords
from dagwright_shared.store import sessions, users
from dagwright_webserver import signing_in, zones
from dagwright_webserver.deps import Member, Public, Web, answer, location_of
from dagwright_webserver.reads import access as reads
from dagwright_webserver.reads.access import MeView, SessionListView
from dagwright_webserver.schemas import API, Body, problems, returns

router = APIRouter(prefix=API, tags=["access"])


class SignInBody(Body):
    """A user of this deployment."""

    name: str = Field(max_length=300)
    """Name of the user."""
    password: str = Field(max_length=2000)
    """Their password."""


class AccountBody(Body):
    """Settings of one's own account."""

    time_zone: str | None = Field(max_length=100)
    """Name of a time zone, such as `Europe/Berlin`; null: as the browser does."""


class PasswordBody(Body):
    """A new password."""

    current: str = Field(max_length=2000)
    """The password of now."""
    new: str = Field(max_length=2000)
    """The one to come; all other sessions end."""


@router.post("/session", status_code=201, summary="Log in", responses=returns(MeView, 401, 409, 422, 429, 503, status=201))
def log_in(body: SignInBody, request: Request, web: Public) -> Response:
    """Begin a session by name and password. Programs use an API token in its place."""
    found, secret = signing_in.by_password(web, request, body.name, body.password)
    response = answer(reads.me(found, web.settings.auth), 201, location_of("me"))
    signing_in.set_cookie(web, response, secret)
    return response


@router.delete("/session", status_code=204, summary="Log out", responses=problems(401, 503))
def log_out(web: Member) -> Response:
    """End the session of the cookie that is sent."""
    response = Response(status_code=204)
    signing_in.end(web, response)
    return response


@router.get("/sessions", summary="List one's own sessions", responses=returns(SessionListView, 401, 503))
def list_sessions(web: Member) -> Response:
    """The browsers in which one has logged in."""
    return answer(web.read(lambda conn: reads.list_sessions(conn, web.access.identity)))


@router.delete("/sessions", status_code=204, summary="Log out everywhere", responses=problems(401, 409, 503))
def log_out_everywhere(web: Member) -> Response:
    """End all of one's own sessions, this one too."""
    user_id = account_of(web)
    web.write(lambda conn: sessions.end_all(conn, user_id))
    web.identities.clear()
    response = Response(status_code=204)
    signing_in.end(web, response)
    return response


@router.delete("/sessions/{session_id}", status_code=204, summary="End a session", responses=problems(401, 404, 409, 503))
def end_session(session_id: Annotated[str, Path(description="`id` of the list.", max_length=64)], web: Member) -> Response:
    """End one of one's own sessions, such as that of a lost machine."""
    user_id = account_of(web)

    def change(conn: Connection) -> None:
        found = [each for each in sessions.list_of(conn, user_id) if each.session_hash[: reads.SHOWN_HASH] == session_id]
        if not found:
            raise NotFoundError("session", session_id)
        sessions.end(conn, found[0].session_hash)

    web.write(change)
    web.identities.clear()
    return Response(status_code=204)


@router.get("/me", summary="Say who asks", responses=returns(MeView, 401, 503))
def get_me(web: Member) -> Response:
    """The user, what they may do, and what changes must send beside a session cookie."""
    return answer(reads.me(web.access.identity, web.settings.auth))


@router.patch("/me", summary="Change one's own account", responses=returns(MeView, 401, 409, 422, 503))
def change_me(body: AccountBody, web: Member) -> Response:
    """Set the time zone in which pages tell moments."""
    user_id, identity = account_of(web), web.access.identity
    if body.time_zone is not None and body.time_zone not in zones.known():
        close = nearest(body.time_zone, zones.known())
        problem = Problem(path="time_zone", message="there is no such time zone", value=body.time_zone, suggestion=close)
        raise InvalidRequestError("The account cannot be changed", problems=[problem])
    web.access.tell(target=identity.name, before={"time_zone": identity.time_zone}, after={"time_zone": body.time_zone})
    web.write(lambda conn: users.change(conn, user_id, time_zone=body.time_zone))
    web.identities.clear()
    return answer(reads.me(dataclasses.replace(identity, time_zone=body.time_zone), web.settings.auth))


@router.put("/me/password", status_code=204, summary="Change one's own password", responses=problems(401, 403, 409, 422, 429, 503))
def change_password(body: PasswordBody, request: Request, web: Member) -> Response:
    """Takes the password of now, and ends all other sessions."""
    user_id, identity = account_of(web), web.access.identity
    assert identity.name is not None
    if identity.token is not None:
        raise ForbiddenError("An API token cannot change a password; log in, or let an admin do it")
    passwords.check_strength(body.new, name=identity.name)
    signing_in.confirm(web, request, identity.name, body.current)
    fresh = passwords.hashed(body.new)

    def change(conn: Connection) -> None:
        users.change(conn, user_id, password_hash=fresh)
        sessions.end_all(conn, user_id, but=identity.session_hash)

    web.write(change)
    web.identities.clear()
    return Response(status_code=204)


def account_of(web: Web) -> int:
    """The user who asks.

    Raises:
        ConflictError: there is no log-in, so nobody is anybody.
    """
    identity: Identity = web.access.identity
    if identity.user_id is None:
        raise ConflictError("There is no log-in here, so there are no accounts. Set DAGWRIGHT_AUTH=local or oidc for one")
    return identity.user_id
