"""DuckDB's side of `DbIOManager`: its SQL, and the IO manager that a class for a kind of frame completes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
from pydantic import Field

from dagwright.authoring.io_managers import ConfigurableIOManagerFactory, IOManagerDefinition, io_manager
from dagwright.execution.io_contexts import InputContext, OutputContext
from dagwright.execution.table_io import DbClient, DbIOManager, DbTypeHandler, TableSlice, partition_where_clause
from dagwright.integrations.duckdb.connections import connect
from dagwright_shared.model.metadata import TableColumn, TableSchema


class DuckDbClient(DbClient[duckdb.DuckDBPyConnection]):
    """The SQL of DuckDB.

    Args:
        settings: of DuckDB, by name, for each connection.
    """

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = dict(settings or {})

    @staticmethod
    def delete_table_slice(context: OutputContext, table_slice: TableSlice, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: ARG004
        if has_table(table_slice, connection):
            where = partition_where_clause(table_slice.partition_dimensions)
            connection.execute(f"DELETE FROM {table_slice.schema}.{table_slice.table} {where}")

    @staticmethod
    def get_select_statement(table_slice: TableSlice) -> str:
        columns = ", ".join(table_slice.columns or ["*"])
        where = partition_where_clause(table_slice.partition_dimensions)
        return f"SELECT {columns} FROM {table_slice.schema}.{table_slice.table} {where}".rstrip()

    @staticmethod
    def ensure_schema_exists(context: OutputContext, table_slice: TableSlice, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: ARG004
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table_slice.schema}")

    @contextmanager
    def connect(  # type: ignore[override]  # a client with settings is an object, not only a class
        self,
        context: OutputContext | InputContext,  # noqa: ARG002
        table_slice: TableSlice,
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in a transaction, which a failure rolls back: then the old rows are still there."""
        connection = connect(table_slice.database or ":memory:", self._settings)
        try:
            connection.begin()
            yield connection
            connection.commit()
        finally:
            connection.close()


def has_table(table_slice: TableSlice, connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the table is there. DuckDB's own error for one that is not would end the transaction."""
    found = connection.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_catalog = current_database() "
        "AND lower(table_schema) = lower(?) AND lower(table_name) = lower(?)",
        [table_slice.schema, table_slice.table],
    ).fetchall()
    return bool(found[0][0])


def store_rows(
    context: OutputContext,
    table_slice: TableSlice,
    rows: Any,
    columns: Sequence[tuple[str, Any]],
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, Any]:
    """Append a frame to the table, which it makes if there is none; returns the metadata of the frame.

    Args:
        rows: what DuckDB can register.
        columns: names and types, as the frame's library says them.
    """
    count, name = len(rows), f"{table_slice.schema}.{table_slice.table}"
    if not count:
        context.log.warning(f"{name}: the frame is empty, so no rows are written; a table that does not exist is not made")
    else:
        connection.register("dagwright_rows", rows)
        make = "INSERT INTO {} BY NAME" if has_table(table_slice, connection) else "CREATE TABLE {} AS"
        connection.execute(f"{make.format(name)} SELECT * FROM dagwright_rows")
        connection.unregister("dagwright_rows")
    schema = TableSchema(columns=[TableColumn(name=str(each), type=str(kind)) for each, kind in columns])
    part = "partition_row_count" if context.has_partition_key else "row_count"
    return {f"dagwright/{part}": count, "dagwright/storage_kind": "duckdb", "dataframe_columns": schema}


class DuckDBIOManager(ConfigurableIOManagerFactory):
    """Keeps assets in tables of DuckDB; a subclass says by `type_handlers` which Python values become rows.

    `DuckDBPandasIOManager` and `DuckDBPolarsIOManager` are such. Schemas, partitions and columns are as `DbIOManager` has them.
    """

    database: str = Field(description="The file of the database, or `md:...`.")
    connection_config: dict[str, Any] = Field(default={}, description="Settings of DuckDB, by name.")
    schema_: str | None = Field(default=None, alias="schema", description="The schema of assets that do not say theirs.")

    @staticmethod
    @abstractmethod
    def type_handlers() -> Sequence[DbTypeHandler[Any]]:
        """One for each kind of value."""

    @staticmethod
    def default_load_type() -> type[object] | None:
        """What an input without an annotation is loaded as."""
        return None

    def create_io_manager(self, context: Any) -> DbIOManager:  # noqa: ARG002 - the signature of the base
        return DbIOManager(
            type_handlers=self.type_handlers(),
            db_client=DuckDbClient(self.connection_config),
            database=self.database,
            schema=self.schema_,
            io_manager_name=type(self).__name__,
            default_load_type=self.default_load_type(),
        )


def build_duckdb_io_manager(
    type_handlers: Sequence[DbTypeHandler[Any]], default_load_type: type[object] | None = None
) -> IOManagerDefinition:
    """An IO manager to be configured with `database`, and optionally `schema` and `connection_config`.

    Args:
        type_handlers: one for each kind of value.
        default_load_type: what an input without an annotation is loaded as.
    """

    @io_manager(config_schema=DuckDBIOManager.to_config_schema())
    def duckdb_io_manager(context: Any) -> DbIOManager:
        said = context.resource_config
        return DbIOManager(
            type_handlers=type_handlers,
            db_client=DuckDbClient(said.get("connection_config")),
            database=said["database"],
            schema=said.get("schema"),
            io_manager_name="DuckDBIOManager",
            default_load_type=default_load_type,
        )

    return duckdb_io_manager
