"""A base for IO managers that keep assets in the tables of a database, a partition being some rows of a table.

A client knows the database's SQL, a handler for each Python type knows how a value becomes rows; `DbIOManager` puts them together.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

from dagwright.authoring import source as sources
from dagwright.authoring.io_managers import IOManager
from dagwright.authoring.partitions import TimeWindow
from dagwright.authoring.value_types import ValueType
from dagwright.execution.io_contexts import InputContext, OutputContext
from dagwright.execution.partition_view import window
from dagwright_shared.model.errors import DagwrightError, DefinitionError
from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.partitions import MultiPartitions, SimplePartitions, TimeWindowPartitions

T = TypeVar("T")
C = TypeVar("C")

TABLE_NAME = "dagwright/table_name"
"""The metadata entry of a materialization that names its table."""
_TIME = "%Y-%m-%d %H:%M:%S"


class TableError(DagwrightError, ValueError):
    """It cannot be told which rows of which table a value is, or nothing knows how to store it."""


class TablePartitionDimension(NamedTuple):
    """Rows of one partition, or of several that follow each other."""

    partition_expr: str
    """The SQL expression, mostly a column, that says which partition a row belongs to."""
    partitions: TimeWindow | Sequence[str]


class TableSlice(NamedTuple):
    """A table, or some rows and columns of it."""

    table: str
    schema: str
    database: str | None = None
    columns: Sequence[str] | None = None
    partition_dimensions: Sequence[TablePartitionDimension] | None = None


class DbTypeHandler(ABC, Generic[T]):
    """Writes and reads values of some Python types."""

    @abstractmethod
    def handle_output(self, context: OutputContext, table_slice: TableSlice, obj: T, connection: Any) -> Mapping[str, Any] | None:
        """Append a value's rows to the table, making the table if there is none; returns metadata of it."""

    @abstractmethod
    def load_input(self, context: InputContext, table_slice: TableSlice, connection: Any) -> T:
        """The value of the rows of the slice."""

    @property
    @abstractmethod
    def supported_types(self) -> Sequence[type[object]]:
        """The classes of its values."""


class DbClient(Generic[C]):
    """The SQL of a kind of database."""

    @staticmethod
    @abstractmethod
    def delete_table_slice(context: OutputContext, table_slice: TableSlice, connection: C) -> None:
        """Delete what an earlier run stored; the table may not exist yet."""

    @staticmethod
    @abstractmethod
    def get_select_statement(table_slice: TableSlice) -> str:
        """SQL that reads the slice; `partition_where_clause` makes its condition."""

    @staticmethod
    def get_table_name(table_slice: TableSlice) -> str:
        """The full name of the table, for metadata."""
        return ".".join(part for part in (table_slice.database, table_slice.schema, table_slice.table) if part)

    @staticmethod
    @abstractmethod
    def ensure_schema_exists(context: OutputContext, table_slice: TableSlice, connection: C) -> None:
        """Make the schema if there is none."""

    @staticmethod
    @abstractmethod
    @contextmanager
    def connect(context: OutputContext | InputContext, table_slice: TableSlice) -> Iterator[C]:
        """A connection, in whose transaction the old rows go and the new ones come."""


def partition_where_clause(dimensions: Sequence[TablePartitionDimension] | None) -> str:
    """The condition of the rows of partitions, such as `WHERE day >= '2013-01-01 00:00:00' AND ...`; empty for all rows.

    Example:
        >>> partition_where_clause([TablePartitionDimension("colour", ["red", "o'range"])])
        "WHERE colour IN ('red', 'o''range')"
    """
    parts = []
    for each in dimensions or ():
        if isinstance(each.partitions, TimeWindow):
            start, end = (moment.strftime(_TIME) for moment in each.partitions)
            parts.append(f"{each.partition_expr} >= '{start}' AND {each.partition_expr} < '{end}'")
        elif each.partitions:
            quoted = ", ".join("'" + key.replace("'", "''") + "'" for key in each.partitions)
            parts.append(f"{each.partition_expr} IN ({quoted})")
        else:
            parts.append("1 = 0")
    return f"WHERE {' AND '.join(parts)}" if parts else ""


