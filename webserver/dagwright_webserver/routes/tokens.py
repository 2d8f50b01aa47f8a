"""API tokens: one's own, and for admins those of others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from dagwright_shared.model.access import Role
from dagwright_shared.model.errors import ForbiddenError, InvalidRequestError, NotFoundError, Problem
from dagwright_shared.store import api_tokens, users
from dagwright_shared.store.api_tokens import ApiToken
from dagwright_webserver.deps import Member, Web, answer, location_of
from dagwright_webserver.reads import access as reads
from dagwright_webserver.reads.access import TokenListView, TokenMade
from dagwright_webserver.routes.session import account_of
from dagwright_webserver.schemas import API, Body, Cursor, Limit, problems, returns

router = APIRouter(prefix=f"{API}/tokens", tags=["access"])


class TokenBody(Body):
    """A token to make."""

    name: str = Field(min_length=1, max_length=200)
    """What it is for."""
    role: Role = Role.VIEWER
    """The most that it may do."""
    locations: list[str] | None = Field(default=None, min_length=1, max_length=1000)
    """Where it may do so; left out: wherever its user may."""
    expires_in_days: float | None = Field(default=90, gt=0, le=3660)
    """After which it ends; null: never."""
    user: str | None = Field(default=None, max_length=300)
    """For whom it speaks; left out: who asks. Only admins can name another."""


@router.get("", summary="List API tokens", responses=returns(TokenListView, 401, 403, 409, 422, 503))
def list_tokens(
    web: Member,
    everybody: Annotated[bool, Query(alias="all", description="Those of all users, for admins.")] = False,  # noqa: FBT002
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """One's own, the newest first."""
    if everybody:
        _require_admin(web)
    user_id = None if everybody else account_of(web)
    return answer(web.read(lambda conn: reads.list_tokens(conn, user_id=user_id, limit=limit, cursor=cursor)))


@router.post("", status_code=201, summary="Make an API token", responses=returns(TokenMade, 401, 403, 404, 409, 422, 503, status=201))
def create_token(body: TokenBody, web: Member) -> Response:
    """The token is in the answer, and nowhere else: only its hash is kept."""
    identity = web.access.identity
    if body.user is not None and body.user != identity.name:
        _require_admin(web)
    elif identity.token is not None and not web.access.may(Role.ADMIN):
        raise ForbiddenError("An API token cannot make others, unless it is one of an admin; log in for it")
    expires_at = None if body.expires_in_days is None else datetime.now(UTC) + timedelta(days=body.expires_in_days)

    def change(conn: Connection) -> tuple[ApiToken, str]:
        user_id = users.get(conn, body.user).user_id if body.user is not None else account_of(web)
        user = users.by_id(conn, user_id)
        assert user is not None
        if not user.grant.anywhere(body.role):
            problem = Problem(path="role", message=f"{user.name!r} is not {body.role} anywhere, so a token cannot be", value=body.role)
            raise InvalidRequestError("The token cannot be made", problems=[problem])
        made, secret = api_tokens.create(conn, user_id, body.name, body.role, locations=body.locations, expires_at=expires_at)
        web.access.tell(target=f"{made.prefix} of {user.name}", after={"name": made.name, "role": made.role, "locations": made.locations})
        return made, secret

    made, secret = web.write(change)
    return answer(TokenMade(token=secret, details=reads.token_view(made)), 201, {"Cache-Control": "no-store", **location_of("tokens")})


@router.delete("/{token_id}", status_code=204, summary="Revoke an API token", responses=problems(401, 403, 404, 503))
def revoke_token(token_id: Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the token.")], web: Member) -> Response:
    """It is refused from now on. One's own; for admins also those of others."""

    def change(conn: Connection) -> None:
        found = api_tokens.get(conn, token_id)
        if found.user != web.access.identity.name and not web.access.may(Role.ADMIN):
            raise NotFoundError("API token", str(token_id))
        api_tokens.remove(conn, token_id)
        web.access.tell(target=f"{found.prefix} of {found.user}", before={"name": found.name, "role": found.role})

    web.write(change)
    web.identities.clear()
    return Response(status_code=204)


def _require_admin(web: Web) -> None:
    web.access.needed = Role.ADMIN
    web.access.require_whole()
