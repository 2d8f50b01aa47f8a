from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import dagwright as dg
from dagwright_shared.model import partitions as model
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.snapshot import MappingKind

NOW = datetime(2024, 1, 11, 12, tzinfo=UTC)


def test_static() -> None:
    definition = dg.StaticPartitionsDefinition(["a", "b", "c"])
    assert definition.get_partition_keys() == ["a", "b", "c"]
    assert definition.get_first_partition_key() == "a"
    assert definition.get_last_partition_key() == "c"
    assert definition.get_partition_keys_in_range(dg.PartitionKeyRange("b", "c")) == ["b", "c"]
    assert definition.has_partition_key("b")
    assert definition.get_num_partitions() == 3
    assert definition == dg.StaticPartitionsDefinition(["a", "b", "c"])
    assert hash(definition) == hash(dg.StaticPartitionsDefinition(["a", "b", "c"]))
    assert definition.to_model() == model.StaticPartitions(keys=("a", "b", "c"))
    with pytest.raises(ValueError, match="did you mean"):
        definition.get_partition_keys_in_range(dg.PartitionKeyRange("b", "cc"))


@pytest.mark.parametrize("keys", ["abc", ["a", "a"], ["a|b"], [""], [3], ["a..."], ["[x]"]])
def test_bad_static_keys(keys: Any) -> None:
    with pytest.raises(DefinitionError, match=r"test_partitions\.py"):
        dg.StaticPartitionsDefinition(keys)


def test_daily() -> None:
    definition = dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone="America/New_York", hour_offset=6)
    assert definition.get_partition_keys(NOW)[-1] == "2024-01-10"
    window = definition.time_window_for_partition_key("2024-01-02")
    assert window.start == datetime(2024, 1, 2, 11, tzinfo=UTC)
    assert window.start.hour == 6
    assert window.end - window.start == timedelta(days=1)
    assert definition.get_partition_key_for_timestamp(datetime(2024, 1, 2, 10, tzinfo=UTC).timestamp()) == "2024-01-01"
    assert definition.get_last_partition_window(NOW) == definition.time_window_for_partition_key("2024-01-10")
    assert definition.get_first_partition_window(NOW) == definition.time_window_for_partition_key("2024-01-01")
    assert definition.get_next_partition_key("2024-01-03", NOW) == "2024-01-04"
    assert definition.get_next_partition_key("2024-01-10", NOW) is None
    assert definition.get_prev_partition_key("2024-01-01", NOW) is None
    assert definition.cron_schedule == "0 6 * * *"
    assert definition.get_cron_schedule(hour_of_day=8, minute_of_hour=5) == "5 8 * * *"
    keys = definition.get_partition_keys_in_time_window(dg.TimeWindow(window.start, window.start + timedelta(days=2)))
    assert keys == ["2024-01-02", "2024-01-03"]
    with pytest.raises(ValueError, match="not a partition"):
        definition.time_window_for_partition_key("yesterday")


