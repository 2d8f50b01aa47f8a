"""What IO managers are told: the config that they were made of, partitions definitions, metadata."""

from enum import Enum
from typing import Literal

import pytest
from pydantic import Field

import dagwright as dg

pytestmark = pytest.mark.unit


class Mode(Enum):
    APPEND = "append"


class Local(dg.Config):
    kind: Literal["local"] = "local"
    folder: str


class Bucket(dg.Config):
    kind: Literal["bucket"] = "bucket"
    name: str = "b"


class Listening(dg.IOManager):
    def __init__(self, heard):
        self.heard = heard

    def handle_output(self, context, obj):
        self.heard.append(("stored", context.resource_config))

    def load_input(self, context):
        self.heard.append(("loaded", context.resource_config))


class Lake(dg.ConfigurableIOManagerFactory):
    root: str
    mode: Mode = Mode.APPEND
    where: Local | Bucket = Field(discriminator="kind")
    options: dict[str, int] = Field(default={"depth": 1})
    note: str | None = None

    def create_io_manager(self, context):
        return Listening(HEARD)


HEARD: list[tuple[str, object]] = []


@dg.io_manager(config_schema={"root": dg.Field(str, default_value="/lake")})
def lake(context):
    return Listening(HEARD)


@dg.asset
def water() -> int:
    return 1


@dg.asset
def ice(water) -> None: ...


@pytest.mark.parametrize(
    ("manager", "config", "expected"),
    [
        (
            Lake(root=dg.EnvVar("LAKE"), where=Bucket()),
            {},
            {"root": "/north", "mode": "append", "where": {"bucket": {"name": "b"}}, "options": {"depth": 1}, "note": None},
        ),
        (
            Lake.configure_at_launch(where=Local(folder="f")),
            {"root": "/south"},
            {"root": "/south", "mode": "append", "where": {"local": {"folder": "f"}}, "options": {"depth": 1}, "note": None},
        ),
        (lake, {}, {"root": "/lake"}),
        (lake.configured({"root": "/east"}), {}, {"root": "/east"}),
        (Listening(HEARD), {}, None),
    ],
)
def test_the_config_that_they_were_made_of(manager, config, expected, monkeypatch):
    monkeypatch.setenv("LAKE", "/north")
    HEARD.clear()
    run_config = {"resources": {"io_manager": {"config": config}}} if config else None
    dg.materialize([water, ice], resources={"io_manager": manager}, run_config=run_config)
    assert [("stored", expected), ("loaded", expected)] == HEARD


def test_two_keys_of_one_resource_have_its_config():
    HEARD.clear()
    made = Lake(root="/", where=Bucket(name="n"))

    @dg.asset(io_manager_key="other")
    def steam() -> int:
        return 1

    dg.materialize([water, steam], resources={"io_manager": made, "other": made})
    assert [config["where"] for _, config in HEARD] == [{"bucket": {"name": "n"}}] * 2


DEFINITIONS = [
    dg.StaticPartitionsDefinition(["a", "b"]),
    dg.HourlyPartitionsDefinition("2024-01-01-00:00", minute_offset=5),
    dg.DailyPartitionsDefinition("2024-01-01", hour_offset=3, timezone="Europe/Berlin"),
    dg.WeeklyPartitionsDefinition("2024-01-01", day_offset=2),
    dg.MonthlyPartitionsDefinition("2024-01-01", day_offset=4),
    dg.TimeWindowPartitionsDefinition(start="2024-01-01", fmt="%Y-%m-%d", cron_schedule="0 0 * * 1-5"),
    dg.DynamicPartitionsDefinition(name="ports"),
    dg.MultiPartitionsDefinition({"day": dg.DailyPartitionsDefinition("2024-01-01"), "port": dg.StaticPartitionsDefinition(["a"])}),
]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda each: type(each).__name__)
def test_the_partitions_definition_is_the_one_of_the_asset(definition):
    seen = []

    class Looking(dg.IOManager):
        def handle_output(self, context, obj):
            seen.append(context.asset_partitions_def)

        def load_input(self, context):
            seen.append(context.asset_partitions_def)

    @dg.asset(partitions_def=definition)
    def up(context) -> int:
        seen.append(context.asset_partitions_def_for_output())
        return 1

    @dg.asset(partitions_def=definition)
    def down(context, up) -> None:
        seen.append(context.asset_partitions_def_for_input("up"))

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("ports", ["oslo"])
        key = definition.get_partition_keys(dynamic_partitions_store=instance)[0]
        dg.materialize([up, down], partition_key=key, instance=instance, resources={"io_manager": Looking()})
    assert [(type(each), each) for each in seen] == [(type(definition), definition)] * 4


def test_metadata_that_was_told_is_read_once():
    context = dg.build_output_context(name="rows")
    context.add_output_metadata({"rows": 3})
    assert context.get_logged_metadata()["rows"].value == 3
    assert context.consume_logged_metadata()["rows"].value == 3
    assert context.consume_logged_metadata() == {}


@pytest.mark.parametrize(
    "event",
    [
        dg.AssetMaterialization("a", description="d", partition="p", tags={"t": "v"}),
        dg.AssetObservation("a", description="d"),
        dg.AssetCheckResult(passed=True, description="d", check_name="c"),
        dg.MaterializeResult(asset_key="a", value=3),
        dg.ObserveResult(asset_key="a"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_results_are_copied_with_changes(event):
    changed = event._replace(metadata={"rows": 4})
    assert getattr(changed.metadata["rows"], "value", changed.metadata["rows"]) == 4
    assert event.metadata == {}
    assert changed._replace(metadata={}) == event
