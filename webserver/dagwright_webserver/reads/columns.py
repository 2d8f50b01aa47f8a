"""The columns of a table asset: its schema, and which columns of other assets they are made of, followed from asset to asset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, literal_column, select

from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.metadata_json import metadata_to_json
from dagwright_shared.store import tables
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.view import view

_MOST_ASSETS = 60
"""So many assets are followed; more would be no picture."""


@view
class ColumnRef:
    """A column of an asset."""

    asset: str
    """Key of the asset."""
    column: str
    """Name of the column."""


@view
class ColumnView:
    """A column as its asset's metadata describes it."""

    name: str
    """Its name."""
    type: str | None
    """Its type; null when only the lineage names the column."""
    description: str | None
    """What it holds."""
    constraints: tuple[str, ...]
    """Such as `not null` and `unique`."""
    tags: Mapping[str, str]
    """Free labels."""
    upstream: tuple[ColumnRef, ...]
    """What it is made of, as the asset said when it was last made."""


@view
class ColumnEdge:
    """A column is made of another one."""

    upstream: ColumnRef
    """What is read."""
    downstream: ColumnRef
    """What is made of it."""


@view
class ColumnsView:
    """The columns of an asset, and their lineage."""

    key: str
    """The asset."""
    columns: tuple[ColumnView, ...]
    """Its columns, in the order of its schema."""
    edges: tuple[ColumnEdge, ...]
    """All that is known within the depth that was asked for, up- and downstream."""
    cut: bool
    """Whether more assets could be followed than are."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the metadata of an asset says of its columns."""

    schema: tuple[Mapping[str, Any], ...]
    deps: Mapping[str, tuple[ColumnRef, ...]]


_NOTHING = _Known((), {})


def read_columns(conn: Connection, defs: Definitions, key: AssetKey, *, location: str | None = None, depth: int = 2) -> ColumnsView:
    """The columns of an asset, and what they are made of and what is made of them, `depth` assets away.

    Raises:
        NotFoundError: no location defines it.
    """
    defs.asset(key, location)
    found = {key: _read(conn, defs, [key], location).get(key, _NOTHING)}
    up, whole_up = _follow(conn, defs, found, key, depth, lambda one: _upstream_of(found[one]))
    down, whole_down = _follow(conn, defs, found, key, depth, defs.graph.children)
    edges = {
        (dep, ColumnRef(asset=asset.to_user_string(), column=column))
        for asset in (*up, *down)
        for column, deps in found[asset].deps.items()
        for dep in deps
        if {asset, AssetKey.from_user_string(dep.asset)} <= up or {asset, AssetKey.from_user_string(dep.asset)} <= down
    }
    ordered = sorted(edges, key=lambda edge: [(each.asset, each.column) for each in edge])
    return ColumnsView(
        key=key.to_user_string(),
        columns=tuple(_columns(found[key])),
        edges=tuple(ColumnEdge(upstream=a, downstream=b) for a, b in _reaching(ordered, key.to_user_string())),
        cut=not (whole_up and whole_down),
    )


def _follow(
    conn: Connection,
    defs: Definitions,
    found: dict[AssetKey, _Known],
    key: AssetKey,
    depth: int,
    following: Callable[[AssetKey], Iterable[AssetKey]],
) -> tuple[frozenset[AssetKey], bool]:
    """The assets within a number of steps, whose metadata goes to `found`, and whether these are all."""
    reached, layer = {key}, [key]
    for _ in range(depth):
        wanted = list(dict.fromkeys(each for one in layer for each in following(one) if each not in reached))
        layer = wanted[: _MOST_ASSETS - len(reached)]
        reached.update(layer)
        read = _read(conn, defs, [each for each in layer if each not in found], None)
        found.update({each: read.get(each, _NOTHING) for each in layer if each not in found})
        if len(layer) < len(wanted):
            return frozenset(reached), False
    return frozenset(reached), True


def _upstream_of(known: _Known) -> Iterable[AssetKey]:
    return (AssetKey.from_user_string(dep.asset) for deps in known.deps.values() for dep in deps)


def _reaching(edges: Iterable[tuple[ColumnRef, ColumnRef]], key: str) -> list[tuple[ColumnRef, ColumnRef]]:
    """The edges by which a column of the asset is reached, forwards or backwards: others are about columns that do not concern it."""
    edges = list(edges)
    chosen: set[tuple[ColumnRef, ColumnRef]] = set()
    for start, end in ((0, 1), (1, 0)):
        into: dict[ColumnRef, list[tuple[ColumnRef, ColumnRef]]] = {}
        for edge in edges:
            into.setdefault(edge[start], []).append(edge)
        waiting = [edge for edge in edges if edge[start].asset == key]
        seen = set(waiting)
        while waiting:
            edge = waiting.pop()
            more = [each for each in into.get(edge[end], ()) if each not in seen]
            seen.update(more)
            waiting += more
        chosen |= seen
    return [edge for edge in edges if edge in chosen]


def _columns(known: _Known) -> Iterable[ColumnView]:
    for column in known.schema:
        name = str(column["name"])
        yield ColumnView(
            name=name,
            type=column.get("type"),
            description=column.get("description"),
            constraints=tuple(_constraints(column.get("constraints") or {})),
            tags=column.get("tags") or {},
            upstream=known.deps.get(name, ()),
        )
    described = {str(column["name"]) for column in known.schema}
    for name, deps in known.deps.items():
        if name not in described:
            yield ColumnView(name=name, type=None, description=None, constraints=(), tags={}, upstream=deps)


def _constraints(given: Mapping[str, Any]) -> Iterable[str]:
    if given.get("nullable") is False:
        yield "not null"
    if given.get("unique"):
        yield "unique"
    yield from map(str, given.get("other") or ())


def _read(conn: Connection, defs: Definitions, keys: Iterable[AssetKey], location: str | None) -> dict[AssetKey, _Known]:
    """What is known of assets: what was attached when they were last made, before what their definitions say."""
    places = {key: (defs.asset(key, location)) for key in keys if key in defs.assets}
    if not places:
        return {}
    attached = newest_metadata(conn, places)
    return {
        key: _known([*attached.get((place, key.to_user_string()), {}).values(), *metadata_to_json(asset.metadata).values()])
        for key, (place, asset) in places.items()
    }


def newest_metadata(conn: Connection, keys: Iterable[AssetKey]) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """(location, key as text) to what was attached when the asset was last made."""
    a, p = tables.assets.c, tables.asset_partitions.c
    newest = (
        select(p.metadata)
        .where(p.asset_id == a.asset_id, p.materialized_at.is_not(None))
        .order_by(p.materialized_at.desc().nulls_last())
        .limit(1)
        .lateral("newest")
    )
    query = select(a.key, a.location, newest.c.metadata).select_from(tables.assets).outerjoin(newest, literal_column("true"))
    rows = conn.execute(query.where(a.key.in_([key.to_user_string() for key in keys])))
    return {(row.location, row.key): row.metadata or {} for row in rows}


def _known(values: Iterable[Mapping[str, Any]]) -> _Known:
    """The first schema and the first lineage among metadata values."""
    schema, deps = None, None
    for value in values:
        kind, raw = value["type"], value["raw_value"]
        if kind == "table_schema" and schema is None:
            schema = tuple(raw["columns"])
        elif kind == "table_column_lineage" and deps is None:
            deps = {
                column: tuple(ColumnRef(asset=each["asset_key"], column=each["column_name"]) for each in sources)
                for column, sources in raw["deps_by_column"].items()
            }
    return _Known(schema or (), deps or {})
