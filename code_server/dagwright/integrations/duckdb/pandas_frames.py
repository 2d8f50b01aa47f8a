"""Data frames of pandas in tables of DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pandas as pd

from dagwright.execution.io_contexts import InputContext, OutputContext
from dagwright.execution.table_io import DbTypeHandler, TableSlice
from dagwright.integrations.duckdb.tables import DuckDbClient, DuckDBIOManager, build_duckdb_io_manager, store_rows


class DuckDBPandasTypeHandler(DbTypeHandler[pd.DataFrame]):
    """Writes and reads the frames of pandas; for the `type_handlers` of a `DuckDBIOManager`."""

    def handle_output(
        self, context: OutputContext, table_slice: TableSlice, obj: pd.DataFrame, connection: duckdb.DuckDBPyConnection
    ) -> Mapping[str, Any]:
        return store_rows(context, table_slice, obj, [(str(name), kind) for name, kind in obj.dtypes.items()], connection)

    def load_input(self, context: InputContext, table_slice: TableSlice, connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
        if table_slice.partition_dimensions and not context.asset_partition_keys:
            return pd.DataFrame()
        frame: pd.DataFrame = connection.sql(DuckDbClient.get_select_statement(table_slice)).df()
        return frame

    @property
    def supported_types(self) -> Sequence[type[object]]:
        return [pd.DataFrame]


class DuckDBPandasIOManager(DuckDBIOManager):
    """Keeps assets that are frames of pandas in tables of DuckDB; inputs without an annotation are such frames.

    Example:
        >>> DuckDBPandasIOManager(database="shop.duckdb", schema="sales").database
        'shop.duckdb'
    """

    @staticmethod
    def type_handlers() -> Sequence[DbTypeHandler[Any]]:
        return [DuckDBPandasTypeHandler()]

    @staticmethod
    def default_load_type() -> type[object]:
        kind: type[object] = pd.DataFrame
        return kind


duckdb_pandas_io_manager = build_duckdb_io_manager([DuckDBPandasTypeHandler()], default_load_type=pd.DataFrame)
"""The same, configured by `.configured({"database": ...})`."""
