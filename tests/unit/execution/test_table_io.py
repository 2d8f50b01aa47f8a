"""IO managers over the tables of a database: DuckDB with its SQL, and sqlite."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import duckdb
import pandas as pd
import pytest

import dagwright as dg
from dagwright.execution.table_io import TableError
from dagwright_shared.model.errors import DefinitionError

pytestmark = pytest.mark.unit


class DuckClient(dg.DbClient):
    @staticmethod
    def delete_table_slice(context, table_slice, connection):
        where = dg.partition_where_clause(table_slice.partition_dimensions)
        with contextlib.suppress(duckdb.CatalogException):
            connection.execute(f"DELETE FROM {table_slice.schema}.{table_slice.table} {where}")

    @staticmethod
    def get_select_statement(table_slice):
        columns = ", ".join(table_slice.columns or ["*"])
        where = dg.partition_where_clause(table_slice.partition_dimensions)
        return f"SELECT {columns} FROM {table_slice.schema}.{table_slice.table} {where}".strip()

    @staticmethod
    def ensure_schema_exists(context, table_slice, connection):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table_slice.schema}")

    @staticmethod
    @contextlib.contextmanager
    def connect(context, table_slice):
        with duckdb.connect(table_slice.database) as connection:
            connection.execute("SET python_enable_replacements = false")
            yield connection


class Frames(dg.DbTypeHandler[pd.DataFrame]):
    supported_types = (pd.DataFrame,)

    def handle_output(self, context, table_slice, obj, connection):
        name = f"{table_slice.schema}.{table_slice.table}"
        connection.register("given", obj)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM given WHERE false")
        connection.execute(f"INSERT INTO {name} SELECT * FROM given")
        return {"rows": len(obj)}

    def load_input(self, context, table_slice, connection):
        return connection.execute(DuckClient.get_select_statement(table_slice)).fetch_df()


@pytest.fixture
def duck(tmp_path) -> dict[str, dg.IOManager]:
    return {"io_manager": dg.DbIOManager(type_handlers=[Frames()], db_client=DuckClient(), database=str(tmp_path / "x.duckdb"))}


DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-06")
COLOURS = dg.StaticPartitionsDefinition(["red", "o'range"])


@dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day"}, key_prefix="shop")
def sales(context) -> pd.DataFrame:
    return pd.DataFrame({"day": [pd.Timestamp(context.partition_key)], "amount": [int(context.partition_key[-1])]})


@dg.asset(ins={"sales": dg.AssetIn(key_prefix="shop", metadata={"columns": ["amount"]})}, io_manager_key="memory")
def total(sales: pd.DataFrame):
    return list(sales.columns), int(sales["amount"].sum())


def test_partitions_of_time_are_rows(duck):
    for day in ("2024-01-01", "2024-01-02", "2024-01-02"):  # the second time replaces the first
        made = dg.materialize([sales], resources=duck, partition_key=day)
    metadata = made.asset_materializations_for_node("shop__sales")[0].metadata
    assert metadata["rows"].value == 1
    assert metadata["dagwright/table_name"].value.endswith(".shop.sales")
    assert metadata["Query"].value == "SELECT * FROM shop.sales WHERE day >= '2024-01-02 00:00:00' AND day < '2024-01-03 00:00:00'"
    resources = {**duck, "memory": dg.InMemoryIOManager()}
    every = dg.AllPartitionMapping()

    @dg.asset(ins={"sales": dg.AssetIn(key=["shop", "sales"], partition_mapping=every)}, io_manager_key="memory")
    def rows(sales: pd.DataFrame):
        return len(sales)

    result = dg.materialize([sales, total, rows], selection="total or rows", resources=resources)
    assert result.asset_value("total") == (["amount"], 3)
    assert result.asset_value("rows") == 2


def test_static_partitions_and_dimensions(duck):
    grid = dg.MultiPartitionsDefinition({"day": DAYS, "colour": COLOURS})

    @dg.asset(partitions_def=COLOURS, metadata={"partition_expr": "colour"})
    def paint(context) -> pd.DataFrame:
        return pd.DataFrame({"colour": [context.partition_key], "litres": [1]})

    @dg.asset(partitions_def=grid, metadata={"partition_expr": {"day": "day", "colour": "colour"}, "schema": "wall"})
    def painted(context) -> pd.DataFrame:
        keys = context.partition_key.keys_by_dimension
        return pd.DataFrame({"day": [pd.Timestamp(keys["day"])], "colour": [keys["colour"]]})

    assert dg.materialize([paint], resources=duck, partition_key="o'range").success
    made = dg.materialize([painted], resources=duck, partition_key=dg.MultiPartitionKey({"day": "2024-01-03", "colour": "red"}))
    query = made.asset_materializations_for_node("painted")[0].metadata["Query"].value
    assert query.startswith("SELECT * FROM wall.painted WHERE colour IN ('red') AND day >= '2024-01-03 00:00:00'")


def test_outputs_of_ops_are_tables_too(duck):
    @dg.op(out=dg.Out(pd.DataFrame, metadata={"table": "made", "schema": "ops"}))
    def makes():
        return pd.DataFrame({"a": [1, 2]})

    @dg.op
    def reads(rows: pd.DataFrame):
        return pd.DataFrame({"n": [len(rows)]})

    @dg.job(resource_defs=duck)
    def job():
        reads(makes())

    assert job.execute_in_process().output_for_node("reads")["n"][0] == 2


class Bound(dg.DbTypeHandler[list]):
    supported_types = (list,)

    def handle_output(self, context, table_slice, obj, connection):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table_slice.table} (n INTEGER)")
        connection.executemany(f"INSERT INTO {table_slice.table} VALUES (?)", [(n,) for n in obj])

    def load_input(self, context, table_slice, connection):
        return [n for (n,) in connection.execute(f"SELECT n FROM {table_slice.table} ORDER BY n")]


class SqliteClient(dg.DbClient[sqlite3.Connection]):
    @staticmethod
    def delete_table_slice(context, table_slice, connection):
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute(f"DELETE FROM {table_slice.table}")

    @staticmethod
    def get_select_statement(table_slice):
        return f"SELECT * FROM {table_slice.table}"

    @staticmethod
    def ensure_schema_exists(context, table_slice, connection): ...

    @staticmethod
    @contextlib.contextmanager
    def connect(context, table_slice) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(table_slice.database)) as connection, connection:
            yield connection


def sqlite(path, **options):
    return {"io_manager": dg.DbIOManager(type_handlers=[Bound()], db_client=SqliteClient(), database=str(path / "x.db"), **options)}


@dg.asset
def numbers():
    return [2, 1]


def test_a_failing_handler_leaves_the_old_rows(tmp_path):
    dg.materialize([numbers], resources=sqlite(tmp_path))

    @dg.asset(name="numbers")
    def wrong():
        return [3, object()]

    assert not dg.materialize([wrong], resources=sqlite(tmp_path), raise_on_error=False).success

    @dg.asset
    def reads(numbers):
        return sorted(numbers)

    made = dg.materialize([numbers, reads], selection="reads", resources={**sqlite(tmp_path)})
    assert made.asset_value("reads") == [1, 2]


def failing(asset, resources, match, **options):
    with pytest.raises(TableError, match=match):
        dg.materialize([asset], resources=resources, **options)


def test_what_cannot_be_stored_says_why(tmp_path, duck):
    failing(dg.asset(name="a")(lambda: "text"), duck, "has no handler for a str, the type of the asset a; it has them for DataFrame")
    failing(dg.asset(name="a")(lambda: None), duck, "got None for the asset a; return a value, or write `-> None`")
    daily = dg.asset(name="a", partitions_def=DAYS)(lambda: pd.DataFrame({"x": [1]}))
    failing(daily, duck, r'metadata=\{"partition_expr": "day"\}', partition_key="2024-01-01")
    both = dg.MultiPartitionsDefinition({"day": DAYS, "colour": COLOURS})
    multi = dg.asset(name="a", partitions_def=both, metadata={"partition_expr": {"day": "d"}})(lambda: pd.DataFrame({"x": [1]}))
    failing(multi, duck, "does not say which column", partition_key="red|2024-01-01")
    with pytest.raises(DefinitionError, match="two handlers for list"):
        dg.DbIOManager(type_handlers=[Bound(), Bound()], db_client=SqliteClient(), database="x")

    @dg.asset
    def reads(numbers: int | str): ...

    dg.materialize([numbers], resources=sqlite(tmp_path))
    with pytest.raises(TableError, match="annotate it with one of list"):
        dg.materialize([numbers, reads], selection="reads", resources=sqlite(tmp_path))


def test_partitions_with_gaps_are_refused(duck):
    context = dg.build_input_context(
        name="x",
        asset_key="a",
        partition_key="2024-01-01",
        asset_partitions_def=DAYS,
        upstream_output=dg.build_output_context(definition_metadata={"partition_expr": "day"}, asset_key="a"),
        dagster_type=pd.DataFrame,
    )
    context.keys = (("2024-01-01",), ("2024-01-04",))
    with pytest.raises(TableError, match="do not follow each other"):
        duck["io_manager"].load_input(context)


def test_where_clauses():
    assert dg.partition_where_clause(None) == ""
    assert dg.partition_where_clause([dg.TablePartitionDimension("x", [])]) == "WHERE 1 = 0"


def test_subclasses_may_place_tables_by_rules_of_their_own(tmp_path):
    class ByName(dg.DbIOManager):
        def _get_table_slice(self, context, stored):
            return super()._get_table_slice(context, stored)._replace(table=stored.definition_metadata["root_name"])

    @dg.asset(metadata={"root_name": "ledger"})
    def bookings() -> pd.DataFrame:
        return pd.DataFrame({"amount": [3]})

    manager = ByName(type_handlers=[Frames()], db_client=DuckClient(), database=str(tmp_path / "x.duckdb"))
    made = dg.materialize([bookings], resources={"io_manager": manager})
    assert made.asset_materializations_for_node("bookings")[0].metadata["Query"].value == "SELECT * FROM public.ledger"
