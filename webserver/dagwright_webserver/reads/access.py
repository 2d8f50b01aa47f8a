"""Users, sessions, API tokens and the audit log as they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from dagwright_shared.model.access import AuditResult, Grant, Identity, Role
from dagwright_shared.store import api_tokens, audit, sessions, users
from dagwright_shared.store.api_tokens import ApiToken
from dagwright_shared.store.audit import AuditFilter
from dagwright_shared.store.users import User
from dagwright_webserver.reads.etags import etag_of
from dagwright_webserver.reads.view import Moment, view

SHOWN_HASH = 12


@view
class MeView:
    """Who asks."""

    name: str | None
    """The user; null where there is no log-in."""
    auth: str
    """How people log in: none, local or oidc."""
    role: Role | None
    """What they may do, with the deployment and at locations that are not named; null: nothing."""
    location_roles: Mapping[str, Role | None]
    """Another role in its place, by location."""
    token: str | None
    """The beginning of the API token that was sent."""
    csrf_token: str | None
    """What changes send as X-CSRF-Token, where a session cookie says who asks."""
    time_zone: str | None
    """Name of the time zone in which pages tell moments; null: as the browser does."""


@view
class UserView:
    """A user."""

    name: str
    """By which they log in."""
    role: Role | None
    """What they may do, with the deployment and at locations that are not named; null: nothing."""
    location_roles: Mapping[str, Role | None]
    """Another role in its place, by location."""
    disabled: bool
    """Whether they cannot log in, nor use API tokens."""
    has_password: bool
    """Whether they can log in by a password."""
    provider: str | None
    """The OpenID provider that they log in by."""
    created_at: Moment
    """When they were added."""
    signed_in_at: Moment | None
    """When they last logged in."""
    etag: str
    """Of their roles and whether they are disabled, for `If-Match` of a change."""


@view
class UserListView:
    """All users."""

    items: tuple[UserView, ...]
    """By name."""
    next_cursor: str | None
    """Always null."""


@view
class SessionView:
    """A browser in which a user has logged in."""

    id: str
    """By which it is ended; not what the cookie holds."""
    current: bool
    """Whether it is the one that asks."""
    created_at: Moment
    """When they logged in."""
    seen_at: Moment
    """When it last asked for something, to the minute."""
    expires_at: Moment
    """When it ends at the latest."""
    address: str | None
    """Address that they logged in from."""
    user_agent: str | None
    """What the browser calls itself."""


@view
class SessionListView:
    """The sessions of who asks."""

    items: tuple[SessionView, ...]
    """The one used last first."""
    next_cursor: str | None
    """Always null."""


@view
class TokenView:
    """An API token, without the token itself."""

    token_id: int
    """Its number."""
    user: str
    """For whom it speaks."""
    name: str
    """What it is for."""
    prefix: str
    """Its first characters."""
    role: Role
    """The most that it may do; never more than its user."""
    locations: tuple[str, ...] | None
    """Where it may do so; null: wherever its user may."""
    created_at: Moment
    """When it was made."""
    expires_at: Moment | None
    """When it ends; null: never."""
    used_at: Moment | None
    """When it was last sent, to the minute."""


@view
class TokenMade:
    """An API token, the only time that it is told."""

    token: str
    """Send it as `Authorization: Bearer ...`; it cannot be looked up again."""
    details: TokenView
    """What is kept of it."""


@view
class TokenListView:
    """One page of API tokens, newest first."""

    items: tuple[TokenView, ...]
    """The tokens."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


@view
class AuditEntryView:
    """Something that somebody changed, or was refused."""

    audit_id: int
    """Its number."""
    time: Moment
    """When."""
    actor: str | None
    """The user; null: nobody had logged in."""
    token: str | None
    """The beginning of the API token that was sent."""
    address: str | None
    """Where the request came from."""
    request_id: str | None
    """Its X-Request-Id."""
    action: str
    """The operation, by its id in this document; those of the command line begin with `cli_`."""
    target: str | None
    """What it was done to."""
    location: str | None
    """The code location."""
    result: AuditResult
    """done, refused or failed."""
    before: Any
    """What was changed."""
    after: Any
    """What it became."""


@view
class AuditListView:
    """One page of the audit log, newest first."""

    items: tuple[AuditEntryView, ...]
    """The entries."""
    next_cursor: str | None
    """Give this as `cursor` for the next page; null on the last one."""


def me(identity: Identity, auth: str) -> MeView:
    return MeView(
        name=identity.name,
        auth=auth,
        role=identity.grant.role,
        location_roles=dict(identity.grant.locations),
        token=identity.token,
        csrf_token=identity.csrf,
        time_zone=identity.time_zone,
    )


def roles_json(grant: Grant) -> dict[str, Any]:
    """Roles for the audit log."""
    return {"role": grant.role, "location_roles": users.roles_to_json(grant.locations)}


def user_view(user: User) -> UserView:
    return UserView(
        name=user.name,
        role=user.grant.role,
        location_roles=dict(user.grant.locations),
        disabled=user.disabled,
        has_password=user.has_password,
        provider=user.issuer,
        created_at=user.created_at,
        signed_in_at=user.signed_in_at,
        etag=etag_of(user.name, roles_json(user.grant), user.disabled),
    )


def list_users(conn: Connection) -> UserListView:
    return UserListView(items=tuple(map(user_view, users.list_all(conn))), next_cursor=None)


def list_sessions(conn: Connection, identity: Identity) -> SessionListView:
    """The sessions of who asks."""
    found = sessions.list_of(conn, identity.user_id) if identity.user_id is not None else ()
    items = tuple(
        SessionView(
            id=each.session_hash[:SHOWN_HASH],
            current=each.session_hash == identity.session_hash,
            created_at=each.created_at,
            seen_at=each.seen_at,
            expires_at=each.expires_at,
            address=each.address,
            user_agent=each.user_agent,
        )
        for each in found
    )
    return SessionListView(items=items, next_cursor=None)


def token_view(token: ApiToken) -> TokenView:
    return TokenView(
        token_id=token.token_id,
        user=token.user,
        name=token.name,
        prefix=token.prefix,
        role=token.role,
        locations=token.locations,
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
    )


def list_tokens(conn: Connection, *, user_id: int | None, limit: int = 100, cursor: str | None = None) -> TokenListView:
    """API tokens of a user, or of all."""
    page = api_tokens.list_page(conn, user_id=user_id, limit=limit, cursor=cursor)
    return TokenListView(items=tuple(map(token_view, page.items)), next_cursor=page.next_cursor)


def list_audit(conn: Connection, wanted: AuditFilter, *, limit: int = 50, cursor: str | None = None) -> AuditListView:
    """The audit log."""
    page = audit.list_page(conn, wanted, limit=limit, cursor=cursor)
    items = []
    for entry in page.items:
        assert entry.time is not None
        items.append(
            AuditEntryView(
                audit_id=entry.audit_id,
                time=entry.time,
                actor=entry.actor,
                token=entry.token,
                address=entry.address,
                request_id=entry.request_id,
                action=entry.action,
                target=entry.target,
                location=entry.location,
                result=entry.result,
                before=entry.before,
                after=entry.after,
            )
        )
    return AuditListView(items=tuple(items), next_cursor=page.next_cursor)
