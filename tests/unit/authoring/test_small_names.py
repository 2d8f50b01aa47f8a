"""Names beside the large nouns: values as text, merged dicts, the environment, tables, checks as definitions, names that are not here."""

from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import pytest

import dagwright as dg
from dagwright import missing_names
from dagwright.libraries import markers as marks
from dagwright.migrate import names as migrated
from dagwright.migrate.rewrite import rewrite
from dagwright_shared.model.errors import InvalidRequestError
from dagwright_shared.model.metadata_json import metadata_to_json, metadata_value_from_json, metadata_value_to_json

pytestmark = pytest.mark.unit


@dg.whitelist_for_serdes
@dataclasses.dataclass(frozen=True)
class Place:
    page: int
    seen: frozenset[str] = frozenset()


@dg.whitelist_for_serdes
class Level(Enum):
    LOW = 1


@pytest.mark.parametrize(
    "value",
    [
        Place(3, frozenset({"a", "b"})),
        Level.LOW,
        dg.RunRequest(run_key="a", tags={"k": "v"}),
        dg.AssetKey(["a", "b"]),
        dg.PartitionKeyRange("a", "b"),
        {"at": datetime(2024, 1, 1, tzinfo=UTC), "n": [1, 2.5, None, True]},
        {dg.AssetKey("a"): Place(1)},
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_come_back_from_text(value) -> None:
    assert dg.deserialize_value(dg.serialize_value(value)) == value


def test_text_that_fits_not_is_told() -> None:
    class Own:
        pass

    with pytest.raises(dg.SerializationError, match=r"a Own cannot be written as text; .*whitelist_for_serdes"):
        dg.serialize_value(Own())
    with pytest.raises(dg.SerializationError, match="the class Plce, which is not known; did you mean Place"):
        dg.deserialize_value('{"__class__": "Plce", "page": 1}')
    with pytest.raises(dg.SerializationError, match="holds a Place, not a AssetKey"):
        dg.deserialize_value(dg.serialize_value(Place(1)), dg.AssetKey)
    with pytest.raises(dg.SerializationError, match="has no 'page'"):
        dg.deserialize_value('{"__class__": "Place"}')


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGWRIGHT_TEST_THERE", "before")

    def broken() -> None:
        with dg.environ({"DAGWRIGHT_TEST_THERE": None, "DAGWRIGHT_TEST_NEW": "x"}):
            assert "DAGWRIGHT_TEST_THERE" not in os.environ
            assert os.environ["DAGWRIGHT_TEST_NEW"] == "x"
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the block's own
        broken()
    assert os.environ["DAGWRIGHT_TEST_THERE"] == "before"
    assert "DAGWRIGHT_TEST_NEW" not in os.environ


def test_objects_as_metadata_are_seen_by_their_class_elsewhere() -> None:
    lock = object()
    value = dg.ObjectMetadataValue(lock)
    assert (value.class_name, value.instance, value.value) == ("object", lock, "object")
    assert metadata_value_from_json(metadata_value_to_json(value)) == dg.TextMetadataValue("[object]")


def test_metadata_of_tables() -> None:
    schema = dg.TableSchema.from_name_type_dict({"id": "int"})
    given = dg.TableMetadataSet(column_schema=schema, row_count=3, table_name="shop.orders")

    @dg.asset(metadata={**given, "owner": "me"})
    def orders() -> None: ...

    found = dg.TableMetadataSet.extract(orders.metadata_by_key[orders.key])
    assert (found.column_schema, found.row_count, found.table_name, found.column_lineage) == (schema, 3, "shop.orders", None)
    assert set(metadata_to_json(given)) == {"dagster/column_schema", "dagster/row_count", "dagster/table_name"}
    with pytest.raises(KeyError, match="did you mean 'dagster/row_count'"):
        given["dagster/rowcount"]


def test_checks_are_a_kind_of_assets_definition() -> None:
    @dg.asset
    def orders() -> int:
        return 1

    @dg.asset_check(asset=orders)
    def positive(orders: int) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=orders > 0)

    assert isinstance(positive, dg.AssetsDefinition)
    assert not isinstance(orders, dg.AssetChecksDefinition)
    assert (set(positive.keys), positive.check_keys) == (set(), {dg.AssetCheckKey(orders.key, "positive")})
    defs = dg.Definitions(assets=[orders, positive])
    assert [item.name for item in defs.asset_checks] == ["orders_positive"]
    assert defs.assets == [orders]
    assert [one.passed for one in dg.materialize([orders, positive]).get_asset_check_evaluations()] == [True]


def test_partitions_at_another_moment() -> None:
    days, names = dg.DailyPartitionsDefinition("2024-01-01"), dg.DynamicPartitionsDefinition(name="customers")
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("customers", ["acme"])
    with dg.partition_loading_context(datetime(2024, 1, 3, tzinfo=UTC), instance):
        assert days.get_last_partition_key() == "2024-01-02"
        assert names.get_partition_keys() == ["acme"]
        with dg.partition_loading_context(effective_dt=datetime(2024, 1, 2, tzinfo=UTC)):
            assert days.get_partition_keys() == ["2024-01-01"]
            assert names.get_partition_keys() == ["acme"]
    assert len(days.get_partition_keys()) > 300
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="dynamic_partitions_store"):
        names.get_partition_keys()


