"""A location as a code server would publish it, made of values."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from dagwright_shared.model.errors import SourceRef
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName
from dagwright_shared.model.partitions import StaticPartitions, TimeWindowPartitions
from dagwright_shared.model.snapshot import (
    AssetDepSnapshot,
    AssetExecution,
    AssetSnapshot,
    CheckSnapshot,
    EdgeSnapshot,
    JobSnapshot,
    LoadWarning,
    LocationSnapshot,
    NodeSnapshot,
    ScheduleSnapshot,
    SensorSnapshot,
    TriggerTarget,
)

DAILY = TimeWindowPartitions(
    cron="0 0 * * *", format="%Y-%m-%d", start=datetime(2013, 1, 1, tzinfo=UTC), end=datetime(2014, 1, 1, tzinfo=UTC)
)
LOAD_CONFIG = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "minimum": 1},
        "mode": {"enum": ["fast", "slow"]},
        "source": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "colour": {"$ref": "#/$defs/Colour"},
    },
    "required": ["limit"],
    "additionalProperties": False,
    "$defs": {"Colour": {"enum": ["red", "green"]}},
}


def run_schema(**ops: dict[str, Any]) -> dict[str, Any]:
    def closed(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    nodes = {}
    for name, schema in ops.items():
        inner = {key: value for key, value in schema.items() if key != "$defs"}
        nodes[name] = closed({"config": inner}, ["config"] if schema.get("required") else [])
    needed = [name for name, node in nodes.items() if node["required"]]
    shared = {name: definition for schema in ops.values() for name, definition in schema.get("$defs", {}).items()}
    return {**closed({"ops": closed(nodes, needed), "resources": closed({}, [])}, ["ops"] if needed else []), "$defs": shared}


def flights() -> LocationSnapshot:
    raw, carriers, stats = AssetKey(["raw", "flights"]), AssetKey("carriers"), AssetKey("stats")
    row_count = AssetCheckKey(stats, "row_count")
    nodes = (NodeSnapshot(handle="load", op_name="load", config_schema=LOAD_CONFIG), NodeSnapshot(handle="clean", op_name="clean"))
    return LocationSnapshot(
        location=LocationName("flights"),
        dagwright_version="0.1.0",
        python_version="3.11.7",
        assets=(
            AssetSnapshot(
                key=raw, op_name="raw__flights", group="raw", kinds=("duckdb",), partitions=DAILY, description="All flights of a day."
            ),
            AssetSnapshot(key=carriers, op_name="carriers", group="raw", config_schema=LOAD_CONFIG),
            AssetSnapshot(
                key=stats,
                op_name="stats",
                group="stats",
                partitions=DAILY,
                deps=(AssetDepSnapshot(key=raw), AssetDepSnapshot(key=carriers)),
            ),
            AssetSnapshot(key=AssetKey("left"), op_name="both"),
            AssetSnapshot(key=AssetKey("right"), op_name="both"),
            AssetSnapshot(key=AssetKey("colours"), op_name="colours", partitions=StaticPartitions(keys=("red", "green"))),
            AssetSnapshot(key=AssetKey("outside"), execution=AssetExecution.EXTERNAL),
        ),
        checks=(CheckSnapshot(key=row_count, blocking=True, op_name="stats"),),
        jobs=(
            JobSnapshot(
                name="etl",
                description="Loads, then cleans.",
                nodes=nodes,
                edges=(EdgeSnapshot(from_node="load", from_output="result", to_node="clean", to_input="table"),),
                config_schema=run_schema(load=LOAD_CONFIG, clean={"type": "object", "properties": {}, "additionalProperties": False}),
                run_tags={"team": "data"},
            ),
            JobSnapshot(name="ping", nodes=(NodeSnapshot(handle="ping", op_name="ping"),), config_schema={"type": "object"}),
            JobSnapshot(
                name="day",
                asset_keys=(raw, stats),
                check_keys=(row_count,),
                partitions=DAILY,
                config_schema={"type": "object"},
                owners=("anna@example.com", "team:data"),
            ),
        ),
        schedules=(
            ScheduleSnapshot(
                name="nightly", cron=("0 2 * * *",), timezone="Europe/Berlin", target=TriggerTarget(job_name="day"), owners=("team:night",)
            ),
        ),
        sensors=(SensorSnapshot(name="watch", targets=(TriggerTarget(job_name="ping"),), owners=("team:watch",)),),
    )


def twin() -> LocationSnapshot:
    """Another location with a job and an asset of the same names."""
    base = flights()
    return LocationSnapshot(
        location=LocationName("twin"),
        dagwright_version="0.1.0",
        python_version="3.11.7",
        warnings=(LoadWarning(message="`x` cannot be", source=SourceRef(file="twin.py", line=7)),),
        assets=(AssetSnapshot(key=AssetKey("elsewhere"), op_name="elsewhere"),),
        jobs=tuple(dataclasses.replace(job) for job in base.jobs if job.name == "ping"),
    )


def vault() -> LocationSnapshot:
    """A location that not everybody is to see: the names of `flights`, and more that begin with vault."""
    base = flights()
    day = next(job for job in base.jobs if job.name == "day")
    return dataclasses.replace(
        base,
        location=LocationName("vault"),
        assets=(*base.assets, AssetSnapshot(key=AssetKey("vault_asset"), op_name="vault_asset", group="vault_group")),
        jobs=(*base.jobs, dataclasses.replace(base.jobs[1], name="vault_job"), dataclasses.replace(day, name="vault_day")),
        schedules=(*base.schedules, dataclasses.replace(base.schedules[0], name="vault_nightly")),
        sensors=(*base.sensors, dataclasses.replace(base.sensors[0], name="vault_watch")),
    )
