"""DuckDB: its connections as a resource, its tables as the place of assets. Needs the extra `dagwright[duckdb]`.

pandas and polars are imported when the names that are for them are.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dagwright.integrations.duckdb.resource import DuckDBResource
from dagwright.integrations.duckdb.tables import DuckDbClient, DuckDBIOManager, build_duckdb_io_manager

if TYPE_CHECKING:
    from dagwright.integrations.duckdb.pandas_frames import DuckDBPandasIOManager, DuckDBPandasTypeHandler, duckdb_pandas_io_manager
    from dagwright.integrations.duckdb.polars_frames import DuckDBPolarsIOManager, DuckDBPolarsTypeHandler, duckdb_polars_io_manager

__all__ = [
    "DuckDBIOManager",
    "DuckDBPandasIOManager",
    "DuckDBPandasTypeHandler",
    "DuckDBPolarsIOManager",
    "DuckDBPolarsTypeHandler",
    "DuckDBResource",
    "DuckDbClient",
    "build_duckdb_io_manager",
    "duckdb_pandas_io_manager",
    "duckdb_polars_io_manager",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    kind = "pandas" if "pandas" in name.lower() else "polars"
    return getattr(importlib.import_module(f"{__name__}.{kind}_frames"), name)
