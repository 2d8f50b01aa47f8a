"""Assets in tables of DuckDB, and its connections as a resource."""

from __future__ import annotations

import threading

import duckdb
import pandas as pd
import pytest

import dagwright as dg
from dagwright.integrations.duckdb import DuckDBIOManager, DuckDBPandasIOManager, DuckDBPandasTypeHandler, DuckDBResource
from dagwright.integrations.duckdb.connections import connect

pytestmark = pytest.mark.unit

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-04")


@dg.asset(key_prefix="shop", partitions_def=DAYS, metadata={"partition_expr": "day"})
def sales(context: dg.AssetExecutionContext) -> pd.DataFrame:
    return pd.DataFrame({"day": [pd.Timestamp(context.partition_key)], "amount": [int(context.partition_key[-1])]})


@dg.asset(ins={"sales": dg.AssetIn(key_prefix="shop", metadata={"columns": ["amount"]})})
def total(sales) -> pd.DataFrame:
    return pd.DataFrame({"total": [int(sales["amount"].sum())], "columns": [",".join(sales.columns)]})


def rows(database, sql: str) -> list[tuple]:
    with duckdb.connect(str(database)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.duckdb"


def test_a_partition_replaces_its_rows_and_a_schema_is_the_keys_prefix(file):
    manager = DuckDBPandasIOManager(database=str(file))
    for day in ("2024-01-01", "2024-01-02", "2024-01-02"):
        made = dg.materialize([sales], resources={"io_manager": manager}, partition_key=day)
    assert rows(file, "SELECT amount FROM shop.sales ORDER BY 1") == [(1,), (2,)]
    metadata = made.asset_materializations_for_node("shop__sales")[0].metadata
    assert metadata["dagwright/partition_row_count"].value == 1
    assert metadata["dagwright/storage_kind"].value == "duckdb"
    assert [column.name for column in metadata["dataframe_columns"].value.columns] == ["day", "amount"]
    assert dg.materialize([sales, total], selection=[total], resources={"io_manager": manager}).success
    assert rows(file, "SELECT * FROM public.total") == [(3, "amount")]


def test_the_schema_of_the_manager_and_columns_by_name(file):
    order = ["a", "b"]

    @dg.asset
    def thing():
        return pd.DataFrame({"a": [1], "b": ["x"]})[order]

    manager = DuckDBPandasIOManager(database=str(file), schema="mine", connection_config={"threads": 1})
    assert dg.materialize([thing], resources={"io_manager": manager}).success
    order.reverse()
    assert dg.materialize([thing], resources={"io_manager": manager}).success
    assert rows(file, "SELECT a, b FROM mine.thing") == [(1, "x")]


def test_a_failure_leaves_the_old_rows(file):
    good = dg.asset(name="thing")(lambda: pd.DataFrame({"a": [1]}))
    bad = dg.asset(name="thing")(lambda: pd.DataFrame({"a": ["not a number"]}))
    resources = {"io_manager": DuckDBPandasIOManager(database=str(file))}
    dg.materialize([good], resources=resources)
    assert not dg.materialize([bad], resources=resources, raise_on_error=False).success
    assert rows(file, "SELECT a FROM public.thing") == [(1,)]


def test_an_empty_frame_makes_no_table_and_empties_one_that_is_there(file):
    resources = {"io_manager": DuckDBPandasIOManager(database=str(file))}
    empty = dg.asset(name="thing")(lambda: pd.DataFrame({"a": []}))
    full = dg.asset(name="thing")(lambda: pd.DataFrame({"a": [1]}))
    made = dg.materialize([empty], resources=resources)
    assert made.asset_materializations_for_node("thing")[0].metadata["dagwright/row_count"].value == 0
    assert rows(file, "SELECT count(*) FROM information_schema.tables") == [(0,)]
    dg.materialize([full], resources=resources)
    dg.materialize([empty], resources=resources)
    assert rows(file, "SELECT count(*) FROM public.thing") == [(0,)]


def test_handlers_of_ones_own_and_the_older_form(file):
    from dagwright.integrations.duckdb import build_duckdb_io_manager

    class Mine(DuckDBIOManager):
        @staticmethod
        def type_handlers():
            return [DuckDBPandasTypeHandler()]

    thing = dg.asset(name="thing")(lambda: pd.DataFrame({"a": [1]}))
    older = build_duckdb_io_manager([DuckDBPandasTypeHandler()]).configured({"database": str(file), "schema": "older"})
    assert dg.materialize([thing], resources={"io_manager": Mine(database=str(file))}).success
    assert dg.materialize([thing], resources={"io_manager": older}).success
    assert rows(file, "SELECT * FROM public.thing UNION ALL SELECT * FROM older.thing") == [(1,), (1,)]
    with pytest.raises(dg.DagwrightError, match="no handler for a str"):
        dg.materialize([dg.asset(name="thing")(lambda: "text")], resources={"io_manager": Mine(database=str(file))})


def test_frames_of_polars(file):
    pl = pytest.importorskip("polars")
    from dagwright.integrations.duckdb import DuckDBPolarsIOManager

    thing = dg.asset(name="thing")(lambda: pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}))

    @dg.asset(io_manager_key="memory")
    def read(thing):
        return thing.sort("a").to_dicts()

    resources = {"io_manager": DuckDBPolarsIOManager(database=str(file)), "memory": dg.mem_io_manager}
    made = dg.materialize([thing, read], resources=resources)
    assert made.asset_value("read") == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert made.asset_materializations_for_node("thing")[0].metadata["dagwright/row_count"].value == 2


def test_the_resource_closes_its_connection_also_after_an_error(file):
    duck = DuckDBResource(database=str(file), connection_config={"threads": 1})
    kept = []

    @dg.asset
    def uses(duck: DuckDBResource):
        with duck.get_connection() as connection:
            kept.append(connection)
            return connection.execute("SELECT current_setting('threads')").fetchone()[0]

    assert dg.materialize([uses], resources={"duck": duck}).asset_value("uses") == 1

    @dg.asset
    def fails(duck: DuckDBResource):
        with duck.get_connection() as connection:
            kept.append(connection)
            connection.execute("SELECT nothing")

    assert not dg.materialize([fails], resources={"duck": duck}, raise_on_error=False).success
    assert len(kept) == 2
    for connection in kept:
        with pytest.raises(duckdb.ConnectionException):
            connection.execute("SELECT 1")


def test_a_file_held_by_another_process_is_waited_for(file, monkeypatch):
    tries = []
    real = duckdb.connect

    def held_twice(*args, **kwargs):
        tries.append(threading.get_ident())
        if len(tries) < 3:
            raise duckdb.IOException("IO Error: Could not set lock on file")
        return real(*args, **kwargs)

    monkeypatch.setattr(duckdb, "connect", held_twice)
    connect(str(file), {}).close()
    assert len(tries) == 3
    tries.clear()
    with pytest.raises(duckdb.IOException, match="lock"):
        connect(str(file), {}, wait=0)


def test_a_file_that_cannot_be_opened_is_not_waited_for(tmp_path):
    with pytest.raises(duckdb.IOException, match="nowhere"):
        connect(str(tmp_path / "nowhere" / "x.duckdb"), {})
