"""Snapshots written by earlier versions can be read: they are stored, and runs of long ago are shown with them.

To add one: `python -m tests.contract.test_wire_golden NAME` writes today's bytes of `today()`. Never change a file that exists.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagwright_shared.model import metadata as md
from dagwright_shared.model import snapshot as model
from dagwright_shared.model.errors import SourceRef
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, StaticPartitions, TimeWindowPartitions
from dagwright_shared.wire.snapshot import decode_snapshot, encode_snapshot

pytestmark = pytest.mark.contract

GOLDEN = Path(__file__).with_name("golden")


RAW, CLEAN = AssetKey(["raw", "flights"]), AssetKey("clean")
CHECK = AssetCheckKey(CLEAN, "no_gaps")
SOURCE = SourceRef(file="/code/flights.py", line=12)
SCHEMA = {"type": "object", "properties": {"limit": {"type": "integer", "default": 5, "maximum": 10**20}, "rate": {"const": 0.5}}}
DAILY = TimeWindowPartitions(
    cron="0 0 * * *",
    format="%Y-%m-%d",
    start=datetime(2013, 1, 1, 5, tzinfo=UTC),
    end=datetime(2014, 1, 1, 5, tzinfo=UTC),
    timezone="America/New_York",
    end_offset=-1,
)
TABLE = md.TableMetadataValue(
    (md.TableRecord({"carrier": "UA", "delay": 3.5, "n": None}),),
    md.TableSchema((md.TableColumn("carrier", "string", "who", md.TableColumnConstraints(nullable=False, unique=True), {"k": "v"}),)),
)
LINEAGE = md.TableColumnLineage({"delay": (md.TableColumnDep(RAW, "dep_delay"),)})
METADATA: dict[str, md.MetadataValue] = {
    "text": md.TextMetadataValue("t"),
    "url": md.UrlMetadataValue("https://example.org"),
    "path": md.PathMetadataValue("/data"),
    "notebook": md.NotebookMetadataValue("/n.ipynb"),
    "json": md.JsonMetadataValue({"b": [1, 2.5, None, True], "a": "x"}),
    "md": md.MarkdownMetadataValue("# Head"),
    "float": md.FloatMetadataValue(0.25),
    "int": md.IntMetadataValue(2**70),
    "bool": md.BoolMetadataValue(False),
    "timestamp": md.TimestampMetadataValue(1.5),
    "run": md.RunMetadataValue("01890000-0000-7000-8000-000000000001"),
    "job": md.JobMetadataValue("nightly", "flights"),
    "asset": md.AssetMetadataValue(RAW),
    "null": md.NullMetadataValue(),
    "artifact": md.PythonArtifactMetadataValue("flights", "clean"),
    "table": TABLE,
    "schema": md.TableSchemaMetadataValue(TABLE.schema),
    "lineage": md.TableColumnLineageMetadataValue(LINEAGE),
}
MAPPING = model.PartitionMappingData(
    kind=model.MappingKind.STATIC, start_offset=-1, downstream_by_upstream={"a": ("x", "y")}, partition_keys=("p",)
)
RETRY = model.RetryPolicyData(max_retries=3, delay=0.5, backoff=model.Backoff.EXPONENTIAL, jitter=model.Jitter.PLUS_MINUS)
MULTI = MultiPartitions(dimensions=(("date", DAILY), ("region", StaticPartitions(keys=("eu", "us"))), ("x", DynamicPartitions(name="x"))))
TARGET = model.TriggerTarget(job_name="nightly", asset_keys=(CLEAN,), check_keys=(CHECK,))
ASSETS = (
    model.AssetSnapshot(key=RAW, execution=model.AssetExecution.EXTERNAL, partitions=DAILY),
    model.AssetSnapshot(
        key=CLEAN,
        description="Cleaned",
        group="g",
        owners=("team:data",),
        tags={"b": "1", "a": "2"},
        kinds=("duckdb",),
        metadata=METADATA,
        code_version="v1",
        deps=(model.AssetDepSnapshot(key=RAW, input_name="flights", mapping=MAPPING, type_name="DataFrame"),),
        partitions=MULTI,
        op_name="clean",
        output_name="result",
        can_subset=True,
        config_schema=SCHEMA,
        resource_keys=("db",),
        io_manager_key="db_io",
        retry_policy=RETRY,
        pool="duckdb",
        type_name="DataFrame",
        source=SOURCE,
    ),
)
CHECKS = (
    model.CheckSnapshot(
        key=CHECK,
        description="d",
        blocking=True,
        metadata=METADATA,
        op_name="check",
        additional_deps=(RAW,),
        config_schema={},
        source=SOURCE,
    ),
)
JOBS = (
    model.JobSnapshot(
        name="nightly",
        description="d",
        nodes=(
            model.NodeSnapshot(
                handle="outer.load",
                op_name="load",
                inputs=(model.PortSnapshot(name="i", type_name="int", description="in", required=False),),
                outputs=(model.PortSnapshot(name="o", dynamic=True),),
                config_schema=SCHEMA,
                resource_keys=("db",),
                tags={"a": "b"},
                retry_policy=RETRY,
                pool="p",
                asset_keys=(CLEAN,),
                check_keys=(CHECK,),
                source=SOURCE,
            ),
        ),
        edges=(model.EdgeSnapshot(from_node="a", from_output="o", to_node="b", to_input="i"),),
        asset_keys=(CLEAN,),
        check_keys=(CHECK,),
        partitions=MULTI,
        tags={"a": "b"},
        run_tags={"c": "d"},
        metadata=METADATA,
        config_schema=SCHEMA,
        default_config={"ops": {"load": {"config": {"limit": 1}}}},
        executor="in_process",
        resource_keys=("db",),
        source=SOURCE,
    ),
)
SCHEDULES = (
    model.ScheduleSnapshot(
        name="daily",
        cron=("0 6 * * *", "@hourly"),
        timezone="Europe/Berlin",
        target=TARGET,
        default_running=True,
        evaluated=False,
        config={"ops": {}},
        tags={"a": "b"},
        missed_ticks=model.MissedTicks.ALL,
        max_missed_ticks=7,
        overlap=model.Overlap.CANCEL_OLD,
        partitioned=True,
        metadata=METADATA,
        source=SOURCE,
    ),
)
SENSORS = (
    model.SensorSnapshot(
        name="watch",
        kind=model.SensorKind.MULTI_ASSET,
        targets=(TARGET,),
        minimum_interval_seconds=5,
        asset_keys=(RAW,),
        source=SOURCE,
    ),
)
RESOURCES = (
    model.ResourceSnapshot(
        key="db", type_name="DuckDB", config_schema=SCHEMA, config={"password": {"env": "PW"}}, nested={"io": "db_io"}, source=SOURCE
    ),
)


def today() -> model.LocationSnapshot:
    """One of everything."""
    return model.LocationSnapshot(
        location=LocationName("flights"),
        dagwright_version="0.1.0",
        python_version="3.11.2",
        assets=ASSETS,
        checks=CHECKS,
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources=RESOURCES,
        metadata=METADATA,
    )


def test_the_first_version_can_be_read() -> None:
    assert decode_snapshot((GOLDEN / "snapshot-0.1.0.bin").read_bytes()) == today()


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("snapshot-*.bin")), ids=lambda path: path.stem)
def test_every_version_can_be_read_and_written_again(path: Path) -> None:
    snapshot = decode_snapshot(path.read_bytes())
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot


if __name__ == "__main__":
    target_file = GOLDEN / f"snapshot-{sys.argv[1]}.bin"
    if target_file.exists():
        raise SystemExit(f"{target_file} exists; a golden file is never changed")
    target_file.write_bytes(encode_snapshot(today()))
