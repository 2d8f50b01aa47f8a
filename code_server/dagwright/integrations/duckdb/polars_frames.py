"""Data frames of polars in tables of DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import polars as pl

from dagwright.execution.io_contexts import InputContext, OutputContext
from dagwright.execution.table_io import DbTypeHandler, TableSlice
from dagwright.integrations.duckdb.tables import DuckDbClient, DuckDBIOManager, build_duckdb_io_manager, store_rows


class DuckDBPolarsTypeHandler(DbTypeHandler[pl.DataFrame]):
    """Writes and reads the frames of polars; for the `type_handlers` of a `DuckDBIOManager`."""

    def handle_output(
        self, context: OutputContext, table_slice: TableSlice, obj: pl.DataFrame, connection: duckdb.DuckDBPyConnection
    ) -> Mapping[str, Any]:
        return store_rows(context, table_slice, obj, list(zip(obj.columns, obj.dtypes, strict=True)), connection)

    def load_input(self, context: InputContext, table_slice: TableSlice, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
        if table_slice.partition_dimensions and not context.asset_partition_keys:
            return pl.DataFrame()
        frame: pl.DataFrame = connection.sql(DuckDbClient.get_select_statement(table_slice)).pl()
        return frame

    @property
    def supported_types(self) -> Sequence[type[object]]:
        return [pl.DataFrame]


class DuckDBPolarsIOManager(DuckDBIOManager):
    """Keeps assets that are frames of polars in tables of DuckDB; inputs without an annotation are such frames.

    Example:
        >>> DuckDBPolarsIOManager(database="shop.duckdb", schema="sales").database
        'shop.duckdb'
    """

    @staticmethod
    def type_handlers() -> Sequence[DbTypeHandler[Any]]:
        return [DuckDBPolarsTypeHandler()]

    @staticmethod
    def default_load_type() -> type[object]:
        return pl.DataFrame


duckdb_polars_io_manager = build_duckdb_io_manager([DuckDBPolarsTypeHandler()], default_load_type=pl.DataFrame)
"""The same, configured by `.configured({"database": ...})`."""
