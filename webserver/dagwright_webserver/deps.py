"""What handlers need of this process, made once in `main` and handed to each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar

import sqlalchemy.exc
from fastapi import Depends, Response
from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine
from starlette.requests import HTTPConnection

from dagwright_shared.runtime.settings import Settings
from dagwright_shared.store.asset_ids import AssetIds
from dagwright_shared.store.partition_states import PartitionMemo
from dagwright_webserver.live import Live
from dagwright_webserver.rate_limits import RateLimits
from dagwright_webserver.reads.definitions import Definitions, DefinitionsCache

T = TypeVar("T")
JSON = "application/json"


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
    asset_ids: AssetIds
    """A memo: ids of assets never change."""
    partitions: PartitionMemo
    """A memo: what is known of partitions, brought up to date at each look."""
    hook_limits: RateLimits
    """How many requests each webhook takes."""

    def read(self, question: Callable[[Connection], T]) -> T:
        """Answer a question that changes nothing."""
        return _twice(lambda: self._read(question))

    def read_defs(self, question: Callable[[Connection, Definitions], T]) -> T:
        """Answer a question that needs the current definitions too."""
        return self.read(lambda conn: question(conn, self.definitions.current(conn)))

    def write(self, change: Callable[[Connection], T]) -> T:
        """Make a change in one transaction.

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
        with self.reader.connect() as conn:
            return question(conn)

    def _begin(self, change: Callable[[Connection], T]) -> tuple[Connection, T]:
        conn = self.engine.connect()
        try:
            return conn, change(conn)
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


async def _services(connection: HTTPConnection) -> Web:
    # Not a plain function: those cost a hop through the thread pool each.
    web: Web = connection.app.state.web
    return web


Services: TypeAlias = Annotated[Web, Depends(_services)]


def utc_now() -> datetime:
    return datetime.now(UTC)


_adapters: dict[type, TypeAdapter[Any]] = {}


def to_json(view: Any) -> bytes:
    """A view as JSON. Compiled once for each class of views; 3 to 10 times as fast as `json.dumps` on a dictionary of it."""
    kind = type(view)
    adapter = _adapters.get(kind)
    if adapter is None:
        adapter = _adapters[kind] = TypeAdapter(kind)
    return adapter.dump_json(view)


def answer(view: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A view as an answer. The document says its schema, so it is not validated again on its way out."""
    return Response(to_json(view), status, headers=headers, media_type=JSON)
