"""Saved views: filters of a page that somebody has given a name, of each user their own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.store import tables

MOST = 100
"""Of one page: more than anybody chooses from."""

_table = tables.saved_views
_v = _table.c


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    page: str
    name: str
    query: str
    updated_at: datetime


def list(conn: Connection, user_id: int | None, page: str) -> tuple[SavedView, ...]:
    """The views of a page that somebody has saved, by name; None: those of everybody, where there is no log-in."""
    query = select(_table).where(_of(user_id, page)).order_by(_v.name)
    return tuple(SavedView(page=row.page, name=row.name, query=row.query, updated_at=row.updated_at) for row in conn.execute(query))


def save(conn: Connection, user_id: int | None, page: str, name: str, query: str) -> None:
    """Keep a view, in place of an earlier one of the same name.

    Raises:
        InvalidRequestError: there are as many as there may be.
    """
    values = {"query": query, "updated_at": func.clock_timestamp()}
    if conn.execute(update(_table).where(_of(user_id, page), _v.name == name).values(values)).rowcount:
        return
    if len(list(conn, user_id, page)) >= MOST:
        problem = Problem(path="name", message=f"there are {MOST} views of this page already; delete one of them", value=name)
        raise InvalidRequestError("The view cannot be saved", problems=[problem])
    conn.execute(insert(_table).values(user_id=user_id, page=page, name=name, query=query))


def remove(conn: Connection, user_id: int | None, page: str, name: str) -> bool:
    """Forget a view. Returns whether there was one."""
    return conn.execute(delete(_table).where(_of(user_id, page), _v.name == name)).rowcount > 0


def _of(user_id: int | None, page: str) -> ColumnElement[bool]:
    return and_(func.coalesce(_v.user_id, 0) == (user_id or 0), _v.page == page)