class DbIOManager(IOManager):
    """Keeps each asset in a table named like it, and an op's output in a table named like the output.

    The schema is the `schema` entry of the asset's metadata, `schema=`, the component of the key before the last, or `public`. A
    partitioned asset says by the metadata `partition_expr` which column tells the partitions apart: text, or with several dimensions
    text for each. Storing a partition replaces its rows and no others; an input that reads several partitions reads them at once.
    The metadata `columns` of an input picks columns.

    Args:
        type_handlers: one for each kind of value.
        db_client: of the database.
        database: its name, or the file that it is in.
        schema: of all tables whose asset does not say.
        io_manager_name: in errors.
        default_load_type: what to load where the argument has no annotation; needed with several handlers.

    Raises:
        DefinitionError: two handlers are for the same class.
    """

    def __init__(
        self,
        *,
        type_handlers: Sequence[DbTypeHandler[Any]],
        db_client: DbClient[Any],
        database: str,
        schema: str | None = None,
        io_manager_name: str | None = None,
        default_load_type: type[object] | None = None,
    ) -> None:
        self._name = io_manager_name or type(self).__name__
        self._handlers: dict[type[object], DbTypeHandler[Any]] = {}
        for handler in type_handlers:
            for kind in handler.supported_types:
                if kind in self._handlers:
                    raise DefinitionError(
                        f"{self._name} has two handlers for {kind.__name__}", source=sources.of_caller(), mend="keep one of them"
                    )
                self._handlers[kind] = handler
        only = next(iter(self._handlers)) if len(self._handlers) == 1 else None
        self._client, self._database, self._schema, self._default = db_client, database, schema, default_load_type or only

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Replace the rows of the slice by a value's.

        Raises:
            TableError: no handler knows the value, or the asset does not say which column partitions it.
        """
        if obj is None:
            raise TableError(
                f"{self._name} got None for {_what(context)}; return a value, or write `-> None` if the function stores it by itself"
            )
        handler, where = self._handler(type(obj), context), self._get_table_slice(context, context)
        with self._client.connect(context, where) as connection:
            self._client.ensure_schema_exists(context, where, connection)
            self._client.delete_table_slice(context, where, connection)
            more = handler.handle_output(context, where, obj, connection)
        context.add_output_metadata(
            {"Query": self._client.get_select_statement(where), TABLE_NAME: self._client.get_table_name(where), **(more or {})}
        )

    def load_input(self, context: InputContext) -> Any:
        """The value of an input, of the class that its annotation says.

        Raises:
            TableError: no handler makes that class.
        """
        annotation = context.annotation.typing_type if isinstance(context.annotation, ValueType) else context.annotation
        wanted = self._default if annotation in (None, Any) else annotation
        handler, where = self._handler(wanted, context), self._get_table_slice(context, context.upstream_output)
        with self._client.connect(context, where) as connection:
            return handler.load_input(context, where, connection)

    def _handler(self, kind: Any, context: InputContext | OutputContext) -> DbTypeHandler[Any]:
        known = ", ".join(each.__name__ for each in self._handlers) or "none"
        if not isinstance(kind, type):
            given = "has no annotation" if kind is None else f"is annotated {kind}"
            raise TableError(f"{self._name} cannot tell what to load: {_what(context)} {given}; annotate it with one of {known}")
        for each, handler in self._handlers.items():
            if issubclass(kind, each):
                return handler
        raise TableError(f"{self._name} has no handler for a {kind.__name__}, the type of {_what(context)}; it has them for {known}")

    def _get_table_slice(self, context: InputContext | OutputContext, stored: OutputContext | None) -> TableSlice:
        """Where a value is; subclasses that place tables by rules of their own override it, by Dagster's name.

        Args:
            context: of what is stored or loaded.
            stored: of the output that it is, or that it is loaded from.
        """
        said = stored.definition_metadata if stored is not None else {}
        path = context.asset_key.path if context.has_asset_key else ()
        schema = said.get("schema") or self._schema or (path[-2] if len(path) > 1 else "public")
        table = path[-1] if path else said.get("table") or (stored.name if stored is not None else context.name)
        dimensions = _dimensions(context, said.get("partition_expr")) if path and context.has_asset_partitions else ()
        columns = context.definition_metadata.get("columns")
        return TableSlice(table=table, schema=schema, database=self._database, columns=columns, partition_dimensions=dimensions)


def _dimensions(context: InputContext | OutputContext, expression: Any) -> Sequence[TablePartitionDimension]:
    example = 'metadata={"partition_expr": "day"}'
    if isinstance(context.partitions, MultiPartitions):
        axes = context.partitions.dimensions
        if not isinstance(expression, Mapping) or any(name not in expression for name, _ in axes):
            names = ", ".join(f'"{name}": "a column"' for name, _ in axes)
            raise TableError(
                f"{_what(context)} has partitions in {len(axes)} dimensions, and its metadata does not say which column each one is in; "
                f'write metadata={{"partition_expr": {{{names}}}}}'
            )
        of_axes = [list(dict.fromkeys(key[place] for key in context.keys)) for place in range(len(axes))]
        if math.prod(map(len, of_axes)) != len(context.keys):
            raise TableError(f"{_what(context)}: the partitions are not all combinations of their parts, so no one condition picks them")
        pairs = zip(axes, of_axes, strict=True)
        return [TablePartitionDimension(expression[name], _rows(context, axis, keys)) for (name, axis), keys in pairs]
    if not isinstance(expression, str):
        raise TableError(f"{_what(context)} has partitions, and its metadata does not say which column they are in; write {example}")
    return [TablePartitionDimension(expression, _rows(context, context.partitions, _first(context.keys)))]


def _first(keys: Sequence[PartitionKey]) -> list[str]:
    return [key[0] for key in keys]


def _rows(context: InputContext | OutputContext, axis: SimplePartitions | None, keys: list[str]) -> TimeWindow | Sequence[str]:
    if not isinstance(axis, TimeWindowPartitions) or not keys:
        return keys
    windows = sorted(window(axis, key) for key in keys)
    for before, after in pairwise(windows):
        if before.end != after.start:
            raise TableError(f"{_what(context)}: the partitions do not follow each other; there is a gap at {before.end:{_TIME}}")
    return TimeWindow(windows[0].start, windows[-1].end)


def _what(context: InputContext | OutputContext) -> str:
    if context.has_asset_key:
        return f"the asset {context.asset_key.to_user_string()}"
    return f"the {'input' if isinstance(context, InputContext) else 'output'} {context.name!r} of step {context.step_key!r}"
