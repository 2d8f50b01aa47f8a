"""Reading as somebody who sees only some code locations: the same statements, over less.

A connection of this engine has temporary views with the names of the tables, which Postgres finds before these, and
which leave out the rows of other locations. So no query needs to know of it, and none can forget it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, event, text

from dagwright_shared.model.access import Scope
from dagwright_shared.store import engine as store_engine
from dagwright_shared.store import tables

_UNFILTERED = frozenset({"users", "sessions", "api_tokens", "sign_in_attempts", "audit_log"})
"""What only admins of the deployment and the user itself ask for."""


def create(url: str, *, pool_size: int) -> Engine:
    """An engine for `reading`; connects at first use."""
    made = store_engine.create(url, name="webserver scoped", pool_size=pool_size).execution_options(isolation_level="AUTOCOMMIT")
    event.listen(made, "connect", _prepare)
    return made


@contextmanager
def reading(engine: Engine, scope: Scope) -> Iterator[Connection]:
    """A connection that sees only the locations of a scope; nothing can be changed by it."""
    with engine.connect() as conn:
        conn.execute(_NARROW, {"named": sorted(scope.named), "only": "yes" if scope.only else "no"})
        yield conn


def views() -> Iterator[str]:
    """The statements that make the views, parents first."""
    for name in sorted(tables.metadata.tables, key=lambda name: "location" not in tables.metadata.tables[name].c):
        table = tables.metadata.tables[name]
        condition = None if name in _UNFILTERED else _condition(table)
        if condition is not None:
            yield f"CREATE TEMPORARY VIEW {name} AS SELECT * FROM public.{name} t WHERE {condition}"


def _condition(table: Table) -> str | None:
    if "locations" in table.c:
        named = "CAST(current_setting('dagwright.named') AS text[])"
        return f"CASE current_setting('dagwright.only') WHEN 'yes' THEN t.locations <@ {named} ELSE NOT t.locations && {named} END"
    if "location" in table.c:
        return "(t.location = ANY (CAST(current_setting('dagwright.named') AS text[]))) = (current_setting('dagwright.only') = 'yes')"
    if "instigator_id" in table.c:
        return "t.instigator_id IN (SELECT instigator_id FROM pg_temp.instigators)"
    if "asset_id" in table.c and not table.c.asset_id.nullable:
        return "t.asset_id IN (SELECT asset_id FROM pg_temp.assets)"
    if "asset_id" in table.c:
        return (
            "(t.asset_id IS NULL AND t.run_id IN (SELECT run_id FROM pg_temp.runs)) OR t.asset_id IN (SELECT asset_id FROM pg_temp.assets)"
        )
    if "run_id" in table.c:
        return "t.run_id IN (SELECT run_id FROM pg_temp.runs)"
    return None


def _prepare(connection: Any, _record: object) -> None:
    """On a new connection, before anybody has it; views that fail to be made fail the request."""
    was = connection.autocommit
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(";".join(views()))
    connection.autocommit = was


_NARROW = text("""
SELECT set_config('dagwright.named', CAST(CAST(:named AS text[]) AS text), false), set_config('dagwright.only', :only, false)
""")
