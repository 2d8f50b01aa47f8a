"""What handlers need of this process, made once in `main` and handed to each of them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import quote, unquote

import sqlalchemy.exc
from fastapi import Depends, Response
from sqlalchemy import Connection, Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from dagwright_shared.model.access import Grant, Identity, Role, Scope
from dagwright_shared.model.errors import UnauthenticatedError
from dagwright_shared.runtime.settings import Auth, Settings
from dagwright_shared.store import scoped
from dagwright_shared.store.asset_ids import AssetIds
from dagwright_shared.store.partition_states import PartitionMemo
from dagwright_webserver import access, zones
from dagwright_webserver.access import ANYBODY, CHANGING, MEMBER, PUBLIC, Access
from dagwright_webserver.identities import Identities
from dagwright_webserver.live import Live
from dagwright_webserver.metrics import RunTotals
from dagwright_webserver.rate_limits import RateLimits
from dagwright_webserver.reads.definitions import Definitions, DefinitionsCache
from dagwright_webserver.reads.staleness import StaleMemo
from dagwright_webserver.reads.view import adapter
from dagwright_webserver.shared_reads import SharedReads

T = TypeVar("T")
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memos:
    """What is remembered for those who see the same locations."""

    definitions: DefinitionsCache = field(default_factory=DefinitionsCache)
    partitions: PartitionMemo = field(default_factory=PartitionMemo)
    stale: StaleMemo = field(default_factory=StaleMemo)


class Scopes:
    """What those who see only some locations read by: the views, and memos of their own, so that nobody is told of another's."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        self.engine = scoped.create(url, pool_size=pool_size)
        self._lock = threading.Lock()
        self._memos: dict[Scope, Memos] = {}

    def memos(self, scope: Scope) -> Memos:
        with self._lock:
            found = self._memos.pop(scope, None) or Memos()
            self._memos[scope] = found
            while len(self._memos) > _MOST_SCOPES:
                del self._memos[next(iter(self._memos))]
            return found


