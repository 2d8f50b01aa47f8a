"""Logging in and out: the checks, the session, its cookie, and what the audit log is told."""

from __future__ import annotations

import math

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from dagwright_shared.model.access import AuditResult, Identity
from dagwright_shared.model.errors import ConflictError, InvalidRequestError, Problem, TooManyRequestsError, UnauthenticatedError
from dagwright_shared.runtime import passwords
from dagwright_shared.runtime.settings import Auth
from dagwright_shared.store import audit, secret_values, sessions, sign_in_attempts, users
from dagwright_shared.store.users import User
from dagwright_webserver.deps import Web, is_secure, session_cookie

WRONG = "The name or the password is wrong."


def by_password(web: Web, request: Request, name: str, password: str) -> tuple[Identity, str]:
    """Log in; who it is, and what the session cookie is to hold.

    Raises:
        ConflictError: there is no log-in.
        TooManyRequestsError: for this user or from this address, too many have failed.
        UnauthenticatedError: the name or the password is wrong.
    """
    if web.settings.auth is Auth.NONE:
        raise ConflictError("There is no log-in: everybody who reaches this server may do everything. Set DAGWRIGHT_AUTH=local for one")
    address = request.client.host if request.client else ""
    with web.reader.connect() as conn:
        attempt, wait = sign_in_attempts.begin(conn, name, address)
        if wait > 0:
            raise _too_many(wait)
        user, stored = users.password_hash(conn, name)
    # No connection is held meanwhile: this takes a tenth of a second, by intent.
    matched = passwords.matches(stored, password)
    if user is None or stored is None or not matched:
        tell_of_failure(web, name)
        raise UnauthenticatedError(WRONG)
    if passwords.outdated(stored):
        fresh, user_id = passwords.hashed(password), user.user_id
        with web.engine.begin() as conn:
            users.change(conn, user_id, password_hash=fresh)
    with web.reader.connect() as conn:
        sign_in_attempts.succeeded(conn, attempt)
    return begin(web, request, user)


def confirm(web: Web, request: Request, name: str, password: str) -> None:
    """See to it that who has a session knows the password too.

    Raises:
        TooManyRequestsError: too many have failed.
        InvalidRequestError: it is another one.
    """
    with web.reader.connect() as conn:
        attempt, wait = sign_in_attempts.begin(conn, name, request.client.host if request.client else "")
        if wait > 0:
            raise _too_many(wait)
        _, stored = users.password_hash(conn, name)
    if not passwords.matches(stored, password):
        problem = Problem(path="current", message="this is not your password")
        raise InvalidRequestError("The password stays as it is", problems=[problem])
    with web.reader.connect() as conn:
        sign_in_attempts.succeeded(conn, attempt)


def begin(web: Web, request: Request, user: User) -> tuple[Identity, str]:
    """A new session of a user; one that the browser had is ended, so that nobody can have planted it."""
    web.access.identity = Identity(grant=user.grant, name=user.name, user_id=user.user_id)
    web.access.tell(target=user.name)
    had = request.cookies.get(session_cookie(web.settings))

    def change(conn: Connection) -> str:
        if had:
            sessions.end(conn, secret_values.hash_of(had))
        address = request.client.host if request.client else None
        return sessions.start(
            conn, user.user_id, hours=web.settings.session_hours, address=address, user_agent=request.headers.get("user-agent")
        )

    secret = web.write(change)
    found = web.identities.of_session(secret)
    assert found is not None, "the session that was just begun"
    return found, secret


def end(web: Web, response: Response) -> None:
    """End the session of who asks."""
    session_hash = web.access.identity.session_hash
    if session_hash is not None:
        web.write(lambda conn: sessions.end(conn, session_hash))
        web.identities.clear()
    response.delete_cookie(session_cookie(web.settings), path="/", secure=is_secure(web.settings), httponly=True, samesite="lax")
    # Pages that the browser keeps are not to be looked at by the next one.
    response.headers["Clear-Site-Data"] = '"cache"'


def set_cookie(web: Web, response: Response, secret: str) -> None:
    """Have the browser send the session from now on."""
    response.set_cookie(
        session_cookie(web.settings),
        secret,
        max_age=round(web.settings.session_hours * 3600),
        path="/",
        secure=is_secure(web.settings),
        httponly=True,
        samesite="lax",
    )


def tell_of_failure(web: Web, name: str) -> None:
    """Write a failed log-in to the audit log."""
    web.access.tell(target=name[:300])
    with web.engine.begin() as conn:
        audit.record(conn, web.access.entry(AuditResult.FAILED))


def _too_many(seconds: float) -> TooManyRequestsError:
    wait = f"{math.ceil(seconds)} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
    return TooManyRequestsError(f"Too many attempts to log in failed; try again in {wait}.", seconds=seconds)