@pytest.mark.parametrize(
    ("definition", "first", "last", "count"),
    [
        (dg.HourlyPartitionsDefinition("2024-01-11-00:00"), "2024-01-11-00:00", "2024-01-11-11:00", 12),
        (dg.WeeklyPartitionsDefinition("2023-12-20"), "2023-12-24", "2023-12-31", 2),
        (dg.WeeklyPartitionsDefinition("2023-12-20", day_offset=1), "2023-12-25", "2024-01-01", 2),
        (dg.MonthlyPartitionsDefinition("2023-10-01"), "2023-10-01", "2023-12-01", 3),
        (dg.MonthlyPartitionsDefinition(datetime(2023, 10, 1, tzinfo=UTC), end_offset=1), "2023-10-01", "2024-01-01", 4),
        (dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05"), "2024-01-01", "2024-01-04", 4),
        (dg.DailyPartitionsDefinition("01/02/2024", fmt="%d/%m/%Y", end_offset=30), "01/02/2024", "09/02/2024", 9),
        (dg.TimeWindowPartitionsDefinition(start="2024", fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1), "2024", "2024", 1),
    ],
)
def test_cadences(definition: dg.TimeWindowPartitionsDefinition, first: str, last: str, count: int) -> None:
    assert definition.get_first_partition_key(NOW) == first
    assert definition.get_last_partition_key(NOW) == last
    assert definition.get_num_partitions(NOW) == count == len(definition.get_partition_keys(NOW))


BAD_TIMES: dict[str, tuple[dict[str, Any], str]] = {
    "start": ({"start_date": "1.1.2024"}, "not a time in the format '%Y-%m-%d'"),
    "start type": ({"start_date": 2024}, "not a point in time"),
    "zone": ({"start_date": "2024-01-01", "timezone": "Mars/Olympus"}, "not a time zone"),
    "end": ({"start_date": "2024-01-01", "end_date": "2023-01-01"}, "ends .* before it starts"),
    "exclusions": ({"start_date": "2024-01-01", "exclusions": ["61 * * * *"]}, "not a cron expression"),
}


@pytest.mark.parametrize("name", BAD_TIMES)
def test_bad_time_windows(name: str) -> None:
    options, message = BAD_TIMES[name]
    with pytest.raises(DefinitionError, match=message) as caught:
        dg.DailyPartitionsDefinition(**options)
    assert "test_partitions.py" in str(caught.value)


def test_bad_cron() -> None:
    with pytest.raises(DefinitionError, match="not a cron expression"):
        dg.TimeWindowPartitionsDefinition(start="2024-01-01", fmt="%Y-%m-%d", cron_schedule="every day")
    with pytest.raises(DefinitionError, match="either schedule_type or cron_schedule"):
        dg.TimeWindowPartitionsDefinition(start="2024-01-01", fmt="%Y-%m-%d")


def test_dynamic() -> None:
    class Store:
        def get_dynamic_partitions(self, name: str) -> list[str]:
            return ["x", "y"] if name == "regions" else []

    definition = dg.DynamicPartitionsDefinition(name="regions")
    assert definition.get_partition_keys(dynamic_partitions_store=Store()) == ["x", "y"]
    assert definition.build_add_request(["z"]) == ("regions", ("z",))
    assert definition.build_delete_request(["z"]) == ("regions", ("z",))
    with pytest.raises(DefinitionError, match="dynamic_partitions_store"):
        definition.get_partition_keys()
    with pytest.raises(DefinitionError, match="has no name"):
        dg.DynamicPartitionsDefinition()
    with pytest.raises(DefinitionError, match="partition_fn"):
        dg.DynamicPartitionsDefinition(lambda: [])


def test_products_of_dimensions() -> None:
    definition = dg.MultiPartitionsDefinition(
        {"zone": dg.StaticPartitionsDefinition(["eu", "us"]), "day": dg.DailyPartitionsDefinition("2024-01-09")}
    )
    keys = definition.get_partition_keys(NOW)
    assert keys == ["2024-01-09|eu", "2024-01-09|us", "2024-01-10|eu", "2024-01-10|us"]
    assert isinstance(keys[0], dg.MultiPartitionKey)
    assert keys[0].keys_by_dimension == {"day": "2024-01-09", "zone": "eu"}
    assert definition.parse_key("2024-01-09|eu") == ("2024-01-09", "eu")
    assert definition.parse_key(dg.MultiPartitionKey({"zone": "eu", "day": "d"})) == ("d", "eu")
    assert definition.has_partition_key("2024-01-09|eu", NOW)
    assert definition.partition_dimension_names == ["day", "zone"]
    assert pickle.loads(pickle.dumps(keys[0])).keys_by_dimension == keys[0].keys_by_dimension
    with pytest.raises(DefinitionError, match="has 1 dimensions"):
        dg.MultiPartitionsDefinition({"a": dg.StaticPartitionsDefinition(["x"])})
    with pytest.raises(DefinitionError, match="'a' is a list"):
        dg.MultiPartitionsDefinition({"a": ["x"], "b": dg.StaticPartitionsDefinition(["x"])})  # type: ignore[dict-item]


def test_mappings_are_data() -> None:
    assert dg.IdentityPartitionMapping().to_model().kind is MappingKind.IDENTITY
    assert dg.AllPartitionMapping().to_model().kind is MappingKind.ALL
    assert dg.LastPartitionMapping().to_model().kind is MappingKind.LAST
    assert dg.TimeWindowPartitionMapping(start_offset=-1).to_model().start_offset == -1
    static = dg.StaticPartitionMapping({"a": "x", "b": ["x", "y"]}).to_model()
    assert static.downstream_by_upstream == {"a": ("x",), "b": ("x", "y")}
    assert dg.SpecificPartitionsPartitionMapping(["a"]).to_model().partition_keys == ("a",)
    with pytest.raises(DefinitionError, match="partition_mapping is a str"):
        dg.AssetDep("a", partition_mapping="all")  # type: ignore[arg-type]


def test_windows_may_be_excluded() -> None:
    now = datetime(2024, 1, 16, 12, tzinfo=UTC)
    weekends = ["0 0 * * 6", "0 0 * * 0"]
    days = dg.DailyPartitionsDefinition("2024-01-01", exclusions=weekends)
    assert list(days.get_partition_keys(now))[4:6] == ["2024-01-05", "2024-01-08"]
    assert (days.has_partition_key("2024-01-06", now), days.has_partition_key("2024-01-05", now)) == (False, True)
    assert days.get_next_partition_key("2024-01-05", now) == "2024-01-08"
    assert days.get_prev_partition_key("2024-01-08", now) == "2024-01-05"
    ahead = dg.DailyPartitionsDefinition("2024-01-01", exclusions=weekends, end_offset=4)
    assert list(ahead.get_partition_keys(now))[-4:] == ["2024-01-16", "2024-01-17", "2024-01-18", "2024-01-19"]
    fewer = dg.DailyPartitionsDefinition("2024-01-01", exclusions=[datetime(2024, 1, 3), "0 0 * * 1"], end_offset=-1)  # noqa: DTZ001
    assert list(fewer.get_partition_keys(now))[:2] == ["2024-01-02", "2024-01-04"]
    assert fewer.get_last_partition_key(now) == "2024-01-13"
    window = dg.TimeWindow(datetime(2024, 1, 4, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC))
    assert days.get_partition_key_range_for_time_window(window) == ("2024-01-04", "2024-01-08")
    none = dg.DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * * *"], end_offset=1)
    assert none.get_partition_keys(now) == []
    reader = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05")
    before = dg.TimeWindowPartitionMapping(start_offset=-1)
    upstream = before.get_upstream_mapped_partitions_result_for_partitions(reader.subset_with_partition_keys(["2024-01-03"]), reader, none)
    assert list(upstream.partitions_subset.get_partition_keys()) == []
    with pytest.raises(dg.DefinitionError, match="exclusions is '0 0"):
        dg.DailyPartitionsDefinition("2024-01-01", exclusions="0 0 * * 6")
    with pytest.raises(dg.DefinitionError, match="exclusions has 5, a int"):
        dg.DailyPartitionsDefinition("2024-01-01", exclusions=[5])  # type: ignore[list-item]