_MOST_SCOPES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The services of this process."""

    settings: Settings
    version: str
    engine: Engine
    reader: Engine
    """The same pool, each statement its own transaction: a read needs no BEGIN and no ROLLBACK."""
    definitions: DefinitionsCache
    live: Live
    shared: SharedReads
    asset_ids: AssetIds
    """A memo: ids of assets never change."""
    partitions: PartitionMemo
    """A memo: what is known of partitions, brought up to date at each look."""
    stale: StaleMemo
    """A memo: which assets are stale, likewise."""
    hook_limits: RateLimits
    """How many requests each webhook takes."""
    identities: Identities
    """Who sends what."""
    scopes: Scopes
    run_totals: RunTotals
    """A memo, for the metrics of those who see everything."""
    access: Access = field(default_factory=Access)
    """Who asks; of each request its own."""

    def read(self, question: Callable[[Connection], T]) -> T:
        """Answer a question that changes nothing."""
        return _twice(lambda: self._read(question))

    def read_defs(self, question: Callable[[Connection, Definitions], T]) -> T:
        """Answer a question that needs the current definitions too."""
        scope = self.access.scope
        definitions = self.definitions if scope.whole else self.scopes.memos(scope).definitions
        return self.read(lambda conn: question(conn, definitions.current(conn)))

    def write(self, change: Callable[[Connection], T]) -> T:
        """Make a change in one transaction, and tell the audit log.

        A connection that turns out to be dead before the commit has changed nothing, so the change is tried once more;
        one that dies during the commit is reported, since it may have been done.
        """
        conn, result = _twice(lambda: self._begin(change))
        try:
            conn.commit()
        finally:
            conn.close()
        return result

    def _read(self, question: Callable[[Connection], T]) -> T:
        scope = self.access.scope
        with self.reader.connect() if scope.whole else scoped.reading(self.scopes.engine, scope) as conn:
            return question(conn)

    def _begin(self, change: Callable[[Connection], T]) -> tuple[Connection, T]:
        conn = self.engine.connect()
        try:
            made = change(conn)
            self.access.seal(conn)
            return conn, made
        except BaseException:
            conn.close()
            raise


def _twice(attempt: Callable[[], T]) -> T:
    """A pooled connection may have died with a restart of Postgres; the pool makes a fresh one for the second attempt."""
    try:
        return attempt()
    except sqlalchemy.exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return attempt()


def needs(wanted: Role | str, *, whole: bool = False, form: bool = False) -> Any:
    """The one check of all routes, as a dependency: who asks, whether they may, and the services with both in them.

    Args:
        wanted: a role, MEMBER or PUBLIC.
        whole: whether it takes the role for the deployment as a whole, and not at some location.
        form: of a form without script: its handler checks the field `csrf` in place of the header.
    """

    # Not a plain function: those cost a hop through the thread pool each.
    async def services(connection: HTTPConnection) -> Web:
        web: Web = connection.app.state.web
        identity = await _identity(web, connection, wanted)
        asked = Access(
            identity=identity,
            needed=wanted if isinstance(wanted, Role) else None,
            is_public=wanted == PUBLIC,
            action=getattr(connection.scope.get("route"), "name", ""),
            target=access.target_of(connection),
            request_id=connection.scope.get("request_id"),
            address=connection.client.host if connection.client else None,
        )
        connection.state.access = asked
        zones.use(identity.time_zone, unquote(connection.cookies.get(zones.COOKIE, "")))
        access.check(wanted, asked, whole=whole)
        if identity.csrf is not None and connection.scope["method"] in CHANGING and not form:
            access.check_csrf(identity, connection.headers.get(access.CSRF_HEADER))
        if asked.scope.whole:
            return dataclasses.replace(web, access=asked)
        memos = web.scopes.memos(asked.scope)
        return dataclasses.replace(web, access=asked, partitions=memos.partitions, stale=memos.stale)

    marked: Any = services
    marked.needs, marked.whole = wanted, whole
    return Depends(services)


async def _identity(web: Web, connection: HTTPConnection, wanted: Role | str) -> Identity:
    if web.settings.auth is Auth.NONE:
        return ANYBODY
    if wanted == PUBLIC:
        return NOBODY
    header = connection.headers.get("authorization", "")
    if header:
        scheme, _, secret = header.partition(" ")
        found = web.identities.remembered(secret)
        if found is None and scheme.lower() == "bearer":
            found = await run_in_threadpool(web.identities.of_token, secret.strip())
        if found is None or found.token is None:
            raise UnauthenticatedError("The API token is not valid: it was revoked or has expired, or its user is disabled")
        return found
    cookie = connection.cookies.get(session_cookie(web.settings), "")
    if not cookie:
        return NOBODY
    found = web.identities.remembered(cookie) or await run_in_threadpool(web.identities.of_session, cookie)
    return found if found is not None and found.session_hash is not None else NOBODY


NOBODY = Identity(grant=Grant())
"""Has not logged in."""


def session_cookie(settings: Settings) -> str:
    """The name of the cookie; browsers take the longer one over https only, and from no other host."""
    return "__Host-dagwright" if is_secure(settings) else "dagwright_session"


def is_secure(settings: Settings) -> bool:
    """Whether browsers come by https."""
    return (settings.public_url or "").startswith("https://")


Services: TypeAlias = Annotated[Web, needs(Role.VIEWER)]
"""The services of a route that looks at something."""
Launcher: TypeAlias = Annotated[Web, needs(Role.LAUNCHER)]
"""... that launches, or stops what was launched. A change calls `web.access.require(location)`."""
Editor: TypeAlias = Annotated[Web, needs(Role.EDITOR)]
"""... that changes how a location works; the same holds."""
Admin: TypeAlias = Annotated[Web, needs(Role.ADMIN, whole=True)]
"""... that changes the deployment as a whole."""
Member: TypeAlias = Annotated[Web, needs(MEMBER)]
"""... that is about who asks, whatever they may do."""
FormMember: TypeAlias = Annotated[Web, needs(MEMBER, form=True)]
Public: TypeAlias = Annotated[Web, needs(PUBLIC)]
"""... that takes no log-in."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def to_json(view: Any) -> bytes:
    """A view as JSON. Compiled once for each class of views; 3 to 10 times as fast as `json.dumps` on a dictionary of it."""
    return adapter(type(view)).dump_json(view)


def location_of(path: str) -> dict[str, str]:
    """The header that says where to see what was made, or how far it is.

    Args:
        path: below `/api/v1/`.
    """
    return {"Location": f"/api/v1/{quote(path)}"}


def answer(view: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A view as an answer. The document says its schema, so it is not validated again on its way out."""
    return Response(to_json(view), status, headers=headers, media_type=JSON)