def test_values_of_a_range_of_partitions(tmp_path) -> None:
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b", "c"]))
    def letters(context: dg.AssetExecutionContext) -> str:
        return context.partition_key.upper()

    defs = dg.Definitions(assets=[letters], resources={"io_manager": dg.FilesystemIOManager(base_dir=str(tmp_path))})
    for key in "abc":
        dg.materialize([letters], partition_key=key, resources=defs.resources)
    with defs.get_asset_value_loader() as loader:
        assert isinstance(loader, dg.AssetValueLoader)
        assert loader.load_asset_value("letters", partition_key="b") == "B"
        assert loader.load_asset_value("letters", partition_key_range=dg.PartitionKeyRange("a", "b")) == {"a": "A", "b": "B"}
        with pytest.raises(InvalidRequestError, match="not both"):
            loader.load_asset_value("letters", partition_key="b", partition_key_range=dg.PartitionKeyRange("a", "b"))


def test_names_that_are_not_here_say_what_to_use() -> None:
    with pytest.raises(AttributeError, match="use `OpExecutionContext`"):
        dg.StepExecutionContext  # noqa: B018 - the name is what is asked for
    with pytest.raises(ImportError, match="did you mean 'asset_check'"):
        from dagwright import asset_chek  # noqa: F401 - likewise
    with pytest.raises(ImportError, match="there is nothing like it here: every run goes"):
        from dagwright import SubmitRunContext  # noqa: F401
    assert not hasattr(dg, "asset_chek")
    assert "daemon's queue" in migrated.advice("dagster", "QueuedRunCoordinator")
    assert [name for name in missing_names.INSTEAD if name in dg._EXPORTS or name in dg._ALIASES] == []


def test_marks_of_libraries_warn_when_used() -> None:
    @marks.beta
    def early(x: int) -> int:
        return x

    @marks.deprecated(breaking_version="2.0", additional_warn_text="Use new_one.")
    class Old:
        def __init__(self, x: int) -> None:
            self.x = x

        @marks.public
        @property
        def value(self) -> int:
            return self.x

    @marks.deprecated_param(param="old", breaking_version="2.0")
    def some(new: int = 0, old: int | None = None) -> int:
        return new or old or 0

    with pytest.warns(dg.BetaWarning, match="early is beta"):
        assert early(3) == 3
    with pytest.warns(DeprecationWarning, match=r"Old is deprecated and will be removed, in version 2.0. Use new_one."):
        assert Old(4).value == 4
    assert some(1) == 1  # warnings are errors here
    with pytest.warns(DeprecationWarning, match="the argument 'old' of .*some"):
        assert some(old=2) == 2
    assert marks.is_public(Old.value)
    assert not marks.is_public(early)


def test_names_that_were_private_are_migrated_to_public_ones() -> None:
    text = (
        "from dagster._annotations import beta, public\nfrom dagster._core.libraries import DagsterLibraryRegistry\n"
        "from dagster._core.test_utils import environ\nfrom dagster._utils import safe_tempfile_path\n"
        "from dagster._utils.merger import merge_dicts\n"
    )
    made = rewrite(Path("x.py"), text)
    assert list(made.findings) == []
    found: dict[str, object] = {}
    exec(made.after, found)
    assert found["environ"] is dg.environ
    found["DagsterLibraryRegistry"].register("shop", "1")  # type: ignore[attr-defined]
    assert dg.LibraryRegistry.get()["shop"] == "1"
